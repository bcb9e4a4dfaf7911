//! In which order requests are served.

use std::time::Instant;

/// How urgent a request is, before its deadline is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Somebody waits in a loop: Predict.
    Interactive,
    /// Many rows that fill the slots left over: Certify.
    Bulk,
}

impl Class {
    /// Its place among the two, most urgent first: 0 or 1.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Interactive => 0,
            Self::Bulk => 1,
        }
    }
}

/// The order in which requests run: class, then deadline, then arrival. It names a request, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Urgency {
    pub(super) class: Class,
    pub(super) deadline: Instant,
    pub(super) arrival: u64,
}
