//! All that is known of a person, as JSON: the rows as they are, and the deliveries about the person as a list. Bodies are
//! not repeated, because others may stand in them.

use serde_json::{Map, Value, json};

use super::gather::{Gathered, Wanted};
use super::order::ErasureError;
use crate::domain::erasure::Subject;
use crate::domain::values::Email;
use crate::intake::clock;
use crate::store::actions::{Action, Counts};
use crate::store::{self, Store, actions, erased_bodies, erased_rows, known_person};

/// All that is known of the person of an address, by workspace.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn export(store: &Store, email: &Email, acted_by: &str) -> Result<Value, ErasureError> {
    let key = store.erasure_key().ok_or(store::Error::ErasureKey)?;
    let now = clock::now();
    let mut tx = store.begin(None).await?;
    let mut workspaces = Map::new();
    let mut counts = Counts::new();
    let mut everywhere = Gathered::of([Subject::Address(email.clone())].into());
    for (slug, workspace) in erased_rows::workspaces(&mut tx).await? {
        let wanted = Wanted { workspace: workspace.get(), key: &key, fingerprints: None };
        let mut gathered = Gathered::of([Subject::Address(email.clone())].into());
        gathered.complete(&mut tx, &wanted, now).await?;
        everywhere.known.add(&gathered.known);
        let mut known = known_person::rows(&mut tx, workspace, &gathered.known).await?;
        known.insert("deliveries".to_owned(), deliveries(&mut tx, &wanted, &gathered).await?);
        let elsewhere = gathered.known.leads.len() - gathered.known.own_leads.len();
        if elsewhere > 0 {
            known.insert("leads_of_other_addresses_by_now".to_owned(), json!(elsewhere));
        }
        let others: Vec<&str> = gathered.known.other_addresses.iter().map(Email::as_str).collect();
        known.insert("other_addresses_of_these_leads".to_owned(), json!(others));
        count(&known, &mut counts);
        known.retain(|_, rows| rows.as_array().is_none_or(|rows| !rows.is_empty()));
        if !known.is_empty() {
            workspaces.insert(slug, Value::Object(known));
        }
    }
    let wanted = Wanted { workspace: 0, key: &key, fingerprints: None };
    everywhere.complete(&mut tx, &wanted, now).await?;
    let unassigned = deliveries(&mut tx, &wanted, &everywhere).await?;
    actions::record(&mut tx, Action::Export, acted_by, counts).await?;
    tx.commit().await?;
    Ok(json!({
        "email": email.as_str(), "exported_at": now.to_rfc3339(), "workspaces": workspaces,
        "deliveries_of_no_workspace": unassigned,
    }))
}

fn count(known: &Map<String, Value>, counts: &mut Counts) {
    for (table, rows) in known {
        let more = u64::try_from(rows.as_array().map_or(0, Vec::len)).unwrap_or(u64::MAX);
        let before = counts.get(table).and_then(Value::as_u64).unwrap_or(0);
        counts.insert(table.clone(), before.saturating_add(more).into());
    }
}

async fn deliveries(
    tx: &mut store::Connection,
    wanted: &Wanted<'_>,
    gathered: &Gathered,
) -> Result<Value, store::Error> {
    let mut listed = Vec::new();
    for cursor in &gathered.deliveries {
        let Some(delivery) = erased_bodies::listed(tx, wanted.workspace, *cursor).await? else { continue };
        listed.push(json!({
            "id": cursor.1, "received_at": cursor.0.to_rfc3339(), "feed": delivery.feed, "outcome": delivery.outcome,
        }));
    }
    Ok(Value::Array(listed))
}
