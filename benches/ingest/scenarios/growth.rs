//! The same leads on a database with ten thousand persons, leads and deliveries, and on one with ten million.

use super::{Bench, SEED, ratio, say};
use crate::Fallible;
use crate::load::{Order, Pace};
use crate::table::{Figures, Limit};

/// How many rows of each kind the small database has.
const SMALL: u64 = 10_000;

pub(super) async fn run(bench: &mut Bench<'_>) -> Fallible {
    let grown = bench.options.grown;
    say(&format!("making {grown} rows of each kind"));
    for (name, rows) in [("small", SMALL), ("large", grown)] {
        bench.server.copy(SEED, name).await?;
        bench.server.execute(name, &fill(rows)).await?;
        bench.server.execute(name, "vacuum analyze").await?;
    }
    for round in 1..=bench.options.rounds {
        say(&format!("growth, round {round}"));
        let small = leads(bench, "small", round).await?;
        let large = leads(bench, "large", round).await?;
        bench.report.add("forecourt: with 10 thousand rows of each kind", small);
        bench.report.add("forecourt: with 10 million rows of each kind", large);
        let share = ratio(large.rate, small.rate);
        bench.report.aim("leads a second on the large database, of the small one's", share, Limit::AtLeast(0.85));
    }
    bench.server.drop("large").await?;
    bench.server.drop("small").await
}

async fn leads(bench: &Bench<'_>, database: &str, round: usize) -> Fallible<Figures> {
    bench.server.execute("postgres", "checkpoint").await?;
    let service = bench.forecourt(database).await?;
    let first = u64::try_from(round).unwrap_or_default() * 1_000_000;
    let order = Order { first, ..super::leads(&service, Pace::Closed { seconds: bench.seconds() }) };
    Ok(bench.measure(&service, &order).await?.1)
}

/// Rows of each kind, narrow ones, so that they fit on a disk: the indexes are those of any rows. The addresses lie among
/// those of the leads that come, evenly; the triggers of foreign keys are left out.
fn fill(rows: u64) -> String {
    format!(
        "set session_replication_role = replica;
        set synchronous_commit = off;
        insert into persons (workspace_id, id, email, first_name, created_at, updated_at, clocks)
        select t.workspace_id, 100000000 + n,
            'customer' || lpad((n * 1000000 / {rows})::text, 7, '0') || '.' || n || '@example.com',
            'Jo', t.created_at, t.updated_at, t.clocks
        from generate_series(0, {rows}::bigint - 1) as n cross join bench.persons t;
        insert into leads (workspace_id, id, sender, external_id, person_id, person_email, booking_state,
            booking_blockers, contact_email, source_created_at, received_at, updated_at, clocks)
        select t.workspace_id, 200000000 + n, t.sender, (1000000000 + n)::text, 100000000 + n, 'someone@example.com',
            'not_requested', '{{}}', 'someone@example.com', t.source_created_at, t.received_at, t.updated_at, t.clocks
        from generate_series(0, {rows}::bigint - 1) as n cross join bench.leads t;
        insert into intake.deliveries (id, received_at, feed, workspace_id, credential, body, body_sha256, outcome,
            findings, changes, attempts, processing_ms, settled_at)
        select lpad(to_hex(n), 32, '0')::uuid, t.received_at - interval '1 day' + n * interval '1 millisecond',
            t.feed, t.workspace_id, t.credential, substr(t.body, 1, 200), t.body_sha256, 'applied', t.findings,
            t.changes, 1, 1, t.settled_at
        from generate_series(0, {rows}::bigint - 1) as n cross join bench.deliveries t"
    )
}
