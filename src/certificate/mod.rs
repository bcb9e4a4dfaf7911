//! The mathematics of certified radii, pure: no clock, no threads, no randomness but what is passed in.
//!
//! A mixed classifier `f = ln((1 - alpha) g + alpha h)` keeps its answer y on a ball around x, whatever `g` does, if the
//! robust network keeps `h_y - h_i >= (1 - alpha) / alpha` there for every other class i, alpha being at least 1/2 (Bai,
//! Anderson and Sojoudi, arXiv 2311.15165, Lemma 1). Everything here turns a property of `h` into the radius of such a
//! ball, never a larger one than can be proved. `docs/concepts/certificates.md` has the derivations.
//!
//! - What is served: [`mixed_logits`], from [`Alpha`] and two rows of log probabilities.
//! - `h` is Lipschitz: [`theorem1_radius`] in its probabilities, [`logit_radius`] in its logits.
//! - `h` is smoothed by noise: [`SmoothingPlan`] says what to prove, [`choose_sides`] and [`decide`] run the loop of
//!   votes, [`certify`] turns a [`Tally`] into a radius. Below them, from votes to probabilities: [`anytime`],
//!   [`clopper_pearson`]; from probabilities to radii: [`tight_radius`], [`theorem2_radius`].
//! - The noise itself: [`noise`].
//!
//! Rounding: a lower bound, a radius and a log e-value are rounded down, an upper bound up, each within 1e-9 of the
//! exact value unless that cancels (section 5 of the document says where). What overflows or is NaN proves nothing. A radius of 0 is no certificate.

mod bounds;
mod error;
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

pub use bounds::{anytime, clopper_pearson};
pub use error::CertificateError;
pub use mixture::{LOG_FLOOR, argmax, log_probabilities, log_softmax, mixed_logits};
pub use numerics::hit_counts::MAX_VOTES;
pub use numerics::normal;
pub use numerics::probability::{LowerBound, UpperBound};
pub use parameters::alpha::Alpha;
pub use parameters::failure_probability::FailureProbability;
pub use parameters::sigma::Sigma;
pub use parameters::temperature::Temperature;
pub use radii::integer_levels::radius_sq_levels;
pub use radii::lipschitz::{LogitConstant, logit_radius, mixing_allowance, theorem1_radius};
pub use radii::smoothing::{discount_total_variation, required_p, required_p_theorem2, theorem2_radius, tight_radius};
pub use votes::certify::{Estimate, SmoothedRadius, certify, estimate, radius_of, target_probability};
pub use votes::decision::{Decision, decide};
pub use votes::served_radius::{radius_to_prove, served_radius};
pub use votes::sides::choose_sides;
pub use votes::smoothing_plan::{BoundMethod, MAX_TARGET_RADIUS, RadiusMethod, Sides, SmoothingPlan};
pub use votes::tally::Tally;
pub use votes::vote_rule::{BestLook, EstimationPhase, Look, VoteRule};
