//! What is about a person in one workspace: rows, found by what names them, and deliveries, found by what stands in their
//! bodies and then read. Each may bring more: a lead that once had the address, a cluster that a lead was in.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::erasure::{self, Subject, Subjects};
use crate::domain::facts::Facts;
use crate::domain::ids::WorkspaceId;
use crate::intake::named;
use crate::store::erased_bodies::{self, Candidate, Range};
use crate::store::erased_rows::{self, KnownRows};
use crate::store::erasures::Fingerprint;
use crate::store::replay_filter::{Cursor, START};
use crate::store::{self, Connection, ErasureKey};

/// Whom is looked for, where.
pub(super) struct Wanted<'a> {
    /// The number of the workspace; 0 for none.
    pub(super) workspace: i64,
    pub(super) key: &'a ErasureKey,
    /// What is known by its fingerprint alone.
    pub(super) fingerprints: Option<&'a BTreeSet<String>>,
}

impl Wanted<'_> {
    /// Those of some subjects that are looked for.
    pub(super) fn among(&self, named: Subjects, known: &Subjects) -> Subjects {
        let is_wanted = |subject: &Subject| {
            known.contains(subject)
                || self.fingerprints.is_some_and(|all| all.contains(&self.key.fingerprint(self.workspace, subject)))
        };
        named.into_iter().filter(is_wanted).collect()
    }

    /// The rows that say what was erased.
    pub(super) fn rows(&self, subjects: &Subjects) -> Vec<Fingerprint> {
        let mut rows: BTreeSet<Fingerprint> = subjects
            .iter()
            .map(|subject| Fingerprint {
                workspace: self.workspace,
                kind: subject.kind().to_owned(),
                fingerprint: self.key.fingerprint(self.workspace, subject),
            })
            .collect();
        let known: BTreeSet<String> = rows.iter().map(|row| row.fingerprint.clone()).collect();
        let alone = self.fingerprints.into_iter().flatten().filter(|fingerprint| !known.contains(*fingerprint));
        // Of what kind it was makes no difference.
        rows.extend(alone.map(|fingerprint| Fingerprint {
            workspace: self.workspace,
            kind: "address".to_owned(),
            fingerprint: fingerprint.clone(),
        }));
        rows.into_iter().collect()
    }
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    pub(super) known: KnownRows,
    /// Deliveries about the person that have a body.
    pub(super) deliveries: BTreeSet<Cursor>,
    /// Clusters that these name, by the sender's id.
    clusters: BTreeSet<String>,
    /// The texts that bodies were searched for.
    searched: BTreeSet<String>,
    /// How many bodies were read.
    pub(super) bodies_read: u64,
}

impl Gathered {
    pub(super) fn of(subjects: Subjects) -> Self {
        Self { known: KnownRows { subjects, ..KnownRows::default() }, ..Self::default() }
    }

    /// Gathers until nothing new comes of it.
    pub(super) async fn complete(
        &mut self,
        tx: &mut Connection,
        wanted: &Wanted<'_>,
        erased_at: DateTime<Utc>,
    ) -> Result<(), store::Error> {
        loop {
            self.find_rows(tx, wanted).await?;
            let new: Vec<String> = self.texts().difference(&self.searched).cloned().collect();
            if new.is_empty() {
                return Ok(());
            }
            self.searched.extend(new.iter().cloned());
            let range = Range {
                workspace: wanted.workspace,
                from: DateTime::UNIX_EPOCH,
                until: erased_at,
                settled_since: DateTime::UNIX_EPOCH,
            };
            self.search(tx, wanted, range, &new).await?;
        }
    }

    /// Gathers what got its outcome since a moment.
    pub(super) async fn catch_up(
        &mut self,
        tx: &mut Connection,
        wanted: &Wanted<'_>,
        erased_at: DateTime<Utc>,
        settled_since: DateTime<Utc>,
    ) -> Result<(), store::Error> {
        let texts: Vec<String> = self.searched.iter().cloned().collect();
        let range = Range { workspace: wanted.workspace, from: DateTime::UNIX_EPOCH, until: erased_at, settled_since };
        self.search(tx, wanted, range, &texts).await
    }

    /// The deliveries about the person that came after the order was given.
    pub(super) async fn received_since(
        &self,
        tx: &mut Connection,
        wanted: &Wanted<'_>,
        erased_at: DateTime<Utc>,
    ) -> Result<Vec<Cursor>, store::Error> {
        let texts: Vec<String> = self.searched.iter().cloned().collect();
        let range = Range {
            workspace: wanted.workspace,
            from: erased_at,
            until: erased_at + TimeDelta::days(36_500),
            settled_since: DateTime::UNIX_EPOCH,
        };
        let mut since = Self { known: self.known.clone(), clusters: self.clusters.clone(), ..Self::default() };
        since.search(tx, wanted, range, &texts).await?;
        Ok(since.deliveries.into_iter().collect())
    }

