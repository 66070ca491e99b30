//! Full feeds: the daily one, every vehicle again and two of a hundred changed; one in which nothing changed; and the first.

use std::path::Path;

use super::{Bench, SEED, ratio, say};
use crate::load::{self, Pace};
use crate::payloads::VEHICLES;
use crate::processes::Receiver;
use crate::report::{Figures, Limit};
use crate::{Fallible, floor};

/// Rows written in tables other than those of deliveries.
const ROWS_WRITTEN: &str = "select sum(n_tup_ins + n_tup_upd + n_tup_del)::float8 from pg_stat_user_tables
    where schemaname in ('public', 'identity')";

/// What the tables take on disk, with their indexes.
const DISK: &str = "select sum(pg_total_relation_size(oid))::float8 from pg_class
    where relkind = 'r' and relnamespace::regnamespace::text in ('public', 'identity', 'intake')";

pub(super) async fn run(bench: &mut Bench<'_>) -> Fallible {
    let count = bench.options.feed;
    say("the vehicles of the feed");
    bench.server.copy(SEED, "known").await?;
    if count > VEHICLES {
        let service = bench.forecourt("known").await?;
        let rest = Pace::All { count: count - VEHICLES };
        load::send(&super::vehicles(&service, VEHICLES, 0, rest)).await?;
    }
    bench.server.execute("known", "vacuum analyze").await?;
    for round in 1..=bench.options.rounds {
        say(&format!("full feeds, round {round}"));
        daily(bench, count).await?;
        first(bench, count).await?;
    }
    bench.server.drop("known").await
}

/// The feed of a day on which the service knows all vehicles.
async fn daily(bench: &mut Bench<'_>, count: u64) -> Fallible {
    bench.server.copy("known", "feed").await?;
    let script = floor::vehicle_deliveries(bench.server, "feed").await?;
    let floor = bench.measure_floor("feed", &script).await?;
    bench.server.drop("feed").await?;
    bench.server.copy("known", "feed").await?;
    unchanged(bench, count.min(10_000)).await?;
    bench.server.execute("postgres", "checkpoint").await?;
    let service = bench.forecourt("feed").await?;
    // A service that has just started has read nothing yet; one that runs for days has read the feed of the day before.
    let start = bench.measure(&service, &super::vehicles(&service, 0, 0, Pace::All { count })).await?.1;
    bench.server.execute("postgres", "checkpoint").await?;
    let figures = bench.measure(&service, &super::vehicles(&service, 0, 2, Pace::All { count })).await?.1;
    drop(service);
    bench.server.drop("feed").await?;
    bench.report.add("the floor: one delivery row for each vehicle", floor);
    bench.report.add("forecourt: the first full feed after a start, nothing changed", start);
    bench.report.add("forecourt: the daily full feed, 2 % changed", figures);
    let share = ratio(figures.rate, floor.rate);
    let what = format!("full feed of {count}, 2 % changed, vehicles a second of one delivery row's");
    bench.report.aim(&what, share, Limit::AtLeast(0.5));
    let share = ratio(start.rate, floor.rate);
    bench.report.aim("the same, nothing changed, the first feed after a start", share, Limit::AtLeast(0.4));
    Ok(())
}

/// A feed in which nothing changed: what it writes.
async fn unchanged(bench: &mut Bench<'_>, count: u64) -> Fallible {
    bench.server.execute("postgres", "checkpoint").await?;
    let disk: f64 = bench.server.value("feed", DISK).await?;
    let service = bench.forecourt("feed").await?;
    // The counters are told by each connection when it ends.
    let (heard, figures) = bench.measure(&service, &super::vehicles(&service, 0, 0, Pace::All { count })).await?;
    drop(service);
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let written: f64 = bench.server.value("feed", ROWS_WRITTEN).await?;
    let disk = bench.server.value::<f64>("feed", DISK).await? - disk;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let (answers, bytes) = (heard.answers as f64, heard.bytes as f64);
    bench.report.add("forecourt: a feed in which nothing changed", figures);
    bench.report.aim("unchanged vehicles: rows of business tables written", written, Limit::AtMost(0.0));
    let wal = ratio(figures.wal, Some(bytes / answers));
    bench.report.aim("unchanged vehicle: write-ahead log, of its body", wal, Limit::AtMost(0.12));
    bench.report.aim("unchanged vehicle: disk, of its body", disk / bytes, Limit::AtMost(0.12));
    Ok(())
}

/// The first full feed of a workspace, every vehicle new; also by the older version that is named.
async fn first(bench: &mut Bench<'_>, count: u64) -> Fallible {
    let figures = first_by(bench, None, count).await?;
    bench.report.add("forecourt: the first full feed, every vehicle new", figures);
    let Some(binary) = bench.options.before.clone() else { return Ok(()) };
    let before = first_by(bench, Some(&binary), count).await?;
    bench.report.add("the version before: the first full feed, every vehicle new", before);
    let times = ratio(figures.rate, before.rate);
    bench.report.aim("new vehicles a second, of the version before", times, Limit::AtLeast(2.0));
    Ok(())
}

/// The first full feed by a binary, on a database that it has made.
async fn first_by(bench: &Bench<'_>, binary: Option<&Path>, count: u64) -> Fallible<Figures> {
    /// How many vehicles are there before: a table that holds one row is planned for as one that stays so.
    const KNOWN: u64 = 2_000;
    bench.server.create("first").await?;
    let (dir, url) = (bench.server.dir(), bench.server.url("first"));
    let service = Receiver::forecourt(binary, dir, &url).await?;
    load::send(&super::vehicles(&service, 0, 0, Pace::All { count: KNOWN })).await?;
    drop(service);
    bench.server.execute("first", "vacuum analyze").await?;
    bench.server.execute("postgres", "checkpoint").await?;
    let service = Receiver::forecourt(binary, dir, &url).await?;
    let (heard, figures) = bench.measure(&service, &super::vehicles(&service, KNOWN, 0, Pace::All { count })).await?;
    drop(service);
    bench.server.drop("first").await?;
    if heard.applied < count {
        return Err(format!("the vehicles are not taken as they should: {heard:?}").into());
    }
    Ok(figures)
}
