//! Lipschitz radii and mixtures against the reference tables.

use super::reference_tables::{alpha, assert_below, number, numbers, table};
use crate::certificate::{LogitConstant, Temperature, logit_radius, mixed_logits, theorem1_radius};

#[test]
fn theorem_1_is_rounded_down_and_close() {
    for row in table("theorem1.json") {
        let (h, constants) = (numbers(&row, "probabilities"), numbers(&row, "constants"));
        let got = theorem1_radius(alpha(&row), &h, &constants, number(&row, "error_bound"), None).unwrap();
        assert_below(got, &row["radius"], &format!("{row}"));
    }
}

#[test]
fn logit_radii_are_rounded_down_and_close() {
    for row in table("logit.json") {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the table's logits are floats of 32 bits"
        )]
        let z: Vec<f32> = numbers(&row, "logits").iter().map(|&v| v as f32).collect();
        let (l, error) = (number(&row, "constant"), number(&row, "error_bound"));
        let t = Temperature::new(number(&row, "temperature")).unwrap();
        let vector = logit_radius(alpha(&row), &z, t, LogitConstant::Vector(l), error).unwrap();
        assert_below(vector, &row["vector"], &format!("vector {row}"));
        let per_logit = logit_radius(alpha(&row), &z, t, LogitConstant::PerLogit(l), error).unwrap();
        assert_below(per_logit, &row["per_logit"], &format!("per logit {row}"));
    }
}

#[test]
fn mixed_logits_are_close() {
    for row in table("mixtures.json") {
        let got = mixed_logits(alpha(&row), &[number(&row, "standard")], &[number(&row, "robust")]);
        let exact: f64 = row["mixed"]["exact"].as_str().unwrap().parse().unwrap();
        let got = *got.first().unwrap();
        // A rounding of a log probability of -700 is worth 1e-13.
        assert!(
            (got - exact).abs() <= 1e-15 * exact.abs().max(1.0) * 4.0,
            "{row}: {got}"
        );
    }
}
