//! The law that holds over the rules: any order, any repetition and any batches of the same deliveries leave the same
//! rows, and those rows are what the plain rules in [`reference_model`] say of the deliveries as a set.
//!
//! [`history`] makes deliveries, [`in_memory_store`] stands in for the database and loads and saves as `store` does.

mod history;
mod in_memory_store;
mod leads;
mod listings;
mod persons;
mod reference_model;
mod view;

use super::facts::PackagePrices;
use super::locations;
use super::state::{Lack, WorkspaceState};
use super::version::SourceTime;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A runner whose histories are the same in every run. `PROPTEST_CASES` makes it go on for longer.
fn runner(cases: u32) -> TestRunner {
    let asked = Config::default().cases;
    let cases = if asked == 256 { cases } else { asked };
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn rules_that_look_for_what_was_not_loaded_or_take_more_ids_than_were_reserved_are_found_out() {
    let moment = SourceTime { at: None, arrived_at: chrono::DateTime::UNIX_EPOCH };
    let gold = PackagePrices { name: "Gold".to_owned(), ..PackagePrices::default() };
    let merge = |state: &mut WorkspaceState| _ = locations::merge(state, None, std::slice::from_ref(&gold), moment);
    let mut asked = WorkspaceState { ids: vec![7], ..WorkspaceState::default() };
    asked.packages.ask("Gold".to_owned());
    merge(&mut asked);
    assert_eq!(asked.lack(), None);
    assert_eq!(asked.location(9.into()).map(|location| location.id), None);
    assert_eq!(asked.lack(), Some(Lack::Location), "what a row points to exists");

    let mut unasked = WorkspaceState { ids: vec![7], ..WorkspaceState::default() };
    merge(&mut unasked);
    assert_eq!(unasked.lack(), Some(Lack::Package));

    let mut without_ids = WorkspaceState::default();
    without_ids.packages.ask("Gold".to_owned());
    merge(&mut without_ids);
    assert_eq!(without_ids.lack(), Some(Lack::Id));
}

/// Numbers that look random, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// The numbers below `count` in some order, some of them again.
    fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for _ in 0..self.below(count + 1) {
            order.push(self.below(count));
        }
        for index in (1..order.len()).rev() {
            order.swap(index, self.below(index + 1));
        }
        order
    }

    /// Batches of these.
    fn batches(&mut self, order: &[usize]) -> Vec<Vec<usize>> {
        let mut batches = Vec::new();
        let mut rest = order;
        while !rest.is_empty() {
            let (batch, others) = rest.split_at(1 + self.below(rest.len()));
            batches.push(batch.to_vec());
            rest = others;
        }
        batches
    }
}
