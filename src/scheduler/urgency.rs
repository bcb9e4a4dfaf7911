//! The order in which the requests of one caller are served, and the identity of a request.

use std::time::Instant;

use crate::call::Caller;
use crate::domain::Priority;

/// The urgency of a request: its priority, then its deadline, then its arrival. It also identifies
/// the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Urgency {
    pub(super) priority: Priority,
    pub(super) deadline: Instant,
    pub(super) arrival: u64,
}

/// An admitted request: its urgency among the requests of its caller, and the share of its caller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct AdmittedRequest {
    pub(super) urgency: Urgency,
    pub(super) caller: Caller,
    /// The weight of the caller's principal; positive.
    pub(super) weight: f64,
}
