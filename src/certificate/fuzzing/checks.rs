//! The properties of the fuzz target. Every radius is finite, at least 0, and 0 if an input is not
//! finite. It never exceeds the same formula in 80 decimal digits.

use super::inputs::Inputs;
use super::{high_precision_lipschitz, high_precision_normal};
use crate::certificate::{
    Alpha, BoundMethod, FailureProbability, LogitConstant, RadiusMethod, Sides, Sigma, SmoothingPlan, Tally,
    Temperature, anytime, argmax, certify, choose_sides, clopper_pearson, decide, discount_total_variation,
    log_probabilities, log_softmax, logit_radius, mixed_logits, mixing_allowance, normal, radius_sq_levels, required_p,
    required_p_theorem2, theorem1_radius, theorem2_radius, tight_radius,
};

#[track_caller]
fn assert_valid_radius(radius: f64, finite: bool, context: &str) {
    assert!(radius.is_finite() && radius >= 0.0, "{context}: {radius:e}");
    assert!(
        finite || radius == 0.0,
        "{context}: {radius:e} although not all is finite"
    );
}

pub(super) fn lipschitz(from: &mut Inputs<'_>) {
    let Some(alpha) = from.alpha() else { return };
    let (logits, l, error) = (from.logits(), from.scale(), from.scale() * 1e-6);
    let error = from.or_raw(error);
    let t = Temperature::new(from.scale()).unwrap_or(Temperature::ONE);
    for constant in [LogitConstant::Vector(l), LogitConstant::PerLogit(l)] {
        let Ok(radius) = logit_radius(alpha, &logits, t, constant, error) else {
            assert!(!(l > 0.0 && l.is_finite() && error >= 0.0 && error.is_finite()));
            continue;
        };
        let context = format!("{alpha:?} {logits:?} {t:?} {constant:?} {error:e}");
        assert_valid_radius(radius, logits.iter().all(|z| z.is_finite()), &context);
        if radius > 0.0 {
            assert!(
                high_precision_lipschitz::logit_allows(alpha, &logits, t, constant, error, radius),
                "{context}: {radius:e}"
            );
        }
    }
    let classes = from.between(0, 6);
    let first = from.fraction();
    let mut h: Vec<f64> = (0..classes)
        .map(|i| if i == 0 { first } else { (1.0 - first) / 5.0 })
        .collect();
    if from.one_in(10) && classes > 0 {
        h[0] = from.raw();
    }
    let constants: Vec<f64> = (0..classes).map(|_| from.scale()).collect();
    let cap = from.flag().then(|| from.scale());
    if let Ok(radius) = theorem1_radius(alpha, &h, &constants, error, cap) {
        let context = format!("{alpha:?} {h:?} {constants:?} {error:e} {cap:?}");
        assert_valid_radius(radius, h.iter().all(|p| p.is_finite()), &context);
        assert!(cap.is_none_or(|cap| radius <= cap), "{context}");
        if radius > 0.0 {
            assert!(
                high_precision_lipschitz::theorem1_allows(alpha, &h, &constants, error, radius),
                "{context}: {radius:e}"
            );
        }
    }
    let allowance = mixing_allowance(classes);
    assert!(allowance > 0.0 && allowance < 1e-12);
}

pub(super) fn smoothed(from: &mut Inputs<'_>) {
    let (Some(alpha), Ok(sigma)) = (from.alpha(), Sigma::new(from.scale())) else {
        return;
    };
    let (lower, other) = (from.lower(), from.lower().of_complement());
    let context = format!("{alpha:?} {sigma:?} {lower:?} {other:?}");
    let tight = tight_radius(alpha, sigma, lower, other);
    let theorem2 = theorem2_radius(alpha, sigma, lower, other);
    assert_valid_radius(tight, alpha.can_certify(), &context);
    assert_valid_radius(theorem2, alpha.can_certify(), &context);
    // A quotient that overflows in one and not in the other is 0 there.
    if tight > 0.0 {
        assert!(theorem2 <= tight * (1.0 + 1e-9), "{context}: {theorem2:e} {tight:e}");
        // At the radius itself the margin is still at least mu, by quantiles and tails rounded in
        // the other directions.
        let upper = other.stronger(lower.of_complement());
        let width = tight / sigma.get();
        let (class, runner_up) = (
            normal::quantile_upper(lower.of_complement()), // -Phi^-1(p_lower), up
            normal::quantile_upper(upper),
        );
        let kept = normal::cdf_upper((-class - width).next_up()).value();
        let gained = normal::cdf_lower((runner_up + width).next_down()).value();
        assert!(kept - gained >= alpha.margin_needed() - 1e-10, "{context}: {tight:e}");
    }
    if tight > 0.0 {
        let allows = high_precision_normal::tight_allows(alpha, sigma, lower, other, tight);
        assert_ne!(allows, Some(false), "{context}: {tight:e}");
    }
    if theorem2 > 0.0 {
        let allows = high_precision_normal::theorem2_allows(alpha, sigma, lower, other, theorem2);
        assert_ne!(allows, Some(false), "{context}: {theorem2:e}");
    }
    let target = from.scale();
    for required in [required_p, required_p_theorem2] {
        let p0 = required(alpha, sigma, target);
        assert!(
            (0.0..=1.0).contains(&p0.value()) && (0.0..=1.0).contains(&p0.complement()),
            "{context} {target:e}"
        );
        assert!(
            target.is_finite() || target < 0.0 || p0.complement() == 0.0,
            "{context} {target:e}"
        );
    }
    let tv = from.unit();
    let (less, more) = discount_total_variation(lower, other, tv);
    assert!(
        less.value() <= lower.value() && more.value() >= other.value(),
        "{context} {tv:e}"
    );
    if let Some(n) = radius_sq_levels(tight, 255) {
        assert!(tight > 0.0 && (n < 1 << 40 || tight > 1e3), "{context} {n}");
    }
    let x = from.raw();
    let (down, up) = (normal::cdf_lower(x), normal::cdf_upper(x));
    assert!(down.value() <= up.value() && (0.0..=1.0).contains(&up.value()), "{x:e}");
    assert!(
        radius_sq_levels(x, from.bits32()).is_none_or(|_| x.is_finite() && x > 0.0),
        "{x:e}"
    );
}

