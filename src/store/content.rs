//! The content of a listing: as one JSON object in `listing_sources`, and as rows of its locations and packages.

use crate::domain::ids::{ListingId, LocationId, WorkspaceId};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::json_row::{self, JsonRow};
use super::stored::{Place, Stored, Unreadable};
use super::unnest::list;
use crate::domain::facts::{ListingColumns, ListingContent, LocationColumns, PackagePrices, SellerLocation};
use crate::domain::state::{Listing, WorkspaceState};
use rust_decimal::Decimal;

/// A content as one object.
pub(super) fn write(content: &ListingContent) -> Value {
    let ListingContent { columns, location, packages } = content;
    let mut json_row = JsonRow::new();
    columns.visit(&mut json_row::writer(&mut json_row));
    let mut object = JsonRow::new();
    object.insert("columns".to_owned(), Value::Object(json_row));
    if let Some(SellerLocation { name, columns }) = location {
        let mut json_row = JsonRow::new();
        columns.visit(&mut json_row::writer(&mut json_row));
        object.insert("location".to_owned(), json!({ "name": name, "columns": json_row }));
    }
    let packages = packages.iter().map(|package| {
        let PackagePrices { name, daily_price, weekly_price, fortnightly_price, monthly_price } = package;
        json!({
            "name": name, "daily_price": daily_price.map(text), "weekly_price": weekly_price.map(text),
            "fortnightly_price": fortnightly_price.map(text), "monthly_price": monthly_price.map(text),
        })
    });
    object.insert("packages".to_owned(), Value::Array(packages.collect()));
    Value::Object(object)
}

fn text(price: Decimal) -> String {
    price.to_string()
}

/// A content from its object, which stands in a row of this place.
pub(super) fn read(place: Place, value: &Value) -> Result<ListingContent, Unreadable> {
    let content = place.within("content", value)?;
    let columns = content.need("columns", content.value("columns"))?;
    let location = content.value("location").map(|location| read_location(content.within("content", location)?));
    let packages = content.need("packages", content.value("packages").and_then(Value::as_array))?;
    let packages = packages.iter().map(|package| read_package(content.within("content", package)?));
    Ok(ListingContent {
        columns: content.within("content", columns)?.columns(ListingColumns::from_columns)?,
        location: location.transpose()?,
        packages: packages.collect::<Result<_, _>>()?,
    })
}

fn read_location(location: Stored<'_>) -> Result<SellerLocation, Unreadable> {
    let columns = location.need("columns", location.value("columns"))?;
    let columns = location.within("content", columns)?.columns(LocationColumns::from_columns)?;
    Ok(SellerLocation { name: location.needed_text("name")?, columns })
}

fn read_package(package: Stored<'_>) -> Result<PackagePrices, Unreadable> {
    Ok(PackagePrices {
        name: package.needed_text("name")?,
        daily_price: package.decimal("daily_price")?,
        weekly_price: package.decimal("weekly_price")?,
        fortnightly_price: package.decimal("fortnightly_price")?,
        monthly_price: package.decimal("monthly_price")?,
    })
}

/// Writes the locations and packages of listings whose content changed, in place of the former ones.
pub(super) async fn save_places(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    listings: &[&Listing],
    state: &WorkspaceState,
) -> Result<(), sqlx::Error> {
    let ids: Vec<ListingId> = listings.iter().map(|listing| listing.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let locations = listings.iter().flat_map(|listing| {
        let place = |(index, location): (usize, &LocationId)| {
            json!({
                "workspace_id": workspace.get(), "listing_id": listing.id.get(), "location_id": location.get(), "position": index + 1,
            })
        };
        listing.locations.iter().enumerate().map(place)
    });
    save_locations(tx, workspace, &ids, locations.collect()).await?;
    let packages = listings.iter().flat_map(|listing| write_packages(workspace, listing, state));
    save_packages(tx, workspace, &ids, packages.collect()).await
}

fn write_packages(workspace: WorkspaceId, listing: &Listing, state: &WorkspaceState) -> Vec<Value> {
    let packages = listing.content.iter().flat_map(|content| &content.packages);
    let rows = packages.filter_map(|package| {
        let PackagePrices { name, daily_price, weekly_price, fortnightly_price, monthly_price } = package;
        let id = state.packages.get(name)?.value.id;
        Some(json!({
            "workspace_id": workspace.get(), "listing_id": listing.id.get(), "package_id": id.get(),
            "daily_price": daily_price.map(text), "weekly_price": weekly_price.map(text),
            "fortnightly_price": fortnightly_price.map(text), "monthly_price": monthly_price.map(text),
        }))
    });
    rows.collect()
}

async fn save_locations(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    listings: &[ListingId],
    rows: Vec<Value>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from listing_locations where workspace_id = $1 and listing_id = any($2)",
        workspace.get(),
        &list(listings, |id| id.get()),
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into listing_locations (workspace_id, listing_id, location_id, position)
        select workspace_id, listing_id, location_id, position
        from jsonb_populate_recordset(null::listing_locations, $1)",
        Value::Array(rows),
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_packages(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    listings: &[ListingId],
    rows: Vec<Value>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from listing_packages where workspace_id = $1 and listing_id = any($2)",
        workspace.get(),
        &list(listings, |id| id.get()),
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into listing_packages
            (workspace_id, listing_id, package_id, daily_price, weekly_price, fortnightly_price, monthly_price)
        select workspace_id, listing_id, package_id, daily_price, weekly_price, fortnightly_price, monthly_price
        from jsonb_populate_recordset(null::listing_packages, $1)",
        Value::Array(rows),
    )
    .execute(tx)
    .await?;
    Ok(())
}
