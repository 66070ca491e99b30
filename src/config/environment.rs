//! The process's environment as a value, so that a test can pass its own.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::text::without_mark;

/// Where environment variables are looked up.
#[derive(Clone)]
pub struct Environment(Source);

#[derive(Clone)]
enum Source {
    Process,
    Field(BTreeMap<String, OsString>),
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self(Source::Process)
    }

    /// An environment that holds these variables and no others.
    pub fn of<K: Into<String>, V: Into<OsString>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(Source::Field(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect()))
    }

    /// The value of a variable, byte for byte.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<OsString> {
        match &self.0 {
            Source::Process => process_variable(name),
            Source::Field(variables) => variables.get(name).cloned(),
        }
    }

    /// The value of a variable that is a setting. An empty one counts as unset, because that is how compose files
    /// pass on what nobody has set; what is not UTF-8 is replaced by U+FFFD, and a byte order mark before it is skipped.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<String> {
        let value = without_mark(&self.raw(name)?.to_string_lossy()).trim().to_owned();
        (!value.is_empty()).then_some(value)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the process's environment is read")]
fn process_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_an_unset_setting() {
        let environment = Environment::of([("EMPTY", ""), ("SPACED", " 127.0.0.1:80\n"), ("MARKED", "\u{feff}x")]);
        assert_eq!(environment.setting("EMPTY"), None);
        assert_eq!(environment.setting("ABSENT"), None);
        assert_eq!(environment.setting("SPACED").as_deref(), Some("127.0.0.1:80"));
        assert_eq!(environment.setting("MARKED").as_deref(), Some("x"));
        assert_eq!(environment.raw("EMPTY"), Some(OsString::new()));
    }
}
