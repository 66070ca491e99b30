//! `expect` of a workspace: at least how often each feed is expected to deliver.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::TimeDelta;

use crate::domain::feed::Feed;

use super::duration;
use super::report::Report;
use super::section::Section;

/// Shorter ones would take every pause for silence, longer ones nobody waits for. In seconds: ten minutes to 400 days.
const EVERY: RangeInclusive<i64> = 600..=400 * 86_400;
const EXAMPLE: &str = "\"26h\"";

/// Reads `expect`, which may be absent; `dealerships` is how many the workspace has.
pub(super) fn read(section: &Section, dealerships: usize, report: &mut Report) -> BTreeMap<Feed, TimeDelta> {
    let Some(value) = section.value("expect") else { return BTreeMap::new() };
    let names: Vec<&str> = Feed::ALL.iter().map(|feed| feed.name()).collect();
    let Some(expect) = Section::open_value("`expect`", value, &names, report) else { return BTreeMap::new() };
    let every = |feed: &Feed| Some((*feed, duration::read(&expect, feed.name(), EXAMPLE, &EVERY, report)?));
    let expected: BTreeMap<Feed, TimeDelta> = Feed::ALL.iter().filter_map(every).collect();
    if dealerships == 0
        && let Some(feed) = expected.keys().find(|feed| feed.dealership_path().is_some())
    {
        let message = format!(
            "`{}` is expected, and the workspace has no dealerships, so that nobody can fall silent; name them in \
             `dealerships`",
            feed.name()
        );
        report.warning(&value.span(), message);
    }
    expected
}
