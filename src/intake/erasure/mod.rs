//! Erasing a person, and telling what is known of one: found by an address or a lead, in every workspace that is asked for.
//!
//! Whom it is about is gathered first, beside whoever writes ([`gather`]): rows, and bodies that are read to find out
//! whether they are about the person. Then the workspace is locked, what came meanwhile is gathered too, and all of it is
//! removed together with the fact that it was, in one transaction: from then on nothing brings it back. What has no
//! workspace, and refused requests, come last. An order waits as a file until it is done ([`orders`]), and what was done
//! stands in a file, too, without saying whom it was about ([`journal`]), by which it is done over on a restored database
//! ([`again`]).

pub mod again;
pub mod export;
mod gather;
mod job;
pub mod journal;
mod leftovers;
mod order;
pub mod orders;
mod unassigned;

pub use job::erase;
pub use order::{Erased, ErasureError, Mode, Order, Target};
