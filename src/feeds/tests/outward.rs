//! What a body becomes, as JSON in the words that users see: tables, columns, codes and paths. No type is named in it, so
//! that a snapshot outlives any renaming; keys are in order, and so are findings.

use serde_json::{Map, Value, json};

use crate::domain::columns::Scalar;
use crate::domain::facts::{
    ClusterFacts, EventFacts, Facts, Field, LeadFacts, ProspectFacts, SaleStatus, Source, VehicleFacts,
};
use crate::domain::finding::Finding;
use crate::domain::values::{Json, StockNumber, Vin};
use crate::feeds::scan::scan;
use crate::feeds::{DealershipKey, Feed, ParsedPayload, parse};

/// What is known of a body after the pass that counts, and after it is read.
pub(super) fn of_body(feed: Feed, body: &[u8]) -> Value {
    let read = match parse(feed, body, &super::locale()) {
        Ok(parsed) => of_parsed(parsed),
        Err(finding) => return json!({ "findings": findings(vec![finding]) }),
    };
    let scan = scan(feed, body).unwrap();
    let dealership = match scan.dealership {
        DealershipKey::Missing => None,
        DealershipKey::Unusable => Some(json!("unusable")),
        DealershipKey::Id(id) => Some(json!(id)),
    };
    let mut all = Row::default();
    all.put("dealership_id", dealership);
    all.put("vehicle_identifier", scan.identifier);
    all.put("schema_version", scan.schema_version);
    let (Value::Object(mut all), Value::Object(read)) = (all.into_value(), read) else { panic!("not an object") };
    all.extend(read);
    Value::Object(all)
}

/// What was read from a body.
pub(super) fn of_parsed(parsed: ParsedPayload) -> Value {
    let mut all = Row::default();
    match parsed.facts {
        Facts::Lead(facts) => all.put("lead", Some(lead(*facts))),
        Facts::Cluster(facts) => all.put("lead_cluster", Some(cluster(*facts))),
        Facts::Vehicle(facts) => all.put("vehicle", Some(vehicle(*facts))),
        Facts::Ignored => all.put("ignored", Some(true)),
    }
    all.put("findings", Some(findings(parsed.findings)));
    all.put("unknown_fields", Some(parsed.unknown_paths.into_iter().collect::<Vec<_>>()));
    all.into_value()
}

fn findings(mut findings: Vec<Finding>) -> Value {
    let key = |finding: &Finding| (finding.path.clone(), finding.code.name(), finding.message.clone());
    findings.sort_by_key(key);
    let shown =
        |finding: Finding| json!({"path": finding.path, "code": finding.code.name(), "message": finding.message});
    findings.into_iter().map(shown).collect()
}

/// An object that holds what is there.
#[derive(Default)]
struct Row(Map<String, Value>);

impl Row {
    fn put(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            let is_new = self.0.insert(name.to_owned(), value.into()).is_none();
            assert!(is_new, "{name} is there twice");
        }
    }

    /// A list, where it is not empty.
    fn put_all(&mut self, name: &str, values: Vec<Value>) {
        self.put(name, (!values.is_empty()).then_some(values));
    }

    /// A table's columns, where any holds a value.
    fn put_row(&mut self, name: &str, row: Row) {
        self.put(name, (!row.0.is_empty()).then(|| row.into_value()));
    }

    fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// Columns by name.
macro_rules! row {
    ($columns:expr) => {{
        let mut row = Row::default();
        $columns.visit(&mut |column, value| row.put(column, value.map(scalar)));
        row
    }};
}

fn scalar(value: Scalar) -> Value {
    match value {
        Scalar::Text(text) => text.into(),
        Scalar::Int(number) => number.into(),
        Scalar::Decimal(number) => number.to_string().into(),
        Scalar::Bool(truth) => truth.into(),
        Scalar::Date(date) => date.to_string().into(),
        Scalar::Time(time) => time.to_rfc3339().into(),
        Scalar::Json(json) => kept(&json),
    }
}

/// JSON that is kept; as a text where it is not written as its values would be.
fn kept(json: &Json) -> Value {
    let value: Value = serde_json::from_str(json.as_str()).unwrap();
    let text = value.to_string();
    if text == json.as_str() { value } else { json.as_str().into() }
}

fn given<T>(given: Field<T>, show: impl Fn(T) -> String) -> Option<Value> {
    match given {
        Field::Absent => None,
        Field::Invalid => Some(json!({"invalid": true})),
        Field::Valid(value) => Some(show(value).into()),
    }
}

