//! In which order requests are served.

use std::time::Instant;

use crate::domain::Priority;

/// The order in which requests run: priority, then deadline, then arrival. It names a request, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Urgency {
    pub(super) priority: Priority,
    pub(super) deadline: Instant,
    pub(super) arrival: u64,
}
