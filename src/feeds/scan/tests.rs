//! The pass accepts what `serde_json` accepts, counts what is there, and finds the dealership that reading finds.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::facts::Facts;
use crate::domain::values::text::is_format;
use crate::domain::values::{Country, PhoneRegion};
use crate::domain::workspace::Locale;
use crate::feeds::parse;

/// The verdict of `serde_json` on a body: nothing, or why it cannot be read.
fn reference(body: &[u8]) -> Option<String> {
    serde_json::from_slice::<serde_json::Value>(without_mark(body)).err().map(|error| reason(&error))
}

fn said(body: &[u8]) -> Option<String> {
    scan(Feed::LeadCluster, body).err().map(|finding| {
        assert_eq!((finding.code, finding.path), (Code::BodyUnreadable, None));
        finding.message
    })
}

#[test]
fn what_cannot_be_read_is_told_with_line_and_column_as_before() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let fields = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    for body in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\"}",
        "{\"a\":1,}",
        "{}{}",
        "[1] x",
        "nul",
        "tru",
        "-",
        "01",
        "1.",
        "1e",
        "1e400",
        "-1e400",
        "[\n 1e999]",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\ud800\"",
        "{\"\\ud800\":1}",
        "\"\\x\"",
        "\"\u{1}\"",
        "\"a",
        "[\"ok\",\n\n  \"\\u12\"]",
        "\u{feff}{\"a\":[}",
        "{1:2}",
        "[1 2]",
        "1e308",
        "123456789012345678901234567890",
        &deep(127),
        &deep(128),
        &deep(10_000),
        &fields(127),
        &fields(128),
    ] {
        assert_eq!(said(body.as_bytes()), reference(body.as_bytes()), "{}", &body[..body.len().min(40)]);
    }
    for body in [
        &b"\"\xff\""[..],
        b"{\"\xc3\":1}",
        b"[\"\xed\xa0\x80\"]",
        b"\xff",
        b"\"a\xf0\x9f\x98\"",
        b"{\"a\":\"\xc0\x80\"}",
    ] {
        assert_eq!(said(body), reference(body), "{body:?}");
        assert!(said(body).is_some());
    }
}

#[test]
fn values_and_entries_are_counted_wherever_they_stand() {
    let body = json!({
        "leads": [{"lead_events": [1, {}, null], "appointments": [{}, {}]}, 5, {"lead_events": {"a": []}}],
        "lead_events": [[], 2], "appointments": [3], "SubscriptionPricing": [1],
        "other": {"leads": [1], "lead_events": [{"lead_events": [1]}]},
    });
    let cluster = scan(Feed::LeadCluster, body.to_string().as_bytes()).unwrap().counts;
    assert_eq!(cluster, Counts { values: 28, leads: 3, events: 5, appointments: 3, packages: 0 });
    let lead = scan(Feed::Lead, body.to_string().as_bytes()).unwrap().counts;
    assert_eq!(lead, Counts { values: 28, leads: 0, events: 2, appointments: 1, packages: 0 });
    let vehicle = scan(Feed::Inventory, body.to_string().as_bytes()).unwrap().counts;
    assert_eq!(vehicle, Counts { values: 28, packages: 1, ..Counts::default() });
    let enquiry = scan(Feed::LeadPro, body.to_string().as_bytes()).unwrap().counts;
    assert_eq!(enquiry, Counts { values: 28, ..Counts::default() });
}

#[test]
fn the_lists_of_a_repeated_name_all_count() {
    let body = r#"{"leads":[1,2,3],"leads":[],"lead_events":[1],"lead_events":[2]}"#;
    let Counts { leads, events, .. } = scan(Feed::LeadCluster, body.as_bytes()).unwrap().counts;
    assert_eq!((leads, events), (3, 2));
}

#[test]
fn one_more_than_is_taken_is_too_many() {
    let list = |name: &str, count: usize| format!("{{\"{name}\":[{}]}}", vec!["0"; count].join(","));
    for (feed, name, most) in [
        (Feed::LeadCluster, "leads", 5_000),
        (Feed::LeadCluster, "lead_events", 50_000),
        (Feed::Lead, "lead_events", 50_000),
        (Feed::Lead, "appointments", 5_000),
        (Feed::LeadCluster, "appointments", 5_000),
        (Feed::Inventory, "SubscriptionPricing", 1_000),
    ] {
        let of = |count| scan(feed, list(name, count).as_bytes()).unwrap().too_many();
        assert_eq!(of(most), None, "{name}");
        let finding = of(most + 1).unwrap();
        assert_eq!((finding.code, finding.path.as_deref()), (Code::TooManyEntries, Some(name)));
    }
    let values = |count: usize| scan(Feed::LeadPro, list("x", count - 2).as_bytes()).unwrap().too_many();
    assert_eq!(values(1_500_000), None);
    let finding = values(1_500_001).unwrap();
    assert_eq!((finding.code, finding.path), (Code::TooManyEntries, None));
    assert!(finding.message.starts_with("1500001 JSON values"), "{}", finding.message);
}

