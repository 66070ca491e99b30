//! `forecourt openapi` against what there is: the router's paths, the fixtures, and replies of the service.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use axum::body::Body;
use axum::http::Request;
use boon::{Compiler, SchemaIndex, Schemas};
use forecourt::domain::values::{Country, PhoneRegion};
use forecourt::domain::workspace::Locale;
use forecourt::feeds::{self, Feed};
use forecourt::http::openapi;
use serde_json::{Value, json};

use crate::support::{Answer, fixture, service};

/// The document, with validators for the schemas in it.
struct Document {
    whole: Value,
    compiler: Compiler,
    schemas: Schemas,
    compiled: BTreeMap<String, SchemaIndex>,
}

impl Document {
    fn new() -> Self {
        let document = openapi::document();
        let mut compiler = Compiler::new();
        compiler.add_resource("http://forecourt/openapi", document.clone()).unwrap();
        Self { whole: document, compiler, schemas: Schemas::new(), compiled: BTreeMap::new() }
    }

    /// Why a value is not what the schema at a place in the document allows.
    fn refuses(&mut self, place: &str, value: &Value) -> Option<String> {
        assert!(self.whole.pointer(place).is_some(), "there is no {place}");
        let index = *self.compiled.entry(place.to_owned()).or_insert_with(|| {
            let escaped = place.replace('%', "%25");
            self.compiler.compile(&format!("http://forecourt/openapi#{escaped}"), &mut self.schemas).unwrap()
        });
        self.schemas.validate(value, index).err().map(|error| error.to_string())
    }
}

/// The place of the schema of what is sent to a door, or of what it answers.
fn place(path: &str, method: &str, part: &str) -> String {
    let path = path.replace('~', "~0").replace('/', "~1");
    let kind = if part == "requestBody" { "requestBody".to_owned() } else { format!("responses/{part}") };
    format!("/paths/{path}/{method}/{kind}/content/application~1json/schema")
}

#[test]
fn its_paths_are_those_of_the_router() {
    let (source, addresses) = (include_str!("../../src/http/mod.rs"), include_str!("../../src/http/addresses.rs"));
    let after = |text: &'static str, start: &str, end: char| -> Vec<&'static str> {
        text.split(start).skip(1).map(|rest| rest.split(end).next().unwrap()).collect()
    };
    let named = after(source, ".route(", ',').into_iter().filter(|name| name.chars().all(|c| c.is_ascii_uppercase()));
    let fixed: Vec<String> =
        named.map(|name| after(addresses, &format!("const {name}: &str = \""), '"').concat()).collect();
    assert_eq!(fixed.len(), 3, "{fixed:?}");
    let fixed = fixed.into_iter();
    let feeds = Feed::ALL.iter().map(|feed| feed.path().to_owned());
    let routed: BTreeSet<String> = fixed.chain(feeds).collect();
    let document = openapi::document();
    let documented: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(documented, routed);
}

#[tokio::test]
async fn every_path_is_there_for_its_method_and_for_no_other() {
    let service = service().await;
    let document = openapi::document();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "put"] {
            let request = Request::builder().method(method.to_ascii_uppercase().as_str()).uri(path);
            let answer = service.send(request.body(Body::empty()).unwrap()).await;
            let is_documented = item.get(method).is_some();
            assert_eq!(answer.status != 405, is_documented, "{method} {path}: {}", answer.status);
            assert_ne!(answer.status, 404, "{method} {path}");
        }
    }
}

