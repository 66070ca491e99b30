//! The parts of the benchmark: each measures something and its yardsticks in turn, on databases of its own.

mod feed;
mod growth;
mod indexes;
mod leads;
mod load_curve;
mod neighbours;
mod start;
mod workspaces;

use crate::configuration::{DEALERSHIP, TOKEN, WORKSPACES};
use crate::load::{self, Heard, Order, Pace};
use crate::options::{Options, Part};
use crate::payloads::{Kind, VEHICLES};
use crate::postgres::Server;
use crate::processes::Receiver;
use crate::report::{self, Figures, Report};
use crate::{Fallible, floor};

/// The database that the others are copies of: migrated, configured, with the vehicles that leads ask for.
const SEED: &str = "seed";
/// The database with vehicles in all workspaces and no leads.
const MANY: &str = "many";
/// How many vehicles each workspace has there, for which its leads ask.
const STOCK: u64 = 400;
/// How many requests are in flight at top speed.
const IN_FLIGHT: usize = 256;
/// How many leads are there before anything is measured: a table that holds one row is planned for as one that stays so.
const KNOWN_LEADS: u64 = 10_000;
/// For how many seconds each measurement runs before it counts.
const WARM_UP: f64 = 1.0;

/// A benchmark under way.
struct Bench<'a> {
    options: &'a Options,
    server: &'a Server,
    report: Report,
}

/// Runs the parts that were asked for, prints what they found, and keeps it where that was asked for.
pub(crate) async fn run(options: &Options, server: &Server) -> Fallible {
    let circumstances = circumstances(options, server).await?;
    let mut bench = Bench { options, server, report: Report::default() };
    bench.seed().await?;
    for part in &options.parts {
        bench.report.begin(*part, &circumstances);
        match part {
            Part::Leads => leads::run(&mut bench).await?,
            Part::Workspaces => workspaces::run(&mut bench).await?,
            Part::Feed => feed::run(&mut bench).await?,
            Part::Neighbours => neighbours::run(&mut bench).await?,
            Part::Start => start::run(&mut bench).await?,
            Part::Growth => growth::run(&mut bench).await?,
            Part::Indexes => indexes::run(&mut bench).await?,
        }
    }
    println!("\n{}", bench.report.markdown());
    options.docs.as_ref().map_or(Ok(()), |docs| report::docs::write(&bench.report, docs))
}

/// Where and how long is measured.
async fn circumstances(options: &Options, server: &Server) -> Fallible<String> {
    let version: String = server.value("postgres", "show server_version").await?;
    let version = version.split(' ').next().unwrap_or_default();
    let processors = std::thread::available_parallelism()?;
    let (rounds, seconds) = (options.rounds, options.seconds);
    let times = if rounds == 1 { "one round".to_owned() } else { format!("medians of {rounds} rounds") };
    Ok(format!("{times} of {seconds} seconds on {processors} processors, Postgres {version}"))
}

