//! The answer time of one workspace while another receives its daily full feed at top speed.

use super::{Bench, SEED, ratio, say};
use crate::Fallible;
use crate::configuration::NEIGHBOUR;
use crate::load::{self, Order, Pace};
use crate::payloads::{Kind, VEHICLES};

use crate::report::{Figures, Limit};

/// Leads a second of the workspace that is watched.
const RATE: f64 = 100.0;

pub(super) async fn run(bench: &mut Bench<'_>) -> Fallible {
    for round in 1..=bench.options.rounds {
        say(&format!("neighbours, round {round}"));
        bench.server.copy(SEED, "neighbours").await?;
        let service = bench.forecourt("neighbours").await?;
        let known = Order { dealership: NEIGHBOUR, ..super::vehicles(&service, 0, 0, Pace::All { count: VEHICLES }) };
        load::send(&known).await?;
        bench.server.execute("neighbours", "vacuum analyze").await?;
        bench.server.execute("postgres", "checkpoint").await?;
        let pace = Pace::Open { rate: RATE, seconds: bench.seconds() };
        let leads = Order { connections: 32, first: 100_000, ..super::leads(&service, pace) };
        let alone = bench.measure(&service, &leads).await?.1;
        // The feed begins before the leads are measured, and ends after.
        let long = Pace::Closed { seconds: bench.seconds() + 2.0 };
        let kind = Kind::Vehicle { changed_percent: 2, of: VEHICLES };
        let feed = Order { dealership: NEIGHBOUR, kind, ..super::vehicles(&service, 0, 2, long) };
        let feed = load::start(&feed)?;
        let beside = bench.measure(&service, &Order { first: 1_000_000, ..leads }).await?.1;
        let feed = feed.finish().await?;
        drop(service);
        bench.server.drop("neighbours").await?;
        // What both of them cost together is nobody's figure.
        let beside = Figures { receiver_cpu: None, postgres_cpu: None, wal: None, ..beside };
        bench.report.add("forecourt: 100 leads a second, alone", alone);
        bench.report.add("forecourt: the same beside a full feed", beside);
        bench.report.add("forecourt: that feed", Figures { rate: Some(feed.rate), ..Figures::default() });
        let times = ratio(beside.p99, alone.p99);
        bench.report.aim(
            "p99 of 100 leads a second beside another workspace's full feed, of the same alone",
            times,
            Limit::AtMost(3.0),
        );
    }
    Ok(())
}
