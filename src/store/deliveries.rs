//! Deliveries: every one as it arrived, with its one outcome; and the list of what a finding can be.

use crate::domain::ids::WorkspaceId;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::bodies::{self, BodyKey, BodyLists, KeptBody};
use super::json_row::JsonRow;
use super::placements::{self, DeliveryKey, Left, Placement};
use super::stored::Unreadable;
use super::unnest::list;
use super::{Error, Store};
use crate::domain::delivery::{Delivery, ascii};
use crate::domain::finding::{Code, Finding};
use crate::domain::{Counts, Effect, EffectSummary, Effects, OtherBookings, Outcome, Tally};

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
    /// Whether another try had settled it before, so that nothing was written.
    pub was_settled: bool,
}

impl DeliveryResult {
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

/// A delivery that is to be written, with its outcome.
#[derive(Clone, Debug)]
pub struct DeliveryRecord<'a> {
    /// The delivery.
    pub delivery: &'a Delivery,
    /// Its outcome.
    pub result: &'a DeliveryResult,
    /// Where its row stands; none where there is none yet.
    pub placement: Option<Placement>,
}

impl DeliveryRecord<'_> {
    /// Where its row stands, if in this workspace.
    fn placed_in(&self, workspace: i64) -> Option<&Placement> {
        self.placement.as_ref().filter(|placement| placement.workspace == workspace)
    }

    /// Whether its body is shared with other deliveries of this workspace. What was applied once stays shared.
    fn shares_body(&self, workspace: i64) -> bool {
        let was_shared = self.placed_in(workspace).is_some_and(|placement| placement.shares_body);
        was_shared || self.result.workspace.is_some() && bodies::is_shared(self.delivery, self.result.outcome)
    }

    fn body_key(&self, is_shared: bool) -> BodyKey {
        let Delivery { id, received_at, body, .. } = self.delivery;
        if is_shared { BodyKey::shared(body.sha256(), *received_at) } else { BodyKey::own(*id, *received_at) }
    }
}

/// Writes deliveries of one workspace, or of none, with their outcomes and bodies. One that is there already gets its new
/// outcome, and where it stands in another workspace, a new row in this one; it is left alone where another try has settled
/// it meanwhile, so that what was applied never becomes failed.
///
/// Tells whether all were written: one that was not has been settled by another try in the meantime.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn save(
    tx: &mut PgConnection,
    workspace: Option<WorkspaceId>,
    records: &[DeliveryRecord<'_>],
) -> Result<bool, Error> {
    if records.is_empty() {
        return Ok(true);
    }
    let workspace = placements::number(workspace);
    let elsewhere =
        |settled: &&DeliveryRecord<'_>| settled.placement.is_some() && settled.placed_in(workspace).is_none();
    let moved: Vec<(Uuid, Placement)> = records
        .iter()
        .filter(elsewhere)
        .filter_map(|settled| Some((settled.delivery.id, settled.placement.clone()?)))
        .collect();
    let left = placements::leave(tx, &moved).await?;
    let bodies = bodies_to_keep(tx, workspace, records).await?;
    let written = insert(tx, workspace, records, &left, &BodyLists::of(&bodies)).await?;
    let shared_since = records.iter().filter(|settled| {
        let is_own = |placement: &Placement| !placement.shares_body && !placement.holds_body;
        settled.shares_body(workspace) && settled.placed_in(workspace).is_some_and(is_own)
    });
    let shared_since: Vec<BodyKey> = shared_since.map(|settled| settled.body_key(false)).collect();
    let erased = records.iter().filter(|settled| settled.result.erased_at.is_some());
    let erased = erased.filter(|settled| settled.placed_in(workspace).is_some());
    let gone: Vec<BodyKey> = shared_since.into_iter().chain(erased.map(|settled| settled.body_key(false))).collect();
    bodies::remove_own(tx, workspace, &gone).await?;
    Ok(written == records.len())
}

