//! Charts: rate and p99 side by side over something, as SVG that can be read on white and on dark.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::markdown::number;
use super::{Point, Report, median};

/// A chart, by what its figures are drawn over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Chart {
    /// Over the number of workspaces that receive leads at once.
    Workspaces,
    /// Over the number of leads that the tables hold.
    Rows,
    /// Over the number of requests in flight.
    Load,
}

impl Chart {
    const ALL: [Self; 3] = [Self::Workspaces, Self::Rows, Self::Load];

    /// The name of its file.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Workspaces => "workspaces.svg",
            Self::Rows => "rows.svg",
            Self::Load => "load.svg",
        }
    }

    /// What stands below its figures.
    fn axis(self) -> &'static str {
        match self {
            Self::Workspaces => "workspaces that receive leads at once, 256 in flight in all",
            Self::Rows => "leads in the tables, over 20 workspaces, 256 in flight",
            Self::Load => "leads in flight",
        }
    }
}

/// Colours that are told apart by people who see no red or green, too, on white and on dark.
const COLOURS: [&str; 3] = ["#3b8eea", "#e08a1e", "#8f7ee7"];
/// Of words and lines: as far from white as from black.
const GREY: &str = "#7d8590";
/// Where the first panel begins, and how far from it the second.
const LEFT: f64 = 64.0;
const BESIDE: f64 = 380.0;
/// A panel's upper edge, and its size.
const TOP: f64 = 52.0;
const WIDTH: f64 = 290.0;
const HEIGHT: f64 = 190.0;

impl Report {
    /// The charts for which there are points.
    pub(super) fn charts(&self) -> Vec<(Chart, String)> {
        let points = |chart| self.points.iter().filter(|point| point.chart == chart).collect::<Vec<_>>();
        let all = Chart::ALL.into_iter().map(|chart| (chart, points(chart)));
        all.filter(|(_, points)| !points.is_empty()).map(|(chart, points)| (chart, draw(chart, &points))).collect()
    }
}

/// The whole chart.
fn draw(chart: Chart, points: &[&Point]) -> String {
    let xs: Vec<u64> = points.iter().map(|point| point.x).collect::<BTreeSet<_>>().into_iter().collect();
    let mut series: Vec<&str> = Vec::new();
    for point in points {
        if !series.contains(&point.series.as_str()) {
            series.push(&point.series);
        }
    }
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 310\" width=\"760\" height=\"310\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"{GREY}\">\n<title>Rate and p99 over {}</title>\n",
        chart.axis()
    );
    for (index, name) in series.iter().enumerate() {
        let x = LEFT + 230.0 * as_number(index);
        // Writing to a text cannot fail.
        let _ = writeln!(svg, "<rect x=\"{x}\" y=\"10\" width=\"12\" height=\"12\" fill=\"{}\"/>", colour(index));
        svg += &text(x + 18.0, 20.0, "start", name);
    }
    let rate: fn(&(f64, f64)) -> f64 = |round| round.0;
    let p99: fn(&(f64, f64)) -> f64 = |round| round.1;
    for (left, title, figure) in [(LEFT, "leads a second", rate), (LEFT + BESIDE, "p99, milliseconds", p99)] {
        let values = series.iter().map(|name| {
            let of_series = points.iter().filter(|point| point.series == *name);
            let value = |point: &&&Point| median(point.rounds.iter().map(figure).collect());
            let place = |point: &&&Point| xs.iter().position(|x| *x == point.x).unwrap_or_default();
            let mut values: Vec<_> = of_series.map(|point| (place(&point), value(&point))).collect();
            values.sort_by_key(|(place, _)| *place);
            values
        });
        svg += &panel(left, title, &xs, &values.collect::<Vec<_>>());
    }
    svg += &text(LEFT + f64::midpoint(BESIDE, WIDTH), 298.0, "middle", chart.axis());
    svg + "</svg>\n"
}

/// One panel: a line for each series through its values, which stand at the places of `xs`.
fn panel(left: f64, title: &str, xs: &[u64], series: &[Vec<(usize, f64)>]) -> String {
    let largest = series.iter().flatten().map(|(_, value)| *value).fold(0.0, f64::max);
    let end = round_up(largest * 1.08);
    let at = |place: usize| left + WIDTH * (as_number(place) + 0.5) / as_number(xs.len());
    let height = |value: f64| TOP + HEIGHT * (1.0 - value / end);
    let mut svg = text(left, TOP - 12.0, "start", title);
    for quarter in 0..=4 {
        let value = end * f64::from(quarter) / 4.0;
        let (y, right) = (height(value), left + WIDTH);
        let opacity = if quarter == 0 { "1" } else { "0.3" };
        // Writing to a text cannot fail.
        let _ = writeln!(
            svg,
            "<path d=\"M{left:.1} {y:.1}H{right:.1}\" stroke=\"{GREY}\" stroke-opacity=\"{opacity}\" fill=\"none\"/>"
        );
        svg += &text(left - 6.0, y + 4.0, "end", &number(value, digits(end)));
    }
    for (place, x) in xs.iter().enumerate() {
        svg += &text(at(place), TOP + HEIGHT + 20.0, "middle", &in_words(*x));
    }
    for (index, values) in series.iter().enumerate() {
        let line: Vec<String> =
            values.iter().map(|(place, value)| format!("{:.1} {:.1}", at(*place), height(*value))).collect();
        let (line, colour) = (line.join("L"), colour(index));
        let _ = writeln!(svg, "<path d=\"M{line}\" stroke=\"{colour}\" stroke-width=\"2\" fill=\"none\"/>");
        for (place, value) in values {
            let (x, y) = (at(*place), height(*value));
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>");
            // The largest of a place stands above its point, the others below.
            let is_largest = series.iter().flatten().all(|(other, larger)| other != place || larger <= value);
            let (y, label) = (if is_largest { y - 8.0 } else { y + 16.0 }, number(*value, digits(end)));
            let _ = writeln!(svg, "<g fill=\"{colour}\">{}</g>", text(x, y, "middle", &label).trim_end());
        }
    }
    svg
}

fn text(x: f64, y: f64, anchor: &str, words: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>\n")
}

fn colour(index: usize) -> &'static str {
    COLOURS.get(index).copied().unwrap_or(GREY)
}

/// The next number that is a few times a power of ten, and whose quarters are easily read.
fn round_up(value: f64) -> f64 {
    let power = 10.0_f64.powf(value.max(0.01).log10().floor());
    let steps = [1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 6.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|round| *round >= value).unwrap_or(value)
}

/// How many digits are worth reading of values up to this one.
fn digits(end: f64) -> usize {
    match end {
        end if end >= 40.0 => 0,
        end if end >= 4.0 => 1,
        _ => 2,
    }
}

fn in_words(number: u64) -> String {
    match number {
        1_000_000.. => format!("{} million", number / 1_000_000),
        10_000.. => format!("{} thousand", number / 1_000),
        _ => number.to_string(),
    }
}

/// A count of things, to be measured out.
fn as_number(count: usize) -> f64 {
    crate::load::count(count)
}
