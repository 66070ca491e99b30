//! Deliveries: every one as it arrived, with its one outcome; and the list of what a finding can be.

use crate::domain::ids::WorkspaceId;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::json_row::JsonRow;
use super::stored::Unreadable;
use super::unnest::list;
use super::{Error, Store};
use crate::domain::delivery::{Body, Delivery, ascii};
use crate::domain::feed::Feed;
use crate::domain::finding::{Code, Finding};
use crate::domain::workspace::Permitted;
use crate::domain::{Counts, Effect, EffectSummary, Effects, Outcome, Tally};

/// What came of it.
#[derive(Clone, Debug)]
pub struct DeliveryResult {
    /// The workspace, where it is known and permitted.
    pub workspace: Option<WorkspaceId>,
    /// Its fate.
    pub outcome: Outcome,
    /// What a person should know.
    pub findings: Vec<Finding>,
    /// What became of the rows it is about.
    pub effects: Effects,
    /// How often it was tried, this time included.
    pub attempts: i32,
    /// From its arrival, or from the start of this try, to its outcome, in milliseconds.
    pub processing_ms: f64,
    /// When it got its outcome.
    pub settled_at: DateTime<Utc>,
    /// When it is tried again.
    pub retry_at: Option<DateTime<Utc>>,
    /// What it was before, where this try is a replay that a person asked for.
    pub replay: Option<Replay>,
    /// When whom it is about was erased, where it was received before that: its body is not kept.
    pub erased_at: Option<DateTime<Utc>>,
}

impl DeliveryResult {
    /// What is kept of a body: nothing, where whom it is about was erased.
    fn kept<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        self.erased_at.is_none().then_some(bytes)
    }

    /// Leaves only letters that every encoding has.
    pub fn make_ascii(&mut self) {
        for finding in &mut self.findings {
            ascii(&mut finding.message);
            finding.path.iter_mut().for_each(ascii);
        }
    }
}

/// What a delivery was before a replay that a person asked for.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Its record; none where the replay is what brought it here.
    pub before: Option<StoredResult>,
}

/// Writes deliveries with their outcomes. One that is there already gets its new outcome; it is left alone where
/// another try has settled it meanwhile, so that what was applied never becomes failed.
///
/// Tells whether all were written: one that was not has been settled by another try in the meantime.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn save(tx: &mut PgConnection, deliveries: &[(&Delivery, &DeliveryResult)]) -> Result<bool, Error> {
    let written = sqlx::query!(
        "insert into intake.deliveries as known
            (id, received_at, feed, workspace_id, dealership_id, credential, remote_address, content_type, body,
            body_sha256, posted_body, schema_version, outcome, findings, changes, attempts, processing_ms, settled_at,
            retry_at, replays, erased_at)
        select id, received_at, feed, workspace_id, dealership_id, credential, remote_address::inet, content_type,
            body, body_sha256, posted_body, schema_version, outcome, findings::jsonb, changes::jsonb, attempts,
            processing_ms, settled_at, retry_at, replays::jsonb, erased_at
        from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
            $8::text[], $9::bytea[], $10::bytea[], $11::bytea[], $12::text[], $13::text[], $14::text[], $15::text[],
            $16::integer[], $17::float8[], $18::timestamptz[], $19::timestamptz[], $20::text[], $21::timestamptz[])
            as d (id, received_at, feed, workspace_id, dealership_id, credential, remote_address, content_type, body,
            body_sha256, posted_body, schema_version, outcome, findings, changes, attempts, processing_ms, settled_at,
            retry_at, replays, erased_at)
        on conflict (id, received_at) do update set
            feed = excluded.feed, workspace_id = excluded.workspace_id, dealership_id = excluded.dealership_id,
            schema_version = excluded.schema_version, outcome = excluded.outcome, findings = excluded.findings,
            changes = excluded.changes, attempts = excluded.attempts, processing_ms = excluded.processing_ms,
            settled_at = excluded.settled_at, retry_at = excluded.retry_at,
            replays = known.replays || excluded.replays,
            body = case when excluded.erased_at is null then known.body end,
            posted_body = case when excluded.erased_at is null then known.posted_body end,
            body_sha256 = case when excluded.erased_at is null then known.body_sha256 end,
            erased_at = coalesce(known.erased_at, excluded.erased_at)
        where known.attempts < excluded.attempts",
        &list(deliveries, |(delivery, _)| delivery.id),
        &list(deliveries, |(delivery, _)| delivery.received_at),
        &list(deliveries, |(delivery, _)| delivery.feed.name()) as &[&str],
        &list(deliveries, |(_, result)| result.workspace.map(WorkspaceId::get)) as &[Option<i64>],
        &list(deliveries, |(delivery, _)| delivery.dealership_id) as &[Option<i64>],
        &list(deliveries, |(delivery, _)| delivery.credential.as_str()) as &[&str],
        &list(deliveries, |(delivery, _)| delivery.remote_address.map(|at| at.to_string())) as &[Option<String>],
        &list(deliveries, |(delivery, _)| delivery.content_type.as_deref()) as &[Option<&str>],
        &list(deliveries, |(delivery, result)| result.kept(&*delivery.body)) as &[Option<&[u8]>],
        &list(deliveries, |(delivery, result)| result.kept(delivery.body.sha256().as_slice())) as &[Option<&[u8]>],
        &list(deliveries, |(delivery, result)| delivery.posted_body.as_deref().and_then(|body| result.kept(body)))
            as &[Option<&[u8]>],
        &list(deliveries, |(delivery, _)| delivery.schema_version) as &[Option<&str>],
        &list(deliveries, |(_, result)| result.outcome.name()) as &[&str],
        &list(deliveries, |(_, result)| findings(&result.findings)),
        &list(deliveries, |(_, result)| changes(&result.effects).to_string()),
        &list(deliveries, |(_, result)| result.attempts),
        &list(deliveries, |(_, result)| result.processing_ms),
        &list(deliveries, |(_, result)| result.settled_at),
        &list(deliveries, |(_, result)| result.retry_at) as &[Option<DateTime<Utc>>],
        &list(deliveries, |(delivery, result)| replays(delivery, result).to_string()),
        &list(deliveries, |(_, result)| result.erased_at) as &[Option<DateTime<Utc>>],
    )
    .execute(tx)
    .await?;
    Ok(usize::try_from(written.rows_affected()).is_ok_and(|written| written == deliveries.len()))
}

