//! Appointments.

use crate::domain::ids::{ClusterId, LeadId, WorkspaceId};
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::json_row::{self, JsonRow};
use super::stored::{LoadError, Stored, Unreadable};
use super::unnest::list;
use crate::domain::facts::AppointmentColumns;
use crate::domain::state::{Appointment, Row, WorkspaceState};

/// Loads the appointments with these ids of the sender, and those that stand for these clusters and leads.
pub(super) async fn load(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    external_ids: &BTreeSet<String>,
    clusters: &[ClusterId],
    leads: &[LeadId],
) -> Result<BTreeMap<String, Row<Appointment>>, LoadError> {
    let external_ids: Vec<String> = external_ids.iter().cloned().collect();
    let rows = sqlx::query!(
        r#"with wanted as (
            select id from appointments where workspace_id = $1 and external_id = any($2)
            union select id from appointments
            where workspace_id = $1 and lead_cluster_id = any($3) and removed_at is null
            union select id from appointments
            where workspace_id = $1 and lead_id = any($4) and lead_cluster_id is null and removed_at is null
        )
        select to_jsonb(a) as "appointment!"
        from wanted join appointments a on a.workspace_id = $1 and a.id = wanted.id"#,
        workspace.get(),
        &external_ids,
        &list(clusters, |id| id.get()),
        &list(leads, |id| id.get()),
    )
    .fetch_all(tx)
    .await?;
    let appointments = rows.into_iter().map(|row| {
        let row = Stored::row("appointments", "id", &row.appointment)?;
        Ok((row.needed_text("external_id")?, Row::known(read(row)?)))
    });
    appointments.collect()
}

fn read(row: Stored<'_>) -> Result<Appointment, Unreadable> {
    Ok(Appointment {
        columns: row.columns(AppointmentColumns::from_columns)?,
        lead: row.pointer("lead_id")?,
        cluster: row.pointer("lead_cluster_id")?,
        as_of: row.needed_version("as_of")?,
        removed_at: row.instant("removed_at")?,
    })
}

/// Writes the appointments that changed.
pub(super) async fn save(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    state: &WorkspaceState,
) -> Result<(), sqlx::Error> {
    let dirty = state.appointments.iter().filter(|(_, row)| row.is_dirty());
    let appointments: Vec<Value> = dirty.map(|(id, row)| write(workspace, id, &row.value)).collect();
    if appointments.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into appointments
            (workspace_id, external_id, lead_id, lead_cluster_id, starts_at, starts_at_local, length_minutes, status,
            ai_generated, user_id, note, sender_location_id, car_for_test_drive, removed_at, as_of)
        select
            workspace_id, external_id, lead_id, lead_cluster_id, starts_at, starts_at_local, length_minutes, status,
            ai_generated, user_id, note, sender_location_id, car_for_test_drive, removed_at, as_of
        from jsonb_populate_recordset(null::appointments, $1)
        on conflict (workspace_id, external_id) do update set
            lead_id = excluded.lead_id, lead_cluster_id = excluded.lead_cluster_id, starts_at = excluded.starts_at,
            starts_at_local = excluded.starts_at_local, length_minutes = excluded.length_minutes,
            status = excluded.status, ai_generated = excluded.ai_generated, user_id = excluded.user_id,
            note = excluded.note, sender_location_id = excluded.sender_location_id,
            car_for_test_drive = excluded.car_for_test_drive, removed_at = excluded.removed_at, as_of = excluded.as_of",
        Value::Array(appointments),
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn write(workspace: WorkspaceId, external_id: &str, appointment: &Appointment) -> Value {
    let Appointment { columns, lead, cluster, as_of, removed_at } = appointment;
    let mut json_row = JsonRow::new();
    columns.visit(&mut json_row::writer(&mut json_row));
    let mut put = |name: &str, value: Value| json_row.insert(name.to_owned(), value);
    put("workspace_id", json!(workspace.get()));
    put("external_id", json!(external_id));
    put("lead_id", json!(lead.map(LeadId::get)));
    put("lead_cluster_id", json!(cluster.map(ClusterId::get)));
    put("removed_at", removed_at.map_or(Value::Null, json_row::time));
    put("as_of", json_row::version(as_of));
    Value::Object(json_row)
}
