//! What is kept of a run: the figures in `docs/speed/figures.json`, from which the tables in `docs/speed.md` and the
//! charts beside them are made. A run of some parts leaves those of the others as they are.

use std::path::Path;

use super::Report;
use crate::Fallible;

/// What stands before and after the tables.
const MARKS: (&str, &str) = ("<!-- The benchmark writes from here -->", "<!-- to here. -->");

/// Puts a report in the place of what a folder says of its parts.
pub(crate) fn write(report: &Report, docs: &Path) -> Fallible {
    let folder = docs.join("speed");
    std::fs::create_dir_all(&folder)?;
    let figures = folder.join("figures.json");
    let mut all: Report = match std::fs::read(&figures) {
        Ok(known) => serde_json::from_slice(&known)?,
        Err(_) => Report::default(),
    };
    all.take_over(report);
    std::fs::write(figures, serde_json::to_string_pretty(&all)? + "\n")?;
    for (chart, drawing) in all.charts() {
        std::fs::write(folder.join(chart.file()), drawing)?;
    }
    let page = docs.join("speed.md");
    let text = std::fs::read_to_string(&page)?;
    let outside = text.split_once(MARKS.0).and_then(|(before, rest)| Some((before, rest.split_once(MARKS.1)?.1)));
    let (before, after) = outside.ok_or("docs/speed.md has no place for the tables")?;
    let (begin, end, tables) = (MARKS.0, MARKS.1, all.markdown());
    Ok(std::fs::write(page, format!("{before}{begin}\n\n{tables}\n{end}{after}"))?)
}
