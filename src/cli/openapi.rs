//! `forecourt openapi`: print what can be asked of the service, and what it answers.

use std::io::Write;

use crate::http::openapi;

use super::command_result::CommandResult;

/// Prints the document.
pub(super) fn run(out: &mut dyn Write) -> CommandResult {
    Ok(writeln!(out, "{:#}", openapi::document())?)
}
