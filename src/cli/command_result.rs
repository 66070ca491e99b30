//! How a command ends.

use std::error::Error;

use thiserror::Error;

use crate::config::Problems;
use crate::http::auth;

use super::send::SendError;

/// Well, or with something to tell the person who gave the command.
pub(super) type CommandResult = Result<(), Box<dyn Error + Send + Sync>>;

/// Why a command was not begun.
#[derive(Debug, Error)]
pub(super) enum CommandError {
    /// The command line asks for nothing that there is.
    #[error("{0}")]
    Usage(String),
    /// The configuration asks for what cannot be.
    #[error("{0}")]
    Configuration(String),
}

/// A command that went wrong.
const FAILURE: u8 = 1;
/// A command line that cannot be used.
const USAGE: u8 = 2;
/// A configuration that cannot be used: `EX_CONFIG` of sysexits.h, by which a supervisor can tell that to start again
/// mends nothing.
const CONFIGURATION: u8 = 78;

/// The status that a process ends with after an error.
pub(super) fn exit_status(error: &(dyn Error + Send + Sync + 'static)) -> u8 {
    match error.downcast_ref() {
        Some(CommandError::Usage(_)) => return USAGE,
        Some(CommandError::Configuration(_)) => return CONFIGURATION,
        None => {}
    }
    let of_send = matches!(error.downcast_ref(), Some(SendError::Configuration(_)));
    let of_credentials = error.downcast_ref::<auth::CredentialError>().is_some();
    if of_send || of_credentials || error.downcast_ref::<Problems>().is_some() { CONFIGURATION } else { FAILURE }
}

/// An error with everything that led to it.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
}
