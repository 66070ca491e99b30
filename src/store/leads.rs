//! Leads, with the cars offered, the identity documents as sent and what they wait for. They are saved with all of
//! `customers`; the properties asked about are written in `properties`.

use crate::domain::ids::LeadId;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::dependency_codec;
use super::json_row::{self, JsonRow};
use super::lead_codec::{read_history, read_state};
use super::stored::{Place, Stored, Unreadable, read_booking_request};
use crate::domain::booking_request::{self, Dependency};
use crate::domain::facts::{LeadColumns, PropertyColumns, Sender, TradeInColumns};
use crate::domain::finding::Code;
use crate::domain::state::{Lead, LeadKey, Row};
use crate::domain::values::{Json, StockNumber, Vin};
use crate::domain::version::FieldVersions;

/// The texts of a set of VINs.
pub(super) fn vin_texts<'a>(vins: impl IntoIterator<Item = &'a Vin>) -> Vec<String> {
    vins.into_iter().map(|vin| vin.as_str().to_owned()).collect()
}

/// The texts of a set of stock numbers.
pub(super) fn number_texts<'a>(numbers: impl IntoIterator<Item = &'a StockNumber>) -> Vec<String> {
    numbers.into_iter().map(|number| number.as_str().to_owned()).collect()
}

/// A lead as it was loaded, with its rows in other tables.
pub(super) fn read_row(
    lead: &Value,
    trade_in: Option<&Value>,
    property: Option<&Value>,
    documents: Option<Value>,
    dependencies: Option<&Value>,
    cluster: Option<String>,
) -> Result<(LeadKey, Row<Lead>), Unreadable> {
    let row = Stored::row("leads", "id", lead)?;
    let sender = row.parsed("sender", Sender::named)?;
    let key = LeadKey { sender: row.need("sender", sender)?, external_id: row.needed_text("external_id")? };
    let columns = row.columns(LeadColumns::from_columns)?;
    let documents = documents.map(|documents| Json::from_text(documents.to_string()));
    let mut lead = read(row, LeadColumns { documents, ..columns })?;
    lead.pending_on = read_dependencies(lead.id, dependencies)?;
    lead.pending_on_stored.clone_from(&lead.pending_on);
    lead.cluster_external_id = cluster;
    if let Some(trade_in) = trade_in {
        let row = Stored::row("trade_ins", "lead_id", trade_in)?;
        (lead.trade_in, lead.trade_in_versions) = (row.columns(TradeInColumns::from_columns)?, row.versions("clocks")?);
    }
    if let Some(property) = property {
        let row = Stored::row("property_enquiries", "lead_id", property)?;
        (lead.property, lead.property_versions) =
            (row.columns(PropertyColumns::from_columns)?, row.versions("clocks")?);
    }
    Ok((key, Row::known(lead)))
}

/// What a lead waits for, from pairs of kind and key.
fn read_dependencies(lead: LeadId, dependencies: Option<&Value>) -> Result<BTreeSet<Dependency>, Unreadable> {
    let place = Place::new("intake.lead_dependencies", "lead_id", lead.get());
    let pairs = dependencies.and_then(Value::as_array).into_iter().flatten();
    let read = |pair: &Value| dependency_codec::read(pair.get(0)?.as_str()?, pair.get(1)?.as_str()?);
    pairs.map(|pair| place.need("key", read(pair))).collect()
}

fn read(row: Stored<'_>, columns: LeadColumns) -> Result<Lead, Unreadable> {
    let versions = row.versions("clocks")?;
    let booking_requests = match row.value("wishes") {
        Some(_) => row.list("wishes", read_booking_request)?,
        None => booking_request::only(&columns, &versions),
    };
    let booking = row.parsed("booking_state", read_state)?;
    Ok(Lead {
        booking_requests,
        pending_on: BTreeSet::new(),
        pending_on_stored: BTreeSet::new(),
        id: row.id(),
        columns,
        versions,
        trade_in: TradeInColumns::default(),
        trade_in_versions: FieldVersions::default(),
        property: PropertyColumns::default(),
        property_versions: FieldVersions::default(),
        modified_at: row.instant("source_modified_at")?,
        cluster: row.versioned_ref("lead_cluster_id", "membership")?,
        cluster_external_id: None,
        history: row.read("history", read_history)?.unwrap_or_default(),
        person: row.pointer("person_id")?,
        appointments_as_of: row.version("appointments_as_of")?,
        booking: row.need("booking_state", booking)?,
        blockers: row.list("booking_blockers", |code| Code::named(code.as_str()?))?,
        received_at: row.needed_instant("received_at")?,
        updated_at: row.needed_instant("updated_at")?,
    })
}

/// The car that a lead offers, as a row.
pub(super) fn write_trade_in(lead: &Lead) -> Value {
    let mut json_row = JsonRow::new();
    lead.trade_in.visit(&mut json_row::writer(&mut json_row));
    json_row.insert("lead_id".to_owned(), json!(lead.id.get()));
    json_row.insert("clocks".to_owned(), json_row::versions(&lead.trade_in_versions));
    Value::Object(json_row)
}
