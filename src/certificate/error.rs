//! Errors for values outside the range in which a certificate has a meaning.

use thiserror::Error;

/// A value outside the range in which a certificate has a meaning.
///
/// Too small a margin, too few votes and an alpha below 1/2 are no errors: they give a radius of 0.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum CertificateError {
    /// The mixing weight is not a number from 0 to 1.
    #[error("alpha must be a number from 0 to 1, not {0}")]
    Alpha(f64),
    /// The weight of the robust network without a large enough margin exceeds alpha.
    #[error("fallback_alpha must be at most alpha = {alpha}, not {fallback_alpha}")]
    FallbackAlpha {
        /// The weight where the margin is too small.
        fallback_alpha: f64,
        /// The weight where the margin is large enough.
        alpha: f64,
    },
    /// The failure probability is not strictly between 0 and 1, or it is so small that its half
    /// loses digits.
    #[error("failure_probability must lie strictly between 0 and 1, and be at least 2^-1021 (4.5e-308), not {0}")]
    FailureProbability(f64),
    /// The standard deviation of the noise is not a positive finite number.
    #[error("sigma must be positive and finite, not {0}")]
    Sigma(f64),
    /// The softmax temperature is not a positive finite number.
    #[error("the temperature must be positive and finite, not {0}")]
    Temperature(f64),
    /// A probability is not a number from 0 to 1.
    #[error("a probability must be a number from 0 to 1, not {0}")]
    Probability(f64),
    /// A Lipschitz constant is not a positive finite number.
    #[error("a Lipschitz constant must be positive and finite, not {0}")]
    LipschitzConstant(f64),
    /// A bound on rounding error is negative or not finite.
    #[error("an error bound must be at least 0 and finite, not {0}")]
    ErrorBound(f64),
    /// The radius of the neighbourhood in which local constants hold is negative or not finite.
    #[error("the neighbourhood's radius must be at least 0 and finite, not {0}")]
    Neighbourhood(f64),
    /// A target radius is not a positive finite number.
    #[error("the target radius must be positive and finite, not {0}")]
    TargetRadius(f64),
    /// A total-variation distance is not a number from 0 to 1.
    #[error("a total-variation distance must be a number from 0 to 1, not {0}")]
    TotalVariation(f64),
    /// The number of Lipschitz constants differs from the number of classes.
    #[error("{constants} Lipschitz constants for {classes} classes")]
    ConstantsPerClass {
        /// The number of constants.
        constants: usize,
        /// The number of classes in the model's output.
        classes: usize,
    },
    /// The counts contradict each other, or are too large to be represented exactly.
    #[error(
        "{votes_for_class} votes for the class and {votes_for_runner_up} for the runner-up \
         cannot be among {votes} (at most {max} are supported)"
    )]
    Tally {
        /// All votes.
        votes: u64,
        /// Votes for the certified class.
        votes_for_class: u64,
        /// The largest other count.
        votes_for_runner_up: u64,
        /// The largest number of votes supported.
        max: u64,
    },
}
