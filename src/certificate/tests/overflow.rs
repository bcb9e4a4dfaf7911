//! Overflows, NaN and infinities certify nothing.

use crate::certificate::numerics::dot_product::{dot_lower, dot_upper};
use crate::certificate::numerics::nan_safe::{
    at_least, at_most, finite_or_infinity, finite_or_neg_infinity, max_or_infinity,
};
use crate::certificate::numerics::radius::Radius;
use crate::certificate::{
    Alpha, CertificateError, FailureProbability, LogitConstant, LowerBound, Sigma, Temperature, UpperBound,
    logit_radius, radius_sq_levels, theorem1_radius, theorem2_radius, tight_radius,
};

fn alpha() -> Alpha {
    Alpha::new(0.76).unwrap()
}

fn logit(logits: &[f32], constant: LogitConstant, error: f64) -> f64 {
    logit_radius(alpha(), logits, Temperature::ONE, constant, error).unwrap()
}

#[test]
fn a_huge_error_bound_certifies_nothing() {
    for error in [1e308, f64::MAX, 1e300, 5e307] {
        for constant in [LogitConstant::Vector(1.0), LogitConstant::PerLogit(1.0)] {
            assert_eq!(logit(&[0.1, 0.0], constant, error), 0.0, "{error:e}");
        }
        let theorem1 = |cap| theorem1_radius(alpha(), &[0.4, 0.3, 0.3], &[1.0; 3], error, cap).unwrap();
        assert_eq!((theorem1(None), theorem1(Some(1.0))), (0.0, 0.0), "{error:e}");
    }
}

#[test]
fn huge_and_tiny_constants_certify_nothing_that_overflows() {
    let h = [1.0, 0.0];
    assert_eq!(theorem1_radius(alpha(), &h, &[f64::MAX; 2], 0.0, None).unwrap(), 0.0);
    // Even the exact quotient exceeds every float.
    assert_eq!(theorem1_radius(alpha(), &h, &[5e-324; 2], 0.0, None).unwrap(), 0.0);
    assert_eq!(logit(&[9.0, 0.0], LogitConstant::Vector(f64::MAX), 0.0), 0.0);
    assert_eq!(logit(&[9.0, 0.0], LogitConstant::PerLogit(f64::MAX), 0.0), 0.0);
    assert_eq!(logit(&[9.0, 0.0], LogitConstant::PerLogit(5e-324), 0.0), 0.0);
    // Values in range are still certified.
    assert!(theorem1_radius(alpha(), &h, &[1e-30; 2], 0.0, None).unwrap() > 1e29);
    assert!(logit(&[9.0, 0.0], LogitConstant::Vector(1e-30), 0.0) > 1e29);
}

#[test]
fn huge_noise_certifies_nothing_that_overflows() {
    let (p, sigma) = (LowerBound::from_complement(1e-300).unwrap(), Sigma::new(1e308).unwrap());
    for radius in [tight_radius, theorem2_radius] {
        let upper = p.of_complement();
        let alpha = Alpha::new(1.0).unwrap();
        assert_eq!(radius(alpha, sigma, p, upper), 0.0);
        assert_eq!(radius(alpha, sigma, p, UpperBound::from_value(0.0).unwrap()), 0.0);
        assert!(radius(alpha, Sigma::new(1e306).unwrap(), p, upper) > 1e307);
    }
    assert_eq!(
        Sigma::new(f64::MAX).unwrap().times_down(Radius::new(40.0)),
        Radius::NONE
    );
}

#[test]
fn an_infinite_radius_has_no_integer_levels() {
    for radius in [f64::INFINITY, f64::NAN, -1.0, 0.0, f64::NEG_INFINITY] {
        assert_eq!(radius_sq_levels(radius, 255), None, "{radius}");
    }
}

