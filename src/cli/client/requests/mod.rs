//! Groups inputs into requests and sends them.
//!
//! [`inference_session`] reads the inputs, groups them by [`batching`], stacks each group into a
//! [`tensor`], and sends a few requests at a time. Each response is a [`response_batch`].

mod batching;
mod inference_session;
mod response_batch;
mod tensor;

pub(super) use inference_session::InferenceSession;
pub(super) use response_batch::ResponseBatch;
pub(super) use tensor::stack_inputs;
