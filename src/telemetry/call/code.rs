//! The codes that a call can end with.

/// A gRPC code, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(usize);

/// As the protocol names them, by their numbers.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl Code {
    /// How many there are.
    pub const COUNT: usize = NAMES.len();
    /// The caller has its answer.
    pub const OK: Self = Self(0);
    /// The caller left.
    pub const CANCELLED: Self = Self(1);
    /// What is no code of the protocol.
    pub const UNKNOWN: Self = Self(2);
    /// An error of ours.
    pub const INTERNAL: Self = Self(13);

    /// The code of that number; [`Code::UNKNOWN`] if there is none.
    #[must_use]
    pub fn from_number(number: i32) -> Self {
        usize::try_from(number).map_or(Self::UNKNOWN, |number| {
            if number < Self::COUNT {
                Self(number)
            } else {
                Self::UNKNOWN
            }
        })
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> usize {
        self.0
    }

    /// As the protocol names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.get(self.0).copied().unwrap_or("UNKNOWN")
    }
}
