//! The lenient types, as tables.

use serde_json::json;

use super::*;
use crate::domain::values::{Country, Json, PhoneRegion};
use crate::domain::workspace::Locale;

fn locale() -> Locale {
    Locale {
        received_at: "2026-11-20T00:00:00Z".parse().unwrap(),
        timezone: chrono_tz::Australia::Sydney,
        phone_region: PhoneRegion::parse("AU").unwrap(),
        country: Country::parse("AU").unwrap(),
    }
}

/// Reads a field of a kind.
fn field<K: Kind>(sent: &serde_json::Value) -> (K::Value, Vec<&'static str>) {
    let (diagnostics, locale) = (Diagnostics::default(), locale());
    let root = Position::root(&diagnostics, &locale);
    let text = sent.to_string();
    let field: Field<'_, K> = serde_json::from_str(&text).unwrap();
    let value = field.read(&root, "field");
    (value, diagnostics.into_parts().0.iter().map(|finding| finding.code.name()).collect())
}

#[test]
fn identifiers_are_numbers_or_texts() {
    for (sent, read, codes) in [
        (json!(1_759_346), Some("1759346"), vec![]),
        (json!("1759346"), Some("1759346"), vec![]),
        (json!(" 007 "), Some("007"), vec![]),
        (json!(1_759_346.0), Some("1759346"), vec![]),
        (json!(-5), Some("-5"), vec![]),
        (json!(0), Some("0"), vec![]),
        (json!(-0.0), Some("0"), vec![]),
        (json!(u64::MAX), Some("18446744073709551615"), vec![]),
        (json!(i64::MIN), Some("-9223372036854775808"), vec![]),
        (json!(9_007_199_254_740_992.0), Some("9007199254740992"), vec![]),
        (json!(9_007_199_254_740_994.0), None, vec!["field_type"]),
        (json!(1e30), None, vec!["field_type"]),
        (json!(1.5), None, vec!["field_type"]),
        (json!(true), None, vec!["field_type"]),
        (json!([1]), None, vec!["field_type"]),
        (json!({}), None, vec!["field_type"]),
        (json!("\u{0}1\u{0}"), Some("1"), vec!["nul_removed"]),
        (json!("\u{0}"), None, vec!["nul_removed"]),
        (json!(" "), None, vec![]),
        (json!(null), None, vec![]),
        (json!("é".repeat(255)), Some("é".repeat(255).as_str()), vec![]),
        (json!("é".repeat(256)), None, vec!["field_type"]),
    ] {
        let (value, found) = field::<kind::Id>(&sent);
        assert_eq!((value.as_deref(), found), (read, codes), "{sent}");
    }
}

#[test]
fn whole_numbers_fit_a_bigint() {
    for (sent, read, codes) in [
        (json!(2018), Some(2018), vec![]),
        (json!("2018"), Some(2018), vec![]),
        (json!(2018.0), Some(2018), vec![]),
        (json!("$60,000"), Some(60_000), vec![]),
        (json!(i64::MAX), Some(i64::MAX), vec![]),
        (json!(u64::MAX), None, vec!["field_type"]),
        (json!(2018.5), None, vec!["field_type"]),
        (json!(1e30), None, vec!["field_type"]),
        (json!("about 2018"), None, vec!["field_type"]),
        (json!(""), None, vec![]),
        (json!(null), None, vec![]),
        (json!(false), None, vec!["field_type"]),
    ] {
        assert_eq!(field::<kind::Whole>(&sent), (read, codes), "{sent}");
    }
}

#[test]
fn truth_may_be_written_in_words_and_digits() {
    for (sent, read, codes) in [
        (json!(true), Some(true), vec![]),
        (json!("TRUE"), Some(true), vec![]),
        (json!("yes"), Some(true), vec![]),
        (json!(1), Some(true), vec![]),
        (json!("0"), Some(false), vec![]),
        (json!("no"), Some(false), vec![]),
        (json!(" "), None, vec![]),
        (json!("perhaps"), None, vec!["field_type"]),
        (json!(2), None, vec!["field_type"]),
        (json!([]), None, vec!["field_type"]),
    ] {
        assert_eq!(field::<kind::Flag>(&sent), (read, codes), "{sent}");
    }
}

#[test]
fn texts_are_trimmed_and_nothing_else() {
    for (sent, read, codes) in [
        (json!(" a  b\n"), Some("a  b"), vec![]),
        (json!("a\u{0}\u{1}b"), Some("a\u{1}b"), vec!["nul_removed"]),
        (json!(" \u{0} "), None, vec!["nul_removed"]),
        (json!(""), None, vec![]),
        (json!(5), None, vec!["field_type"]),
    ] {
        let (value, found) = field::<kind::Text>(&sent);
        assert_eq!((value.as_deref(), found), (read, codes), "{sent}");
    }
}

