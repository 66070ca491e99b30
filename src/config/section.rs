//! A table of the file, read key by key: what is unknown or of the wrong kind is reported and reading goes on.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::{Report, Span, quoted, suggestion};

/// A value with its place.
pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// A text of the file with its place, without surrounding space; never empty.
pub(super) type Text<'a> = Spanned<&'a str>;

/// A table with the keys that it may have.
pub(super) struct Section<'a> {
    title: String,
    span: Span,
    table: &'a DeTable<'a>,
}

impl<'a> Section<'a> {
    /// Opens a table and reports the keys that are not known in it.
    pub(super) fn open(title: &str, span: Span, table: &'a DeTable<'a>, keys: &[&str], report: &mut Report) -> Self {
        let mut unknown: Vec<Text> = Vec::new();
        for key in table.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref().as_ref();
            if is_secret(name) {
                let message = format!("`{name}`: a secret does not stand in this file; {}", instead_of_secret(keys));
                report.problem(&key.span(), message);
            } else {
                unknown.push(Spanned::new(key.span(), name));
            }
        }
        unknown.sort_by_key(|key| key.span().start);
        report_unknown(title, &unknown, keys, report);
        Self { title: title.to_owned(), span, table }
    }

    /// Opens a value that must be a table.
    pub(super) fn open_value(title: &str, value: &'a Value<'a>, keys: &[&str], report: &mut Report) -> Option<Self> {
        if let DeValue::Table(table) = value.get_ref() {
            return Some(Self::open(title, value.span(), table, keys, report));
        }
        report.problem(&value.span(), format!("{title} is {} here; write a table", kind(value)));
        None
    }

    /// Where the table begins.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The value of a key, of whatever kind.
    pub(super) fn value(&self, key: &str) -> Option<&'a Value<'a>> {
        self.table.get(key)
    }

    /// Whether a key of the table is most likely this one, misspelt.
    pub(super) fn misspells(&self, key: &str) -> bool {
        self.table.keys().any(|other| other.get_ref() != key && !suggestion(other.get_ref(), [key]).is_empty())
    }

    /// The place of a key's value, else of the table.
    pub(super) fn span_of(&self, key: &str) -> Span {
        self.value(key).map_or_else(|| self.span(), Value::span)
    }

    /// A text; `example` shows how the line is written.
    pub(super) fn text(&self, key: &str, example: &str, report: &mut Report) -> Option<Text<'a>> {
        text(self.value(key)?, &format!("`{key}`"), &format!("`{key} = {example}`"), report)
    }

    /// A text that must be there.
    pub(super) fn required_text(&self, key: &str, example: &str, report: &mut Report) -> Option<Text<'a>> {
        if self.value(key).is_none() {
            report.problem(&self.span, format!("{} has no `{key}`; write `{key} = {example}`", self.title));
        }
        self.text(key, example, report)
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &str, report: &mut Report) -> Option<bool> {
        let value = self.value(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        report.problem(&value.span(), format!("`{key}` is {} here; write `true` or `false`", kind(value)));
        None
    }

    /// A time with its offset, as TOML writes it or as a text (RFC 3339).
    pub(super) fn time(&self, key: &str, report: &mut Report) -> Option<DateTime<Utc>> {
        let value = self.value(key)?;
        let text = match value.get_ref() {
            DeValue::Datetime(time) => time.to_string(),
            DeValue::String(text) => text.trim().to_owned(),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Array(_) | DeValue::Table(_) => {
                String::new()
            }
        };
        let time = DateTime::parse_from_rfc3339(&text).ok();
        if time.is_none() {
            let message = format!("`{key}`: write a time with its offset, such as `{key} = 2027-01-31T18:00:00+10:00`");
            report.problem(&value.span(), message);
        }
        time.map(|time| time.to_utc())
    }

    /// A whole number within a range.
    pub(super) fn whole<N: TryFrom<i64>>(
        &self,
        key: &str,
        range: &RangeInclusive<i64>,
        report: &mut Report,
    ) -> Option<N> {
        let value = self.value(key)?;
        let number = whole(value).filter(|number| range.contains(number));
        let number = number.and_then(|number| N::try_from(number).ok());
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            report.problem(&value.span(), format!("`{key}`: write a whole number from {least} to {most}"));
        }
        number
    }

    /// The entries of an array; `example` shows how the line is written.
    pub(super) fn list(&self, key: &str, example: &str, report: &mut Report) -> &'a [Value<'a>] {
        let Some(value) = self.value(key) else { return &[] };
        if let DeValue::Array(entries) = value.get_ref() {
            return entries;
        }
        report.problem(&value.span(), format!("`{key}` is {} here; write a list: `{key} = {example}`", kind(value)));
        &[]
    }

    /// The texts of an array; entries of another kind are reported.
    pub(super) fn texts(&self, key: &str, example: &str, report: &mut Report) -> Vec<Text<'a>> {
        let instead = format!("`{key} = {example}`");
        let entries = self.list(key, example, report);
        entries.iter().filter_map(|entry| text(entry, &format!("an entry of `{key}`"), &instead, report)).collect()
    }
}

