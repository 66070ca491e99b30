//! Listings: their rows, and the identifiers and sources from which the rules compute them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::identifiers::{load_identifiers, read_word, save_identifiers, word_name};
use super::leads::{number_texts, vin_texts};
use super::record::{self, Record};
use crate::domain::content;
use crate::domain::keys::Keys;
use crate::domain::stamp::Moment;
use crate::domain::values::{StockNumber, Vin};
use crate::domain::world::{Listing, ListingChange, ListingSource, ListingStatus, Row, RowId, SourceKey, Tenant};

/// Loads what deliveries about vehicles can touch: the listings that they name or named, with all that was said of them,
/// and their rivals, which bear a stock number that one of those bears, bore, or may bear.
pub(super) async fn load(
    tx: &mut PgConnection,
    workspace: i64,
    keys: &Keys,
    tenant: &mut Tenant,
) -> Result<(), sqlx::Error> {
    if keys.identifiers.is_empty() {
        return Ok(());
    }
    tenant.identifiers = load_identifiers(tx, workspace, &keys.identifiers, &[]).await?;
    let known = || tenant.identifiers.values().map(|row| &row.value);
    let mut vins = keys.vins.clone();
    vins.extend(known().filter_map(|identifier| identifier.vin.as_ref()).map(|vin| vin.value.clone()));
    let homes: Vec<RowId> = known().map(|identifier| identifier.listing).collect();
    tenant.listings = load_rows(tx, workspace, &vin_texts(&vins), &[], &homes).await?;
    let ids: Vec<RowId> = tenant.listings.keys().copied().collect();
    tenant.identifiers.extend(load_identifiers(tx, workspace, &BTreeSet::new(), &ids).await?);
    tenant.sources = load_sources(tx, workspace, &ids).await?;
    load_contents(tx, workspace, &keys.contents(&tenant.sources), tenant).await?;
    add_rows(tx, workspace, &BTreeSet::new(), &keys.shelves(&tenant.sources), tenant).await
}

/// Loads the listings that leads ask for.
pub(super) async fn load_wanted(
    tx: &mut PgConnection,
    workspace: i64,
    keys: &Keys,
    tenant: &mut Tenant,
) -> Result<(), sqlx::Error> {
    add_rows(tx, workspace, &keys.wanted_vins, &keys.wanted_stock_numbers, tenant).await
}

/// Loads rows that are only looked at; those that are there already stay as they are.
async fn add_rows(
    tx: &mut PgConnection,
    workspace: i64,
    vins: &BTreeSet<Vin>,
    numbers: &BTreeSet<StockNumber>,
    tenant: &mut Tenant,
) -> Result<(), sqlx::Error> {
    if vins.is_empty() && numbers.is_empty() {
        return Ok(());
    }
    for (id, row) in load_rows(tx, workspace, &vin_texts(vins), &number_texts(numbers), &[]).await? {
        tenant.listings.entry(id).or_insert(row);
    }
    Ok(())
}

/// Loads the listings that the loaded leads ask for or have booked, beside those loaded already.
pub(super) async fn load_asked_for(
    tx: &mut PgConnection,
    workspace: i64,
    keys: &Keys,
    tenant: &mut Tenant,
) -> Result<(), sqlx::Error> {
    let loaded: BTreeSet<&Vin> = tenant.listings.values().filter_map(|row| row.value.vin.as_ref()).collect();
    let asked = || tenant.leads.values().map(|row| &row.value.columns);
    let vins: BTreeSet<&Vin> = asked().filter_map(|columns| columns.vin.as_ref()).collect();
    let vins = vins.into_iter().filter(|vin| !loaded.contains(vin) && !keys.wanted_vins.contains(vin));
    let numbers: BTreeSet<&StockNumber> = asked().filter_map(|columns| columns.stock_number.as_ref()).collect();
    let is_loaded =
        |number: &StockNumber| keys.wanted_stock_numbers.contains(number) || keys.stock_numbers.contains(number);
    let numbers = numbers.into_iter().filter(|number| !is_loaded(number));
    let booked = tenant.bookings.values().map(|row| row.value.listing);
    let booked: Vec<RowId> = booked.filter(|id| !tenant.listings.contains_key(id)).collect();
    let (vins, numbers) = (vin_texts(vins), number_texts(numbers));
    if vins.is_empty() && numbers.is_empty() && booked.is_empty() {
        return Ok(());
    }
    for (id, row) in load_rows(tx, workspace, &vins, &numbers, &booked).await? {
        tenant.listings.entry(id).or_insert(row);
    }
    Ok(())
}

