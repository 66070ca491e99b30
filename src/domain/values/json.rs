//! JSON that the rules only carry.

/// A JSON text, kept as it is: the rules only carry it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Json(String);

impl Json {
    /// Takes a text that is JSON already.
    #[must_use]
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
