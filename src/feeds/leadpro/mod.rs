//! The LeadPro webhook: enquiries about properties, sent event by event (LeadPro's page, "Using Webhooks").
//!
//! The document is `{"event": ..., "data": {...}}`, as posted or as the claims of the token that came with it; a token's
//! registered claims (RFC 7519 §4.1) may stand beside the two.

pub mod entries;
pub mod lead;
pub mod limits;

mod customer;
mod enquiry;
mod property;

pub(in crate::feeds) use enquiry::facts;
