//! The gRPC status codes.

/// A gRPC status code, stored as its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(usize);

/// The names of the codes in the gRPC specification, indexed by number.
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
    /// The number of codes.
    pub const COUNT: usize = NAMES.len();
    /// The call succeeded.
    pub const OK: Self = Self(0);
    /// The caller cancelled the call.
    pub const CANCELLED: Self = Self(1);
    /// An unknown error, or a number that is not a gRPC code.
    pub const UNKNOWN: Self = Self(2);
    /// An error of the server.
    pub const INTERNAL: Self = Self(13);
    /// The server loads, stops or has a broken model.
    pub const UNAVAILABLE: Self = Self(14);

    /// The code with this number; [`Code::UNKNOWN`] if there is none.
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

    /// The number of the code.
    #[must_use]
    pub fn number(self) -> usize {
        self.0
    }

    /// The name of the code in the gRPC specification.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.get(self.0).copied().unwrap_or("UNKNOWN")
    }
}
