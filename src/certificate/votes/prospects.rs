//! The radii that an input may still reach, from its estimation votes so far.
//!
//! No certificate rests on them: they decide when to stop, and explain a missing certificate.

use crate::certificate::bounds::anytime;
use crate::certificate::bounds::total_variation::discount_total_variation;
use crate::certificate::error::CertificateError;
use crate::certificate::numerics::directed_probability::UpperBound;
use crate::certificate::numerics::hit_counts::MAX_VOTES;
use crate::certificate::parameters::failure_probability::FailureProbability;
use crate::certificate::votes::certify::{ProbabilityBounds, SmoothedRadius, certify, radius_of};
use crate::certificate::votes::served_radius::served_radius;
use crate::certificate::votes::smoothing_plan::{BoundMethod, Sides, SmoothingPlan};
use crate::certificate::votes::tally::Tally;

/// The error rate of each plausible bound. An early stop is never unsound, so the rate is loose.
const IMPLAUSIBLE_RATE: f64 = 0.01;

/// Estimation votes, and the votes that may follow them.
#[derive(Debug, Clone, Copy)]
pub struct Prospects<'a> {
    /// The plan, with the chosen sides.
    pub plan: &'a SmoothingPlan,
    /// The estimation votes so far.
    pub tally: Tally,
    /// The largest number of estimation votes.
    pub vote_budget: u64,
    /// Deducted from each proven radius, in the units of the float input.
    pub snapping_loss: f64,
}

impl Prospects<'_> {
    /// The result if every vote up to the budget is for the class: the most that any votes can
    /// prove, because both bounds and the target test only grow with such a vote. `None` for a
    /// budget above [`MAX_VOTES`].
    ///
    /// # Errors
    /// [`CertificateError`] for an invalid plan or contradictory counts.
    pub fn best_case(&self) -> Result<Option<SmoothedRadius>, CertificateError> {
        let best = self.tally.filled_up_to(self.vote_budget);
        if best.votes > MAX_VOTES {
            return Ok(None);
        }
        certify(self.plan, best).map(Some)
    }

    /// The bounds at the optimistic ends of loose confidence intervals: `h_y` is very likely at most
    /// `p_lower`, and the largest other probability is very likely at least `p_upper`.
    ///
    /// Each end is wrong at any time in at most one of 100 runs. Without votes both ends are
    /// trivial.
    ///
    /// # Errors
    /// [`CertificateError`] for contradictory counts.
    pub fn plausible_bounds(&self) -> Result<ProbabilityBounds, CertificateError> {
        let level = FailureProbability::new(IMPLAUSIBLE_RATE)?;
        let Tally {
            votes,
            votes_for_class,
            votes_for_runner_up,
        } = self.tally;
        let class = anytime::upper(votes_for_class, votes, level)?.as_lower();
        let runner_up = match self.plan.sides {
            Sides::OneSided => UpperBound::TRIVIAL,
            Sides::TwoSided => anytime::lower(votes_for_runner_up, votes, level)?.as_upper(),
        };
        let (p_lower, p_upper) = discount_total_variation(class, runner_up, self.plan.total_variation);
        Ok(ProbabilityBounds { p_lower, p_upper })
    }

    /// The radius of [`plausible_bounds`](Self::plausible_bounds): very likely at least the radius
    /// that the exact probabilities allow.
    ///
    /// # Errors
    /// [`CertificateError`] for contradictory counts.
    pub fn plausible_radius(&self) -> Result<f64, CertificateError> {
        let ProbabilityBounds { p_lower, p_upper } = self.plausible_bounds()?;
        Ok(radius_of(self.plan, p_lower, p_upper))
    }

    /// The radius that `votes` votes in the proportions of the present ones prove, less the
    /// snapping loss.
    ///
    /// # Errors
    /// [`CertificateError`] for an invalid plan or contradictory counts.
    pub fn expected_radius(&self, votes: u64) -> Result<f64, CertificateError> {
        let bound_method = match self.plan.bound_method {
            BoundMethod::Anytime => BoundMethod::Anytime,
            BoundMethod::ClopperPearson { .. } => BoundMethod::ClopperPearson { votes },
        };
        let plan = SmoothingPlan {
            bound_method,
            ..*self.plan
        };
        let expected = certify(&plan, self.tally.scaled_to(votes))?;
        Ok(served_radius(expected.radius, self.snapping_loss))
    }

    /// The number of votes in the proportions of the present ones that prove a radius, within a
    /// tenth; `None` if a million of them prove none.
    ///
    /// # Errors
    /// [`CertificateError`] for an invalid plan or contradictory counts.
    pub fn expected_votes_for_a_radius(&self) -> Result<Option<u64>, CertificateError> {
        const FEWEST_VOTES: u64 = 16;
        const MOST_VOTES: u64 = 1_000_000;
        let mut enough = match self.tally.votes {
            ..=FEWEST_VOTES => FEWEST_VOTES,
            MOST_VOTES.. => MOST_VOTES,
            votes => votes,
        };
        let mut too_few = 0;
        while self.expected_radius(enough)? <= 0.0 {
            if enough == MOST_VOTES {
                return Ok(None);
            }
            too_few = enough;
            enough = if enough < MOST_VOTES / 2 {
                2 * enough
            } else {
                MOST_VOTES
            };
        }
        while enough - too_few > enough.div_ceil(10) {
            let middle = u64::midpoint(too_few, enough);
            if self.expected_radius(middle)? > 0.0 {
                enough = middle;
            } else {
                too_few = middle;
            }
        }
        Ok(Some(enough))
    }
}
