//! The sender's identifiers of vehicles: `listing_identifiers`.

use crate::domain::ids::{ListingId, WorkspaceId};
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::json_row;
use super::stored::{LoadError, Place};
use super::unnest::list;
use crate::domain::facts::SaleStatus;
use crate::domain::state::{Identifier, Row, WorkspaceState};
use crate::domain::values::Vin;
use crate::domain::version::{SourceTime, Versioned};

/// Loads these identifiers, and all of these listings.
pub(super) async fn load_identifiers(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    identifiers: &BTreeSet<String>,
    listings: &[ListingId],
) -> Result<BTreeMap<String, Row<Identifier>>, LoadError> {
    let identifiers: Vec<String> = identifiers.iter().cloned().collect();
    let rows = sqlx::query!(
        r#"select identifier as "identifier!", listing_id as "listing_id!", status, source_modified_at,
            word_arrived_at, for_sale_at, for_sale_arrived_at, vin, vin_at, vin_arrived_at
        from listing_identifiers where workspace_id = $1 and identifier = any($2)
        union all
        select identifier, listing_id, status, source_modified_at,
            word_arrived_at, for_sale_at, for_sale_arrived_at, vin, vin_at, vin_arrived_at
        from listing_identifiers where workspace_id = $1 and listing_id = any($3)"#,
        workspace.get(),
        &identifiers,
        &list(listings, |id| id.get()),
    )
    .fetch_all(tx)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let place = Place::new("listing_identifiers", "listing_id", row.listing_id);
        let sale_status = place.read("status", row.status.as_deref(), read_sale_status)?;
        let vin = place.read("vin", row.vin.as_deref(), Vin::stored)?;
        let identifier = Identifier {
            listing: row.listing_id.into(),
            vin: place.timed("vin_arrived_at", vin, row.vin_at, row.vin_arrived_at)?,
            sale_status: place.timed("word_arrived_at", sale_status, row.source_modified_at, row.word_arrived_at)?,
            for_sale_at: row.for_sale_arrived_at.map(|arrived_at| SourceTime { at: row.for_sale_at, arrived_at }),
        };
        Ok((row.identifier, Row::known(identifier)))
    });
    rows.collect()
}

/// The name of a sale status in the tables.
pub(super) fn sale_status_name(sale_status: SaleStatus) -> &'static str {
    match sale_status {
        SaleStatus::ForSale => "for_sale",
        SaleStatus::Withdrawn => "withdrawn",
    }
}

/// The sale status of that name.
pub(super) fn read_sale_status(name: &str) -> Option<SaleStatus> {
    [SaleStatus::ForSale, SaleStatus::Withdrawn].into_iter().find(|sale_status| sale_status_name(*sale_status) == name)
}

/// Saves the identifiers that changed.
pub(super) async fn save_identifiers(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    state: &WorkspaceState,
) -> Result<(), sqlx::Error> {
    let dirty = state.identifiers.iter().filter(|(_, row)| row.is_dirty());
    let identifiers: Vec<Value> = dirty.map(|(key, row)| write_identifier(workspace, key, &row.value)).collect();
    if identifiers.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into listing_identifiers
            (workspace_id, identifier, listing_id, status, source_modified_at, word_arrived_at, for_sale_at,
            for_sale_arrived_at, vin, vin_at, vin_arrived_at)
        select
            workspace_id, identifier, listing_id, status, source_modified_at, word_arrived_at, for_sale_at,
            for_sale_arrived_at, vin, vin_at, vin_arrived_at
        from jsonb_populate_recordset(null::listing_identifiers, $1)
        on conflict (workspace_id, identifier) do update set
            listing_id = excluded.listing_id, status = excluded.status,
            source_modified_at = excluded.source_modified_at, word_arrived_at = excluded.word_arrived_at,
            for_sale_at = excluded.for_sale_at, for_sale_arrived_at = excluded.for_sale_arrived_at,
            vin = excluded.vin, vin_at = excluded.vin_at, vin_arrived_at = excluded.vin_arrived_at",
        Value::Array(identifiers),
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn write_identifier(workspace: WorkspaceId, key: &str, identifier: &Identifier) -> Value {
    let Identifier { listing, vin, sale_status, for_sale_at } = identifier;
    let at = |at: Option<SourceTime>| at.and_then(|at| at.at).map(json_row::time);
    let arrived_at = |at: Option<SourceTime>| at.map(|at| json_row::time(at.arrived_at));
    let sale_status_at = sale_status.as_ref().map(|sale_status| sale_status.at);
    let vin_at = vin.as_ref().map(|vin| vin.at);
    json!({
        "workspace_id": workspace.get(), "identifier": key, "listing_id": listing.get(),
        "status": sale_status.as_ref().map(|sale_status| sale_status_name(sale_status.value)),
        "source_modified_at": at(sale_status_at), "word_arrived_at": arrived_at(sale_status_at),
        "for_sale_at": at(*for_sale_at), "for_sale_arrived_at": arrived_at(*for_sale_at),
        "vin": vin.as_ref().map(|Versioned { value, .. }| value.as_str()),
        "vin_at": at(vin_at), "vin_arrived_at": arrived_at(vin_at),
    })
}
