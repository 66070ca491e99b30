//! Locations and packages: few for each workspace, so all of them are loaded.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::record::{self, Record};
use crate::domain::facts::{LocationColumns, SellerLocation};
use crate::domain::workspace::ConfiguredLocation;
use crate::domain::world::{Location, Package, Row, Tenant};

/// The workspace's locations, by name in lower case, and its packages, by name.
pub(super) type Places = (BTreeMap<String, Row<Location>>, BTreeMap<String, Row<Package>>);

/// Loads the workspace's locations and packages, which alone have no key of their name.
pub(super) async fn load(tx: &mut PgConnection, workspace: i64) -> Result<Places, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id as "id!", name as "name!", name_key, configured, reported, reported_at, reported_arrived_at
        from locations where workspace_id = $1
        union all
        select id, name, null, to_jsonb(configured), to_jsonb(reported), null, null
        from packages where workspace_id = $1"#,
        workspace,
    )
    .fetch_all(tx)
    .await?;
    let (mut locations, mut packages) = Places::default();
    for row in rows {
        let (id, configured, reported) = (row.id, row.configured.as_ref(), row.reported.as_ref());
        if let Some(key) = row.name_key {
            let reported = record::timed(reported.and_then(read_reported), row.reported_at, row.reported_arrived_at);
            let configured = configured.and_then(read_configured);
            locations.insert(key, Row::known(Location { id, last_name: row.name, configured, reported }));
        } else {
            let is = |truth: Option<&Value>| truth.and_then(Value::as_bool).unwrap_or_default();
            let package = Package { id, configured: is(configured), reported: is(reported) };
            packages.insert(row.name, Row::known(package));
        }
    }
    Ok((locations, packages))
}

fn read_reported(value: &Value) -> Option<SellerLocation> {
    let columns = LocationColumns::from_columns(&mut record::reader(value));
    Some(SellerLocation { name: record::text(value, "name")?, columns })
}

fn read_configured(value: &Value) -> Option<ConfiguredLocation> {
    let columns = LocationColumns::from_columns(&mut record::reader(value));
    Some(ConfiguredLocation { name: record::text(value, "name")?, bookable: record::flag(value, "bookable"), columns })
}

/// Writes the locations that changed.
pub(super) async fn save_locations(tx: &mut PgConnection, workspace: i64, tenant: &Tenant) -> Result<(), sqlx::Error> {
    let dirty = tenant.locations.iter().filter(|(_, row)| row.is_dirty());
    let locations: Vec<Value> = dirty.map(|(key, row)| write_location(workspace, key, &row.value)).collect();
    if locations.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into locations
            (workspace_id, id, name, name_key, bookable, active, street, suburb, city, state, postcode, latitude,
            longitude, phone, operating_hours, sender_location_id, sender_location_code, configured, reported,
            reported_at, reported_arrived_at)
        select
            workspace_id, id, name, name_key, bookable, active, street, suburb, city, state, postcode, latitude,
            longitude, phone, operating_hours, sender_location_id, sender_location_code, configured, reported,
            reported_at, reported_arrived_at
        from jsonb_populate_recordset(null::locations, $1)
        on conflict (workspace_id, id) do update set
            name = excluded.name, bookable = excluded.bookable, active = excluded.active, street = excluded.street,
            suburb = excluded.suburb, city = excluded.city, state = excluded.state, postcode = excluded.postcode,
            latitude = excluded.latitude, longitude = excluded.longitude, phone = excluded.phone,
            operating_hours = excluded.operating_hours, sender_location_id = excluded.sender_location_id,
            sender_location_code = excluded.sender_location_code, configured = excluded.configured,
            reported = excluded.reported, reported_at = excluded.reported_at,
            reported_arrived_at = excluded.reported_arrived_at",
        Value::Array(locations),
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn write_location(workspace: i64, key: &str, location: &Location) -> Value {
    let mut record = Record::new();
    location.columns().visit(&mut record::writer(&mut record));
    let mut put = |name: &str, value: Value| record.insert(name.to_owned(), value);
    put("workspace_id", json!(workspace));
    put("id", json!(location.id));
    put("name", json!(location.name()));
    put("name_key", json!(key));
    put("bookable", json!(location.is_bookable()));
    put("active", json!(location.is_active()));
    if let Some(ConfiguredLocation { name, bookable, columns }) = &location.configured {
        let mut configured = Record::new();
        columns.visit(&mut record::writer(&mut configured));
        configured.insert("name".to_owned(), json!(name));
        configured.insert("bookable".to_owned(), json!(bookable));
        put("configured", Value::Object(configured));
    }
    if let Some(reported) = &location.reported {
        let mut columns = Record::new();
        reported.value.columns.visit(&mut record::writer(&mut columns));
        columns.insert("name".to_owned(), json!(reported.value.name));
        put("reported", Value::Object(columns));
        put("reported_at", reported.at.at.map_or(Value::Null, record::time));
        put("reported_arrived_at", record::time(reported.at.arrived_at));
    }
    Value::Object(record)
}

/// Writes the packages that changed.
pub(super) async fn save_packages(tx: &mut PgConnection, workspace: i64, tenant: &Tenant) -> Result<(), sqlx::Error> {
    let dirty = tenant.packages.iter().filter(|(_, row)| row.is_dirty());
    let packages = dirty.map(|(name, row)| {
        let Package { id, configured, reported } = &row.value;
        json!({
            "workspace_id": workspace, "id": id, "name": name, "active": row.value.is_active(),
            "configured": configured, "reported": reported,
        })
    });
    let packages: Vec<Value> = packages.collect();
    if packages.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into packages (workspace_id, id, name, active, configured, reported)
        select workspace_id, id, name, active, configured, reported
        from jsonb_populate_recordset(null::packages, $1)
        on conflict (workspace_id, id) do update set
            active = excluded.active, configured = excluded.configured, reported = excluded.reported",
        Value::Array(packages),
    )
    .execute(tx)
    .await?;
    Ok(())
}
