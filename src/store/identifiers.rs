//! The sender's identifiers of vehicles: `listing_identifiers`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::record;
use super::stored::{LoadError, Place};
use crate::domain::facts::SaleWord;
use crate::domain::stamp::{Moment, Timed};
use crate::domain::values::Vin;
use crate::domain::world::{Identifier, Row, RowId, Tenant};

/// Loads these identifiers, and all of these listings.
pub(super) async fn load_identifiers(
    tx: &mut PgConnection,
    workspace: i64,
    identifiers: &BTreeSet<String>,
    listings: &[RowId],
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
        workspace,
        &identifiers,
        listings,
    )
    .fetch_all(tx)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let place = Place::new("listing_identifiers", "listing_id", row.listing_id);
        let word = place.read("status", row.status.as_deref(), read_word)?;
        let vin = place.read("vin", row.vin.as_deref(), Vin::stored)?;
        let identifier = Identifier {
            listing: row.listing_id,
            vin: place.timed("vin_arrived_at", vin, row.vin_at, row.vin_arrived_at)?,
            word: place.timed("word_arrived_at", word, row.source_modified_at, row.word_arrived_at)?,
            for_sale_at: row.for_sale_arrived_at.map(|arrived_at| Moment { at: row.for_sale_at, arrived_at }),
        };
        Ok((row.identifier, Row::known(identifier)))
    });
    rows.collect()
}

/// The name of a word in the tables.
pub(super) fn word_name(word: SaleWord) -> &'static str {
    match word {
        SaleWord::ForSale => "for_sale",
        SaleWord::Withdrawn => "withdrawn",
    }
}

/// The word of that name.
pub(super) fn read_word(name: &str) -> Option<SaleWord> {
    [SaleWord::ForSale, SaleWord::Withdrawn].into_iter().find(|word| word_name(*word) == name)
}

/// Saves the identifiers that changed.
pub(super) async fn save_identifiers(
    tx: &mut PgConnection,
    workspace: i64,
    tenant: &Tenant,
) -> Result<(), sqlx::Error> {
    let dirty = tenant.identifiers.iter().filter(|(_, row)| row.is_dirty());
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

fn write_identifier(workspace: i64, key: &str, identifier: &Identifier) -> Value {
    let Identifier { listing, vin, word, for_sale_at } = identifier;
    let at = |at: Option<Moment>| at.and_then(|at| at.at).map(record::time);
    let arrived_at = |at: Option<Moment>| at.map(|at| record::time(at.arrived_at));
    let word_at = word.as_ref().map(|word| word.at);
    let vin_at = vin.as_ref().map(|vin| vin.at);
    json!({
        "workspace_id": workspace, "identifier": key, "listing_id": listing,
        "status": word.as_ref().map(|word| word_name(word.value)),
        "source_modified_at": at(word_at), "word_arrived_at": arrived_at(word_at),
        "for_sale_at": at(*for_sale_at), "for_sale_arrived_at": arrived_at(*for_sale_at),
        "vin": vin.as_ref().map(|Timed { value, .. }| value.as_str()),
        "vin_at": at(vin_at), "vin_arrived_at": arrived_at(vin_at),
    })
}
