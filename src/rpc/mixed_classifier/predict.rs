//! Answers a PredictRequest, unary or one of a stream.

use std::time::Instant;

use tonic::Status;
use tracing::Instrument as _;

use super::answer::{AnswerParts, check_answer, count_inputs};
use super::proto::{PredictRequest, PredictResponse};
use super::{certification_params, decode_inputs, encode};
use crate::live::Snapshot;
use crate::rpc::common::call_tracker::TrackedCall;
use crate::rpc::common::classify::classify;
use crate::rpc::common::status;

/// Checks `request`, classifies its inputs with `snapshot` by `deadline`, and encodes the response.
pub(super) async fn predict_response(
    snapshot: &Snapshot,
    mut request: PredictRequest,
    deadline: Instant,
    call: &mut TrackedCall,
) -> Result<PredictResponse, Status> {
    let classifier = &snapshot.classifier;
    let params = certification_params::for_predict(request.priority, classifier.predict_params());
    count_inputs(request.inputs.as_mut(), call);
    let inputs = decode_inputs::decode_inputs(request.inputs.as_ref(), classifier.spec(), snapshot.server.max_inputs);
    let (params, inputs) = status::both_valid(params, inputs)?;
    let parts = AnswerParts {
        components: request.include_components,
        model_outputs: None,
    };
    check_answer(snapshot, inputs.len(), parts, call)?;
    call.record_request(classifier, inputs.len());
    let span = tracing::debug_span!("predict", inputs = inputs.len());
    let batch = classify(classifier, inputs, params, deadline, call)
        .instrument(span)
        .await?;
    Ok(PredictResponse {
        predictions: encode::predictions(batch.predictions, classifier.labels(), request.include_components),
        provenance: Some(encode::provenance(classifier.provenance())),
        timings: Some(encode::timings(&batch.timings, call.received_at())),
    })
}
