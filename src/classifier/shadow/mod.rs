//! Shadow alphas: what other weights would have answered to the same requests.
//!
//! An operator lists candidates in `mixture.shadow_alphas`. When a request is answered, [`Tap`] hands what its models said, as an
//! [`observation`], to a [`worker`]: a thread of the lowest priority behind a bounded queue, so that no answer waits and no
//! executor loses its processor. There a [`judge`] says what each candidate would have answered, by the very code that
//! answers requests, and an [`era`] counts it: it lasts as long as the counts compare like with like. Votes were drawn under the
//! rule of the alpha that serves; [`trace`] keeps the moments at which a candidate's own rule would have looked at them.
//!
//! These are statistics of the traffic, never certificates.

mod counts;
mod desk;
mod era;
mod histogram;
mod judge;
mod observation;
mod report;
mod trace;
mod worker;

pub use counts::ShadowCounts;
pub(super) use desk::{Desk, Tap};
pub use histogram::{Histogram, RADIUS_BOUNDS};
pub use report::{ShadowReport, ShadowRow};
pub(super) use trace::Trace;
