//! E-mail addresses, by which persons are told apart.

use std::borrow::Cow;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization as _;

use super::text::{is_format, visible};

/// An e-mail address in the form in which it is matched: lower case, composed (NFC), the domain in ASCII, without
/// surrounding space and invisible characters.
///
/// ```
/// use forecourt::domain::values::Email;
///
/// let email = Email::parse(" Jo.Citizen@BÜCHER.example ");
/// assert_eq!(email.as_ref().map(Email::as_str), Some("jo.citizen@xn--bcher-kva.example"));
/// assert_eq!(Email::parse("jo@localhost"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

/// The longest address that can be delivered to (RFC 5321 §4.5.3.1.3, less the angle brackets), in bytes.
const LONGEST: usize = 254;
/// The longest local part (RFC 5321 §4.5.3.1.1), in bytes.
const LONGEST_LOCAL_PART: usize = 64;

impl Email {
    /// Reads an RFC 5321 or RFC 6531 address whose domain is a host name of at least two labels.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(is_unseen);
        let text = if text.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(visible(text.chars())) };
        let (local, domain) = text.rsplit_once('@')?;
        let (local, domain) = (local_part(local)?, host_name(domain)?);
        let is_short = local.len() <= LONGEST_LOCAL_PART && local.len() + 1 + domain.len() <= LONGEST;
        is_short.then(|| Self(format!("{local}@{domain}")))
    }

    /// The address that a row holds, in the form that it was matched by when it was written.
    #[must_use]
    pub fn stored(text: &str) -> Option<Self> {
        (!text.trim().is_empty()).then(|| Self(text.to_owned()))
    }

    /// The address in the form in which it is matched.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether nothing is seen of it at the end of an address: white space, control and format characters, and those that
/// only change or stand in for another (Unicode's `Default_Ignorable_Code_Point`, and the blank of Braille).
fn is_unseen(c: char) -> bool {
    let stands_in = matches!(c, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}');
    c.is_whitespace() || c.is_control() || is_format(c) || stands_in
}

