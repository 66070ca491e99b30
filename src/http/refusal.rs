//! What a refused request brought is read, within bounds, and kept aside before the refusal goes out: a sender who was
//! refused does not repeat, and one who asked before sending (`Expect: 100-continue`) would send nothing after it.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};

use super::auth::AuthError;
use super::body::{self, ReadTimeouts};
use super::body_budget::BodyBudget;
use crate::domain::feed::Feed;
use crate::quarantine::{Quarantine, Rejected};

/// Who was refused, and where.
pub(super) struct Unauthenticated<'r> {
    /// The feed that was posted to.
    pub(super) feed: Feed,
    /// When the request's head arrived.
    pub(super) received_at: DateTime<Utc>,
    /// The sender's address.
    pub(super) remote_address: Option<IpAddr>,
    /// The schemes that were tried, with digests of what was presented.
    pub(super) auth_error: &'r AuthError,
}

/// How long a request without a credential may take to send a body.
const PATIENCE: ReadTimeouts = ReadTimeouts { pause: Duration::from_secs(10), total: Duration::from_secs(10) };

/// Reads the body, if there is a permit and room in the budget of requests without a credential, and hands the request over to be kept. Never waits for a database. A body that
/// does not arrive whole, in time and within the limit is not kept; that there was a request is.
pub(super) async fn quarantine(
    quarantine: &Quarantine,
    budget: &BodyBudget,
    unauthenticated: Unauthenticated<'_>,
    limit: usize,
    headers: &HeaderMap,
    body: Body,
) {
    let Unauthenticated { feed, received_at, remote_address, auth_error } = unauthenticated;
    let Some(permit) = quarantine.read_permit(remote_address) else { return };
    let mut room = budget.of_unauthenticated(remote_address, PATIENCE.total);
    let decoded = body::read(body, headers, limit, PATIENCE, &mut room).await.ok();
    let rejected = Rejected {
        path: feed.path().to_owned(),
        feed: Some(feed),
        credential: None,
        received_at,
        remote_address,
        tried: auth_error.tried.iter().copied().collect(),
        presented: auth_error.presented.clone(),
        content_type: body::content_type(headers),
        body: decoded.map(|decoded| decoded.bytes),
    };
    quarantine.keep(permit, rejected);
}