/// Reports keys that a table does not have. Where a header is missing or wrong, none of those below it is known: then that
/// is said once. What is only misspelt has its own place.
fn report_unknown(title: &str, unknown: &[Text], keys: &[&str], report: &mut Report) {
    let names: Vec<&str> = unknown.iter().map(|key| *key.get_ref()).collect();
    let known = quoted(keys.iter().copied());
    let homes = report.homes_of(&names);
    if let ([first, _, ..], [_, ..]) = (unknown, homes.as_slice()) {
        let message = format!(
            "unknown keys {} in {title}; all of them belong to {}: is that line missing above them?",
            quoted(names),
            homes.iter().map(|home| format!("`{home}`")).collect::<Vec<_>>().join(" or ")
        );
        report.problem(&first.span(), message);
        return;
    }
    let (misspelt, strange): (Vec<&Text>, Vec<&Text>) =
        unknown.iter().partition(|key| !suggestion(key.get_ref(), keys.iter().copied()).is_empty());
    for key in misspelt {
        let near = suggestion(key.get_ref(), keys.iter().copied());
        report.problem(&key.span(), format!("unknown key `{}` in {title}{near} its keys are {known}", key.get_ref()));
    }
    match strange.as_slice() {
        [] => {}
        [key] => {
            let home = report.homes_of(&[*key.get_ref()]);
            let home = home.first().map_or_else(String::new, |home| format!(" it belongs to `{home}`;"));
            let message = format!("unknown key `{}` in {title};{home} its keys are {known}", key.get_ref());
            report.problem(&key.span(), message);
        }
        [first, ..] => {
            let names = quoted(strange.iter().map(|key| *key.get_ref()));
            report.problem(&first.span(), format!("unknown keys {names} in {title}; its keys are {known}"));
        }
    }
}

/// The tables of an array of tables (`[[key]]`) of the file.
pub(super) fn tables<'a>(root: &Section<'a>, key: &str, report: &mut Report) -> Vec<&'a Value<'a>> {
    let Some(value) = root.value(key) else { return Vec::new() };
    if let DeValue::Array(entries) = value.get_ref() {
        return entries.iter().collect();
    }
    report.problem(&value.span(), format!("`{key}` is {} here; write a table `[[{key}]]` for each", kind(value)));
    Vec::new()
}

/// A value as a text without surrounding space.
pub(super) fn text<'a>(value: &'a Value<'a>, what: &str, instead: &str, report: &mut Report) -> Option<Text<'a>> {
    let DeValue::String(text) = value.get_ref() else {
        report.problem(&value.span(), format!("{what} is {} here; write a text: {instead}", kind(value)));
        return None;
    };
    let text = text.trim();
    if text.is_empty() {
        report.problem(&value.span(), format!("{what} is empty; write {instead}, or leave it out"));
        return None;
    }
    if text.contains(char::is_control) {
        report.problem(&value.span(), format!("{what} holds a control character; write {instead}"));
        return None;
    }
    Some(Spanned::new(value.span(), text))
}

/// A value as a whole number.
pub(super) fn whole(value: &Value<'_>) -> Option<i64> {
    let DeValue::Integer(integer) = value.get_ref() else { return None };
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// What a value is, with its article.
pub(super) fn kind(value: &Value<'_>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn is_secret(key: &str) -> bool {
    ["secret", "password", "passwd", "token", "key", "api_key"].contains(&key.to_lowercase().as_str())
}

fn instead_of_secret(keys: &[&str]) -> &'static str {
    if keys.contains(&"secret_env") {
        "name an environment variable (`secret_env = \"NAME\"`) or a file (`secret_file = \"path\"`) that holds it"
    } else if keys.contains(&"password_env") {
        "name an environment variable (`password_env = \"NAME\"`) or a file (`password_file = \"path\"`) that holds it"
    } else if keys.contains(&"url_env") {
        "put the whole address into an environment variable (`url_env = \"NAME\"`) or a file (`url_file = \"path\"`)"
    } else {
        "secrets belong to `[[credentials]]`, which name an environment variable or a file"
    }
}
