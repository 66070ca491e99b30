//! Lead clusters and lead events.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::lists::save_lists;
use super::record::{self, Record};
use super::stored::{LoadError, Stored, Unreadable};
use crate::domain::facts::{ClusterColumns, ClusterLists, EventColumns};
use crate::domain::world::{Cluster, Event, Row, RowId, Tenant};

/// A cluster as it was loaded.
pub(super) fn read_row(cluster: &Value) -> Result<(String, Row<Cluster>), Unreadable> {
    let row = Stored::row("lead_clusters", "id", cluster)?;
    Ok((row.needed_text("external_id")?, Row::known(read(row)?)))
}

fn read(row: Stored<'_>) -> Result<Cluster, Unreadable> {
    Ok(Cluster {
        id: row.id(),
        columns: row.columns(ClusterColumns::from_columns)?,
        at: row.stamp("said_at")?,
        modified_at: row.instant("source_modified_at")?,
        person: row.int("person_id")?,
        appointments_as_of: row.stamp("appointments_as_of")?,
    })
}

/// Writes the clusters that changed.
pub(super) async fn save(tx: &mut PgConnection, workspace: i64, tenant: &Tenant) -> Result<(), sqlx::Error> {
    let dirty = tenant.clusters.iter().filter(|(_, row)| row.is_dirty());
    let (mut rows, mut columns) = (Rows::default(), ClusterLists::default());
    for (external_id, row) in dirty {
        rows.push(external_id, &row.value);
        columns.push(&row.value.columns);
    }
    if rows.id.is_empty() {
        return Ok(());
    }
    save_lists!(
        "src/store/save_clusters.sql", workspace,
        rows => id external_id person_id person_email source_modified_at said_at appointments_as_of,
        columns => dealership_id provider status contact_business_name contact_first_name contact_last_name
            contact_email contact_phone contact_postcode contact_date_of_birth approver_id approver_name
            salesperson_id salesperson_name pipeline_id pipeline_name first_lead_created_at
            last_lead_created_at source_created_at
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Clusters as lists: the columns that are not the sender's own.
#[derive(Debug, Default)]
struct Rows<'a> {
    id: Vec<RowId>,
    external_id: Vec<&'a str>,
    person_id: Vec<Option<RowId>>,
    person_email: Vec<Option<String>>,
    source_modified_at: Vec<Option<DateTime<Utc>>>,
    said_at: Vec<Option<String>>,
    appointments_as_of: Vec<Option<String>>,
}

impl<'a> Rows<'a> {
    fn push(&mut self, external_id: &'a str, cluster: &Cluster) {
        let Cluster { id, columns: _, at, modified_at, person, appointments_as_of } = cluster;
        self.id.push(*id);
        self.external_id.push(external_id);
        self.person_id.push(*person);
        self.person_email.push(cluster.email().map(|email| email.as_str().to_owned()));
        self.source_modified_at.push(*modified_at);
        self.said_at.push(at.as_ref().map(|at| record::stamp(at).to_string()));
        self.appointments_as_of.push(appointments_as_of.as_ref().map(|as_of| record::stamp(as_of).to_string()));
    }
}

/// Loads the events with these ids of the sender.
pub(super) async fn load_events(
    tx: &mut PgConnection,
    workspace: i64,
    external_ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, Row<Event>>, LoadError> {
    if external_ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let external_ids: Vec<String> = external_ids.iter().cloned().collect();
    let rows = sqlx::query!(
        r#"select to_jsonb(e) as "event!" from lead_events e where workspace_id = $1 and external_id = any($2)"#,
        workspace,
        &external_ids,
    )
    .fetch_all(tx)
    .await?;
    let events = rows.into_iter().map(|row| {
        let row = Stored::row("lead_events", "id", &row.event)?;
        Ok((row.needed_text("external_id")?, Row::known(read_event(row)?)))
    });
    events.collect()
}

fn read_event(row: Stored<'_>) -> Result<Event, Unreadable> {
    Ok(Event {
        columns: row.columns(EventColumns::from_columns)?,
        at: row.needed_stamp("said_at")?,
        modified_at: row.instant("source_modified_at")?,
        cluster: row.tie("lead_cluster_id", "cluster_said_at")?,
        lead: row.tie("lead_id", "lead_said_at")?,
    })
}

/// Writes the events that changed.
pub(super) async fn save_events(tx: &mut PgConnection, workspace: i64, tenant: &Tenant) -> Result<(), sqlx::Error> {
    let dirty = tenant.events.iter().filter(|(_, row)| row.is_dirty());
    let events: Vec<Value> = dirty.map(|(id, row)| write_event(workspace, id, &row.value)).collect();
    if events.is_empty() {
        return Ok(());
    }
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

fn write_event(workspace: i64, external_id: &str, event: &Event) -> Value {
    let Event { columns, at, modified_at, cluster, lead } = event;
    let mut record = Record::new();
    columns.visit(&mut record::writer(&mut record));
    let mut put = |name: &str, value: Value| record.insert(name.to_owned(), value);
    put("workspace_id", json!(workspace));
    put("external_id", json!(external_id));
    put("source_modified_at", modified_at.map_or(Value::Null, record::time));
    put("said_at", record::stamp(at));
    if let Some(tie) = cluster {
        put("lead_cluster_id", json!(tie.to));
        put("cluster_said_at", record::stamp(&tie.at));
    }
    if let Some(tie) = lead {
        put("lead_id", json!(tie.to));
        put("lead_said_at", record::stamp(&tie.at));
    }
    Value::Object(record)
}
