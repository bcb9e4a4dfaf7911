//! The way of one ModelInfer: the checks, the deadline and the answer of a Predict.

use std::time::Instant;

use tonic::Status;
use tracing::Instrument as _;

use super::proto::{ModelInferRequest, ModelInferResponse};
use super::statistics::Spent;
use super::{decode_inputs as decode, encode, outputs, request_parameters as parameters};
use crate::domain::Violations;
use crate::live::Snapshot;
use crate::rpc::common::call_tracker::Call;
use crate::rpc::common::classify::ask;
use crate::rpc::common::{deadline, status};
use crate::rpc::mixed_classifier::certification_params as order;

/// An answer, with what there is to count of it.
pub(super) struct Answered {
    pub(super) response: ModelInferResponse,
    pub(super) inputs: usize,
    pub(super) spent: Spent,
}

/// Answers `request` by `deadline` or its own timeout, from one snapshot.
pub(super) async fn answer(
    snapshot: &Snapshot,
    request: ModelInferRequest,
    deadline: Instant,
    call: &mut Call,
) -> Result<Answered, Status> {
    let classifier = &snapshot.classifier;
    let mut wrong = Violations::default();
    let parameters = parameters::read(&request.parameters, &mut wrong);
    let outputs = outputs::requested(&request, &mut wrong);
    let order = order::predict(parameters.priority, classifier.certification());
    let inputs = decode::inputs(&request, classifier.spec(), snapshot.server.max_inputs);
    let (order, inputs) = match (order, inputs, wrong.0.is_empty()) {
        (Ok(order), Ok(inputs), true) => (order, inputs),
        (order, inputs, _) => {
            let more = order.err().into_iter().chain(inputs.err());
            wrong.0.extend(more.flat_map(|found| found.0));
            return Err(status::invalid(&wrong));
        }
    };
    let longest = snapshot.server.max_request_time;
    let received = call.begun();
    let deadline = deadline::of_message(parameters.timeout_us, received, longest, Some(deadline));
    let count = inputs.len();
    call.asks(classifier, count);
    let asked = Instant::now();
    let span = tracing::debug_span!("model_infer", inputs = count);
    let answer = ask(classifier, inputs, order, deadline, call).instrument(span).await?;
    let told = Instant::now();
    let mut response = encode::response(
        &answer.predictions,
        &outputs,
        classifier.labels().len(),
        classifier.provenance(),
    );
    response.model_name = request.model_name;
    response.id = request.id;
    let done = Instant::now();
    let queue = answer.timings.queue().map(|queue| queue.took).unwrap_or_default();
    Ok(Answered {
        response,
        inputs: count,
        spent: Spent {
            total: done - received,
            queue,
            compute_input: asked - received,
            compute_infer: (told - asked).saturating_sub(queue),
            compute_output: done - told,
        },
    })
}
