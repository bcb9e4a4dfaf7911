//! Tests of the numerical parts whose mistakes the whole would hide.

use crate::certificate::numerics::beta_tail::beta_tail_series;
use crate::certificate::numerics::divergence::divergence;
use crate::certificate::numerics::dot_product::{dot_lower, dot_upper};
use crate::certificate::numerics::hit_counts::HitCounts;
use crate::certificate::numerics::normal::{cdf_upper, density};
use crate::certificate::numerics::probability::Probability;
use crate::certificate::numerics::radius::Radius;
use crate::certificate::radii::near_zero_width::near_zero_width;
use crate::certificate::{Alpha, Sigma, required_p_theorem2};

/// At any truncation the full sum lies between the two bounds.
#[test]
fn a_truncated_tail_encloses_the_full_sum() {
    for (a, b) in [
        (1.0, 1.0),
        (0.5, 0.5),
        (8.0, 3.0),
        (20.5, 7.5),
        (300.5, 0.5),
        (3.5, 40.5),
        (90.0, 10.0),
    ] {
        for fraction in [0.05, 0.4, 0.8, 0.99] {
            // Below the mean, where the terms decrease from the start.
            let x: f64 = fraction * a / (a + b);
            let whole = beta_tail_series(a, b, x, 1.0 - x, 0.0);
            assert!(
                whole.upper - whole.lower < 1e-10 * whole.upper,
                "{a} {b} {x}: {whole:?}"
            );
            for tolerance in [1.0, 0.1, 1e-3, 1e-9] {
                let part = beta_tail_series(a, b, x, 1.0 - x, tolerance);
                assert!(part.lower <= whole.upper, "{a} {b} {x} {tolerance}");
                assert!(part.upper >= whole.lower, "{a} {b} {x} {tolerance}: {part:?} {whole:?}");
                assert!(
                    part.upper - part.lower <= tolerance * 1.001 + 1e-9,
                    "{a} {b} {x} {tolerance}: {part:?}"
                );
            }
        }
    }
}

#[test]
fn a_product_with_sigma_is_rounded_down() {
    let times = |sigma: f64, width: f64| Sigma::new(sigma).unwrap().times_down(Radius::new(width)).get();
    assert!(times(1.0, 1.0) < 1.0 && times(1.0, 1.0) > 1.0 - 1e-15);
    assert_eq!((times(1.0, -1.0), times(1.0, f64::NAN)), (0.0, 0.0));
    // An overflow certifies nothing.
    assert_eq!(times(f64::MAX, 40.0), 0.0);
    assert_eq!(times(f64::MIN_POSITIVE, 1e-300), 0.0);
}

#[test]
fn dot_products_keep_digits_that_cancel() {
    // (1 + e)(1 - e) - 1 = -e^2; plain arithmetic keeps no digit of it.
    let e = 2.0_f64.powi(-40);
    let pairs = [(1.0 + e, 1.0 - e), (-1.0, 1.0)];
    let exact = -(e * e);
    assert!(dot_lower(&pairs) <= exact && exact <= dot_upper(&pairs));
    assert!(dot_upper(&pairs) - dot_lower(&pairs) <= 1e-3 * e * e);
    // The bounds also allow for the second order of the cancelled terms, whose size is 2.
    assert!(dot_upper(&pairs) - dot_lower(&pairs) >= 2.0 * 2.0 * 1000.0 * f64::EPSILON * f64::EPSILON);
    // The result of exact operations is exact.
    assert_eq!(
        (
            dot_lower(&[(0.5, 0.5), (1.0, 0.25)]),
            dot_upper(&[(0.5, 0.5), (1.0, 0.25)])
        ),
        (0.5, 0.5)
    );
    // An underflow does not count as exact.
    assert!(dot_lower(&[(1e-200, 1e-200)]) <= 0.0 && dot_upper(&[(1e-200, 1e-200)]) > 0.0);
}

