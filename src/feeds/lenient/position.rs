//! Where in a payload something stands. A path is written out only for a finding, so that nothing is paid for it where
//! nothing is wrong.

use std::fmt::Write as _;

use crate::domain::finding::{Code, Finding};
use crate::domain::workspace::Locale;

use super::diagnostics::Diagnostics;
use super::payload::Unknown;

/// An object, a list or an entry of one, with all that surrounds it.
#[derive(Clone, Copy, Debug)]
pub struct Position<'p> {
    diagnostics: &'p Diagnostics,
    locale: &'p Locale,
    parent: Option<&'p Position<'p>>,
    step: Step,
    contents: Contents,
}

/// The step from what surrounds it.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// None: it is the whole payload.
    Root,
    Field(&'static str),
    Entry(usize),
}

/// What is noted about the contents of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contents {
    /// Every field is documented, so unknown names and removed characters are noted.
    Documented,
    /// U+0000 was noted already, for the whole that this is part of.
    Kept,
    /// As [`Contents::Kept`], and any field may be there.
    FreeForm,
}

/// The message of the finding where the character was removed.
const NUL_REMOVED: &str = "the character U+0000 was removed";

impl<'p> Position<'p> {
    /// The whole payload, read for the place and time it came to.
    #[must_use]
    pub fn root(diagnostics: &'p Diagnostics, locale: &'p Locale) -> Self {
        Self { diagnostics, locale, parent: None, step: Step::Root, contents: Contents::Documented }
    }

    /// The object or list in a field of this object.
    #[must_use]
    pub fn field(&'p self, name: &'static str) -> Self {
        Self { parent: Some(self), step: Step::Field(name), ..*self }
    }

    /// The same, of an object or list that is kept whole: U+0000 was noted for the whole.
    #[must_use]
    pub fn kept(&'p self, name: &'static str) -> Self {
        let contents = match self.contents {
            Contents::Documented | Contents::Kept => Contents::Kept,
            Contents::FreeForm => Contents::FreeForm,
        };
        Self { contents, ..self.field(name) }
    }

    /// The same, of an object that may hold any field.
    #[must_use]
    pub fn free_form(&'p self, name: &'static str) -> Self {
        Self { contents: Contents::FreeForm, ..self.field(name) }
    }

    /// The entry of this list at a position, counted from nought.
    #[must_use]
    pub fn entry(&'p self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Entry(index), ..*self }
    }

    /// What the payload's values depend on beside themselves.
    #[must_use]
    pub fn locale(&self) -> &'p Locale {
        self.locale
    }

    /// Where it stands, as `leads[3].item`; empty for the root.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = String::new();
        self.write_path(&mut path, true);
        path
    }

    /// Where a field of this object stands.
    #[must_use]
    pub fn path_of(&self, name: &str) -> String {
        let mut path = self.prefix();
        path.push_str(name);
        path
    }

    /// Where this object stands, as the beginning of its fields' paths: empty for the root, else with its dot.
    #[must_use]
    pub fn prefix(&self) -> String {
        let mut path = self.path();
        if !path.is_empty() {
            path.push('.');
        }
        path
    }

    fn write_path(&self, path: &mut String, with_positions: bool) {
        if let Some(parent) = self.parent {
            parent.write_path(path, with_positions);
        }
        match self.step {
            Step::Root => {}
            Step::Field(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Step::Entry(index) if with_positions => {
                // Writing to a text cannot fail.
                let _ = write!(path, "[{index}]");
            }
            Step::Entry(_) => path.push_str("[]"),
        }
    }

    /// Notes a finding about a field of this object.
    pub fn note(&self, code: Code, name: &str, message: &str) {
        self.diagnostics.add(|| Finding::at(code, self.path_of(name), message));
    }

    /// Notes a finding about what stands here.
    pub fn note_here(&self, code: Code, message: &str) {
        self.diagnostics.add(|| match self.step {
            Step::Root => Finding::whole(code, message),
            Step::Field(_) | Step::Entry(_) => Finding::at(code, self.path(), message),
        });
    }

    /// Notes that a field of this object holds something else than its type allows.
    pub fn note_type(&self, name: &str, expected: &str) {
        self.diagnostics
            .add(|| Finding::at(Code::FieldType, self.path_of(name), format!("expected {expected}; read as absent")));
    }

    /// Notes that something else than its type allows stands here.
    pub(super) fn note_type_here(&self, expected: &str) {
        self.diagnostics
            .add(|| Finding::at(Code::FieldType, self.path(), format!("expected {expected}; read as absent")));
    }

    /// Notes that U+0000 was removed from a field of this object, unless that was noted for the whole.
    pub(super) fn note_nul(&self, name: &str) {
        if self.contents == Contents::Documented {
            self.note(Code::NulRemoved, name, NUL_REMOVED);
        }
    }

    /// Notes that U+0000 was removed from what is kept here, unless that was noted for the whole around it.
    pub(super) fn note_nul_here(&self) {
        if self.parent.is_none_or(|parent| parent.contents == Contents::Documented) {
            self.note_here(Code::NulRemoved, NUL_REMOVED);
        }
    }

    /// Notes the fields of this object that no page lists.
    pub fn note_unknown(&self, unknown: &Unknown<'_>) {
        let mut names = unknown.names().peekable();
        if names.peek().is_some() && self.contents != Contents::FreeForm {
            let mut path = String::new();
            self.write_path(&mut path, false);
            names.for_each(|name| self.diagnostics.add_unknown(&path, name));
        }
    }
}