    async fn find_rows(&mut self, tx: &mut Connection, wanted: &Wanted<'_>) -> Result<(), store::Error> {
        let workspace = WorkspaceId::from(wanted.workspace);
        let mut found = erased_rows::find(tx, workspace, &self.known.subjects, &self.clusters).await?;
        found.add(&self.known);
        self.known = found;
        Ok(())
    }

    /// The texts of which one stands in a body about the person: the address, however a sender wrote it, or the id of a lead
    /// or of a cluster that one was ever in.
    fn texts(&self) -> BTreeSet<String> {
        let named = self.known.subjects.iter().map(|subject| match subject {
            Subject::Address(email) => email.as_str().to_owned(),
            Subject::Lead(lead) => lead.external_id.clone(),
        });
        let clusters = self.known.cluster_ids.iter().chain(&self.clusters);
        let others = self.known.spellings.iter().chain(clusters);
        let texts: BTreeSet<String> = named.chain(others.cloned()).collect();
        let escaped = texts.iter().filter(|text| !text.is_ascii()).map(|text| escaped(text));
        texts.iter().cloned().chain(escaped.collect::<Vec<_>>()).collect()
    }

    /// Reads the bodies that hold one of these texts, and all of deliveries that were not applied.
    async fn search(
        &mut self,
        tx: &mut Connection,
        wanted: &Wanted<'_>,
        range: Range,
        texts: &[String],
    ) -> Result<(), store::Error> {
        let mut after = START;
        loop {
            let candidates = erased_bodies::candidates(tx, range, texts, after).await?;
            let Some(last) = candidates.last() else { return Ok(()) };
            after = last.cursor;
            for candidate in candidates {
                if self.deliveries.contains(&candidate.cursor) {
                    continue;
                }
                let read = erased_bodies::body(tx, wanted.workspace, candidate.cursor).await?;
                if let Some((body, posted)) = read {
                    self.read(wanted, &candidate, &body, posted.as_deref());
                }
            }
        }
    }

    /// Keeps a delivery that is about the person, with the leads and clusters that it names.
    fn read(&mut self, wanted: &Wanted<'_>, candidate: &Candidate, body: &[u8], posted: Option<&[u8]>) {
        self.bodies_read += 1;
        let received_at = candidate.cursor.0;
        let facts = candidate.feed.and_then(|feed| named::facts(feed, body, received_at));
        if candidate.was_applied {
            let Some(facts) = facts else { return };
            let names_them = !wanted.among(erasure::named(&facts), &self.known.subjects).is_empty();
            if names_them || self.is_of_cluster(&facts) {
                self.keep(wanted, candidate.cursor, &facts);
            }
            return;
        }
        let mut named = named::by_parsing(candidate.feed, body, received_at);
        if named.is_empty() {
            let texts = [Some(body), posted];
            let texts = texts.into_iter().flatten();
            if texts.clone().any(|text| self.known.phones.iter().any(|phone| erasure::has_phone(text, phone))) {
                self.deliveries.insert(candidate.cursor);
            }
            named = texts.flat_map(named::addresses).collect();
        }
        if wanted.among(named, &self.known.subjects).is_empty() {
            return;
        }
        match facts {
            Some(facts) => self.keep(wanted, candidate.cursor, &facts),
            None => _ = self.deliveries.insert(candidate.cursor),
        }
    }

    /// Whether it tells of a cluster that one of the leads was ever in, whoever else is in it.
    fn is_of_cluster(&self, facts: &Facts) -> bool {
        let Facts::Cluster(cluster) = facts else { return false };
        let known = |id: &String| self.known.cluster_ids.contains(id) || self.clusters.contains(id);
        cluster.external_id.as_ref().is_some_and(known)
    }

    fn keep(&mut self, wanted: &Wanted<'_>, delivery: Cursor, facts: &Facts) {
        self.deliveries.insert(delivery);
        let about = wanted.among(erasure::named(facts), &self.known.subjects);
        let leads = erasure::leads_of(facts, &about);
        self.known.subjects.extend(leads.into_iter().map(Subject::Lead));
        self.clusters.extend(erasure::clusters_of(facts));
    }
}

/// A text as senders escape it in JSON that is to be ASCII.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => escaped.push(char::from(byte)),
            Ok(_) | Err(_) => {
                // Writing to a text cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ascii_is_searched_for_as_it_is_escaped() {
        assert_eq!(escaped("josé@example.com"), "jos\\u00e9@example.com");
        assert_eq!(escaped("𝒜"), "\\ud835\\udc9c");
    }
}
