//! Numbers and truth values that arrive as text.

use rust_decimal::Decimal;

use super::text;

/// The codes of currencies, funds and precious metals (ISO 4217), with spaces between them.
const CODES: &str = "\
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD \
    CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL \
    GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD \
    KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO \
    NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD \
    SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV \
    WST XAF XAG XAU XCD XCG XDR XOF XPD XPF XPT XSU XUA YER ZAR ZMW ZWG";

/// The signs of currencies, with the letters that tell whose dollar it is.
const SIGNS: [&str; 28] = [
    "AU$", "CA$", "HK$", "NZ$", "SG$", "US$", "A$", "C$", "R$", "S$", "$", "£", "€", "¥", "₹", "₩", "₱", "฿", "₫", "₪",
    "₺", "₽", "₴", "₦", "₨", "₡", "₲", "₸",
];

/// The names of currencies in words.
const NAMES: [&str; 6] = ["dollars", "dollar", "pounds", "pound", "euros", "euro"];

/// Reads a number, or an amount of money like `$60,000`, `60 000 AUD` or `-$500`. Thousands may be set apart by commas,
/// spaces or apostrophes, in threes. A currency may stand before or after, as its code, its sign or both; a minus or a
/// plus before or behind it; brackets around an amount make it negative, as in accounts.
///
/// The point is the decimal point and the comma never one, so that no amount is read as a thousandth or a thousandfold
/// of what it is. The result has no trailing zeros, so that equal numbers are written alike. `None` for what is no
/// number, and for what has more than the 28 digits that can be kept exactly.
#[must_use]
pub fn decimal(text: &str) -> Option<Decimal> {
    let text = text::sql_param(text);
    if (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<i64>().ok().map(Decimal::from);
    }
    let mut amount = Amount { rest: &text, negative: None, code: false, sign: false };
    let is_bare = text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(|c: char| c.is_ascii_digit());
    while !is_bare && amount.unwrap()? {}
    let number = sql_param(amount.rest)?.normalize();
    Some(if amount.negative == Some(true) { (Decimal::ZERO - number).normalize() } else { number })
}

/// A text on its way to a bare number: what was taken off its ends.
struct Amount<'a> {
    rest: &'a str,
    /// Whether a minus or brackets stood there, or a plus; neither may stand there twice.
    negative: Option<bool>,
    /// Whether a currency was named by its code or in words.
    code: bool,
    /// Whether a currency was named by its sign.
    sign: bool,
}

impl Amount<'_> {
    /// Takes one thing off an end; `None` where it must not stand there a second time, and `false` where there is none.
    fn unwrap(&mut self) -> Option<bool> {
        self.rest = self.rest.trim();
        let (rest, seen) = if let Some(rest) = without_code(self.rest).or_else(|| without_name(self.rest)) {
            (rest, &mut self.code)
        } else if let Some(rest) = SIGNS.iter().find_map(|sign| without(self.rest, sign)) {
            (rest, &mut self.sign)
        } else {
            return self.unwrap_minus();
        };
        self.rest = rest;
        (!std::mem::replace(seen, true)).then_some(true)
    }

    /// Takes a minus, a plus or brackets off.
    fn unwrap_minus(&mut self) -> Option<bool> {
        let text = self.rest;
        let bracketed = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
        let (rest, negative) = if let Some(rest) = text.strip_prefix('-').or(bracketed) {
            (rest, true)
        } else if let Some(rest) = text.strip_prefix('+') {
            (rest, false)
        } else {
            return Some(false);
        };
        self.rest = rest;
        self.negative.replace(negative).is_none().then_some(true)
    }
}

/// The rest of the text without a currency's code at one of its ends, where no letter stands beside that.
fn without_code(text: &str) -> Option<&str> {
    let is_code = |word: &str| {
        let is_word = word.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_word && CODES.split(' ').any(|known| known.eq_ignore_ascii_case(word))
    };
    let front = text.split_at_checked(3).filter(|(word, rest)| is_code(word) && !rest.starts_with(char::is_alphabetic));
    let back = || {
        let (rest, word) = text.split_at_checked(text.len().checked_sub(3)?)?;
        (is_code(word) && !rest.ends_with(char::is_alphabetic)).then_some(rest)
    };
    front.map(|(_, rest)| rest).or_else(back)
}

