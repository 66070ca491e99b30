//! What a key names.

use sqlx::PgConnection;

use super::super::Error;
use super::super::overview::NEWEST_BLOCKED;
use crate::domain::facts::Sender;

/// How a row was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HitKind {
    /// A lead by the sender's id.
    Lead,
    /// A cluster by the sender's id.
    Cluster,
    /// A customer by address or phone number.
    Person,
    /// A lead of that address or number, without a customer's row.
    LeadOfNobody,
    /// A cluster of that address or number, without a customer's row.
    ClusterOfNobody,
    /// A vehicle.
    Listing,
    /// A lead that asks for that vehicle.
    AskingLead,
}

/// The kinds with their names in the statement.
const KINDS: [(HitKind, &str); 7] = [
    (HitKind::Lead, "lead"),
    (HitKind::Cluster, "cluster"),
    (HitKind::Person, "person"),
    (HitKind::LeadOfNobody, "lead of nobody"),
    (HitKind::ClusterOfNobody, "cluster of nobody"),
    (HitKind::Listing, "listing"),
    (HitKind::AskingLead, "asking lead"),
];

/// A row that a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Its workspace.
    pub workspace: i64,
    /// How it was found.
    pub kind: HitKind,
    /// Its id.
    pub id: i64,
}

/// What is looked for, by what it may be.
#[derive(Clone, Debug, Default)]
pub struct HitKeys {
    /// A number in the forms that it may be stored in, by workspace.
    pub phones: Vec<(i64, String)>,
    /// A lead's id.
    pub lead: Option<String>,
    /// A cluster's id.
    pub cluster: Option<String>,
    /// An address.
    pub email: Option<String>,
    /// What was given as an address and is none.
    pub no_email: Option<String>,
    /// A VIN.
    pub vin: Option<String>,
    /// A stock number.
    pub stock_number: Option<String>,
    /// An identifier of a vehicle.
    pub identifier: Option<String>,
    /// A plate, in upper case without spaces.
    pub plate: Option<String>,
}

/// The rows that these name in these workspaces, of each kind and workspace as many as `most`.
///
/// # Errors
/// When Postgres refuses, cannot be reached or does not answer in time.
pub async fn hits(tx: &mut PgConnection, workspaces: &[i64], keys: &HitKeys, most: i64) -> Result<Vec<Hit>, Error> {
    let HitKeys { phones, lead, cluster, email, no_email, vin, stock_number, identifier, plate } = keys;
    let (of_workspaces, phones): (Vec<i64>, Vec<&str>) =
        phones.iter().map(|(workspace, phone)| (*workspace, phone.as_str())).unzip();
    let senders = [Sender::DealerStudio, Sender::LeadPro].map(Sender::name);
    let leads: Vec<(&str, &str)> = lead.iter().flat_map(|lead| senders.map(|sender| (sender, lead.as_str()))).collect();
    let (senders, leads): (Vec<&str>, Vec<&str>) = leads.into_iter().unzip();
    let one = |key: &Option<String>| Vec::from_iter(key.clone());
    let rows = sqlx::query_file!(
        "src/store/story/hits.sql",
        workspaces,
        &of_workspaces,
        &phones as &[&str],
        &senders as &[&str],
        &leads as &[&str],
        &one(cluster),
        &one(email),
        &one(vin),
        &one(stock_number),
        &one(identifier),
        &one(plate),
        most,
    )
    .fetch_all(&mut *tx)
    .await?;
    let hit = |row: (i64, &str, i64)| {
        let kind = KINDS.iter().find(|(_, name)| *name == row.1)?.0;
        Some(Hit { workspace: row.0, kind, id: row.2 })
    };
    let mut hits: Vec<Hit> = rows.iter().filter_map(|row| hit((row.workspace_id, row.kind.as_str(), row.id))).collect();
    if let Some(no_email) = no_email {
        for workspace in workspaces {
            let leads = blocked_leads(tx, *workspace, no_email, most).await?;
            hits.extend(leads.into_iter().map(|id| Hit { workspace: *workspace, kind: HitKind::LeadOfNobody, id }));
        }
    }
    hits.sort_unstable();
    hits.dedup();
    Ok(hits)
}

/// The leads among the newest blocked ones of a workspace that gave this as their address.
async fn blocked_leads(tx: &mut PgConnection, workspace: i64, no_email: &str, most: i64) -> Result<Vec<i64>, Error> {
    let ids = sqlx::query_scalar!(
        r"-- console
        select id
        from (
            select id, contact_email from leads
            where workspace_id = $1 and booking_state = 'blocked' order by received_at desc limit $3
        ) b
        where lower(btrim(contact_email)) = lower($2) limit $4",
        workspace,
        no_email,
        NEWEST_BLOCKED,
        most,
    );
    Ok(ids.fetch_all(tx).await?)
}
