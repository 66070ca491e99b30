//! What the spool has put aside: deliveries that could not be read or stored, one a file, and files that were damaged. They
//! are nobody's way into the tables, and hold what customers wrote.

use std::fs;
use std::path::Path;

use super::order::Target;
use crate::domain::erasure;
use crate::spool::{DAMAGED, FOLDER, UNREADABLE};

/// Deletes the deliveries that the spool has put aside and that hold the address, and says of damaged files that they may.
/// Gives how many were deleted.
pub(super) fn remove(data_dir: &Path, target: &Target) -> i64 {
    let Target::Address(email) = target else { return 0 };
    let mut removed = 0;
    for entry in fs::read_dir(data_dir.join(FOLDER)).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let is_aside = name.starts_with(UNREADABLE) || name.starts_with(DAMAGED);
        if !is_aside || !fs::read(&path).is_ok_and(|bytes| erasure::addresses_in(&bytes).contains(email)) {
            continue;
        }
        if name.starts_with(DAMAGED) {
            tracing::warn!(file = %path.display(), "this damaged file of the spool holds a person who was erased: delete it");
        } else if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(file = %path.display(), %error, "this file holds a person who was erased and cannot be deleted");
        } else {
            removed += 1;
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::values::Email;

    #[test]
    fn what_the_spool_put_aside_is_deleted_where_it_is_about_the_person() {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("spool");
        fs::create_dir(&spool).unwrap();
        for (name, text) in [
            ("unreadable-1", &b"\x02\xff{\"email\":\"Ada@example.com\"}"[..]),
            ("unreadable-2", b"bob@example.com"),
            ("deliveries.redb", b"ada@example.com"),
        ] {
            fs::write(spool.join(name), text).unwrap();
        }
        assert_eq!(remove(folder.path(), &Target::Address(Email::parse("ada@example.com").unwrap())), 1);
        assert!(!spool.join("unreadable-1").exists());
        assert!(spool.join("unreadable-2").exists() && spool.join("deliveries.redb").exists());
    }
}
