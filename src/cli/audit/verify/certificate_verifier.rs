//! Recomputes a served certificate from its own counts.

use super::claim_check::check_claim;
use super::class_check::check_class;
use crate::certificate::{
    Alpha, BoundMethod, CertificateError, FailureProbability, RadiusMethod, Sides, Sigma, SmoothingPlan, certify,
    radius_sq_levels,
};
use crate::cli::audit::comparison::{FieldComparison, all_hold};
use crate::cli::audit::record_limits::check_limits;
use crate::cli::client::{CertificateRecord, PredictionRecord};

/// The relative difference that is accepted, because elementary functions differ in the last digits
/// between machines.
const TOLERANCE: f64 = 1e-12;

/// The result of the verification of one certificate.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli::audit) enum VerificationResult {
    /// The certificate was recomputed. These are the fields.
    Recomputed(Vec<FieldComparison>),
    /// The record claims no radius, so there is nothing to prove.
    NoClaim,
    /// The record does not carry all that its certificate depends on. The text is the reason.
    NotVerifiable(String),
    /// The record contradicts itself or is malformed. The text is the reason.
    Impossible(String),
}

impl VerificationResult {
    /// Whether the record claims nothing that its counts do not prove.
    pub(in crate::cli::audit) fn holds(&self) -> bool {
        match self {
            Self::Recomputed(comparisons) => all_hold(comparisons),
            Self::NoClaim => true,
            Self::NotVerifiable(_) | Self::Impossible(_) => false,
        }
    }
}

/// Verifies one certificate.
pub(in crate::cli::audit) fn verify_certificate(record: &PredictionRecord) -> VerificationResult {
    if let Err(error) = check_limits(record) {
        return VerificationResult::Impossible(error.to_string());
    }
    if let Err(error) = check_class(record).and_then(|()| check_claim(record)) {
        return VerificationResult::Impossible(error);
    }
    let certificate = &record.certificate;
    let radius_method = match (certificate.method.as_str(), certificate.status.as_str()) {
        ("tight", _) => RadiusMethod::Tight,
        ("theorem2", _) => RadiusMethod::Theorem2,
        (_, "abstained" | "unavailable") => return VerificationResult::NoClaim,
        ("theorem1" | "logit_lipschitz", "certified") => {
            return VerificationResult::NotVerifiable(
                "it depends on the robust model's exact output, which a certificate does not carry: run that model on the \
                 input, and pass its output to `certimix radius`"
                    .to_owned(),
            );
        }
        (method, status) => {
            return VerificationResult::Impossible(format!("unknown status {status:?} or method {method:?}"));
        }
    };
    match recompute_smoothed(record, radius_method) {
        // The radius may be true and the range larger.
        Ok(comparisons) if certificate.whole_range && all_hold(&comparisons) => VerificationResult::NotVerifiable(
            "whole_range is a statement about the range of the inputs, which a certificate does not carry: compare the \
             radius with the range in the robust model's manifest"
                .to_owned(),
        ),
        Ok(comparisons) => VerificationResult::Recomputed(comparisons),
        Err(error) => VerificationResult::Impossible(error),
    }
}

