//! The order in which requests are served.

use std::time::Instant;

use crate::domain::Priority;

/// The urgency of a request: its priority, then its deadline, then its arrival. It also identifies
/// the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Urgency {
    pub(super) priority: Priority,
    pub(super) deadline: Instant,
    pub(super) arrival: u64,
}
