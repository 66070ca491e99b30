//! Leads, with the cars offered and the identity documents as sent; the properties asked about are written in `properties`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::lead_words::{read_state, read_want, want_text};
use super::record::{self, Record};
use crate::domain::facts::{LeadColumns, PropertyColumns, Sender, TradeInColumns};
use crate::domain::finding::Code;
use crate::domain::values::{Json, StockNumber, Vin};
use crate::domain::wish::{self, Want};
use crate::domain::world::{Lead, LeadKey, Row, RowId, Tenant};

/// Which leads to load, beside those that deliveries name.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Leads by sender and the sender's id.
    pub(super) keys: Vec<LeadKey>,
    /// Leads that wait for one of these.
    pub(super) wants: Vec<Want>,
    /// Leads that wait for a person of one of these addresses.
    pub(super) emails: Vec<String>,
    /// Blocked leads for want of a location or a package, whichever.
    pub(super) any_missing_name: bool,
}

/// The texts of a set of VINs.
pub(super) fn vin_texts<'a>(vins: impl IntoIterator<Item = &'a Vin>) -> Vec<String> {
    vins.into_iter().map(|vin| vin.as_str().to_owned()).collect()
}

/// The texts of a set of stock numbers.
pub(super) fn number_texts<'a>(numbers: impl IntoIterator<Item = &'a StockNumber>) -> Vec<String> {
    numbers.into_iter().map(|number| number.as_str().to_owned()).collect()
}

/// Loads leads by what names them or what they wait for. Each arm has an index of its own. How many leads wait is badly
/// guessed, so the rows are looked up one by one, whatever Postgres expects (`offset 0`).
pub(super) async fn load(
    tx: &mut PgConnection,
    workspace: i64,
    wanted: &Wanted,
) -> Result<BTreeMap<LeadKey, Row<Lead>>, sqlx::Error> {
    let Wanted { keys, wants, emails, any_missing_name } = wanted;
    if keys.is_empty() && wants.is_empty() && emails.is_empty() && !any_missing_name {
        return Ok(BTreeMap::new());
    }
    let wants: Vec<String> = wants.iter().map(|want| want_text(workspace, want)).collect();
    let senders: Vec<&str> = keys.iter().map(|key| key.sender.name()).collect();
    let external_ids: Vec<&str> = keys.iter().map(|key| key.external_id.as_str()).collect();
    let rows = sqlx::query!(
        r#"with wanted as (
            select named.id from unnest($2::text[], $3::text[]) as k (sender, external_id)
            cross join lateral (
                select id from leads
                where workspace_id = $1 and sender = k.sender and external_id = k.external_id offset 0
            ) named
            union select id from leads
            where workspace_id = $1 and waits_for && $4
            union select id from leads
            where workspace_id = $1 and person_id is null and person_email = any($5)
            union select id from leads
            where $6 and workspace_id = $1 and booking_state = 'blocked'
                and booking_blockers && array['location_not_found', 'package_not_found']
        )
        select to_jsonb(l) as "lead!", to_jsonb(t) as trade_in, to_jsonb(p) as property, d.documents as "documents?"
        from wanted
        cross join lateral (select * from leads where workspace_id = $1 and id = wanted.id offset 0) l
        left join trade_ins t on t.workspace_id = l.workspace_id and t.lead_id = l.id
        left join property_enquiries p on p.workspace_id = l.workspace_id and p.lead_id = l.id
        left join identity.lead_documents d on d.workspace_id = l.workspace_id and d.lead_id = l.id"#,
        workspace,
        &senders as &[&str],
        &external_ids as &[&str],
        &wants,
        emails,
        *any_missing_name,
    )
    .fetch_all(tx)
    .await?;
    let leads = rows.into_iter().filter_map(|row| {
        let sender = Sender::named(&record::text(&row.lead, "sender")?)?;
        let external_id = record::text(&row.lead, "external_id")?;
        let lead = read(&row.lead, row.trade_in.as_ref(), row.property.as_ref(), row.documents)?;
        Some((LeadKey { sender, external_id }, Row::known(lead)))
    });
    Ok(leads.collect())
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
    save_trade_ins(tx, trade_ins.map(|(_, lead)| write_trade_in(workspace, lead)).collect()).await?;
    let documents = dirty().filter_map(|(_, lead)| Some((lead.id, lead.columns.documents.as_ref()?.as_str())));
    save_documents(tx, workspace, documents.unzip()).await
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

/// Documents that are as they were are left alone.
async fn save_documents(
    tx: &mut PgConnection,
    workspace: i64,
    (leads, documents): (Vec<RowId>, Vec<&str>),
) -> Result<(), sqlx::Error> {
    if leads.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into identity.lead_documents as known (workspace_id, lead_id, documents)
        select $1, lead_id, documents::jsonb from unnest($2::bigint[], $3::text[]) as d (lead_id, documents)
        on conflict (workspace_id, lead_id) do update set documents = excluded.documents
        where known.documents is distinct from excluded.documents",
        workspace,
        &leads,
        &documents as &[&str],
    )
    .execute(tx)
    .await?;
    Ok(())
}
