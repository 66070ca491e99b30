//! How everything stands, for a person who looks on: what arrived last and what came of it, what leads wait for, who has
//! fallen silent or is refused, and what is undocumented.
//!
//! Every statement is bounded in time ([`begin`]) and in rows: it reads the newest of what it tells of, along an index, and
//! no more than so many. So it costs the same however much there is, and a person who looks on holds up no delivery.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Error, Store, Transaction, session};

/// So many of the newest deliveries are looked at, counted or searched for what is asked for.
pub const NEWEST: i64 = 2_000;
/// So many rows are told of each kind at the most.
pub const MOST_ROWS: i64 = 50;
/// So many blocked leads are looked at in each workspace, the newest.
pub const NEWEST_BLOCKED: i64 = 2_000;
/// So many refused requests are looked at, the newest.
const NEWEST_REFUSED: i64 = 1_000;
/// So many undocumented fields are told of each workspace.
const MOST_FIELDS: i64 = 12;
/// So many rows of a workspace are told from at the most.
const MOST_OF_WORKSPACE: i64 = 1_000;
/// So many workspaces are looked at.
const MOST_WORKSPACES: i64 = 200;

/// Begins to read for a person: a statement that takes longer than two seconds is given up.
pub(super) async fn begin(store: &Store) -> Result<Transaction, Error> {
    let mut tx = store.begin(None).await?;
    session::run(&mut tx, session::FOR_A_PERSON).await?;
    Ok(tx)
}

/// How many of the newest deliveries have the same workspace, feed and outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryCount {
    /// The slug of the workspace; none where it was not known or not permitted.
    pub workspace: Option<String>,
    /// The feed's name.
    pub feed: String,
    /// The outcome's name.
    pub outcome: String,
    /// How many.
    pub count: i64,
    /// Arrival of the newest.
    pub newest_at: DateTime<Utc>,
}

/// Which deliveries are asked for; what is none is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// The outcome's name.
    pub outcome: Option<String>,
    /// The feed's name.
    pub feed: Option<String>,
    /// The slug of the workspace; empty for deliveries without one.
    pub workspace: Option<String>,
    /// Those that arrived before.
    pub before: Option<DateTime<Utc>>,
}

/// A delivery in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDelivery {
    /// Its id.
    pub id: Uuid,
    /// Arrival.
    pub received_at: DateTime<Utc>,
    /// The slug of its workspace.
    pub workspace: Option<String>,
    /// The feed's name.
    pub feed: String,
    /// The sender's id of what it is about.
    pub external_id: Option<String>,
    /// The credential that let it in.
    pub credential: String,
    /// The outcome's name.
    pub outcome: String,
    /// The codes of its findings, some of them.
    pub codes: Vec<String>,
}

/// Deliveries, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryList {
    /// Those that are as asked for, [`MOST_ROWS`] at the most.
    pub deliveries: Vec<ListedDelivery>,
    /// From where older ones are to be asked for: before this nothing was looked at. None where there are none.
    pub older: Option<DateTime<Utc>>,
}

/// How many of a workspace's newest blocked leads are blocked for a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedCount {
    /// The slug of the workspace.
    pub workspace: String,
    /// The reason's code.
    pub code: String,
    /// How many leads.
    pub count: i64,
    /// Arrival of the newest of them.
    pub newest_at: DateTime<Utc>,
    /// Arrival of the oldest of them that was looked at.
    pub oldest_at: DateTime<Utc>,
}

/// A lead whose booking is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedLead {
    /// The slug of its workspace.
    pub workspace: String,
    /// The sender's id.
    pub external_id: String,
    /// The system that sent it.
    pub sender: String,
    /// Arrival of its first delivery.
    pub received_at: DateTime<Utc>,
    /// All its reasons.
    pub codes: Vec<String>,
    /// What it asks for: VIN, stock number, package and location, as far as they are known.
    pub asked_for: String,
}

/// A dealership and feed that a delivery is expected of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedStanding {
    /// The slug of the workspace.
    pub workspace: String,
    /// The dealership's id; 0 for LeadPro.
    pub dealership_id: i64,
    /// Its name, where it is known.
    pub dealership: Option<String>,
    /// The feed's name.
    pub feed: String,
    /// Arrival of its newest delivery.
    pub last_accepted_at: Option<DateTime<Utc>>,
    /// Since when it is silent.
    pub silent_since: Option<DateTime<Utc>>,
    /// How many deliveries came today.
    pub deliveries_today: i64,
}

/// Requests that were refused for the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedCount {
    /// Where they were posted to.
    pub path: String,
    /// Whether that is no door.
    pub is_no_door: bool,
    /// The credential that proved itself, where one did: the feed or the door was wrong.
    pub credential: Option<String>,
    /// The schemes that were tried.
    pub scheme: Option<String>,
    /// The beginning of what tells one wrong secret from another.
    pub fingerprint: Option<String>,
    /// The address that the newest came from.
    pub remote_address: Option<String>,
    /// How many.
    pub count: i64,
    /// Of those, how many a replay has made deliveries of.
    pub replayed: i64,
    /// Arrival of the newest.
    pub newest_at: DateTime<Utc>,
}

