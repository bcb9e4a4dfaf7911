//! The size of an answer of `certimix.v1`.

use tonic::Status;

use super::proto::Tensor;
use crate::domain::AnswerSize;
use crate::live::Snapshot;
use crate::rpc::common::answer_limit::{answer_memory, check_answer_size};
use crate::rpc::common::call_tracker::TrackedCall;
use crate::rpc::common::status;

/// Checks that the answer to `inputs` inputs fits a response, and counts its memory for `call`.
///
/// # Errors
/// INVALID_ARGUMENT, which states what to reduce; RESOURCE_EXHAUSTED without memory.
pub(super) fn check_answer(
    snapshot: &Snapshot,
    inputs: usize,
    include_components: bool,
    call: &TrackedCall,
) -> Result<(), Status> {
    let answer = answer_size(snapshot, include_components);
    let remedy = match include_components {
        true => ", or include_components = false",
        false => "",
    };
    let limits = snapshot.server.message_limits();
    check_answer_size(inputs, answer, limits, ("inputs.shape", remedy))
        .map_err(|violations| status::invalid_argument(&violations))?;
    call.hold_answer(answer_memory(inputs, answer, snapshot.classifier.labels().len()))
}

/// Counts the values of `tensor` as memory of `call`.
pub(super) fn count_inputs(tensor: Option<&mut Tensor>, call: &TrackedCall) {
    if let Some(tensor) = tensor {
        tensor.data = call.count_input(std::mem::take(&mut tensor.data));
    }
}

/// The most inputs that a request of any kind may have, so that its answer fits a response.
pub(super) fn max_inputs(snapshot: &Snapshot) -> usize {
    let server = &snapshot.server;
    let answered = server.message_limits().inputs_in_response(answer_size(snapshot, true));
    server.max_inputs.min(answered)
}

fn answer_size(snapshot: &Snapshot, include_components: bool) -> AnswerSize {
    let classifier = &snapshot.classifier;
    let with_caveat = classifier.certification().allow_inexact_runtime;
    AnswerSize::of_prediction(classifier.labels(), include_components, with_caveat)
}
