//! The fuzz targets of the audit commands: records of certificates, and queries for radii.

use super::mixture_verifier::compare_mixture;
use super::radius::evaluate_line;
use super::record_file::parse_records;
use super::verify::certificate_verifier::verify_certificate;
use crate::certificate::fuzzing::{theorem2_allows, tight_allows};
use crate::certificate::{Alpha, LowerBound, Sigma, UpperBound};
use crate::cli::client::PredictionRecord;

/// The most records or lines of one input.
const MAX_RECORDS: usize = 4;

/// The relative difference that `certimix verify` accepts, and the rounding of this check.
const TOLERANCE: f64 = 1e-9;

/// Reads `data` as the output of `certimix predict --json`, and verifies every record.
///
/// A certificate that holds does not exceed the formula in 80 digits, at the bounds that hold. A
/// larger claim does not hold.
pub(crate) fn certificate_records(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(records) = parse_records(text) else { return };
    for record in records.into_iter().take(MAX_RECORDS) {
        let _ = compare_mixture(&record);
        if verify_certificate(&record).holds() && record.certificate.radius != 0.0 {
            check_proven(record);
        }
    }
}

fn check_proven(mut record: PredictionRecord) {
    let certificate = &record.certificate;
    let radius = certificate.radius;
    assert_eq!(certificate.status, "certified", "a radius without a certificate holds");
    assert!(radius.is_finite() && radius > 0.0, "the radius {radius} holds");
    let counts = [certificate.votes_for_class, certificate.votes];
    assert!(
        0 < counts[0] && counts[0] <= counts[1],
        "{counts:?} votes prove a radius"
    );
    #[expect(clippy::cast_precision_loss, reason = "counts are at most 2^40")]
    let share = counts[0] as f64 / counts[1] as f64;
    if certificate.failure_probability <= 0.4 {
        assert!(
            certificate.target_radius != 0.0 || certificate.lower_bound <= share * (1.0 + TOLERANCE),
            "a bound above the share of votes"
        );
    }
    // A test of the target may prove it where the bounds do not.
    if radius > certificate.target_radius * (1.0 + TOLERANCE) {
        check_formula(&record);
    }
    for impossible in [1e300, f64::INFINITY, f64::NAN] {
        record.certificate.radius = impossible;
        assert!(
            !verify_certificate(&record).holds(),
            "the radius {impossible} holds too"
        );
    }
}

/// Checks the radius against the formula at the served bounds.
fn check_formula(record: &PredictionRecord) {
    let certificate = &record.certificate;
    let (Ok(alpha), Ok(sigma)) = (Alpha::new(record.provenance.alpha), Sigma::new(certificate.sigma)) else {
        panic!("a certificate without alpha or sigma holds");
    };
    let allows = match certificate.method.as_str() {
        "tight" => tight_allows,
        "theorem2" => theorem2_allows,
        method => panic!("a certificate of the method {method} holds"),
    };
    let Some((lower, upper)) = proven_bounds(record) else {
        panic!("a certificate without bounds holds");
    };
    let allowed = allows(alpha, sigma, lower, upper, certificate.radius * (1.0 - TOLERANCE));
    assert_ne!(
        allowed,
        Some(false),
        "the radius {} exceeds the formula",
        certificate.radius
    );
}

/// The bounds that the votes prove.
fn proven_bounds(record: &PredictionRecord) -> Option<(LowerBound, UpperBound)> {
    use crate::certificate::{FailureProbability, anytime, clopper_pearson, discount_total_variation};
    let certificate = &record.certificate;
    let (votes, of_class, of_other) = (
        certificate.votes,
        certificate.votes_for_class,
        certificate.votes_for_runner_up,
    );
    let whole = FailureProbability::new(certificate.failure_probability).ok()?;
    let share = if certificate.two_sided { whole.half() } else { whole };
    let is_anytime = certificate.bound == "anytime";
    let lower = if is_anytime {
        anytime::lower
    } else {
        clopper_pearson::lower
    };
    let upper = if is_anytime {
        anytime::upper
    } else {
        clopper_pearson::upper
    };
    let upper = if certificate.two_sided {
        upper(of_other, votes, share).ok()?
    } else {
        UpperBound::TRIVIAL
    };
    let lower = lower(of_class, votes, share).ok()?;
    Some(discount_total_variation(lower, upper, certificate.total_variation))
}

/// A certificate that holds, for the corpus.
#[cfg(test)]
pub(crate) fn example_record() -> PredictionRecord {
    super::test_records::certified_record()
}

/// Evaluates each line of `data` as `certimix radius` does. Every radius is a finite number of at
/// least 0, and every bound a probability.
pub(crate) fn radius_queries(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for line in text.lines().take(MAX_RECORDS) {
        let Ok(result) = evaluate_line(line) else { continue };
        let result = serde_json::to_value(&result).unwrap();
        let number = |field: &str| result.get(field).map(|value| value.as_f64().unwrap_or(f64::NAN));
        if let Some(radius) = number("radius") {
            assert!(radius.is_finite() && radius >= 0.0, "{line}: {radius}");
        }
        for bound in ["p_lower", "p_lower_complement", "p_upper"]
            .into_iter()
            .filter_map(number)
        {
            assert!((0.0..=1.0).contains(&bound), "{line}: {bound}");
        }
    }
}
