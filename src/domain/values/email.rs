//! E-mail addresses, by which persons are told apart.

use email_address::{EmailAddress, Options};

/// An e-mail address in the form in which it is matched: no surrounding space, lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

/// The longest address that can be delivered to (RFC 5321 §4.5.3.1.3, less the angle brackets), in bytes.
const LONGEST: usize = 254;

impl Email {
    /// Reads an RFC 5321 address, ASCII or internationalised, whose domain has at least two labels.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
        let address = EmailAddress::parse_with_options(&text, options).ok()?;
        (text.len() <= LONGEST && is_host_name(address.domain())).then_some(Self(text))
    }

    /// The address in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether the labels hold only what host names do, and the last is not a number: the parser lets every atom through.
fn is_host_name(domain: &str) -> bool {
    let in_label = |c: char| c.is_alphanumeric() || c == '-' || !c.is_ascii();
    let top = domain.rsplit('.').next().unwrap_or_default();
    domain.split('.').all(|label| label.chars().all(in_label)) && !top.chars().all(|c| c.is_ascii_digit())
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
            ("用户@例子.广告", "用户@例子.广告"),
            ("JOSÉ@MÜNCHEN.DE", "josé@münchen.de"),
            ("a@xn--mnchen-3ya.de", "a@xn--mnchen-3ya.de"),
            ("a@4wd.com.au", "a@4wd.com.au"),
        ] {
            assert_eq!(Email::parse(sent).as_ref().map(Email::as_str), Some(matched), "{sent}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
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
            "john@example.com\u{200b}",
            &long,
            &longer,
        ] {
            assert_eq!(Email::parse(sent), None, "{sent}");
        }
    }

    proptest! {
        #[test]
        fn reading_an_address_again_changes_nothing(text in "\\PC{0,20}@\\PC{0,20}\\.[a-zA-Z]{2,5}") {
            if let Some(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Some(email));
            }
        }
    }
}
