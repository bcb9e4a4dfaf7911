//! The norm of a radius.

use std::fmt;

use crate::proto;

/// The norm in which a radius measures perturbations of the float input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Norm {
    /// The sum of the absolute differences.
    L1,
    /// The square root of the sum of the squared differences.
    L2,
    /// The largest absolute difference.
    Linf,
}

impl Norm {
    /// The norm of a message; `None` if the message has none, or one that this client does not know.
    pub(crate) fn from_message(norm: proto::Norm) -> Option<Self> {
        match norm {
            proto::Norm::L1 => Some(Self::L1),
            proto::Norm::L2 => Some(Self::L2),
            proto::Norm::Linf => Some(Self::Linf),
            proto::Norm::Unspecified => None,
        }
    }
}

impl fmt::Display for Norm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::Linf => "linf",
        })
    }
}
