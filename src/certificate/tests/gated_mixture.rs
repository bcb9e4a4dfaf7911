//! The gated mixture: certificates do not depend on the weight below the margin.

use crate::certificate::{
    Alpha, LOG_FLOOR, LogitConstant, LowerBound, MixingWeights, Sigma, Temperature, UpperBound, WeightRule, argmax,
    log_softmax, logit_radius, mixed_logits, normal, tight_radius,
};
use proptest::prelude::*;

fn weights(alpha: f64, fallback_alpha: f64) -> MixingWeights {
    MixingWeights::new(Alpha::new(alpha).unwrap(), Alpha::new(fallback_alpha).unwrap()).unwrap()
}

/// The class of the gated mixture, as the server computes it.
fn gated_class(weights: MixingWeights, standard: &[f64], robust: &[f64]) -> usize {
    argmax(&mixed_logits(weights.weight(weights.rule(robust)), standard, robust)).unwrap()
}

/// The standard network that is worst for `class`: certain of another one.
fn against(class: usize, classes: usize) -> Vec<f64> {
    (0..classes)
        .map(|i| if i == (class + 1) % classes { 0.0 } else { LOG_FLOOR })
        .collect()
}

fn ln(probabilities: &[f64]) -> Vec<f64> {
    probabilities.iter().map(|p| p.max(f64::MIN_POSITIVE).ln()).collect()
}

proptest! {
    /// The network `z(x) = x` is 1-Lipschitz in l2, and its float32 outputs are exact. Every float32
    /// point strictly inside the radius has the class of x, whatever g and `fallback_alpha` are.
    #[test]
    fn no_point_within_a_lipschitz_radius_changes_the_class(
        a in 0.501..=1.0_f64, fallback in 0.0..=1.0_f64, t in 0.05..3.0_f64,
        z in prop::collection::vec(-4.0..4.0_f32, 2..6), direction in prop::collection::vec(-1.0..1.0_f64, 6),
        share in prop_oneof![0.0..1.0_f64, 0.999..1.0_f64, Just(1.0)], towards_runner_up: bool,
        g in prop::collection::vec(-30.0..0.0_f64, 6),
    ) {
        let (alpha, temperature) = (Alpha::new(a).unwrap(), Temperature::new(t).unwrap());
        let weights = weights(a, a * fallback);
        let radius = logit_radius(alpha, &z, temperature, LogitConstant::Vector(1.0), 0.0).unwrap();
        prop_assume!(radius > 0.0);
        let robust = log_softmax(&z, temperature);
        let class = argmax(&robust).unwrap();
        prop_assert_eq!(weights.rule(&robust), WeightRule::Alpha);
        let runner_up = (0..z.len()).filter(|&i| i != class).max_by(|&i, &j| z[i].total_cmp(&z[j])).unwrap();
        let direction: Vec<f64> = (0..z.len())
            .map(|i| match (towards_runner_up, i) {
                (true, i) if i == class => -1.0,
                (true, i) if i == runner_up => 1.0,
                (true, _) => 0.0,
                (false, i) => direction[i],
            })
            .collect();
        let norm = direction.iter().map(|d| d * d).sum::<f64>().sqrt();
        prop_assume!(norm > 1e-3);
        let moved: Vec<f32> = z.iter().zip(&direction).map(|(&z, d)| (f64::from(z) + share * radius * d / norm) as f32).collect();
        let distance = moved.iter().zip(&z).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt();
        prop_assume!(distance < radius * (1.0 - 1e-15));
        let moved = log_softmax(&moved, temperature);
        prop_assert_eq!(weights.rule(&moved), WeightRule::Alpha);
        for standard in [against(class, z.len()), g[..z.len()].to_vec()] {
            prop_assert_eq!(gated_class(weights, &standard, &moved), class);
        }
    }

    /// The smoothed half-space has `h_y = Phi((d - x)/sigma)` exactly. Within the radius the ideal
    /// gated classifier has the weight alpha and the class y.
    #[test]
    fn no_point_within_a_smoothed_radius_changes_the_class(
        a in 0.501..1.0_f64, fallback in 0.0..=1.0_f64, z in 0.05..6.0_f64, share in prop_oneof![0.0..1.0_f64, Just(1.0 - 1e-9)],
    ) {
        let (alpha, weights) = (Alpha::new(a).unwrap(), weights(a, a * fallback));
        let lower = normal::cdf_lower(z);
        let radius = tight_radius(alpha, Sigma::new(1.0).unwrap(), lower, UpperBound::TRIVIAL);
        prop_assume!(radius > 1e-6);
        let h_y = normal::cdf_lower(z - share * radius).value();
        let robust = ln(&[h_y, 1.0 - h_y]);
        prop_assert_eq!(weights.rule(&robust), WeightRule::Alpha);
        prop_assert_eq!(gated_class(weights, &against(0, 2), &robust), 0);
    }

    /// Where the margin is too small, the weight is `fallback_alpha`; at 0 the class is that of g.
    #[test]
    fn below_the_margin_the_fallback_weight_applies(a in 0.0..=1.0_f64, fallback in 0.0..=1.0_f64, h in prop::collection::vec(0.0..1.0_f64, 2..6), g in 0_usize..6) {
        let sum: f64 = h.iter().sum();
        prop_assume!(sum > 0.0);
        let h: Vec<f64> = h.iter().map(|p| p / sum).collect();
        let mut sorted = h.clone();
        sorted.sort_by(f64::total_cmp);
        let margin = sorted[h.len() - 1] - sorted[h.len() - 2];
        let (alpha, weights) = (Alpha::new(a).unwrap(), weights(a, a * fallback));
        let expected = if margin >= alpha.margin_needed() + 1e-12 {
            WeightRule::Alpha
        } else if margin < alpha.margin_needed() - 1e-12 {
            WeightRule::Fallback
        } else {
            return Ok(());
        };
        let robust = ln(&h);
        prop_assert_eq!(weights.rule(&robust), expected);
        let g = g % h.len();
        let standard: Vec<f64> = (0..h.len()).map(|i| if i == g { 0.0 } else { LOG_FLOOR }).collect();
        if expected == WeightRule::Fallback {
            let pure = MixingWeights::new(alpha, Alpha::new(0.0).unwrap()).unwrap();
            prop_assert_eq!(gated_class(pure, &standard, &robust), g);
        }
    }

    /// `fallback_alpha = alpha` is the paper's mixture, bit for bit.
    #[test]
    fn a_constant_weight_is_the_papers_mixture(a in 0.0..=1.0_f64, h in prop::collection::vec(any::<f32>(), 1..6), g in prop::collection::vec(any::<f32>(), 6)) {
        let (alpha, t) = (Alpha::new(a).unwrap(), Temperature::ONE);
        let (standard, robust) = (log_softmax(&g[..h.len()], t), log_softmax(&h, t));
        for weights in [MixingWeights::constant(alpha), weights(a, a)] {
            prop_assert!(weights.is_constant());
            let weight = weights.weight(weights.rule(&robust));
            let bits = |alpha| mixed_logits(alpha, &standard, &robust).iter().map(|f| f.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(weight), bits(alpha));
        }
    }
}

