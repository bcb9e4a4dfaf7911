//! What a smoothed certificate is to prove, and by which bounds.

use crate::certificate::error::CertificateError;
use crate::certificate::parameters::alpha::Alpha;
use crate::certificate::parameters::failure_probability::FailureProbability;
use crate::certificate::parameters::sigma::Sigma;

/// The largest radius that a request or the settings may ask for, in the units of the float input. Far beyond any input, and
/// far from where adding to it or dividing it by the noise overflows.
pub const MAX_TARGET_RADIUS: f64 = 1e30;

/// From bounds on probabilities to a radius.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RadiusMethod {
    /// The largest radius that the bounds allow: [`tight_radius`](crate::certificate::tight_radius).
    Tight,
    /// The paper's, for comparison: [`theorem2_radius`](crate::certificate::theorem2_radius).
    Theorem2,
}

/// From votes to bounds on probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BoundMethod {
    /// A confidence sequence: valid whenever the votes stop, for whatever reason.
    Anytime,
    /// Exact for a number of estimation votes fixed beforehand. With any other number of votes nothing is
    /// certified: a loop that stopped early may have stopped because of the votes.
    ClopperPearson {
        /// That number.
        votes: u64,
    },
}

/// Which probabilities are bounded from the votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sides {
    /// `h_y` only, with the whole failure probability; every other class is at most `1 - h_y`.
    OneSided,
    /// `h_y` and the largest other class, each with half of the failure probability.
    TwoSided,
}

/// All that a smoothed certificate depends on, except the votes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmoothingPlan {
    /// The weight of the robust network.
    pub alpha: Alpha,
    /// The noise's standard deviation, in the units of the float input.
    pub sigma: Sigma,
    /// How bounds become a radius.
    pub radius_method: RadiusMethod,
    /// How votes become bounds.
    pub bound_method: BoundMethod,
    /// The chance, over the noise, that anything reported is false.
    pub failure_probability: FailureProbability,
    /// Which bounds are drawn. Chosen before the first estimation vote is seen: see
    /// [`choose_sides`](crate::certificate::choose_sides).
    pub sides: Sides,
    /// The radius to be proved, in the units of the float input; none to prove as much as the votes allow. Fixed
    /// before the first estimation vote is seen.
    pub target_radius: Option<f64>,
    /// Total-variation distance between the noise drawn and the exact discretised Gaussian, over the whole input:
    /// the table's error times the dimension. From 0 to 1.
    pub total_variation: f64,
}

impl SmoothingPlan {
    /// Whether the plan's own target test spends half of the failure probability: it exists for the anytime method and
    /// one side. With two sides the target is reached when the bounds reach it.
    #[must_use]
    pub fn has_target_test(&self) -> bool {
        self.target_radius.is_some() && self.bound_method == BoundMethod::Anytime && self.sides == Sides::OneSided
    }

    /// Checks the numbers that have no type of their own.
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
