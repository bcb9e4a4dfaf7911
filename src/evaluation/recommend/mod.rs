//! Chooses a setting for an objective, from the records of an evaluation.
//!
//! [`recommend()`] divides the inputs into two parts by a hash of their names. It searches alpha,
//! `fallback_alpha` and the temperature together on the first part. Every statement about the chosen
//! setting comes from the second part, which the search has not seen. The exact intervals therefore
//! hold however many settings the search has compared. `docs/concepts/choosing-settings.md` gives
//! the reasons.

mod comparison;
mod error;
mod evidence;
mod held_aside;
mod intervals;
mod objective;
mod recommendation;
mod search;
mod split;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
mod tests;

pub use comparison::{Comparison, PairedChange};
pub use error::RecommendError;
pub use held_aside::{ConstraintVerdict, HeldAside, Verdict};
pub use intervals::{Estimate, Interval};
pub use objective::{Constraint, Costs, Measures, Objective};
pub use recommendation::{Recommendation, expected_answers, recommend};
pub use split::is_held_aside;
