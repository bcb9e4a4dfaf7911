//! A fuzz target over the whole folder with raw bit patterns: NaN, infinities, subnormals, 1e308
//! and both zeros.
//!
//! `cargo test fuzz` runs a bounded number of cases. A longer run, for example one hour, on stable
//! Rust: `CERTIMIX_FUZZ_SECONDS=3600 cargo test --lib certificate::tests::fuzz -- --nocapture`. It
//! prints the number of executions and the seed; `CERTIMIX_FUZZ_SEED` repeats a run. Every radius
//! must be finite, at least 0, and 0 if an input is not finite. It must never exceed the same
//! formula in 80 decimal digits.

use super::{high_precision_lipschitz, high_precision_normal};
use crate::certificate::{
    Alpha, BoundMethod, FailureProbability, LogitConstant, LowerBound, RadiusMethod, Sides, Sigma, SmoothingPlan,
    Tally, Temperature, anytime, argmax, certify, choose_sides, clopper_pearson, decide, discount_total_variation,
    log_probabilities, log_softmax, logit_radius, mixed_logits, mixing_allowance, normal, radius_sq_levels, required_p,
    required_p_theorem2, theorem1_radius, theorem2_radius, tight_radius,
};
use std::time::{Duration, Instant};

const EDGES: [f64; 20] = [
    0.0,
    -0.0,
    1.0,
    0.5,
    0.76,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN,
    1e308,
    5e307,
    f64::MIN_POSITIVE,
    5e-324,
    f64::EPSILON,
    1e-300,
    1e154,
    1e-154,
    -1.0,
    2.0,
];

struct RandomInputs(fastrand::Rng);

impl RandomInputs {
    fn raw(&mut self) -> f64 {
        match self.0.u8(..8) {
            0..=2 => self.edge(),
            3 | 4 => f64::from_bits(self.0.u64(..)),
            5 => self.edge().next_up(),
            6 => self.edge().next_down(),
            _ => 10.0_f64.powf(self.0.f64() * 616.0 - 308.0),
        }
    }

    fn edge(&mut self) -> f64 {
        EDGES[self.0.usize(..EDGES.len())]
    }

    /// Usually a number that its type accepts, so that the cases pass the validation.
    fn or_raw(&mut self, usual: f64) -> f64 {
        if self.0.u8(..5) == 0 { self.raw() } else { usual }
    }

    fn unit(&mut self) -> f64 {
        let x = match self.0.u8(..4) {
            0 => 10.0_f64.powf(-self.0.f64() * 320.0),
            1 => 1.0 - 10.0_f64.powf(-self.0.f64() * 17.0),
            _ => self.0.f64(),
        };
        self.or_raw(x)
    }

    fn alpha(&mut self) -> Option<Alpha> {
        let a = match self.0.u8(..4) {
            0 => 1.0 - 10.0_f64.powf(-self.0.f64() * 17.0),
            1 => 0.5 + 10.0_f64.powf(-self.0.f64() * 17.0),
            _ => 0.5 + self.0.f64() / 2.0,
        };
        Alpha::new(self.or_raw(a)).ok()
    }

    fn scale(&mut self) -> f64 {
        let x = 10.0_f64.powf(self.0.f64() * 8.0 - 4.0);
        self.or_raw(x)
    }

    fn logits(&mut self) -> Vec<f32> {
        let spread = 10.0_f64.powf(self.0.f64() * 4.0 - 2.0);
        (0..self.0.usize(0..7))
            .map(|_| {
                if self.0.u8(..30) == 0 {
                    f32::from_bits(self.0.u32(..))
                } else {
                    #[expect(clippy::cast_possible_truncation, reason = "logits are float32")]
                    let z = ((self.0.f64() - 0.5) * spread) as f32;
                    z
                }
            })
            .collect()
    }

    fn lower(&mut self) -> LowerBound {
        let p = self.unit();
        let bound = if self.0.bool() {
            LowerBound::from_value(p)
        } else {
            LowerBound::from_complement(p)
        };
        bound.unwrap_or(LowerBound::TRIVIAL)
    }