/// Notes replays on deliveries that stay what they were, since what was applied stays applied.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn note_replays(tx: &mut PgConnection, deliveries: &[(&Delivery, &DeliveryResult)]) -> Result<(), Error> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let notes = deliveries.iter().map(|(delivery, result)| {
        json!({ "id": delivery.id, "received_at": delivery.received_at.to_rfc3339(), "attempts": result.attempts,
            "replays": replays(delivery, result) })
    });
    let notes = Value::Array(notes.collect());
    sqlx::query!(
        "update intake.deliveries as known
        set attempts = n.attempts, replays = known.replays || n.replays, retry_at = null
        from jsonb_populate_recordset(null::intake.deliveries, $1) as n
        where known.id = n.id and known.received_at = n.received_at and known.attempts < n.attempts",
        notes,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A replay as the delivery's record tells it: what the delivery was, and what the replay made. The former feed is told
/// where the replay applied it as another.
fn replays(delivery: &Delivery, result: &DeliveryResult) -> Value {
    let Some(Replay { before }) = &result.replay else { return json!([]) };
    let told = |outcome: Outcome, effects: &Effects, findings: &[Finding]| {
        let codes: BTreeSet<&str> = findings.iter().map(|finding| finding.code.name()).collect();
        json!({ "outcome": outcome.name(), "changes": changes(effects), "findings": codes })
    };
    let before = before.as_ref().map(|before| {
        let mut told = told(before.outcome, &before.effects, &before.findings);
        if before.feed != delivery.feed.name()
            && let Some(told) = told.as_object_mut()
        {
            told.insert("feed".to_owned(), json!(before.feed));
        }
        told
    });
    let made = told(result.outcome, &result.effects, &result.findings);
    let at = result.settled_at.to_rfc3339();
    json!([{ "at": at, "attempt": result.attempts, "before": before, "replay": made }])
}

/// Findings as a text of JSON: there may be thousands.
fn findings(findings: &[Finding]) -> String {
    let rows: Vec<FindingRow<'_>> = findings
        .iter()
        .map(|Finding { code, path, message }| FindingRow { code: code.name(), path: path.as_deref(), message })
        .collect();
    // Writing texts to a text cannot fail.
    serde_json::to_string(&rows).unwrap_or_default()
}

#[derive(Serialize)]
struct FindingRow<'a> {
    code: &'a str,
    path: Option<&'a str>,
    message: &'a str,
}

/// What became of the rows, as an object: a word for each kind, or for many rows of a kind how many became what.
fn changes(effects: &Effects) -> Value {
    let mut changes = JsonRow::new();
    for (kind, told) in effects.summary() {
        let told = match told {
            EffectSummary::One(effect) => json!(effect.name()),
            EffectSummary::Many(tally) => {
                tally.parts().into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect()
            }
        };
        changes.insert(kind.to_owned(), told);
    }
    Value::Object(changes)
}

