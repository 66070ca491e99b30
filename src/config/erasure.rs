//! `[erasure]`: by which key it is known again what was erased.

use std::path::Path;

use secrecy::SecretString;

use super::environment::Environment;
use super::oauth;
use super::report::Report;
use super::section::Section;

/// How erasures are known again.
#[derive(Clone, Debug, Default)]
pub struct Erasure {
    /// The key; without one, a key is made and kept in the data directory.
    pub key: Option<SecretString>,
}

pub(super) const KEYS: &[&str] = &["key_env", "key_file"];

/// Reads `[erasure]`, which may be absent; `base` is the folder that relative paths start from.
pub(super) fn read(root: &Section, base: &Path, environment: &Environment, report: &mut Report) -> Erasure {
    let section = root.value("erasure").and_then(|value| Section::open_value("[erasure]", value, KEYS, report));
    let key = section.as_ref().and_then(|section| {
        oauth::key(section, ("key", "ERASURE_KEY", "/run/secrets/erasure_key"), base, environment, report)
    });
    Erasure { key }
}
