//! Listings: their rows, and the identifiers and sources from which the rules compute them.

use crate::domain::ids::{ListingId, LocationId, WorkspaceId};
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::identifiers::{load_identifiers, read_sale_status, sale_status_name, save_identifiers};
use super::json_row;
use super::leads::{number_texts, vin_texts};
use super::stored::{LoadError, Place};
use super::unnest::list;
use crate::domain::content;
use crate::domain::facts::ListingContent;
use crate::domain::keys::Keys;
use crate::domain::state::{Listing, ListingChange, ListingSource, ListingStatus, Row, SourceKey, WorkspaceState};
use crate::domain::values::{StockNumber, Vin};
use crate::domain::version::SourceTime;

/// Loads what deliveries about vehicles can touch: the listings that they name or named, with all that was said of
/// them, and their rivals, which bear a stock number that one of those bears, bore, or may bear.
pub(super) async fn load(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    keys: &Keys,
    state: &mut WorkspaceState,
) -> Result<(), LoadError> {
    if keys.identifiers.is_empty() {
        return Ok(());
    }
    state.identifiers = load_identifiers(tx, workspace, &keys.identifiers, &[]).await?;
    let known = || state.identifiers.values().map(|row| &row.value);
    let mut vins = keys.vins.clone();
    vins.extend(known().filter_map(|identifier| identifier.vin.as_ref()).map(|vin| vin.value.clone()));
    let listing_ids: Vec<ListingId> = known().map(|identifier| identifier.listing).collect();
    state.listings = load_rows(tx, workspace, &vin_texts(&vins), &[], &listing_ids).await?;
    let ids: Vec<ListingId> = state.listings.keys().copied().collect();
    state.identifiers.extend(load_identifiers(tx, workspace, &BTreeSet::new(), &ids).await?);
    state.sources = load_sources(tx, workspace, &ids).await?;
    load_contents(tx, workspace, &keys.contents(&state.sources), state).await?;
    let rivals = number_texts(&keys.rival_stock_numbers(&state.sources));
    if !rivals.is_empty() {
        for (id, row) in load_rows(tx, workspace, &[], &rivals, &[]).await? {
            // Those that are there already stay as they are.
            state.listings.entry(id).or_insert(row);
        }
    }
    Ok(())
}

/// The status of that name.
pub(super) fn read_status(name: &str) -> Option<ListingStatus> {
    let all = [ListingStatus::ForSale, ListingStatus::Withdrawn, ListingStatus::Archived];
    all.into_iter().find(|status| status.name() == name)
}

/// Loads rows by VIN, stock number or id, without their content.
async fn load_rows(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    vins: &[String],
    numbers: &[String],
    ids: &[ListingId],
) -> Result<BTreeMap<ListingId, Row<Listing>>, LoadError> {
    let rows = sqlx::query!(
        r#"with wanted as (
            select l.id from unnest($2::text[]) as k (vin)
            cross join lateral (select id from listings where workspace_id = $1 and vin = k.vin offset 0) l
            union select l.id from unnest($3::text[]) as k (stock_number)
            cross join lateral (
                select id from listings where workspace_id = $1 and stock_number = k.stock_number offset 0
            ) l
            union select k.id from unnest($4::bigint[]) as k (id)
        )
        select l.price_egc, l.price_dap, l.price_before, l.price_rrp, l.price_igc,
            l.id, l.vin, l.identifier, l.shows_vin, l.status, l.word, l.withdrawn_at, l.claims, l.stock_number,
            l.dealership_id, l.source_modified_at, l.content_arrived_at, l.created_at, l.updated_at,
            array(
                select location_id from listing_locations k
                where k.workspace_id = $1 and k.listing_id = l.id order by k.position
            ) as "locations!"
        from wanted cross join lateral (select * from listings where workspace_id = $1 and id = wanted.id offset 0) l"#,
        workspace.get(),
        vins,
        numbers,
        &list(ids, |id| id.get()),
    )
    .fetch_all(tx)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let place = Place::new("listings", "id", row.id);
        let shown_vin = place.read("shows_vin", row.shows_vin.as_deref(), Vin::stored)?;
        let at = row.source_modified_at;
        let listing = Listing {
            id: row.id.into(),
            vin: place.read("vin", row.vin.as_deref(), Vin::stored)?,
            displayed_source: row.identifier.map(|identifier| (identifier, shown_vin)),
            content_at: row.content_arrived_at.map(|arrived_at| SourceTime { at, arrived_at }),
            holds_stock_number: row.claims,
            content: None,
            stock_number: place.read("stock_number", row.stock_number.as_deref(), StockNumber::stored)?,
            dealership_id: row.dealership_id,
            prices: content::prices_of([row.price_egc, row.price_dap, row.price_before, row.price_rrp, row.price_igc]),
            sale_status: place.need("word", read_sale_status(&row.word))?,
            withdrawn_at: row.withdrawn_at,
            status: place.need("status", read_status(&row.status))?,
            locations: row.locations.into_iter().map(LocationId::from).collect(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Ok((row.id.into(), Row::known(listing)))
    });
    rows.collect()
}

