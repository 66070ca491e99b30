//! A body as the payload that it is: its fields in their order, folded, with what was found beside the fields that it speaks
//! of. What belongs to an identity document is masked until it is asked for, and secrets always are.
//!
//! The tree becomes a list of [`Token`]s, which a template shows one after the other, and is bounded by their number.

use std::collections::BTreeMap;

use super::json::Json;
use super::masking::{self, Documents};

/// So many fields are shown of a body.
const MOST_TOKENS: usize = 5_000;
/// So many characters are shown of a text.
const MOST_CHARACTERS: usize = 4_000;
/// Objects and lists down to this level are open.
const OPEN_LEVELS: usize = 1;

/// What is shown for a value that is masked.
const MASK: &str = "••••••";

/// Something that was found at a place of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// Its number among those of the delivery, from 1.
    pub(super) number: usize,
    /// Its code.
    pub(super) code: String,
    /// Where in the payload; empty for the whole.
    pub(super) path: String,
    /// Why, in a line.
    pub(super) message: String,
}

/// How a payload is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct View<'v> {
    /// Whether identity documents are shown.
    pub(super) shows_documents: bool,
    /// What is searched for in keys and values that are shown; nothing where it is empty.
    pub(super) find: &'v str,
}

/// A piece of a payload on its way into a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// An object or a list begins.
    Open {
        /// The field's name or its number in the list; empty for the whole.
        key: String,
        /// How many entries it has, in words.
        entries: String,
        /// Whether it is open.
        is_open: bool,
        /// Whether its key holds what is searched for.
        is_match: bool,
        /// What was found about it.
        notes: Vec<Note>,
    },
    /// The newest one that began ends.
    Close,
    /// A field with a value.
    Leaf {
        /// The field's name or its number in the list.
        key: String,
        /// The value, as it is shown.
        value: String,
        /// What kind of value it is: `text`, `number`, `word` or `masked`.
        kind: &'static str,
        /// Whether key or value hold what is searched for.
        is_match: bool,
        /// What was found about it.
        notes: Vec<Note>,
    },
}

/// A payload that is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// Its pieces.
    pub(super) tokens: Vec<Token>,
    /// Whether there is more of it.
    pub(super) has_more: bool,
    /// How many values are masked that belong to identity documents.
    pub(super) masked: usize,
    /// How many fields hold what is searched for.
    pub(super) matches: usize,
}

/// A body as it is shown; none where it is not JSON.
pub(super) fn shown(body: &[u8], notes: &[Note], view: &View<'_>) -> Option<Shown> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let json: Json = serde_json::from_slice(body).ok()?;
    let mut notes_of: BTreeMap<String, Vec<Note>> = BTreeMap::new();
    for note in notes.iter().filter(|note| !note.path.is_empty()) {
        notes_of.entry(place(&json, &note.path)).or_default().push(note.clone());
    }
    let find = view.find.trim().to_lowercase();
    let mut writer = Writer { view, find, notes: notes_of, shown: Shown::default() };
    writer.write(Field { key: "", path: "", level: 0, is_masked: false, is_secret: false }, &json);
    Some(writer.shown)
}

/// A field on its way into the page.
#[derive(Clone, Copy)]
struct Field<'f> {
    key: &'f str,
    path: &'f str,
    level: usize,
    is_masked: bool,
    is_secret: bool,
}

struct Writer<'v> {
    view: &'v View<'v>,
    find: String,
    notes: BTreeMap<String, Vec<Note>>,
    shown: Shown,
}

