//! The customer of a LeadPro lead: names, e-mail address, phone, postcode.
//!
//! The page's `address` is one line without city or country and belongs to the property, so it makes no postal address of
//! the person; it stays with the lead.

use crate::domain::facts::{LeadColumns, PersonColumns, PropertyColumns, ProspectFacts};
use crate::domain::values;
use crate::feeds::lenient::{EmailAddress, JsonBuilder, Position};

use super::limits::{LimitedText, Phone};

/// The fields of a lead about the customer.
pub(super) struct Customer<'a> {
    pub(super) email: EmailAddress<'a>,
    pub(super) title: LimitedText<'a, 1, 10>,
    pub(super) full_name: LimitedText<'a, 1, 100>,
    pub(super) first_name: LimitedText<'a, 1, 50>,
    pub(super) last_name: LimitedText<'a, 1, 50>,
    pub(super) phone: Phone<'a, 255>,
}

impl Customer<'_> {
    /// What is known of the person, who has the property of the enquiry, and the contact columns of the lead.
    pub(super) fn facts(
        self,
        property: &PropertyColumns,
        at: &Position<'_>,
        columns: &mut LeadColumns,
    ) -> ProspectFacts {
        let Self { email, title, full_name, first_name, last_name, phone } = self;
        let (contact_email, email) = email.read(at, "email");
        let title = title.read(at, "title");
        let full_name = full_name.read(at, "full_name");
        let names = Names { first: first_name.read(at, "first_name"), last: last_name.read(at, "last_name") };
        let Names { first, last } = names.filled(title.as_deref(), full_name.as_deref());
        let phone = phone.read(at, "phone");
        let is_mobile = phone.as_ref().is_some_and(values::Phone::is_mobile);
        let phone = phone.map(values::Phone::into_text);
        let postcode = property.postcode.clone();

        columns.contact_email = contact_email;
        columns.contact_title.clone_from(&title);
        columns.contact_first_name.clone_from(&first);
        columns.contact_last_name.clone_from(&last);
        columns.contact_full_name = full_name;
        columns.contact_phone.clone_from(&phone);
        columns.contact_postcode.clone_from(&postcode);
        columns.contact_address = JsonBuilder::default()
            .text("address", property.address.as_deref())
            .text("postcode", postcode.as_deref())
            .into_json();
        let (mobile_phone, home_phone) = if is_mobile { (phone, None) } else { (None, phone) };
        let person = PersonColumns {
            title,
            first_name: first,
            last_name: last,
            mobile_phone,
            home_phone,
            postcode,
            ..PersonColumns::default()
        };
        ProspectFacts { email, person, ..ProspectFacts::default() }
    }
}

/// First and last name, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Names {
    first: Option<String>,
    last: Option<String>,
}

impl Names {
    /// Fills what is absent from the name in one text, whose title is left out. What is known of the two is taken off its
    /// end; of the rest the last word is the last name, and a single word the first name.
    fn filled(self, title: Option<&str>, full: Option<&str>) -> Self {
        let words: Vec<&str> = full.unwrap_or_default().split_whitespace().collect();
        let words = match (title, words.as_slice()) {
            (Some(title), [first, rest @ ..]) if !rest.is_empty() && is_same(title, first) => rest,
            (_, words) => words,
        };
        match self {
            Self { first: Some(first), last: None } => {
                let last = joined(after(words, &first));
                Self { first: Some(first), last }
            }
            Self { first: None, last: Some(last) } => Self { first: joined(before(words, &last)), last: Some(last) },
            Self { first: None, last: None } => {
                let (first, last) = words.split_at(words.len().saturating_sub(1).max(1).min(words.len()));
                Self { first: joined(first), last: joined(last) }
            }
            whole @ Self { first: Some(_), last: Some(_) } => whole,
        }
    }
}

/// The words behind this first name; the last word where the name begins otherwise.
fn after<'w>(words: &'w [&'w str], first: &str) -> &'w [&'w str] {
    let known: Vec<&str> = first.split_whitespace().collect();
    match words.split_at_checked(known.len()) {
        Some((begin, rest)) if are_same(begin, &known) => rest,
        Some(_) | None => words.get(words.len().max(2) - 1..).unwrap_or_default(),
    }
}

/// The words before this last name; all but the last word where the name ends otherwise.
fn before<'w>(words: &'w [&'w str], last: &str) -> &'w [&'w str] {
    let known: Vec<&str> = last.split_whitespace().collect();
    match words.split_at_checked(words.len().saturating_sub(known.len())) {
        Some((rest, end)) if are_same(end, &known) => rest,
        Some(_) | None => words.split_last().map(|(_, rest)| rest).unwrap_or_default(),
    }
}

fn joined(words: &[&str]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(" "))
}

/// Whether two words are the same but for case and a full stop behind them.
fn is_same(one: &str, other: &str) -> bool {
    let plain = |word: &str| word.trim_end_matches('.').to_lowercase();
    plain(one) == plain(other)
}

fn are_same(some: &[&str], others: &[&str]) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(one, other)| is_same(one, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_one_text_fills_what_is_absent_of_the_two() {
        for (title, first, last, full, expected) in [
            (None, None, None, Some("Ann Bell"), (Some("Ann"), Some("Bell"))),
            (None, None, None, Some("  Ann   Mary Bell "), (Some("Ann Mary"), Some("Bell"))),
            (None, None, None, Some("Ann"), (Some("Ann"), None)),
            (None, None, None, None, (None, None)),
            (Some("Mr"), None, None, Some("Mr. Bob Bell"), (Some("Bob"), Some("Bell"))),
            (Some("Sir"), None, None, Some("Sir"), (Some("Sir"), None)),
            (Some("Dr"), None, None, Some("dr Bell"), (Some("Bell"), None)),
            (None, Some("Ann"), Some("Bell"), Some("Somebody Else"), (Some("Ann"), Some("Bell"))),
            (None, Some("Ann"), None, Some("Ann van der Berg"), (Some("Ann"), Some("van der Berg"))),
            (None, Some("Annie"), None, Some("Ann Bell"), (Some("Annie"), Some("Bell"))),
            (None, Some("Ann"), None, Some("Ann"), (Some("Ann"), None)),
            (None, Some("Annie"), None, Some("Ann"), (Some("Annie"), None)),
            (None, None, Some("van der Berg"), Some("Ann Van Der Berg"), (Some("Ann"), Some("van der Berg"))),
            (None, None, Some("Bell"), Some("Ann Ball"), (Some("Ann"), Some("Bell"))),
            (None, None, Some("Bell"), Some("Bell"), (None, Some("Bell"))),
            (None, None, Some("Bell"), None, (None, Some("Bell"))),
        ] {
            let owned = |name: Option<&str>| name.map(str::to_owned);
            let names = Names { first: owned(first), last: owned(last) }.filled(title, full);
            let expected = Names { first: owned(expected.0), last: owned(expected.1) };
            assert_eq!(names, expected, "{title:?} {first:?} {last:?} {full:?}");
        }
    }
}
