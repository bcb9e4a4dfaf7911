//! Properties that hold for all inputs.

use crate::certificate::{
    Alpha, BoundMethod, FailureProbability, LogitConstant, LowerBound, RadiusMethod, Sides, Sigma, SmoothingPlan,
    Tally, Temperature, UpperBound, anytime, argmax, certify, clopper_pearson, discount_total_variation,
    log_probabilities, log_softmax, logit_radius, mixed_logits, normal, radius_sq_levels, required_p,
    required_p_theorem2, theorem1_radius, theorem2_radius, tight_radius,
};
use proptest::prelude::*;

/// The largest relative difference of two roundings of one exact value.
const ROUNDING: f64 = 1e-9;

fn alphas() -> impl Strategy<Value = f64> {
    prop_oneof![0.5..1.0_f64, Just(0.5), Just(1.0), Just(0.5 + 1e-12)]
}

/// Lower bounds of every size, including near 0 and near 1.
fn bounds() -> impl Strategy<Value = LowerBound> {
    prop_oneof![
        (0.0..1.0_f64).prop_map(|p| LowerBound::from_value(p).unwrap()),
        (-300.0..0.0_f64).prop_map(|e| LowerBound::from_complement(10.0_f64.powf(e)).unwrap()),
        (-300.0..0.0_f64).prop_map(|e| LowerBound::from_value(10.0_f64.powf(e)).unwrap()),
    ]
}

fn no_less(larger: f64, smaller: f64) -> bool {
    larger >= smaller * (1.0 - ROUNDING)
}

fn plan(a: f64, method: BoundMethod, delta: f64, sides: Sides, target: Option<f64>) -> SmoothingPlan {
    SmoothingPlan {
        alpha: Alpha::new(a).unwrap(),
        sigma: Sigma::new(0.5).unwrap(),
        radius_method: RadiusMethod::Tight,
        bound_method: method,
        failure_probability: FailureProbability::new(delta).unwrap(),
        sides,
        target_radius: target,
        total_variation: 0.0,
    }
}

