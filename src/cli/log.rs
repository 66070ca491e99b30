//! The log on standard error.

use std::io::IsTerminal as _;

use crate::config::{Config, Environment, LogFormat};
use crate::intake::clock;

use super::check;
use super::command_result::CommandResult;

/// Starts the log on standard error, and keeps panics from printing what they were about.
pub(super) fn start_log(filter: &str, format: LogFormat, environment: &Environment) -> CommandResult {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => {
            // Colours are for eyes: a file or a journal gets none, and nor does who asks for none.
            let colours = std::io::stderr().is_terminal() && environment.setting("NO_COLOR").is_none();
            log.with_ansi(colours).try_init()?;
        }
        // With the fields of every span around a line, of which the outermost has the id of the request.
        LogFormat::Json => log.json().flatten_event(true).with_current_span(true).with_span_list(true).try_init()?,
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a panic: this is a fault of forecourt");
    }));
    Ok(())
}

/// Logs what is wrong, and what a person should look at.
pub(super) fn warn(config: &Config) {
    for error in &config.errors {
        tracing::error!("{error}");
    }
    for warning in config.warnings.iter().cloned().chain(check::expiring(config, clock::now())) {
        tracing::warn!("{warning}");
    }
}
