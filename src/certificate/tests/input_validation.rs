//! Validation: which inputs are rejected, and which inputs certify nothing.

use super::examples::{plan, tally};
use crate::certificate::*;

#[test]
fn values_out_of_range_are_rejected() {
    for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert!(Alpha::new(bad).is_err());
        assert!(LowerBound::from_value(bad).is_err() && UpperBound::from_complement(bad).is_err());
    }
    for bad in [0.0, 1.0, -1.0, f64::NAN, 1e-320] {
        assert!(FailureProbability::new(bad).is_err());
    }
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Sigma::new(bad).is_err() && Temperature::new(bad).is_err());
        let target = SmoothingPlan {
            target_radius: Some(bad),
            ..plan()
        };
        assert!(matches!(
            certify(&target, tally(1, 0, 1)),
            Err(CertificateError::TargetRadius(_))
        ));
    }
    for bad in [-0.1, 1.1, f64::NAN] {
        let plan = SmoothingPlan {
            total_variation: bad,
            ..plan()
        };
        assert!(matches!(
            decide(&plan, tally(1, 0, 1), 9),
            Err(CertificateError::TotalVariation(_))
        ));
    }
    for bad in [
        tally(5, 0, 4),
        tally(3, 2, 4),
        tally(u64::MAX, u64::MAX, 4),
        tally(0, 0, u64::MAX),
    ] {
        assert!(matches!(certify(&plan(), bad), Err(CertificateError::Tally { .. })));
        assert!(choose_sides(&plan(), bad, 10, 100).is_err());
    }
}

#[test]
fn the_margin_needed_is_rounded_up() {
    assert_eq!(Alpha::new(1.0).unwrap().margin_needed(), 0.0);
    assert_eq!(Alpha::new(0.0).unwrap().margin_needed(), f64::INFINITY);
    assert!(Alpha::new(0.5).unwrap().margin_needed() >= 1.0);
    let margin = Alpha::new(0.75).unwrap().margin_needed();
    assert!(margin > 1.0 / 3.0 && margin < 1.0 / 3.0 + 1e-15, "{margin}");
    assert!(Alpha::new(0.5_f64.next_up()).unwrap().can_certify() && !Alpha::new(0.5).unwrap().can_certify());
}

#[test]
fn below_one_half_nothing_is_certified() {
    let half = Alpha::new(0.499_999).unwrap();
    let sure = tally(1000, 0, 1000);
    assert_eq!(
        certify(&SmoothingPlan { alpha: half, ..plan() }, sure).unwrap().radius,
        0.0
    );
    assert_eq!(theorem1_radius(half, &[1.0, 0.0], &[1.0, 1.0], 0.0, None).unwrap(), 0.0);
    assert_eq!(
        logit_radius(half, &[99.0, 0.0], Temperature::ONE, LogitConstant::Vector(1.0), 0.0).unwrap(),
        0.0
    );
    let target = SmoothingPlan {
        alpha: half,
        target_radius: Some(0.1),
        ..plan()
    };
    assert_eq!(
        decide(&target, tally(0, 0, 0), 1000).unwrap(),
        Decision::TargetOutOfReach
    );
}

#[test]
fn nan_and_infinity_certify_nothing() {
    let a = Alpha::new(0.9).unwrap();
    for bad in [f64::NAN, f64::INFINITY] {
        assert_eq!(theorem1_radius(a, &[0.9, bad], &[1.0, 1.0], 0.0, None).unwrap(), 0.0);
    }
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(
            logit_radius(a, &[9.0, bad], Temperature::ONE, LogitConstant::Vector(1.0), 0.0).unwrap(),
            0.0
        );
    }
    assert_eq!(theorem1_radius(a, &[1.0], &[1.0], 0.0, None).unwrap(), 0.0);
    assert_eq!(theorem1_radius(a, &[], &[], 0.0, None).unwrap(), 0.0);
    assert!(theorem1_radius(a, &[0.9, 0.1], &[1.0], 0.0, None).is_err());
    assert!(theorem1_radius(a, &[0.9, 0.1], &[1.0, 0.0], 0.0, None).is_err());
    assert!(theorem1_radius(a, &[0.9, 0.1], &[1.0, 1.0], f64::NAN, None).is_err());
    assert!(theorem1_radius(a, &[0.9, 0.1], &[1.0, 1.0], 0.0, Some(f64::NAN)).is_err());
    assert!(logit_radius(a, &[9.0, 1.0], Temperature::ONE, LogitConstant::PerLogit(-1.0), 0.0).is_err());
    assert!(logit_radius(a, &[9.0, 1.0], Temperature::ONE, LogitConstant::PerLogit(1.0), -1.0).is_err());
}

#[test]
fn radii_of_local_constants_stay_in_their_neighbourhood() {
    let a = Alpha::new(0.9).unwrap();
    let far = theorem1_radius(a, &[0.95, 0.05], &[0.1, 0.1], 0.0, None).unwrap();
    assert!(far > 3.0, "{far}");
    assert_eq!(
        theorem1_radius(a, &[0.95, 0.05], &[0.1, 0.1], 0.0, Some(0.5)).unwrap(),
        0.5
    );
    assert_eq!(
        theorem1_radius(a, &[0.95, 0.05], &[0.1, 0.1], 0.0, Some(99.0)).unwrap(),
        far
    );
    assert_eq!(
        theorem1_radius(a, &[0.95, 0.05], &[0.1, 0.1], 0.0, Some(0.0)).unwrap(),
        0.0
    );
}

#[test]
fn softmax_and_mixture_handle_special_values() {
    let t = Temperature::ONE;
    assert_eq!(log_softmax(&[f32::NAN, 0.0], t), [LOG_FLOOR; 2]);
    assert_eq!(log_softmax(&[f32::NEG_INFINITY; 2], t), [LOG_FLOOR; 2]);
    assert_eq!(log_softmax(&[f32::INFINITY, 0.0], t), [0.0, LOG_FLOOR]);
    assert_eq!(log_softmax(&[f32::MAX, f32::MIN], t), [0.0, LOG_FLOOR]);
    let even = log_softmax(&[3.0, 3.0], t);
    assert!((even[0] + std::f64::consts::LN_2).abs() < 1e-15);
    let warm = log_softmax(&[2.0, 0.0], Temperature::new(2.0).unwrap());
    assert!((warm[0] - warm[1] - 1.0).abs() < 1e-15);
    assert_eq!(
        log_probabilities(&[f32::NAN, -1.0, 2.0, 1.0, 0.0]),
        [LOG_FLOOR, LOG_FLOOR, 0.0, 0.0, LOG_FLOOR]
    );
    // At both ends the mixture equals exactly one network's output.
    let (g, h) = ([-0.1, -2.4], [-1.7, -0.2]);
    assert_eq!(mixed_logits(Alpha::new(0.0).unwrap(), &g, &h), g);
    assert_eq!(mixed_logits(Alpha::new(1.0).unwrap(), &g, &h), h);
    assert_eq!(LOG_FLOOR, f64::MIN_POSITIVE.ln());
    assert_eq!(argmax(&[1.0, 3.0, 3.0]), Some(1));
    assert_eq!(argmax(&[f64::NAN, -1.0]), Some(1));
    assert_eq!(argmax(&[]), None);
}