/// Loads the sources of these listings, without the content.
async fn load_sources(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    listings: &[ListingId],
) -> Result<BTreeMap<SourceKey, Row<ListingSource>>, LoadError> {
    let rows = sqlx::query!(
        "select identifier, vin, listing_id, for_sale, source_modified_at, arrived_at, stock_number, dealership_id,
            fingerprint
        from listing_sources where workspace_id = $1 and listing_id = any($2)",
        workspace.get(),
        &list(listings, |id| id.get()),
    )
    .fetch_all(tx)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let place = Place::new("listing_sources", "listing_id", row.listing_id);
        let source = ListingSource {
            listing: row.listing_id.into(),
            for_sale: row.for_sale,
            at: SourceTime { at: row.source_modified_at, arrived_at: row.arrived_at },
            fingerprint: row.fingerprint,
            content: None,
            stock_number: place.read("stock_number", row.stock_number.as_deref(), StockNumber::stored)?,
            dealership_id: row.dealership_id,
        };
        Ok(((row.identifier, Vin::stored(&row.vin)), Row::known(source)))
    });
    rows.collect()
}

/// Loads the contents of these sources.
async fn load_contents(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    sources: &[SourceKey],
    state: &mut WorkspaceState,
) -> Result<(), LoadError> {
    if sources.is_empty() {
        return Ok(());
    }
    let keys = sources.iter().map(|(identifier, vin)| (identifier.clone(), vin_text(vin.as_ref())));
    let (identifiers, vins): (Vec<String>, Vec<String>) = keys.unzip();
    // One by one: as JSON they take several times as much memory.
    let mut rows = sqlx::query!(
        "select s.identifier, s.vin, s.content
        from unnest($2::text[], $3::text[]) as k (identifier, vin)
        cross join lateral (
            select identifier, vin, content from listing_sources
            where workspace_id = $1 and identifier = k.identifier and vin = k.vin offset 0
        ) s",
        workspace.get(),
        &identifiers,
        &vins,
    )
    .fetch(tx);
    while let Some(row) = rows.try_next().await? {
        if let Some(source) = state.sources.get_mut(&(row.identifier, Vin::stored(&row.vin))) {
            let place = Place::new("listing_sources", "listing_id", source.value.listing.get());
            source.value.content = Some(Box::new(super::content::read(place, &row.content)?));
        }
    }
    Ok(())
}

/// The VIN as it stands in a key: empty where there is none.
pub(super) fn vin_text(vin: Option<&Vin>) -> String {
    vin.map(|vin| vin.as_str().to_owned()).unwrap_or_default()
}

fn changed(state: &WorkspaceState) -> impl Iterator<Item = &Listing> {
    state.listings.values().filter(|row| row.is_dirty()).map(|row| &row.value)
}

/// Writes the listings whose content changed, or that are new, with what belongs to any that changed.
pub(super) async fn save(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    state: &WorkspaceState,
) -> Result<(), sqlx::Error> {
    let whole: Vec<&Listing> = changed(state).filter(|listing| listing.content.is_some()).collect();
    let contents = whole.iter().filter_map(|listing| Some((*listing, listing.content.as_deref()?)));
    super::listing_insert::save(tx, workspace, contents).await?;
    save_identifiers(tx, workspace, state).await?;
    save_sources(tx, workspace, state).await?;
    super::content::save_places(tx, workspace, &whole, state).await?;
    save_changes(tx, workspace, &state.changes).await
}

