//! Vehicles of a story, and the names that there are where a lead asked for others.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::super::Error;

/// A vehicle.
#[derive(Clone, Debug)]
pub struct ListingRow {
    /// Its row.
    pub id: i64,
    /// The identifier of its content.
    pub identifier: Option<String>,
    /// Its VIN.
    pub vin: Option<String>,
    /// Its stock number.
    pub stock_number: Option<String>,
    /// Its status.
    pub status: String,
    /// When it was withdrawn.
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// Its dealership.
    pub dealership_id: Option<i64>,
    /// Its make.
    pub make: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Its year.
    pub year: Option<i64>,
    /// Its title.
    pub title: Option<String>,
    /// Its plate.
    pub registration_number: Option<String>,
    /// Where it stands.
    pub location_name: Option<String>,
    /// Arrival of the first delivery about it.
    pub created_at: DateTime<Utc>,
}

/// These vehicles.
///
/// # Errors
/// When Postgres refuses, cannot be reached or does not answer in time.
pub async fn listings(tx: &mut PgConnection, workspace: i64, ids: &[i64]) -> Result<Vec<ListingRow>, Error> {
    let rows = sqlx::query_as!(
        ListingRow,
        "select l.id, l.identifier, l.vin, l.stock_number, l.status, l.withdrawn_at, l.dealership_id, l.make, l.model,
            l.year, l.title, l.registration_number, l.location_name, l.created_at
        from unnest($2::bigint[]) as k (id)
        cross join lateral (select * from listings where workspace_id = $1 and id = k.id offset 0) l
        order by l.id",
        workspace,
        ids,
    );
    Ok(rows.fetch_all(tx).await?)
}

/// The identifiers of these vehicles, each with the vehicle's row.
///
/// # Errors
/// When Postgres refuses, cannot be reached or does not answer in time.
pub async fn identifiers(
    tx: &mut PgConnection,
    workspace: i64,
    listings: &[i64],
    most: i64,
) -> Result<Vec<(i64, String)>, Error> {
    let rows = sqlx::query!(
        "select f.listing_id, f.identifier from unnest($2::bigint[]) as k (id)
        cross join lateral (
            select listing_id, identifier from listing_identifiers
            where workspace_id = $1 and listing_id = k.id limit $3
        ) f
        order by 1, 2",
        workspace,
        listings,
        most,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.listing_id, row.identifier)).collect())
}

/// What there is under the names that leads give: packages and locations of any case, and vehicles.
#[derive(Clone, Debug, Default)]
pub struct StockNames {
    /// Packages whose name differs in case at the most, with whether they can be booked.
    pub packages: Vec<(String, bool)>,
    /// Locations of that name, with whether they can be booked.
    pub locations: Vec<(String, bool)>,
    /// Vehicles by VIN or stock number.
    pub listings: Vec<i64>,
}

/// What there is under these names.
///
/// # Errors
/// When Postgres refuses, cannot be reached or does not answer in time.
pub async fn names_like(
    tx: &mut PgConnection,
    workspace: i64,
    (plans, locations): (&[String], &[String]),
    (vins, stock_numbers): (&[String], &[String]),
    most: i64,
) -> Result<StockNames, Error> {
    let rows = sqlx::query!(
        r#"select 'package' as "kind!", f.name as "name?", f.active as "usable?", null::bigint as id
        from unnest($2::text[]) as k (name) cross join lateral (
            select name, active from packages where workspace_id = $1 and lower(name) = lower(k.name) limit $6
        ) f
        union all
        select 'location', f.name, f.active and f.bookable, null
        from unnest($3::text[]) as k (name) cross join lateral (
            select name, active, bookable from locations
            where workspace_id = $1 and name_key = lower(k.name) offset 0
        ) f
        union all
        select 'listing', null, null, f.id
        from unnest($4::text[]) as k (vin) cross join lateral (
            select id from listings where workspace_id = $1 and vin = k.vin offset 0
        ) f
        union all
        select 'listing', null, null, f.id
        from unnest($5::text[]) as k (stock_number) cross join lateral (
            select id from listings where workspace_id = $1 and stock_number = k.stock_number limit $6
        ) f"#,
        workspace,
        plans,
        locations,
        vins,
        stock_numbers,
        most,
    )
    .fetch_all(tx)
    .await?;
    let mut found = StockNames::default();
    for row in rows {
        match (row.kind.as_str(), row.name, row.id) {
            ("package", Some(name), _) => found.packages.push((name, row.usable.unwrap_or_default())),
            ("location", Some(name), _) => found.locations.push((name, row.usable.unwrap_or_default())),
            (_, _, Some(id)) => found.listings.push(id),
            (_, _, None) => {}
        }
    }
    Ok(found)
}

/// The packages that can be booked, in the order of their names.
///
/// # Errors
/// When Postgres refuses, cannot be reached or does not answer in time.
pub async fn packages(tx: &mut PgConnection, workspace: i64, most: i64) -> Result<Vec<String>, Error> {
    let names = sqlx::query_scalar!(
        "-- once
        select name from packages where workspace_id = $1 and active order by name limit $2",
        workspace,
        most,
    );
    Ok(names.fetch_all(tx).await?)
}
