//! The rows of whom an erasure is about, found by an address or a lead. Each statement begins with `-- once`: unlike those of
//! batches, they may read whole tables.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::Error;
use super::stored::read_versions;
use crate::domain::erasure::{Subject, Subjects};
use crate::domain::facts::Sender;
use crate::domain::ids::WorkspaceId;
use crate::domain::state::LeadKey;
use crate::domain::values::Email;

/// What is known of whom an erasure is about, in one workspace.
#[derive(Clone, Debug, Default)]
pub struct KnownRows {
    /// The rows of persons.
    pub persons: Vec<i64>,
    /// The rows of leads.
    pub leads: Vec<i64>,
    /// The rows of clusters that such a lead is in or was in, or whose contact the person is.
    pub clusters: Vec<i64>,
    /// Of those the ones whose contact is the person.
    pub contacts: Vec<i64>,
    /// Whom it is about: the addresses and leads that were asked for, and the person's other leads.
    pub subjects: Subjects,
    /// Addresses as the senders wrote them.
    pub spellings: BTreeSet<String>,
    /// Phones.
    pub phones: BTreeSet<String>,
    /// Other addresses that those leads have now.
    pub other_addresses: BTreeSet<Email>,
    /// The leads whose address is the person's still, or none.
    pub own_leads: Vec<i64>,
    /// The persons of other addresses that nothing else tells of: they go with those leads.
    pub alone: Vec<i64>,
    /// The clusters above, by the sender's id.
    pub cluster_ids: BTreeSet<String>,
    /// The persons of other addresses that something else tells of: they stay, without what those leads told.
    pub others: Vec<i64>,
}

impl KnownRows {
    /// Adds what is known elsewhere, of which only what does not belong to one workspace counts.
    pub fn add(&mut self, other: &Self) {
        self.subjects.extend(other.subjects.iter().cloned());
        self.spellings.extend(other.spellings.iter().cloned());
        self.phones.extend(other.phones.iter().cloned());
        self.other_addresses.extend(other.other_addresses.iter().cloned());
    }
}

/// Finds the rows of these subjects, and of clusters that deliveries about them named.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn find(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    subjects: &Subjects,
    clusters: &BTreeSet<String>,
) -> Result<KnownRows, Error> {
    let mut known = KnownRows { subjects: subjects.clone(), ..KnownRows::default() };
    let mut asked: BTreeSet<LeadKey> = subjects.iter().filter_map(lead).cloned().collect();
    // A lead that is asked for brings the person that it has.
    let addresses = addresses_of(tx, workspace, &asked).await?;
    let wanted: BTreeSet<String> = subjects.iter().filter_map(address).map(|email| email.as_str().to_owned()).collect();
    let emails: Vec<String> = if wanted.is_empty() { addresses } else { wanted.into_iter().collect() };
    known.subjects.extend(emails.iter().filter_map(|email| Email::stored(email)).map(Subject::Address));
    find_persons(tx, workspace, &emails, &mut known, &mut asked).await?;
    asked.extend(formerly_of(tx, workspace, &emails).await?);
    find_leads(tx, workspace, &emails, &asked, &mut known).await?;
    find_others(tx, workspace, &mut known).await?;
    find_clusters(tx, workspace, &emails, clusters, &mut known).await?;
    Ok(known)
}

fn address(subject: &Subject) -> Option<&Email> {
    match subject {
        Subject::Address(email) => Some(email),
        Subject::Lead(_) => None,
    }
}

pub(super) fn lead(subject: &Subject) -> Option<&LeadKey> {
    match subject {
        Subject::Lead(key) => Some(key),
        Subject::Address(_) => None,
    }
}

fn keys(leads: &BTreeSet<LeadKey>) -> (Vec<&'static str>, Vec<&str>) {
    leads.iter().map(|key| (key.sender.name(), key.external_id.as_str())).unzip()
}

/// The addresses that leads have.
async fn addresses_of(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    leads: &BTreeSet<LeadKey>,
) -> Result<Vec<String>, Error> {
    let (senders, external_ids) = keys(leads);
    let addresses = sqlx::query_scalar!(
        r#"-- once
        select distinct person_email as "email!" from leads
        where workspace_id = $1 and person_email is not null
            and (sender, external_id) in (select * from unnest($2::text[], $3::text[]))"#,
        workspace.get(),
        &senders as &[&str],
        &external_ids as &[&str],
    );
    Ok(addresses.fetch_all(tx).await?)
}

