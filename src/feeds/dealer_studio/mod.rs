//! The feeds of Dealer Studio, one file each, and the parts of a payload that several of them share.

pub mod documents;
pub mod enquiry;
pub mod event;
pub mod handling;
pub mod inventory;
pub mod item;
pub mod lead;
pub mod lead_cluster;
pub mod prospect;

mod by_id;
pub(in crate::feeds) mod vehicle;
