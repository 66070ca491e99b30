//! Secrets: read from an environment variable or a file, never from the configuration's own text.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use thiserror::Error;

use super::environment::Environment;
use super::text::{NotText, text};

/// Where a secret stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// In the environment variable of that name.
    Variable(String),
    /// In that file, newlines at its end and a byte order mark at its start excepted.
    File(PathBuf),
}

/// Why a secret could not be read. Never repeats any of it.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The variable is not there.
    #[error("the environment variable `{0}` is not set; set it, or name another one")]
    Unset(String),
    /// The file is not there.
    #[error("the secret file `{0}` does not exist; make it, or name another one")]
    NoFile(PathBuf),
    /// The file is there and cannot be read.
    #[error("the secret file `{0}` cannot be read ({1}); let the user that runs forecourt read it")]
    Unreadable(PathBuf, io::ErrorKind),
    /// There is nothing in it.
    #[error("{0} is empty; put the secret into it")]
    Empty(String),
    /// It is not UTF-8.
    #[error("{0} {1}; write the secret into it as a text in UTF-8")]
    NotText(String, NotText),
}

impl SecretSource {
    /// The variable of that name.
    #[must_use]
    pub fn variable(name: &str) -> Self {
        Self::Variable(name.to_owned())
    }

    /// Reads the secret. Newlines at its end are not part of it, nor is a byte order mark at its start: editors and `echo`
    /// leave them there, and a variable is often filled from a file.
    ///
    /// # Errors
    ///
    /// When it is absent, unreadable, empty or not UTF-8.
    pub fn read(&self, environment: &Environment) -> Result<SecretString, SecretError> {
        let bytes = match self {
            Self::Variable(name) => {
                let value = environment.raw(name).ok_or_else(|| SecretError::Unset(name.clone()))?;
                value.into_encoded_bytes()
            }
            Self::File(path) => std::fs::read(path).map_err(|error| {
                let absent = error.kind() == io::ErrorKind::NotFound;
                if absent {
                    SecretError::NoFile(path.clone())
                } else {
                    SecretError::Unreadable(path.clone(), error.kind())
                }
            })?,
        };
        let text = text(bytes).map_err(|reason| SecretError::NotText(self.to_string(), reason))?;
        let secret = text.trim_end_matches(['\n', '\r']);
        if secret.trim().is_empty() {
            return Err(SecretError::Empty(self.to_string()));
        }
        Ok(SecretString::from(secret))
    }

    /// What is wrong with the rights of a secret file: others than its owner may read it.
    #[must_use]
    pub fn exposed(&self) -> Option<String> {
        let Self::File(path) = self else { return None };
        let mode = std::fs::metadata(path).ok()?.permissions().mode();
        (mode & 0o044 != 0).then(|| {
            let path = path.display();
            format!("other users of this machine may read the secret file `{path}`; `chmod 600 {path}` ends that")
        })
    }

    /// The source that a file's line names; relative paths start from `base`.
    pub(super) fn file(base: &Path, path: &str) -> Self {
        Self::File(base.join(path))
    }
}

impl std::fmt::Display for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "the environment variable `{name}`"),
            Self::File(path) => write!(f, "the secret file `{}`", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn of_variable(value: &str) -> Result<SecretString, SecretError> {
        SecretSource::variable("TOKEN").read(&Environment::of([("TOKEN", value)]))
    }

    #[test]
    fn a_trailing_newline_is_not_part_of_the_secret_and_an_inner_one_is() {
        for (value, expected) in [("abc\n", "abc"), ("abc\r\n", "abc"), ("a\nbc", "a\nbc"), (" abc ", " abc ")] {
            assert_eq!(of_variable(value).unwrap().expose_secret(), expected);
        }
    }

    #[test]
    fn a_byte_order_mark_at_the_start_is_not_part_of_the_secret_wherever_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = Environment::of::<&str, &str>([]);
        for (value, expected) in
            [("\u{feff}abc\r\n", "abc"), ("\u{feff} abc", " abc"), ("ab\u{feff}c\n", "ab\u{feff}c")]
        {
            std::fs::write(folder.path().join("token"), value).unwrap();
            let of_file = SecretSource::file(folder.path(), "token").read(&nowhere).unwrap();
            assert_eq!((of_file.expose_secret(), of_variable(value).unwrap().expose_secret()), (expected, expected));
        }
    }

    #[test]
    fn a_file_in_utf_16_is_told_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for bytes in [&b"\xFF\xFEs\0e\0"[..], b"\xFE\xFF\0s\0e", b"s\0e\0"] {
            std::fs::write(&path, bytes).unwrap();
            let error = SecretSource::File(path.clone()).read(&Environment::of_process()).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "the secret file `{}` is not a text in UTF-8 but one in UTF-16; write the secret into it as a text in \
                     UTF-8",
                    path.display()
                )
            );
        }
    }

    #[test]
    fn an_empty_secret_is_refused() {
        for value in ["", "\n", "  \n", "\u{feff}", "\u{feff}\r\n"] {
            let error = of_variable(value).unwrap_err();
            assert_eq!(error.to_string(), "the environment variable `TOKEN` is empty; put the secret into it");
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "abc\n").unwrap();
        let source = SecretSource::file(folder.path(), "token");
        for (mode, exposed) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(source.exposed().is_some(), exposed, "{mode:o}");
        }
        assert_eq!(source.read(&Environment::of::<&str, &str>([])).unwrap().expose_secret(), "abc");
    }

    #[test]
    fn a_secret_that_is_not_text_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), b"\xffsecret").unwrap();
        let error = SecretSource::file(folder.path(), "token").read(&Environment::of_process()).unwrap_err();
        assert!(
            error.to_string().ends_with("is not a text in UTF-8; write the secret into it as a text in UTF-8"),
            "{error}"
        );
        assert!(!format!("{error:?}").contains("secret\""), "{error:?}");
    }
}
