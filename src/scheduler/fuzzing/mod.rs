//! The fuzz target of the queue and of admission: an adversary whose steps come from bytes.
//!
//! [`adversary`] holds the steps, and [`expected`] what must hold after each. [`adapter`] alone
//! calls the queue and the admissions.

mod adapter;
mod adversary;
mod expected;

pub(crate) use adversary::scheduler;
