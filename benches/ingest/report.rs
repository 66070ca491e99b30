//! What the benchmark prints: a table of measurements, and what became of each target.

use std::fmt::Write as _;

/// One measurement; what was not measured is absent.
#[derive(Clone, Copy, Debug, Default)]
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
}

/// A line of the table: what was measured, and its figures in each round.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// What was measured.
    pub(crate) name: &'static str,
    /// The figures of each round.
    pub(crate) rounds: Vec<Figures>,
}

/// What a figure must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    /// So much or more.
    AtLeast(f64),
    /// So much or less.
    AtMost(f64),
}

/// A target, with its figure in each round.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// What is asked for.
    pub(crate) what: String,
    /// The figure in each round.
    pub(crate) figures: Vec<f64>,
    /// What it must be.
    pub(crate) limit: Limit,
}

/// Everything that was measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// The table.
    pub(crate) lines: Vec<Line>,
    /// The targets.
    pub(crate) targets: Vec<Target>,
}

impl Report {
    /// Adds figures of one round to the line of that name.
    pub(crate) fn add(&mut self, name: &'static str, figures: Figures) {
        match self.lines.iter_mut().find(|line| line.name == name) {
            Some(line) => line.rounds.push(figures),
            None => self.lines.push(Line { name, rounds: vec![figures] }),
        }
    }

    /// Adds the figure of one round to a target.
    pub(crate) fn aim(&mut self, what: &str, figure: f64, limit: Limit) {
        match self.targets.iter_mut().find(|target| target.what == what) {
            Some(target) => target.figures.push(figure),
            None => self.targets.push(Target { what: what.to_owned(), figures: vec![figure], limit }),
        }
    }

    /// Both tables, as Markdown.
    pub(crate) fn print(&self) -> String {
        let mut text = String::from(
            "\n| measured | deliveries/s | p50 ms | p99 ms | max ms | receiver CPU s/1,000 | Postgres CPU s/1,000 \
             | peak MiB | WAL bytes each |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        for Line { name, rounds } in &self.lines {
            let rounds: Vec<_> = rounds.iter().map(Figures::columns).collect();
            let cells = [0, 2, 2, 2, 3, 3, 0, 0].into_iter().enumerate().map(|(column, digits)| {
                let values: Option<Vec<f64>> = rounds.iter().map(|round| *round.get(column)?).collect();
                values.map_or_else(String::new, |values| format!("{:.digits$}", median(values)))
            });
            // Writing to a text cannot fail.
            let _ = writeln!(text, "| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
        }
        text.push_str("\n| target | figure | asked for | holds | every round |\n|---|--:|--:|---|---|\n");
        for Target { what, figures, limit } in &self.targets {
            let figure = median(figures.clone());
            let (asked, holds) = match limit {
                Limit::AtLeast(limit) => (format!("at least {limit}"), figure >= *limit),
                Limit::AtMost(limit) => (format!("at most {limit}"), figure <= *limit),
            };
            let rounds: Vec<String> = figures.iter().map(|figure| format!("{figure:.2}")).collect();
            let holds = if holds { "yes" } else { "**no**" };
            let _ = writeln!(text, "| {what} | {figure:.2} | {asked} | {holds} | {} |", rounds.join(", "));
        }
        text
    }
}

/// The one in the middle; of two the smaller.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}