fn recompute_smoothed(record: &PredictionRecord, radius_method: RadiusMethod) -> Result<Vec<FieldComparison>, String> {
    let certificate = &record.certificate;
    let is_valid_loss = certificate.snapping_loss.is_finite() && certificate.snapping_loss >= 0.0;
    if !is_valid_loss {
        return Err(format!(
            "snapping_loss is {}, expected a finite number of at least 0",
            certificate.snapping_loss
        ));
    }
    let is_certified = record.is_certified();
    if is_certified && certificate.norm != "l2" {
        return Err(format!(
            "norm is {:?}, expected \"l2\": Gaussian noise proves nothing in other norms",
            certificate.norm
        ));
    }
    let plan = smoothing_plan(certificate, record.provenance.alpha, radius_method)?;
    let proven = certify(&plan, certificate.estimation_tally()).map_err(|error| error.to_string())?;
    let radius = (proven.radius - certificate.snapping_loss).max(0.0);
    let (lower, upper) = (proven.p_lower.value(), proven.p_upper.value());
    let mut comparisons = vec![
        FieldComparison::at_most("lower_bound", certificate.lower_bound, lower, lower * TOLERANCE),
        FieldComparison::at_least("upper_bound", certificate.upper_bound, upper, upper * TOLERANCE),
        // The tolerance is that of the radius before the loss: a subtraction does not make a number
        // more exact.
        FieldComparison::at_most("radius", certificate.radius, radius, proven.radius * TOLERANCE),
    ];
    if is_certified {
        let status = if radius > 0.0 { "certified" } else { "abstained" };
        comparisons.push(FieldComparison::equal(
            "status",
            &certificate.status,
            &status.to_owned(),
        ));
    }
    if certificate.radius_sq_levels > 0 {
        let levels = radius_sq_levels(certificate.radius, 255).unwrap_or(0);
        comparisons.push(FieldComparison::equal(
            "radius_sq_levels",
            &certificate.radius_sq_levels,
            &levels,
        ));
    }
    Ok(comparisons)
}

