//! What was measured: figures of each round, targets with their limits, and points of charts.
//!
//! The median of the rounds counts. [`markdown`] makes tables of it, [`chart`] drawings, and [`docs`] keeps both in
//! `docs/speed.md`, beside what earlier runs measured.

use serde::{Deserialize, Serialize};

use crate::options::Part;

mod chart;
pub(crate) mod docs;
mod markdown;

pub(crate) use chart::Chart;

/// One measurement; what was not measured is absent.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Deliveries a second.
    pub(crate) rate: Option<f64>,
    /// Answer times in milliseconds.
    pub(crate) p50: Option<f64>,
    /// The time that one of a hundred exceeds.
    pub(crate) p99: Option<f64>,
    /// The slowest.
    pub(crate) max: Option<f64>,
    /// Processor seconds of the receiver for a thousand deliveries.
    pub(crate) receiver_cpu: Option<f64>,
    /// Processor seconds of Postgres for a thousand deliveries.
    pub(crate) postgres_cpu: Option<f64>,
    /// Peak memory of the receiver in MiB.
    pub(crate) memory: Option<f64>,
    /// Bytes of write-ahead log for each delivery.
    pub(crate) wal: Option<f64>,
}

impl Figures {
    fn columns(&self) -> [Option<f64>; 8] {
        let Self { rate, p50, p99, max, receiver_cpu, postgres_cpu, memory, wal } = *self;
        [rate, p50, p99, max, receiver_cpu, postgres_cpu, memory, wal]
    }

    /// Processor seconds of the receiver and Postgres for a thousand deliveries.
    pub(crate) fn cpu(&self) -> Option<f64> {
        Some(self.receiver_cpu.unwrap_or_default() + self.postgres_cpu?)
    }
}

/// A line of the table: what was measured, and its figures in each round.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line {
    part: Part,
    name: String,
    rounds: Vec<Figures>,
}

/// What a figure must be.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Limit {
    /// So much or more.
    AtLeast(f64),
    /// So much or less.
    AtMost(f64),
}

/// A target, with its figure in each round.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Target {
    part: Part,
    what: String,
    figures: Vec<f64>,
    limit: Limit,
}

/// A point of a chart, with its rate and its p99 in each round.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Point {
    part: Part,
    chart: Chart,
    series: String,
    x: u64,
    rounds: Vec<(f64, f64)>,
}

/// Under which circumstances a part was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Run {
    part: Part,
    circumstances: String,
}

/// Everything that was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    runs: Vec<Run>,
    lines: Vec<Line>,
    targets: Vec<Target>,
    points: Vec<Point>,
}

impl Report {
    /// Begins a part: what is added from now on belongs to it.
    pub(crate) fn begin(&mut self, part: Part, circumstances: &str) {
        self.runs.push(Run { part, circumstances: circumstances.to_owned() });
    }

    fn part(&self) -> Part {
        self.runs.last().map_or(Part::Leads, |run| run.part)
    }

    /// Adds figures of one round to the line of that name.
    pub(crate) fn add(&mut self, name: &str, figures: Figures) {
        let part = self.part();
        match self.lines.iter_mut().find(|line| line.part == part && line.name == name) {
            Some(line) => line.rounds.push(figures),
            None => self.lines.push(Line { part, name: name.to_owned(), rounds: vec![figures] }),
        }
    }

    /// Adds the figure of one round to a target.
    pub(crate) fn aim(&mut self, what: &str, figure: f64, limit: Limit) {
        let part = self.part();
        match self.targets.iter_mut().find(|target| target.part == part && target.what == what) {
            Some(target) => target.figures.push(figure),
            None => self.targets.push(Target { part, what: what.to_owned(), figures: vec![figure], limit }),
        }
    }

    /// Adds the rate and the p99 of one round to a chart.
    pub(crate) fn draw(&mut self, chart: Chart, series: &str, x: u64, figures: &Figures) {
        let round = (figures.rate.unwrap_or_default(), figures.p99.unwrap_or_default());
        let is_it = |point: &&mut Point| point.chart == chart && point.series == series && point.x == x;
        match self.points.iter_mut().find(is_it) {
            Some(point) => point.rounds.push(round),
            None => {
                self.points.push(Point { part: self.part(), chart, series: series.to_owned(), x, rounds: vec![round] })
            }
        }
    }

    /// Puts the parts of another report in the place of what is known of them.
    fn take_over(&mut self, newer: &Self) {
        let parts: Vec<Part> = newer.runs.iter().map(|run| run.part).collect();
        let Self { runs, lines, targets, points } = self;
        replace(runs, &newer.runs, &parts, |run| run.part);
        replace(lines, &newer.lines, &parts, |line| line.part);
        replace(targets, &newer.targets, &parts, |target| target.part);
        replace(points, &newer.points, &parts, |point| point.part);
    }
}

/// Takes out what belongs to these parts, and puts the newer in; sorted by part.
fn replace<T: Clone>(known: &mut Vec<T>, newer: &[T], parts: &[Part], part_of: impl Fn(&T) -> Part) {
    known.retain(|one| !parts.contains(&part_of(one)));
    known.extend_from_slice(newer);
    known.sort_by_key(|one| part_of(one));
}

/// The one in the middle; of two the smaller.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}
