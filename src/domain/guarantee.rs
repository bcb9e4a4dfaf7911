//! What is proven about a robust model.

use std::fmt;

/// A norm in which perturbations are measured.
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

/// The property of a robust model `h` that its manifest vouches for.
#[derive(Debug, Clone, PartialEq)]
pub enum Guarantee {
    /// Nothing is proven: no certificate can be given.
    None,
    /// Each probability `h_i` is `constants[i]`-Lipschitz in `norm` (Theorem 1 of the paper).
    LipschitzProbabilities {
        /// In which the constants hold.
        norm: Norm,
        /// `L_i`, one for each class, per unit of the float input.
        constants: Vec<f64>,
        /// The constants hold only this far from any input; `None` if everywhere.
        neighbourhood: Option<f64>,
        /// Absolute bound on the rounding error of each probability.
        error_bound: f64,
    },
    /// The logits are Lipschitz, `h = softmax(z / T)`.
    LipschitzLogits {
        /// In which the constant holds.
        norm: Norm,
        /// `L`, per unit of the float input.
        constant: f64,
        /// True if the logit vector is `L`-Lipschitz in l2 as a whole, false if each logit is.
        vector_valued: bool,
        /// Absolute bound on the rounding error of each logit.
        error_bound: f64,
    },
    /// `h_i(x)` is the probability that the model, as a base classifier, answers `i` on `x` plus Gaussian noise; l2.
    GaussianSmoothing {
        /// Standard deviation of the noise, in the units of the float input.
        sigma: f64,
        /// The grid of the inputs: `low + k (high - low) / levels`.
        levels: u32,
    },
}

impl Guarantee {
    /// The norm of the certificates, if there are any.
    #[must_use]
    pub fn norm(&self) -> Option<Norm> {
        match self {
            Self::None => None,
            Self::LipschitzProbabilities { norm, .. } | Self::LipschitzLogits { norm, .. } => Some(*norm),
            Self::GaussianSmoothing { .. } => Some(Norm::L2),
        }
    }

    /// The name used in manifests.
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