/// A field that the sender does not document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// The slug of the workspace.
    pub workspace: String,
    /// The feed's name.
    pub feed: String,
    /// Where in the payload.
    pub path: String,
    /// In how many deliveries it was seen.
    pub times_seen: i64,
    /// When last.
    pub last_seen_at: DateTime<Utc>,
    /// A delivery that has it.
    pub example: Uuid,
}

/// How everything stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// The newest deliveries, counted.
    pub deliveries: Vec<DeliveryCount>,
    /// Blocked leads, counted.
    pub blocked: Vec<BlockedCount>,
    /// Who is expected to deliver, the silent first, and whoever else was heard of.
    pub feeds: Vec<FeedStanding>,
    /// Refused requests, counted.
    pub refused: Vec<RefusedCount>,
    /// Undocumented fields, the newest first.
    pub unknown_fields: Vec<UnknownField>,
}

/// How everything stands.
///
/// # Errors
/// When Postgres refuses, cannot be reached, or does not answer in time.
pub async fn overview(store: &Store) -> Result<Overview, Error> {
    let mut tx = begin(store).await?;
    let overview = Overview {
        deliveries: count_deliveries(&mut tx).await?,
        blocked: count_blocked(&mut tx).await?,
        feeds: feeds(&mut tx).await?,
        refused: refused(&mut tx).await?,
        unknown_fields: unknown_fields(&mut tx).await?,
    };
    tx.rollback().await?;
    Ok(overview)
}

async fn count_deliveries(tx: &mut Transaction) -> Result<Vec<DeliveryCount>, Error> {
    let counts = sqlx::query_as!(
        DeliveryCount,
        r#"-- console
        select w.slug as "workspace?", d.feed, d.outcome, count(*) as "count!", max(d.received_at) as "newest_at!"
        from (
            select workspace_id, feed, outcome, received_at from intake.deliveries order by received_at desc limit $1
        ) d
        left join workspaces w on w.id = d.workspace_id
        group by w.slug, d.feed, d.outcome order by w.slug nulls first, d.feed, d.outcome"#,
        NEWEST,
    );
    Ok(counts.fetch_all(&mut **tx).await?)
}

async fn count_blocked(tx: &mut Transaction) -> Result<Vec<BlockedCount>, Error> {
    let counts = sqlx::query_as!(
        BlockedCount,
        r#"-- console
        select w.slug as workspace, b.code as "code!", count(*) as "count!", max(l.received_at) as "newest_at!",
            min(l.received_at) as "oldest_at!"
        from (select id, slug from workspaces order by id limit $1) w
        cross join lateral (
            select booking_blockers, received_at from leads
            where workspace_id = w.id and booking_state = 'blocked' order by received_at desc limit $2
        ) l
        cross join lateral unnest(l.booking_blockers) as b (code)
        group by w.slug, b.code order by count(*) desc, w.slug, b.code limit $3"#,
        MOST_WORKSPACES,
        NEWEST_BLOCKED,
        MOST_ROWS,
    );
    Ok(counts.fetch_all(&mut **tx).await?)
}

async fn feeds(tx: &mut Transaction) -> Result<Vec<FeedStanding>, Error> {
    let feeds = sqlx::query_as!(
        FeedStanding,
        r#"-- console
        select w.slug as workspace, f.dealership_id, d.name as dealership, f.feed, f.last_accepted_at, f.silent_since,
            f.deliveries_today
        from (select id, slug from workspaces order by id limit $1) w
        cross join lateral (
            select * from intake.dealership_feeds where workspace_id = w.id order by dealership_id, feed limit $2
        ) f
        left join dealerships d on d.dealership_id = f.dealership_id
        order by f.silent_since nulls last, f.last_accepted_at desc nulls last, w.slug, f.dealership_id, f.feed limit $3"#,
        MOST_WORKSPACES,
        MOST_OF_WORKSPACE,
        MOST_ROWS,
    );
    Ok(feeds.fetch_all(&mut **tx).await?)
}

async fn refused(tx: &mut Transaction) -> Result<Vec<RefusedCount>, Error> {
    let counts = sqlx::query_as!(
        RefusedCount,
        r#"-- console
        select path, feed is null as "is_no_door!", credential, scheme, left(fingerprint, 8) as fingerprint,
            host((array_agg(remote_address order by received_at desc))[1]) as remote_address, count(*) as "count!",
            count(replayed_at) as "replayed!", max(received_at) as "newest_at!"
        from (
            select path, feed, credential, scheme, fingerprint, remote_address, received_at, replayed_at from intake.rejected
            order by received_at desc limit $1
        ) r
        group by path, feed is null, credential, scheme, left(fingerprint, 8)
        order by max(received_at) desc limit $2"#,
        NEWEST_REFUSED,
        MOST_ROWS,
    );
    Ok(counts.fetch_all(&mut **tx).await?)
}

