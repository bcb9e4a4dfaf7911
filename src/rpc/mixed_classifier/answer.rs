//! The size of an answer of `certimix.v1`.

use tonic::Status;

use super::proto::Tensor;
use crate::domain::AnswerSize;
use crate::live::Snapshot;
use crate::rpc::common::answer_limit::{answer_memory, check_answer_size};
use crate::rpc::common::call_tracker::TrackedCall;
use crate::rpc::common::status;

/// The parts of an answer that a request may ask for.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnswerParts {
    /// The probabilities of both models.
    pub(super) components: bool,
    /// The outputs of both models: the number of votes of each input, 0 without votes.
    pub(super) model_outputs: Option<usize>,
}

/// The bytes that a vote takes until the answer is encoded: in the classifier, and in the message.
const VOTE_BYTES: usize = 12;

/// Checks that the answer to `inputs` inputs fits a response, and counts its memory for `call`.
///
/// # Errors
/// INVALID_ARGUMENT, which states what to reduce; RESOURCE_EXHAUSTED without memory.
pub(super) fn check_answer(
    snapshot: &Snapshot,
    inputs: usize,
    parts: AnswerParts,
    call: &TrackedCall,
) -> Result<(), Status> {
    let answer = answer_size(snapshot, parts);
    let remedy = match parts {
        AnswerParts {
            model_outputs: Some(1..),
            ..
        } => ", or a smaller vote_budget",
        AnswerParts { components: true, .. } => ", or include_components = false",
        _ => "",
    };
    let limits = snapshot.server.message_limits();
    check_answer_size(inputs, answer, limits, ("inputs.shape", remedy))
        .map_err(|violations| status::invalid_argument(&violations))?;
    let votes = parts.model_outputs.unwrap_or(0).saturating_mul(inputs);
    let memory = answer_memory(inputs, answer, snapshot.classifier.labels().len());
    call.hold_answer(memory.saturating_add(votes.saturating_mul(VOTE_BYTES)))
}

/// Counts the values of `tensor` as memory of `call`.
pub(super) fn count_inputs(tensor: Option<&mut Tensor>, call: &TrackedCall) {
    if let Some(tensor) = tensor {
        tensor.data = call.count_input(std::mem::take(&mut tensor.data));
    }
}

/// The most inputs that a request without the outputs of the models may have, so that its answer fits
/// a response.
pub(super) fn max_inputs(snapshot: &Snapshot) -> usize {
    let server = &snapshot.server;
    let parts = AnswerParts {
        components: true,
        model_outputs: None,
    };
    let answered = server.message_limits().inputs_in_response(answer_size(snapshot, parts));
    server.max_inputs.min(answered)
}

fn answer_size(snapshot: &Snapshot, parts: AnswerParts) -> AnswerSize {
    let classifier = &snapshot.classifier;
    let with_caveat = classifier.certification().allow_inexact_runtime;
    let answer = AnswerSize::of_prediction(classifier.labels(), parts.components, with_caveat);
    match parts.model_outputs {
        None => answer,
        Some(votes) => answer.with_model_outputs(classifier.labels().len(), votes),
    }
}
