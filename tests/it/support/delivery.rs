//! Deliveries that come to no door.

use forecourt::domain::delivery::Delivery;
use forecourt::domain::feed::Feed;
use forecourt::domain::workspace::Permitted;

/// A delivery that arrives now, of a credential that may write everywhere.
pub(crate) fn delivery(feed: Feed, body: impl Into<Vec<u8>>) -> Delivery {
    let body: Vec<u8> = body.into();
    Delivery {
        id: uuid::Uuid::now_v7(),
        feed,
        received_at: forecourt::intake::clock::now(),
        credential: "all".to_owned(),
        permitted: Permitted::All,
        remote_address: None,
        content_type: None,
        body: body.into(),
        posted_body: None,
        undecoded: None,
        dealership_id: None,
        external_id: None,
        schema_version: None,
    }
}
