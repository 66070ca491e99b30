//! `forecourt serve`: receive deliveries until told to stop.

use crate::config::Config;

use super::Ending;

/// Runs the service.
#[expect(clippy::unused_async, reason = "the parts of the service are put together here")]
pub(super) async fn run(config: Config) -> Ending {
    drop(config);
    Err("the service has no parts yet".into())
}
