//! Leads: at top speed against the floor and the plain way, at half speed, and one at a time.

use super::{Bench, IN_FLIGHT, load_curve, ratio, say};
use crate::load::{Order, Pace};
use crate::report::{Chart, Figures, Limit};
use crate::{Fallible, floor};

/// Where the numbers of the first leads that are measured begin.
const FRESH: u64 = 100_000;
/// Where the numbers of later measurements on one database begin, this far from each other.
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
        at_top_speed(bench, floor, plain, top);
        alone(bench).await?;
        at_half_speed(bench, top.rate.unwrap_or_default() / 2.0).await?;
        load_curve::run(bench, 3 * LATER).await?;
        bench.server.drop("leads").await?;
        bench.server.drop("plain").await?;
    }
    Ok(())
}

/// What the top speed is beside the yardsticks'.
fn at_top_speed(bench: &mut Bench<'_>, floor: Figures, plain: Figures, top: Figures) {
    let report = &mut bench.report;
    report.add("the floor: the same rows by set-based SQL", floor);
    report.add("the plain way: 256 in flight", plain);
    report.add("forecourt: 256 in flight", top);
    report.draw(Chart::Load, load_curve::FORECOURT, 256, &top);
    report.draw(Chart::Load, load_curve::PLAIN, 256, &plain);
    report.aim(
        "leads a second, one workspace, 256 in flight, of the floor",
        ratio(top.rate, floor.rate),
        Limit::AtLeast(0.45),
    );
    report.aim("the same, of the plain way", ratio(top.rate, plain.rate), Limit::AtLeast(4.0));
    let cpu = ratio(top.cpu(), floor.postgres_cpu);
    report.aim("processor time of service and Postgres a lead, of the floor's Postgres", cpu, Limit::AtMost(1.7));
    report.aim("the same, of the plain way's", ratio(top.cpu(), plain.cpu()), Limit::AtMost(0.2));
    report.aim("peak memory at 256 in flight, MiB", top.memory.unwrap_or_default(), Limit::AtMost(64.0));
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

/// One request at a time on an idle service, against single inserts and the plain way.
async fn alone(bench: &mut Bench<'_>) -> Fallible {
    let script = floor::single(bench.server, "leads").await?;
    bench.server.execute("postgres", "checkpoint").await?;
    let single = bench.server.pgbench("leads", &script, 1, bench.options.seconds).await?;
    bench.server.execute("postgres", "checkpoint").await?;
    let plain = bench.plain("plain").await?;
    let order = Order { connections: 1, ..from(LATER, super::leads(&plain, closed(bench))) };
    let yardstick = bench.measure(&plain, &order).await?.1;
    drop(plain);
    bench.server.execute("postgres", "checkpoint").await?;
    let service = bench.forecourt("leads").await?;
    let order = Order { address: service.address, ..order };
    let figures = bench.measure(&service, &order).await?.1;
    let report = &mut bench.report;
    let (rate, p50, p99, max) = (Some(single.rate), Some(single.p50), Some(single.p99), Some(single.max));
    report.add("a single insert: one delivery row at a time", Figures { rate, p50, p99, max, ..Figures::default() });
    report.add("the plain way: one at a time", yardstick);
    report.add("forecourt: one at a time", figures);
    report.draw(Chart::Load, load_curve::FORECOURT, 1, &figures);
    report.draw(Chart::Load, load_curve::PLAIN, 1, &yardstick);
    report.aim("one at a time, p50, of the plain way's alone", ratio(figures.p50, yardstick.p50), Limit::AtMost(1.0));
    report.aim("one at a time, p50, of a single insert", ratio(figures.p50, Some(single.p50)), Limit::AtMost(5.0));
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
    bench.report.aim("p99 at half of the top rate, ms", figures.p99.unwrap_or_default(), Limit::AtMost(15.0));
    Ok(())
}
