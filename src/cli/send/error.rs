//! Why `send` ends with status 1, and what to do.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::config::{Problems, SecretError};

/// Why `send` ends with status 1, and what to do.
#[derive(Debug, Error)]
pub(in crate::cli) enum SendError {
    #[error(
        "there is no demo token in `{0}`: start `forecourt` first, set FORECOURT_DATA_DIR as it is set for the service, \
         or name a credential, for example with `--credential NAME`"
    )]
    NoDemoToken(PathBuf),
    #[error("no data directory with a demo token is known: set FORECOURT_DATA_DIR, or name a credential")]
    NoDataDirectory,
    #[error(transparent)]
    Secret(SecretError),
    #[error("`{path}` cannot be read: name a file or a folder that can")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("there is no .json file below `{0}`: name a folder with payloads")]
    NothingToSend(PathBuf),
    #[error("`{0}` does not look like a payload of any feed: name its feed with `--feed`")]
    FeedUnknown(PathBuf),
    #[error("`{0}` is not the address of a service: write one such as `http://127.0.0.1:8080`")]
    UrlUnusable(String),
    #[error("the configuration has no credential `{0}`: name one that `forecourt check` lists")]
    NoSuchCredential(String),
    #[error(transparent)]
    Configuration(Problems),
    #[error("no service answers at {url}: start one with `forecourt`, or name its address with `--url`")]
    Unreachable { url: String, source: Box<ureq::Error> },
    #[error("{failed} of {sent} deliveries were not answered 200: {remedy}")]
    Refused { failed: u64, sent: u64, remedy: &'static str },
    #[error(
        "stopped after {sent} deliveries{}: {left} are left, of which `{next}` is the next",
        if *.failed == 0 { String::new() } else { format!(", of which {failed} were not answered 200") }
    )]
    Interrupted { sent: u64, left: u64, next: String, failed: u64 },
    #[error("the service listens on a port that the system chooses: name its address with `--url`")]
    PortUnknown,
    #[error(
        "the service gives this client no token (status {0}): look at the client's id and secret, and at the log of the \
         service"
    )]
    NoToken(u16),
    #[error("the payload is not JSON, so it cannot be signed: send it with a credential of another scheme")]
    NotSignable,
    #[error("the replies cannot be printed")]
    Output(#[source] io::Error),
}
