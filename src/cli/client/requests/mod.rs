//! Groups inputs into requests, sends them, and hands each response to the result printer.

pub(super) mod batching;
pub(super) mod inference_session;
