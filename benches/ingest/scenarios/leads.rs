//! Leads: at top speed against the floor and the plain way, at half speed, and one at a time.

use super::{Bench, IN_FLIGHT, ratio, say};
use crate::load::{Order, Pace};
use crate::table::{Figures, Limit};
use crate::{Fallible, floor};

/// Where the numbers of the first leads that are measured begin.
const FRESH: u64 = 100_000;
/// Where the numbers of later measurements on one database begin.
const LATER: u64 = 2_000_000;

pub(super) async fn run(bench: &mut Bench<'_>) -> Fallible {
    for round in 1..=bench.options.rounds {
        say(&format!("leads, round {round}"));
        let floor = by_floor(bench).await?;
        let plain = by_plain(bench).await?;
        bench.server.copy(super::SEED, "leads").await?;
        let service = bench.forecourt("leads").await?;
        let top = bench.measure(&service, &from(FRESH, super::leads(&service, closed(bench)))).await?.1;
        drop(service);
        let half = top.rate.unwrap_or_default() / 2.0;
        bench.report.add("the floor: the same rows by set-based SQL", floor);
        bench.report.add("the plain way: 256 in flight", plain);
        bench.report.add("forecourt: 256 in flight", top);
        bench.report.aim("leads a second, of the floor's", ratio(top.rate, floor.rate), Limit::AtLeast(0.5));
        bench.report.aim("leads a second, of the plain way's", ratio(top.rate, plain.rate), Limit::AtLeast(4.0));
        bench.report.aim("peak memory at 256 in flight, MiB", top.memory.unwrap_or_default(), Limit::AtMost(96.0));
        alone(bench).await?;
        at_half_speed(bench, half).await?;
        bench.server.drop("leads").await?;
        bench.server.drop("plain").await?;
    }
    Ok(())
}

fn closed(bench: &Bench<'_>) -> Pace {
    Pace::Closed { seconds: bench.seconds() }
}

fn from(first: u64, order: Order) -> Order {
    Order { first, ..order }
}

async fn by_floor(bench: &Bench<'_>) -> Fallible<Figures> {
    bench.server.copy(super::SEED, "floor").await?;
    let script = floor::leads(bench.server, "floor").await?;
    let floor = bench.measure_floor("floor", &script).await?;
    bench.server.drop("floor").await?;
    Ok(floor)
}

async fn by_plain(bench: &Bench<'_>) -> Fallible<Figures> {
    bench.server.copy(super::SEED, "plain").await?;
    let plain = bench.plain("plain").await?;
    let order = from(FRESH, super::leads(&plain, closed(bench)));
    Ok(bench.measure(&plain, &order).await?.1)
}

/// One request at a time on an idle service, against single inserts.
async fn alone(bench: &mut Bench<'_>) -> Fallible {
    let script = floor::single(bench.server, "leads").await?;
    bench.server.execute("postgres", "checkpoint").await?;
    let single = bench.server.pgbench("leads", &script, 1, bench.options.seconds).await?;
    let service = bench.forecourt("leads").await?;
    let order = Order { connections: 1, ..from(LATER, super::leads(&service, closed(bench))) };
    let figures = bench.measure(&service, &order).await?.1;
    bench.report.add(
        "a single insert: one delivery row at a time",
        Figures {
            rate: Some(single.rate),
            p50: Some(single.p50),
            p99: Some(single.p99),
            max: Some(single.max),
            ..Figures::default()
        },
    );
    bench.report.add("forecourt: one at a time", figures);
    let times = ratio(figures.p50, Some(single.p50));
    bench.report.aim("answer time alone, p50, times a single insert", times, Limit::AtMost(3.0));
    Ok(())
}

/// So many leads a second, by forecourt and by the plain way.
async fn at_half_speed(bench: &mut Bench<'_>, rate: f64) -> Fallible {
    let pace = Pace::Open { rate, seconds: bench.seconds() };
    bench.server.execute("postgres", "checkpoint").await?;
    let service = bench.forecourt("leads").await?;
    let order = Order { connections: IN_FLIGHT, ..from(2 * LATER, super::leads(&service, pace)) };
    let figures = bench.measure(&service, &order).await?.1;
    drop(service);
    bench.server.execute("postgres", "checkpoint").await?;
    let plain = bench.plain("plain").await?;
    let order = Order { address: plain.address, ..order };
    let yardstick = bench.measure(&plain, &order).await?.1;
    bench.report.add("forecourt: half of its top rate", figures);
    bench.report.add("the plain way: at that same rate", yardstick);
    bench.report.aim("p99 at half of the top rate, ms", figures.p99.unwrap_or_default(), Limit::AtMost(25.0));
    bench.report.aim("p99 there, times the plain way's", ratio(figures.p99, yardstick.p99), Limit::AtMost(1.0));
    Ok(())
}
