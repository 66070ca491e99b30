//! The lead cluster webhook: a customer's leads together, with what happened to them (Dealer Studio's cluster page).

use crate::domain::facts::{ClusterColumns, ClusterFacts, ProspectFacts};
use crate::domain::workspace::Locale;
use crate::feeds::wire::Object;

/// Reads a cluster.
pub(in crate::feeds) fn read(root: &Object<'_>, locale: &Locale) -> ClusterFacts {
    ClusterFacts {
        external_id: root.identifier(root.either("id", "Id")),
        modified_at: root.senders_time("modified", locale),
        contact: ProspectFacts::default(),
        columns: ClusterColumns::default(),
        leads: Vec::new(),
        events: Vec::new(),
    }
}
