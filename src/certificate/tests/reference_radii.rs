//! Quantiles, radii and integer levels against the reference tables.

use super::reference_tables::{
    alpha, assert_above, assert_below, count, lower_bound, number, sigma, table, upper_bound,
};
use crate::certificate::numerics::normal::{cdf_lower, cdf_upper, quantile_lower, quantile_upper};
use crate::certificate::{
    Alpha, LowerBound, Sigma, UpperBound, radius_sq_levels, required_p, required_p_theorem2, theorem2_radius,
    tight_radius,
};

#[test]
fn quantiles_are_rounded_outward_and_close() {
    for row in table("quantiles.json") {
        assert_below(
            quantile_lower(lower_bound(&row["p"])),
            &row["quantile"],
            &format!("lower {}", row["p"]),
        );
        assert_above(
            quantile_upper(upper_bound(&row["p"])),
            &row["quantile"],
            &format!("upper {}", row["p"]),
        );
    }
}

#[test]
fn distribution_functions_are_rounded_outward_and_close() {
    for row in table("cdfs.json") {
        let x = number(&row, "x");
        let (low, high) = (cdf_lower(x), cdf_upper(x));
        assert_below(low.value(), &row["value"], &format!("lower {x}"));
        assert_above(low.complement(), &row["complement"], &format!("lower's complement {x}"));
        assert_above(high.value(), &row["value"], &format!("upper {x}"));
        assert_below(
            high.complement(),
            &row["complement"],
            &format!("upper's complement {x}"),
        );
    }
}

#[test]
fn radii_are_rounded_down_and_close() {
    for row in table("radii.json") {
        let (a, s) = (alpha(&row), sigma(&row));
        let (low, high) = (lower_bound(&row["p_lower"]), upper_bound(&row["p_upper"]));
        assert_below(tight_radius(a, s, low, high), &row["tight"], &format!("tight {row}"));
        assert_below(
            theorem2_radius(a, s, low, high),
            &row["theorem2"],
            &format!("theorem 2 {row}"),
        );
    }
}

#[test]
fn required_probabilities_are_rounded_up_and_close() {
    for row in table("required.json") {
        let (a, s, r) = (alpha(&row), sigma(&row), number(&row, "radius"));
        let tight = required_p(a, s, r);
        assert_above(tight.value(), &row["p0"], &format!("p0 {row}"));
        assert_below(
            tight.complement(),
            &row["p0_complement"],
            &format!("p0's complement {row}"),
        );
        let theorem2 = required_p_theorem2(a, s, r);
        assert_above(theorem2.value(), &row["theorem2"], &format!("theorem 2 {row}"));
        assert_below(
            theorem2.complement(),
            &row["theorem2_complement"],
            &format!("theorem 2's complement {row}"),
        );
    }
}

#[test]
fn integer_levels_are_exact() {
    for row in table("levels.json") {
        let levels = u32::try_from(count(&row, "levels")).unwrap();
        let got = radius_sq_levels(number(&row, "radius"), levels);
        assert_eq!(got, Some(count(&row, "n")), "{row}");
    }
    assert_eq!(radius_sq_levels(0.0, 255), None);
    assert_eq!(radius_sq_levels(-1.0, 255), None);
    assert_eq!(radius_sq_levels(f64::NAN, 255), None);
    assert_eq!(radius_sq_levels(0.5, 0), None);
    assert_eq!(radius_sq_levels(f64::INFINITY, 255), None);
    assert_eq!(radius_sq_levels(2.0_f64.powi(52), 1), Some(u64::MAX));
    // A square of more than 128 bits, most of which are shifted out: N < 16^2.
    assert_eq!(radius_sq_levels(2.0_f64.powi(-13), 1 << 17), Some(255));
    assert_eq!(radius_sq_levels(2.0_f64.powi(-13).next_up(), 1 << 17), Some(256));
}

#[test]
fn the_worked_example_has_the_documented_radii() {
    let (a, s) = (Alpha::new(0.76).unwrap(), Sigma::new(0.5).unwrap());
    let p = LowerBound::from_value(0.99).unwrap();
    let tight = tight_radius(a, s, p, UpperBound::TRIVIAL);
    let theorem2 = theorem2_radius(a, s, p, UpperBound::TRIVIAL);
    assert!((tight - 0.960).abs() < 5e-4, "{tight}");
    assert!((theorem2 - 0.341).abs() < 5e-4, "{theorem2}");
}

#[test]
fn a_certain_class_has_a_finite_radius() {
    let (a, s) = (Alpha::new(0.76).unwrap(), Sigma::new(0.5).unwrap());
    let certain = LowerBound::from_value(1.0).unwrap();
    let radius = tight_radius(a, s, certain, UpperBound::TRIVIAL);
    assert!((18.0..20.0).contains(&radius), "{radius}");
    // At alpha = 1/2 Lemma 1 needs a margin of 1, which no ball keeps.
    assert_eq!(
        tight_radius(Alpha::new(0.5).unwrap(), s, certain, UpperBound::TRIVIAL),
        0.0
    );
}
