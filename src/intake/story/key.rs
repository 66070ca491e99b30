//! What somebody looks for: a kind with a key, or a text out of one search field.

use std::str::FromStr as _;

use uuid::Uuid;

use super::types::Kind;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The kinds of things that it may be.
    kinds: Vec<Kind>,
    /// The text, without white space around it.
    text: String,
}

/// The longest text that is looked for, in bytes: no key is longer.
const LONGEST: usize = 320;

impl Key {
    /// A thing of this kind. Of a delivery the id must be a UUID. `None` for a text that no key can be.
    #[must_use]
    pub fn of(kind: Kind, text: &str) -> Option<Self> {
        let text = usable(text)?;
        let fits = match kind {
            Kind::Delivery => Uuid::from_str(text).is_ok(),
            Kind::Lead | Kind::Person | Kind::Vehicle | Kind::Cluster => true,
        };
        fits.then(|| Self { kinds: vec![kind], text: text.to_owned() })
    }

    /// The kind that stands before the key, as in `lead 1759346`; else whatever a text may name: a UUID a delivery, what has
    /// an `@` a person, everything else a lead, a cluster, a vehicle, or a person by phone number. `None` for a text that no
    /// key can be.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = usable(text)?;
        if let Some((kind, key)) = text.split_once(' ').and_then(|(word, key)| Some((Kind::named(word)?, key))) {
            return Self::of(kind, key);
        }
        let text = text.strip_prefix('#').unwrap_or(text);
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let kinds = if Uuid::from_str(text).is_ok() {
            // A GUID is an identifier of vehicles, too.
            vec![Kind::Delivery, Kind::Vehicle]
        } else if text.contains('@') {
            vec![Kind::Person]
        } else if digits >= 6 {
            vec![Kind::Lead, Kind::Cluster, Kind::Vehicle, Kind::Person]
        } else {
            vec![Kind::Lead, Kind::Cluster, Kind::Vehicle]
        };
        Some(Self { kinds, text: text.to_owned() })
    }

    /// The kinds of things that it may be.
    #[must_use]
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The id, where it is that of a delivery.
    pub(super) fn uuid(&self) -> Option<Uuid> {
        Uuid::from_str(&self.text).ok()
    }
}

fn usable(text: &str) -> Option<&str> {
    let text = within_brackets(text.trim());
    (!text.is_empty() && text.len() <= LONGEST && !text.contains(char::is_control)).then_some(text)
}

/// The address of `Ada <ada@example.com>`, as mail programs copy it; any other text as it is.
fn within_brackets(text: &str) -> &str {
    let inside = text.strip_suffix('>').and_then(|text| text.rsplit_once('<')).map(|(_, inside)| inside.trim());
    inside.filter(|inside| inside.contains('@')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_copied_with_its_surroundings_is_found() {
        for text in ["ada@example.com", " <ada@example.com>", "Ada <ada@example.com>", "\"A <B>\" < ada@example.com >"]
        {
            assert_eq!(Key::parse(text), Key::of(Kind::Person, "ada@example.com"), "{text}");
        }
        assert_eq!(Key::parse("lead 1759346"), Key::of(Kind::Lead, "1759346"));
        assert_eq!(Key::parse("#1759346"), Key::parse("1759346"));
        for text in ["<STK-1>", "a > b", "a@b>", ">"] {
            assert_eq!(Key::parse(text).unwrap().text(), text);
        }
    }
}