fn read_status(name: &str) -> Option<ListingStatus> {
    let all = [ListingStatus::ForSale, ListingStatus::Withdrawn, ListingStatus::Archived];
    all.into_iter().find(|status| status.name() == name)
}

/// Loads rows by VIN, stock number or id, without their content.
async fn load_rows(
    tx: &mut PgConnection,
    workspace: i64,
    vins: &[String],
    numbers: &[String],
    ids: &[RowId],
) -> Result<BTreeMap<RowId, Row<Listing>>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"with wanted as (
            select id from listings where workspace_id = $1 and vin = any($2)
            union select id from listings where workspace_id = $1 and stock_number = any($3)
            union select id from listings where workspace_id = $1 and id = any($4)
        )
        select jsonb_build_object(
                'price_egc', l.price_egc, 'price_dap', l.price_dap, 'price_before', l.price_before,
                'price_rrp', l.price_rrp, 'price_igc', l.price_igc
            ) as "prices!",
            l.id, l.vin, l.identifier, l.shows_vin, l.status, l.word, l.withdrawn_at, l.claims, l.stock_number,
            l.dealership_id, l.source_modified_at, l.content_arrived_at, l.created_at, l.updated_at,
            array(
                select location_id from listing_locations k
                where k.workspace_id = l.workspace_id and k.listing_id = l.id order by k.position
            ) as "locations!"
        from wanted join listings l on l.workspace_id = $1 and l.id = wanted.id"#,
        workspace,
        vins,
        numbers,
        ids,
    )
    .fetch_all(tx)
    .await?;
    let rows = rows.into_iter().filter_map(|row| {
        let shown_vin = row.shows_vin.as_deref().and_then(Vin::parse);
        let at = row.source_modified_at;
        let listing = Listing {
            id: row.id,
            vin: row.vin.as_deref().and_then(Vin::parse),
            shows: row.identifier.map(|identifier| (identifier, shown_vin)),
            content_at: row.content_arrived_at.map(|arrived_at| Moment { at, arrived_at }),
            claims: row.claims,
            content: None,
            stock_number: row.stock_number.as_deref().and_then(StockNumber::parse),
            dealership_id: row.dealership_id,
            prices: content::prices_of(&mut record::reader(&row.prices)),
            word: read_word(&row.word)?,
            withdrawn_at: row.withdrawn_at,
            status: read_status(&row.status)?,
            locations: row.locations,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Some((row.id, Row::known(listing)))
    });
    Ok(rows.collect())
}

/// Loads what was said of these listings, without the content.
async fn load_sources(
    tx: &mut PgConnection,
    workspace: i64,
    listings: &[RowId],
) -> Result<BTreeMap<SourceKey, Row<ListingSource>>, sqlx::Error> {
    let rows = sqlx::query!(
        "select identifier, vin, listing_id, for_sale, source_modified_at, arrived_at, stock_number, dealership_id,
            fingerprint
        from listing_sources where workspace_id = $1 and listing_id = any($2)",
        workspace,
        listings,
    )
    .fetch_all(tx)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let source = ListingSource {
            listing: row.listing_id,
            for_sale: row.for_sale,
            at: Moment { at: row.source_modified_at, arrived_at: row.arrived_at },
            fingerprint: row.fingerprint,
            content: None,
            stock_number: row.stock_number.as_deref().and_then(StockNumber::parse),
            dealership_id: row.dealership_id,
        };
        ((row.identifier, Vin::parse(&row.vin)), Row::known(source))
    });
    Ok(rows.collect())
}

