//! Leads, with the cars offered and the identity documents as sent; the properties asked about are written in
//! `properties`.

use crate::domain::ids::WorkspaceId;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::json_row::{self, JsonRow};
use super::lead_codec::{read_dependency, read_state};
use super::stored::{Stored, Unreadable, read_booking_request};
use crate::domain::booking_request;
use crate::domain::facts::{LeadColumns, PropertyColumns, Sender, TradeInColumns};
use crate::domain::finding::Code;
use crate::domain::state::{Lead, LeadKey, Row, WorkspaceState};
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
) -> Result<(LeadKey, Row<Lead>), Unreadable> {
    let row = Stored::row("leads", "id", lead)?;
    let sender = row.parsed("sender", Sender::named)?;
    let key = LeadKey { sender: row.need("sender", sender)?, external_id: row.needed_text("external_id")? };
    let columns = row.columns(LeadColumns::from_columns)?;
    let documents = documents.map(|documents| Json::from_text(documents.to_string()));
    let mut lead = read(row, LeadColumns { documents, ..columns })?;
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

fn read(row: Stored<'_>, columns: LeadColumns) -> Result<Lead, Unreadable> {
    let versions = row.versions("clocks")?;
    let booking_requests = match row.value("wishes") {
        Some(_) => row.list("wishes", read_booking_request)?,
        None => booking_request::only(&columns, &versions),
    };
    let booking = row.parsed("booking_state", read_state)?;
    Ok(Lead {
        booking_requests,
        pending_on: row.list("waits_for", |dependency| read_dependency(dependency.as_str()?))?,
        id: row.id(),
        columns,
        versions,
        trade_in: TradeInColumns::default(),
        trade_in_versions: FieldVersions::default(),
        property: PropertyColumns::default(),
        property_versions: FieldVersions::default(),
        modified_at: row.instant("source_modified_at")?,
        cluster: row.versioned_ref("lead_cluster_id", "membership")?,
        person: row.pointer("person_id")?,
        appointments_as_of: row.version("appointments_as_of")?,
        booking: row.need("booking_state", booking)?,
        blockers: row.list("booking_blockers", |code| Code::named(code.as_str()?))?,
        received_at: row.needed_instant("received_at")?,
        updated_at: row.needed_instant("updated_at")?,
    })
}

/// Writes the leads that changed.
pub(super) async fn save(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    state: &WorkspaceState,
) -> Result<(), sqlx::Error> {
    let dirty = || state.leads.iter().filter(|(_, row)| row.is_dirty()).map(|(key, row)| (key, &row.value));
    if dirty().next().is_none() {
        return Ok(());
    }
    super::lead_insert::save(tx, workspace, dirty()).await?;
    let trade_ins = dirty().filter(|(_, lead)| lead.trade_in != TradeInColumns::default());
    save_trade_ins(tx, trade_ins.map(|(_, lead)| write_trade_in(workspace, lead)).collect()).await
}

fn write_trade_in(workspace: WorkspaceId, lead: &Lead) -> Value {
    let mut json_row = JsonRow::new();
    lead.trade_in.visit(&mut json_row::writer(&mut json_row));
    json_row.insert("workspace_id".to_owned(), json!(workspace.get()));
    json_row.insert("lead_id".to_owned(), json!(lead.id.get()));
    json_row.insert("clocks".to_owned(), json_row::versions(&lead.trade_in_versions));
    Value::Object(json_row)
}

/// A car whose times are as they were is left alone: the lead changed, not the car.
async fn save_trade_ins(tx: &mut PgConnection, trade_ins: Vec<Value>) -> Result<(), sqlx::Error> {
    if trade_ins.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into trade_ins as known
            (workspace_id, lead_id, registration, kilometres, make, model, badge, series, year, state, title,
            offer_price, trade_price, retail_price, price_adjustment, offer_accepted, clocks)
        select
            workspace_id, lead_id, registration, kilometres, make, model, badge, series, year, state, title,
            offer_price, trade_price, retail_price, price_adjustment, offer_accepted, clocks
        from jsonb_populate_recordset(null::trade_ins, $1)
        on conflict (workspace_id, lead_id) do update set
            registration = excluded.registration, kilometres = excluded.kilometres, make = excluded.make,
            model = excluded.model, badge = excluded.badge, series = excluded.series, year = excluded.year,
            state = excluded.state, title = excluded.title, offer_price = excluded.offer_price,
            trade_price = excluded.trade_price, retail_price = excluded.retail_price,
            price_adjustment = excluded.price_adjustment, offer_accepted = excluded.offer_accepted,
            clocks = excluded.clocks
        where known.clocks is distinct from excluded.clocks",
        Value::Array(trade_ins),
    )
    .execute(tx)
    .await?;
    Ok(())
}
