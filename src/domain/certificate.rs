//! The certificate of one prediction. [`crate::certificate`] holds the mathematics behind it.

use crate::certificate::RadiusMethod;
use crate::domain::{Basis, Norm};

/// Whether a prediction is certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateStatus {
    /// The class does not change within the radius.
    Certified,
    /// The server could prove nothing about this input.
    Abstained,
    /// The server can prove nothing about any input with these models and settings.
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
    /// Gaussian smoothing: the tight radius.
    Tight,
}

impl From<RadiusMethod> for CertificateMethod {
    fn from(method: RadiusMethod) -> Self {
        match method {
            RadiusMethod::Tight => Self::Tight,
            RadiusMethod::Theorem2 => Self::Theorem2,
        }
    }
}

/// The kind of bound that votes give on probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundKind {
    /// Valid at any number of votes.
    Anytime,
    /// Valid for a number of votes that is fixed in advance.
    ClopperPearson,
}

/// The reason why the server drew no more votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The target radius is proven.
    TargetReached,
    /// The target radius is out of reach, and more votes would prove little more.
    TargetOutOfReach,
    /// The vote budget was drawn.
    VoteBudget,
    /// The deadline passed.
    Deadline,
    /// The certificate needs no votes.
    NotSampled,
    /// No input can be certified. The votes settle the class, or the server draws no more of them
    /// for a class.
    ClassSettled,
}

/// The reason why this input has no certificate, although inputs can be certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbstentionReason {
    /// The robust model is not sure enough of the class: more votes would prove no radius either.
    RobustModelUnsure,
    /// The vote budget is too small. More votes may prove a radius.
    TooFewVotes,
    /// The deadline passed before enough votes were drawn.
    Deadline,
    /// The proven radius is less than the snapping loss of the input.
    SnappingLoss,
}

/// The votes behind a smoothed certificate.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingDetails {
    /// Probability, over the noise, that the certificate is false.
    pub failure_probability: f64,
    /// The kind of bound on the probabilities.
    pub bound: BoundKind,
    /// Estimation votes.
    pub votes: u64,
    /// Estimation votes for the class.
    pub votes_for_class: u64,
    /// The largest count of any other class.
    pub votes_for_runner_up: u64,
    /// Votes that chose the class and were then discarded.
    pub selection_votes: u64,
    /// All counted votes of both kinds. The certificate may describe an earlier number of votes.
    pub votes_drawn: u64,
    /// Lower bound on h for the class.
    pub lower_bound: f64,
    /// Upper bound on h for every other class.
    pub upper_bound: f64,
    /// Whether the upper bound has its own votes and its own share of the failure probability.
    pub two_sided: bool,
    /// The target radius of the votes' test.
    pub target_radius: Option<f64>,
    /// The key of this input's noise.
    pub noise_key: [u8; 32],
    /// Rows in one run of the base classifier. The base classifier is the model at this batch
    /// shape.
    pub batch_size: usize,
    /// Standard deviation of the noise, in the units of the float input.
    pub sigma: f64,
    /// Total-variation distance between the noise and the exact Gaussian, over all coordinates.
    pub total_variation: f64,
    /// The deduction from the radius that makes it cover inputs off the grid; 0 for bytes, which
    /// all lie on the grid.
    pub snapping_loss: f64,
    /// The target radius of the request, as the caller or the operator set it.
    pub requested_target_radius: Option<f64>,
    /// The radius that the vote budget of the request would prove if all votes were for one class,
    /// before the snapping loss is subtracted.
    pub largest_possible_radius: f64,
}

/// A claim about one prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    /// Whether the claim is proven.
    pub status: CertificateStatus,
    /// In the units of the float input, rounded down; 0 unless certified.
    pub radius: f64,
    /// Whether the radius covers every input of the range. The radius is then limited to the
    /// range's diameter.
    pub whole_range: bool,
    /// The basis of the robust model's property behind the radius.
    pub basis: Basis,
    /// The norm of the radius.
    pub norm: Option<Norm>,
    /// The theorem.
    pub method: Option<CertificateMethod>,
    /// The reason why there is no certificate.
    pub reason: String,
    /// The kind of that reason; `None` unless the status is `Abstained`.
    pub abstention: Option<AbstentionReason>,
    /// The votes, for a smoothed model.
    pub sampling: Option<SamplingDetails>,
    /// The reason why the server drew no more votes.
    pub stop_reason: StopReason,
    /// The largest integer N with sqrt(N) / 255 < radius, for l2 and inputs in [0, 1].
    pub radius_sq_levels: u64,
    /// An assumption that the operator allows against the result of the self-test; empty if none.
    pub caveat: String,
}

impl Certificate {
    /// The basis of the whole certificate. A certificate with a caveat is a claim.
    #[must_use]
    pub fn basis(&self) -> Basis {
        if self.caveat.is_empty() {
            self.basis
        } else {
            Basis::Claimed
        }
    }

    /// This certificate as unavailable: `reason` rules out a certificate for any input.
    #[must_use]
    pub fn withdrawn(self, reason: String) -> Self {
        Self {
            status: CertificateStatus::Unavailable,
            radius: 0.0,
            whole_range: false,
            radius_sq_levels: 0,
            method: None,
            reason,
            abstention: None,
            ..self
        }
    }

    /// A certificate that is unavailable for any input, with the reason.
    #[must_use]
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self {
            status: CertificateStatus::Unavailable,
            radius: 0.0,
            whole_range: false,
            // The default is the weaker basis, so that a claim never counts as a proof.
            basis: Basis::Claimed,
            norm: None,
            method: None,
            reason: reason.into(),
            abstention: None,
            sampling: None,
            stop_reason: StopReason::NotSampled,
            radius_sq_levels: 0,
            caveat: String::new(),
        }
    }
}
