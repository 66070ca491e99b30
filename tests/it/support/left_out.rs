//! What cannot be tested on this machine is left out with a line, and never in CI, which installs what the tests need.

use std::io::Write as _;

/// Says that the running test, or a scenario of it, is left out and why; `.ci/run` counts these lines.
///
/// # Panics
/// Where CI is set: there it is a failure.
pub(crate) fn left_out(why: &str) {
    let in_ci = std::env::vars_os().any(|(name, value)| name == "CI" && !value.is_empty());
    assert!(!in_ci, "left out in CI, which has to install what the tests need: {why}");
    let thread = std::thread::current();
    // Written by hand, because the output of a test that passes is hidden.
    let _nobody_reads_it = writeln!(std::io::stderr(), "left out: {}: {why}", thread.name().unwrap_or("a test"));
}
