//! Leads, with the cars offered and the identity documents as sent; the properties asked about are written in `properties`.

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::lead_words::{read_state, read_want};
use super::record::{self, Record};
use crate::domain::facts::{LeadColumns, PropertyColumns, Sender, TradeInColumns};
use crate::domain::finding::Code;
use crate::domain::values::{Json, StockNumber, Vin};
use crate::domain::wish;
use crate::domain::world::{Lead, LeadKey, Row, Tenant};

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
) -> Option<(LeadKey, Row<Lead>)> {
    let sender = Sender::named(&record::text(lead, "sender")?)?;
    let external_id = record::text(lead, "external_id")?;
    Some((LeadKey { sender, external_id }, Row::known(read(lead, trade_in, property, documents)?)))
}

fn read(lead: &Value, trade_in: Option<&Value>, property: Option<&Value>, documents: Option<Value>) -> Option<Lead> {
    let blockers = lead.get("booking_blockers").and_then(Value::as_array).into_iter().flatten();
    let columns = LeadColumns::from_columns(&mut record::reader(lead));
    let clocks = record::read_clocks(lead.get("clocks"));
    let wishes = lead.get("wishes").and_then(Value::as_array);
    let wishes = wishes.map(|wishes| wishes.iter().filter_map(record::read_wish).collect());
    let waits_for = lead.get("waits_for").and_then(Value::as_array).into_iter().flatten();
    Some(Lead {
        wishes: wishes.unwrap_or_else(|| wish::only(&columns, &clocks)),
        waits_for: waits_for.filter_map(|want| read_want(want.as_str()?)).collect(),
        id: record::int(lead, "id")?,
        columns: LeadColumns {
            documents: documents.map(|documents| Json::from_text(documents.to_string())),
            ..columns
        },
        clocks,
        trade_in: trade_in.map(|row| TradeInColumns::from_columns(&mut record::reader(row))).unwrap_or_default(),
        trade_in_clocks: record::read_clocks(trade_in.and_then(|row| row.get("clocks"))),
        property: property.map(|row| PropertyColumns::from_columns(&mut record::reader(row))).unwrap_or_default(),
        property_clocks: record::read_clocks(property.and_then(|row| row.get("clocks"))),
        modified_at: record::instant(lead, "source_modified_at"),
        cluster: record::read_tie(lead, "lead_cluster_id", "membership"),
        person: record::int(lead, "person_id"),
        appointments_as_of: lead.get("appointments_as_of").and_then(record::read_stamp),
        booking: read_state(&record::text(lead, "booking_state")?)?,
        blockers: blockers.filter_map(|code| Code::named(code.as_str()?)).collect(),
        received_at: record::instant(lead, "received_at")?,
        updated_at: record::instant(lead, "updated_at")?,
    })
}

/// Writes the leads that changed.
pub(super) async fn save(tx: &mut PgConnection, workspace: i64, tenant: &Tenant) -> Result<(), sqlx::Error> {
    let dirty = || tenant.leads.iter().filter(|(_, row)| row.is_dirty()).map(|(key, row)| (key, &row.value));
    if dirty().next().is_none() {
        return Ok(());
    }
    super::lead_lists::save(tx, workspace, dirty()).await?;
    let trade_ins = dirty().filter(|(_, lead)| lead.trade_in != TradeInColumns::default());
    save_trade_ins(tx, trade_ins.map(|(_, lead)| write_trade_in(workspace, lead)).collect()).await
}

fn write_trade_in(workspace: i64, lead: &Lead) -> Value {
    let mut record = Record::new();
    lead.trade_in.visit(&mut record::writer(&mut record));
    record.insert("workspace_id".to_owned(), json!(workspace));
    record.insert("lead_id".to_owned(), json!(lead.id));
    record.insert("clocks".to_owned(), record::clocks(&lead.trade_in_clocks));
    Value::Object(record)
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
