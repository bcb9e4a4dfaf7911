//! What is known to speak against the certificates of an engine: that a model turned out to be no function of its input.

use super::robust_prediction::RobustPrediction;
use crate::classifier::MixedClassifier;
use crate::domain::Status;

/// Why the certificates of this moment do not hold, or hold with a caveat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::classifier) enum CertificateRestriction {
    /// The operator has them served nevertheless, with this caveat.
    Caveat(String),
    /// There are none, for this reason.
    Unavailable(String),
}

/// The caveat of certificates that are served although `what` was found.
pub(in crate::classifier) fn by_leave(what: &str) -> String {
    format!("the runtime is not exact, by the operator's leave: {what}")
}

impl CertificateRestriction {
    /// From the caveat of the self-test (empty: none), what the audit has found since, and whether the operator allows it.
    pub(in crate::classifier) fn of(caveat: &str, audit: Option<&str>, allowed: bool) -> Option<Self> {
        match (audit, caveat) {
            (None, "") => None,
            (None, caveat) => Some(Self::Caveat(caveat.to_owned())),
            (Some(found), _) if !allowed => Some(Self::Unavailable(format!(
                "a model is no function of its input, as the audit found: {found}"
            ))),
            (Some(found), "") => Some(Self::Caveat(by_leave(found))),
            (Some(found), caveat) => Some(Self::Caveat(format!("{caveat}; {found}"))),
        }
    }

    /// Why there are no certificates at all; none if there are.
    pub(in crate::classifier) fn unavailable(self) -> Option<String> {
        match self {
            Self::Caveat(_) => None,
            Self::Unavailable(reason) => Some(reason),
        }
    }
}

impl RobustPrediction {
    /// The same answer in the light of `doubt`.
    pub(in crate::classifier) fn under(mut self, doubt: Option<CertificateRestriction>) -> Self {
        match doubt {
            None => {}
            Some(CertificateRestriction::Caveat(caveat)) => self.certificate.caveat = caveat,
            // One that is unavailable anyway keeps its own reason, which would stay.
            Some(CertificateRestriction::Unavailable(reason)) if self.certificate.status != Status::Unavailable => {
                self.certified_class = None;
                self.certificate = self.certificate.withdrawn(reason);
            }
            Some(CertificateRestriction::Unavailable(_)) => {}
        }
        self
    }
}

impl MixedClassifier {
    /// What speaks against certificates now.
    pub(in crate::classifier) fn doubt(&self) -> Option<CertificateRestriction> {
        let audit = self.engine.scheduler.refuted();
        CertificateRestriction::of(&self.engine.caveat, audit, self.certificate.allow_inexact_runtime)
    }

    /// The answer with what its certificate rests on, and what speaks against it: to be called after the outputs that it rests
    /// on have come back.
    pub(in crate::classifier) fn vouched(&self, mut answer: RobustPrediction) -> RobustPrediction {
        answer.certificate.basis = self.engine.robust.basis();
        answer.under(self.doubt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Certificate, Method, Norm};

    fn certified() -> RobustPrediction {
        RobustPrediction {
            log_probs: vec![-0.1, -3.0],
            certified_class: Some(0),
            certificate: Certificate {
                status: Status::Certified,
                radius: 0.5,
                radius_sq_levels: 16,
                whole_range: true,
                norm: Some(Norm::L2),
                method: Some(Method::LogitLipschitz),
                ..Certificate::unavailable(String::new())
            },
        }
    }

    #[test]
    fn without_a_doubt_nothing_changes() {
        assert_eq!(CertificateRestriction::of("", None, false), None);
        let answer = certified().under(None);
        assert_eq!((answer.certified_class, answer.certificate.radius), (Some(0), 0.5));
        assert_eq!(answer.certificate.caveat, "");
    }

    #[test]
    fn what_the_audit_finds_ends_all_certificates() {
        for caveat in ["", "the self-test's"] {
            let answer = certified().under(CertificateRestriction::of(caveat, Some("mates"), false));
            let found = &answer.certificate;
            assert_eq!((found.status, answer.certified_class), (Status::Unavailable, None));
            assert_eq!((found.radius, found.radius_sq_levels, found.method), (0.0, 0, None));
            assert!(!found.whole_range);
            assert!(
                found.reason.contains("audit") && found.reason.contains("mates"),
                "{}",
                found.reason
            );
        }
    }

    #[test]
    fn by_the_operators_leave_there_is_a_caveat() {
        for (caveat, audit) in [("", Some("mates")), ("self-test", None), ("self-test", Some("mates"))] {
            let doubt = CertificateRestriction::of(caveat, audit, true);
            assert_eq!(doubt.clone().and_then(CertificateRestriction::unavailable), None);
            let found = certified().under(doubt).certificate;
            assert_eq!((found.status, found.radius), (Status::Certified, 0.5));
            let said = found.caveat;
            assert!(
                said.contains(caveat) && said.contains(audit.unwrap_or("")) && !said.is_empty(),
                "{said}"
            );
        }
    }
}
