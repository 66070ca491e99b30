//! What to measure, and for how long.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Fallible;

/// The parts of the benchmark, in their order, by the names that `--only` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    /// Leads at top speed, at half speed, alone, and with more and more in flight.
    Leads,
    /// Leads of many workspaces at once.
    Workspaces,
    /// The first and the daily full feed.
    Feed,
    /// One workspace beside another that receives a full feed.
    Neighbours,
    /// The start against an existing database.
    Start,
    /// Leads on small and on large tables.
    Growth,
    /// Leads with and without the indexes that are there for questions.
    Indexes,
}

impl Part {
    const ALL: [Self; 7] =
        [Self::Leads, Self::Workspaces, Self::Feed, Self::Neighbours, Self::Start, Self::Growth, Self::Indexes];

    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Leads => "leads",
            Self::Workspaces => "workspaces",
            Self::Feed => "feed",
            Self::Neighbours => "neighbours",
            Self::Start => "start",
            Self::Growth => "growth",
            Self::Indexes => "indexes",
        }
    }

    fn named(name: &str) -> Fallible<Self> {
        let found = Self::ALL.into_iter().find(|part| part.name() == name);
        let names: Vec<&str> = Self::ALL.iter().map(|part| part.name()).collect();
        Ok(found.ok_or_else(|| format!("there is no part `{name}`; the parts are {}", names.join(", ")))?)
    }
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
    /// How many leads the large tables have, from few to many.
    pub(crate) sizes: Vec<u64>,
    /// The folder of the database; it is deleted at the end.
    pub(crate) dir: PathBuf,
    /// The folder of the documents, where the figures are to be kept.
    pub(crate) docs: Option<PathBuf>,
    /// The binary of an older version to measure the first full feed of, too.
    pub(crate) before: Option<PathBuf>,
}

/// The words that there are, for whoever uses another.
const KNOWN: &str = "--quick, --growth, --growth=LEADS, --only=PARTS, --rounds=N, --seconds=N, --dir=FOLDER, --docs, \
     --docs=FOLDER, --before=BINARY";

impl Options {
    /// Reads the words after `cargo bench --bench ingest --`.
    pub(crate) fn parse(words: &[&str]) -> Fallible<Self> {
        let mut options = Self {
            parts: vec![Part::Leads, Part::Workspaces, Part::Feed, Part::Neighbours, Part::Start],
            rounds: 3,
            seconds: 10,
            feed: 50_000,
            sizes: vec![10_000, 1_000_000, 10_000_000],
            dir: own_folder(Path::new(env!("CARGO_TARGET_TMPDIR"))),
            docs: None,
            before: None,
        };
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("--bench", _) => {}
                ("--quick", _) => (options.rounds, options.seconds, options.feed) = (1, 4, 10_000),
                ("--growth", "") => options.parts.push(Part::Growth),
                ("--growth", leads) => {
                    let most = leads.parse()?;
                    options.parts.push(Part::Growth);
                    options.sizes.retain(|size| *size < most);
                    options.sizes.push(most);
                }
                ("--only", names) => options.parts = names.split(',').map(Part::named).collect::<Fallible<_>>()?,
                ("--rounds", rounds) => options.rounds = rounds.parse::<usize>()?.max(1),
                ("--seconds", seconds) => options.seconds = seconds.parse::<u64>()?.max(2),
                ("--dir", dir) => options.dir = own_folder(Path::new(dir)),
                ("--docs", "") => options.docs = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")),
                ("--docs", docs) => options.docs = Some(PathBuf::from(docs)),
                ("--before", binary) => options.before = Some(PathBuf::from(binary)),
                _ => return Err(format!("`{word}` is not known; there are {KNOWN}").into()),
            }
        }
        options.parts.sort_unstable();
        options.parts.dedup();
        Ok(options)
    }
}

/// A folder of this process's own.
fn own_folder(parent: &Path) -> PathBuf {
    parent.join(format!("bench-{}", std::process::id()))
}
