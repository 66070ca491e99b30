//! Deliveries: every one as it arrived, with its one outcome; and the list of what a finding can be.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::json_row::JsonRow;
use super::stored::Unreadable;
use super::unnest::list;
use super::{Error, Store};
use crate::domain::finding::{Code, Finding};
use crate::domain::state::RowId;
use crate::domain::{Counts, Effect, EffectSummary, Effects, Outcome, Tally};

/// What arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Its id.
    pub id: Uuid,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// The name of its feed.
    pub feed: String,
    /// The dealership id that the payload names.
    pub dealership_id: Option<i64>,
    /// The name of the credential that let it in.
    pub credential: String,
    /// The sender's address.
    pub remote_address: Option<IpAddr>,
    /// `Content-Type` as sent.
    pub content_type: Option<String>,
    /// The body; shared, because it may be on its way to several places at once.
    pub body: Arc<Vec<u8>>,
    /// What was posted where the body is something else, the claims of a signed token, and says something else.
    pub posted_body: Option<Arc<Vec<u8>>>,
    /// Schema version of a lead.
    pub schema_version: Option<&'static str>,
}

impl Arrived {
    /// How many bytes came.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len() + self.posted_body.as_ref().map_or(0, |body| body.len())
    }

    /// Leaves only letters that every encoding has.
    pub fn make_plain(&mut self) {
        plain(&mut self.credential);
        self.content_type.iter_mut().for_each(plain);
    }
}

fn plain(text: &mut String) {
    if !text.is_ascii() {
        *text = text.chars().map(|letter| if letter.is_ascii() { letter } else { '?' }).collect();
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The workspace, where it is known and permitted.
    pub workspace: Option<RowId>,
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
}

impl Settled {
    /// Leaves only letters that every encoding has.
    pub fn make_plain(&mut self) {
        for finding in &mut self.findings {
            plain(&mut finding.message);
            finding.path.iter_mut().for_each(plain);
        }
    }
}

/// What a delivery was before a replay that a person asked for.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Its record; none where the replay is what brought it here.
    pub before: Option<Known>,
}

/// Writes deliveries with their outcomes. One that is there already gets its new outcome; it is left alone where
/// another try has settled it meanwhile, so that what was applied never becomes failed.
///
/// Tells whether all were written: one that was not has been settled by another try in the meantime.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn save(tx: &mut PgConnection, deliveries: &[(&Arrived, &Settled)]) -> Result<bool, Error> {
    let written = sqlx::query!(
        "insert into intake.deliveries as known
            (id, received_at, feed, workspace_id, dealership_id, credential, remote_address, content_type, body,
            body_sha256, posted_body, schema_version, outcome, findings, changes, attempts, processing_ms, settled_at,
            retry_at, replays)
        select id, received_at, feed, workspace_id, dealership_id, credential, remote_address::inet, content_type,
            body, body_sha256, posted_body, schema_version, outcome, findings::jsonb, changes::jsonb, attempts,
            processing_ms, settled_at, retry_at, replays::jsonb
        from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
            $8::text[], $9::bytea[], $10::bytea[], $11::bytea[], $12::text[], $13::text[], $14::text[], $15::text[],
            $16::integer[], $17::float8[], $18::timestamptz[], $19::timestamptz[], $20::text[])
            as d (id, received_at, feed, workspace_id, dealership_id, credential, remote_address, content_type, body,
            body_sha256, posted_body, schema_version, outcome, findings, changes, attempts, processing_ms, settled_at,
            retry_at, replays)
        on conflict (id, received_at) do update set
            feed = excluded.feed, workspace_id = excluded.workspace_id, dealership_id = excluded.dealership_id,
            schema_version = excluded.schema_version, outcome = excluded.outcome, findings = excluded.findings,
            changes = excluded.changes, attempts = excluded.attempts, processing_ms = excluded.processing_ms,
            settled_at = excluded.settled_at, retry_at = excluded.retry_at,
            replays = known.replays || excluded.replays
        where known.attempts < excluded.attempts",
        &list(deliveries, |(arrived, _)| arrived.id),
        &list(deliveries, |(arrived, _)| arrived.received_at),
        &list(deliveries, |(arrived, _)| arrived.feed.as_str()) as &[&str],
        &list(deliveries, |(_, settled)| settled.workspace) as &[Option<RowId>],
        &list(deliveries, |(arrived, _)| arrived.dealership_id) as &[Option<i64>],
        &list(deliveries, |(arrived, _)| arrived.credential.as_str()) as &[&str],
        &list(deliveries, |(arrived, _)| arrived.remote_address.map(|at| at.to_string())) as &[Option<String>],
        &list(deliveries, |(arrived, _)| arrived.content_type.as_deref()) as &[Option<&str>],
        &list(deliveries, |(arrived, _)| arrived.body.as_slice()) as &[&[u8]],
        &list(deliveries, |(arrived, _)| Sha256::digest(arrived.body.as_slice()).to_vec()),
        &list(deliveries, |(arrived, _)| arrived.posted_body.as_ref().map(|body| body.as_slice()))
            as &[Option<&[u8]>],
        &list(deliveries, |(arrived, _)| arrived.schema_version) as &[Option<&str>],
        &list(deliveries, |(_, settled)| settled.outcome.name()) as &[&str],
        &list(deliveries, |(_, settled)| findings(&settled.findings)),
        &list(deliveries, |(_, settled)| changes(&settled.effects).to_string()),
        &list(deliveries, |(_, settled)| settled.attempts),
        &list(deliveries, |(_, settled)| settled.processing_ms),
        &list(deliveries, |(_, settled)| settled.settled_at),
        &list(deliveries, |(_, settled)| settled.retry_at) as &[Option<DateTime<Utc>>],
        &list(deliveries, |(arrived, settled)| replays(arrived, settled).to_string()),
    )
    .execute(tx)
    .await?;
    Ok(usize::try_from(written.rows_affected()).is_ok_and(|written| written == deliveries.len()))
}