/// A delivery that is stored already.
#[derive(Clone, Debug)]
pub struct StoredResult {
    /// The name of its feed.
    pub feed: String,
    /// How often it was tried.
    pub attempts: i32,
    /// Its fate.
    pub outcome: Outcome,
    /// What became of the rows it is about.
    pub effects: Effects,
    /// What a person should know.
    pub findings: Vec<Finding>,
}

/// Those of these deliveries that are stored; they are kept from others meanwhile.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn known(tx: &mut PgConnection, ids: &[Uuid]) -> Result<BTreeMap<Uuid, StoredResult>, Error> {
    let rows = sqlx::query!(
        "select id, feed, attempts, outcome, changes, findings from intake.deliveries where id = any($1)
        order by id for update",
        ids,
    )
    .fetch_all(tx)
    .await?;
    let known = rows.into_iter().map(|row| {
        let unreadable = |column| Unreadable::new("intake.deliveries", format!("id is '{}'", row.id), column);
        let findings = row.findings.as_array().ok_or_else(|| unreadable("findings"))?;
        let findings = findings.iter().map(read_finding).collect::<Option<_>>();
        let known = StoredResult {
            feed: row.feed,
            attempts: row.attempts,
            outcome: Outcome::named(&row.outcome).ok_or_else(|| unreadable("outcome"))?,
            effects: read_changes(&row.changes).ok_or_else(|| unreadable("changes"))?,
            findings: findings.ok_or_else(|| unreadable("findings"))?,
        };
        Ok((row.id, known))
    });
    known.collect()
}

fn read_finding(finding: &Value) -> Option<Finding> {
    Some(Finding {
        code: Code::named(finding.get("code")?.as_str()?)?,
        path: match finding.get("path") {
            None | Some(Value::Null) => None,
            Some(path) => Some(path.as_str()?.to_owned()),
        },
        message: finding.get("message")?.as_str()?.to_owned(),
    })
}

fn read_changes(changes: &Value) -> Option<Effects> {
    let changes = changes.as_object()?;
    let (mut effects, mut counts) = (Effects::default(), Counts::default());
    for (kind, told) in changes {
        if let Some(name) = told.as_str() {
            if let Some(of_kind) = one(&mut effects, kind) {
                *of_kind = Some(Effect::named(name)?);
            }
        } else if let Some(of_kind) = many(&mut counts, kind) {
            *of_kind = read_tally(told)?;
        }
    }
    effects.counts = (counts != Counts::default()).then_some(counts);
    Some(effects)
}

fn one<'a>(effects: &'a mut Effects, kind: &str) -> Option<&'a mut Option<Effect>> {
    match kind {
        "person" => Some(&mut effects.person),
        "lead" => Some(&mut effects.lead),
        "lead_cluster" => Some(&mut effects.lead_cluster),
        "listing" => Some(&mut effects.listing),
        "booking" => Some(&mut effects.booking),
        _ => None,
    }
}

fn many<'a>(counts: &'a mut Counts, kind: &str) -> Option<&'a mut Tally> {
    match kind {
        "person" => Some(&mut counts.person),
        "lead" => Some(&mut counts.lead),
        "lead_event" => Some(&mut counts.lead_event),
        "booking" => Some(&mut counts.booking),
        _ => None,
    }
}

fn read_tally(tally: &Value) -> Option<Tally> {
    let tally = tally.as_object()?;
    let part = |name| match tally.get(name) {
        None => Some(0),
        Some(count) => count.as_u64()?.try_into().ok(),
    };
    Some(Tally {
        created: part("created")?,
        updated: part("updated")?,
        unchanged: part("unchanged")?,
        blocked: part("blocked")?,
    })
}

/// A stored delivery that is to be tried again.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What arrived. The store does not know what its credential may write to: nothing is permitted.
    pub delivery: Delivery,
    /// The workspace it was stored with.
    pub workspace: Option<WorkspaceId>,
    /// How often it was tried.
    pub attempts: i32,
    /// Whether it has been merged, and is to be merged again because values are read otherwise now.
    pub was_applied: bool,
}

/// A stored delivery of a feed that this version does not have: a newer one has stored it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its feed is not known")]
pub struct UnknownFeed {
    /// The delivery's id.
    pub id: Uuid,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// The name of its feed.
    pub feed: String,
}

/// A delivery's row, as far as another try needs it.
pub(super) struct DeliveryRow {
    pub(super) id: Uuid,
    pub(super) received_at: DateTime<Utc>,
    pub(super) feed: String,
    pub(super) workspace_id: Option<i64>,
    pub(super) dealership_id: Option<i64>,
    pub(super) credential: String,
    pub(super) remote_address: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) body: Vec<u8>,
    pub(super) posted_body: Option<Vec<u8>>,
    pub(super) attempts: i32,
    pub(super) was_applied: bool,
}

