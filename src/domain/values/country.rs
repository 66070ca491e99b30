//! Countries by name or code.

use std::collections::HashMap;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;

use super::text::{matched, trimmed};

/// A country, as ISO 3166-1 alpha-2.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(&'static str);

/// The standard's codes and names, and the names in common use.
const TABLE: &str = include_str!("countries.txt");

impl Country {
    /// Reads a full English name or an ISO code of two or three letters; `uk` is GB.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let code = trimmed(text).to_ascii_uppercase();
        BY_CODE.get(code.as_str()).or_else(|| BY_NAME.get(&fold(text))).copied().map(Self)
    }

    /// The two-letter code.
    #[must_use]
    pub fn code(&self) -> &str {
        self.0
    }

    /// Whether it is Australia, whose states and postcodes are known here.
    #[must_use]
    pub fn is_australia(&self) -> bool {
        self.0 == "AU"
    }
}

static BY_CODE: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let codes = |(alpha2, alpha3, _): Row| [(alpha2, alpha2), (alpha3, alpha2)];
    rows().flat_map(codes).chain([("UK", "GB")]).collect()
});

static BY_NAME: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    rows().flat_map(|(alpha2, _, names)| names.split('|').map(move |name| (fold(name), alpha2))).collect()
});

type Row = (&'static str, &'static str, &'static str);

fn rows() -> impl Iterator<Item = Row> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (alpha2, rest) = line.split_once('|')?;
        let (alpha3, names) = rest.split_once('|')?;
        Some((alpha2, alpha3, names))
    })
}

/// The form in which names are compared: without case, accents, punctuation and articles, `St` written out.
fn fold(name: &str) -> String {
    let mut sql_param = String::with_capacity(name.len());
    for c in matched(name).nfc().flat_map(char::to_lowercase) {
        match c {
            '.' | '\'' => {}
            '&' => sql_param.push_str(" and "),
            'à'..='å' => sql_param.push('a'),
            'ç' => sql_param.push('c'),
            'è'..='ë' => sql_param.push('e'),
            'ì'..='ï' => sql_param.push('i'),
            'ñ' => sql_param.push('n'),
            'ò'..='ö' => sql_param.push('o'),
            'ù'..='ü' => sql_param.push('u'),
            c if c.is_alphanumeric() => sql_param.push(c),
            _ => sql_param.push(' '),
        }
    }
    let words = sql_param
        .split_whitespace()
        .filter(|word| *word != "the")
        .map(|word| if word == "st" { "saint" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_codes_become_the_two_letter_code() {
        for (sent, code) in [
            ("Australia", "AU"),
            (" australia ", "AU"),
            ("AUSTRALIA", "AU"),
            ("au", "AU"),
            ("AUS", "AU"),
            ("us", "US"),
            ("USA", "US"),
            ("U.S.A.", "US"),
            ("United States", "US"),
            ("United States of America", "US"),
            ("The United States of America", "US"),
            ("fr", "FR"),
            ("France", "FR"),
            ("de", "DE"),
            ("Germany", "DE"),
            ("uk", "GB"),
            ("UK", "GB"),
            ("U.K.", "GB"),
            ("gb", "GB"),
            ("United Kingdom", "GB"),
            ("Great Britain", "GB"),
            ("United Kingdom of Great Britain and Northern Ireland (the)", "GB"),
            ("England", "GB"),
            ("ca", "CA"),
            ("Canada", "CA"),
            ("New Zealand", "NZ"),
            ("Viet Nam", "VN"),
            ("Vietnam", "VN"),
            ("South Korea", "KR"),
            ("Korea (the Republic of)", "KR"),
            ("Korea (the Democratic People's Republic of)", "KP"),
            ("Côte d’Ivoire", "CI"),
            ("Cote d'Ivoire", "CI"),
            ("Türkiye", "TR"),
            ("Tu\u{308}rkiye\u{200b}", "TR"),
            ("Co\u{302}te d\u{2bc}Ivoire", "CI"),
            ("\u{feff}AU\u{200e}", "AU"),
            ("New\u{a0}Zea\u{ad}land", "NZ"),
            ("TURKIYE", "TR"),
            ("Turkey", "TR"),
            ("Åland Islands", "AX"),
            ("Curaçao", "CW"),
            ("St. Lucia", "LC"),
            ("Trinidad & Tobago", "TT"),
            ("São Tomé and Príncipe", "ST"),
            ("st", "ST"),
            ("Congo (the Democratic Republic of the)", "CD"),
            ("Congo (the)", "CG"),
            ("Iran (Islamic Republic of)", "IR"),
            ("Czech Republic", "CZ"),
            ("Hong Kong", "HK"),
            ("Netherlands (Kingdom of the)", "NL"),
            ("Timor-Leste", "TL"),
        ] {
            assert_eq!(Country::parse(sent).as_ref().map(Country::code), Some(code), "{sent}");
        }
    }

    #[test]
    fn other_words_are_no_country() {
        for sent in ["", " ", "zz", "xx", "Atlantis", "NSW", "Queensland", "the", "1", "Aus tralia"] {
            assert_eq!(Country::parse(sent), None, "{sent}");
        }
    }

    #[test]
    fn the_table_holds_the_whole_standard_and_no_name_twice() {
        let mut seen = BTreeSet::new();
        let mut count = 0;
        for (alpha2, alpha3, names) in rows() {
            assert!(alpha2.len() == 2 && alpha3.len() == 3 && !names.is_empty(), "{alpha2}");
            count += 1;
            let folded: BTreeSet<String> = names.split('|').map(fold).collect();
            for word in folded.into_iter().chain([alpha2.to_owned(), alpha3.to_owned()]) {
                assert!(seen.insert(word.clone()), "{word} stands for two countries");
            }
        }
        assert_eq!(count, 249);
    }
}
