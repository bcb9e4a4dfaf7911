//! The record of one RPC, and the observers that receive it.
//!
//! The wire layer keeps a [`CallRecord`] for each RPC and for each request of a request stream. It
//! passes the record to the [`CallObservers`] at most twice: when the models have answered, with the
//! predictions, and exactly once when the call has ended, however it ends. Both happen on the path
//! of the request, so an observer takes nanoseconds: it counts, or it enqueues. Metrics, traces and
//! the request log are all made from this record.

mod call_observer;
mod caller;
mod code;
mod outcome;
mod record;
mod request_id;
mod rpc;
mod trace_context;

pub use call_observer::{CallObserver, CallObservers};
pub use caller::{Caller, Fingerprint, Principal};
pub use code::Code;
pub use outcome::{Outcome, RefusalReason};
pub use record::{CallRecord, CertificateCounts};
pub use request_id::{RequestId, RequestIds};
pub use rpc::Rpc;
pub use trace_context::TraceContext;
