//! Bounds from votes against the reference tables.

use super::reference_tables::{assert_above, assert_below, count, failure_probability, table, upper_bound};
use crate::certificate::{CertificateError, FailureProbability, LowerBound, UpperBound, anytime, clopper_pearson};
use serde_json::Value;

fn check_bounds(
    name: &str,
    lower: fn(u64, u64, FailureProbability) -> Result<LowerBound, CertificateError>,
    upper: fn(u64, u64, FailureProbability) -> Result<UpperBound, CertificateError>,
) {
    for row in table(name) {
        let (hits, votes) = (count(&row, "hits"), count(&row, "votes"));
        let low = lower(hits, votes, failure_probability(&row)).unwrap();
        let high = upper(hits, votes, failure_probability(&row)).unwrap();
        let context = format!("{name} {hits}/{votes} at {}", row["failure_probability"]);
        assert_below(low.value(), &row["lower"], &format!("{context}: lower"));
        assert_above(
            low.complement(),
            &row["lower_complement"],
            &format!("{context}: lower's complement"),
        );
        assert_above(high.value(), &row["upper"], &format!("{context}: upper"));
        assert_below(
            high.complement(),
            &row["upper_complement"],
            &format!("{context}: upper's complement"),
        );
    }
}

#[test]
fn clopper_pearson_is_outside_the_exact_bounds_and_close() {
    check_bounds("clopper_pearson.json", clopper_pearson::lower, clopper_pearson::upper);
}

#[test]
fn anytime_is_outside_the_exact_bounds_and_close() {
    check_bounds("anytime.json", anytime::lower, anytime::upper);
}

#[test]
fn evidence_is_below_the_exact_evidence_and_close() {
    for row in table("e_values.json") {
        let (hits, votes) = (count(&row, "hits"), count(&row, "votes"));
        let got = anytime::target_log_e_value(hits, votes, upper_bound(&row["p0"])).unwrap();
        let down: f64 = row["log_e_value"]["down"].as_str().unwrap().parse().unwrap();
        let context = format!("{hits}/{votes} against {}: {got}", row["p0"]);
        assert!(
            got <= down,
            "{context} is above the exact {}",
            row["log_e_value"]["exact"]
        );
        assert!(
            down - got <= 1e-9 * down.abs().max(1.0),
            "{context} is far below the exact {}",
            row["log_e_value"]["exact"]
        );
    }
}

#[test]
fn huge_counts_give_bounds_or_errors() {
    let delta = FailureProbability::new(1e-6).unwrap();
    for bound in [anytime::lower, clopper_pearson::lower] {
        // At a fixed rate the bound converges to the rate as votes grow.
        let near = bound(900_000_000, 1_000_000_000, delta).unwrap().value();
        assert!((0.8999..0.9).contains(&near), "{near}");
        let all = bound(1 << 40, 1 << 40, delta).unwrap().complement();
        assert!(all > 0.0 && all < 1e-10, "{all}");
        assert!(matches!(bound(5, 4, delta), Err(CertificateError::Tally { .. })));
        assert!(matches!(
            bound(0, (1 << 40) + 1, delta),
            Err(CertificateError::Tally { .. })
        ));
        assert!(matches!(bound(0, u64::MAX, delta), Err(CertificateError::Tally { .. })));
    }
}

#[test]
fn without_hits_the_lower_bound_is_trivial() {
    let delta = FailureProbability::new(0.05).unwrap();
    assert_eq!(anytime::lower(0, 0, delta).unwrap(), LowerBound::TRIVIAL);
    assert_eq!(anytime::upper(0, 0, delta).unwrap(), UpperBound::TRIVIAL);
    assert_eq!(clopper_pearson::lower(0, 0, delta).unwrap(), LowerBound::TRIVIAL);
    assert_eq!(clopper_pearson::upper(7, 7, delta).unwrap(), UpperBound::TRIVIAL);
}

#[test]
fn no_evidence_shows_that_a_probability_exceeds_one() {
    let evidence = anytime::target_log_e_value(1000, 1000, UpperBound::TRIVIAL).unwrap();
    assert_eq!(evidence, f64::NEG_INFINITY);
}

/// The exact roots of the table satisfy their definition: the table is checked independently of
/// this code.
#[test]
fn the_tables_agree_with_closed_forms() {
    for row in table("clopper_pearson.json") {
        let row: &Value = &row;
        let (hits, votes) = (count(row, "hits"), count(row, "votes"));
        let delta = failure_probability(row).get();
        let exact: f64 = row["lower"]["exact"].as_str().unwrap().parse().unwrap();
        if hits == votes {
            let logs = exact.ln() * f64::from(u32::try_from(votes).unwrap());
            assert!((logs - delta.ln()).abs() < 1e-7 * delta.ln().abs(), "{row}");
        }
    }
}