/// The persons of these addresses, with their phones, and with the leads that gave what is known of them.
async fn find_persons(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    emails: &[String],
    known: &mut KnownRows,
    leads: &mut BTreeSet<LeadKey>,
) -> Result<(), Error> {
    let persons = sqlx::query!(
        "-- once
        select id, mobile_phone, home_phone, clocks from persons where workspace_id = $1 and email = any($2)",
        workspace.get(),
        emails,
    )
    .fetch_all(tx)
    .await?;
    for row in persons {
        known.persons.push(row.id);
        known.phones.extend([row.mobile_phone, row.home_phone].into_iter().flatten());
        let Some(versions) = read_versions(&row.clocks) else { continue };
        let given = versions.newest.iter().chain(versions.overrides.values());
        let given = given.filter(|at| !at.lead.0.is_empty());
        leads.extend(given.map(|at| LeadKey { sender: at.source.sender(), external_id: at.lead.0.clone() }));
    }
    Ok(())
}

/// The leads that asked for a booking under one of these addresses before they had another one.
async fn formerly_of(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    emails: &[String],
) -> Result<BTreeSet<LeadKey>, Error> {
    let rows = sqlx::query!(
        r#"-- once
        select l.sender, l.external_id, e.w -> 'said' ->> 'contact_email' as "email!"
        from leads l cross join lateral jsonb_array_elements(l.wishes) e (w)
        where l.workspace_id = $1 and l.wishes is not null and e.w -> 'said' ? 'contact_email'"#,
        workspace.get(),
    )
    .fetch_all(tx)
    .await?;
    let is_theirs = |text: &str| Email::parse(text).is_some_and(|email| emails.iter().any(|one| one == email.as_str()));
    let theirs = rows.into_iter().filter(|row| is_theirs(&row.email));
    let leads =
        theirs.filter_map(|row| Some(LeadKey { sender: Sender::named(&row.sender)?, external_id: row.external_id }));
    Ok(leads.collect())
}

async fn find_leads(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    emails: &[String],
    asked: &BTreeSet<LeadKey>,
    known: &mut KnownRows,
) -> Result<(), Error> {
    let (senders, external_ids) = keys(asked);
    let leads = sqlx::query!(
        "-- once
        with wanted as (
            select id from leads where workspace_id = $1 and person_id = any($2)
            union select id from leads where workspace_id = $1 and person_email = any($3)
            union select id from leads where workspace_id = $1
                and (sender, external_id) in (select * from unnest($4::text[], $5::text[]))
        )
        select l.id, sender, external_id, contact_email, person_email, contact_phone, contact_home_phone
        from wanted join leads l on l.workspace_id = $1 and l.id = wanted.id",
        workspace.get(),
        &known.persons,
        emails,
        &senders as &[&str],
        &external_ids as &[&str],
    )
    .fetch_all(tx)
    .await?;
    for lead in leads {
        known.leads.push(lead.id);
        known.spellings.extend(lead.contact_email);
        known.phones.extend([lead.contact_phone, lead.contact_home_phone].into_iter().flatten());
        let other = lead.person_email.filter(|email| !emails.contains(email));
        if other.is_none() {
            known.own_leads.push(lead.id);
        }
        known.other_addresses.extend(other.as_deref().and_then(Email::stored));
        if let Some(sender) = Sender::named(&lead.sender) {
            known.subjects.insert(Subject::Lead(LeadKey { sender, external_id: lead.external_id }));
        }
    }
    Ok(())
}

