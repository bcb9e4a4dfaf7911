//! What the server claims about one answer. The mathematics behind the claim is in [`crate::certificate`].

use crate::domain::{Basis, Norm};

/// Whether an answer is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateStatus {
    /// Within the radius the answer does not change.
    Certified,
    /// Nothing could be proven about this input.
    Abstained,
    /// Nothing can be proven about any input with these models and settings.
    Unavailable,
}

/// The theorem behind a radius.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateMethod {
    /// Lipschitz probabilities: Theorem 1.
    Theorem1,
    /// Lipschitz logits.
    LogitLipschitz,
    /// Gaussian smoothing: Theorem 2.
    Theorem2,
    /// Gaussian smoothing, the tight radius.
    Tight,
}

/// How votes become bounds of probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundKind {
    /// Valid at every moment.
    Anytime,
    /// For a number of votes fixed beforehand.
    ClopperPearson,
}

/// Why no more votes were drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The target radius is proven.
    TargetReached,
    /// The target radius is out of reach.
    TargetOutOfReach,
    /// As many votes as allowed were drawn.
    VoteBudget,
    /// The deadline came.
    Deadline,
    /// The certificate needs no votes.
    NotSampled,
}

/// The votes behind a smoothed certificate.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingDetails {
    /// Probability, over the noise, that the certificate is wrong.
    pub failure_probability: f64,
    /// How votes became bounds.
    pub bound: BoundKind,
    /// Estimation votes.
    pub votes: u64,
    /// Estimation votes for the class.
    pub votes_for_class: u64,
    /// The largest count of another class.
    pub votes_for_runner_up: u64,
    /// Votes that chose the class and were dropped.
    pub selection_votes: u64,
    /// Votes of both kinds that were counted in all; the certificate may be about an earlier moment.
    pub votes_drawn: u64,
    /// Lower bound of h for the class.
    pub lower_bound: f64,
    /// Upper bound of h for every other class.
    pub upper_bound: f64,
    /// Whether the upper bound has votes and failure probability of its own.
    pub two_sided: bool,
    /// The radius that the votes were tested against.
    pub target_radius: Option<f64>,
    /// Key of this input's noise.
    pub noise_key: [u8; 32],
    /// Rows of one run of the base classifier: it is the model at this batch shape.
    pub batch_size: usize,
    /// Standard deviation of the noise, in the units of the float input.
    pub sigma: f64,
    /// Total-variation distance of the noise from the exact Gaussian, over all coordinates.
    pub total_variation: f64,
    /// Taken off the radius so that it covers inputs beside the grid too; 0 for bytes, which all lie on it.
    pub snapping_loss: f64,
}

/// A claim about one answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    /// Whether it is proven.
    pub status: CertificateStatus,
    /// In the units of the float input, rounded down; 0 unless certified.
    pub radius: f64,
    /// Whether the radius covers every input of the range: it is then cut to the range's diameter.
    pub whole_range: bool,
    /// What the property of the robust model that the radius rests on rests on itself.
    pub basis: Basis,
    /// The norm of the radius.
    pub norm: Option<Norm>,
    /// The theorem.
    pub method: Option<CertificateMethod>,
    /// Why there is no certificate.
    pub reason: String,
    /// The votes, for a smoothed model.
    pub sampling: Option<SamplingDetails>,
    /// Why no more votes were drawn.
    pub stop_reason: StopReason,
    /// The largest integer N with sqrt(N) / 255 < radius, for l2 and inputs in [0, 1].
    pub radius_sq_levels: u64,
    /// What the operator lets the proof assume against the self-test; empty if nothing.
    pub caveat: String,
}

impl Certificate {
    /// What the certificate rests on, all told: with a caveat nothing is proven.
    #[must_use]
    pub fn basis(&self) -> Basis {
        if self.caveat.is_empty() {
            self.basis
        } else {
            Basis::Claimed
        }
    }

    /// The same, of which nothing is certified for `reason`, as of any other input.
    #[must_use]
    pub fn withdrawn(self, reason: String) -> Self {
        Self {
            status: CertificateStatus::Unavailable,
            radius: 0.0,
            whole_range: false,
            radius_sq_levels: 0,
            method: None,
            reason,
            ..self
        }
    }

    /// No certificate for any input, and why.
    #[must_use]
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self {
            status: CertificateStatus::Unavailable,
            radius: 0.0,
            whole_range: false,
            // Until somebody says better: a word is never taken for a proof.
            basis: Basis::Claimed,
            norm: None,
            method: None,
            reason: reason.into(),
            sampling: None,
            stop_reason: StopReason::NotSampled,
            radius_sq_levels: 0,
            caveat: String::new(),
        }
    }
}