/// Notes replays on deliveries that stay what they were, since what was applied stays applied.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn note_replays(tx: &mut PgConnection, deliveries: &[(&Arrived, &Settled)]) -> Result<(), Error> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let notes = deliveries.iter().map(|(arrived, settled)| {
        json!({ "id": arrived.id, "received_at": arrived.received_at.to_rfc3339(), "attempts": settled.attempts,
            "replays": replays(arrived, settled) })
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
fn replays(arrived: &Arrived, settled: &Settled) -> Value {
    let Some(Replay { before }) = &settled.replay else { return json!([]) };
    let told = |outcome: Outcome, effects: &Effects, findings: &[Finding]| {
        let codes: BTreeSet<&str> = findings.iter().map(|finding| finding.code.name()).collect();
        json!({ "outcome": outcome.name(), "changes": changes(effects), "findings": codes })
    };
    let before = before.as_ref().map(|before| {
        let mut told = told(before.outcome, &before.effects, &before.findings);
        if before.feed != arrived.feed
            && let Some(told) = told.as_object_mut()
        {
            told.insert("feed".to_owned(), json!(before.feed));
        }
        told
    });
    let made = told(settled.outcome, &settled.effects, &settled.findings);
    let at = settled.settled_at.to_rfc3339();
    json!([{ "at": at, "attempt": settled.attempts, "before": before, "replay": made }])
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
pub struct Known {
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
pub async fn known(tx: &mut PgConnection, ids: &[Uuid]) -> Result<BTreeMap<Uuid, Known>, Error> {
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
        let known = Known {
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
    /// What arrived.
    pub arrived: Arrived,
    /// The workspace it was stored with.
    pub workspace: Option<RowId>,
    /// How often it was tried.
    pub attempts: i32,
    /// Whether it has been merged, and is to be merged again because values are read otherwise now.
    pub was_applied: bool,
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
    pub nameless_feeds: Vec<String>,
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
) -> Result<Vec<Stored>, Error> {
    let RetryableRejections { dealerships, known_credentials, credentials, nameless_feeds } = retryable;
    let mut tx = store.begin(None).await?;
    let rows = sqlx::query!(
        r#"with wanted as (
            select id, received_at from intake.deliveries where retry_at <= $1
            union select id, received_at from intake.deliveries
            where workspace_id is null and outcome = 'rejected' and dealership_id = any($2)
                and credential = any($6) and findings @> '[{"code": "dealership_unknown"}]'
            union select id, received_at from intake.deliveries
            where workspace_id is null and outcome = 'rejected' and dealership_id is null
                and credential = any($4) and feed = any($5) and findings @> '[{"code": "dealership_missing"}]'
        ), oldest as (
            select id, received_at from wanted order by received_at, id limit $3
        ), measured as (
            select id, received_at, sum(bytes) over (order by received_at, id) - bytes as before
            from oldest join intake.deliveries using (id, received_at),
                lateral (select octet_length(body) + coalesce(octet_length(posted_body), 0) as bytes) as sized
        )
        select id as "id!", received_at as "received_at!", feed, workspace_id, dealership_id, credential,
            host(remote_address) as remote_address, content_type, body, posted_body, attempts,
            outcome in ('applied', 'unchanged') as "was_heard!"
        from measured join intake.deliveries using (id, received_at) where before < $7::bigint
        order by received_at, id"#,
        now,
        dealerships,
        i64::try_from(limit).unwrap_or(i64::MAX),
        credentials,
        nameless_feeds,
        known_credentials,
        MOST_BYTES,
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let stored = rows.into_iter().map(|row| Stored {
        arrived: Arrived {
            id: row.id,
            received_at: row.received_at,
            feed: row.feed,
            dealership_id: row.dealership_id,
            credential: row.credential,
            remote_address: row.remote_address.and_then(|address| address.parse().ok()),
            content_type: row.content_type,
            body: Arc::new(row.body),
            posted_body: row.posted_body.map(Arc::new),
            schema_version: None,
        },
        workspace: row.workspace_id,
        attempts: row.attempts,
        was_applied: row.was_heard,
    });
    Ok(stored.collect())
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
