//! Lead clusters and lead events; clusters are saved with all of `customers`.

use crate::domain::ids::{PersonId, WorkspaceId};
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::json_row::{self, JsonRow};
use super::stored::{LoadError, Stored, Unreadable};
use crate::domain::facts::{ClusterColumns, EventColumns};
use crate::domain::state::{Cluster, Event, Row, WorkspaceState};

/// A cluster as it was loaded.
pub(super) fn read_row(cluster: &Value) -> Result<(String, Row<Cluster>), Unreadable> {
    let row = Stored::row("lead_clusters", "id", cluster)?;
    Ok((row.needed_text("external_id")?, Row::known(read(row)?)))
}

fn read(row: Stored<'_>) -> Result<Cluster, Unreadable> {
    Ok(Cluster {
        id: row.id(),
        columns: row.columns(ClusterColumns::from_columns)?,
        at: row.version("said_at")?,
        modified_at: row.instant("source_modified_at")?,
        person: row.pointer("person_id")?,
        appointments_as_of: row.version("appointments_as_of")?,
    })
}

/// Clusters as lists: the columns that are not the sender's own.
#[derive(Debug, Default)]
pub(super) struct ClusterRows<'a> {
    pub(super) id: Vec<i64>,
    pub(super) external_id: Vec<&'a str>,
    pub(super) person_id: Vec<Option<i64>>,
    pub(super) person_email: Vec<Option<String>>,
    pub(super) source_modified_at: Vec<Option<DateTime<Utc>>>,
    pub(super) said_at: Vec<Option<String>>,
    pub(super) appointments_as_of: Vec<Option<String>>,
}

impl<'a> ClusterRows<'a> {
    /// Adds a row.
    pub(super) fn push(&mut self, external_id: &'a str, cluster: &Cluster) {
        let Cluster { id, columns: _, at, modified_at, person, appointments_as_of } = cluster;
        self.id.push(id.get());
        self.external_id.push(external_id);
        self.person_id.push(person.map(PersonId::get));
        self.person_email.push(cluster.email().map(|email| email.as_str().to_owned()));
        self.source_modified_at.push(*modified_at);
        self.said_at.push(at.as_ref().map(|at| json_row::version(at).to_string()));
        self.appointments_as_of.push(appointments_as_of.as_ref().map(|as_of| json_row::version(as_of).to_string()));
    }
}

/// Loads the events with these ids of the sender.
pub(super) async fn load_events(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    external_ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, Row<Event>>, LoadError> {
    if external_ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let external_ids: Vec<String> = external_ids.iter().cloned().collect();
    // One by one: as JSON they take several times as much memory.
    let mut rows = sqlx::query!(
        r#"select to_jsonb(e) as "event!" from lead_events e where workspace_id = $1 and external_id = any($2)"#,
        workspace.get(),
        &external_ids,
    )
    .fetch(tx);
    let mut events = BTreeMap::new();
    while let Some(row) = rows.try_next().await? {
        let row = Stored::row("lead_events", "id", &row.event)?;
        events.insert(row.needed_text("external_id")?, Row::known(read_event(row)?));
    }
    Ok(events)
}

fn read_event(row: Stored<'_>) -> Result<Event, Unreadable> {
    Ok(Event {
        columns: row.columns(EventColumns::from_columns)?,
        at: row.needed_version("said_at")?,
        modified_at: row.instant("source_modified_at")?,
        cluster: row.versioned_ref("lead_cluster_id", "cluster_said_at")?,
        lead: row.versioned_ref("lead_id", "lead_said_at")?,
    })
}

/// How many events are written by one statement: a delivery may have tens of thousands, and as JSON they take several
/// times as much memory.
const AT_ONCE: usize = 1_000;

/// Writes the events that changed.
pub(super) async fn save_events(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    state: &WorkspaceState,
) -> Result<(), sqlx::Error> {
    let dirty: Vec<_> = state.events.iter().filter(|(_, row)| row.is_dirty()).collect();
    for some in dirty.chunks(AT_ONCE) {
        let events = some.iter().map(|(id, row)| write_event(workspace, id, &row.value)).collect();
        write_events(tx, events).await?;
    }
    Ok(())
}

async fn write_events(tx: &mut PgConnection, events: Vec<Value>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into lead_events
            (workspace_id, external_id, lead_cluster_id, lead_id, event_type, description, followup_status,
            followup_reason, followup_at, followup_completed_at, external_service, user_name, source_created_at,
            deleted_at, source_modified_at, said_at, cluster_said_at, lead_said_at)
        select
            workspace_id, external_id, lead_cluster_id, lead_id, event_type, description, followup_status,
            followup_reason, followup_at, followup_completed_at, external_service, user_name, source_created_at,
            deleted_at, source_modified_at, said_at, cluster_said_at, lead_said_at
        from jsonb_populate_recordset(null::lead_events, $1)
        on conflict (workspace_id, external_id) do update set
            lead_cluster_id = excluded.lead_cluster_id, lead_id = excluded.lead_id, event_type = excluded.event_type,
            description = excluded.description, followup_status = excluded.followup_status,
            followup_reason = excluded.followup_reason, followup_at = excluded.followup_at,
            followup_completed_at = excluded.followup_completed_at, external_service = excluded.external_service,
            user_name = excluded.user_name, source_created_at = excluded.source_created_at,
            deleted_at = excluded.deleted_at, source_modified_at = excluded.source_modified_at,
            said_at = excluded.said_at, cluster_said_at = excluded.cluster_said_at,
            lead_said_at = excluded.lead_said_at",
        Value::Array(events),
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn write_event(workspace: WorkspaceId, external_id: &str, event: &Event) -> Value {
    let Event { columns, at, modified_at, cluster, lead } = event;
    let mut json_row = JsonRow::new();
    columns.visit(&mut json_row::writer(&mut json_row));
    let mut put = |name: &str, value: Value| json_row.insert(name.to_owned(), value);
    put("workspace_id", json!(workspace.get()));
    put("external_id", json!(external_id));
    put("source_modified_at", modified_at.map_or(Value::Null, json_row::time));
    put("said_at", json_row::version(at));
    if let Some(versioned_ref) = cluster {
        put("lead_cluster_id", json!(versioned_ref.to.get()));
        put("cluster_said_at", json_row::version(&versioned_ref.at));
    }
    if let Some(versioned_ref) = lead {
        put("lead_id", json!(versioned_ref.to.get()));
        put("lead_said_at", json_row::version(&versioned_ref.at));
    }
    Value::Object(json_row)
}
