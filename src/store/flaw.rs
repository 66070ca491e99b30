//! What a server can be like that breaks a law, each with its sentence.

/// What of a server breaks a law.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Older than forecourt can use.
    #[error("the server is PostgreSQL {0}: use 14 or newer")]
    TooOld(i32),
    /// It cannot hold what customers are called.
    #[error(
        "the database's encoding is {0}, which cannot hold every name and comment: make one with `create database ... \
         encoding 'UTF8' template template0` and use that"
    )]
    Encoding(String),
    /// A setting that loses what was answered, or hides that it is lost.
    #[error("{setting} is {value}: {why}; set it to {wanted}, or `database.allow_unsafe = true` where that may be")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What comes of it.
        why: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
}

impl Flaw {
    /// A few words, for whoever asks whether the service is ready.
    #[must_use]
    pub fn in_short(&self) -> String {
        match self {
            Self::TooOld(version) => format!("PostgreSQL {version}"),
            Self::Encoding(encoding) => format!("encoding {encoding}"),
            Self::Setting { setting, value, .. } => format!("{setting} = {value}"),
        }
    }
}
