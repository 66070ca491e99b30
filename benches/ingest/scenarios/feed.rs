//! The daily full feed: every vehicle again, two of a hundred changed; and a feed in which nothing changed.

use super::{Bench, SEED, ratio, say};
use crate::load::{self, Pace};
use crate::payloads::VEHICLES;
use crate::table::Limit;
use crate::{Fallible, floor};

/// Rows written in tables other than those of deliveries.
const ROWS_WRITTEN: &str = "select sum(n_tup_ins + n_tup_upd + n_tup_del)::float8 from pg_stat_user_tables
    where schemaname in ('public', 'identity')";

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
        say(&format!("the full feed, round {round}"));
        bench.server.copy("known", "feed").await?;
        let script = floor::vehicle_deliveries(bench.server, "feed").await?;
        let floor = bench.measure_floor("feed", &script).await?;
        bench.server.drop("feed").await?;
        bench.server.copy("known", "feed").await?;
        unchanged(bench, count.min(10_000)).await?;
        bench.server.execute("postgres", "checkpoint").await?;
        let service = bench.forecourt("feed").await?;
        // A service that has just started has read nothing yet; one that runs for days has read the feed of the day before.
        let first = bench.measure(&service, &super::vehicles(&service, 0, 0, Pace::All { count })).await?.1;
        bench.server.execute("postgres", "checkpoint").await?;
        let figures = bench.measure(&service, &super::vehicles(&service, 0, 2, Pace::All { count })).await?.1;
        drop(service);
        bench.server.drop("feed").await?;
        bench.report.add("the floor: one delivery row for each vehicle", floor);
        bench.report.add("forecourt: the first full feed after a start, nothing changed", first);
        bench.report.add("forecourt: the daily full feed, 2 % changed", figures);
        let share = ratio(figures.rate, floor.rate);
        bench.report.aim("full feed, vehicles a second, of the floor's for one row", share, Limit::AtLeast(0.4));
        let share = ratio(first.rate, floor.rate);
        bench.report.aim("the same, the first feed after a start", share, Limit::AtLeast(0.4));
    }
    bench.server.drop("known").await
}

/// A feed in which nothing changed: what it writes.
async fn unchanged(bench: &mut Bench<'_>, count: u64) -> Fallible {
    bench.server.execute("postgres", "checkpoint").await?;
    let service = bench.forecourt("feed").await?;
    // The counters are told by each connection when it ends.
    let (heard, figures) = bench.measure(&service, &super::vehicles(&service, 0, 0, Pace::All { count })).await?;
    drop(service);
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let written: f64 = bench.server.value("feed", ROWS_WRITTEN).await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let body = heard.bytes as f64 / heard.answers as f64;
    bench.report.add("forecourt: a feed in which nothing changed", figures);
    bench.report.aim("unchanged vehicles: rows of business tables written", written, Limit::AtMost(0.0));
    let wal = ratio(figures.wal, Some(body));
    bench.report.aim("unchanged vehicle: WAL, times its body", wal, Limit::AtMost(1.3));
    Ok(())
}
