//! Radii for a Lipschitz robust network.
//!
//! The certificate is about the server's own arithmetic, not about real numbers. At x and at the
//! attacked x' the network's output may be wrong by `error_bound`, so a difference of two outputs
//! loses `2 error_bound` at each end. The float64 arithmetic after it (softmax, the margin that
//! selects the weight, mixing) costs [`mixing_allowance`]. Every radius is in the units of the float
//! input and rounded down; 0 certifies nothing.

use crate::certificate::error::CertificateError;
use crate::certificate::numerics::dot_product::{dot_lower, dot_upper};
use crate::certificate::numerics::radius::Radius;
use crate::certificate::parameters::alpha::Alpha;
use crate::certificate::parameters::temperature::Temperature;

/// The largest change of a margin by the float64 softmax and mixing, for this number of classes, and
/// more than the error of the margin that selects the weight. It is added to the margin that Lemma 1
/// needs. Below 1e-12 for any practical number of classes.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a count of classes is far below 2^53")]
pub fn mixing_allowance(classes: usize) -> f64 {
    (64.0 + classes as f64) * f64::EPSILON
}

/// Theorem 1 (arXiv 2311.15165):
/// `min over i != y of (alpha (h_y - h_i) + alpha - 1) / (alpha (L_y + L_i))`, in the norm of the
/// constants.
///
/// - `probabilities`: h at x, one per class, each from 0 to 1; y is the largest. A NaN or an
///   infinity certifies nothing.
/// - `constants`: `L_i`, the Lipschitz constant of each probability, positive, one per class.
/// - `error_bound`: absolute bound on the rounding error of each probability.
/// - `neighbourhood`: the radius within which local constants hold; the result is at most this
///   radius.
///
/// Each `h_y - h_i` is lowered by `4 error_bound + mixing_allowance`.
///
/// # Errors
/// [`CertificateError`] for probabilities, constants, an error bound or a neighbourhood out of
/// range, and for a wrong number of constants.
pub fn theorem1_radius(
    alpha: Alpha,
    probabilities: &[f64],
    constants: &[f64],
    error_bound: f64,
    neighbourhood: Option<f64>,
) -> Result<f64, CertificateError> {
    if constants.len() != probabilities.len() {
        return Err(CertificateError::ConstantsPerClass {
            constants: constants.len(),
            classes: probabilities.len(),
        });
    }
    for &constant in constants {
        check_constant(constant)?;
    }
    check_error_bound(error_bound)?;
    if let Some(cap) = neighbourhood
        && !(cap.is_finite() && cap >= 0.0)
    {
        return Err(CertificateError::Neighbourhood(cap));
    }
    if let Some(&outside) = probabilities
        .iter()
        .find(|p| p.is_finite() && !(0.0..=1.0).contains(*p))
    {
        return Err(CertificateError::Probability(outside));
    }
    let Some((y, largest, _)) = top_two(probabilities) else {
        return Ok(0.0);
    };
    if !alpha.can_certify() {
        return Ok(0.0);
    }
    let a = alpha.get();
    let allowance = mixing_allowance(probabilities.len());
    let class_constant = constants.get(y).copied().unwrap_or(f64::INFINITY);
    let mut radius = neighbourhood.map(Radius::new);
    for (i, (&other, &constant)) in probabilities.iter().zip(constants).enumerate() {
        if i == y {
            continue;
        }
        let margin = dot_lower(&[
            (a, largest),
            (-a, other),
            (-4.0 * a, error_bound),
            (-a, allowance),
            (1.0, a),
            (-1.0, 1.0),
        ]);
        let rate = dot_upper(&[(a, class_constant), (a, constant)]);
        let candidate = Radius::rounded_down(margin / rate);
        radius = Some(radius.map_or(candidate, |least| least.smaller(candidate)));
    }
    Ok(radius.map_or(0.0, Radius::get))
}

/// A Lipschitz property of the logits z in `h = softmax(z / T)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LogitConstant {
    /// The vector of logits is L-Lipschitz from l2 to l2: a difference of two logits changes by at
    /// most `sqrt(2) L r`.
    Vector(f64),
    /// Each logit is L-Lipschitz, in any norm: a difference of two logits changes by at most
    /// `2 L r`.
    PerLogit(f64),
}