/// The parameters that the certificate names.
fn smoothing_plan(
    certificate: &CertificateRecord,
    alpha: f64,
    radius_method: RadiusMethod,
) -> Result<SmoothingPlan, String> {
    let message = |error: CertificateError| error.to_string();
    let bound_method = match certificate.bound.as_str() {
        "anytime" => BoundMethod::Anytime,
        "clopper_pearson" => BoundMethod::ClopperPearson {
            votes: certificate.votes,
        },
        other => {
            return Err(format!(
                "bound is {other:?}, expected \"anytime\" or \"clopper_pearson\""
            ));
        }
    };
    Ok(SmoothingPlan {
        alpha: Alpha::new(alpha).map_err(message)?,
        sigma: Sigma::new(certificate.sigma).map_err(message)?,
        radius_method,
        bound_method,
        failure_probability: FailureProbability::new(certificate.failure_probability).map_err(message)?,
        sides: if certificate.two_sided {
            Sides::TwoSided
        } else {
            Sides::OneSided
        },
        target_radius: (certificate.target_radius != 0.0).then_some(certificate.target_radius),
        total_variation: certificate.total_variation,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::audit::comparison::FieldStatus;
    use crate::cli::audit::test_records::certified_record;

    fn differing_fields(record: &PredictionRecord) -> Vec<&'static str> {
        match verify_certificate(record) {
            VerificationResult::Recomputed(comparisons) => comparisons
                .iter()
                .filter(|comparison| comparison.status == FieldStatus::Differs)
                .map(|comparison| comparison.field)
                .collect(),
            other => vec![if other.holds() { "holds" } else { "no" }],
        }
    }

    #[test]
    fn an_honest_certificate_holds() {
        let record = certified_record();
        assert!(record.certificate.radius > 0.1, "{}", record.certificate.radius);
        assert_eq!(differing_fields(&record), Vec::<&str>::new());
        assert!(verify_certificate(&record).holds());
    }

    #[test]
    fn a_larger_claim_is_detected() {
        let altered = |change: fn(&mut PredictionRecord)| {
            let mut record = certified_record();
            change(&mut record);
            differing_fields(&record)
        };
        assert_eq!(altered(|record| record.certificate.radius *= 1.0 + 1e-9), ["radius"]);
        assert_eq!(
            altered(|record| record.certificate.lower_bound += 1e-9),
            ["lower_bound"]
        );
        assert_eq!(
            altered(|record| record.certificate.upper_bound -= 1e-9),
            ["upper_bound"]
        );
        assert_eq!(
            altered(|record| record.certificate.radius_sq_levels += 1),
            ["radius_sq_levels"]
        );
        assert_eq!(altered(|record| record.certificate.snapping_loss = 0.01), ["radius"]);
        assert_eq!(
            altered(|record| record.certificate.votes_for_class -= 1),
            ["lower_bound", "upper_bound", "radius"]
        );
        assert_eq!(altered(|record| record.provenance.alpha = 0.75), ["radius"]);
        assert_eq!(altered(|record| record.provenance.alpha = 0.4), ["radius", "status"]);
        assert_eq!(altered(|record| record.certificate.votes = 3), ["no"]);
        assert_eq!(altered(|record| record.certificate.sigma = f64::NAN), ["no"]);
        assert_eq!(altered(|record| record.certificate.status = "abstained".into()), ["no"]);
    }

    #[test]
    fn another_class_than_that_of_the_votes_is_detected() {
        let mut record = certified_record();
        record.class_index = 2;
        assert!(!verify_certificate(&record).holds());
        // Nor does the class change together with the robust model's.
        record.robust_class_index = 2;
        assert!(!verify_certificate(&record).holds());
        record.certificate.method = "logit_lipschitz".into();
        assert!(matches!(verify_certificate(&record), VerificationResult::Impossible(_)));
    }

    #[test]
    fn the_whole_range_is_not_verifiable_from_the_counts() {
        let mut record = certified_record();
        record.certificate.whole_range = true;
        assert!(matches!(
            verify_certificate(&record),
            VerificationResult::NotVerifiable(_)
        ));
        assert!(!verify_certificate(&record).holds());
        record.certificate.radius *= 2.0;
        assert_eq!(differing_fields(&record), ["radius", "radius_sq_levels"]);
        (record.certificate.status, record.certificate.radius) = ("abstained".into(), 0.0);
        assert!(matches!(verify_certificate(&record), VerificationResult::Impossible(_)));
    }

    /// The bound is for a number of votes fixed beforehand, not for the best of several moments.
    #[test]
    fn fewer_votes_than_were_drawn_do_not_hold_for_clopper_pearson() {
        let mut record = certified_record();
        let certificate = &mut record.certificate;
        certificate.bound = "clopper_pearson".into();
        (
            certificate.lower_bound,
            certificate.upper_bound,
            certificate.target_radius,
        ) = (0.9, 0.1, 0.0);
        (certificate.radius, certificate.radius_sq_levels) = (0.01, 0);
        assert!(verify_certificate(&record).holds());
        record.certificate.votes_drawn += 1000;
        assert!(!verify_certificate(&record).holds());
        record.certificate.bound = "anytime".into();
        assert!(verify_certificate(&record).holds());
    }

    /// Each of these holds unless the field is compared with the others.
    #[test]
    fn a_statement_that_contradicts_other_fields_does_not_hold() {
        type Change = fn(&mut PredictionRecord);
        let changes: [Change; 5] = [
            |record| record.certificate.caveat = "inexact".into(),
            |record| record.certificate.votes_drawn = 1,
            |record| {
                record.certificate.status = "certain".into();
                (record.certificate.radius, record.certificate.radius_sq_levels) = (0.0, 0);
            },
            |record| (record.certificate.radius, record.certificate.radius_sq_levels) = (0.0, 0),
            |record| {
                record.certificate.status = "abstained".into();
                record.certificate.radius = 0.0;
            },
        ];
        for (case, change) in changes.into_iter().enumerate() {
            let mut record = certified_record();
            change(&mut record);
            assert!(!verify_certificate(&record).holds(), "case {case}");
        }
    }

    #[test]
    fn a_smaller_claim_holds() {
        let mut record = certified_record();
        record.certificate.radius = 0.1;
        record.certificate.radius_sq_levels = 0;
        record.certificate.lower_bound -= 0.01;
        assert!(verify_certificate(&record).holds());
    }

    #[test]
    fn lipschitz_certificates_are_not_verifiable() {
        let mut record = certified_record();
        record.certificate.method = "logit_lipschitz".into();
        assert!(matches!(
            verify_certificate(&record),
            VerificationResult::NotVerifiable(_)
        ));
    }

    #[test]
    fn a_record_without_a_claim_holds() {
        let mut record = certified_record();
        record.certificate.status = "unavailable".into();
        record.certificate.method = "unspecified".into();
        (record.certificate.radius, record.certificate.radius_sq_levels) = (0.0, 0);
        assert_eq!(verify_certificate(&record), VerificationResult::NoClaim);
    }
}
