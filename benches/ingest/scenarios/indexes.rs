//! What the indexes cost that are there for people's questions: leads with none of them, with each alone, and with all.
//!
//! Rates waver by more than an index costs, so the aims are of processor time: that of the service and Postgres for the same
//! leads, over the same time. What has no index is measured at the beginning and at the end of each round, and both are told:
//! how far they are apart is how far the others can be trusted.

use super::{Bench, SEED, ratio, say};
use crate::Fallible;
use crate::load::{Order, Pace};
use crate::report::{Figures, Limit};

/// The indexes of the migrations 0031 and 0037, save those of tables to which no lead writes.
const INDEXES: [&str; 13] = [
    "leads_enquired_at_idx",
    "leads_enquired_at_brin_idx",
    "leads_received_at_brin_idx",
    "leads_blocked_idx",
    "leads_contact_email_idx",
    "appointments_starts_at_idx",
    "leads_vin_idx",
    "leads_stock_number_idx",
    "leads_contact_phone_idx",
    "leads_contact_home_phone_idx",
    "lead_clusters_contact_phone_idx",
    "persons_mobile_phone_idx",
    "persons_home_phone_idx",
];
/// Where the numbers of the leads begin.
const FRESH: u64 = 100_000;
/// How many leads are sent for each second that a measurement may take: the same number each time.
const LEADS_A_SECOND: u64 = 2_500;
/// What one may cost, and all together, in percent of the processor time.
const MOST: (f64, f64) = (2.0, 8.0);

pub(super) async fn run(bench: &mut Bench<'_>) -> Fallible {
    let names = INDEXES.map(|name| format!("'{name}'")).join(", ");
    let known =
        format!("select coalesce(array_agg(indexname::text), '{{}}') from pg_indexes where indexname in ({names})");
    let known: Vec<String> = bench.server.value(SEED, &known).await?;
    let known: Vec<&str> = INDEXES.into_iter().filter(|name| known.iter().any(|found| found == name)).collect();
    for round in 1..=bench.options.rounds {
        say(&format!("indexes, round {round}"));
        let mut each = Vec::new();
        let begin = leads(bench, &known, &[]).await?;
        for name in &known {
            each.push((*name, leads(bench, &known, &[name]).await?));
        }
        let all = leads(bench, &known, &known).await?;
        let end = leads(bench, &known, &[]).await?;
        let none = begin.cpu().zip(end.cpu()).map(|(begin, end)| f64::midpoint(begin, end));
        let more = |figures: &Figures| (ratio(figures.cpu(), none) - 1.0) * 100.0;
        bench.report.add("leads without the indexes for questions", begin);
        bench.report.add("the same, at the end of the round", end);
        for (name, figures) in &each {
            bench.report.add(&format!("leads with {name} alone"), *figures);
            bench.report.aim(
                &format!("processor time a lead more with {name}, %"),
                more(figures),
                Limit::AtMost(MOST.0),
            );
        }
        bench.report.add("leads with all of them", all);
        bench.report.aim("the same with all of them, %", more(&all), Limit::AtMost(MOST.1));
    }
    Ok(())
}

/// Sends leads to a copy of the seed that has these of the indexes.
async fn leads(bench: &Bench<'_>, all: &[&str], kept: &[&str]) -> Fallible<Figures> {
    bench.server.copy(SEED, "indexes").await?;
    for name in all.iter().filter(|name| !kept.contains(*name)) {
        bench.server.execute("indexes", &format!("drop index public.{name}")).await?;
    }
    bench.server.execute("postgres", "checkpoint").await?;
    let service = bench.forecourt("indexes").await?;
    let pace = Pace::All { count: bench.options.seconds * LEADS_A_SECOND };
    let figures = bench.measure(&service, &Order { first: FRESH, ..super::leads(&service, pace) }).await?.1;
    drop(service);
    bench.server.drop("indexes").await?;
    Ok(figures)
}
