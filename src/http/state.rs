//! What the doors' routes work with.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;

use super::access::CurrentPolicy;
use super::body_budget::BodyBudget;
use crate::config::Proxies;
use crate::domain::delivery::Delivery;
use crate::intake::complaints::Complaints;
use crate::intake::{Answer, Unavailable};
use crate::metrics::Metrics;
use crate::quarantine::Quarantine;

/// Accepts a delivery, and answers once it is durable.
pub type Accept = Arc<dyn Fn(Delivery) -> BoxFuture<'static, Result<Answer, Unavailable>> + Send + Sync>;

/// What the webhook handler works with.
pub struct WebhookState {
    /// Who may enter, and how much they may bring.
    pub current_policy: CurrentPolicy,
    /// Gives the time of arrival.
    pub clock: fn() -> DateTime<Utc>,
    /// Where a delivery goes.
    pub accept: Accept,
    /// Where bodies have room.
    pub budget: BodyBudget,
    /// How long a request is held whose body finds no room.
    pub hold: Duration,
    /// Where a refused request goes.
    pub quarantine: Quarantine,
    /// Where a request goes that was posted to no door.
    pub misdirected: Quarantine,
    /// Which proxies' headers about a sender's address are trusted.
    pub proxies: Proxies,
    /// Counts what is answered.
    pub metrics: Metrics,
    /// What was logged of late, so that it is not repeated.
    pub complaints: Complaints,
}
