//! What the sender knows by an id, alone and in lists.

use std::collections::BTreeMap;

use crate::domain::finding::Code;
use crate::feeds::wire::Object;

/// The object's own id, as `id` or `Id`; without a usable one the `noun` cannot be stored, and that is noted.
pub(super) fn own_id(object: &Object<'_>, noun: &str) -> Option<String> {
    let name = object.either("id", "Id");
    let id = object.identifier(name);
    if id.is_none() {
        object.note(Code::IdMissing, name, &format!("the {noun} has no usable id and is not stored"));
    }
    id
}

/// Reads the entries of a list and keeps those with an id, in order; of one that is listed twice the last counts.
pub(super) fn entries<'a, T>(
    list: impl Iterator<Item = Object<'a>>,
    noun: &str,
    read: impl Fn(&Object<'a>) -> T,
) -> impl Iterator<Item = (String, T)> {
    let mut by_id = BTreeMap::new();
    for (position, entry) in list.enumerate() {
        let value = read(&entry);
        if let Some(id) = own_id(&entry, noun) {
            by_id.insert(id, (position, value));
        }
    }
    let mut in_order: Vec<_> = by_id.into_iter().map(|(id, (position, value))| (position, id, value)).collect();
    in_order.sort_unstable_by_key(|(position, ..)| *position);
    in_order.into_iter().map(|(_, id, value)| (id, value))
}
