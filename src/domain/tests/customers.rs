//! Customers in any order.
