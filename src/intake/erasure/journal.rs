//! `erasures.log` in the data directory: a line for each thing that was erased, by its fingerprint, so that it can be erased
//! again where an older database was restored. It says nothing of whom it was about.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::erasures::Counts;

/// The name of the file.
pub const FILE: &str = "erasures.log";

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The order that it belongs to.
    pub order_id: Uuid,
    /// What was received before this is erased.
    pub erased_at: DateTime<Utc>,
    /// The number of the workspace; 0 for none.
    pub workspace: i64,
    /// `address` or `lead`.
    pub kind: String,
    /// What it was, by its fingerprint.
    pub fingerprint: String,
    /// Tells the key of the fingerprint from another one.
    pub key_id: String,
    /// How many rows of each table it concerned, at one line of each order and workspace.
    pub counts: Counts,
}

/// Adds lines; when it returns, they are on disk.
///
/// # Errors
/// When the file cannot be written.
pub fn append(path: &Path, lines: &[Line]) -> io::Result<()> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&serde_json::to_string(line)?);
        text.push('\n');
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The lines of a text; the number of one that is none.
///
/// # Errors
/// With the number of the first line that cannot be read.
pub fn read(text: &str) -> Result<Vec<Line>, usize> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(place, line)| serde_json::from_str(line).map_err(|_invalid| place + 1)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn lines_are_read_back_and_belong_to_their_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let line = Line {
            order_id: Uuid::nil(),
            erased_at: DateTime::UNIX_EPOCH,
            workspace: 3,
            kind: "address".to_owned(),
            fingerprint: "f0".to_owned(),
            key_id: "k".to_owned(),
            counts: [("leads".to_owned(), 2)].into(),
        };
        append(&path, std::slice::from_ref(&line)).unwrap();
        append(&path, std::slice::from_ref(&line)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(read(&text), Ok(vec![line.clone(), line]));
        assert_eq!(read(&(text + "\nnothing")), Err(4));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