/// The persons of the addresses that those leads have now. One that nothing else tells of goes with them: on a replay, what
/// those leads say would make nobody.
async fn find_others(tx: &mut PgConnection, workspace: WorkspaceId, known: &mut KnownRows) -> Result<(), Error> {
    let others = sqlx::query!(
        r#"-- once
        select distinct l.person_id as "id!",
            (exists (select from leads o where o.workspace_id = $1 and o.person_id = l.person_id and o.id <> all($2))
            or exists (select from lead_clusters c where c.workspace_id = $1 and c.person_id = l.person_id
                and not exists (select from leads m where m.workspace_id = $1 and m.lead_cluster_id = c.id
                    and m.id = any($2)))) as "is_told_elsewhere!"
        from leads l where l.workspace_id = $1 and l.id = any($2)
            and l.person_id is not null and l.person_id <> all($3)"#,
        workspace.get(),
        &known.leads,
        &known.persons,
    )
    .fetch_all(tx)
    .await?;
    for other in others {
        if other.is_told_elsewhere {
            known.others.push(other.id);
        } else {
            known.alone.push(other.id);
        }
    }
    Ok(())
}

/// The clusters that such a lead is in or was in, and those whose contact the person is: by its address, or where it has
/// none, because a cluster is one customer's.
async fn find_clusters(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    emails: &[String],
    named: &BTreeSet<String>,
    known: &mut KnownRows,
) -> Result<(), Error> {
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let clusters = sqlx::query!(
        r#"-- once
        with wanted as (
            select id from lead_clusters where workspace_id = $1 and person_id = any($2)
            union select id from lead_clusters where workspace_id = $1 and person_id = any($6)
            union select id from lead_clusters where workspace_id = $1 and person_email = any($3)
            union select id from lead_clusters where workspace_id = $1 and external_id = any($4)
            union select lead_cluster_id from leads where workspace_id = $1 and id = any($5)
            union select lead_cluster_id from lead_events where workspace_id = $1 and lead_id = any($5)
            union select lead_cluster_id from appointments where workspace_id = $1 and lead_id = any($5)
        )
        select c.id, c.external_id, c.contact_email, c.contact_phone,
            (c.person_email is null or c.person_email = any($3) or c.person_id = any($6)) as "is_contact!"
        from wanted join lead_clusters c on c.workspace_id = $1 and c.id = wanted.id"#,
        workspace.get(),
        &known.persons,
        emails,
        &named as &[&str],
        &known.leads,
        &known.alone,
    )
    .fetch_all(tx)
    .await?;
    for cluster in clusters {
        known.clusters.push(cluster.id);
        known.cluster_ids.insert(cluster.external_id);
        if cluster.is_contact {
            known.contacts.push(cluster.id);
            known.spellings.extend(cluster.contact_email);
            known.phones.extend(cluster.contact_phone);
        }
    }
    Ok(())
}

/// Every address and lead that a workspace knows, for those who know fingerprints only.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn all_subjects(tx: &mut PgConnection, workspace: WorkspaceId) -> Result<Subjects, Error> {
    let addresses = sqlx::query_scalar!(
        r#"-- once
        select email as "email!" from persons where workspace_id = $1
        union select person_email from leads where workspace_id = $1 and person_email is not null
        union select person_email from lead_clusters where workspace_id = $1 and person_email is not null"#,
        workspace.get(),
    )
    .fetch_all(&mut *tx)
    .await?;
    let leads = sqlx::query!("-- once\nselect sender, external_id from leads where workspace_id = $1", workspace.get())
        .fetch_all(tx)
        .await?;
    let leads = leads.into_iter().filter_map(|row| {
        Some(Subject::Lead(LeadKey { sender: Sender::named(&row.sender)?, external_id: row.external_id }))
    });
    Ok(addresses.iter().filter_map(|email| Email::stored(email)).map(Subject::Address).chain(leads).collect())
}

/// The workspaces of the tables, by slug.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn workspaces(tx: &mut PgConnection) -> Result<BTreeMap<String, WorkspaceId>, Error> {
    let rows = sqlx::query!("-- once\nselect id, slug from workspaces").fetch_all(tx).await?;
    Ok(rows.into_iter().map(|row| (row.slug, row.id.into())).collect())
}

/// The leads of a sender's id, of whichever sender, with their workspaces.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn leads_of_id(tx: &mut PgConnection, external_id: &str) -> Result<Vec<(WorkspaceId, Sender)>, Error> {
    let rows = sqlx::query!("-- once\nselect workspace_id, sender from leads where external_id = $1", external_id)
        .fetch_all(tx)
        .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.workspace_id.into(), Sender::named(&row.sender)?))).collect())
}