fn lead(facts: LeadFacts) -> Value {
    let mut all = Row::default();
    all.put("path", (!facts.path_prefix.is_empty()).then_some(facts.path_prefix));
    let told_by = match facts.source {
        Source::Contact => "contact",
        Source::Cluster => "lead_cluster",
        Source::LeadFeed => "lead",
        Source::LeadCreated => "lead.created",
        Source::LeadUpdated => "lead.updated",
    };
    all.put("told_by", Some(told_by));
    all.put("sender", Some(facts.source.sender().name()));
    all.put("external_id", facts.external_id);
    all.put("lead_cluster", facts.cluster_external_id);
    all.put("lead_cluster_at", facts.cluster_membership_at.map(|time| time.to_rfc3339()));
    all.put("timezone", Some(facts.timezone.name()));
    all.put("source_created_at", facts.created_at.map(|time| time.to_rfc3339()));
    all.put("source_modified_at", facts.modified_at.map(|time| time.to_rfc3339()));
    person(&mut all, facts.prospect);
    all.put_row("leads", row!(facts.columns));
    all.put_row("trade_ins", row!(facts.trade_in));
    all.put("property_enquiries", facts.property.map(|property| row!(property).into_value()));
    let appointments = facts.appointments.map(|list| {
        let one = |one: crate::domain::facts::AppointmentFacts| {
            let mut row = row!(one.columns);
            row.put("external_id", Some(one.external_id));
            row.into_value()
        };
        list.into_iter().map(one).collect::<Vec<_>>()
    });
    all.put("appointments", appointments);
    all.put_all("lead_events", events(facts.events));
    all.into_value()
}

fn events(events: Vec<EventFacts>) -> Vec<Value> {
    let one = |event: EventFacts| {
        let mut row = row!(event.columns);
        row.put("external_id", Some(event.external_id));
        row.put("source_modified_at", event.modified_at.map(|time| time.to_rfc3339()));
        row.into_value()
    };
    events.into_iter().map(one).collect()
}

fn person(all: &mut Row, facts: ProspectFacts) {
    let person = facts.person;
    assert!(person.address.is_none() && person.licence.is_none() && person.passport.is_none());
    let mut row = Row::default();
    row.put("email", given(facts.email, |email| email.as_str().to_owned()));
    row.put("date_of_birth", given(facts.date_of_birth, |date| date.to_string()));
    row.put("date_of_birth_column", person.date_of_birth.map(|date| date.to_string()));
    row.put("title", person.title);
    row.put("first_name", person.first_name);
    row.put("middle_name", person.middle_name);
    row.put("last_name", person.last_name);
    row.put("business_name", person.business_name);
    row.put("mobile_phone", person.mobile_phone);
    row.put("home_phone", person.home_phone);
    row.put("postcode", person.postcode);
    row.put("marketing_opt_in", person.marketing_opt_in);
    all.put_row("persons", row);
    if let Some(parts) = facts.address {
        let mut row = Row::default();
        row.put("address_street", parts.street);
        row.put("address_city", parts.city);
        row.put("address_state", parts.state);
        row.put("address_postcode", parts.postcode);
        row.put("address_country", parts.country.map(|country| country.code().to_owned()));
        all.put("persons.address", Some(row.into_value()));
    }
    if let Some(parts) = facts.licence {
        let mut row = Row::default();
        row.put("number", parts.number);
        row.put("card_number", parts.card_number);
        row.put("state", parts.state);
        row.put("expires_on", parts.expires_on.map(|date| date.to_string()));
        row.put("date_of_birth", parts.date_of_birth.map(|date| date.to_string()));
        all.put("driver_licences", Some(row.into_value()));
    }
    if let Some(parts) = facts.passport {
        let mut row = Row::default();
        row.put("number", parts.number);
        row.put("country", parts.country.map(|country| country.code().to_owned()));
        row.put("expires_on", parts.expires_on.map(|date| date.to_string()));
        row.put("date_of_birth", parts.date_of_birth.map(|date| date.to_string()));
        all.put("passports", Some(row.into_value()));
    }
}

fn cluster(facts: ClusterFacts) -> Value {
    let mut all = Row::default();
    all.put("external_id", facts.external_id);
    all.put("source_modified_at", facts.modified_at.map(|time| time.to_rfc3339()));
    person(&mut all, facts.contact);
    all.put_row("lead_clusters", row!(facts.columns));
    all.put_all("leads", facts.leads.into_iter().map(lead).collect());
    all.put_all("lead_events", events(facts.events));
    all.into_value()
}

fn vehicle(facts: VehicleFacts) -> Value {
    let mut all = Row::default();
    all.put("identifier", facts.identifier);
    all.put("vin", facts.vin.as_ref().map(Vin::as_str));
    let status = facts.sale_status.map(|status| match status {
        SaleStatus::ForSale => "for_sale",
        SaleStatus::Withdrawn => "withdrawn",
    });
    all.put("status", status);
    all.put("source_modified_at", facts.modified_at.map(|time| time.to_rfc3339()));
    let content = facts.content;
    all.put("stock_number", content.columns.stock_number.as_ref().map(StockNumber::as_str));
    all.put_row("listings", row!(content.columns));
    if let Some(location) = content.location {
        let mut row = row!(location.columns);
        row.put("name", Some(location.name));
        all.put_row("locations", row);
    }
    let packages = content.packages.into_iter().map(|package| {
        let mut row = Row::default();
        row.put("name", Some(package.name));
        row.put("daily_price", package.daily_price.map(|price| price.to_string()));
        row.put("weekly_price", package.weekly_price.map(|price| price.to_string()));
        row.put("fortnightly_price", package.fortnightly_price.map(|price| price.to_string()));
        row.put("monthly_price", package.monthly_price.map(|price| price.to_string()));
        row.into_value()
    });
    all.put_all("packages", packages.collect());
    all.into_value()
}
