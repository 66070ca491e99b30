//! `erasures.log` in the data directory: a line for each thing that was erased, by its fingerprint, so that it can be erased
//! again where an older database was restored. It says nothing of whom it was about.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
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
    let mut file = OpenOptions::new().append(true).read(true).create(true).mode(0o600).open(path)?;
    // What a crash has cut off stays a line of its own.
    let mut text = String::from(if is_cut_off(&mut file)? { "\n" } else { "" });
    for line in lines {
        text.push_str(&serde_json::to_string(line)?);
        text.push('\n');
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Whether the last line has no end.
fn is_cut_off(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// The lines of a text, and the numbers of those that cannot be read, as one that a crash has cut off.
#[must_use]
pub fn read(text: &str) -> (Vec<Line>, Vec<usize>) {
    let (mut lines, mut unreadable) = (Vec::new(), Vec::new());
    for (place, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str(line) {
            Ok(line) => lines.push(line),
            Err(_invalid) => unreadable.push(place + 1),
        }
    }
    (lines, unreadable)
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
        assert_eq!(read(&text), (vec![line.clone(), line.clone()], vec![]));
        std::fs::write(&path, format!("{text}{{\"order_id\":\"01a2")).unwrap();
        append(&path, std::slice::from_ref(&line)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(read(&text), (vec![line.clone(), line.clone(), line], vec![3]));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
