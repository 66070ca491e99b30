//! Secrets of our own making: made once, kept in the data directory, readable by their owner alone.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use super::text::text;

/// 256 bits.
const BYTES: usize = 32;

/// A good secret: 32 random bytes in base64url, 43 letters, digits, hyphens and underscores.
///
/// # Errors
/// When the system has no random numbers to give.
pub fn new_secret() -> io::Result<SecretString> {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random)?;
    Ok(URL_SAFE_NO_PAD.encode(random).into())
}

/// The secret that is kept in the data directory under a name; it is made at the first time.
///
/// # Errors
/// When it cannot be read, or cannot be made and kept there.
pub fn load_or_create_secret(data_dir: &Path, name: &str) -> io::Result<SecretString> {
    let path = data_dir.join(name);
    ensure(data_dir, &path)?;
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{} {what}", path.display()));
    let text = text(fs::read(&path)?).map_err(|reason| invalid(&reason.to_string()))?;
    let secret = text.trim_end_matches(['\n', '\r']);
    if secret.is_empty() {
        return Err(invalid("is empty"));
    }
    Ok(secret.into())
}

/// Makes the secret of a path where there is none yet: whole and under its name in one step, so that of two services
/// that start at once both use the same one, and a kill in between leaves none.
pub(super) fn ensure(data_dir: &Path, path: &Path) -> io::Result<()> {
    use secrecy::ExposeSecret as _;
    if path.exists() {
        return Ok(());
    }
    let secret = new_secret()?;
    fs::create_dir_all(data_dir)?;
    let draft = PathBuf::from(format!("{}.{}", path.display(), std::process::id()));
    let written = write_draft(&draft, secret.expose_secret()).and_then(|()| fs::hard_link(&draft, path));
    let removed = match fs::remove_file(&draft) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.exists() => removed,
        other => other.and(removed),
    }
}

fn write_draft(draft: &Path, secret: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft)?;
    writeln!(file, "{secret}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_kept_secret_is_made_once_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        let first = load_or_create_secret(&data_dir, "some.key").unwrap();
        assert_eq!(first.expose_secret().len(), 43);
        assert_eq!(load_or_create_secret(&data_dir, "some.key").unwrap().expose_secret(), first.expose_secret());
        assert_ne!(load_or_create_secret(&data_dir, "other.key").unwrap().expose_secret(), first.expose_secret());
        let mode = fs::metadata(data_dir.join("some.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&data_dir).unwrap().count(), 2, "no draft is left");
    }

    #[test]
    fn a_secret_that_cannot_be_kept_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(load_or_create_secret(&folder.path().join("file"), "some.key").is_err());
        fs::write(folder.path().join("empty.key"), "\n").unwrap();
        assert!(load_or_create_secret(folder.path(), "empty.key").is_err());
        fs::write(folder.path().join("wide.key"), b"\xFF\xFEk\0e\0y\0").unwrap();
        let error = load_or_create_secret(folder.path(), "wide.key").unwrap_err().to_string();
        assert!(error.ends_with("wide.key is not a text in UTF-8 but one in UTF-16"), "{error}");
    }

    #[test]
    fn a_kept_secret_that_an_editor_wrote_is_what_was_written_into_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("some.key"), "\u{feff}written by hand\r\n").unwrap();
        assert_eq!(load_or_create_secret(folder.path(), "some.key").unwrap().expose_secret(), "written by hand");
    }
}
