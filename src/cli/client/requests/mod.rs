//! Groups inputs into requests and sends them.
//!
//! [`request_sender`] reads the inputs, groups them by [`request_grouping`], stacks each group into a
//! [`tensor`], and sends a few requests at a time. Each response is a [`inference_response`].

mod inference_response;
mod request_grouping;
mod request_sender;
mod tensor;

pub(super) use inference_response::InferenceResponse;
pub(super) use request_sender::RequestSender;
pub(super) use tensor::stack_inputs;
