//! What a caller requires of a certificate, and why an answer does not meet it.

use std::sync::Arc;

use thiserror::Error;

use crate::Norm;
use crate::proto::CertificateStatus;

/// What a certificate must prove before its class may be acted on.
///
/// ```
/// use certimix_client::{Norm, Requirement};
///
/// let requirement = Requirement::beyond(0.1, Norm::L2).require_proven();
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Requirement {
    pub(crate) radius: f64,
    pub(crate) norm: Norm,
    pub(crate) require_proven: bool,
    pub(crate) accept_caveat: bool,
}

impl Requirement {
    /// Every perturbation of norm `radius` or less leaves the class unchanged. `radius` is in the units of the float input,
    /// finite and at least 0: no answer meets another one.
    #[must_use]
    pub const fn beyond(radius: f64, norm: Norm) -> Self {
        Self {
            radius,
            norm,
            require_proven: false,
            accept_caveat: false,
        }
    }

    /// Accepts no certificate on a mere claim of the robust model's manifest.
    #[must_use]
    pub const fn require_proven(mut self) -> Self {
        self.require_proven = true;
        self
    }

    /// Accepts a certificate whose proof assumes what the server's self-test refuted.
    #[must_use]
    pub const fn accept_caveat(mut self) -> Self {
        self.accept_caveat = true;
        self
    }
}

/// Why an answer does not meet a [`Requirement`].
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum NotCertified {
    /// The certificate is not `Certified`.
    #[error("{}: {reason}", status.as_str_name().trim_start_matches("CERTIFICATE_STATUS_"))]
    Status {
        /// The status.
        status: CertificateStatus,
        /// The server's reason.
        reason: String,
    },
    /// The proof assumes what the server's self-test refuted.
    #[error("the certificate has a caveat: {0}")]
    Caveat(String),
    /// The radius is in another norm.
    #[error("the radius is in the norm {found}, not in {expected}")]
    OtherNorm {
        /// The norm of the requirement.
        expected: Norm,
        /// The norm of the certificate.
        found: Norm,
    },
    /// The property of the robust model is not proven.
    #[error("the property of the robust model is claimed by its manifest, not proven")]
    NotProven,
    /// The certified radius is not larger than the required one.
    #[error("the certified radius {found:.6} ({norm}) is not larger than {expected:.6}")]
    RadiusTooSmall {
        /// The radius of the requirement.
        expected: f64,
        /// The radius of the certificate.
        found: f64,
        /// The norm of both.
        norm: Norm,
    },
    /// The requirement itself is wrong, so no answer meets it.
    #[error("radius: expected a finite number of at least 0, found {0}")]
    InvalidRadius(f64),
}

/// A class that is certified beyond a radius. Only a certificate that meets the [`Requirement`] makes one, so a function
/// that takes a `CertifiedClass` cannot be called with an abstention.
///
/// The class may still be wrong: a certificate says that it does not change near the input, not that it is right.
#[derive(Debug, Clone, PartialEq)]
pub struct CertifiedClass {
    pub(crate) index: u32,
    pub(crate) label: Arc<str>,
    pub(crate) requirement: Requirement,
}

impl CertifiedClass {
    /// The index of the class.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The label of the class.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What the certificate was required to prove.
    #[must_use]
    pub fn requirement(&self) -> Requirement {
        self.requirement
    }
}
