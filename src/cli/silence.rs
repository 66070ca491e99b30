//! Silence as the service watches it: with what waits in the spool, and with where alerts are posted to.

use std::sync::Arc;

use crate::config::Config;
use crate::intake::{Intake, clock};
use crate::silence::{Outbox, Settings, Silence, SpooledSince, Target};

use super::app::App;

/// Watches what the intake accepts. Must be called inside a runtime.
pub(super) fn watch(config: &Config, app: &App, intake: Intake) -> Silence {
    let acceptor = app.acceptor.clone();
    let spooled_since: SpooledSince = Arc::new(move || Some(acceptor.spool()?.depth().oldest?.received_at()));
    let outbox = config.alerts.as_ref().and_then(|alerts| {
        let key = alerts.key.as_ref().map(crate::config::AlertKey::expose);
        let target = Target::new(alerts.url.expose(), alerts.url.origin().to_owned(), key, clock::now);
        let opened = Outbox::open(target);
        opened
            .inspect_err(|error| tracing::error!(%error, "alerts are not posted: their thread cannot be started"))
            .ok()
    });
    Silence::new(intake, Settings::new(spooled_since, outbox, app.metrics.clone()))
}
