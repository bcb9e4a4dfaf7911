//! The weights of the gated mixture: one where the robust network is sure enough, one elsewhere.

use super::error::CertificateError;
use super::numerics::nan_safe::at_least;
use super::parameters::alpha::Alpha;

/// The two weights of the robust network, and the rule that selects one for each input.
///
/// The weight of `h` is `alpha` where the margin `h_y - max_{i != y} h_i` is at least
/// `mu = (1 - alpha) / alpha`, and `fallback_alpha` where it is smaller. Every certificate proves
/// that margin on its whole ball. So every radius is the same for every `fallback_alpha`
/// (`docs/concepts/certificates.md`, section 1). With `fallback_alpha = alpha` this is the paper's
/// mixture (arXiv 2311.15165, Eq. 4); with 0 the standard network alone answers where nothing can
/// be proven.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixingWeights {
    alpha: Alpha,
    fallback_alpha: Alpha,
}

/// The rule that selected the weight of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightRule {
    /// The margin is at least `mu`: the weight is `alpha`.
    Alpha,
    /// The margin is smaller: the weight is `fallback_alpha`.
    Fallback,
}

impl MixingWeights {
    /// Accepts a `fallback_alpha` of at most `alpha`.
    ///
    /// # Errors
    /// [`CertificateError::FallbackAlpha`] if `fallback_alpha` is larger.
    pub fn new(alpha: Alpha, fallback_alpha: Alpha) -> Result<Self, CertificateError> {
        if fallback_alpha <= alpha {
            Ok(Self { alpha, fallback_alpha })
        } else {
            Err(CertificateError::FallbackAlpha {
                fallback_alpha: fallback_alpha.get(),
                alpha: alpha.get(),
            })
        }
    }

    /// The paper's mixture: `alpha` for every input.
    #[must_use]
    pub fn constant(alpha: Alpha) -> Self {
        Self {
            alpha,
            fallback_alpha: alpha,
        }
    }

    /// The weight where the margin is large enough, on which every certificate depends.
    #[must_use]
    pub fn alpha(self) -> Alpha {
        self.alpha
    }

    /// The weight where the margin is too small for a certificate.
    #[must_use]
    pub fn fallback_alpha(self) -> Alpha {
        self.fallback_alpha
    }

    /// Whether every input has the same weight: the paper's mixture.
    #[must_use]
    pub fn is_constant(self) -> bool {
        self.fallback_alpha == self.alpha
    }

    /// The weight of `rule`.
    #[must_use]
    pub fn weight(self, rule: WeightRule) -> Alpha {
        match rule {
            WeightRule::Alpha => self.alpha,
            WeightRule::Fallback => self.fallback_alpha,
        }
    }

    /// Selects the rule for one row of `ln h`, one value per class.
    ///
    /// The row is the one that is mixed, so the rule and the mixture read the same numbers. The margin
    /// is computed in float64. A Lipschitz certificate leaves [`mixing_allowance`] above `mu`, which
    /// is more than the error of the margin (`docs/concepts/certificates.md`, section 2).
    ///
    /// [`mixing_allowance`]: super::mixing_allowance
    #[must_use]
    pub fn rule(self, robust_log_probs: &[f64]) -> WeightRule {
        self.rule_for_margin(probability_margin(robust_log_probs))
    }

    /// Selects the rule for a row whose [`probability_margin`] is `margin`.
    #[must_use]
    pub fn rule_for_margin(self, margin: f64) -> WeightRule {
        if margin >= self.alpha.margin_needed() {
            WeightRule::Alpha
        } else {
            WeightRule::Fallback
        }
    }
}

/// `h_y - max_{i != y} h_i` of a row of `ln h`, where y is the largest entry. Range: 0 to 1. A NaN
/// counts as probability 0; a row of one class has the margin `h_y`. Its error is at most
/// `(3.7 + 2 ln K + K/2) 2^-52` for K classes.
#[must_use]
pub fn probability_margin(log_probs: &[f64]) -> f64 {
    let (mut largest, mut second) = (0.0, 0.0);
    for &log_prob in log_probs {
        let probability = at_least(libm::exp(log_prob), 0.0);
        if probability > largest {
            (largest, second) = (probability, largest);
        } else {
            second = at_least(second, probability);
        }
    }
    largest - second
}
