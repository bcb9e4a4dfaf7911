//! Restricts certificates when a model turns out not to be a function of its input.
//!
//! Every theorem assumes that a model computes one function of each row. The self-test at load time
//! and the audit of served rows test that assumption. A finding withdraws every certificate, or
//! adds a caveat to it if the operator allows an inexact runtime.

use super::robust_prediction::RobustPrediction;
use crate::domain::CertificateStatus;

/// The restriction that applies to all certificates of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::classifier) enum CertificateRestriction {
    /// The operator allows certificates with this caveat.
    Caveat(String),
    /// No certificate is served, for this reason.
    Withdrawn(String),
}

/// Returns the caveat of certificates that are served despite `finding`.
pub(in crate::classifier) fn inexact_runtime_caveat(finding: &str) -> String {
    format!("the runtime is not exact; certificate.allow_inexact_runtime permits this certificate: {finding}")
}

impl CertificateRestriction {
    /// Derives the restriction from the caveat of the self-test (empty if it found nothing), the
    /// finding of the audit, and whether the operator allows an inexact runtime.
    pub(in crate::classifier) fn from_findings(
        self_test_caveat: &str,
        audit_finding: Option<&str>,
        allow_inexact_runtime: bool,
    ) -> Option<Self> {
        match (audit_finding, self_test_caveat) {
            (None, "") => None,
            (None, caveat) => Some(Self::Caveat(caveat.to_owned())),
            (Some(finding), _) if !allow_inexact_runtime => Some(Self::Withdrawn(format!(
                "the audit found that a model is not a function of its input: {finding}"
            ))),
            (Some(finding), "") => Some(Self::Caveat(inexact_runtime_caveat(finding))),
            (Some(finding), caveat) => Some(Self::Caveat(format!("{caveat}; {finding}"))),
        }
    }
}

impl RobustPrediction {
    /// Applies `restriction` to the certificate.
    pub(in crate::classifier) fn restricted_by(mut self, restriction: Option<CertificateRestriction>) -> Self {
        match restriction {
            None => {}
            Some(CertificateRestriction::Caveat(caveat)) => self.certificate.caveat = caveat,
            Some(CertificateRestriction::Withdrawn(reason))
                if self.certificate.status != CertificateStatus::Unavailable =>
            {
                self.certified_class = None;
                self.certificate = self.certificate.withdrawn(reason);
            }
            // A certificate that is unavailable for another reason keeps that reason: it would
            // remain if the finding went away.
            Some(CertificateRestriction::Withdrawn(_)) => {}
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Certificate, CertificateMethod, Norm};

    fn certified() -> RobustPrediction {
        RobustPrediction {
            log_probs: vec![-0.1, -3.0],
            certified_class: Some(0),
            certificate: Certificate {
                status: CertificateStatus::Certified,
                radius: 0.5,
                radius_sq_levels: 16,
                whole_range: true,
                norm: Some(Norm::L2),
                method: Some(CertificateMethod::LogitLipschitz),
                ..Certificate::unavailable(String::new())
            },
        }
    }

    #[test]
    fn no_finding_leaves_the_certificate_unchanged() {
        assert_eq!(CertificateRestriction::from_findings("", None, false), None);
        let prediction = certified().restricted_by(None);
        assert_eq!(
            (prediction.certified_class, prediction.certificate.radius),
            (Some(0), 0.5)
        );
        assert_eq!(prediction.certificate.caveat, "");
    }

    #[test]
    fn an_audit_finding_withdraws_all_certificates() {
        for caveat in ["", "the self-test's"] {
            let restriction = CertificateRestriction::from_findings(caveat, Some("mates"), false);
            let prediction = certified().restricted_by(restriction);
            let certificate = &prediction.certificate;
            assert_eq!(
                (certificate.status, prediction.certified_class),
                (CertificateStatus::Unavailable, None)
            );
            assert_eq!(
                (certificate.radius, certificate.radius_sq_levels, certificate.method),
                (0.0, 0, None)
            );
            assert!(!certificate.whole_range);
            assert!(
                certificate.reason.contains("audit") && certificate.reason.contains("mates"),
                "{}",
                certificate.reason
            );
        }
    }

    #[test]
    fn an_allowed_inexact_runtime_adds_a_caveat() {
        for (self_test, audit) in [("", Some("mates")), ("self-test", None), ("self-test", Some("mates"))] {
            let restriction = CertificateRestriction::from_findings(self_test, audit, true);
            assert!(matches!(restriction, Some(CertificateRestriction::Caveat(_))));
            let certificate = certified().restricted_by(restriction).certificate;
            assert_eq!(
                (certificate.status, certificate.radius),
                (CertificateStatus::Certified, 0.5)
            );
            let caveat = certificate.caveat;
            assert!(
                caveat.contains(self_test) && caveat.contains(audit.unwrap_or("")) && !caveat.is_empty(),
                "{caveat}"
            );
        }
    }
}
