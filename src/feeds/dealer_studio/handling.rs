//! People and things of the dealership that both pages name by id and name.

use crate::feeds::lenient::{Id, Position, Text, payload};

payload! {
    /// `pipeline`, or the `approver` or `assigned_salesperson` of a cluster.
    pub struct NamedPayload<'a> {
        /// Id at the sender.
        "id" => id: Id<'a>,
        /// Name.
        "name" => name: Text<'a>,
    }
}

/// The id and the name.
pub(super) fn id_and_name(payload: NamedPayload<'_>, at: &Position<'_>) -> (Option<String>, Option<String>) {
    let NamedPayload { id, name, unknown } = payload;
    at.note_unknown(&unknown);
    (id.read(at, "id"), name.read(at, "name"))
}
