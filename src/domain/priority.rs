//! The priority of a request.

/// How urgent a request is, before its deadline counts. The more urgent priority orders first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A caller waits in a loop. This is the default of a prediction.
    Interactive,
    /// Many rows that use the capacity which interactive rows leave. This is the default of a certification.
    Bulk,
}

impl Priority {
    /// The position among the priorities, most urgent first: 0 or 1.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Interactive => 0,
            Self::Bulk => 1,
        }
    }
}
