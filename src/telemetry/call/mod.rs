//! The record of one RPC, and who is told of it: what metrics, traces and request logs are made of.
//!
//! The wire keeps a [`CallRecord`] for each RPC, and for each request of a stream of requests. It tells the [`Observers`] twice at most: when the
//! models have answered, with the predictions, and exactly once when the call has ended, whichever way. Both come on the path of the
//! request, so an observer takes nanoseconds: it counts, or it hands on.

mod code;
mod observer;
mod outcome;
mod record;
mod request_id;
mod rpc;

pub use code::Code;
pub use observer::{Observer, Observers};
pub use outcome::{Outcome, RefusalReason};
pub use record::{CallRecord, CertificateCounts};
pub use request_id::{RequestId, RequestIds};
pub use rpc::Rpc;