#[test]
fn it_refers_to_nothing_that_is_not_there_and_documents_every_field() {
    fn look(document: &Value, value: &Value) {
        if let Some(Value::String(place)) = value.get("$ref") {
            assert!(document.pointer(place.strip_prefix('#').unwrap()).is_some(), "{place}");
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|value| look(document, value)),
            Value::Array(items) => items.iter().for_each(|value| look(document, value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = openapi::document();
    look(&document, &document);
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        if name.ends_with("Payload") {
            assert!(schema["description"].is_string(), "{name}");
            for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
                assert!(schema["description"].is_string(), "{name}.{field}");
            }
        }
    }
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    for feed in Feed::ALL {
        let ways = document["paths"][feed.path()]["post"]["security"].as_array().unwrap();
        let names = ways.iter().flat_map(|way| way.as_object().unwrap().keys());
        names.for_each(|name| assert!(schemes.contains_key(name), "{name}"));
    }
}

/// Cases that are read without a finding of a type and are not what the page documents: more is accepted than that.
const MORE_THAN_DOCUMENTED: [&str; 11] = [
    // A truth value as text.
    "lead/trade_in_with_money_as_text",
    "lead/empty_text_in_every_field",
    "lead/numbers_as_texts",
    "lead_cluster/trade_in_with_money_as_text",
    "lead_cluster/empty_text_in_every_field",
    "lead_cluster/numbers_as_texts",
    "inventory/numbers_as_texts",
    "leadpro_lead/numbers_as_texts",
    // Null among texts of which nothing is read.
    "inventory/null_in_every_field",
    // Nothing is read of an event that is not handled.
    "leadpro_lead/event_unknown",
    "leadpro_lead/event_missing",
];

#[test]
fn a_fixture_is_what_its_schema_allows_exactly_where_its_types_are_the_pages() {
    let mut document = Document::new();
    let locale = Locale {
        received_at: "2026-11-20T00:00:00Z".parse().unwrap(),
        timezone: chrono_tz::Australia::Sydney,
        phone_region: PhoneRegion::parse("AU").unwrap(),
        country: Country::parse("AU").unwrap(),
    };
    let mut wrong = Vec::new();
    for feed in Feed::ALL.iter().copied() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(feed.sender()).join(feed.name());
        for entry in std::fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            let body = std::fs::read(&file).unwrap();
            let Ok(value) = serde_json::from_slice::<Value>(&body) else { continue };
            if file.extension().is_some_and(|end| end == "snap") {
                continue;
            }
            let case = format!("{}/{}", feed.name(), file.file_stem().unwrap().to_str().unwrap());
            let findings = feeds::parse(feed, &body, &locale).unwrap().findings;
            let codes: BTreeSet<&str> = findings.iter().map(|finding| finding.code.name()).collect();
            let is_typed = !codes.contains("field_type") && !codes.contains("value_too_long");
            let is_more = MORE_THAN_DOCUMENTED.contains(&case.as_str());
            match document.refuses(&place(feed.path(), "post", "requestBody"), &value) {
                Some(why) if is_typed && !is_more => wrong.push(format!("{case}: {why}")),
                None if is_more || case.contains("wrong_types") => wrong.push(format!("{case} is allowed")),
                Some(_) | None => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn replies_are_what_it_says() {
    let service = service().await;
    let mut document = Document::new();
    let mut hold = |path: &str, method: &str, answer: &Answer| {
        let place = place(path, method, answer.status.as_str());
        if let Some(why) = document.refuses(&place, &answer.body) {
            panic!("{method} {path}: {why}\n{}", answer.body);
        }
    };
    let [leads, clusters, inventory] = [Feed::Lead, Feed::LeadCluster, Feed::Inventory].map(Feed::path);
    for (path, body) in [
        (leads, fixture("dealer_studio/lead/loopit_page_example.json")),
        (leads, fixture("dealer_studio/lead/wrong_types_in_every_field.json")),
        (leads, json!([])),
        (leads, json!({"dealership": {"id": 424_242}})),
        (clusters, fixture("dealer_studio/lead_cluster/page_example.json")),
        (inventory, fixture("dealer_studio/inventory/page_example.json")),
    ] {
        let request = Request::post(path).header("Authorization", format!("Bearer {}", crate::support::TOKEN));
        let answer = service.send(request.body(Body::from(body.to_string())).unwrap()).await;
        assert_eq!(answer.status, 200);
        hold(path, "post", &answer);
        let refused = service.send(Request::post(path).body(Body::from("{}")).unwrap()).await;
        assert_eq!(refused.status, 401);
        hold(path, "post", &refused);
    }
    let large = Body::from(format!("[{}0]", "0,".repeat(2 << 20)));
    let request = Request::post(leads).header("Authorization", format!("Bearer {}", crate::support::TOKEN));
    let answer = service.send(request.body(large).unwrap()).await;
    assert_eq!(answer.status, 413);
    hold(leads, "post", &answer);
    for (body, status) in [("grant_type=client_credentials", 401), ("", 400)] {
        let request = Request::post("/oauth/token").header("Content-Type", "application/x-www-form-urlencoded");
        let answer = service.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status, status);
        hold("/oauth/token", "post", &answer);
    }
    for path in ["/livez", "/readyz"] {
        let answer = service.send(Request::get(path).body(Body::empty()).unwrap()).await;
        hold(path, "get", &answer);
    }
}
