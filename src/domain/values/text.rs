//! Text as the world writes it: invisible characters, and the signs that stand for ASCII ones.
//!
//! Three readings, from the least to the most that is changed: [`trimmed`] for free text, [`matched`] for what is
//! looked up or compared (ids, plates, names of plans, packages and locations), [`sql_param`] for numbers, dates and
//! times. Text that is plain ASCII already, which is nearly all of it, costs a look and no copy.

use std::borrow::Cow;

/// The characters of the Unicode category Cf, by their first and last (Unicode 17).
const FORMAT: [(char, char); 21] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{2064}'),
    ('\u{2066}', '\u{206f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0001}', '\u{e0001}'),
    ('\u{e0020}', '\u{e007f}'),
];

/// Whether it is a format character (category Cf): it has no shape of its own.
#[must_use]
pub fn is_format(c: char) -> bool {
    let place = FORMAT.partition_point(|(_, last)| *last < c);
    !c.is_ascii() && FORMAT.get(place).is_some_and(|(first, _)| *first <= c)
}

/// Whether nothing is seen of it: white space or a format character.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || is_format(c)
}

/// The text without white space and format characters at both ends.
#[must_use]
pub fn trimmed(text: &str) -> &str {
    if let ([first, ..], [.., last]) = (text.as_bytes(), text.as_bytes())
        && first.is_ascii_graphic()
        && last.is_ascii_graphic()
    {
        return text;
    }
    text.trim_matches(is_blank)
}

/// The form in which ids, plates and names are stored and compared: [`trimmed`], with dashes, apostrophes, digits of
/// full width and white space in their ASCII form, and without format characters inside.
///
/// The two joiners stay between characters that are not ASCII: there they belong to the spelling of words, as in Hindi
/// and Persian.
#[must_use]
pub fn matched(text: &str) -> Cow<'_, str> {
    let text = trimmed(text);
    if text.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(visible(text.chars().map(ascii_sign))) }
}

/// The form in which numbers, dates and times are read: [`trimmed`], without any format character, and with every sign
/// of full width in its ASCII form, beside what [`matched`] replaces.
#[must_use]
pub fn sql_param(text: &str) -> Cow<'_, str> {
    let text = trimmed(text);
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| !is_format(*c)).map(full_width).map(ascii_sign).collect())
}

/// The characters without format characters, but for joiners between characters that are not ASCII.
pub(super) fn visible(characters: impl Iterator<Item = char>) -> String {
    let is_letter = |c: char| !c.is_ascii() && !is_blank(c);
    let mut text = String::new();
    let mut characters = characters.peekable();
    while let Some(c) = characters.next() {
        let is_joiner = matches!(c, '\u{200c}' | '\u{200d}') && text.chars().next_back().is_some_and(is_letter);
        if !is_format(c) || (is_joiner && characters.peek().copied().is_some_and(is_letter)) {
            text.push(c);
        }
    }
    text
}

/// Dashes, apostrophes, digits of full width and white space in their ASCII form; any other character as it is.
fn ascii_sign(c: char) -> char {
    match c {
        '\u{58a}'
        | '\u{5be}'
        | '\u{1806}'
        | '\u{2010}'..='\u{2015}'
        | '\u{2043}'
        | '\u{2212}'
        | '\u{2e3a}'
        | '\u{2e3b}'
        | '\u{fe31}'
        | '\u{fe32}'
        | '\u{fe58}'
        | '\u{fe63}'
        | '\u{ff0d}' => '-',
        '\u{b4}' | '\u{2b9}' | '\u{2bb}' | '\u{2bc}' | '\u{55a}' | '\u{2018}' | '\u{2019}' | '\u{201b}'
        | '\u{2032}' | '\u{ff07}' => '\'',
        '０'..='９' => full_width(c),
        c if !c.is_ascii() && c.is_whitespace() => ' ',
        c => c,
    }
}

/// The ASCII character, pound or yen that is written in the width of an ideograph; any other character as it is.
fn full_width(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{ffe1}' => '£',
        '\u{ffe5}' => '¥',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn format_characters_are_those_of_the_standard() {
        for c in ['\u{ad}', '\u{200b}', '\u{200e}', '\u{202c}', '\u{2060}', '\u{2069}', '\u{feff}', '\u{e0041}'] {
            assert!(is_format(c), "{c:?}");
        }
        for c in ['a', ' ', '\u{0}', '\u{a0}', '\u{2009}', '\u{2010}', '\u{206f}', '\u{300}', '\u{fe0f}', '用'] {
            assert_eq!(is_format(c), c == '\u{206f}', "{c:?}");
        }
        assert!(FORMAT.windows(2).all(|pair| pair[0].1 < pair[1].0), "the table is in order");
    }

    #[test]
    fn free_text_changes_at_its_ends_alone() {
        for (sent, stored) in [
            ("\u{200b} Ann\u{feff}\u{a0}", "Ann"),
            ("\u{202a}O’Brien — home\u{202c}", "O’Brien — home"),
            ("a\u{200b}b", "a\u{200b}b"),
            ("\u{3000}\u{2060}", ""),
            ("\u{1}a", "\u{1}a"),
            ("", ""),
        ] {
            assert_eq!(trimmed(sent), stored, "{sent:?}");
        }
    }

    #[test]
    fn names_and_ids_are_compared_in_ascii_signs() {
        for (sent, stored) in [
            ("Premium", "Premium"),
            ("\u{feff}Premium\u{200b}", "Premium"),
            ("Pre\u{ad}mium", "Premium"),
            ("O’Brien’s ʼnʼ", "O'Brien's 'n'"),
            ("A–B—C−D‑E", "A-B-C-D-E"),
            ("１２３ abc", "123 abc"),
            ("Dealer\u{a0}A\u{2009}B\u{3000}C", "Dealer A B C"),
            ("Dealer  A", "Dealer  A"),
            ("क\u{94d}\u{200d}ष", "क\u{94d}\u{200d}ष"),
            ("a\u{200d}b", "ab"),
            ("é\u{200d}\u{200b}é", "éé"),
            ("Ｐremium", "Ｐremium"),
            ("Café", "Café"),
        ] {
            assert_eq!(matched(sent), stored, "{sent:?}");
        }
    }

    #[test]
    fn numbers_and_dates_are_read_in_plain_signs() {
        for (sent, read) in [
            ("\u{200e}01\u{200e}/\u{200e}04\u{200e}/\u{200e}2000", "01/04/2000"),
            ("２０００－０４－０１", "2000-04-01"),
            ("＄６０，０００．５０", "$60,000.50"),
            ("60\u{202f}000", "60 000"),
            ("−5", "-5"),
            ("￡5", "£5"),
        ] {
            assert_eq!(sql_param(sent), read, "{sent:?}");
        }
    }

    proptest! {
        #[test]
        fn reading_again_changes_nothing(text in "(\\PC|[a-z ０-９\u{200b}-\u{200f}\u{2060}\u{ad}\u{2019}\u{2013}\u{a0}]){0,20}") {
            prop_assert_eq!(trimmed(trimmed(&text)), trimmed(&text));
            for read in [matched, sql_param] {
                let once = read(&text).into_owned();
                prop_assert_eq!(&*read(&once), &once);
            }
        }
    }
}
