//! How fast forecourt is, against yardsticks that are taken in the same run on the same machine.
//!
//! `cargo bench --bench ingest` starts a durable Postgres, the release binary and a load generator in a process of its
//! own, and takes every measurement in turn with its yardsticks, three times; `-- --quick` takes less time and one turn,
//! `-- --growth` also fills tables with a million and with ten million leads ([`grown`]), `-- --only=leads,feed` runs some
//! parts (`indexes` by this alone), `-- --docs` keeps the figures in `docs/speed.md` and draws its charts. The yardsticks:
//!
//! - the floor ([`floor`]): the same rows, written by set-based SQL straight from `pgbench`, in batches of 256;
//! - the plain way ([`plain`]): a small receiver with a transaction for each request and a statement for each table;
//! - a single insert: `pgbench` that commits one delivery at a time.
//!
//! The load generator ([`load`]) and the plain receiver are this program again, started as children.

mod configuration;
mod floor;
#[path = "../../tests/it/support/grown/mod.rs"]
mod grown;
mod load;
mod options;
mod payloads;
mod plain;
mod postgres;
mod processes;
mod report;
mod scenarios;
mod usage;

use options::Options;

/// What a part of the benchmark gives, or a sentence about what went wrong.
type Fallible<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Fallible {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["load", order] => runtime(false)?.block_on(load::run(order)),
        ["plain", listen, database] => runtime(true)?.block_on(plain::run(listen, database)),
        words if words.contains(&"--bench") => runtime(true)?.block_on(run(&Options::parse(words)?)),
        // `cargo test --benches` starts benchmarks too, and expects them to be short.
        _ => {
            println!("run it with: cargo bench --bench ingest");
            Ok(())
        }
    }
}

fn runtime(many: bool) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder =
        if many { tokio::runtime::Builder::new_multi_thread() } else { tokio::runtime::Builder::new_current_thread() };
    builder.enable_all().build()
}

/// Everything that was asked for, one part after the other; the database goes away whatever happens.
async fn run(options: &Options) -> Fallible {
    let server = postgres::Server::start(&options.dir).await?;
    let measured = scenarios::run(options, &server).await;
    server.stop().await?;
    measured
}
