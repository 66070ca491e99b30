//! Fixture to facts: what each recorded body becomes, as a snapshot beside every file below `fixtures/`; and that no body,
//! however strange, makes reading stop.

mod outward;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::scan::scan;
use super::*;
use crate::domain::facts::{EventFacts, LeadFacts};
use crate::domain::values::{Country, PhoneRegion};

/// A dealership whose clocks change, so that gaps and repeated hours can be shown.
fn locale() -> Locale {
    Locale {
        received_at: "2026-11-20T00:00:00Z".parse().unwrap(),
        timezone: chrono_tz::Australia::Sydney,
        phone_region: PhoneRegion::parse("AU").unwrap(),
        country: Country::parse("AU").unwrap(),
    }
}

/// Where the fixtures of a feed are, each with the snapshot of what is read from it.
fn folder(feed: Feed) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(feed.sender()).join(feed.name())
}

/// Every fixture of a feed: the name of its case, and its body.
fn fixtures(feed: Feed) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(folder(feed)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_none_or(|end| end != "snap")).collect();
    files.sort();
    let case = |file: &Path| file.file_stem().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|file| (case(file), std::fs::read(file).unwrap())).collect()
}

/// `fixtures/<sender>/<feed>/<case>.snap` stands beside the body of the case; `INSTA_UPDATE=always` writes it anew.
#[test]
fn every_fixture_is_read_as_the_snapshot_beside_it_says() {
    for feed in Feed::ALL.iter().copied() {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(folder(feed));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| {
            for (case, body) in fixtures(feed) {
                let shown = serde_json::to_string_pretty(&outward::of_body(feed, &body)).unwrap();
                insta::assert_snapshot!(case, shown);
            }
        });
    }
}

#[test]
fn no_snapshot_is_left_of_a_fixture_that_is_gone() {
    for feed in Feed::ALL.iter().copied() {
        let cases: BTreeSet<String> = fixtures(feed).into_iter().map(|(case, _)| case).collect();
        let files = std::fs::read_dir(folder(feed)).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|file| file.extension().is_some_and(|end| end == "snap")) {
            assert!(cases.contains(file.file_stem().unwrap().to_str().unwrap()), "{}", file.display());
        }
    }
}

#[test]
fn every_column_of_the_contract_is_filled_by_some_fixture() {
    let (mut held, mut declared) = (BTreeSet::new(), BTreeSet::new());
    let mut note = |group: &str, column: &str, is_held: bool| {
        declared.insert(format!("{group}.{column}"));
        if is_held {
            held.insert(format!("{group}.{column}"));
        }
    };
    for (feed, body) in
        Feed::ALL.iter().flat_map(|feed| fixtures(*feed).into_iter().map(move |(_, body)| (*feed, body)))
    {
        let Ok(parsed) = parse(feed, &body, &locale()) else { continue };
        match parsed.facts {
            Facts::Lead(lead) => note_lead(*lead, &mut note),
            Facts::Cluster(cluster) => {
                cluster.columns.visit(&mut |column, value| note("lead_clusters", column, value.is_some()));
                cluster.leads.into_iter().for_each(|lead| note_lead(lead, &mut note));
                note_events(cluster.events, &mut note);
            }
            Facts::Vehicle(vehicle) => {
                vehicle.content.columns.visit(&mut |column, value| note("listings", column, value.is_some()));
                let location = vehicle.content.location.unwrap_or_default();
                location.columns.visit(&mut |column, value| note("locations", column, value.is_some()));
            }
            Facts::Ignored => {}
        }
    }
    let never: Vec<_> = declared.difference(&held).map(String::as_str).collect();
    // The rules compute the time that the booking request names, and when the lead was made stands beside its columns; the
    // configuration fills the last.
    assert_eq!(never, ["leads.requested_at", "leads.source_created_at", "locations.city"]);
}

fn note_lead(lead: LeadFacts, note: &mut impl FnMut(&str, &str, bool)) {
    lead.columns.visit(&mut |column, value| note("leads", column, value.is_some()));
    lead.trade_in.visit(&mut |column, value| note("trade_ins", column, value.is_some()));
    let property = lead.property.unwrap_or_default();
    property.visit(&mut |column, value| note("property_enquiries", column, value.is_some()));
    for appointment in lead.appointments.unwrap_or_default() {
        appointment.columns.visit(&mut |column, value| note("appointments", column, value.is_some()));
    }
    note_events(lead.events, note);
}

fn note_events(events: Vec<EventFacts>, note: &mut impl FnMut(&str, &str, bool)) {
    for event in events {
        event.columns.visit(&mut |column, value| note("lead_events", column, value.is_some()));
    }
}

#[test]
fn a_list_of_thousands_of_broken_entries_has_a_bounded_record() {
    let body = format!("{{\"appointments\":[{}]}}", vec!["0"; 200_000].join(","));
    let findings = parse(Feed::Lead, body.as_bytes(), &locale()).unwrap().findings;
    assert_eq!(findings.len(), 10_001);
    let body = format!("{{\"appointments\":[{}]}}", vec!["{}"; 5_000].join(","));
    let findings = parse(Feed::Lead, body.as_bytes(), &locale()).unwrap().findings;
    assert_eq!(findings.iter().filter(|finding| finding.code == Code::IdMissing).count(), 5_001);
}

