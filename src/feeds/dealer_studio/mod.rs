//! The feeds of Dealer Studio, one file each.