/// The local part in lower case; without quotes where it needs none, which is the same mailbox (RFC 5321 §4.1.2).
fn local_part(text: &str) -> Option<String> {
    let text = lower(text);
    let Some(quoted) = text.strip_prefix('"').map(|rest| rest.strip_suffix('"')) else {
        return is_dot_string(&text).then(|| text.into_owned());
    };
    let content = unquoted(quoted?)?;
    if is_dot_string(&content) {
        return Some(content);
    }
    Some(format!("\"{}\"", content.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// In lower case and composed.
fn lower(text: &str) -> Cow<'_, str> {
    if !text.is_ascii() {
        Cow::Owned(text.to_lowercase().nfc().collect())
    } else if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether it is atoms with dots between them, of ASCII signs as RFC 5321 §4.1.2 has them and anything else that is seen.
fn is_dot_string(text: &str) -> bool {
    let in_atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_beyond_ascii(c);
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(in_atom))
}

/// What RFC 6531 adds to atoms and quoted strings.
fn is_beyond_ascii(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace() && !c.is_control()
}

/// What stands between the quotes, with each quoted pair as the character it stands for.
fn unquoted(quoted: &str) -> Option<String> {
    let mut content = String::new();
    let mut characters = quoted.chars();
    while let Some(c) = characters.next() {
        content.push(match c {
            '\\' => characters.next().filter(|next| matches!(next, ' '..='~'))?,
            '"' => return None,
            ' '..='~' => c,
            c if is_beyond_ascii(c) => c,
            _ => return None,
        });
    }
    Some(content)
}

/// The domain in its ASCII form: a host name of at least two labels, of which the last is not a number.
fn host_name(domain: &str) -> Option<Cow<'_, str>> {
    let checks = (AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify);
    let ascii = Uts46::new().to_ascii(domain.as_bytes(), checks.0, checks.1, checks.2).ok()?;
    let (_, top) = ascii.rsplit_once('.')?;
    (!top.bytes().all(|byte| byte.is_ascii_digit())).then_some(ascii)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_matched_in_lower_case_without_surrounding_space() {
        for (sent, matched) in [
            ("johnsmith@email.com", "johnsmith@email.com"),
            ("  John.Smith@Email.COM ", "john.smith@email.com"),
            ("o'brien+cars@mail.example.com.au", "o'brien+cars@mail.example.com.au"),
            ("\"John Smith\"@example.com", "\"john smith\"@example.com"),
            ("用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v"),
            ("JOSÉ@MÜNCHEN.DE", "josé@xn--mnchen-3ya.de"),
            ("JOSE\u{301}@mu\u{308}nchen.de", "josé@xn--mnchen-3ya.de"),
            ("विद्या@example.com", "विद्या@example.com"),
            ("สวัสดี@ตัวอย่าง.ไทย", "สวัสดี@xn--72c1a1bt4awk9o.xn--o3cw4h"),
            ("မင်္ဂလာပါ@example.com", "မင်္ဂလာပါ@example.com"),
            ("İREM@example.com", "i\u{307}rem@example.com"),
            ("john@straße.de", "john@xn--strae-oqa.de"),
            ("john@ＥＸＡＭＰＬＥ．com", "john@example.com"),
            ("john@example。com", "john@example.com"),
            ("\u{200b}john\u{ad}@exam\u{200e}ple.com\u{feff}", "john@example.com"),
            ("john@example.com\u{fe0f}\u{a0}", "john@example.com"),
            ("क\u{94d}\u{200d}ष@example.com", "क\u{94d}\u{200d}ष@example.com"),
            ("\"john\"@example.com", "john@example.com"),
            ("\"j\\ohn\\@home\"@example.com", "\"john@home\"@example.com"),
            ("\"a\\\"b\\\\c\"@example.com", "\"a\\\"b\\\\c\"@example.com"),
            ("a@r3---sn-4g5e.example.com", "a@r3---sn-4g5e.example.com"),
            ("a@xn--mnchen-3ya.de", "a@xn--mnchen-3ya.de"),
            ("a@4wd.com.au", "a@4wd.com.au"),
        ] {
            assert_eq!(Email::parse(sent).as_ref().map(Email::as_str), Some(matched), "{sent}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        let many_bytes = format!("{}@example.com", "क".repeat(22));
        let longer = format!("a@{}.com", ["b".repeat(60).as_str(); 5].join("."));
        for sent in [
            "",
            " ",
            "john",
            "john@",
            "@example.com",
            "john@example",
            "john@localhost",
            "john@@example.com",
            "john@example..com",
            ".john@example.com",
            "john.@example.com",
            "john smith@example.com",
            "John Smith <john@example.com>",
            "<john@example.com>",
            "john@[127.0.0.1]",
            "john@127.0.0.1",
            "john@exa_mple.com",
            "john@exa!mple.com",
            "john@-example.com",
            "john@example.com.",
            "john@exam ple.com",
            "john@example.com, jane@example.com",
            "mailto:john@example.com",
            "john＠example.com",
            "jo\u{a0}hn@example.com",
            "jo\u{85}hn@example.com",
            "\"john@example.com",
            "\"jo\"hn\"@example.com",
            "\"jo\thn\"@example.com",
            "\"john\\\"@example.com",
            "john@xn--.com",
            "john@xn--0000000000000.com",
            "john@\u{301}a.com",
            "john@example.123",
            "john@example.１２３",
            &many_bytes,
            &long,
            &longer,
        ] {
            assert_eq!(Email::parse(sent), None, "{sent}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}|[ -~]{0,30}") {
            let _ = Email::parse(&text);
        }

        #[test]
        fn reading_an_address_again_changes_nothing(text in "(\\PC|[A-Zİ\u{300}-\u{345}Σς\u{200b}-\u{200f}]){0,12}@(\\PC|[A-Z-]){0,12}\\.[a-zA-Z]{2,5}|\"\\PC{0,12}\"@a\\.bc") {
            if let Some(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Some(email));
            }
        }
    }
}