#[test]
fn the_margin_decides_at_its_exact_value() {
    // mu = 1/3 at alpha 3/4, rounded up: the next float above 1/3 reaches it, 1/3 itself does not.
    let weights = weights(0.75, 0.0);
    let margin_needed = weights.alpha().margin_needed();
    assert!(margin_needed > 1.0 / 3.0 && margin_needed - 1.0 / 3.0 < 1e-15);
    let rule = |margin: f64| weights.rule(&[((1.0 + margin) / 2.0).ln(), ((1.0 - margin) / 2.0).ln()]);
    assert_eq!(rule(1.0 / 3.0 + 1e-14), WeightRule::Alpha);
    assert_eq!(rule(1.0 / 3.0 - 1e-14), WeightRule::Fallback);
}

#[test]
fn at_the_ends_of_alpha_one_rule_covers_every_input() {
    let rows = [
        vec![0.0, LOG_FLOOR],
        vec![-0.7, -0.7],
        vec![LOG_FLOOR, LOG_FLOOR],
        vec![f64::NAN, -1.0],
    ];
    for row in &rows {
        // alpha 1 needs no margin; alpha 1/2 and below need more than there is.
        assert_eq!(weights(1.0, 0.0).rule(row), WeightRule::Alpha, "{row:?}");
        for alpha in [0.0, 0.25, 0.5] {
            assert_eq!(weights(alpha, 0.0).rule(row), WeightRule::Fallback, "{row:?}");
        }
    }
    // A NaN counts as probability 0.
    assert_eq!(weights(0.75, 0.0).rule(&[f64::NAN, 0.0]), WeightRule::Alpha);
    assert_eq!(weights(0.75, 0.0).rule(&[f64::NAN, f64::NAN]), WeightRule::Fallback);
}

#[test]
fn a_fallback_above_alpha_is_refused() {
    let alpha = |value| Alpha::new(value).unwrap();
    let error = MixingWeights::new(alpha(0.6), alpha(0.7)).unwrap_err().to_string();
    assert_eq!(error, "fallback_alpha must be at most alpha = 0.6, not 0.7");
    assert!(MixingWeights::new(alpha(0.6), alpha(0.6)).is_ok());
    // A lower bound that certifies nothing has no radius either.
    assert_eq!(
        tight_radius(
            alpha(0.6),
            Sigma::new(1.0).unwrap(),
            LowerBound::from_value(0.5).unwrap(),
            UpperBound::TRIVIAL
        ),
        0.0
    );
}