/// The error bound of the divergence covers a decomposition with other roundings.
#[test]
fn the_divergence_error_bound_covers_the_mirrored_form() {
    for (hits, votes) in [(1_u64, 10_u64), (500_001, 1_000_000), (999_999_000, 1_000_000_000)] {
        let counts = HitCounts::new(hits, votes).unwrap();
        for p in [0.3, 0.5, 0.999, 0.999_999] {
            let point = Probability::from_value(p);
            let here = divergence(counts, point);
            let mirrored = divergence(counts.mirrored(), point.mirrored());
            assert!((here.value - mirrored.value).abs() <= here.error + mirrored.error);
            assert!(here.error > 0.0 && here.lower() < here.value && here.upper() > here.value);
            assert!(here.error <= 1e-13 * (counts.hits + counts.misses) * 40.0);
        }
    }
}

/// At the computed width the exact integral is within the excess, by Simpson's rule with many
/// steps.
#[test]
fn near_zero_widths_stay_within_the_excess() {
    for (class, runner_up) in [(0.3, -0.3), (2.0, -2.5), (-3.0, -6.0), (7.0, 6.5)] {
        for scale in [1e-4_f64, 1e-5, 1e-7] {
            let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let rate = density(class) + density(runner_up);
            let w = near_zero_width(rate * scale, class, runner_up);
            let f = |s: f64| density(class - s) + density(runner_up + s);
            let integral = w / 6.0 * (f(0.0) + 4.0 * f(w / 2.0) + f(w));
            assert!(integral <= rate * scale, "{class} {runner_up} {scale}");
            assert!(
                integral >= rate * scale * (1.0 - 1e-6),
                "{class} {runner_up} {scale}: {w}"
            );
        }
    }
    assert_eq!(near_zero_width(-1e-9, 1.0, 0.0), 0.0);
    assert_eq!(near_zero_width(f64::NAN, 1.0, 0.0), 0.0);
    assert_eq!(near_zero_width(0.5, 1.0, 0.0), 0.0);
}

/// The integral of `phi(class - s) + phi(runner_up + s)` over [0, w], by Simpson's rule on 64
/// steps. The width is so small that the error is below a rounding.
fn integrated_loss(w: f64, class: f64, runner_up: f64) -> f64 {
    let at = |s: f64| density(class - s) + density(runner_up + s);
    let step = w / 64.0;
    let weight = |k: u32| {
        if k == 0 || k == 64 {
            1.0
        } else if k % 2 == 1 {
            4.0
        } else {
            2.0
        }
    };
    (0..=64).map(|k| weight(k) * at(f64::from(k) * step)).sum::<f64>() * step / 3.0
}

/// On both sides of the middle, and far out, where the density changes most within the width.
#[test]
fn a_near_zero_width_is_never_too_large() {
    let mut small = 0;
    for class in [-6.0, -3.0, -1.0, -0.1, 0.0, 0.3, 1.5, 4.0, 6.0] {
        for runner_up in [-6.0, -2.5, -0.7, 0.0, 0.4, 2.0, 5.0] {
            for width in [1e-12, 1e-7, 1e-5, 3e-4, 9e-4] {
                let excess = integrated_loss(width, class, runner_up);
                let found = near_zero_width(excess, class, runner_up);
                let taken = integrated_loss(found, class, runner_up);
                assert!(
                    taken <= excess * (1.0 - 1e-12),
                    "{class} {runner_up} {width}: {taken} of {excess}"
                );
                if found > 0.0 {
                    assert!(found >= width * (1.0 - 1e-5), "{class} {runner_up} {width}: {found}");
                    small += 1;
                }
            }
        }
    }
    assert!(small > 200, "{small}");
}

/// A radius below zero needs less than half of the votes, by the same formula.
#[test]
fn the_required_probability_of_theorem_2_grows_with_the_radius() {
    let (alpha, sigma) = (Alpha::new(0.76).unwrap(), Sigma::new(0.5).unwrap());
    let mut before = 0.0;
    for radius in [-0.5, -0.25, -0.1, 0.1, 0.25] {
        let needed = required_p_theorem2(alpha, sigma, radius).value();
        let exact = cdf_upper(radius / 0.5).value() / 0.76;
        assert!(
            (needed - exact.min(1.0)).abs() < 1e-12 && needed > before,
            "{radius}: {needed}, {exact}"
        );
        before = needed;
    }
}
