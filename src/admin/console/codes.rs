//! What the codes of findings mean, for a person.

use crate::domain::finding::Code;

/// What a code means, and what to do about it; nothing where this version does not have it.
pub(super) fn explained(code: &str) -> (&'static str, &'static str) {
    Code::named(code).map_or(("", ""), |code| (code.meaning(), code.remedy()))
}

/// What is wrong in a few words: the code's own, with spaces.
pub(super) fn in_words(code: &str) -> String {
    code.replace('_', " ")
}