/// Loads the contents of these sources.
async fn load_contents(
    tx: &mut PgConnection,
    workspace: i64,
    sources: &[SourceKey],
    tenant: &mut Tenant,
) -> Result<(), sqlx::Error> {
    if sources.is_empty() {
        return Ok(());
    }
    let keys = sources.iter().map(|(identifier, vin)| (identifier.clone(), vin_text(vin.as_ref())));
    let (identifiers, vins): (Vec<String>, Vec<String>) = keys.unzip();
    let rows = sqlx::query!(
        "select s.identifier, s.vin, s.content
        from unnest($2::text[], $3::text[]) as k (identifier, vin)
        join listing_sources s on s.workspace_id = $1 and s.identifier = k.identifier and s.vin = k.vin",
        workspace,
        &identifiers,
        &vins,
    )
    .fetch_all(tx)
    .await?;
    for row in rows {
        if let Some(source) = tenant.sources.get_mut(&(row.identifier, Vin::parse(&row.vin))) {
            source.value.content = Some(Box::new(super::content::read(&row.content)));
        }
    }
    Ok(())
}

/// The VIN as it stands in a key: empty where there is none.
fn vin_text(vin: Option<&Vin>) -> String {
    vin.map(|vin| vin.as_str().to_owned()).unwrap_or_default()
}

/// Writes the listings that changed, with what belongs to them.
pub(super) async fn save(tx: &mut PgConnection, workspace: i64, tenant: &Tenant) -> Result<(), sqlx::Error> {
    let dirty = || tenant.listings.values().filter(|row| row.is_dirty()).map(|row| &row.value);
    let (whole, heads): (Vec<&Listing>, Vec<&Listing>) = dirty().partition(|listing| listing.content.is_some());
    save_whole(tx, whole.iter().map(|listing| write(workspace, listing)).collect()).await?;
    save_heads(tx, heads.iter().map(|listing| write(workspace, listing)).collect()).await?;
    save_identifiers(tx, workspace, tenant).await?;
    save_sources(tx, workspace, tenant).await?;
    super::content::save_places(tx, workspace, &whole, tenant).await?;
    save_changes(tx, workspace, &tenant.changes).await
}

fn write(workspace: i64, listing: &Listing) -> Value {
    let Listing {
        id,
        vin,
        shows,
        content_at,
        claims,
        content,
        stock_number,
        dealership_id,
        prices: _,
        word,
        withdrawn_at,
        status,
        locations: _,
        created_at,
        updated_at,
    } = listing;
    let mut record = Record::new();
    if let Some(content) = content {
        content.columns.visit(&mut record::writer(&mut record));
    }
    let mut put = |name: &str, value: Value| record.insert(name.to_owned(), value);
    put("workspace_id", json!(workspace));
    put("id", json!(id));
    put("vin", json!(vin.as_ref().map(Vin::as_str)));
    put("identifier", json!(shows.as_ref().map(|(identifier, _)| identifier)));
    put("shows_vin", json!(shows.as_ref().and_then(|(_, vin)| vin.as_ref()).map(Vin::as_str)));
    put("source_modified_at", content_at.and_then(|at| at.at).map_or(Value::Null, record::time));
    put("content_arrived_at", content_at.map_or(Value::Null, |at| record::time(at.arrived_at)));
    put("claims", json!(claims));
    put("stock_number", json!(stock_number.as_ref().map(StockNumber::as_str)));
    put("dealership_id", json!(dealership_id));
    put("word", json!(word_name(*word)));
    put("withdrawn_at", withdrawn_at.map_or(Value::Null, record::time));
    put("status", json!(status.name()));
    put("created_at", record::time(*created_at));
    put("updated_at", record::time(*updated_at));
    Value::Object(record)
}

