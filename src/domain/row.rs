//! A row in memory, and how it relates to the row in the database.

/// How a row in memory relates to the row in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    /// As in the database.
    Known,
    /// In the database, with other values.
    Changed,
    /// Not in the database yet.
    New,
}

/// A row with its relation to the database.
#[derive(Clone, Debug)]
pub struct Row<T> {
    /// The row.
    pub value: T,
    /// Whether it must be written.
    pub state: RowState,
}

impl<T> Row<T> {
    /// A row as loaded.
    pub fn known(value: T) -> Self {
        Self { value, state: RowState::Known }
    }

    /// A row that is new.
    pub fn new(value: T) -> Self {
        Self { value, state: RowState::New }
    }

    /// Marks the row as different from the database.
    pub fn mark_dirty(&mut self) {
        if self.state == RowState::Known {
            self.state = RowState::Changed;
        }
    }

    /// Whether it must be written.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.state != RowState::Known
    }
}
