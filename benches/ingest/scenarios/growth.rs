//! Leads on tables of twenty workspaces, one of which has half of all: with ten thousand, a million and ten million leads.

use super::{Bench, MANY, ratio, say};
use crate::Fallible;
use crate::configuration::{DEALERSHIP, NEIGHBOUR};
use crate::grown::{self, Grown};
use crate::load::{Order, Pace};
use crate::report::{Chart, Figures, Limit};

/// Where the numbers of the leads that are measured begin: after those that are there.
const FIRST: u64 = 1_000_000_000;
/// How far the numbers of the measurements are from each other.
const STEP: u64 = 1_000_000;
/// The workspace with half of all leads, and one of the others.
const WATCHED: [(&str, u64); 2] = [("the large workspace", DEALERSHIP), ("a small workspace", NEIGHBOUR)];

pub(super) async fn run(bench: &mut Bench<'_>) -> Fallible {
    bench.many().await?;
    let sizes = bench.options.sizes.clone();
    for size in &sizes {
        say(&format!("making {size} leads"));
        fill(bench, *size).await?;
    }
    let mut first = FIRST;
    for round in 1..=bench.options.rounds {
        say(&format!("growth, round {round}"));
        for (name, dealership) in WATCHED {
            let mut of_few = None;
            for size in &sizes {
                first += STEP;
                let figures = leads(bench, *size, dealership, first).await?;
                bench.report.add(&format!("forecourt: {name}, {} leads in all", in_words(*size)), figures);
                bench.report.draw(Chart::Rows, name, *size, &figures);
                let few = *of_few.get_or_insert(figures);
                if Some(size) != sizes.first() {
                    let what = format!("leads a second with {}, of 10 thousand: {name}", in_words(*size));
                    bench.report.aim(&what, ratio(figures.rate, few.rate), Limit::AtLeast(0.85));
                }
            }
        }
    }
    for size in &sizes {
        bench.server.drop(&database(*size)).await?;
    }
    Ok(())
}

fn database(leads: u64) -> String {
    format!("grown_{leads}")
}

/// The database with so many leads, made by two connections at once; bodies are small, so that the largest fits on a disk.
async fn fill(bench: &Bench<'_>, leads: u64) -> Fallible {
    let database = database(leads);
    bench.server.copy(MANY, &database).await?;
    let grown = Grown { leads, body_bytes: 40, ..Grown::default() };
    let (mut one, mut other) = (bench.server.connect(&database).await?, bench.server.connect(&database).await?);
    let begun = grown::begin(&mut one, &grown).await?;
    let middle = leads / 2 - leads / 2 % 50;
    tokio::try_join!(
        grown::fill_range(&mut one, &grown, &begun, 0..middle),
        grown::fill_range(&mut other, &grown, &begun, middle..leads),
    )?;
    drop((one, other));
    bench.server.execute(&database, "vacuum analyze").await?;
    let bytes: i64 = bench.server.value(&database, "select pg_database_size(current_database())").await?;
    say(&format!("{leads} leads are there, {} MiB", bytes >> 20));
    Ok(())
}

async fn leads(bench: &Bench<'_>, size: u64, dealership: u64, first: u64) -> Fallible<Figures> {
    bench.server.execute("postgres", "checkpoint").await?;
    let service = bench.forecourt(&database(size)).await?;
    let pace = Pace::Closed { seconds: bench.seconds() };
    let order = Order { dealership, first, ..super::leads_of_many(&service, pace) };
    Ok(bench.measure(&service, &order).await?.1)
}

fn in_words(leads: u64) -> String {
    match leads {
        1_000_000.. => format!("{} million", leads / 1_000_000),
        _ => format!("{} thousand", leads / 1_000),
    }
}
