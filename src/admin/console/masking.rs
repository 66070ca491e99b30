//! What of a payload belongs to an identity document, and what is a secret: by names, by what stands beside them, and by what
//! texts hold. It errs towards masking: what is masked is shown to whoever asks for it.

use unicode_normalization::UnicodeNormalization as _;

use super::json::Json;
use crate::feeds::is_identity_key;

/// What documents are called, in letters and digits alone, and as it is misspelled.
const DOCUMENTS: [&str; 3] = ["licens", "licenc", "passport"];
/// What is called like one, and is none.
const PLATES: [&str; 2] = ["licenseplate", "licenceplate"];
/// What their numbers are called, in names of fields.
const NUMBERS: [&str; 14] = [
    "dlnumber",
    "dlno",
    "dlcard",
    "driverid",
    "idnumber",
    "idcard",
    "identification",
    "identitydoc",
    "documentnumber",
    "docnumber",
    "docno",
    "cardnumber",
    "licno",
    "medicare",
];
/// How names end that say what something is.
const TYPES: [&str; 3] = ["type", "kind", "category"];
/// Names of what names something else.
const LABELS: [&str; 10] =
    ["name", "label", "key", "field", "fieldname", "id", "question", "title", "filename", "slug"];
/// Names of what is named so.
const ANSWERS: [&str; 10] =
    ["value", "values", "answer", "answers", "response", "content", "text", "data", "file", "url"];
/// What the names of a document's details hold, where it stands among others.
const DETAILS: [&str; 10] = ["number", "no", "file", "image", "photo", "scan", "expiry", "expires", "issue", "country"];
/// An object of so many fields that says it is a document is nothing else.
const SMALL: usize = 8;

/// What of an object's or a list's entries belongs to documents.
#[derive(Clone, Debug)]
pub(super) struct Documents {
    is_list: bool,
    /// Whether the object says of itself that it is one; and whether it is nothing else.
    is_one: bool,
    is_small: bool,
    /// Of a list, what stands behind the name of one.
    named: Vec<usize>,
}

impl Documents {
    pub(super) fn among(entries: &[(&str, &Json)], is_list: bool) -> Self {
        let named = |(index, (_, value)): (usize, &(&str, &Json))| {
            let is_name = matches!(value, Json::Text(text) if text.len() < 60 && is_document_key(text));
            is_name.then_some(index + 1)
        };
        let named = if is_list { entries.iter().enumerate().filter_map(named).collect() } else { Vec::new() };
        Self { is_list, is_one: !is_list && says_so(entries), is_small: entries.len() <= SMALL, named }
    }

    /// Whether the entry of this place and key does.
    pub(super) fn has(&self, index: usize, key: &str) -> bool {
        if self.is_list {
            return self.named.contains(&index);
        }
        let name = letters(key);
        let is_detail = || self.is_small || DETAILS.iter().any(|word| name.contains(word));
        is_document_key(key) || self.is_one && !is_type(&name) && !LABELS.contains(&name.as_str()) && is_detail()
    }
}

/// Whether an object says of itself that it is a document: `{"type": "passport", ...}`, `{"name": "Licence no.", "value": ...}`.
fn says_so(entries: &[(&str, &Json)]) -> bool {
    let names: Vec<String> = entries.iter().map(|(key, _)| letters(key)).collect();
    let has_answer = names.iter().any(|name| ANSWERS.contains(&name.as_str()));
    names.iter().zip(entries).any(|(name, (_, value))| {
        let is_label = has_answer && LABELS.contains(&name.as_str());
        (is_type(name) || is_label) && names_document(value)
    })
}

fn is_type(name: &str) -> bool {
    TYPES.iter().any(|word| name.ends_with(word))
}

/// Whether a value names a document, itself or one level down.
fn names_document(value: &Json) -> bool {
    let says = |value: &Json| matches!(value, Json::Text(text) if text.len() < 200 && is_document_key(text));
    match value {
        Json::Object(entries) => entries.iter().any(|(_, value)| says(value)),
        Json::List(entries) => entries.iter().any(says),
        Json::Text(_) | Json::Number(_) | Json::Word(_) => says(value),
    }
}

/// Whether a key names an identity document: what is kept apart, and other names for the same.
fn is_document_key(key: &str) -> bool {
    let name = PLATES.iter().fold(letters(key), |name, plate| name.replace(plate, ""));
    is_identity_key(&name) || DOCUMENTS.iter().chain(&NUMBERS).any(|word| name.contains(word))
}

/// A name's letters and digits, in one case and one width.
fn letters(text: &str) -> String {
    let text = text.nfkc().flat_map(char::to_lowercase).filter(|letter| letter.is_alphanumeric());
    text.map(|letter| if letter == 'ı' { 'i' } else { letter }).collect()
}

/// Whether a text holds a document: JSON that does, or the word with something like a number.
pub(super) fn holds_document(text: &str) -> bool {
    let is_json = text.trim_start().starts_with(['{', '[', '"']);
    if is_json && serde_json::from_str(text).is_ok_and(|json: Json| has_document(&json)) {
        return true;
    }
    if !text.split(|letter: char| !letter.is_alphanumeric()).any(is_number) {
        return false;
    }
    let letters = letters(text);
    DOCUMENTS.iter().any(|word| letters.contains(word))
}

fn is_number(word: &str) -> bool {
    word.len() >= 5 && word.chars().filter(char::is_ascii_digit).count() >= 3
}

fn has_document(json: &Json) -> bool {
    let pairs: Vec<(&str, &Json)> = match json {
        Json::Object(entries) => entries.iter().map(|(key, value)| (key.as_str(), value)).collect(),
        Json::List(entries) => entries.iter().map(|value| ("", value)).collect(),
        Json::Text(text) => return holds_document(text),
        Json::Number(_) | Json::Word(_) => return false,
    };
    let documents = Documents::among(&pairs, matches!(json, Json::List(_)));
    pairs.iter().enumerate().any(|(index, (key, value))| documents.has(index, key) || has_document(value))
}

/// Whether a key names what no person has to see, whoever asks.
pub(super) fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let words =
        ["password", "passwd", "secret", "token", "api_key", "apikey", "api-key", "authorization", "private_key"];
    words.iter().any(|word| key.contains(word))
}
