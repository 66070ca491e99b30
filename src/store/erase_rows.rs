//! The rows of whom an erasure is about, emptied or deleted, in the order in which the tables refer to each other.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Error;
use super::erased_rows::{KnownRows, lead};
use super::erasures::Counts;
use super::stored::read_versions;
use crate::domain::erasure::OF_LEADS;
use crate::domain::facts::Sender;
use crate::domain::ids::WorkspaceId;

/// Empties and deletes what is personal in these rows, and counts it by table.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn remove(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    rows: &KnownRows,
    erased_at: DateTime<Utc>,
) -> Result<Counts, Error> {
    let mut counts = Counts::new();
    let mut count = |table: &str, done: sqlx::postgres::PgQueryResult| {
        *counts.entry(table.to_owned()).or_default() += i64::try_from(done.rows_affected()).unwrap_or(i64::MAX);
    };
    let personal: Vec<&str> = OF_LEADS.to_vec();
    let leads =
        sqlx::query_file!("src/store/erase_leads.sql", workspace.get(), &rows.leads, erased_at, &personal as &[&str]);
    count("leads", leads.execute(&mut *tx).await?);
    sqlx::query!(
        "-- once\ndelete from intake.lead_dependencies where workspace_id = $1 and lead_id = any($2)",
        workspace.get(),
        &rows.leads
    )
    .execute(&mut *tx)
    .await?;
    count("bookings", erase_bookings(tx, workspace, rows).await?);
    let (w, leads) = (workspace.get(), &rows.leads);
    let done = sqlx::query!("-- once\ndelete from trade_ins where workspace_id = $1 and lead_id = any($2)", w, leads);
    count("trade_ins", done.execute(&mut *tx).await?);
    let done =
        sqlx::query!("-- once\ndelete from property_enquiries where workspace_id = $1 and lead_id = any($2)", w, leads);
    count("property_enquiries", done.execute(&mut *tx).await?);
    let done = sqlx::query!(
        "-- once\ndelete from identity.lead_documents where workspace_id = $1 and lead_id = any($2)",
        w,
        leads
    );
    count("identity.lead_documents", done.execute(&mut *tx).await?);
    count("lead_events", erase_events(tx, workspace, rows).await?);
    count("appointments", erase_appointments(tx, workspace, rows).await?);
    count("lead_clusters", erase_contacts(tx, workspace, rows).await?);
    erase_others(tx, workspace, rows).await?;
    let persons: Vec<i64> = rows.persons.iter().chain(&rows.alone).copied().collect();
    let persons = persons.as_slice();
    let done = sqlx::query!(
        "-- once\ndelete from identity.driver_licences where workspace_id = $1 and person_id = any($2)",
        w,
        persons
    );
    count("identity.driver_licences", done.execute(&mut *tx).await?);
    let done = sqlx::query!(
        "-- once\ndelete from identity.passports where workspace_id = $1 and person_id = any($2)",
        w,
        persons
    );
    count("identity.passports", done.execute(&mut *tx).await?);
    let done = sqlx::query!("-- once\ndelete from persons where workspace_id = $1 and id = any($2)", w, persons);
    count("persons", done.execute(&mut *tx).await?);
    Ok(counts)
}

/// Takes from persons who stay what the erased leads told of them: of each column it is known which lead told it.
async fn erase_others(tx: &mut PgConnection, workspace: WorkspaceId, rows: &KnownRows) -> Result<(), Error> {
    let keys: BTreeSet<(Sender, &str)> =
        rows.subjects.iter().filter_map(lead).map(|key| (key.sender, key.external_id.as_str())).collect();
    let others = sqlx::query!(
        "-- once
        select id, clocks from persons where workspace_id = $1 and id = any($2)",
        workspace.get(),
        &rows.others,
    )
    .fetch_all(&mut *tx)
    .await?;
    for row in others {
        let Some(versions) = read_versions(&row.clocks) else { continue };
        let told = |column: &&&str| {
            versions.of(column).is_some_and(|at| keys.contains(&(at.source.sender(), at.lead.0.as_str())))
        };
        let told: Vec<&str> = OF_PERSONS.iter().filter(told).copied().collect();
        erase_told(tx, workspace, row.id, &told).await?;
    }
    Ok(())
}

/// The columns of a person that leads tell, as their versions name them.
const OF_PERSONS: &[&str] = &[
    "title",
    "first_name",
    "middle_name",
    "last_name",
    "business_name",
    "date_of_birth",
    "mobile_phone",
    "home_phone",
    "postcode",
    "marketing_opt_in",
    "address",
    "licence",
    "passport",
];

async fn erase_told(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    person: i64,
    told: &[&str],
) -> Result<(), sqlx::Error> {
    sqlx::query_file!("src/store/erase_told.sql", workspace.get(), person, told as &[&str]).execute(tx).await?;
    Ok(())
}

async fn erase_bookings(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    rows: &KnownRows,
) -> Result<sqlx::postgres::PgQueryResult, sqlx::Error> {
    sqlx::query!(
        "-- once
        update bookings set person_id = null, wish = wish #- '{said,contact_email}'
        where workspace_id = $1 and (person_id = any($2) or lead_id = any($3))",
        workspace.get(),
        &rows.persons.iter().chain(&rows.alone).copied().collect::<Vec<i64>>(),
        &rows.leads,
    )
    .execute(tx)
    .await
}

async fn erase_events(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    rows: &KnownRows,
) -> Result<sqlx::postgres::PgQueryResult, sqlx::Error> {
    sqlx::query!(
        "-- once
        update lead_events set description = null, followup_reason = null
        where workspace_id = $1 and (lead_id = any($2) or lead_id is null and lead_cluster_id = any($3))
            and (description is not null or followup_reason is not null)",
        workspace.get(),
        &rows.leads,
        &rows.clusters,
    )
    .execute(tx)
    .await
}

async fn erase_appointments(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    rows: &KnownRows,
) -> Result<sqlx::postgres::PgQueryResult, sqlx::Error> {
    sqlx::query!(
        "-- once
        update appointments set note = null
        where workspace_id = $1 and (lead_id = any($2) or lead_id is null and lead_cluster_id = any($3))
            and note is not null",
        workspace.get(),
        &rows.leads,
        &rows.clusters,
    )
    .execute(tx)
    .await
}

async fn erase_contacts(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    rows: &KnownRows,
) -> Result<sqlx::postgres::PgQueryResult, sqlx::Error> {
    sqlx::query!(
        "-- once
        update lead_clusters set person_id = null, person_email = null, contact_business_name = null,
            contact_first_name = null, contact_last_name = null, contact_email = null, contact_phone = null,
            contact_postcode = null, contact_date_of_birth = null
        where workspace_id = $1 and id = any($2)",
        workspace.get(),
        &rows.contacts,
    )
    .execute(tx)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_personal_column_of_a_lead_is_emptied() {
        let statement = include_str!("erase_leads.sql");
        // The documents stand in a table of their own.
        for column in OF_LEADS.iter().filter(|column| **column != "documents") {
            assert!(statement.contains(&format!(" {column} = null")), "{column}");
        }
    }
}