#[test]
fn a_cluster_of_a_thousand_leads_is_read_whole_and_its_many_events_hide_no_finding_of_a_lead() {
    let lead =
        |id: usize| json!({"id": id, "prospect": {"email": "nobody"}, "additional_details": {"license_dob": "x"}});
    let event = |id: usize| json!({"id": id, "event_type": "fax", "followup_status": "never"});
    let body = json!({
        "id": 1,
        "leads": (0..1_000).map(lead).collect::<Vec<_>>(),
        "lead_events": (0..20_000).map(|number| event(number % 10_000)).collect::<Vec<_>>(),
    });
    let parsed = parse(Feed::LeadCluster, body.to_string().as_bytes(), &locale()).unwrap();
    let Facts::Cluster(cluster) = parsed.facts else { panic!("a cluster is read as {:?}", parsed.facts) };
    assert_eq!((cluster.leads.len(), cluster.events.len()), (1_000, 10_000));
    assert!(cluster.leads.iter().enumerate().all(|(at, lead)| lead.path_prefix == format!("leads[{at}].")));
    let of_leads = |finding: &&Finding| finding.path.as_deref().is_some_and(|path| path.starts_with("leads["));
    assert_eq!(parsed.findings.iter().filter(of_leads).count(), 2_000);
    assert_eq!(parsed.findings.len(), 10_001);
}

/// What stands in texts, so that it can be looked for in findings.
const PERSONAL: &str = "zebedee";

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(PERSONAL.to_owned()),
        "[a-z0-9 \0@.:/$-]{0,12}",
        "\\PC{0,6}".prop_map(|text| text.replace('\\', "")),
        prop::sample::select(vec![
            "2025-10-05 02:30:00",
            "31/12/9999",
            "9999-12-31T23:59:59-23:59",
            "0001-01-01T00:00:00+23:59",
            "1e400",
            "-$5"
        ])
        .prop_map(str::to_owned),
        Just("9".repeat(400)),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let name = prop_oneof![
        text(),
        prop::sample::select(vec![
            "id",
            "prospect",
            "email",
            "appointments",
            "additional_details",
            "license_number",
            "item",
            "Seller",
            "Identification",
            "Type",
            "Value",
            "contact",
            "leads",
            "lead_events",
            "name"
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

/// The fixtures that are JSON.
static DOCUMENTS: LazyLock<Vec<(Feed, Value)>> = LazyLock::new(|| {
    let parse = |feed: Feed| {
        fixtures(feed).into_iter().filter_map(move |(_, body)| Some((feed, serde_json::from_slice(&body).ok()?)))
    };
    Feed::ALL.iter().copied().flat_map(parse).collect()
});

/// A fixture in which some places hold something else.
fn mutated() -> impl Strategy<Value = (Feed, Value)> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any_json()), 1..8);
    (any::<prop::sample::Index>(), changes).prop_map(|(chosen, changes)| {
        let (feed, mut body) = chosen.get(DOCUMENTS.as_slice()).clone();
        for (chosen, value) in changes {
            let places = pointers(&body, String::new());
            let pointer: &String = chosen.get(places.as_slice());
            *body.pointer_mut(pointer).unwrap() = value;
        }
        (feed, body)
    })
}

/// Where every value of a document stands.
fn pointers(value: &Value, here: String) -> Vec<String> {
    let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
    let below: Vec<String> = match value {
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, value)| pointers(value, format!("{here}/{}", escaped(name)))).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(at, value)| pointers(value, format!("{here}/{at}"))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    std::iter::once(here).chain(below).collect()
}

/// Reads a body as it would be read on arrival, and looks at what must hold for every body.
fn hold_the_laws(feed: Feed, body: &[u8]) {
    let parsed = parse(feed, body, &locale());
    assert_eq!(scan(feed, body).err(), parsed.as_ref().err().cloned());
    let Ok(ParsedPayload { facts, findings, unknown_paths }) = parsed else { return };
    let facts = format!("{facts:?}");
    assert!(!facts.contains("\\0") && !facts.contains("u0000"), "U+0000 in {facts}");
    assert!(unknown_paths.len() <= 1_000 && unknown_paths.iter().all(|path| !path.contains('\0')));
    let findings = format!("{findings:?}");
    assert!(!findings.contains(PERSONAL), "a value of the body in {findings}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        hold_the_laws(Feed::Lead, &body);
    }

    #[test]
    fn any_json_is_read(body in any_json()) {
        for feed in Feed::ALL.iter().copied() {
            hold_the_laws(feed, body.to_string().as_bytes());
        }
    }

    #[test]
    fn any_mutation_of_a_fixture_is_read((feed, body) in mutated()) {
        hold_the_laws(feed, body.to_string().as_bytes());
    }

    #[test]
    fn any_cut_of_a_fixture_is_read_or_refused_without_its_content(at in any::<prop::sample::Index>(), feed in prop::sample::select(Feed::ALL)) {
        let (_, body) = &fixtures(feed)[0];
        let cut = &body[..at.index(body.len())];
        if let Err(finding) = parse(feed, cut, &locale()) {
            prop_assert_eq!(finding.code, Code::BodyUnreadable);
            prop_assert!(finding.message.contains(" at line "), "{}", finding.message);
        }
    }
}