impl Bench<'_> {
    /// Makes the database that the others are copies of.
    async fn seed(&self) -> Fallible {
        say("the vehicles and the first leads");
        self.server.create(SEED).await?;
        let service = self.forecourt(SEED).await?;
        let vehicles = vehicles(&service, 0, 0, Pace::All { count: VEHICLES });
        let heard = load::send(&vehicles).await?;
        let leads = load::send(&leads(&service, Pace::All { count: KNOWN_LEADS })).await?;
        if (heard.applied, leads.booked) != (VEHICLES, KNOWN_LEADS) {
            return Err(format!("the deliveries are not taken as they should: {heard:?} {leads:?}").into());
        }
        drop(service);
        self.server.execute(SEED, "vacuum analyze").await?;
        floor::prepare(self.server, SEED).await
    }

    /// Makes the database of many workspaces, where it is not there yet.
    async fn many(&self) -> Fallible {
        let known = format!("select exists (select from pg_database where datname = '{MANY}')");
        if self.server.value("postgres", &known).await? {
            return Ok(());
        }
        say("the vehicles of all workspaces");
        self.server.create(MANY).await?;
        let service = self.forecourt(MANY).await?;
        for dealership in DEALERSHIP..DEALERSHIP + WORKSPACES {
            let order = Order { dealership, ..vehicles(&service, 0, 0, Pace::All { count: STOCK }) };
            let heard = load::send(&order).await?;
            if heard.applied != STOCK {
                return Err(format!("the vehicles are not taken as they should: {heard:?}").into());
            }
        }
        drop(service);
        self.server.execute(MANY, "vacuum analyze").await
    }

    async fn forecourt(&self, database: &str) -> Fallible<Receiver> {
        Receiver::forecourt(None, self.server.dir(), &self.server.url(database)).await
    }

    async fn plain(&self, database: &str) -> Fallible<Receiver> {
        Receiver::plain(&self.server.url(database)).await
    }

    /// For how many seconds to measure.
    #[expect(clippy::cast_precision_loss, reason = "minutes, not millions of years")]
    fn seconds(&self) -> f64 {
        self.options.seconds as f64
    }

    /// Sends, and measures what that costs the receiver and Postgres.
    async fn measure(&self, to: &Receiver, order: &Order) -> Fallible<(Heard, Figures)> {
        let (wal, receiver, postgres) = (self.server.wal().await?, to.cpu(), self.server.cpu());
        let heard = load::send(order).await?;
        if heard.refused > 0 {
            return Err(format!("{} requests were refused", heard.refused).into());
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let answers = heard.answers as f64;
        let spent = |after: Option<f64>, before: Option<f64>| Some((after? - before?) * 1_000.0 / answers);
        let figures = Figures {
            rate: Some(heard.rate),
            p50: Some(heard.p50),
            p99: Some(heard.p99),
            max: Some(heard.max),
            receiver_cpu: spent(to.cpu(), receiver),
            postgres_cpu: spent(self.server.cpu(), postgres),
            memory: to.peak_memory(),
            wal: Some((self.server.wal().await? - wal) / answers),
        };
        Ok((heard, figures))
    }

    /// Lets `pgbench` write batches of deliveries, and measures what that costs Postgres.
    async fn measure_floor(&self, database: &str, script: &str) -> Fallible<Figures> {
        let (wal, postgres) = (self.server.wal().await?, self.server.cpu());
        let ran = self.server.pgbench(database, script, floor::CLIENTS, self.options.seconds).await?;
        #[expect(clippy::cast_precision_loss, reason = "a small constant")]
        let batch = floor::BATCH as f64;
        let written = ran.count * batch;
        Ok(Figures {
            rate: Some(ran.rate * batch),
            postgres_cpu: self.server.cpu().zip(postgres).map(|(after, before)| (after - before) * 1_000.0 / written),
            wal: Some((self.server.wal().await? - wal) / written),
            ..Figures::default()
        })
    }
}

/// Leads at top speed, unless said otherwise.
fn leads(to: &Receiver, pace: Pace) -> Order {
    order(to, Kind::Lead { vehicles: VEHICLES }, pace)
}

/// Leads for the vehicles of the database of many workspaces.
fn leads_of_many(to: &Receiver, pace: Pace) -> Order {
    order(to, Kind::Lead { vehicles: STOCK }, pace)
}

/// Vehicles from this number on; so many of a hundred are changed.
fn vehicles(to: &Receiver, first: u64, changed_percent: u64, pace: Pace) -> Order {
    Order { first, warm_up: 0.0, ..order(to, Kind::Vehicle { changed_percent, of: u64::MAX }, pace) }
}

fn order(to: &Receiver, kind: Kind, pace: Pace) -> Order {
    Order {
        address: to.address,
        token: TOKEN.to_owned(),
        kind,
        dealership: DEALERSHIP,
        dealerships: 1,
        first: 0,
        connections: IN_FLIGHT,
        pace,
        warm_up: if matches!(pace, Pace::All { .. }) { 0.0 } else { WARM_UP },
    }
}

/// Tells what is being measured, beside the tables.
fn say(what: &str) {
    eprintln!("measuring: {what}");
}

/// One figure as a multiple of another.
fn ratio(figure: Option<f64>, yardstick: Option<f64>) -> f64 {
    figure.unwrap_or_default() / yardstick.unwrap_or(f64::NAN)
}
