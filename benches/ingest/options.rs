//! What to measure, and for how long.

use std::path::PathBuf;

use crate::Fallible;

/// The parts of the benchmark, by the names that `--only` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Leads at top speed, alone and at half speed.
    Leads,
    /// The daily full feed.
    Feed,
    /// One workspace beside another that receives a full feed.
    Neighbours,
    /// The start against an existing database.
    Start,
    /// Leads on a small and on a large database.
    Growth,
}

impl Part {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Leads, "leads"),
        (Self::Feed, "feed"),
        (Self::Neighbours, "neighbours"),
        (Self::Start, "start"),
        (Self::Growth, "growth"),
    ];
}

/// How the benchmark runs.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The parts, in their order.
    pub(crate) parts: Vec<Part>,
    /// How often everything is measured; the median counts.
    pub(crate) rounds: usize,
    /// How long each measurement takes, in seconds.
    pub(crate) seconds: u64,
    /// How many vehicles the daily feed has.
    pub(crate) feed: u64,
    /// How many rows of each kind the large database has.
    pub(crate) grown: u64,
    /// The folder of the database; it is deleted at the end.
    pub(crate) dir: PathBuf,
}

impl Options {
    /// Reads the words after `cargo bench --bench ingest --`.
    pub(crate) fn parse(words: &[&str]) -> Fallible<Self> {
        let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}", std::process::id()));
        let parts = vec![Part::Leads, Part::Feed, Part::Neighbours, Part::Start];
        let mut options = Self { parts, rounds: 3, seconds: 10, feed: 50_000, grown: 10_000_000, dir };
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("--bench", _) => {}
                ("--quick", _) => (options.rounds, options.seconds, options.feed) = (1, 4, 10_000),
                ("--growth", "") => options.parts.push(Part::Growth),
                ("--growth", rows) => {
                    options.parts.push(Part::Growth);
                    options.grown = rows.parse()?;
                }
                ("--only", names) => options.parts = names.split(',').map(part).collect::<Fallible<_>>()?,
                ("--rounds", rounds) => options.rounds = rounds.parse::<usize>()?.max(1),
                ("--seconds", seconds) => options.seconds = seconds.parse::<u64>()?.max(2),
                ("--dir", dir) => options.dir = PathBuf::from(dir).join(format!("bench-{}", std::process::id())),
                _ => {
                    let known = "--quick, --growth, --growth=ROWS, --only=PARTS, --rounds=N, --seconds=N, --dir=FOLDER";
                    return Err(format!("`{word}` is not known; there are {known}").into());
                }
            }
        }
        Ok(options)
    }
}

fn part(name: &str) -> Fallible<Part> {
    let found = Part::ALL.into_iter().find(|(_, known)| *known == name);
    let names: Vec<&str> = Part::ALL.iter().map(|(_, name)| *name).collect();
    Ok(found.ok_or_else(|| format!("there is no part `{name}`; the parts are {}", names.join(", ")))?.0)
}
