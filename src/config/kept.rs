//! Secrets that are made once and kept in a file that only its owner reads.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};

/// 256 bits.
const SECRET_BYTES: usize = 32;

/// A secret that nobody can guess, in letters, digits, `-` and `_`.
///
/// # Errors
/// When the system has no randomness to give.
pub fn make() -> io::Result<SecretString> {
    let mut random = [0; SECRET_BYTES];
    getrandom::fill(&mut random)?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(random)))
}

/// Makes the file with a secret where there is none yet.
///
/// # Errors
/// When its folder cannot be written to.
pub fn ensure(path: &Path) -> io::Result<()> {
    if path.exists() { Ok(()) } else { keep(&make()?, path) }
}

/// Writes the secret whole and under its name in one step: of two services that start at once both use the same one,
/// and a kill in between leaves none.
fn keep(secret: &SecretString, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let draft = PathBuf::from(format!("{}.{}", path.display(), std::process::id()));
    let written = write_draft(&draft, secret).and_then(|()| fs::hard_link(&draft, path));
    let removed = match fs::remove_file(&draft) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.exists() => removed,
        other => other.and(removed),
    }
}

fn write_draft(draft: &Path, secret: &SecretString) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft)?;
    writeln!(file, "{}", secret.expose_secret())?;
    file.sync_all()
}