/// The bodies that are not there yet. What others have sent before is asked for by its digest, so that it need not be sent to
/// Postgres at all.
async fn bodies_to_keep<'a>(
    tx: &mut PgConnection,
    workspace: i64,
    records: &'a [DeliveryRecord<'a>],
) -> Result<Vec<KeptBody<'a>>, Error> {
    let is_there = |placement: &Placement, is_shared: bool| placement.shares_body == is_shared && !placement.holds_body;
    let wanted = records.iter().filter(|settled| settled.result.erased_at.is_none());
    let wanted = wanted.map(|settled| (settled, settled.shares_body(workspace)));
    let wanted: Vec<(&DeliveryRecord<'_>, bool)> = wanted
        .filter(|(settled, is_shared)| {
            settled.placed_in(workspace).is_none_or(|placement| !is_there(placement, *is_shared))
        })
        .collect();
    let shared: BTreeSet<BodyKey> =
        wanted.iter().filter(|(_, is_shared)| *is_shared).map(|(settled, _)| settled.body_key(true)).collect();
    let mut known = bodies::known(tx, workspace, &shared).await?;
    let mut kept = Vec::with_capacity(wanted.len());
    for (settled, is_shared) in wanted {
        let key = settled.body_key(is_shared);
        // Of several in one batch the first.
        if !is_shared || known.insert(key.clone()) {
            kept.push(KeptBody { key, delivery: settled.delivery });
        }
    }
    Ok(kept)
}