/// Values that a dealership id can be, and others.
fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("7".to_owned()),
        Just("-7".to_owned()),
        Just("7.0".to_owned()),
        Just("7.5".to_owned()),
        Just("1e300".to_owned()),
        Just("18446744073709551615".to_owned()),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("[7]".to_owned()),
        Just("{\"id\":7}".to_owned()),
        "[ \u{a0}\\\\u0-9\u{200b}a]{0,6}".prop_map(|text| json!(text).to_string()),
        "(\u{0}| ){0,3}[0-9]{0,3}(\u{0}| ){0,3}[0-9]{0,3}".prop_map(|text| json!(text).to_string()),
        (0_usize..3_000).prop_map(|count| json!(format!("{}7", " ".repeat(count))).to_string()),
        (0_usize..3_000).prop_map(|count| json!(format!("1{}", "\0".repeat(count) + "2")).to_string()),
        (250_usize..260).prop_map(|count| json!("0".repeat(count)).to_string()),
    ]
}

/// An object with some of the names that matter, repeated at will.
fn routed() -> impl Strategy<Value = String> {
    let names = ["dealership", "dealership_id", "Seller", "Identifier", "id", "appointments", "leads", "\\u0069d"];
    let field = (0..names.len(), id()).prop_map(move |(name, value)| format!("\"{}\":{value}", names[name]));
    let object = proptest::collection::vec(field, 0..4).prop_map(|fields| format!("{{{}}}", fields.join(",")));
    let value = prop_oneof![id(), object, Just("[]".to_owned())];
    let field = (0..names.len(), value).prop_map(move |(name, value)| format!("\"{}\":{value}", names[name]));
    proptest::collection::vec(field, 0..6).prop_map(|fields| format!("{{{}}}", fields.join(",")))
}

/// Any JSON text, valid numbers of any size among it.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| json!(number).to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| json!(text).to_string()),
        Just("\"\\ud83d\\ude00\\u0000\"".to_owned()),
        Just(" 1e5 ".to_owned()),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(|items| format!("[{}]", items.join(",\n"))),
            proptest::collection::vec(("[a-c\"\\\\é]{0,3}", inner), 0..8).prop_map(|fields| {
                let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{} : {value}", json!(name))).collect();
                format!("{{{}}}", fields.join(",\r\n"))
            }),
        ]
    })
}

fn values(value: &serde_json::Value) -> usize {
    1 + match value {
        serde_json::Value::Array(items) => items.iter().map(values).sum(),
        serde_json::Value::Object(fields) => fields.values().map(values).sum(),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_pass_accepts_exactly_what_serde_json_accepts(
        json in any_json(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4), 0..3),
    ) {
        let mut body = json.clone().into_bytes();
        prop_assert_eq!(said(&body), None);
        for (chosen, byte, how) in changes {
            let at = chosen.index(body.len().max(1));
            match how {
                0 if at < body.len() => body[at] = byte,
                1 => body.insert(at, byte),
                2 if at < body.len() => _ = body.remove(at),
                _ => body.truncate(at),
            }
        }
        prop_assert_eq!(said(&body), reference(&body), "{:?}", String::from_utf8_lossy(&body));
        if let Ok(value) = serde_json::from_slice::<serde_json::Value>(&body) {
            let counted = scan(Feed::LeadPro, &body).unwrap().counts.values;
            // Of a repeated name all values are counted.
            prop_assert!(counted >= values(&value));
        }
    }

    #[test]
    fn what_the_pass_finds_is_what_the_facts_say(body in routed()) {
        let tree: serde_json::Value = serde_json::from_str(&body).unwrap();
        for feed in Feed::ALL.iter().copied() {
            let scan = scan(feed, body.as_bytes()).unwrap();
            let facts = parse(feed, body.as_bytes(), &locale()).unwrap().facts;
            let (path, id) = match &facts {
                Facts::Lead(lead) => ("/dealership/id", lead.columns.dealership_id),
                Facts::Cluster(cluster) => ("/dealership_id", cluster.columns.dealership_id),
                Facts::Vehicle(vehicle) => ("/Seller/Identifier", vehicle.content.columns.dealership_id),
                Facts::Ignored => ("/", None),
            };
            let is_sent = match tree.pointer(path) {
                Some(serde_json::Value::Number(_)) => true,
                Some(serde_json::Value::String(text)) => !is_blank(text),
                _ => false,
            };
            let nothing = if is_sent && feed != Feed::LeadPro { DealershipKey::Unusable } else { DealershipKey::Missing };
            prop_assert_eq!(scan.dealership, id.map_or(nothing, DealershipKey::Id), "{:?} {}", feed, &body);
            let identifier = if let Facts::Vehicle(vehicle) = &facts { vehicle.identifier.clone() } else { None };
            prop_assert_eq!(&scan.identifier, &identifier);
            let has_list = matches!(&facts, Facts::Lead(lead) if lead.appointments.is_some());
            let version = (feed == Feed::Lead).then_some(if has_list { "v3" } else { "v1" });
            prop_assert_eq!(scan.schema_version, version);
        }
    }
}

/// Whether nothing is seen of a text.
fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c == '\0' || c.is_whitespace() || is_format(c))
}

fn locale() -> Locale {
    Locale {
        received_at: "2026-11-20T00:00:00Z".parse().unwrap(),
        timezone: chrono_tz::Australia::Sydney,
        phone_region: PhoneRegion::parse("AU").unwrap(),
        country: Country::parse("AU").unwrap(),
    }
}
