//! The configuration of a first start: one workspace for each documented dealership, and a token of its own.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::environment::Environment;
use super::report::Problems;
use super::secret::SecretSource;
use super::server;

/// The text of the demo configuration.
pub(super) const TEXT: &str = include_str!("../../demo/forecourt.toml");
/// Its name in messages.
pub(super) const NAME: &str = "demo/forecourt.toml";

const TOKEN_FILE: &str = "demo-token";
/// 256 bits.
const TOKEN_BYTES: usize = 32;

/// Where the token of a demo service of this environment is kept; `None` where no data directory is known.
#[must_use]
pub fn token_source(environment: &Environment) -> Option<SecretSource> {
    let root = rustix::process::geteuid().is_root();
    Some(SecretSource::File(server::data_dir_without_file(environment, root)?.join(TOKEN_FILE)))
}

/// Makes the token of a data directory where there is none yet.
pub(super) fn ensure_token(data_dir: &Path) -> Result<(), Problems> {
    let path = data_dir.join(TOKEN_FILE);
    if path.exists() {
        return Ok(());
    }
    make_token(data_dir, &path).map_err(|error| {
        let message =
            format!("the demo token cannot be kept there ({error}); set FORECOURT_DATA_DIR to a folder of yours");
        Problems::of(path.display().to_string(), message)
    })
}

/// Writes the token whole and under its name in one step: of two services that start at once both use the same one,
/// and a kill in between leaves none.
fn make_token(data_dir: &Path, path: &Path) -> io::Result<()> {
    let mut random = [0; TOKEN_BYTES];
    getrandom::fill(&mut random)?;
    fs::create_dir_all(data_dir)?;
    let draft = PathBuf::from(format!("{}.{}", path.display(), std::process::id()));
    let written = write_draft(&draft, &URL_SAFE_NO_PAD.encode(random)).and_then(|()| fs::hard_link(&draft, path));
    let removed = match fs::remove_file(&draft) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.exists() => removed,
        other => other.and(removed),
    }
}

fn write_draft(draft: &Path, token: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft)?;
    writeln!(file, "{token}")?;
    file.sync_all()
}
