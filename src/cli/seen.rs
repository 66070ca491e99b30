//! In which databases this data directory has seen its tables.
//!
//! A first start refuses what is wrong with a database, because somebody is there who can mend it. Once deliveries have
//! been kept there it is another matter: a password that was changed, or a server that has become unsafe, must not cost a
//! lead. So a file remembers where the tables were: host, port and database, and no user and no password.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::store::PutsUp;

/// The file, a line for each database.
const FILE: &str = "tables-seen";
/// What the data directory of a service has that was started before there was that file.
const LEFT_BEHIND: [&str; 2] = [crate::spool::FOLDER, "fingerprint.key"];

/// The databases in which this data directory has seen its tables.
pub(super) struct SeenTables {
    path: PathBuf,
    places: BTreeSet<String>,
    /// Whether a service has used the data directory.
    was_used: bool,
}

impl SeenTables {
    /// What a data directory remembers. One that cannot be read remembers nothing.
    pub(super) fn read(data_dir: &Path) -> Self {
        let path = data_dir.join(FILE);
        let places = fs::read_to_string(&path).unwrap_or_default().lines().map(str::to_owned).collect();
        let was_used = LEFT_BEHIND.iter().any(|name| data_dir.join(name).exists());
        Self { path, places, was_used }
    }

    /// Whether the tables were seen there.
    pub(super) fn knows(&self, place: &str) -> bool {
        self.places.contains(place)
    }

    /// Whether a server there is put up with that breaks a law.
    pub(super) fn puts_up(&self, place: &str) -> PutsUp {
        match (self.knows(place), self.was_used && self.places.is_empty()) {
            (true, _) => PutsUp::Always,
            (false, true) => PutsUp::WithTables,
            (false, false) => PutsUp::Never,
        }
    }

    /// Remembers that the tables are there.
    pub(super) fn note(&mut self, place: String) {
        if !self.places.insert(place) {
            return;
        }
        if let Err(error) = self.write() {
            let file = self.path.display();
            tracing::warn!(%error, %file, "it cannot be noted where the tables are: a start that the database refuses ends");
        }
    }

    /// Whole and under its name in one step, so that a kill in between leaves what was there.
    fn write(&self) -> io::Result<()> {
        let draft = self.path.with_extension(std::process::id().to_string());
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        for place in &self.places {
            writeln!(file, "{place}")?;
        }
        file.sync_all()?;
        fs::rename(&draft, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_remembered_and_another_one_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = SeenTables::read(folder.path());
        assert_eq!(seen.puts_up("db:5432/forecourt"), PutsUp::Never);
        seen.note("db:5432/forecourt".to_owned());
        seen.note("db:5432/forecourt".to_owned());
        let seen = SeenTables::read(folder.path());
        assert!(seen.knows("db:5432/forecourt") && !seen.knows("db:5432/other"));
        assert_eq!(seen.puts_up("db:5432/forecourt"), PutsUp::Always);
        assert_eq!(seen.puts_up("db:5432/other"), PutsUp::Never);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_data_directory_of_an_older_version_may_have_seen_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("spool")).unwrap();
        assert_eq!(SeenTables::read(folder.path()).puts_up("db:5432/forecourt"), PutsUp::WithTables);
    }
}
