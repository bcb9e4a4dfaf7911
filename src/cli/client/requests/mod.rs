//! Groups inputs into requests and sends them until each is answered or reported.
//!
//! [`request_sender`] takes the inputs from [`input_batcher`], a few requests at a time.
//! [`request_attempts`] sends one group, stacked into a [`tensor`], as often and in as many parts as
//! [`retry_policy`] decides. Each response is a [`inference_response`].

mod inference_response;
mod input_batcher;
mod request_attempts;
mod request_sender;
mod retry_policy;
mod tensor;

pub(super) use inference_response::InferenceResponse;
pub(super) use request_attempts::{Attempted, send_until};
pub(super) use request_sender::{RequestSender, end, until_interrupted};
pub(super) use retry_policy::{FailedAttempt, NextStep, backoff};
pub(super) use tensor::stack_inputs;
