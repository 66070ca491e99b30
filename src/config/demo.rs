//! The configuration of a first start: one workspace for each documented dealership, with a token
//! and a password of its own.

use std::path::Path;

use super::environment::Environment;
use super::keyring;
use super::report::Problems;
use super::secret::SecretSource;
use super::server;

/// The text of the demo configuration.
pub(super) const TEXT: &str = include_str!("../../demo/forecourt.toml");
/// Its name in messages.
pub(super) const NAME: &str = "demo/forecourt.toml";

/// Who names a database has most likely forgotten the configuration.
pub(super) const OVER_A_DATABASE: &str = "THE DEMO CONFIGURATION IS USED ON THE DATABASE THAT DATABASE_URL NAMES, \
    because there is no configuration file: its workspaces are written there, those of another configuration become \
    inactive, and the demo token opens every feed; put a `forecourt.toml` into the working directory or into \
    /etc/forecourt, or name one with `--config` or FORECOURT_CONFIG";

const TOKEN_FILE: &str = "demo-token";
/// The password of the console.
const PASSWORD_FILE: &str = "demo-console-password";

/// Where the token of a demo service of this environment is kept; `None` where no data directory is known.
#[must_use]
pub fn token_source(environment: &Environment) -> Option<SecretSource> {
    let root = rustix::process::geteuid().is_root();
    Some(SecretSource::File(server::data_dir_without_file(environment, root)?.join(TOKEN_FILE)))
}

/// Makes the token and the console's password of a data directory where there are none yet.
pub(super) fn ensure_secrets(data_dir: &Path) -> Result<(), Problems> {
    for (file, what) in [(TOKEN_FILE, "token"), (PASSWORD_FILE, "console's password")] {
        let path = data_dir.join(file);
        keyring::ensure(data_dir, &path).map_err(|error| {
            let message =
                format!("the demo {what} cannot be kept there ({error}); set FORECOURT_DATA_DIR to a folder of yours");
            Problems::of(path.display().to_string(), message)
        })?;
    }
    Ok(())
}
