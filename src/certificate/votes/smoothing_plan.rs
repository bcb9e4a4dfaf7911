//! The plan of a smoothed certificate: what to prove, and by which bounds.

use crate::certificate::error::CertificateError;
use crate::certificate::parameters::alpha::Alpha;
use crate::certificate::parameters::failure_probability::FailureProbability;
use crate::certificate::parameters::sigma::Sigma;

/// The largest radius that a request or the settings may name, in the units of the float input. It
/// is far beyond any input, and far below an overflow when it is added to or divided by the noise.
pub const MAX_TARGET_RADIUS: f64 = 1e30;

/// The formula that turns bounds on probabilities into a radius.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RadiusMethod {
    /// The largest radius that the bounds allow:
    /// [`tight_radius`](crate::certificate::tight_radius).
    Tight,
    /// The paper's radius, for comparison:
    /// [`theorem2_radius`](crate::certificate::theorem2_radius).
    Theorem2,
}

/// The method that turns votes into bounds on probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BoundMethod {
    /// A confidence sequence: valid at any number of votes and for any reason to stop.
    Anytime,
    /// Exact for a number of estimation votes that is fixed in advance. Any other number of votes
    /// certifies nothing, because the loop may have stopped because of the votes.
    ClopperPearson {
        /// The fixed number.
        votes: u64,
    },
}

/// The probabilities that the votes bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sides {
    /// `h_y` only, with the whole failure probability; every other class is at most `1 - h_y`.
    OneSided,
    /// `h_y` and the largest other class, each with half of the failure probability.
    TwoSided,
}

/// All parameters of a smoothed certificate except the votes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmoothingPlan {
    /// The weight of the robust network.
    pub alpha: Alpha,
    /// The standard deviation of the noise, in the units of the float input.
    pub sigma: Sigma,
    /// The formula from bounds to a radius.
    pub radius_method: RadiusMethod,
    /// The method from votes to bounds.
    pub bound_method: BoundMethod,
    /// The probability, over the noise, that any reported statement is false.
    pub failure_probability: FailureProbability,
    /// The bounds in use, chosen before the first estimation vote: see
    /// [`choose_sides`](crate::certificate::choose_sides).
    pub sides: Sides,
    /// The radius to prove, in the units of the float input; `None` to prove as much as the votes
    /// allow. It is fixed before the first estimation vote.
    pub target_radius: Option<f64>,
    /// Total-variation distance between the drawn noise and the exact discretised Gaussian, over
    /// the whole input: the table's error times the dimension. From 0 to 1.
    pub total_variation: f64,
}

impl SmoothingPlan {
    /// Whether a target test spends half of the failure probability. The anytime method with one
    /// side has such a test. With two sides the target is reached when the bounds reach it.
    #[must_use]
    pub fn has_target_test(&self) -> bool {
        self.target_radius.is_some() && self.bound_method == BoundMethod::Anytime && self.sides == Sides::OneSided
    }

    /// Checks the fields whose types do not validate them.
    ///
    /// # Errors
    /// [`CertificateError::TargetRadius`] and [`CertificateError::TotalVariation`].
    pub fn check(&self) -> Result<(), CertificateError> {
        if let Some(target) = self.target_radius
            && !(target.is_finite() && target > 0.0)
        {
            return Err(CertificateError::TargetRadius(target));
        }
        if !(0.0..=1.0).contains(&self.total_variation) {
            return Err(CertificateError::TotalVariation(self.total_variation));
        }
        Ok(())
    }
}
