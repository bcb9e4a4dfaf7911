//! The proven property of a robust model.

use std::fmt;

/// The norm that measures perturbations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// Sum of absolute values.
    L1,
    /// Euclidean.
    L2,
    /// Largest absolute value.
    Linf,
}

impl fmt::Display for Norm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::Linf => "linf",
        })
    }
}

/// The property of a robust model `h` that its manifest states.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelGuarantee {
    /// No property: the server gives no certificates.
    None,
    /// Each probability `h_i` is `constants[i]`-Lipschitz in `norm` (Theorem 1 of the paper).
    LipschitzProbabilities {
        /// The norm in which the constants hold.
        norm: Norm,
        /// `L_i`, one constant per class, per unit of the float input.
        constants: Vec<f64>,
        /// The distance from any input within which the constants hold; `None` if they hold
        /// everywhere.
        neighbourhood: Option<f64>,
        /// Absolute bound on the rounding error of each probability.
        error_bound: f64,
    },
    /// The logits are Lipschitz, `h = softmax(z / T)`.
    LipschitzLogits {
        /// The norm in which the constant holds.
        norm: Norm,
        /// `L`, per unit of the float input.
        constant: f64,
        /// Whether the whole logit vector is `L`-Lipschitz in l2; if false, each logit is.
        vector_valued: bool,
        /// Absolute bound on the rounding error of each logit.
        error_bound: f64,
    },
    /// `h_i(x)` is the probability that the model, as a base classifier, returns `i` for `x` plus
    /// Gaussian noise; l2.
    GaussianSmoothing {
        /// Standard deviation of the noise, in the units of the float input.
        sigma: f64,
        /// The number of steps of the input grid: `low + k (high - low) / levels`.
        levels: u32,
    },
}

impl ModelGuarantee {
    /// The norm of the certificates; `None` without a guarantee.
    #[must_use]
    pub fn norm(&self) -> Option<Norm> {
        match self {
            Self::None => None,
            Self::LipschitzProbabilities { norm, .. } | Self::LipschitzLogits { norm, .. } => Some(*norm),
            Self::GaussianSmoothing { .. } => Some(Norm::L2),
        }
    }

    /// The name in manifests.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::LipschitzProbabilities { .. } => "lipschitz_probabilities",
            Self::LipschitzLogits { .. } => "lipschitz_logits",
            Self::GaussianSmoothing { .. } => "gaussian_smoothing",
        }
    }
}
