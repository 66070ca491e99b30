//! The feeds of Dealer Studio, one file each, and the parts of a payload that several of them share.

pub mod inventory;
pub mod lead;
pub(in crate::feeds) mod lead_cluster;

mod enquiry;
mod event;
mod item;
mod keyed;
mod prospect;
