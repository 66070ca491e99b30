//! The HTTP client of the commands that ask a running service.

use std::time::Duration;

/// Takes every status for an answer, goes to no other place than the one named, and no detour through a proxy.
pub(super) fn agent(patience: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .timeout_global(Some(patience))
        .build()
        .into()
}