#[test]
fn the_zero_of_an_australian_postcode_is_put_back() {
    for (sent, in_australia, read) in [
        (json!(800), true, "0800"),
        (json!("800"), true, "800"),
        (json!(800), false, "800"),
        (json!(4009), true, "4009"),
        (json!("0820"), true, "0820"),
    ] {
        let (diagnostics, locale) = (Diagnostics::default(), locale());
        let (text, root) = (sent.to_string(), Position::root(&diagnostics, &locale));
        let postcode: Postcode<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(postcode.read_in(&root, "field", in_australia).as_deref(), Some(read), "{sent}");
    }
}

#[test]
fn kept_json_is_what_jsonb_gives_back() {
    for (sent, kept) in [
        (
            r#"{"a":1e16,"b":-0.0,"c":1e-7,"d":2.50,"e":1.2345678901234567e19}"#,
            r#"{"a":10000000000000000,"b":0.0,"c":1e-7,"d":2.5,"e":12345678901234567000}"#,
        ),
        (r#"{"b":1,"a":{"d":149.1226898,"c":null}}"#, r#"{"a":{"c":null,"d":149.1226898},"b":1}"#),
        (r#"{"a\u0000b":["c\u0000d"],"n":1e300}"#, r#"{"ab":["cd"],"n":1e+300}"#),
        (r#"{ "b" : [ ] , "a" : { } , "b" : [ 1 , {"z":1,"y":2,"z":3} ] }"#, r#"{"a":{},"b":[1,{"y":2,"z":3}]}"#),
        (r#"{"\u0061":"\u00e9\n\"","A":"é"}"#, r#"{"A":"é","a":"é\n\""}"#),
    ] {
        assert_eq!(kept_whole(sent).0.as_deref(), Some(kept));
    }
}

/// What is kept of a text of JSON, and the codes of the findings.
fn kept_whole(sent: &str) -> (Option<String>, Vec<&'static str>) {
    let (diagnostics, locale) = (Diagnostics::default(), locale());
    let root = Position::root(&diagnostics, &locale);
    let value: Kept<AnyValue> = serde_json::from_str(sent).unwrap();
    let json = value.read(&root.field("field"));
    (json.map(|json| json.as_str().to_owned()), codes(diagnostics))
}

fn codes(diagnostics: Diagnostics) -> Vec<&'static str> {
    diagnostics.into_parts().0.iter().map(|finding| finding.code.name()).collect()
}

payload! {
    /// An object with a field of each shape.
    struct ShapesPayload<'a> {
        /// A number.
        "known" => known: Whole<'a>,
        /// A list.
        "list" => list: List<EntryPayload<'a>>,
        /// An object.
        "nested" => nested: Nested<EntryPayload<'a>>,
        /// Anything.
        "free" => free: Kept<AnyValue>,
        /// A field in two spellings.
        "id" => id: Id<'a>,
        /// The other spelling.
        "Id" => capital_id: Id<'a>,
    }
}

payload! {
    /// An entry.
    struct EntryPayload<'a> {
        /// A field that is not read.
        "a" => a: Unread<kind::Anything>,
    }
}

type Shapes = (Option<i64>, Option<usize>, Option<String>, Vec<(String, String)>, Vec<String>);

/// Reads all of a payload: its number, how many entries its list has, its id, what is wrong, and its unknown fields.
fn shapes(body: &str) -> Shapes {
    let (diagnostics, locale) = (Diagnostics::default(), locale());
    let at = &Position::root(&diagnostics, &locale);
    let payload: ShapesPayload<'_> = serde_json::from_str(body).unwrap();
    let ShapesPayload { known, list, nested, free, id, capital_id, unknown } = payload;
    at.note_unknown(&unknown);
    let known = known.read(at, "known");
    let here = at.field("list");
    let entries = list
        .read(&here)
        .map(|entries| entries.map(|(at, EntryPayload { a: _, unknown })| at.note_unknown(&unknown)).count());
    let here = at.field("nested");
    let EntryPayload { a: _, unknown } = nested.read(&here);
    here.note_unknown(&unknown);
    let _ = free.read(&at.field("free"));
    let (name, id) = either(("id", id), ("Id", capital_id));
    let id = id.read(at, name);
    let (findings, unknown) = diagnostics.into_parts();
    let findings =
        findings.into_iter().map(|finding| (finding.code.name().to_owned(), finding.path.unwrap_or_default()));
    (known, entries, id, findings.collect(), unknown.into_iter().collect())
}

#[test]
fn unknown_fields_are_told_by_path_without_positions() {
    let (_, entries, _, findings, unknown) = shapes(
        r#"{"known":1,"new":{"not":"descended"},"list":[{"a":1,"x":1},{"b":2,"x":1},5,null],"free":{"any":1},"n\u0000ul":1}"#,
    );
    assert_eq!(entries, Some(2));
    assert_eq!(unknown, ["list[].b", "list[].x", "new", "nul"]);
    assert_eq!(findings, [("field_type".to_owned(), "list[2]".to_owned())]);
}

#[test]
fn of_a_repeated_name_the_last_counts() {
    let (known, entries, _, findings, _) =
        shapes(r#"{"known":1,"list":5,"known":{},"known":"7","list":[{}],"nested":[]}"#);
    assert_eq!((known, entries), (Some(7), Some(1)));
    assert_eq!(findings, [("field_type".to_owned(), "nested".to_owned())]);
    let (known, entries, ..) = shapes(r#"{"known":1,"list":[{}],"known":null,"list":null}"#);
    assert_eq!((known, entries), (None, None));
}

#[test]
fn of_two_spellings_the_one_that_was_sent_counts() {
    for (body, id) in [
        (r#"{"id":1}"#, Some("1")),
        (r#"{"Id":1}"#, Some("1")),
        (r#"{"id":null,"Id":2}"#, Some("2")),
        (r#"{"id":"","Id":2}"#, None),
        (r#"{"id":1,"Id":2}"#, Some("1")),
        ("{}", None),
    ] {
        let (_, _, read, _, unknown) = shapes(body);
        assert_eq!(read.as_deref(), id, "{body}");
        assert!(unknown.is_empty());
    }
}

#[test]
fn at_most_a_thousand_unknown_fields_are_told() {
    let fields = (0..5_000).map(|number| (format!("field {number} {}", "x".repeat(500)), json!(1)));
    let body = serde_json::Value::from(fields.collect::<serde_json::Map<_, _>>()).to_string();
    let (.., unknown) = shapes(&body);
    assert_eq!(unknown.len(), 1_000);
    assert!(unknown.iter().all(|path| path.chars().count() <= 100));
}

#[test]
fn what_is_kept_whole_has_ten_thousand_values_at_the_most() {
    for (count, fits) in [(10_000, true), (10_001, false)] {
        let expected = if fits { vec![] } else { vec!["field_type"] };
        let list = format!("[{}]", vec!["0"; count].join(","));
        assert_eq!((kept_whole(&list).0.is_some(), kept_whole(&list).1), (fits, expected.clone()), "{count}");
        let object = format!("{{\"list\":[{}]}}", vec!["0"; count - 1].join(","));
        assert_eq!((kept_whole(&object).0.is_some(), kept_whole(&object).1), (fits, expected.clone()), "{count}");
        let (diagnostics, locale) = (Diagnostics::default(), locale());
        let root = Position::root(&diagnostics, &locale);
        let halves: KeptInHalves<Nested<Dropped>> = serde_json::from_str(&object).unwrap();
        assert_eq!(halves.read(&root.free_form("field")).0.is_some(), fits);
        assert_eq!(codes(diagnostics), expected);
    }
}

#[test]
fn fields_of_identity_documents_are_kept_apart_where_any_is_filled() {
    for (sent, rest, apart) in [
        (r#"{"b":1,"license_number":5,"a":2}"#, r#"{"a":2,"b":1}"#, Some(r#"{"license_number":5}"#)),
        (r#"{"b":{"x":[{"Passport No":null}]},"a":2}"#, r#"{"a":2}"#, Some(r#"{"b":{"x":[{"Passport No":null}]}}"#)),
        (r#"{"license_number":" ","licence_dob":null,"a":2}"#, r#"{"a":2}"#, None),
        (r#"{"a":2}"#, r#"{"a":2}"#, None),
        ("{}", "{}", None),
        (r#"{"lic\u0000ense":1}"#, "{}", Some(r#"{"license":1}"#)),
    ] {
        let (diagnostics, locale) = (Diagnostics::default(), locale());
        let root = Position::root(&diagnostics, &locale);
        let halves: KeptInHalves<Nested<Dropped>> = serde_json::from_str(sent).unwrap();
        let (kept, documents, _) = halves.read(&root.free_form("field"));
        assert_eq!(kept.as_ref().map(Json::as_str), Some(rest), "{sent}");
        assert_eq!(documents.as_ref().map(Json::as_str), apart, "{sent}");
    }
}

mod kept_text {
    use proptest::prelude::*;

    use super::*;

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            "\\PC{0,4}|[a\"\\\\\n]{0,4}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
                prop::collection::vec(("[ab\"\\\\é]{0,2}", inner), 0..6)
                    .prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    /// The same with the names of each object the other way round, spaces, and escapes.
    fn reversed(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Object(fields) => {
                let fields = fields.iter().rev().map(|(name, value)| format!("{} : {}", json!(name), reversed(value)));
                format!("{{ {} }}", fields.collect::<Vec<_>>().join(" , "))
            }
            serde_json::Value::Array(items) => {
                format!("[ {} ]", items.iter().map(reversed).collect::<Vec<_>>().join(" ,\n"))
            }
            serde_json::Value::String(text) if text.chars().all(|c| c.is_ascii_lowercase()) => {
                text.bytes().fold(String::from("\""), |text, byte| format!("{text}\\u{byte:04x}")) + "\""
            }
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => value.to_string(),
        }
    }

    proptest! {
        #[test]
        fn however_a_value_is_written_what_is_kept_is_one_text(value in any_json()) {
            let whole = json!([value]);
            let text = Some(whole.to_string());
            prop_assert_eq!(&kept_whole(&reversed(&whole)).0, &text);
            prop_assert_eq!(&kept_whole(&whole.to_string()).0, &text);
        }
    }
}
