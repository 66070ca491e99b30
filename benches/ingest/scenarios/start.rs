//! The start against an existing database.

use super::{Bench, SEED, say};
use crate::Fallible;
use crate::report::Limit;

pub(super) async fn run(bench: &mut Bench<'_>) -> Fallible {
    say("starts");
    for _ in 0..bench.options.rounds.max(3) {
        let start = bench.forecourt(SEED).await?.start.as_secs_f64();
        bench.report.aim("start against an existing database, s", start, Limit::AtMost(0.5));
    }
    Ok(())
}