#[test]
fn a_radius_cannot_be_nan() {
    for nothing in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -0.0, 0.0] {
        assert_eq!(Radius::new(nothing).get().to_bits(), 0, "{nothing}");
        assert_eq!(Radius::rounded_down(nothing).get().to_bits(), 0, "{nothing}");
    }
    assert_eq!(Radius::rounded_down(1.0).get(), 1.0_f64.next_down());
    assert_eq!(Radius::new(f64::MAX).get(), f64::MAX);
    let (one, two) = (Radius::new(1.0), Radius::new(2.0));
    assert_eq!((one.smaller(two), two.smaller(one)), (one, one));
    assert_eq!((one.larger(two), two.larger(one)), (two, two));
}

#[test]
fn every_comparison_defines_the_result_for_nan() {
    assert_eq!((at_least(f64::NAN, 0.0), at_most(f64::NAN, 1.0)), (0.0, 1.0));
    assert_eq!((at_least(2.0, 1.0), at_least(1.0, 2.0)), (2.0, 2.0));
    assert_eq!((at_most(2.0, 1.0), at_most(1.0, 2.0)), (1.0, 1.0));
    assert_eq!(max_or_infinity(f64::NAN, 1.0), f64::INFINITY);
    assert_eq!(max_or_infinity(1.0, f64::NAN), f64::INFINITY);
    assert_eq!((max_or_infinity(1.0, 2.0), max_or_infinity(2.0, 1.0)), (2.0, 2.0));
    for bound in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(finite_or_neg_infinity(bound), f64::NEG_INFINITY);
        assert_eq!(finite_or_infinity(bound), f64::INFINITY);
    }
    let overflow = [(1.0, 1.0), (-4.0, 1e308)];
    assert_eq!(dot_lower(&overflow), f64::NEG_INFINITY);
    assert_eq!(dot_upper(&[(4.0, 1e308), (1.0, 1.0)]), f64::INFINITY);
    // The sum passes through an infinity and would become NaN.
    let back = [(4.0, 1e308), (-4.0, 1e308)];
    assert_eq!((dot_lower(&back), dot_upper(&back)), (f64::NEG_INFINITY, f64::INFINITY));
}

#[test]
fn probabilities_out_of_range_are_rejected() {
    for outside in [-0.1, 1.5, 1e308] {
        let error = theorem1_radius(alpha(), &[outside, 0.3], &[1.0; 2], 0.0, None).unwrap_err();
        assert_eq!(error, CertificateError::Probability(outside));
    }
    for cap in [f64::INFINITY, f64::NAN, -1.0] {
        let refused = theorem1_radius(alpha(), &[0.9, 0.1], &[1.0; 2], 0.0, Some(cap));
        assert!(matches!(refused, Err(CertificateError::Neighbourhood(_))), "{cap}");
    }
}

#[test]
fn half_of_a_failure_probability_is_exact() {
    for tiny in [f64::MIN_POSITIVE, f64::MIN_POSITIVE * 1.5, 5e-324] {
        assert!(FailureProbability::new(tiny).is_err(), "{tiny:e}");
    }
    let least = FailureProbability::new(2.0 * f64::MIN_POSITIVE).unwrap();
    assert_eq!(least.half().get(), f64::MIN_POSITIVE);
    let odd = FailureProbability::new((2.0 * f64::MIN_POSITIVE).next_up()).unwrap();
    assert_eq!(odd.half().get() * 2.0, odd.get());
}

#[test]
fn nothing_is_certified_at_one_half() {
    let half = Alpha::new(0.5).unwrap();
    assert!(!half.can_certify() && Alpha::new(0.5_f64.next_up()).unwrap().can_certify());
    let (p, sigma) = (LowerBound::from_value(1.0).unwrap(), Sigma::new(1.0).unwrap());
    assert_eq!(tight_radius(half, sigma, p, p.of_complement()), 0.0);
    assert_eq!(theorem2_radius(half, sigma, p, p.of_complement()), 0.0);
    assert_eq!(theorem1_radius(half, &[1.0, 0.0], &[1.0; 2], 0.0, None).unwrap(), 0.0);
}