/// Writes rows and bodies in one statement, because each would be waited for. Gives how many rows were written.
async fn insert(
    tx: &mut PgConnection,
    workspace: i64,
    records: &[DeliveryRecord<'_>],
    left: &BTreeMap<Uuid, Left>,
    bodies: &BodyLists<'_>,
) -> Result<usize, Error> {
    let left = |settled: &DeliveryRecord<'_>| left.get(&settled.delivery.id);
    let written = sqlx::query_file!(
        "src/store/save_deliveries.sql",
        workspace,
        &list(records, |settled| settled.delivery.id),
        &list(records, |settled| settled.delivery.received_at),
        &list(records, |settled| settled.delivery.feed.name()) as &[&str],
        &list(records, |settled| settled.delivery.external_id.as_deref()) as &[Option<&str>],
        &list(records, |settled| settled.delivery.dealership_id) as &[Option<i64>],
        &list(records, |settled| left(settled).map_or(&settled.delivery.credential, |left| &left.credential).as_str())
            as &[&str],
        &list(records, |settled| match left(settled) {
            Some(left) => left.remote_address.clone(),
            None => settled.delivery.remote_address.map(|at| at.to_string()),
        }) as &[Option<String>],
        &list(records, |settled| left(settled)
            .map_or(&settled.delivery.content_type, |left| &left.content_type)
            .as_deref()) as &[Option<&str>],
        &list(records, |settled| {
            let is_kept = settled.result.erased_at.is_none();
            is_kept.then(|| settled.delivery.body.sha256().as_slice())
        }) as &[Option<&[u8]>],
        &list(records, |settled| settled.delivery.schema_version) as &[Option<&str>],
        &list(records, |settled| settled.result.outcome.name()) as &[&str],
        &list(records, |settled| findings(&settled.result.findings)),
        &list(records, |settled| changes(&settled.result.effects).to_string()),
        &list(records, |settled| settled.result.attempts),
        &list(records, |settled| settled.result.processing_ms),
        &list(records, |settled| settled.result.settled_at),
        &list(records, |settled| settled.result.retry_at) as &[Option<DateTime<Utc>>],
        &list(records, |settled| all_replays(left(settled), settled).to_string()),
        &bodies.keys as &[&[u8]],
        &bodies.months,
        &bodies.bodies as &[&[u8]],
        &bodies.posted_bodies as &[Option<&[u8]>],
        &list(records, |settled| settled.shares_body(workspace)),
        &list(records, |settled| settled.result.erased_at) as &[Option<DateTime<Utc>>],
    )
    .execute(tx)
    .await?;
    Ok(usize::try_from(written.rows_affected()).unwrap_or(usize::MAX))
}

/// The replays of a row: those of the one that it takes the place of, and this one.
fn all_replays(left: Option<&Left>, settled: &DeliveryRecord<'_>) -> Value {
    let mut all = left.and_then(|left| left.replays.as_array().cloned()).unwrap_or_default();
    all.extend(replays(settled.delivery, settled.result));
    Value::Array(all)
}

/// Notes replays on deliveries that stay what they were, and where, since what was applied stays applied.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn note_replays(tx: &mut PgConnection, records: &[DeliveryRecord<'_>]) -> Result<(), Error> {
    let workspaces: BTreeSet<i64> =
        records.iter().filter_map(|settled| Some(settled.placement.as_ref()?.workspace)).collect();
    for workspace in workspaces {
        let here: Vec<&DeliveryRecord<'_>> =
            records.iter().filter(|settled| settled.placed_in(workspace).is_some()).collect();
        sqlx::query!(
            "update intake.deliveries as known
            set attempts = n.attempts, replays = known.replays || n.replays::jsonb, retry_at = null
            from unnest($2::uuid[], $3::timestamptz[], $4::integer[], $5::text[])
                as n (id, received_at, attempts, replays)
            where known.workspace_id = $1 and known.id = any($2) and known.id = n.id
                and known.received_at = n.received_at and known.attempts < n.attempts",
            workspace,
            &list(&here, |settled| settled.delivery.id),
            &list(&here, |settled| settled.delivery.received_at),
            &list(&here, |settled| settled.result.attempts),
            &list(&here, |settled| Value::from_iter(replays(settled.delivery, settled.result)).to_string()),
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// A replay as the delivery's record tells it: what the delivery was, and what the replay made. The former feed is told
/// where the replay applied it as another.
fn replays(delivery: &Delivery, result: &DeliveryResult) -> Option<Value> {
    let Replay { before } = result.replay.as_ref()?;
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
    Some(json!({ "at": at, "attempt": result.attempts, "before": before, "replay": made }))
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
    if !effects.other_bookings.is_empty() {
        changes.insert(OTHER_BOOKINGS.to_owned(), other_bookings(&effects.other_bookings));
    }
    Value::Object(changes)
}

/// Where the bookings of leads stand that the delivery was not about.
const OTHER_BOOKINGS: &str = "other_bookings";
/// How many of them are named; `bookings.delivery_id` has all.
const MOST_NAMED: usize = 1_000;

/// The sender's ids of leads by what became of their bookings, and how many more there are.
fn other_bookings(bookings: &OtherBookings) -> Value {
    let mut by_effect = JsonRow::new();
    for (lead, effect) in bookings.iter().take(MOST_NAMED) {
        let leads = by_effect.entry(effect.name()).or_insert_with(|| json!([]));
        if let Some(leads) = leads.as_array_mut() {
            leads.push(json!(lead));
        }
    }
    if bookings.len() > MOST_NAMED {
        by_effect.insert("more".to_owned(), json!(bookings.len() - MOST_NAMED));
    }
    Value::Object(by_effect)
}

fn read_other_bookings(by_effect: &Value) -> Option<OtherBookings> {
    let mut bookings = OtherBookings::new();
    for (name, leads) in by_effect.as_object()?.iter().filter(|(name, _)| *name != "more") {
        let effect = Effect::named(name)?;
        for lead in leads.as_array()? {
            bookings.insert(lead.as_str()?.to_owned(), effect);
        }
    }
    Some(bookings)
}

/// A delivery that is stored already.
#[derive(Clone, Debug)]
pub struct StoredResult {
    /// Where its row stands.
    pub placement: Placement,
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

impl StoredResult {
    /// Whether nothing but a person's asking makes anything else of it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        match self.outcome {
            Outcome::Applied | Outcome::Unchanged | Outcome::Ignored => true,
            Outcome::Rejected | Outcome::Failed => false,
        }
    }
}

/// Those of these deliveries that are stored, in whatever workspace; they are kept from others meanwhile.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn known(tx: &mut PgConnection, keys: &[DeliveryKey]) -> Result<BTreeMap<Uuid, StoredResult>, Error> {
    let known = placements::lock(tx, keys).await?.into_iter().map(|row| {
        let unreadable = |column| Unreadable::new("intake.deliveries", format!("id is '{}'", row.id), column);
        let findings = row.findings.as_array().ok_or_else(|| unreadable("findings"))?;
        let findings = findings.iter().map(read_finding).collect::<Option<_>>();
        let known = StoredResult {
            feed: row.feed,
            attempts: row.placement.attempts,
            outcome: Outcome::named(&row.outcome).ok_or_else(|| unreadable("outcome"))?,
            effects: read_changes(&row.changes).ok_or_else(|| unreadable("changes"))?,
            findings: findings.ok_or_else(|| unreadable("findings"))?,
            placement: row.placement,
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
        } else if kind == OTHER_BOOKINGS {
            effects.other_bookings = read_other_bookings(told)?;
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