pub(super) fn votes(from: &mut Inputs<'_>) {
    let (Some(alpha), Ok(sigma)) = (from.alpha(), Sigma::new(from.scale())) else {
        return;
    };
    let Ok(failure_probability) = FailureProbability::new(from.unit()) else {
        return;
    };
    let (a, b, c) = (from.count(), from.count(), from.count());
    let tally = Tally {
        votes: if from.one_in(8) { c } else { a.saturating_add(b) },
        votes_for_class: a,
        votes_for_runner_up: b,
    };
    let plan = SmoothingPlan {
        alpha,
        sigma,
        radius_method: if from.flag() {
            RadiusMethod::Tight
        } else {
            RadiusMethod::Theorem2
        },
        bound_method: if from.flag() {
            BoundMethod::Anytime
        } else {
            BoundMethod::ClopperPearson { votes: tally.votes }
        },
        failure_probability,
        sides: if from.flag() { Sides::OneSided } else { Sides::TwoSided },
        target_radius: from.flag().then(|| from.scale()),
        total_variation: if from.flag() { 0.0 } else { from.unit() },
    };
    let context = format!("{plan:?} {tally:?}");
    if tally.check().is_err() || plan.check().is_err() {
        assert!(certify(&plan, tally).is_err(), "{context}");
        return;
    }
    // The exact tail of many votes is slow, and smaller counts cover it.
    if tally.votes > 100_000 && plan.bound_method != BoundMethod::Anytime {
        return;
    }
    let proven = certify(&plan, tally).unwrap();
    assert_valid_radius(proven.radius, alpha.can_certify(), &context);
    // No bound may exceed the share of votes, unless the target test proves it.
    #[expect(clippy::cast_precision_loss, reason = "counts are at most 2^40")]
    let share = tally.votes_for_class as f64 / (tally.votes as f64);
    assert!(tally.votes > 0 || proven.radius == 0.0, "{context}");
    assert!(
        tally.votes == 0 || failure_probability.get() > 0.4 || proven.p_lower.value() <= share,
        "{context}"
    );
    for bounds in [anytime::lower, clopper_pearson::lower] {
        let small = bounds(a.min(50), 50, failure_probability).unwrap();
        assert!((0.0..=1.0).contains(&small.value()), "{context}");
    }
    let budget = from.count();
    decide(&plan, tally, budget.min(1 << 40)).unwrap();
    choose_sides(&plan, tally, from.between(0, 5), budget.min(1 << 20)).unwrap();
}

pub(super) fn mixture(from: &mut Inputs<'_>) {
    let Ok(alpha) = Alpha::new(from.unit()) else { return };
    let (a, b): (Vec<f64>, Vec<f64>) = (
        (0..5).map(|_| from.raw()).collect(),
        (0..5).map(|_| from.raw()).collect(),
    );
    let t = Temperature::new(from.scale()).unwrap_or(Temperature::ONE);
    let logits: Vec<f32> = (0..5).map(|_| f32::from_bits(from.bits32())).collect();
    for row in [
        mixed_logits(alpha, &a, &b),
        log_softmax(&logits, t),
        log_probabilities(&logits),
    ] {
        assert!(
            row.iter().all(|f| f.is_finite() && *f <= 0.0),
            "{alpha:?} {a:?} {b:?} {logits:?} {row:?}"
        );
    }
    assert!(argmax(&a).is_some_and(|i| i < 5));
}
