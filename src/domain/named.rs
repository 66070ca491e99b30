//! Rows that are looked up by name: those of the names that were asked for, whether they are there or not.
//!
//! A workspace may have any number of locations and packages, so a batch loads only those that it can name. A rule that
//! looks for a name that nobody asked for would take a row for missing that is there. Such a look-up is remembered, and
//! nothing of its batch is saved.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Rows by name, as far as names were asked for.
#[derive(Clone, Debug)]
pub struct Named<R> {
    /// What was asked for; `None` where there is no such row.
    rows: BTreeMap<String, Option<R>>,
    /// Set once a name was looked up that was not asked for. Look-ups borrow the rows only.
    missed: OnceLock<()>,
}

impl<R> Default for Named<R> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), missed: OnceLock::new() }
    }
}

impl<R> Named<R> {
    /// Notes that a name is asked for; until a row is found there is none.
    pub fn ask(&mut self, name: String) {
        self.rows.entry(name).or_insert(None);
    }

    /// Whether a name was asked for.
    #[must_use]
    pub fn is_asked(&self, name: &str) -> bool {
        self.rows.contains_key(name)
    }

    /// Adds a row that was found; one that is there already stays.
    pub fn found(&mut self, name: String, row: R) {
        self.rows.entry(name).or_insert(None).get_or_insert(row);
    }

    /// The row of a name, where there is one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&R> {
        let known = self.rows.get(name);
        if known.is_none() {
            self.miss();
        }
        known.and_then(Option::as_ref)
    }

    /// The row of a name, made where there is none.
    pub fn get_or_make(&mut self, name: &str, make: impl FnOnce() -> R) -> &mut R {
        if !self.is_asked(name) {
            self.miss();
        }
        self.rows.entry(name.to_owned()).or_insert(None).get_or_insert_with(make)
    }

    /// The rows that are there, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &R)> {
        self.rows.iter().filter_map(|(name, row)| Some((name, row.as_ref()?)))
    }

    /// The same, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut R)> {
        self.rows.iter_mut().filter_map(|(name, row)| Some((name, row.as_mut()?)))
    }

    /// Adds what another load asked for and found; what is known here already stays as it is.
    pub fn extend(&mut self, other: Self) {
        for (name, row) in other.rows {
            self.rows.entry(name).or_insert(row);
        }
    }

    /// Remembers that something was looked for that was not loaded.
    pub fn miss(&self) {
        // Once is enough.
        let _ = self.missed.set(());
    }

    /// Whether something was looked for that was not loaded.
    #[must_use]
    pub fn was_missed(&self) -> bool {
        self.missed.get().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_asked_for_may_be_missing_and_one_that_was_not_is_remembered() {
        let mut rows: Named<i64> = Named::default();
        rows.ask("Gold".to_owned());
        rows.found("Silver".to_owned(), 2);
        assert_eq!((rows.get("Gold"), rows.get("Silver")), (None, Some(&2)));
        assert!(!rows.was_missed());
        *rows.get_or_make("Gold", || 1) += 10;
        assert!(!rows.was_missed());
        assert_eq!(
            rows.iter().map(|(name, row)| (name.as_str(), *row)).collect::<Vec<_>>(),
            [("Gold", 11), ("Silver", 2)]
        );
        let (mut read, mut written) = (rows.clone(), rows);
        assert_eq!(read.get("Bronze"), None);
        assert!(read.was_missed());
        written.get_or_make("Bronze", || 3);
        assert!(written.was_missed());
        read.extend(written);
        assert_eq!(read.get("Bronze"), Some(&3));
    }
}