    fn count(&mut self) -> u64 {
        match self.0.u8(..6) {
            0 => self.0.u64(..),
            1 => self.0.u64(..=1 << 41),
            2 => self.0.u64(..1_000_000),
            _ => self.0.u64(..400),
        }
    }
}

#[track_caller]
fn assert_valid_radius(radius: f64, finite: bool, context: &str) {
    assert!(radius.is_finite() && radius >= 0.0, "{context}: {radius:e}");
    assert!(
        finite || radius == 0.0,
        "{context}: {radius:e} although not all is finite"
    );
}

fn lipschitz(from: &mut RandomInputs) {
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
    let classes = from.0.usize(0..6);
    let first = from.0.f64();
    let mut h: Vec<f64> = (0..classes)
        .map(|i| if i == 0 { first } else { (1.0 - first) / 5.0 })
        .collect();
    if from.0.u8(..10) == 0 && classes > 0 {
        h[0] = from.raw();
    }
    let constants: Vec<f64> = (0..classes).map(|_| from.scale()).collect();
    let cap = from.0.bool().then(|| from.scale());
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

fn smoothed(from: &mut RandomInputs) {
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
        radius_sq_levels(x, from.0.u32(..)).is_none_or(|_| x.is_finite() && x > 0.0),
        "{x:e}"
    );
}

fn votes(from: &mut RandomInputs) {
    let (Some(alpha), Ok(sigma)) = (from.alpha(), Sigma::new(from.scale())) else {
        return;
    };
    let Ok(failure_probability) = FailureProbability::new(from.unit()) else {
        return;
    };
    let (a, b, c) = (from.count(), from.count(), from.count());
    let tally = Tally {
        votes: if from.0.u8(..8) == 0 { c } else { a.saturating_add(b) },
        votes_for_class: a,
        votes_for_runner_up: b,
    };
    let plan = SmoothingPlan {
        alpha,
        sigma,
        radius_method: if from.0.bool() {
            RadiusMethod::Tight
        } else {
            RadiusMethod::Theorem2
        },
        bound_method: if from.0.bool() {
            BoundMethod::Anytime
        } else {
            BoundMethod::ClopperPearson { votes: tally.votes }
        },
        failure_probability,
        sides: if from.0.bool() {
            Sides::OneSided
        } else {
            Sides::TwoSided
        },
        target_radius: from.0.bool().then(|| from.scale()),
        total_variation: if from.0.bool() { 0.0 } else { from.unit() },
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
    choose_sides(&plan, tally, from.0.usize(..5), budget.min(1 << 20)).unwrap();
}

fn mixture(from: &mut RandomInputs) {
    let Ok(alpha) = Alpha::new(from.unit()) else { return };
    let (a, b): (Vec<f64>, Vec<f64>) = (
        (0..5).map(|_| from.raw()).collect(),
        (0..5).map(|_| from.raw()).collect(),
    );
    let t = Temperature::new(from.scale()).unwrap_or(Temperature::ONE);
    let logits: Vec<f32> = (0..5).map(|_| f32::from_bits(from.0.u32(..))).collect();
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

#[test]
fn fuzz() {
    let seconds: Option<u64> = std::env::var("CERTIMIX_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok());
    let seed = std::env::var("CERTIMIX_FUZZ_SEED").ok().and_then(|s| s.parse().ok());
    let seed = seed.unwrap_or(if seconds.is_some() { fastrand::u64(..) } else { 1 });
    println!("seed {seed}");
    let mut from = RandomInputs(fastrand::Rng::with_seed(seed));
    let (start, mut executions) = (Instant::now(), 0_u64);
    loop {
        lipschitz(&mut from);
        smoothed(&mut from);
        votes(&mut from);
        mixture(&mut from);
        executions += 4;
        let done = match seconds {
            Some(seconds) => start.elapsed() >= Duration::from_secs(seconds),
            None => executions >= 8_000,
        };
        if done {
            break;
        }
    }
    println!("{executions} executions, no crash, {:.1?}", start.elapsed());
}