impl Writer<'_> {
    fn write(&mut self, field: Field<'_>, json: &Json) {
        if self.shown.tokens.len() >= MOST_TOKENS {
            self.shown.has_more = true;
            return;
        }
        match json {
            Json::Object(entries) => {
                let entries = entries.iter().map(|(key, value)| (key.as_str(), value));
                self.branch(field, entries.collect(), false);
            }
            Json::List(entries) => {
                let keys: Vec<String> = (0..entries.len().min(MOST_TOKENS)).map(|index| format!("[{index}]")).collect();
                self.branch(field, keys.iter().map(String::as_str).zip(entries).collect(), true);
            }
            Json::Text(text) => {
                let field = Field { is_masked: field.is_masked || masking::holds_document(text), ..field };
                self.leaf(field, cut(text), "text");
            }
            Json::Number(number) => self.leaf(field, number.clone(), "number"),
            Json::Word(word) => self.leaf(field, (*word).to_owned(), "word"),
        }
    }

    fn branch(&mut self, field: Field<'_>, entries: Vec<(&str, &Json)>, is_list: bool) {
        let at = self.shown.tokens.len();
        let (one, many) = if is_list { ("entry", "entries") } else { ("field", "fields") };
        let count = entries.len();
        let documents = Documents::among(&entries, is_list);
        let is_match = self.counts(self.holds(field.key));
        let notes = self.notes.remove(field.path).unwrap_or_default();
        let entries_in_words = format!("{count} {}", if count == 1 { one } else { many });
        let key = field.key.to_owned();
        self.shown.tokens.push(Token::Open { key, entries: entries_in_words, is_open: false, is_match, notes });
        let matches = self.shown.matches;
        for (index, (key, value)) in entries.into_iter().enumerate() {
            let path = joined(field.path, key, is_list);
            let is_masked = field.is_masked || documents.has(index, key);
            let is_secret = field.is_secret || !is_list && masking::is_secret_key(key);
            self.write(Field { key, path: &path, level: field.level + 1, is_masked, is_secret }, value);
        }
        let is_found = self.shown.matches > matches;
        let has_notes = self.shown.tokens.iter().skip(at).any(Token::has_notes);
        let opens = if self.find.is_empty() { field.level <= OPEN_LEVELS || has_notes } else { is_found };
        if let Some(Token::Open { is_open, .. }) = self.shown.tokens.get_mut(at) {
            *is_open = opens || field.level == 0;
        }
        self.shown.tokens.push(Token::Close);
    }

    fn leaf(&mut self, field: Field<'_>, value: String, kind: &'static str) {
        let is_hidden = field.is_secret || field.is_masked && !self.view.shows_documents;
        self.shown.masked += usize::from(is_hidden && !field.is_secret);
        let (value, kind) = if is_hidden { (MASK.to_owned(), "masked") } else { (value, kind) };
        // What is masked cannot be found out by searching for it.
        let is_match = self.counts(self.holds(field.key) || !is_hidden && self.holds(&value));
        let notes = self.notes.remove(field.path).unwrap_or_default();
        self.shown.tokens.push(Token::Leaf { key: field.key.to_owned(), value, kind, is_match, notes });
    }

    fn holds(&self, text: &str) -> bool {
        !self.find.is_empty() && text.to_lowercase().contains(&self.find)
    }

    fn counts(&mut self, is_match: bool) -> bool {
        self.shown.matches += usize::from(is_match);
        is_match
    }
}

impl Token {
    fn has_notes(&self) -> bool {
        match self {
            Self::Open { notes, .. } | Self::Leaf { notes, .. } => !notes.is_empty(),
            Self::Close => false,
        }
    }
}

fn joined(path: &str, key: &str, is_list: bool) -> String {
    if is_list || path.is_empty() { format!("{path}{key}") } else { format!("{path}.{key}") }
}

