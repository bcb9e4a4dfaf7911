//! The size of an answer of `certimix.v1`.

use tonic::Status;

use crate::domain::AnswerSize;
use crate::live::Snapshot;
use crate::rpc::common::answer_limit::check_answer_size;
use crate::rpc::common::status;

/// Checks that the answer to `inputs` inputs fits a response.
///
/// # Errors
/// INVALID_ARGUMENT, which states what to reduce.
pub(super) fn check_answer(snapshot: &Snapshot, inputs: usize, include_components: bool) -> Result<(), Status> {
    let answer = answer_size(snapshot, include_components);
    let remedy = match include_components {
        true => ", or include_components = false",
        false => "",
    };
    let limits = snapshot.server.message_limits();
    check_answer_size(inputs, answer, limits, ("inputs.shape", remedy))
        .map_err(|violations| status::invalid_argument(&violations))
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
