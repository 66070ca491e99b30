//! The one webhook handler: reads the body of a request that was let in, and answers once its delivery is durable.

use axum::extract::{Request, State};
use axum::http::request;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, sleep_until};

use super::authenticate::{Authenticated, Door};
use super::body::{self, BodyError, DecodedBody, content_type};
use super::body_budget::{BudgetTimeout, ByteShare};
use super::connections::Phase;
use super::peer_addr;
use super::reply::{Error, answered, log};
pub use super::state::{Accept, WebhookState};
use crate::domain::delivery::{Body, Delivery, id_at};
use crate::intake::{Answer, Unavailable};

/// Takes in one request that was let in at a door.
pub(super) async fn receive(State(door): State<Door>, authenticated: Authenticated, request: Request) -> Response {
    let remote_address = peer_addr::address(request.extensions());
    let arrived = Instant::now();
    match take_in(&door, authenticated, request).await {
        Ok(answer) => {
            let is_spooled = matches!(answer, Answer::Spooled(_));
            door.state.metrics.answered(door.feed, is_spooled, arrived.elapsed());
            answered(&answer)
        }
        Err(error) => {
            log(&door.state, &error, door.feed, remote_address);
            error.into_response()
        }
    }
}

async fn take_in(door: &Door, authenticated: Authenticated, request: Request) -> Result<Answer, Error> {
    let (head, body) = request.into_parts();
    let (phase, hold) = (Phase::of(&head.extensions), door.state.hold);
    let credential = authenticated.credential.clone();
    phase.reading(&credential);
    let (delivery, rooms) = match read(door, authenticated, &head, body).await {
        // It holds nothing any more. Answered now, it would never be repeated.
        Err(BodyError::NoRoom(BudgetTimeout { since })) => {
            sleep_until(since + hold).await;
            return Err(BodyError::NoRoom(BudgetTimeout { since }).into());
        }
        received => received?,
    };
    phase.working();
    let begun = Instant::now();
    match (door.state.accept)(delivery).await {
        Err(Unavailable) => {
            // Nothing of it is here any more. Answered before the end of the hold, it would never be repeated.
            drop(rooms);
            phase.reading(&credential);
            sleep_until(begun + hold).await;
            Err(Unavailable.into())
        }
        answer => Ok(answer?),
    }
}

/// The room that a delivery's body takes, and that of the claims of its token.
type Rooms = (ByteShare, Option<ByteShare>);

/// Reads the body. A signed token's claims are the payload; what was posted beside them is kept where it says something
/// else. One that cannot be had whole, or finds no room, costs nothing but itself.
async fn read(
    Door { state, feed }: &Door,
    authenticated: Authenticated,
    head: &request::Parts,
    body: axum::body::Body,
) -> Result<(Delivery, Rooms), BodyError> {
    let Authenticated { credential, permitted, claims, received_at, policy } = authenticated;
    let mut room = state.budget.of_credential(&credential, state.hold);
    let mut room_of_claims = None;
    if let Some(claims) = &claims {
        let mut room = state.budget.of_credential(&credential, state.hold);
        room.take(claims.len(), claims.capacity()).await?;
        room.finish();
        room_of_claims = Some(room);
    }
    let decoded = body::read(body, &head.headers, policy.limits.of(*feed), policy.limits.timeouts, &mut room).await;
    let (body, posted_body, undecoded) = match (claims, decoded) {
        (Some(claims), Ok(decoded)) => (claims, Some(decoded.bytes), None),
        (Some(claims), Err(_unusable)) => {
            room = state.budget.of_credential(&credential, state.hold);
            (claims, Some(Vec::new()), None)
        }
        (None, decoded) => {
            let DecodedBody { bytes, undecoded } = decoded?;
            (bytes, None, undecoded)
        }
    };
    room.finish();
    let delivery = Delivery {
        id: id_at(received_at),
        feed: *feed,
        received_at,
        credential,
        permitted,
        remote_address: peer_addr::address(&head.extensions),
        content_type: content_type(&head.headers),
        body: body.into(),
        posted_body: posted_body.map(Body::from),
        undecoded,
        dealership_id: None,
        external_id: None,
        schema_version: None,
    };
    Ok((delivery, (room, room_of_claims)))
}
