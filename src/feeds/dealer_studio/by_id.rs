//! What the sender knows by an id, alone and in lists.

use std::collections::BTreeMap;

use crate::domain::finding::Code;
use crate::feeds::lenient::{Id, Position, either};

/// The own id of an object, as `id` or `Id`; without a usable one the `noun` cannot be stored, and that is noted.
pub(super) fn own_id(id: Id<'_>, capital_id: Id<'_>, at: &Position<'_>, noun: &str) -> Option<String> {
    let (name, id) = either(("id", id), ("Id", capital_id));
    let id = id.read(at, name);
    if id.is_none() {
        at.note(Code::IdMissing, name, &format!("the {noun} has no usable id and is not stored"));
    }
    id
}

/// The entries of a list that have an id, in order; of one that is listed twice the last counts.
pub(super) fn last_of_each<T>(entries: impl Iterator<Item = Option<(String, T)>>) -> Vec<(String, T)> {
    let mut by_id = BTreeMap::new();
    for (position, entry) in entries.enumerate() {
        if let Some((id, value)) = entry {
            by_id.insert(id, (position, value));
        }
    }
    let mut in_order: Vec<_> = by_id.into_iter().map(|(id, (position, value))| (position, id, value)).collect();
    in_order.sort_unstable_by_key(|(position, ..)| *position);
    in_order.into_iter().map(|(_, id, value)| (id, value)).collect()
}