/// Writes the listings that changed and whose content stays. They are looked up, not inserted.
pub(super) async fn save_heads(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    state: &WorkspaceState,
) -> Result<(), sqlx::Error> {
    let heads: Vec<&Listing> = changed(state).filter(|listing| listing.content.is_none()).collect();
    if heads.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update listings set vin = head.vin, word = head.word, withdrawn_at = head.withdrawn_at,
            status = head.status, updated_at = head.updated_at
        from unnest($2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::timestamptz[])
            as head (id, vin, word, withdrawn_at, status, updated_at)
        where listings.workspace_id = $1 and listings.id = head.id",
        workspace.get(),
        &list(&heads, |head| head.id.get()),
        &list(&heads, |head| head.vin.as_ref().map(Vin::as_str)) as &[Option<&str>],
        &list(&heads, |head| sale_status_name(head.sale_status)) as &[&str],
        &list(&heads, |head| head.withdrawn_at) as &[Option<DateTime<Utc>>],
        &list(&heads, |head| head.status.name()) as &[&str],
        &list(&heads, |head| head.updated_at),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A source that changed has its content at hand: it came with this batch, or loaded because its listing may change.
async fn save_sources(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    state: &WorkspaceState,
) -> Result<(), sqlx::Error> {
    let dirty = state.sources.iter().filter(|(_, row)| row.is_dirty());
    let with_content = dirty.filter_map(|(key, row)| Some((key, &row.value, row.value.content.as_deref()?)));
    let sources: Vec<(&SourceKey, &ListingSource, &ListingContent)> = with_content.collect();
    if sources.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into listing_sources
            (workspace_id, identifier, vin, listing_id, for_sale, source_modified_at, arrived_at, stock_number,
            dealership_id, fingerprint, content)
        select
            $1, identifier, vin, listing_id, for_sale, source_modified_at, arrived_at, stock_number,
            dealership_id, fingerprint, content::jsonb
        from unnest($2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::timestamptz[], $7::timestamptz[],
            $8::text[], $9::bigint[], $10::text[], $11::text[])
            as s (identifier, vin, listing_id, for_sale, source_modified_at, arrived_at, stock_number, dealership_id,
            fingerprint, content)
        on conflict (workspace_id, identifier, vin) do update set
            listing_id = excluded.listing_id, for_sale = excluded.for_sale,
            source_modified_at = excluded.source_modified_at, arrived_at = excluded.arrived_at,
            stock_number = excluded.stock_number, dealership_id = excluded.dealership_id,
            fingerprint = excluded.fingerprint, content = excluded.content",
        workspace.get(),
        &list(&sources, |((identifier, _), ..)| identifier.as_str()) as &[&str],
        &list(&sources, |((_, vin), ..)| vin_text(vin.as_ref())),
        &list(&sources, |(_, source, _)| source.listing.get()),
        &list(&sources, |(_, source, _)| source.for_sale),
        &list(&sources, |(_, source, _)| source.at.at) as &[Option<DateTime<Utc>>],
        &list(&sources, |(_, source, _)| source.at.arrived_at),
        &list(&sources, |(_, source, _)| source.stock_number.as_ref().map(StockNumber::as_str)) as &[Option<&str>],
        &list(&sources, |(_, source, _)| source.dealership_id) as &[Option<i64>],
        &list(&sources, |(_, source, _)| source.fingerprint.as_str()) as &[&str],
        &list(&sources, |(_, _, content)| super::content::write(content).to_string()),
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_changes(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    changes: &[ListingChange],
) -> Result<(), sqlx::Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let changes = changes.iter().map(|change| {
        let ListingChange { listing, field, old_value, new_value, changed_at } = change;
        json!({
            "workspace_id": workspace.get(), "listing_id": listing.get(), "field": field,
            "old_value": old_value, "new_value": new_value, "changed_at": json_row::time(*changed_at),
        })
    });
    sqlx::query!(
        "insert into listing_changes (workspace_id, listing_id, field, old_value, new_value, changed_at)
        select workspace_id, listing_id, field, old_value, new_value, changed_at
        from jsonb_populate_recordset(null::listing_changes, $1)",
        Value::Array(changes.collect()),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Moves what points to rows that merged into others, and removes them.
pub(super) async fn save_merged(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    merged: &[(ListingId, ListingId)],
) -> Result<(), sqlx::Error> {
    let (former, into): (Vec<i64>, Vec<i64>) = merged.iter().map(|(former, into)| (former.get(), into.get())).unzip();
    if former.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update bookings set listing_id = m.into_id
        from unnest($2::bigint[], $3::bigint[]) as m (former_id, into_id)
        where workspace_id = $1 and listing_id = m.former_id",
        workspace.get(),
        &former,
        &into,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "update listing_changes set listing_id = m.into_id
        from unnest($2::bigint[], $3::bigint[]) as m (former_id, into_id)
        where workspace_id = $1 and listing_id = m.former_id",
        workspace.get(),
        &former,
        &into,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "delete from listing_locations where workspace_id = $1 and listing_id = any($2)",
        workspace.get(),
        &former
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "delete from listing_packages where workspace_id = $1 and listing_id = any($2)",
        workspace.get(),
        &former
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from listings where workspace_id = $1 and id = any($2)", workspace.get(), &former)
        .execute(tx)
        .await?;
    Ok(())
}
