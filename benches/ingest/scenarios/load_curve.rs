//! Leads with more and more of them in flight, by forecourt and by the plain way; one and 256 are measured elsewhere.

use super::Bench;
use crate::Fallible;
use crate::load::{Order, Pace};
use crate::report::Chart;

/// The names of the lines in the chart.
pub(super) const FORECOURT: &str = "forecourt";
pub(super) const PLAIN: &str = "the plain way";

/// How many are in flight.
const STEPS: [u64; 3] = [4, 16, 64];
/// How far the numbers of the steps are from each other.
const STEP: u64 = 1_000_000;

/// Measures each step on the databases that the round has filled, for half as long as others: only charts need it.
pub(super) async fn run(bench: &mut Bench<'_>, mut first: u64) -> Fallible {
    let pace = Pace::Closed { seconds: (bench.seconds() / 2.0).max(2.0) };
    for in_flight in STEPS {
        let connections = usize::try_from(in_flight)?;
        bench.server.execute("postgres", "checkpoint").await?;
        let service = bench.forecourt("leads").await?;
        let order = Order { first, connections, ..super::leads(&service, pace) };
        let figures = bench.measure(&service, &order).await?.1;
        drop(service);
        bench.server.execute("postgres", "checkpoint").await?;
        let plain = bench.plain("plain").await?;
        let yardstick = bench.measure(&plain, &Order { address: plain.address, ..order }).await?.1;
        bench.report.draw(Chart::Load, FORECOURT, in_flight, &figures);
        bench.report.draw(Chart::Load, PLAIN, in_flight, &yardstick);
        first += STEP;
    }
    Ok(())
}