/// The radius for networks with Lipschitz logits: `T phi / (sqrt(2) L)` or `T phi / (2 L)`, where
/// `phi = ln[(2 alpha - 1) h_y / ((1 - alpha)(1 - h_y) + alpha h_i)]`. The runner-up i attains the
/// minimum over all other classes. Beyond the paper, and never below Theorem 1;
/// `docs/concepts/certificates.md` derives it.
///
/// - `logits`: z at x, one per class; y is the largest. A NaN or an infinity certifies nothing.
/// - `error_bound`: absolute bound on the rounding error of each logit. The largest errors at both
///   ends shift `T phi` by exactly `4 error_bound`, because phi is the distance by which every
///   `(z_y - z_j) / T` may fall together.
///
/// # Errors
/// [`CertificateError`] for a constant or an error bound out of range.
pub fn logit_radius(
    alpha: Alpha,
    logits: &[f32],
    temperature: Temperature,
    constant: LogitConstant,
    error_bound: f64,
) -> Result<f64, CertificateError> {
    let (LogitConstant::Vector(l) | LogitConstant::PerLogit(l)) = constant;
    check_constant(l)?;
    check_error_bound(error_bound)?;
    let logits: Vec<f64> = logits.iter().map(|&z| f64::from(z)).collect();
    let Some((y, largest, second)) = top_two(&logits) else {
        return Ok(0.0);
    };
    if !alpha.can_certify() {
        return Ok(0.0);
    }
    let allowance = mixing_allowance(logits.len());
    let margin = (alpha.margin_needed() + allowance).next_up();
    // 1 - mu - allowance, rounded down. 2 alpha - 1 is exact for alpha from 1/2 to 1.
    let slack = ((2.0 * alpha.get() - 1.0) / alpha.get()).next_down() - allowance;
    // This comparison is false for NaN.
    let has_slack = slack > 0.0;
    if !has_slack {
        return Ok(0.0);
    }
    let t = temperature.get();
    // With w_j = e^((z_j - z_i)/T) <= 1 for every j != y, and w_i = 1:
    // T phi = (z_y - z_i) - T [ln(1 + mu sum w_j) - ln(1 - mu)].
    let others = logits.iter().enumerate().filter(|&(j, _)| j != y);
    let weights: f64 = others.map(|(_, &z)| libm::exp((z - second) / t)).sum();
    let roundings = 4.0 * mixing_allowance(logits.len());
    let log_other_mass = libm::log1p(margin * weights * (1.0 + roundings));
    let log_slack = if margin < 0.5 {
        libm::log1p(-margin.next_up())
    } else {
        libm::log(slack.next_down())
    };
    let cost = (log_other_mass - log_slack) * (1.0 + 8.0 * f64::EPSILON);
    let shift = dot_lower(&[(1.0, largest), (-1.0, second), (-4.0, error_bound), (-t, cost)]);
    let rate = match constant {
        LogitConstant::Vector(l) => (std::f64::consts::SQRT_2.next_up() * l).next_up(),
        LogitConstant::PerLogit(l) => 2.0 * l,
    };
    Ok(Radius::rounded_down(shift / rate).get())
}

/// The index of the largest value, that value, and the largest other value. `None` for fewer than
/// two values, and if any value is not finite.
fn top_two(values: &[f64]) -> Option<(usize, f64, f64)> {
    if values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let y = crate::certificate::mixture::argmax(values)?;
    let largest = *values.get(y)?;
    let others = values.iter().enumerate().filter(|&(i, _)| i != y);
    let second = others
        .map(|(_, &v)| v)
        .reduce(|most, v| if v > most { v } else { most })?;
    Some((y, largest, second))
}

fn check_constant(constant: f64) -> Result<(), CertificateError> {
    if constant.is_finite() && constant > 0.0 {
        Ok(())
    } else {
        Err(CertificateError::LipschitzConstant(constant))
    }
}

fn check_error_bound(bound: f64) -> Result<(), CertificateError> {
    if bound.is_finite() && bound >= 0.0 {
        Ok(())
    } else {
        Err(CertificateError::ErrorBound(bound))
    }
}
