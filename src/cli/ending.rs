//! How a command ends.

use std::error::Error;

/// Well, or with something to tell the person who gave the command.
pub(super) type Ending = Result<(), Box<dyn Error + Send + Sync>>;
