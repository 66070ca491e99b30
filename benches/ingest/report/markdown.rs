//! The tables of a report, as Markdown.

use std::fmt::Write as _;

use super::{Figures, Limit, Line, Report, Target, median};

const LINES: &str = "| measured | deliveries/s | p50 ms | p99 ms | max ms | receiver CPU s/1,000 | Postgres CPU s/1,000 \
     | peak MiB | WAL bytes each |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n";
const TARGETS: &str = "| what | figure | aim | reached | each round |\n|---|--:|--:|---|---|\n";

impl Report {
    /// The targets first, then all that was measured, then under which circumstances.
    pub(crate) fn markdown(&self) -> String {
        let targets: String = self.targets.iter().map(Target::markdown).collect();
        let lines: String = self.lines.iter().map(Line::markdown).collect();
        let mut text = format!("{TARGETS}{targets}\n{LINES}{lines}\n");
        let mut told: Vec<&str> = Vec::new();
        for run in &self.runs {
            if !told.contains(&run.circumstances.as_str()) {
                let same = self.runs.iter().filter(|other| other.circumstances == run.circumstances);
                let parts: Vec<&str> = same.map(|other| other.part.name()).collect();
                // Writing to a text cannot fail.
                let _ = writeln!(text, "- {}: {}.", parts.join(", "), run.circumstances);
                told.push(&run.circumstances);
            }
        }
        text
    }
}

impl Line {
    fn markdown(&self) -> String {
        let rounds: Vec<_> = self.rounds.iter().map(Figures::columns).collect();
        let cells = [0, 2, 2, 2, 3, 3, 0, 0].into_iter().enumerate().map(|(column, digits)| {
            let values: Option<Vec<f64>> = rounds.iter().map(|round| *round.get(column)?).collect();
            values.map_or_else(String::new, |values| number(median(values), digits))
        });
        format!("| {} | {} |\n", self.name, cells.collect::<Vec<_>>().join(" | "))
    }
}

impl Target {
    fn markdown(&self) -> String {
        let figure = median(self.figures.clone());
        let (aim, is_reached) = match self.limit {
            Limit::AtLeast(limit) => (format!("at least {limit}"), figure >= limit),
            Limit::AtMost(limit) => (format!("at most {limit}"), figure <= limit),
        };
        let digits = if figure.abs() < 0.1 { 3 } else { 2 };
        let rounds: Vec<String> = self.figures.iter().map(|figure| number(*figure, digits)).collect();
        let (figure, reached) = (number(figure, digits), if is_reached { "yes" } else { "**no**" });
        format!("| {} | {figure} | {aim} | {reached} | {} |\n", self.what, rounds.join(", "))
    }
}

/// A number with a comma between thousands.
pub(super) fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}
