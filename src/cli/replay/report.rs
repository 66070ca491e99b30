//! What `forecourt replay` prints: a line for each delivery and a summary. Never personal data.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde_json::json;
use uuid::Uuid;

use crate::cli::progress::Progress;
use crate::domain::{EffectSummary, Outcome};
use crate::intake::replay::ReplayResult;
use crate::store::actions::Counts;

/// A delivery before its replay.
pub(super) struct Before {
    /// Its id.
    pub(super) id: Uuid,
    /// Its feed's name.
    pub(super) feed: String,
    /// Its outcome; none of a refused request that is no delivery yet.
    pub(super) outcome: Option<String>,
    /// The codes of its findings.
    pub(super) codes: BTreeSet<String>,
}

/// Prints lines, and counts what they tell.
pub(super) struct Report<'o> {
    out: &'o mut dyn Write,
    progress: Progress,
    dry_run: bool,
    by_outcome: BTreeMap<&'static str, usize>,
    not_replayed: usize,
    failed: usize,
}

impl<'o> Report<'o> {
    /// A report that has told nothing yet.
    pub(super) fn new(out: &'o mut dyn Write, dry_run: bool, progress: Progress) -> Self {
        Self { out, progress, dry_run, by_outcome: BTreeMap::new(), not_replayed: 0, failed: 0 }
    }

    /// Tells what a replay made of a delivery.
    pub(super) fn made(&mut self, before: &Before, made: &ReplayResult) -> io::Result<()> {
        let applied = Outcome::Applied.name();
        let was = before.outcome.as_deref().unwrap_or("refused");
        // What was applied stays applied, also where the replay comes to something else.
        let stays = was == applied && made.outcome != Outcome::Applied;
        let now = if stays { applied } else { made.outcome.name() };
        let mut line = format!("{} {} {was} -> {now}", before.id, before.feed);
        for (kind, summary) in &made.effects {
            line = format!("{line} {kind}={}", effect(summary));
        }
        let new = made.codes.iter().map(|code| code.name()).filter(|code| !before.codes.contains(*code));
        let new: Vec<&str> = new.collect();
        if !new.is_empty() {
            line = format!("{line} new findings: {}", new.join(", "));
        }
        if stays && made.outcome != Outcome::Unchanged {
            line = format!("{line} (this replay: {})", made.outcome.name());
        }
        *self.by_outcome.entry(now).or_default() += 1;
        self.failed += usize::from(made.outcome == Outcome::Failed);
        self.print(&line)
    }

    /// Tells that a delivery was left as it was, and why.
    pub(super) fn left(&mut self, before: &Before, why: &str) -> io::Result<()> {
        self.not_replayed += 1;
        self.print(&format!("{} {} not replayed: {why}", before.id, before.feed))
    }

    /// How many deliveries were replayed, and to which outcomes; none where nothing was written.
    pub(super) fn counts(&self) -> Option<Counts> {
        let count: usize = self.by_outcome.values().sum();
        (count > 0 && !self.dry_run).then(|| {
            let outcomes: Counts =
                self.by_outcome.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
            Counts::from_iter([
                ("deliveries".to_owned(), json!(count)),
                ("outcomes".to_owned(), json!(outcomes)),
                ("not_replayed".to_owned(), json!(self.not_replayed)),
            ])
        })
    }

    fn print(&mut self, line: &str) -> io::Result<()> {
        self.progress.add(1);
        self.progress.print(self.out, line)
    }

    /// The summary. Gives what went wrong, if something did.
    pub(super) fn end(self) -> io::Result<Option<String>> {
        drop(self.progress);
        let count: usize = self.by_outcome.values().sum();
        let noun = if count == 1 { "delivery" } else { "deliveries" };
        let (verb, end) = if self.dry_run { ("would be replayed", "; nothing was written") } else { ("replayed", "") };
        let outcomes: Vec<String> = self.by_outcome.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let outcomes = if outcomes.is_empty() { String::new() } else { format!(": {}", outcomes.join(", ")) };
        writeln!(self.out, "{count} {noun} {verb}{outcomes}{end}")?;
        self.out.flush()?;
        let wrong = self.failed + self.not_replayed;
        let total = count + self.not_replayed;
        Ok((wrong > 0).then(|| match (self.not_replayed, self.failed) {
            (left, 0) => format!("{left} of {total} could not be replayed: their lines say why"),
            (0, failed) => format!("{failed} of {total} failed: the log says why"),
            (left, failed) => {
                format!("{left} of {total} could not be replayed and {failed} failed: their lines and the log say why")
            }
        }))
    }
}

fn effect(summary: &EffectSummary) -> String {
    match summary {
        EffectSummary::One(effect) => effect.name().to_owned(),
        EffectSummary::Many(tally) => {
            let parts = tally.parts().into_iter().filter(|(_, count)| *count > 0);
            parts.map(|(name, count)| format!("{count}-{name}")).collect::<Vec<_>>().join(",")
        }
    }
}
