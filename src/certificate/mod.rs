//! The mathematics of certified radii.
//!
//! Everything here is pure: no clock, no threads, and no randomness except what the caller passes
//! in.
//!
//! A mixed classifier `f = ln((1 - alpha) g + alpha h)` combines a standard network g and a robust
//! network h. Its answer y stays the same on a ball around x, whatever `g` returns, under two
//! conditions: alpha is at least 1/2, and the robust network keeps
//! `h_y - h_i >= (1 - alpha) / alpha` on the ball for every other class i (Bai, Anderson and
//! Sojoudi, arXiv 2311.15165, Lemma 1). Each function here turns a property of `h` into the radius
//! of such a ball, never a larger radius than can be proved. `docs/concepts/certificates.md` has the
//! derivations.
//!
//! - The served logits: [`mixed_logits`], from [`Alpha`] and two rows of log probabilities.
//!   [`MixingWeights`] selects the weight for each input.
//! - A Lipschitz `h`: [`theorem1_radius`] for Lipschitz probabilities, [`logit_radius`] for
//!   Lipschitz logits.
//! - An `h` smoothed by noise: [`SmoothingPlan`] states what to prove, [`VoteRule`] runs the
//!   sequence of votes, and [`certify`] turns a [`Tally`] into a radius. [`anytime`] and
//!   [`clopper_pearson`] turn votes into bounds on probabilities. [`tight_radius`] and
//!   [`theorem2_radius`] turn these bounds into radii.
//! - The noise itself: [`noise`].
//!
//! Rounding: a lower bound, a radius and a log e-value are rounded down; an upper bound is rounded
//! up. Each is within 1e-9 of the exact value unless digits cancel (section 5 of the document lists
//! where). A result that overflows or is NaN proves nothing. A radius of 0 is no certificate.

mod bounds;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[allow(clippy::unwrap_used, reason = "a fuzz target stops at the first surprise")]
pub(crate) mod fuzzing;
mod mixing_weights;
mod mixture;
pub mod noise;
mod numerics;
mod parameters;
mod radii;
mod votes;

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should say where"
)]
mod tests;

pub use bounds::total_variation::discount_total_variation;
pub use bounds::{anytime, clopper_pearson};
pub use error::CertificateError;
pub use mixing_weights::{MixingWeights, WeightRule, probability_margin};
pub use mixture::{LOG_FLOOR, argmax, log_probabilities, log_softmax, mixed_logits};
pub use numerics::directed_probability::{LowerBound, UpperBound};
pub use numerics::hit_counts::MAX_VOTES;
pub use numerics::normal;
pub use parameters::alpha::Alpha;
pub use parameters::failure_probability::FailureProbability;
pub use parameters::sigma::Sigma;
pub use parameters::temperature::Temperature;
pub use radii::integer_levels::radius_sq_levels;
pub use radii::lipschitz::{LogitConstant, logit_radius, mixing_allowance, theorem1_radius};
pub use radii::smoothing::{required_p, required_p_theorem2, theorem2_radius, tight_radius};
pub use votes::certify::{
    ProbabilityBounds, SmoothedRadius, certify, probability_bounds, radius_of, target_probability,
};
pub use votes::decision::{Decision, decide};
pub use votes::mixture_class::{ClassIntervals, MarginReach, settled_class};
pub use votes::prospects::Prospects;
pub use votes::served_radius::{radius_to_prove, served_radius};
pub use votes::side_selection::choose_sides;
pub use votes::smoothing_plan::{BoundMethod, MAX_TARGET_RADIUS, RadiusMethod, Sides, SmoothingPlan};
pub use votes::tally::Tally;
pub use votes::target_limit::{TARGET_CAP_SHARE, capped_target, is_provable_target, largest_target};
pub use votes::vote_rule::{BestLook, EstimationPhase, Look, VoteRule};
