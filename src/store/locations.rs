//! Locations and packages. A workspace may have any number of them: they are loaded by their names (`load`), and those
//! of the configuration here.

use crate::domain::ids::WorkspaceId;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::json_row::{self, JsonRow};
use super::stored::{LoadError, Place, Unreadable};
use crate::domain::facts::{LocationColumns, SellerLocation};
use crate::domain::state::{Location, Package, Row, WorkspaceState};
use crate::domain::workspace::ConfiguredLocation;
use chrono::{DateTime, Utc};

/// A row of either table. Packages have no key of their name.
#[derive(Debug)]
pub(super) struct PlaceRow {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) name_key: Option<String>,
    pub(super) configured: Option<Value>,
    pub(super) reported: Option<Value>,
    pub(super) reported_at: Option<DateTime<Utc>>,
    pub(super) reported_arrived_at: Option<DateTime<Utc>>,
}

/// Loads all locations and packages that the configuration names or named. There is an index of these alone.
pub(super) async fn load_configured(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    state: &mut WorkspaceState,
) -> Result<(), LoadError> {
    let rows = sqlx::query_as!(
        PlaceRow,
        r#"select id as "id!", name as "name!", name_key, configured, reported, reported_at, reported_arrived_at
        from locations where workspace_id = $1 and configured is not null
        union all
        select id, name, null, to_jsonb(configured), to_jsonb(reported), null, null
        from packages where workspace_id = $1 and configured"#,
        workspace.get(),
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter().try_for_each(|row| Ok(add(row, state)?))
}

/// Adds a location or a package that was loaded.
pub(super) fn add(row: PlaceRow, state: &mut WorkspaceState) -> Result<(), Unreadable> {
    let PlaceRow { id, name, name_key, configured, reported, reported_at, reported_arrived_at } = row;
    let Some(key) = name_key else {
        let is = |truth: Option<Value>| truth.as_ref().and_then(Value::as_bool).unwrap_or_default();
        state
            .packages
            .found(name, Row::known(Package { id: id.into(), configured: is(configured), reported: is(reported) }));
        return Ok(());
    };
    let place = Place::new("locations", "id", id);
    let reported = reported.as_ref().map(|value| read_reported(place, value)).transpose()?;
    let reported = place.timed("reported_arrived_at", reported, reported_at, reported_arrived_at)?;
    let configured = configured.as_ref().map(|value| read_configured(place, value)).transpose()?;
    state.locations.found(key, Row::known(Location { id: id.into(), last_name: name, configured, reported }));
    Ok(())
}

fn read_reported(place: Place, value: &Value) -> Result<SellerLocation, Unreadable> {
    let reported = place.within("reported", value)?;
    Ok(SellerLocation {
        name: reported.needed_text("name")?,
        columns: reported.columns(LocationColumns::from_columns)?,
    })
}

fn read_configured(place: Place, value: &Value) -> Result<ConfiguredLocation, Unreadable> {
    let configured = place.within("configured", value)?;
    Ok(ConfiguredLocation {
        name: configured.needed_text("name")?,
        bookable: configured.flag("bookable")?.unwrap_or_default(),
        columns: configured.columns(LocationColumns::from_columns)?,
    })
}

/// Writes the locations that changed.
pub(super) async fn save_locations(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    state: &WorkspaceState,
) -> Result<(), sqlx::Error> {
    let dirty = state.locations.iter().filter(|(_, row)| row.is_dirty());
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

fn write_location(workspace: WorkspaceId, key: &str, location: &Location) -> Value {
    let mut json_row = JsonRow::new();
    location.columns().visit(&mut json_row::writer(&mut json_row));
    let mut put = |name: &str, value: Value| json_row.insert(name.to_owned(), value);
    put("workspace_id", json!(workspace.get()));
    put("id", json!(location.id.get()));
    put("name", json!(location.name()));
    put("name_key", json!(key));
    put("bookable", json!(location.is_bookable()));
    put("active", json!(location.is_active()));
    if let Some(ConfiguredLocation { name, bookable, columns }) = &location.configured {
        let mut configured = JsonRow::new();
        columns.visit(&mut json_row::writer(&mut configured));
        configured.insert("name".to_owned(), json!(name));
        configured.insert("bookable".to_owned(), json!(bookable));
        put("configured", Value::Object(configured));
    }
    if let Some(reported) = &location.reported {
        let mut columns = JsonRow::new();
        reported.value.columns.visit(&mut json_row::writer(&mut columns));
        columns.insert("name".to_owned(), json!(reported.value.name));
        put("reported", Value::Object(columns));
        put("reported_at", reported.at.at.map_or(Value::Null, json_row::time));
        put("reported_arrived_at", json_row::time(reported.at.arrived_at));
    }
    Value::Object(json_row)
}

/// Writes the packages that changed.
pub(super) async fn save_packages(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    state: &WorkspaceState,
) -> Result<(), sqlx::Error> {
    let dirty = state.packages.iter().filter(|(_, row)| row.is_dirty());
    let packages = dirty.map(|(name, row)| {
        let Package { id, configured, reported } = &row.value;
        json!({
            "workspace_id": workspace.get(), "id": id.get(), "name": name, "active": row.value.is_active(),
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
