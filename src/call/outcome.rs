//! The outcome of a call, by the party that has to act.

use super::Code;

/// The outcome of a call. It groups the gRPC codes by the party that has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The call was answered.
    Ok,
    /// Admission refused the call; the caller may retry later.
    Refused,
    /// The request is invalid; the caller has to change it.
    Invalid,
    /// The call was not answered by its deadline.
    Deadline,
    /// The caller cancelled the call before its response was ready.
    Cancelled,
    /// The models are loading or broken, or the server is stopping.
    Unavailable,
    /// Everything else, most likely an error of the server.
    Failed,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Refused,
        Self::Invalid,
        Self::Deadline,
        Self::Cancelled,
        Self::Unavailable,
        Self::Failed,
    ];

    /// The outcome of a code.
    #[must_use]
    pub fn of(code: Code) -> Self {
        match code.name() {
            "OK" => Self::Ok,
            "RESOURCE_EXHAUSTED" => Self::Refused,
            // A caller without a known token must not look like a server failure or fill the log with
            // errors.
            "INVALID_ARGUMENT" | "NOT_FOUND" | "UNIMPLEMENTED" | "UNAUTHENTICATED" => Self::Invalid,
            "DEADLINE_EXCEEDED" => Self::Deadline,
            "CANCELLED" => Self::Cancelled,
            "UNAVAILABLE" => Self::Unavailable,
            _ => Self::Failed,
        }
    }

    /// The name in metric labels and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::Deadline => "deadline",
            Self::Cancelled => "cancelled",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
        }
    }
}

/// Why admission refused a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// The admitted rows have reached the capacity.
    QueueFull,
    /// The caller holds its share of the capacity, and the rest is kept for other callers.
    ShareExhausted,
    /// The rows ahead take longer than the deadline allows.
    TooLate,
    /// The deadline is too short even on an idle machine. The caller receives DEADLINE_EXCEEDED.
    TooShort,
    /// The request would have made an admitted request miss its deadline.
    Crowded,
}

impl RefusalReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::QueueFull,
        Self::ShareExhausted,
        Self::TooLate,
        Self::TooShort,
        Self::Crowded,
    ];

    /// The name in metric labels and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::ShareExhausted => "share_exhausted",
            Self::TooLate => "too_late",
            Self::TooShort => "too_short",
            Self::Crowded => "crowded",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_an_outcome() {
        let of = |number| Outcome::of(Code::from_number(number));
        assert_eq!(
            [of(0), of(1), of(3), of(4)],
            [Outcome::Ok, Outcome::Cancelled, Outcome::Invalid, Outcome::Deadline]
        );
        assert_eq!(
            [of(8), of(13), of(14)],
            [Outcome::Refused, Outcome::Failed, Outcome::Unavailable]
        );
        assert_eq!([of(5), of(12), of(16)], [Outcome::Invalid; 3]);
        for strange in [-1, 17, i32::MAX] {
            assert_eq!(Code::from_number(strange), Code::UNKNOWN);
        }
        assert_eq!(of(2), Outcome::Failed);
    }
}
