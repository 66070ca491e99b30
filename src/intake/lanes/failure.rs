//! Why a batch was not written, and so what is done with it next.

use crate::store;

/// Why a batch was not written.
pub(super) enum Failure {
    /// Postgres is away or busy: the same batch may succeed.
    Transient(store::Error),
    /// Another try settled one of its deliveries at the same moment, in another lane or process.
    Overtaken,
    /// Postgres did not answer for so long that it is not waited for any more.
    Silent,
    /// Something is wrong with a delivery, or with us.
    Poison(String),
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        if error.is_transient() { Self::Transient(error) } else { Self::Poison(error.without_values()) }
    }
}