/// Rows whose content changed, or that are new.
#[expect(clippy::too_many_lines, reason = "one statement that names every column three times")]
async fn save_whole(tx: &mut PgConnection, listings: Vec<Value>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into listings
            (workspace_id, id, identifier, vin, status, withdrawn_at, stock_number, dealership_id, seller_name,
            location_name, seller, vehicle_type, listing_type, sale_status, sale_type, make, model, series, badge,
            year, body_style, transmission, fuel_type, drive, doors, seats, colour, interior_colour, odometer,
            odometer_unit, registration_number, registration_expires_at, price_egc, price_dap, price_before,
            price_rrp, price_igc, title, description, slug, specification_identifier, specification_source,
            specification_code, specification_description, country_code, release_date, build_year, build_month,
            build_date, compliance_year, compliance_month, compliance_date, certified, certification_type,
            identification, colours, odometer_readings, attributes, features, media, warranty, price_list,
            vendor_data, destinations, subscription_pricing, source_created_at, source_modified_at, created_at,
            updated_at, word, claims, shows_vin, content_arrived_at)
        select
            workspace_id, id, identifier, vin, status, withdrawn_at, stock_number, dealership_id, seller_name,
            location_name, seller, vehicle_type, listing_type, sale_status, sale_type, make, model, series, badge,
            year, body_style, transmission, fuel_type, drive, doors, seats, colour, interior_colour, odometer,
            odometer_unit, registration_number, registration_expires_at, price_egc, price_dap, price_before,
            price_rrp, price_igc, title, description, slug, specification_identifier, specification_source,
            specification_code, specification_description, country_code, release_date, build_year, build_month,
            build_date, compliance_year, compliance_month, compliance_date, certified, certification_type,
            identification, colours, odometer_readings, attributes, features, media, warranty, price_list,
            vendor_data, destinations, subscription_pricing, source_created_at, source_modified_at, created_at,
            updated_at, word, claims, shows_vin, content_arrived_at
        from jsonb_populate_recordset(null::listings, $1)
        on conflict (workspace_id, id) do update set
            identifier = excluded.identifier, vin = excluded.vin, status = excluded.status,
            withdrawn_at = excluded.withdrawn_at, stock_number = excluded.stock_number,
            dealership_id = excluded.dealership_id, seller_name = excluded.seller_name,
            location_name = excluded.location_name, seller = excluded.seller, vehicle_type = excluded.vehicle_type,
            listing_type = excluded.listing_type, sale_status = excluded.sale_status, sale_type = excluded.sale_type,
            make = excluded.make, model = excluded.model, series = excluded.series, badge = excluded.badge,
            year = excluded.year, body_style = excluded.body_style, transmission = excluded.transmission,
            fuel_type = excluded.fuel_type, drive = excluded.drive, doors = excluded.doors, seats = excluded.seats,
            colour = excluded.colour, interior_colour = excluded.interior_colour, odometer = excluded.odometer,
            odometer_unit = excluded.odometer_unit, registration_number = excluded.registration_number,
            registration_expires_at = excluded.registration_expires_at, price_egc = excluded.price_egc,
            price_dap = excluded.price_dap, price_before = excluded.price_before, price_rrp = excluded.price_rrp,
            price_igc = excluded.price_igc, title = excluded.title, description = excluded.description,
            slug = excluded.slug, specification_identifier = excluded.specification_identifier,
            specification_source = excluded.specification_source, specification_code = excluded.specification_code,
            specification_description = excluded.specification_description, country_code = excluded.country_code,
            release_date = excluded.release_date, build_year = excluded.build_year,
            build_month = excluded.build_month, build_date = excluded.build_date,
            compliance_year = excluded.compliance_year, compliance_month = excluded.compliance_month,
            compliance_date = excluded.compliance_date, certified = excluded.certified,
            certification_type = excluded.certification_type, identification = excluded.identification,
            colours = excluded.colours, odometer_readings = excluded.odometer_readings,
            attributes = excluded.attributes, features = excluded.features, media = excluded.media,
            warranty = excluded.warranty, price_list = excluded.price_list, vendor_data = excluded.vendor_data,
            destinations = excluded.destinations, subscription_pricing = excluded.subscription_pricing,
            source_created_at = excluded.source_created_at, source_modified_at = excluded.source_modified_at,
            updated_at = excluded.updated_at, word = excluded.word, claims = excluded.claims,
            shows_vin = excluded.shows_vin, content_arrived_at = excluded.content_arrived_at",
        Value::Array(listings),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Rows whose content stays.
async fn save_heads(tx: &mut PgConnection, listings: Vec<Value>) -> Result<(), sqlx::Error> {
    if listings.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update listings set vin = head.vin, word = head.word, withdrawn_at = head.withdrawn_at,
            status = head.status, updated_at = head.updated_at
        from jsonb_populate_recordset(null::listings, $1) as head
        where listings.workspace_id = head.workspace_id and listings.id = head.id",
        Value::Array(listings),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A source that changed has its content at hand: it was said in this batch, or loaded because its listing may change.
async fn save_sources(tx: &mut PgConnection, workspace: i64, tenant: &Tenant) -> Result<(), sqlx::Error> {
    let dirty = tenant.sources.iter().filter(|(_, row)| row.is_dirty());
    let sources: Vec<Value> = dirty.filter_map(|(key, row)| write_source(workspace, key, &row.value)).collect();
    if sources.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into listing_sources
            (workspace_id, identifier, vin, listing_id, for_sale, source_modified_at, arrived_at, stock_number,
            dealership_id, fingerprint, content)
        select
            workspace_id, identifier, vin, listing_id, for_sale, source_modified_at, arrived_at, stock_number,
            dealership_id, fingerprint, content
        from jsonb_populate_recordset(null::listing_sources, $1)
        on conflict (workspace_id, identifier, vin) do update set
            listing_id = excluded.listing_id, for_sale = excluded.for_sale,
            source_modified_at = excluded.source_modified_at, arrived_at = excluded.arrived_at,
            stock_number = excluded.stock_number, dealership_id = excluded.dealership_id,
            fingerprint = excluded.fingerprint, content = excluded.content",
        Value::Array(sources),
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn write_source(workspace: i64, key: &SourceKey, source: &ListingSource) -> Option<Value> {
    let ListingSource { listing, for_sale, at, fingerprint, content, stock_number, dealership_id } = source;
    let (identifier, vin) = key;
    Some(json!({
        "workspace_id": workspace, "identifier": identifier, "vin": vin_text(vin.as_ref()), "listing_id": listing,
        "for_sale": for_sale, "source_modified_at": at.at.map(record::time), "arrived_at": record::time(at.arrived_at),
        "stock_number": stock_number.as_ref().map(StockNumber::as_str), "dealership_id": dealership_id,
        "fingerprint": fingerprint, "content": super::content::write(content.as_ref()?),
    }))
}

async fn save_changes(tx: &mut PgConnection, workspace: i64, changes: &[ListingChange]) -> Result<(), sqlx::Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let changes = changes.iter().map(|change| {
        let ListingChange { listing, field, old_value, new_value, changed_at } = change;
        json!({
            "workspace_id": workspace, "listing_id": listing, "field": field,
            "old_value": old_value, "new_value": new_value, "changed_at": record::time(*changed_at),
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
    workspace: i64,
    merged: &[(RowId, RowId)],
) -> Result<(), sqlx::Error> {
    let (former, into): (Vec<RowId>, Vec<RowId>) = merged.iter().copied().unzip();
    if former.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update bookings set listing_id = m.into_id
        from unnest($2::bigint[], $3::bigint[]) as m (former_id, into_id)
        where workspace_id = $1 and listing_id = m.former_id",
        workspace,
        &former,
        &into,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "update listing_changes set listing_id = m.into_id
        from unnest($2::bigint[], $3::bigint[]) as m (former_id, into_id)
        where workspace_id = $1 and listing_id = m.former_id",
        workspace,
        &former,
        &into,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from listing_locations where workspace_id = $1 and listing_id = any($2)", workspace, &former)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("delete from listing_packages where workspace_id = $1 and listing_id = any($2)", workspace, &former)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("delete from listings where workspace_id = $1 and id = any($2)", workspace, &former)
        .execute(tx)
        .await?;
    Ok(())
}
