//! Numbers and truth values that arrive as text.

use rust_decimal::Decimal;

/// What may stand before an amount; longer words first.
const SIGNS: [&str; 8] = ["AUD", "NZD", "AU$", "NZ$", "A$", "$", "£", "€"];

/// Reads a number, or an amount of money like `$60,000`; thousands may be set apart by commas, in threes.
///
/// The result has no trailing zeros, so that equal numbers are written alike. `None` for what is no number, and for
/// what has more than the 28 digits that can be kept exactly.
#[must_use]
pub fn decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let amount = SIGNS.iter().find_map(|sign| strip_sign(text, sign)).unwrap_or(text);
    let number = plain(amount)?.normalize();
    if negative { Some((Decimal::ZERO - number).normalize()) } else { Some(number) }
}

/// Reads `true`, `1`, `yes` and their opposites, without regard to case.
#[must_use]
pub fn truth(text: &str) -> Option<bool> {
    let text = text.trim();
    let is_one_of = |words: [&str; 5]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(["true", "1", "yes", "y", "t"]) {
        Some(true)
    } else if is_one_of(["false", "0", "no", "n", "f"]) {
        Some(false)
    } else {
        None
    }
}

/// The rest of the text after a currency sign, without regard to case.
fn strip_sign<'a>(text: &'a str, sign: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(sign.len())?;
    head.eq_ignore_ascii_case(sign).then(|| rest.trim_start())
}

/// Reads digits with an optional fraction or exponent, and with commas between groups of three.
fn plain(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = text.find(['e', 'E']).and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let in_threes = groups.all(|group| group.len() == 3 && all_digits(group));
    let grouped = !whole.contains(',') || (1..=3).contains(&first.len());
    if whole.len() + fraction.len() == 0 || !(grouped && in_threes && all_digits(first) && all_digits(fraction)) {
        return None;
    }
    format!("0{}.{fraction}0{exponent}", whole.replace(',', "")).parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_and_amounts_of_money_are_read() {
        for (sent, read) in [
            ("60000", "60000"),
            ("$60,000", "60000"),
            (" $ 60,000.50 ", "60000.5"),
            ("A$1,234,567.89", "1234567.89"),
            ("AUD 299", "299"),
            ("aud299", "299"),
            ("£5", "5"),
            ("€5.10", "5.1"),
            ("-12.50", "-12.5"),
            ("-$5", "-5"),
            ("+5", "5"),
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("$0", "0"),
            ("39500.0", "39500"),
            ("0046.90", "46.9"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e3", "1000"),
            ("1.5E+2", "150"),
            ("1e-7", "0.0000001"),
            ("1.2e16", "12000000000000000"),
            ("149.1226898", "149.1226898"),
            ("79228162514264337593543950335", "79228162514264337593543950335"),
        ] {
            assert_eq!(decimal(sent).map(|number| number.to_string()).as_deref(), Some(read), "{sent}");
        }
    }

    #[test]
    fn what_is_no_number_is_not_read() {
        for sent in [
            "",
            " ",
            "$",
            ".",
            "-",
            "e5",
            "abc",
            "12abc",
            "1,23",
            "1,2345",
            "1234,567",
            ",123",
            "1.2.3",
            "1.234,5",
            "--5",
            "5-",
            "1e",
            "1e400",
            "1_000",
            "NaN",
            "inf",
            "0x10",
            "15 000",
            "79228162514264337593543950336",
            "٣",
            "$$5",
        ] {
            assert_eq!(decimal(sent), None, "{sent}");
        }
    }

    #[test]
    fn truth_values_are_read_without_regard_to_case() {
        for sent in ["true", "True", " TRUE ", "1", "yes", "Y", "t"] {
            assert_eq!(truth(sent), Some(true), "{sent}");
        }
        for sent in ["false", "FALSE", "0", "no", "N", "f"] {
            assert_eq!(truth(sent), Some(false), "{sent}");
        }
        for sent in ["", "2", "on", "maybe", "ja"] {
            assert_eq!(truth(sent), None, "{sent}");
        }
    }

    proptest! {
        #[test]
        fn a_number_written_out_is_the_same_number(cents in any::<i64>()) {
            let number = Decimal::new(cents, 2);
            prop_assert_eq!(decimal(&number.to_string()), Some(number));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-+$ ,.0-9eE]{0,40}|\\PC{0,20}") {
            let _ = decimal(&text);
        }
    }
}
