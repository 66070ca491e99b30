//! The table that ends a run.

use std::sync::Mutex;
use std::time::Duration;

use crate::support::left_out;

/// The figures of a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What went wrong.
    pub(crate) scenario: String,
    /// How many deliveries were posted.
    pub(crate) deliveries: usize,
    /// How many requests were answered 200.
    pub(crate) acknowledged: usize,
    /// How many of those are not in the database.
    pub(crate) lost: usize,
    /// How many were taken more often than they were posted.
    pub(crate) twice: usize,
    /// The longest time to an answer of 200.
    pub(crate) slowest: Duration,
    /// The time within which 99 of 100 were answered 200, of those posted during the fault.
    pub(crate) p99: Duration,
    /// How many left the spool in a second, once they could.
    pub(crate) drained: Option<f64>,
}

static ROWS: Mutex<Vec<Result<Row, String>>> = Mutex::new(Vec::new());

/// Adds a scenario.
pub(crate) fn add(row: Row) {
    ROWS.lock().unwrap().push(Ok(row));
}

/// Notes that a scenario cannot be played here, which in CI is a failure.
pub(crate) fn leave_out(scenario: &str, why: &str) {
    left_out(&format!("{scenario}: {why}"));
    ROWS.lock().unwrap().push(Err(format!("{scenario}: left out, {why}")));
}

/// Prints it, where there is anything.
pub(crate) fn print() {
    let rows = ROWS.lock().unwrap();
    if rows.is_empty() {
        return;
    }
    let head = ["scenario", "deliveries", "acknowledged", "lost", "twice", "slowest ms", "p99 ms", "drain/s"];
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(rows.iter().flatten().map(cells));
    let widths: Vec<usize> =
        (0..head.len()).map(|column| lines.iter().map(|line| line[column].len()).max().unwrap_or(0)).collect();
    for (number, line) in lines.iter().enumerate() {
        let rest = line.iter().zip(&widths).skip(1).map(|(cell, width)| format!(" {cell:>width$} |"));
        println!("| {:<width$} |{}", line[0], rest.collect::<String>(), width = widths[0]);
        if number == 0 {
            let rest = widths.iter().skip(1).map(|width| format!("{}:|", "-".repeat(width + 1)));
            println!("|{}|{}", "-".repeat(widths[0] + 2), rest.collect::<String>());
        }
    }
    for left_out in rows.iter().filter_map(|row| row.as_ref().err()) {
        println!("{left_out}");
    }
}

fn cells(row: &Row) -> [String; 8] {
    let Row { scenario, deliveries, acknowledged, lost, twice, slowest, p99, drained } = row;
    let milliseconds = |time: &Duration| format!("{:.0}", time.as_secs_f64() * 1000.0);
    [
        scenario.clone(),
        deliveries.to_string(),
        acknowledged.to_string(),
        lost.to_string(),
        twice.to_string(),
        milliseconds(slowest),
        milliseconds(p99),
        drained.map_or_else(String::new, |rate| format!("{rate:.0}")),
    ]
}
