//! Classifiers with exactly known smoothed probabilities. The radius never exceeds the true radius,
//! and on half-spaces it equals the true radius.

use crate::certificate::numerics::normal::{cdf_lower, cdf_upper, quantile_lower, quantile_upper};
use crate::certificate::{
    Alpha, LOG_FLOOR, LowerBound, Sigma, UpperBound, argmax, mixed_logits, theorem2_radius, tight_radius,
};
use proptest::prelude::*;

/// Phi to a few roundings; these tests allow 1e-9.
fn phi(x: f64) -> f64 {
    cdf_lower(x).value()
}

fn at_least(p: f64) -> LowerBound {
    LowerBound::from_value((p - 1e-13).max(0.0)).unwrap()
}

/// The mixture's answer if the robust network returns (h_y, h_i, ...) and the attacker's standard
/// network returns i.
fn answer_under_attack(alpha: Alpha, h_y: f64, h_i: f64) -> usize {
    let robust: Vec<f64> = [h_y, h_i].iter().map(|p| p.max(f64::MIN_POSITIVE).ln()).collect();
    argmax(&mixed_logits(alpha, &[LOG_FLOOR, 0.0], &robust)).unwrap()
}

proptest! {
    /// One half-space at distance d: `h_y = Phi(d / sigma)`, and a move towards it by r gives
    /// `Phi((d - r) / sigma)`.
    #[test]
    fn a_half_space_gets_its_whole_radius(a in 0.501..1.0_f64, s in 0.05..3.0_f64, z in 0.05..6.0_f64) {
        let (alpha, sigma) = (Alpha::new(a).unwrap(), Sigma::new(s).unwrap());
        let d = z * s;
        let p = cdf_lower((d / s).next_down());
        let got = tight_radius(alpha, sigma, p, UpperBound::TRIVIAL);
        let half_over = UpperBound::from_complement((2.0 * a - 1.0) / (2.0 * a)).unwrap();
        let truth = (d - s * quantile_upper(half_over)).max(0.0);
        prop_assert!(got <= truth * (1.0 + 1e-12) + 1e-12 * s);
        prop_assert!(got >= truth * (1.0 - 1e-9) - 1e-12 * s);
        if got > 1e-3 * s {
            let inside = phi((d - got * (1.0 - 1e-6)) / s);
            prop_assert_eq!(answer_under_attack(alpha, inside, 1.0 - inside), 0);
            let outside = phi((d - got * (1.0 + 1e-6) - 1e-9 * s) / s);
            prop_assert_eq!(answer_under_attack(alpha, outside, 1.0 - outside), 1);
        }
        prop_assert!(theorem2_radius(alpha, sigma, p, UpperBound::TRIVIAL) <= got * (1.0 + 1e-12));
    }

    /// The class is y where `x > d`, i where `x < -e`, and another class between. At x = 0,
    /// `h_y = Phi((x - d)/sigma)` and `h_i = Phi((-e - x)/sigma)`.
    #[test]
    fn two_half_spaces_get_their_whole_radius(a in 0.55..1.0_f64, s in 0.05..3.0_f64, zy in -1.0..4.0_f64, gap in 0.0..3.0_f64) {
        let (alpha, sigma) = (Alpha::new(a).unwrap(), Sigma::new(s).unwrap());
        let zi = -zy - gap;
        let margin = |w: f64| phi(zy - w) - phi(zi + w);
        let mu = (1.0 - a) / a;
        let got = tight_radius(alpha, sigma, cdf_lower(zy), cdf_upper(zi));
        if margin(0.0) < mu - 1e-12 {
            prop_assert_eq!(got, 0.0);
        } else {
            prop_assert!(margin(got / s) >= mu - 1e-12);
            prop_assert!(margin(got / s * (1.0 + 1e-9) + 1e-9) < mu);
        }
        if got > 1e-3 * s {
            let beyond = got / s * (1.0 + 1e-6);
            prop_assert_eq!(answer_under_attack(alpha, phi(zy - beyond), phi(zi + beyond)), 1);
        }
    }

    /// The class is y in a shell `inner < |x| < outer` of three dimensions, where the probability
    /// is elementary; two classes.
    #[test]
    fn a_shell_gets_no_more_than_its_radius(
        a in 0.51..1.0_f64, s in 0.1..1.0_f64, inner in 0.0..2.0_f64, thickness in 0.5..5.0_f64, place in 0.0..1.0_f64,
    ) {
        let (alpha, sigma) = (Alpha::new(a).unwrap(), Sigma::new(s).unwrap());
        let outer = inner + thickness;
        let h = |rho: f64| in_ball(rho, outer, s) - in_ball(rho, inner, s);
        let rho = inner + place * thickness;
        let p = at_least(h(rho));
        for radius in [tight_radius(alpha, sigma, p, UpperBound::TRIVIAL), theorem2_radius(alpha, sigma, p, UpperBound::TRIVIAL)] {
            // The ball of that radius reaches every distance from the centre between these two, and
            // only the distance matters.
            let needed = 1.0 / (2.0 * a);
            for k in 0..=200 {
                let moved = (rho - radius).max(0.0) + f64::from(k) / 200.0 * (rho + radius - (rho - radius).max(0.0));
                prop_assert!(radius == 0.0 || h(moved) >= needed - 1e-11, "{} at {moved}", h(moved));
            }
        }
    }
}

/// `P(|x + sigma Z| < radius)` in three dimensions with `|x| = rho`: the noncentral chi
/// distribution.
fn in_ball(rho: f64, radius: f64, s: f64) -> f64 {
    if radius == 0.0 {
        return 0.0;
    }
    let rho = rho.max(1e-4 * s);
    let (near, far) = ((radius - rho) / s, (radius + rho) / s);
    let wave = (-near * near / 2.0).exp() - (-far * far / 2.0).exp();
    phi(near) - phi(-far) - s / rho * wave / (2.0 * std::f64::consts::PI).sqrt()
}

/// The tests on balls and half-spaces rely on this: the quantile inverts the distribution function.
#[test]
fn quantile_and_distribution_are_inverses() {
    for k in -80..=80 {
        let x = f64::from(k) / 10.0;
        assert!((quantile_lower(cdf_lower(x)) - x).abs() < 1e-11, "{x}");
        assert!(
            quantile_lower(cdf_lower(x)) <= x && quantile_upper(cdf_upper(x)) >= x,
            "{x}"
        );
    }
}
