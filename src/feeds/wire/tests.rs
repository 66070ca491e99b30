//! The lenient reader, as tables.

use serde_json::json;

use super::*;

/// The tree of a body.
fn tree(body: &serde_json::Value) -> Value<'static> {
    // What borrows from the text lives as long as the test.
    serde_json::from_str(body.to_string().leak()).unwrap()
}

/// Reads one field and tells what came of it: the value, and the codes of the findings.
fn field<T>(value: &serde_json::Value, read: impl Fn(&Object<'_>) -> T) -> (T, Vec<&'static str>) {
    let notes = Notes::default();
    let body = tree(&json!({ "field": value }));
    let root = Object::root(&body, &notes);
    let read = read(&root);
    drop(root);
    (read, notes.into_parts().0.iter().map(|finding| finding.code.name()).collect())
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
        let (value, found) = field(&sent, |root| root.identifier("field"));
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
        assert_eq!(field(&sent, |root| root.integer("field")), (read, codes), "{sent}");
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
        assert_eq!(field(&sent, |root| root.boolean("field")), (read, codes), "{sent}");
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
        let (value, found) = field(&sent, |root| root.text("field"));
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
        assert_eq!(field(&sent, |root| root.postcode("field", in_australia)).0.as_deref(), Some(read), "{sent}");
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
    ] {
        let sent: serde_json::Value = serde_json::from_str(sent).unwrap();
        let (json, _) = field(&sent, |root| root.free_form("field"));
        assert_eq!(json.as_ref().map(Json::as_str), Some(kept));
    }
}

#[test]
fn unknown_fields_are_told_by_path_without_positions() {
    let body = tree(&json!({
        "known": 1, "new": {"not": "descended"}, "list": [{"a": 1, "x": 1}, {"b": 2, "x": 1}, 5, null],
        "free": {"any": 1}, "n\u{0}ul": 1,
    }));
    let notes = Notes::default();
    let root = Object::root(&body, &notes);
    let _ = (root.integer("known"), root.free_form("free"));
    root.array("list").into_iter().flatten().for_each(|item| item.pass_over(&["a"]));
    drop(root);
    let (findings, unknown) = notes.into_parts();
    assert_eq!(unknown.into_iter().collect::<Vec<_>>(), ["list[].b", "list[].x", "new", "nul"]);
    let places: Vec<_> = findings.iter().map(|finding| (finding.code.name(), finding.path.as_deref())).collect();
    assert_eq!(places, [("field_type", Some("list[2]"))]);
}

#[test]
fn at_most_a_thousand_unknown_fields_are_told() {
    let fields = (0..5_000).map(|number| (format!("field {number} {}", "x".repeat(500)), json!(1)));
    let body = tree(&fields.collect::<serde_json::Map<_, _>>().into());
    let notes = Notes::default();
    drop(Object::root(&body, &notes));
    let (_, unknown) = notes.into_parts();
    assert_eq!(unknown.len(), 1_000);
    assert!(unknown.iter().all(|path| path.chars().count() <= 100));
}

#[test]
fn of_two_names_the_one_that_was_sent_counts() {
    for (body, name) in
        [(json!({"id": 1}), "id"), (json!({"Id": 1}), "Id"), (json!({"id": null, "Id": 2}), "Id"), (json!({}), "id")]
    {
        let (notes, body) = (Notes::default(), tree(&body));
        let root = Object::root(&body, &notes);
        assert_eq!(root.either("id", "Id"), name, "{body:?}");
        drop(root);
        assert!(notes.into_parts().1.is_empty());
    }
}

#[test]
fn what_is_kept_whole_has_ten_thousand_values_at_the_most() {
    let of = |count: usize| json!({"list": vec![0; count - 1]});
    for (count, fits) in [(10_000, true), (10_001, false)] {
        let sent = of(count);
        let kept = |json: Option<Json>| json.is_some();
        let all = [
            field(&sent, |root| kept(root.free_form("field"))),
            field(&sent, |root| kept(root.whole_object("field").0)),
            field(&sent, |root| kept(root.free_form_object("field").split(|name| name == "other").0)),
            field(&json!(vec![serde_json::Value::Null; count]), |root| kept(root.whole_array("field").0)),
        ];
        for (is_kept, found) in all {
            assert_eq!((is_kept, found), (fits, if fits { vec![] } else { vec!["field_type"] }), "{count}");
        }
    }
}
