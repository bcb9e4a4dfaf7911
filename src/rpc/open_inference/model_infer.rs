//! Answers a ModelInferRequest with the checks, the deadline and the results of a Predict.

use std::time::Instant;

use tonic::Status;
use tracing::Instrument as _;

use super::proto::{ModelInferRequest, ModelInferResponse};
use super::statistics::InferDurations;
use super::{decode_inputs, encode, outputs, request_parameters};
use crate::domain::Violations;
use crate::live::Snapshot;
use crate::rpc::common::answer_limit::{answer_memory, check_answer_size};
use crate::rpc::common::call_tracker::TrackedCall;
use crate::rpc::common::classify::classify;
use crate::rpc::common::deadline::stream_message_deadline;
use crate::rpc::common::status;

/// A response, and the numbers that ModelStatistics adds up.
pub(super) struct InferResult {
    pub(super) response: ModelInferResponse,
    pub(super) inputs: usize,
    pub(super) durations: InferDurations,
}

/// Checks `request`, classifies its inputs with `snapshot`, and encodes the response. The request
/// ends by `deadline` or by its own timeout, whichever is earlier.
pub(super) async fn model_infer(
    snapshot: &Snapshot,
    mut request: ModelInferRequest,
    deadline: Instant,
    call: &mut TrackedCall,
) -> Result<InferResult, Status> {
    let classifier = &snapshot.classifier;
    let mut violations = Violations::default();
    let parameters = request_parameters::read_parameters(&request.parameters, &mut violations);
    let outputs = outputs::requested_outputs(&request, &mut violations);
    for values in &mut request.raw_input_contents {
        *values = call.count_input(std::mem::take(values));
    }
    let inputs = decode_inputs::decode_inputs(&request, classifier.spec(), snapshot.server.max_inputs);
    let ((), inputs) = status::both_valid(violations.into_result(), inputs)?;
    let classes = classifier.labels().len();
    let answer = outputs::answer_size(&outputs, classes);
    check_answer_size(
        inputs.len(),
        answer,
        snapshot.server.message_limits(),
        ("inputs[0].shape", ", or fewer outputs"),
    )
    .map_err(|violations| status::invalid_argument(&violations))?;
    call.hold_answer(answer_memory(inputs.len(), answer, classes))?;
    let mut params = classifier.predict_params();
    if let Some(priority) = parameters.priority {
        params.priority = priority;
    }
    let max_request_time = snapshot.server.max_request_time;
    let received_at = call.received_at();
    let deadline = stream_message_deadline(parameters.timeout_us, received_at, max_request_time, Some(deadline));
    let input_count = inputs.len();
    call.record_request(classifier, input_count);
    let decoded_at = Instant::now();
    let span = tracing::debug_span!("model_infer", inputs = input_count);
    let batch = classify(classifier, inputs, params, deadline, call)
        .instrument(span)
        .await?;
    let classified_at = Instant::now();
    let mut response = encode::infer_response(
        &batch.predictions,
        &outputs,
        classifier.labels().len(),
        classifier.provenance(),
    );
    response.model_name = request.model_name;
    response.id = request.id;
    let encoded_at = Instant::now();
    let queue = batch.timings.queue().map(|queue| queue.took).unwrap_or_default();
    Ok(InferResult {
        response,
        inputs: input_count,
        durations: InferDurations {
            total: encoded_at - received_at,
            queue,
            compute_input: decoded_at - received_at,
            compute_infer: (classified_at - decoded_at).saturating_sub(queue),
            compute_output: encoded_at - classified_at,
        },
    })
}
