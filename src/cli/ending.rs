//! How a command ends.

use std::error::Error;

/// Well, or with something to tell the person who gave the command.
pub(super) type Ending = Result<(), Box<dyn Error + Send + Sync>>;

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
