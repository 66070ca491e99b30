//! What is noted while a payload is read: findings, and fields that no page lists.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use crate::domain::finding::{Code, Finding};

/// The findings and unknown fields of one body, in the order of reading.
#[derive(Debug, Default)]
pub struct Diagnostics {
    findings: RefCell<Vec<Finding>>,
    /// How many there were beyond those that are kept.
    more: Cell<usize>,
    unknown: RefCell<BTreeSet<String>>,
}

/// How many findings of one body are kept. A list of broken entries can have one for every other byte.
const MOST_FINDINGS: usize = 10_000;
/// How many unknown fields of one body are kept.
pub(super) const MOST_UNKNOWN: usize = 1_000;
/// How much of an unknown field's name is kept, in characters.
const LONGEST_NAME: usize = 100;

impl Diagnostics {
    /// Adds a finding; beyond a number of them they are only counted, and not made.
    pub fn add(&self, finding: impl FnOnce() -> Finding) {
        let mut findings = self.findings.borrow_mut();
        if findings.len() < MOST_FINDINGS {
            findings.push(finding());
        } else {
            self.more.set(self.more.get() + 1);
        }
    }

    /// Adds the name of a field that no page lists, with the path of its object, in which lists have no positions.
    pub(super) fn add_unknown(&self, object: &str, name: &str) {
        let mut unknown = self.unknown.borrow_mut();
        if unknown.len() >= MOST_UNKNOWN {
            return;
        }
        let name: String = name.chars().filter(|c| *c != '\0').take(LONGEST_NAME).collect();
        unknown.insert(if object.is_empty() { name } else { format!("{object}.{name}") });
    }

    /// The findings, and the paths of the unknown fields.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Finding>, BTreeSet<String>) {
        let mut findings = self.findings.into_inner();
        let more = self.more.get();
        if more > 0 {
            let all = findings.len() + more;
            let message =
                format!("{all} things are wrong in all; the {MOST_FINDINGS} that were found first are listed");
            findings.push(Finding::whole(Code::FieldType, message));
        }
        (findings, self.unknown.into_inner())
    }
}
