//! Shadow candidates: statistics of the predictions that other mixtures would give for the same
//! requests.
//!
//! An operator lists the candidates in `mixture.shadow_candidates`: alpha, `fallback_alpha` and the
//! temperature of the robust model. When a request is answered, a
//! [`Recorder`] passes the outputs of its models as [`recorded_outputs`] to an [`evaluation_worker`].
//! The worker is a thread of the lowest priority behind a bounded queue, so no response waits for
//! it and no executor loses its processor. On that thread an [`evaluator`] computes the prediction
//! of each candidate with the code that answers requests. A [`counting_window`] counts the results;
//! it lasts as long as the counts are comparable. The votes were drawn under the stopping rule of
//! the serving mixture. A vote trace keeps the tallies at which the rule of a candidate would have
//! evaluated them.
//!
//! These are statistics of the traffic, not certificates.

mod counting_window;
mod evaluation_worker;
mod evaluator;
mod radius_histogram;
mod recorded_outputs;
mod recorders;
mod shadow_counts;
mod shadow_prediction;
mod shadow_report;

pub use evaluation_worker::MAX_SHADOW_QUEUE_BYTES;
pub use radius_histogram::{RADIUS_BOUNDS, RadiusHistogram};
pub(in crate::classifier) use recorders::{Recorder, Recorders};
pub use shadow_counts::ShadowCounts;
pub use shadow_report::{ShadowReport, ShadowRow};
