//! Shadow alphas: what other weights would have answered to the same requests.
//!
//! An operator lists candidates in `mixture.shadow_alphas`. When a request is answered, [`Recorder`] hands what its models said, as an
//! [`observation`], to a [`worker`]: a thread of the lowest priority behind a bounded queue, so that no answer waits and no
//! executor loses its processor. There a [`judge`] says what each candidate would have answered, by the very code that
//! answers requests, and an [`era`] counts it: it lasts as long as the counts compare like with like. VoteObservation were drawn under the
//! rule of the alpha that serves; [`trace`] keeps the moments at which a candidate's own rule would have looked at them.
//!
//! These are statistics of the traffic, never certificates.

mod counting_window;
mod evaluation_worker;
mod evaluator;
mod observation;
mod radius_histogram;
mod recorders;
mod shadow_counts;
mod shadow_report;

pub use radius_histogram::{RADIUS_BOUNDS, RadiusHistogram};
pub(in crate::classifier) use recorders::{Recorder, Recorders};
pub use shadow_counts::ShadowCounts;
pub use shadow_report::{ShadowReport, ShadowRow};
