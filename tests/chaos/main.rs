//! The proof of the outage promises: the program itself and a real Postgres, driven by a sender that behaves as Dealer
//! Studio does, while something goes wrong.
//!
//! Each scenario ends with the same questions: is every delivery that was answered 200 in `intake.deliveries`, once and
//! with an outcome, and do the business tables hold what a run without faults makes of the same deliveries? The
//! figures of all of them are printed at the end. `FORECOURT_CHAOS=long` makes them as long as the page docs/proofs.md tells of, and
//! a number of seconds there makes the longest ones last so long; `FORECOURT_OLD_BINARY` names a file of an older version, which
//! one scenario runs beside this one; a part of a name chooses scenarios, as it does for
//! tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that meets what it does not expect has failed, and its figures are for reading"
)]

mod checks;
mod connections;
mod disks;
mod faults;
mod harness;
mod instances;
mod kills;
mod locks;
mod outages;
mod proxies;
mod restarts;
mod scale;
mod scenario;
mod sender;
mod starts;
mod table;
mod upgrades;

#[path = "../it/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the integration tests use the rest of it")]
mod support;

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // What one of them measures, another one would disturb.
    arguments.test_threads = Some(1);
    let conclusion = libtest_mimic::run(&arguments, scenarios());
    table::print();
    restarts::print();
    conclusion.exit_code()
}

fn scenarios() -> Vec<Trial> {
    let mut scenarios = vec![
        scenario("without_an_outage_the_spool_costs_nothing", outages::none),
        scenario("the_service_is_killed_again_and_again", kills::service),
        scenario("postgres_is_killed_again_and_again", kills::postgres),
        scenario("both_are_killed_in_turn", kills::both),
        scenario("the_service_is_stopped_and_started_under_load", starts::stopped),
        scenario("the_service_is_restarted_behind_a_held_socket", restarts::held),
        scenario("the_service_is_upgraded_behind_a_held_socket", restarts::upgraded),
        scenario("the_service_is_restarted_behind_caddy", proxies::caddy),
        scenario("the_service_is_restarted_behind_haproxy", proxies::haproxy),
        scenario("the_service_is_restarted_behind_nginx", proxies::nginx),
        scenario("the_service_is_restarted_behind_haproxy_that_tries_again", proxies::haproxy_that_tries_again),
        scenario("the_service_stands_still_and_senders_repeat", starts::stood_still),
        scenario("the_service_is_killed_while_it_spools_and_the_file_has_a_torn_end", starts::torn_end),
        scenario("the_service_starts_with_a_full_spool", starts::full_spool),
        scenario("postgres_stands_still", outages::still),
        scenario("postgres_stands_still_for_long", outages::still_for_long),
        scenario("postgres_is_restarted_without_mercy", outages::immediate),
        scenario("a_table_is_locked_by_somebody_else", locks::table),
        scenario("a_workspace_is_held_by_somebody_else", locks::workspace),
        scenario("another_instance_holds_the_lock_of_the_migrations", locks::migrations),
        scenario("the_disk_of_postgres_is_full", disks::postgres_full),
        scenario("the_disk_of_the_spool_is_full", disks::spool_full),
        scenario("the_spool_cannot_grow", disks::spool_cannot_grow),
        scenario("the_folder_of_the_spool_is_read_only", disks::spool_read_only),
        scenario("both_stores_fail", disks::both_fail),
        scenario("two_instances_behind_a_proxy_are_killed_and_added", instances::two),
        scenario("four_instances_behind_a_proxy_are_killed_and_added", instances::four),
        scenario("eight_instances_behind_a_proxy_are_killed_and_added", instances::eight),
        scenario("thousands_of_connections_stay_silent", connections::silent),
    ];
    if upgrades::older().is_some() {
        scenarios.push(scenario("the_tables_are_upgraded_beside_an_older_version", upgrades::beside_an_older_version));
    }
    scenarios
}

/// A scenario in a runtime of its own, which ends with it.
fn scenario<F>(name: &'static str, run: fn() -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    Trial::test(name, move || -> Result<(), Failed> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(run());
        runtime.shutdown_timeout(Duration::from_secs(1));
        Ok(())
    })
}