/// The path of the field that a finding is shown at: its own, else the nearest above it that was sent.
fn place(json: &Json, path: &str) -> String {
    let (mut here, mut known, mut rest) = (json, String::new(), path);
    while !rest.is_empty() {
        let next = match here {
            Json::Object(entries) => {
                let rest = rest.strip_prefix('.').unwrap_or(rest);
                // Names may hold what stands between names: the longest that fits is meant.
                let fits = entries.iter().filter(|(key, _)| {
                    rest.strip_prefix(key.as_str()).is_some_and(|left| left.is_empty() || left.starts_with(['.', '[']))
                });
                fits.max_by_key(|(key, _)| key.len()).map(|(key, value)| (key.clone(), value, false, rest))
            }
            Json::List(entries) => {
                let number = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(number, _)| number);
                let index = number.and_then(|number| number.parse::<usize>().ok());
                index.and_then(|index| Some((format!("[{index}]"), entries.get(index)?, true, rest)))
            }
            Json::Text(_) | Json::Number(_) | Json::Word(_) => None,
        };
        let Some((key, value, is_list, of)) = next else { break };
        known = joined(&known, &key, is_list);
        rest = of.get(key.len()..).unwrap_or_default();
        here = value;
    }
    known
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}… ({} characters)", text.get(..end).unwrap_or_default(), text.chars().count()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(number: usize, path: &str) -> Note {
        Note { number, code: "field_type".to_owned(), path: path.to_owned(), message: String::new() }
    }

    /// A line for each token: what is open, the value, and the numbers of the notes.
    fn lines(body: &str, notes: &[Note], view: &View<'_>) -> Vec<String> {
        let numbers =
            |notes: &[Note]| notes.iter().map(|note| format!(" #{}", note.number)).collect::<Vec<_>>().concat();
        let tokens = shown(body.as_bytes(), notes, view).unwrap().tokens;
        let line = |token| match token {
            Token::Open { key, is_open, notes, is_match, .. } => {
                format!(
                    "{key}{}{}{}",
                    if is_open { "{" } else { "(" },
                    if is_match { "!" } else { "" },
                    numbers(&notes)
                )
            }
            Token::Close => "}".to_owned(),
            Token::Leaf { key, value, notes, is_match, .. } => {
                format!("{key}={value}{}{}", if is_match { "!" } else { "" }, numbers(&notes))
            }
        };
        tokens.into_iter().map(line).collect()
    }

    #[test]
    fn fields_stand_in_their_order_and_are_folded_below_the_second_level() {
        let body = r#"{"z":1,"a":{"deep":{"deeper":true}},"list":["x",{"y":null}]}"#;
        let expected =
            ["{", "z=1", "a{", "deep(", "deeper=true", "}", "}", "list{", "[0]=x", "[1](", "y=null", "}", "}", "}"];
        assert_eq!(lines(body, &[], &View::default()), expected);
        assert_eq!(lines("\u{feff}[1.5]", &[], &View::default()), ["{", "[0]=1.5", "}"]);
        assert_eq!(shown(b"{not json", &[], &View::default()), None);
    }

    #[test]
    fn a_finding_stands_at_its_field_else_at_the_nearest_above_it() {
        let body = r#"{"leads":[{"item":{}},{"item":{"vin":"X"}}],"a.b":{"c":1}}"#;
        let notes = [
            note(1, "leads[1].item.vin"),
            note(2, "leads[0].item.vin"),
            note(3, "leads[7].item.vin"),
            note(4, "prospect.email"),
            note(5, "a.b.c"),
            note(6, ""),
        ];
        let expected = [
            "{ #4",
            "leads{ #3",
            "[0]{",
            "item{ #2",
            "}",
            "}",
            "[1]{",
            "item{",
            "vin=X #1",
            "}",
            "}",
            "}",
            "a.b{",
            "c=1 #5",
            "}",
            "}",
        ];
        assert_eq!(lines(body, &notes, &View::default()), expected);
    }

    #[test]
    fn identity_documents_are_masked_until_they_are_asked_for_and_secrets_always() {
        let body = r#"{"license_number":"N-1","drivers_licence":{"photo":"P-2"},"api_key":"K-3","Access Token":["T-4"],"name":"Jo"}"#;
        let masked = shown(body.as_bytes(), &[], &View::default()).unwrap();
        let text = format!("{:?}", masked.tokens);
        assert!(["N-1", "P-2", "K-3", "T-4"].iter().all(|secret| !text.contains(secret)), "{text}");
        assert!(text.contains("Jo"));
        assert_eq!(masked.masked, 2);
        let view = View { shows_documents: true, find: "" };
        let open = format!("{:?}", shown(body.as_bytes(), &[], &view).unwrap().tokens);
        assert!(["N-1", "P-2"].iter().all(|document| open.contains(document)), "{open}");
        assert!(["K-3", "T-4"].iter().all(|secret| !open.contains(secret)), "{open}");
    }

    /// Whether `N-12345` is masked in a body.
    fn is_masked(body: &str) -> bool {
        let shown = shown(body.as_bytes(), &[], &View::default()).unwrap();
        let is_shown = format!("{:?}", shown.tokens).contains("N-12345");
        assert_eq!(is_shown, shown.masked == 0, "{body} {shown:?}");
        !is_shown
    }

    #[test]
    fn documents_under_other_names_beside_their_names_and_within_texts_are_masked_too() {
        for body in [
            r#"{"dl_number":"N-12345"}"#,
            r#"{"DL No.":"N-12345"}"#,
            r#"{"pass_port_number":"N-12345"}"#,
            r#"{"ｌicence_number":"N-12345"}"#,
            r#"{"lıcence_number":"N-12345"}"#,
            r#"{"li\u00adcence":"N-12345"}"#,
            r#"{"document_number":"N-12345"}"#,
            r#"{"licence_template":"N-12345"}"#,
            r#"{"identification":{"country":"N-12345"}}"#,
            r#"{"documents":[{"type":"passport","number":"N-12345"}]}"#,
            r#"{"identification_type":"drivers-license","number":"N-12345"}"#,
            r#"{"idType":["passport"],"number":"N-12345"}"#,
            r#"{"type":{"name":"passport"},"number":"N-12345"}"#,
            r#"{"category":"passport","file":"N-12345"}"#,
            r#"{"type":"passport","a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"number":"N-12345"}"#,
            r#"{"name":"Driver licence","value":"N-12345"}"#,
            r#"{"question":"What is your driver's licence number?","answer":"N-12345"}"#,
            r#"{"filename":"passport.jpg","content":"N-12345"}"#,
            r#"["passport_number","N-12345"]"#,
            r#"{"details":"{\"passport_number\":\"N-12345\"}"}"#,
            r#"{"details":"[{\"more\":\"{\\\"licence\\\":\\\"N-12345\\\"}\"}]"}"#,
            r#"{"details":"{\"type\":\"passport\",\"number\":\"N-12345\"}"}"#,
            r#"{"comments":"Enquiry: {\"license_number\": \"N-12345\", cut off"}"#,
            r#"{"website":"https://example.com/?passport_number=N-12345"}"#,
        ] {
            assert!(is_masked(body), "{body}");
        }
        for body in [
            r#"{"type":"car","number":"N-12345"}"#,
            r#"{"comments":"{not json N-12345"}"#,
            r#"{"comments":"Do I need a licence?","number":"N-12345"}"#,
            r#"{"item":{"name":"Honda Passport","vin":"N-12345"}}"#,
            r#"{"item":{"license_plate":"N-12345","identifier":7}}"#,
        ] {
            assert!(!is_masked(body), "{body}");
        }
    }

    #[test]
    fn what_is_searched_for_is_open_and_nothing_else_is_and_what_is_masked_is_not_found() {
        let body = r#"{"a":{"b":{"c":"Needle"}},"d":{"e":1},"license_number":"needle"}"#;
        let view = View { shows_documents: false, find: " NEEDLE " };
        let expected = ["{", "a{", "b{", "c=Needle!", "}", "}", "d(", "e=1", "}", "license_number=••••••", "}"];
        assert_eq!(lines(body, &[], &view), expected);
        assert_eq!(shown(body.as_bytes(), &[], &view).unwrap().matches, 1);
        let of_key = View { find: "licen", ..view };
        assert_eq!(shown(body.as_bytes(), &[], &of_key).unwrap().matches, 1, "a key may be searched for");
    }

    #[test]
    fn a_large_body_is_shown_in_part() {
        let body = format!("[{}]", vec!["0"; 100_000].join(","));
        let shown = shown(body.as_bytes(), &[], &View::default()).unwrap();
        assert!(shown.has_more && shown.tokens.len() <= MOST_TOKENS + 1);
        let opened = shown.tokens.iter().filter(|token| matches!(token, Token::Open { .. })).count();
        let closed = shown.tokens.iter().filter(|token| matches!(token, Token::Close)).count();
        assert_eq!(opened, closed);
    }
}