async fn unknown_fields(tx: &mut Transaction) -> Result<Vec<UnknownField>, Error> {
    let fields = sqlx::query_as!(
        UnknownField,
        r#"-- console
        select w.slug as workspace, f.feed, f.path, f.times_seen, f.last_seen_at, f.example_delivery_id as example
        from (select id, slug from workspaces order by id limit $1) w
        cross join lateral (
            select * from (
                select * from intake.drift where workspace_id = w.id order by feed, path limit $2
            ) known
            order by last_seen_at desc, path limit $3
        ) f
        order by f.last_seen_at desc, w.slug, f.path limit $4"#,
        MOST_WORKSPACES,
        MOST_OF_WORKSPACE,
        MOST_FIELDS,
        MOST_ROWS,
    );
    Ok(fields.fetch_all(&mut **tx).await?)
}

/// Deliveries as asked for, among the [`NEWEST`] that arrived before the time that is asked for.
///
/// # Errors
/// When Postgres refuses, cannot be reached, or does not answer in time.
pub async fn deliveries(store: &Store, filter: &DeliveryFilter) -> Result<DeliveryList, Error> {
    let before = filter.before.unwrap_or(DateTime::<Utc>::MAX_UTC).min(END_OF_TIME);
    let mut tx = begin(store).await?;
    let oldest = sqlx::query_scalar!(
        r#"-- console
        select received_at from intake.deliveries where received_at < $1 order by received_at desc limit 1 offset $2"#,
        before,
        NEWEST - 1,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let deliveries = sqlx::query_as!(
        ListedDelivery,
        r#"-- console
        select d.id as "id!", d.received_at as "received_at!", w.slug as "workspace?", d.feed as "feed!", d.external_id,
            d.credential as "credential!", d.outcome as "outcome!",
            array(select distinct f ->> 'code' from jsonb_array_elements(d.findings) as f where f ? 'code' limit 6)
                as "codes!: Vec<String>"
        from intake.deliveries d
        left join workspaces w on w.id = d.workspace_id
        where d.received_at < $1 and ($2::timestamptz is null or d.received_at >= $2)
            and ($3::text is null or d.outcome = $3) and ($4::text is null or d.feed = $4)
            and ($5::text is null or coalesce(w.slug, '') = $5)
        order by d.received_at desc limit $6"#,
        before,
        oldest,
        filter.outcome,
        filter.feed,
        filter.workspace,
        MOST_ROWS,
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.rollback().await?;
    let is_full = i64::try_from(deliveries.len()).is_ok_and(|count| count == MOST_ROWS);
    let last = deliveries.last().map(|delivery| delivery.received_at);
    Ok(DeliveryList { older: if is_full { last } else { oldest }, deliveries })
}

/// No delivery has arrived after this, and Postgres knows the time.
const END_OF_TIME: DateTime<Utc> = match DateTime::from_timestamp(253_402_300_799, 0) {
    Some(time) => time,
    None => DateTime::UNIX_EPOCH,
};

/// Leads of a workspace that are blocked for a reason, the newest first, among its [`NEWEST_BLOCKED`].
///
/// # Errors
/// When Postgres refuses, cannot be reached, or does not answer in time.
pub async fn blocked_leads(store: &Store, workspace: &str, code: &str) -> Result<Vec<BlockedLead>, Error> {
    let mut tx = begin(store).await?;
    let leads = sqlx::query_as!(
        BlockedLead,
        r#"-- console
        select w.slug as workspace, l.external_id, l.sender, l.received_at, l.booking_blockers as codes,
            concat_ws(', ', 'VIN ' || l.vin, 'stock number ' || l.stock_number, 'package ' || l.subscription_plan,
                'location ' || l.location_name) as "asked_for!"
        from workspaces w
        cross join lateral (
            select * from (
                select external_id, sender, received_at, booking_blockers, vin, stock_number, subscription_plan,
                    location_name
                from leads where workspace_id = w.id and booking_state = 'blocked' order by received_at desc limit $3
            ) newest
            where $2 = any(newest.booking_blockers) limit $4
        ) l
        where w.slug = $1 order by l.received_at desc"#,
        workspace,
        code,
        NEWEST_BLOCKED,
        MOST_ROWS,
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.rollback().await?;
    Ok(leads)
}

/// The slugs of the workspaces, those that are not in use last.
///
/// # Errors
/// When Postgres refuses, cannot be reached, or does not answer in time.
pub async fn workspaces(store: &Store) -> Result<Vec<String>, Error> {
    let mut tx = begin(store).await?;
    let slugs = sqlx::query_scalar!(
        "-- console
        select slug from (select * from workspaces order by id limit $1) w order by not active, slug",
        MOST_WORKSPACES,
    );
    let slugs = slugs.fetch_all(&mut *tx).await?;
    tx.rollback().await?;
    Ok(slugs)
}