/// The rest of the text without a currency's name at its end.
fn without_name(text: &str) -> Option<&str> {
    NAMES.iter().find_map(|name| {
        let (rest, word) = text.split_at_checked(text.len().checked_sub(name.len())?)?;
        word.eq_ignore_ascii_case(name).then_some(rest)
    })
}

/// The rest of the text without a currency's sign at one of its ends, without regard to case.
fn without<'a>(text: &'a str, sign: &str) -> Option<&'a str> {
    let front = text.split_at_checked(sign.len()).filter(|(head, _)| head.eq_ignore_ascii_case(sign));
    let back = || {
        let (rest, tail) = text.split_at_checked(text.len().checked_sub(sign.len())?)?;
        tail.eq_ignore_ascii_case(sign).then_some(rest)
    };
    front.map(|(_, rest)| rest).or_else(back)
}

/// Reads `true`, `1`, `yes` and their opposites, without regard to case.
#[must_use]
pub fn truth(text: &str) -> Option<bool> {
    let text = text::sql_param(text);
    let is_one_of = |words: [&str; 5]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(["true", "1", "yes", "y", "t"]) {
        Some(true)
    } else if is_one_of(["false", "0", "no", "n", "f"]) {
        Some(false)
    } else {
        None
    }
}

/// Reads digits with an optional fraction or exponent, and with commas, spaces or apostrophes between groups of three.
fn sql_param(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = text.find(['e', 'E']).and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let separator = whole.chars().find(|c| [',', ' ', '\''].contains(c)).unwrap_or(',');
    let mut groups = whole.split(separator);
    let first = groups.next().unwrap_or_default();
    let in_threes = groups.all(|group| group.len() == 3 && all_digits(group));
    let grouped = !whole.contains(separator) || (1..=3).contains(&first.len());
    if whole.len() + fraction.len() == 0 || !(grouped && in_threes && all_digits(first) && all_digits(fraction)) {
        return None;
    }
    format!("0{}.{fraction}0{exponent}", whole.replace(separator, "")).parse().ok()
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
            ("$-500", "-500"),
            ("$ - 500", "-500"),
            ("AUD -500", "-500"),
            ("-AUD 500", "-500"),
            ("−$500", "-500"),
            ("($500)", "-500"),
            ("$(500)", "-500"),
            ("(500.50) AUD", "-500.5"),
            ("+$5", "5"),
            ("AUD $60,000", "60000"),
            ("AUD$60,000", "60000"),
            ("60,000 AUD", "60000"),
            ("$60,000 AUD", "60000"),
            ("60,000AUD", "60000"),
            ("60,000.00 aud", "60000"),
            ("EUR 5e2", "500"),
            ("5EUR", "5"),
            ("US$5", "5"),
            ("au$5", "5"),
            ("5 €", "5"),
            ("¥5,000", "5000"),
            ("60,000 dollars", "60000"),
            ("$\u{a0}60,000", "60000"),
            ("60\u{a0}000", "60000"),
            ("60\u{202f}000.50", "60000.5"),
            ("15 000", "15000"),
            ("60'000", "60000"),
            ("1’234’567", "1234567"),
            ("＄６０，０００．５０", "60000.5"),
            ("\u{200e}$60,000\u{200b}", "60000"),
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
            "15 00",
            "1 5000",
            "1,234 567",
            "1.234,56",
            "60.000,00",
            "60000,00",
            "12,34,567",
            "60k",
            "AUDIT 5",
            "5 DAUD",
            "AUD 5 AUD",
            "AUD EUR 5",
            "$5$",
            "--$5",
            "-($5)",
            "(-5)",
            "((5))",
            "(5",
            "()",
            "$()",
            "AUD",
            "A 5",
            "5 kg",
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
        fn what_is_read_reads_back_as_itself(text in "[-+$ ,.0-9eE]{0,40}|\\PC{0,20}|[(-]{0,2}(AUD|A\\$|\\$)? ?[-−]?[0-9 ,'’.\u{a0}０-９]{0,12}(AUD|€| dollars)?\\)?") {
            if let Some(number) = decimal(&text) {
                prop_assert_eq!(decimal(&number.to_string()), Some(number));
            }
        }
    }
}
