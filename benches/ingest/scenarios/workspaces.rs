//! Leads of one, two, eight and fifty workspaces at once, 256 in flight in all.

use super::{Bench, MANY, ratio, say};
use crate::Fallible;
use crate::configuration::WORKSPACES;
use crate::grown::{self, Grown};
use crate::load::{Order, Pace};
use crate::report::{Chart, Limit};

/// How many workspaces receive leads, and what is asked of the rate in all, of one workspace's.
const STEPS: [(u64, Option<f64>); 4] = [(1, None), (2, None), (8, Some(0.9)), (WORKSPACES, Some(0.8))];
/// How far the numbers of the steps are from each other.
const STEP: u64 = 1_000_000;

pub(super) async fn run(bench: &mut Bench<'_>) -> Fallible {
    bench.many().await?;
    bench.server.copy(MANY, "begun").await?;
    // Leads that are there: tables of a few rows are planned for as ones that stay so.
    let few = Grown { leads: 10_000, workspaces: WORKSPACES, largest_share: 1000 / WORKSPACES, ..Grown::default() };
    grown::fill(&mut bench.server.connect("begun").await?, &few).await?;
    bench.server.execute("begun", "vacuum analyze").await?;
    for round in 1..=bench.options.rounds {
        say(&format!("many workspaces, round {round}"));
        bench.server.copy("begun", "workspaces").await?;
        let mut of_one = None;
        for (step, (dealerships, aim)) in (1..).zip(STEPS) {
            bench.server.execute("postgres", "checkpoint").await?;
            let service = bench.forecourt("workspaces").await?;
            let pace = Pace::Closed { seconds: bench.seconds() };
            let order = Order { first: step * STEP, dealerships, ..super::leads_of_many(&service, pace) };
            let figures = bench.measure(&service, &order).await?.1;
            let name = if dealerships == 1 { "workspace" } else { "workspaces at once, in all" };
            bench.report.add(&format!("forecourt: leads of {dealerships} {name}"), figures);
            bench.report.draw(Chart::Workspaces, "forecourt", dealerships, &figures);
            let one = *of_one.get_or_insert(figures);
            if let Some(aim) = aim {
                let what = format!("{dealerships} workspaces at once, in all, of one workspace's rate");
                bench.report.aim(&what, ratio(figures.rate, one.rate), Limit::AtLeast(aim));
            }
        }
        bench.server.drop("workspaces").await?;
    }
    bench.server.drop("begun").await
}
