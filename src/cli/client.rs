//! The HTTP client of the commands that ask a running service.

use std::path::Path;
use std::time::Duration;

use crate::config::{self, Environment, Problems};

/// Where this machine reaches the service that the configuration describes, of which nothing else is read; `None` where the
/// system chooses its port.
///
/// # Errors
/// When the file cannot be read, or what stands there is not an address.
pub(super) fn listening_at(config: Option<&Path>, environment: &Environment) -> Result<Option<String>, Problems> {
    let address = config::reachable(config::listen_address(config, environment)?);
    Ok((address.port() != 0).then(|| format!("http://{address}")))
}

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
