//! How a call ended, in the operator's terms.

use super::Code;

/// How a call ended: who has to do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Ok,
    /// There was no room for it: come again later.
    Refused,
    /// The request is wrong: the caller's to mend.
    Invalid,
    /// It could not be answered by its deadline.
    Deadline,
    /// The caller left before there was an answer.
    Cancelled,
    /// The models are not there: loading, broken or stopping.
    Unavailable,
    /// All else: an error of this server, most likely.
    Failed,
}

impl Outcome {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Refused,
        Self::Invalid,
        Self::Deadline,
        Self::Cancelled,
        Self::Unavailable,
        Self::Failed,
    ];

    /// What a code means here.
    #[must_use]
    pub fn of(code: Code) -> Self {
        match code.name() {
            "OK" => Self::Ok,
            "RESOURCE_EXHAUSTED" => Self::Refused,
            // Whoever shows no token that is known must not look like a server that fails, nor fill the log with errors.
            "INVALID_ARGUMENT" | "NOT_FOUND" | "UNIMPLEMENTED" | "UNAUTHENTICATED" => Self::Invalid,
            "DEADLINE_EXCEEDED" => Self::Deadline,
            "CANCELLED" => Self::Cancelled,
            "UNAVAILABLE" => Self::Unavailable,
            _ => Self::Failed,
        }
    }

    /// As labels and logs call it.
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

/// Why a request was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// The rows admitted reach the capacity.
    QueueFull,
    /// The rows ahead take longer than there is time.
    TooLate,
    /// It could not be answered in time on an idle machine either; the caller sees DEADLINE_EXCEEDED.
    TooShort,
    /// It would have made another late that was let in before.
    Crowded,
}

impl RefusalReason {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::QueueFull, Self::TooLate, Self::TooShort, Self::Crowded];

    /// As labels and logs call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
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