impl DeliveryRow {
    /// The delivery of the row.
    pub(super) fn read(self) -> Result<Stored, UnknownFeed> {
        let Self { id, received_at, feed, workspace_id, dealership_id, credential, attempts, was_applied, .. } = self;
        let Some(feed) = Feed::named(&feed) else { return Err(UnknownFeed { id, received_at, feed }) };
        let delivery = Delivery {
            id,
            feed,
            received_at,
            credential,
            permitted: Permitted::Only(BTreeSet::new()),
            remote_address: self.remote_address.and_then(|address| address.parse().ok()),
            content_type: self.content_type,
            body: self.body.into(),
            posted_body: self.posted_body.map(Body::from),
            undecoded: None,
            dealership_id,
            schema_version: None,
        };
        Ok(Stored { delivery, workspace: workspace_id.map(WorkspaceId::from), attempts, was_applied })
    }
}

/// How many bytes of bodies are loaded at a time, beside one more delivery.
const MOST_BYTES: i64 = 16 << 20;

/// What a configuration knows that may give a rejected delivery its workspace.
#[derive(Clone, Debug, Default)]
pub struct RetryableRejections {
    /// The dealership ids that are configured.
    pub dealerships: Vec<i64>,
    /// The names of the credentials there are; what came by another one waits for a person.
    pub known_credentials: Vec<String>,
    /// The names of the credentials that have one workspace, which is that of a delivery that names none.
    pub credentials: Vec<String>,
    /// The feeds whose deliveries may name none.
    pub nameless_feeds: Vec<Feed>,
}

impl RetryableRejections {
    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The deliveries that failed and are due, and those rejected for want of a workspace that they would have now; oldest
/// first.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn due(
    store: &Store,
    now: DateTime<Utc>,
    retryable: &RetryableRejections,
    limit: usize,
) -> Result<Vec<Result<Stored, UnknownFeed>>, Error> {
    let RetryableRejections { dealerships, known_credentials, credentials, nameless_feeds } = retryable;
    let mut tx = store.begin(None).await?;
    let nameless_feeds: Vec<&str> = nameless_feeds.iter().map(|feed| feed.name()).collect();
    let rows = sqlx::query_as!(
        DeliveryRow,
        r#"with wanted as (
            select id, received_at from intake.deliveries where retry_at <= $1 and erased_at is null
            union select id, received_at from intake.deliveries
            where workspace_id is null and outcome = 'rejected' and erased_at is null and dealership_id = any($2)
                and credential = any($6) and findings @> '[{"code": "dealership_unknown"}]'
            union select id, received_at from intake.deliveries
            where workspace_id is null and outcome = 'rejected' and erased_at is null and dealership_id is null
                and credential = any($4) and feed = any($5) and findings @> '[{"code": "dealership_missing"}]'
        ), oldest as (
            select id, received_at from wanted order by received_at, id limit $3
        ), measured as (
            select id, received_at, sum(bytes) over (order by received_at, id) - bytes as before
            from oldest join intake.deliveries using (id, received_at),
                lateral (select octet_length(body) + coalesce(octet_length(posted_body), 0) as bytes) as sized
        )
        select id as "id!", received_at as "received_at!", feed, workspace_id, dealership_id, credential,
            host(remote_address) as remote_address, content_type, body as "body!", posted_body, attempts,
            outcome in ('applied', 'unchanged') as "was_applied!"
        from measured join intake.deliveries using (id, received_at) where before < $7::bigint
        order by received_at, id"#,
        now,
        dealerships,
        i64::try_from(limit).unwrap_or(i64::MAX),
        credentials,
        &nameless_feeds as &[&str],
        known_credentials,
        MOST_BYTES,
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(rows.into_iter().map(DeliveryRow::read).collect())
}

/// Writes the list of codes, so that queries can join it.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn save_codes(store: &Store) -> Result<(), Error> {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    let meanings: Vec<&str> = Code::ALL.iter().map(|code| code.meaning()).collect();
    let remedies: Vec<&str> = Code::ALL.iter().map(|code| code.remedy()).collect();
    let mut tx = store.begin(None).await?;
    sqlx::query!(
        "insert into intake.finding_codes as known (code, meaning, remedy)
        select * from unnest($1::text[], $2::text[], $3::text[])
        on conflict (code) do update set meaning = excluded.meaning, remedy = excluded.remedy
        where (known.meaning, known.remedy) is distinct from (excluded.meaning, excluded.remedy)",
        &codes as &[&str],
        &meanings as &[&str],
        &remedies as &[&str],
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}
