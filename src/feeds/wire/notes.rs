//! What is noted while a body is read.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use crate::domain::finding::{Code, Finding};

/// The findings and unknown fields of one body, in the order of reading.
#[derive(Debug, Default)]
pub struct Notes {
    findings: RefCell<Vec<Finding>>,
    /// How many there were beyond those that are kept.
    more: Cell<usize>,
    unknown: RefCell<BTreeSet<String>>,
}

/// How many findings of one body are kept. A list of broken entries can have one for every other byte.
const MOST_FINDINGS: usize = 10_000;
/// How many unknown fields of one body are kept.
const MOST_UNKNOWN: usize = 1_000;
/// How much of an unknown field's name is kept, in characters.
const LONGEST_NAME: usize = 100;

impl Notes {
    /// Notes a finding at a place.
    pub fn add(&self, code: Code, path: String, message: &str) {
        self.push(|| Finding::at(code, path, message));
    }

    /// Notes a finding about the whole.
    pub fn add_whole(&self, code: Code, message: &str) {
        self.push(|| Finding::whole(code, message));
    }

    fn push(&self, finding: impl FnOnce() -> Finding) {
        let mut findings = self.findings.borrow_mut();
        if findings.len() < MOST_FINDINGS {
            findings.push(finding());
        } else {
            self.more.set(self.more.get() + 1);
        }
    }

    /// Notes a field that is not documented, at the place of its object; positions in lists are left out.
    pub(super) fn add_unknown(&self, object: &str, name: &str) {
        let mut unknown = self.unknown.borrow_mut();
        if unknown.len() >= MOST_UNKNOWN {
            return;
        }
        let name: String = name.chars().filter(|c| *c != '\0').take(LONGEST_NAME).collect();
        let object = without_positions(object);
        unknown.insert(if object.is_empty() { name } else { format!("{object}.{name}") });
    }

    /// What was noted: the findings, and the paths of the unknown fields.
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

/// `appointments[3]` as `appointments[]`.
fn without_positions(path: &str) -> String {
    let mut inside = false;
    let outside = |c: &char| {
        let keep = !inside || *c == ']';
        inside = if inside { *c != ']' } else { *c == '[' };
        keep
    };
    path.chars().filter(outside).collect()
}