proptest! {
    #[test]
    fn tight_is_never_below_theorem_2(a in alphas(), s in 0.01..10.0_f64, lower in bounds(), upper in bounds()) {
        let (alpha, sigma, upper) = (Alpha::new(a).unwrap(), Sigma::new(s).unwrap(), upper.of_complement());
        let tight = tight_radius(alpha, sigma, lower, upper);
        let theorem2 = theorem2_radius(alpha, sigma, lower, upper);
        prop_assert!(no_less(tight, theorem2), "{tight} < {theorem2}");
        prop_assert!(tight.is_finite() && tight >= 0.0 && theorem2 >= 0.0);
        // The paper's radius cannot exceed this ceiling for any h.
        let ceiling = s * normal::quantile_upper(UpperBound::from_complement(1.0 - a).unwrap());
        prop_assert!(theorem2 <= ceiling);
    }

    #[test]
    fn radii_grow_with_the_bound_and_with_alpha(
        a in alphas(), b in alphas(), s in 0.01..10.0_f64, p in bounds(), q in bounds(), upper in bounds(),
    ) {
        let sigma = Sigma::new(s).unwrap();
        let upper = upper.of_complement();
        let (less, more) = (Alpha::new(a.min(b)).unwrap(), Alpha::new(a.max(b)).unwrap());
        let best = p.stronger(q);
        for radius in [tight_radius, theorem2_radius] {
            prop_assert!(no_less(radius(less, sigma, best, upper), radius(less, sigma, p, upper)));
            prop_assert!(no_less(radius(more, sigma, p, upper), radius(less, sigma, p, upper)));
            // Less information about the runner-up cannot increase the radius.
            prop_assert!(no_less(radius(more, sigma, p, upper), radius(more, sigma, p, UpperBound::TRIVIAL)));
        }
    }

    #[test]
    fn required_p_is_sufficient_and_not_larger(a in 0.51..1.0_f64, s in 0.05..5.0_f64, w in 0.01..5.0_f64) {
        let (alpha, sigma, target) = (Alpha::new(a).unwrap(), Sigma::new(s).unwrap(), w * s);
        let p0 = required_p(alpha, sigma, target);
        let at = |c: f64| tight_radius(alpha, sigma, LowerBound::from_complement(c).unwrap(), UpperBound::TRIVIAL);
        prop_assert!(at(p0.complement()) >= target * (1.0 - 1e-12));
        prop_assert!(at(p0.complement() * (1.0 + 1e-6)) < target);
        let p0 = required_p_theorem2(alpha, sigma, target);
        if p0.complement() > 1e-6 {
            let at = |c: f64| theorem2_radius(alpha, sigma, LowerBound::from_complement(c).unwrap(), UpperBound::TRIVIAL);
            prop_assert!(at(p0.complement()) >= target * (1.0 - 1e-9));
            prop_assert!(at(p0.complement() * 1.001 + 1e-6) < target);
        }
    }

    #[test]
    fn bounds_are_ordered_and_monotone_in_the_votes(votes in 1..5000_u64, share in 0.0..1.0_f64, e in -100.0..-1.0_f64) {
        let hits = ((votes as f64) * share) as u64;
        let delta = FailureProbability::new(10.0_f64.powf(e)).unwrap();
        let rate = hits as f64 / votes as f64;
        for (lower, upper) in [
            (anytime::lower as fn(_, _, _) -> _, anytime::upper as fn(_, _, _) -> _),
            (clopper_pearson::lower, clopper_pearson::upper),
        ] {
            let (low, high): (LowerBound, UpperBound) = (lower(hits, votes, delta).unwrap(), upper(hits, votes, delta).unwrap());
            prop_assert!(low.value() <= rate && rate <= high.value());
            prop_assert!(low.value() + low.complement() >= 1.0 - 1e-15 && high.value() + high.complement() <= 1.0 + 1e-15);
            // One more hit among the same number of votes raises both bounds; a stricter level
            // widens both. The bound on the runner-up relies on the first property.
            if hits < votes {
                prop_assert!(no_less(lower(hits + 1, votes, delta).unwrap().value(), low.value()));
                prop_assert!(no_less(upper(hits + 1, votes, delta).unwrap().value(), high.value()));
            }
            prop_assert!(no_less(low.value(), lower(hits, votes, delta.half()).unwrap().value()));
            prop_assert!(no_less(upper(hits, votes, delta.half()).unwrap().value(), high.value()));
            // An additional vote for the class never lowers the bound.
            prop_assert!(no_less(lower(hits + 1, votes + 1, delta).unwrap().value(), low.value()));
        }
        // A bound that holds at every number of votes is looser than a bound for one number.
        prop_assert!(no_less(
            clopper_pearson::lower(hits, votes, delta).unwrap().value(),
            anytime::lower(hits, votes, delta).unwrap().value(),
        ));
    }

    #[test]
    fn a_certificate_grows_with_votes_for_the_class(
        a in 0.51..1.0_f64, votes in 1..3000_u64, share in 0.0..1.0_f64, next in 0.0..1.0_f64, target in prop::option::of(0.01..2.0_f64),
    ) {
        let hits = ((votes as f64) * share) as u64;
        let tally = Tally { votes, votes_for_class: hits, votes_for_runner_up: (((votes - hits) as f64) * next) as u64 };
        let more = Tally { votes: votes + 1, votes_for_class: hits + 1, ..tally };
        for sides in [Sides::OneSided, Sides::TwoSided] {
            let plan = plan(a, BoundMethod::Anytime, 1e-6, sides, target);
            let (now, then) = (certify(&plan, tally).unwrap(), certify(&plan, more).unwrap());
            prop_assert!(no_less(then.radius, now.radius));
            prop_assert!(then.target_accepted || !now.target_accepted);
            prop_assert_eq!(now.target_accepted, target.is_some_and(|t| now.radius >= t));
            // The radius follows from its own bounds, up to a rounding of the target.
            let again = tight_radius(plan.alpha, plan.sigma, now.p_lower, now.p_upper);
            prop_assert!(now.radius >= again && no_less(again, now.radius));
        }
    }

    #[test]
    fn total_variation_only_weakens(p in bounds(), q in bounds(), tv in prop_oneof![0.0..1.0_f64, -300.0..0.0_f64]) {
        let tv = if tv < 0.0 { 10.0_f64.powf(tv) } else { tv };
        let (upper, (low, high)) = (q.of_complement(), discount_total_variation(p, q.of_complement(), tv));
        prop_assert!(low.value() <= p.value() && low.complement() >= p.complement());
        prop_assert!(high.value() >= upper.value() && high.complement() <= upper.complement());
        // The change is the whole distance, where floats can resolve it.
        prop_assert!(low.value() == 0.0 || p.value() - low.value() >= tv - 3e-16);
        prop_assert!(high.value() == 1.0 || high.value() - upper.value() >= tv - 3e-16);
        prop_assert!(low.complement() - p.complement() <= tv + 3e-16 && high.value() - upper.value() <= tv + 3e-16);
    }

    #[test]
    fn mixed_logits_are_finite_for_any_model_output(a in 0.0..=1.0_f64, g in prop::collection::vec(any::<f32>(), 1..12), t in 1e-3..1e3_f64) {
        let h: Vec<f32> = g.iter().rev().copied().collect();
        let (alpha, t) = (Alpha::new(a).unwrap(), Temperature::new(t).unwrap());
        for standard in [log_softmax(&g, t), log_probabilities(&g)] {
            let mixed = mixed_logits(alpha, &standard, &log_softmax(&h, t));
            prop_assert_eq!(mixed.len(), g.len());
            prop_assert!(mixed.iter().all(|f| f.is_finite() && *f <= 0.0));
            prop_assert!(argmax(&mixed).is_some());
        }
    }

    /// Lemma 1 as the server applies it: from the margin on, no g changes the answer.
    #[test]
    fn the_margin_of_lemma_1_fixes_the_answer(a in 0.5..=1.0_f64, h_i in 0.0..0.5_f64, over in 0.0..1.0_f64, g_y in 0.0..=1.0_f64, g_i in 0.0..=1.0_f64) {
        let alpha = Alpha::new(a).unwrap();
        let least = h_i + alpha.margin_needed() + crate::certificate::mixing_allowance(2);
        let h_y = least + over * (1.0 - h_i - least).max(0.0);
        prop_assume!(h_y + h_i <= 1.0);
        let logs = |p: [f64; 2]| p.map(|p| p.max(f64::MIN_POSITIVE).ln());
        for g in [[g_y, g_i], [0.0, 1.0]] {
            let mixed = mixed_logits(alpha, &logs(g), &logs([h_y, h_i]));
            prop_assert_eq!(argmax(&mixed), Some(0));
        }
    }

    /// phi is never below Theorem 1: `|h_y - h_i|` is `sqrt(2)/2 L/T`-Lipschitz if the vector of
    /// logits is L-Lipschitz.
    #[test]
    fn logit_radii_are_never_below_theorem_1(z in prop::collection::vec(-10.0..10.0_f32, 2..8), a in 0.501..1.0_f64, t in 0.2..3.0_f64, l in 0.1..10.0_f64) {
        let (alpha, temperature) = (Alpha::new(a).unwrap(), Temperature::new(t).unwrap());
        let h: Vec<f64> = log_softmax(&z, temperature).iter().map(|p| p.exp()).collect();
        let constants = vec![std::f64::consts::SQRT_2 / 4.0 * l / t; z.len()];
        let theorem1 = theorem1_radius(alpha, &h, &constants, 0.0, None).unwrap();
        let logit = logit_radius(alpha, &z, temperature, LogitConstant::Vector(l), 0.0).unwrap();
        prop_assert!(logit >= theorem1 * (1.0 - 1e-9) - 1e-11 * t / l, "{logit} < {theorem1}");
    }

    /// An adversary who moves every difference of logits by the full radius, and uses both rounding
    /// errors, does not change the answer.
    #[test]
    fn no_adversary_beats_the_logit_radius(
        z in prop::collection::vec(-6.0..6.0_f32, 2..6), a in 0.501..1.0_f64, t in 0.2..3.0_f64, e in prop_oneof![Just(0.0), 0.0..0.2_f64],
    ) {
        let (alpha, temperature) = (Alpha::new(a).unwrap(), Temperature::new(t).unwrap());
        let radius = logit_radius(alpha, &z, temperature, LogitConstant::PerLogit(1.0), e).unwrap();
        let y = argmax(&z.iter().map(|&v| f64::from(v)).collect::<Vec<_>>()).unwrap();
        let margin_at = |r: f64| {
            // True logits differ by e from the observed ones, move by r each, and are then observed
            // with error e again.
            let moved: Vec<f64> = z.iter().enumerate().map(|(j, &v)| {
                (f64::from(v) + if j == y { -2.0 * e - r } else { 2.0 * e + r }) / t
            }).collect();
            let sum: f64 = moved.iter().map(|m| m.exp()).sum();
            let best = moved.iter().enumerate().filter(|&(j, _)| j != y).map(|(_, m)| m.exp()).fold(0.0, f64::max);
            (moved[y].exp() - best) / sum
        };
        let mu = (1.0 - a) / a;
        if radius > 0.0 {
            prop_assert!(margin_at(radius) >= mu);
            prop_assert!(margin_at(radius + 1e-6) < mu + 1e-12, "not the largest");
        }
    }

    #[test]
    fn the_integer_level_is_the_largest_inside_the_radius(radius in 1e-6..50.0_f64, levels in 1..70_000_u32) {
        let n = radius_sq_levels(radius, levels).unwrap();
        let width = radius * f64::from(levels);
        prop_assert!((n as f64).sqrt() <= width * (1.0 + 1e-15));
        prop_assert!(((n + 1) as f64).sqrt() >= width * (1.0 - 1e-15));
    }
}
