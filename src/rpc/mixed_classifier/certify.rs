//! Answers a CertifyRequest, and checks that of a stream.

use std::time::Instant;

use tonic::Status;
use tracing::Instrument as _;

use super::answer::{AnswerParts, check_answer, count_inputs};
use super::certification_params::ModelOutputsAllowed;
use super::proto::{CertifyRequest, CertifyResponse};
use super::{certification_params, decode_inputs, encode};
use crate::classifier::{CertificationParams, MixedClassifier};
use crate::domain::Input;
use crate::live::Snapshot;
use crate::rpc::common::call_tracker::TrackedCall;
use crate::rpc::common::classify::classify;
use crate::rpc::common::status;

/// Checks `request`, certifies its inputs with `snapshot` by `deadline`, and encodes the response.
pub(super) async fn certify_response(
    snapshot: &Snapshot,
    mut request: CertifyRequest,
    deadline: Instant,
    call: &mut TrackedCall,
) -> Result<CertifyResponse, Status> {
    let classifier = &snapshot.classifier;
    count_inputs(request.inputs.as_mut(), call);
    let (params, inputs) = validate(
        &request,
        classifier,
        snapshot.server.max_inputs,
        ModelOutputsAllowed::Yes,
    )?;
    let parts = AnswerParts {
        components: request.include_components,
        model_outputs: params.model_outputs.then(|| votes_of_one_input(classifier, &params)),
    };
    check_answer(snapshot, inputs.len(), parts, call)?;
    call.record_request(classifier, inputs.len());
    let span = tracing::debug_span!("certify", inputs = inputs.len());
    let batch = classify(classifier, inputs, params, deadline, call)
        .instrument(span)
        .await?;
    Ok(CertifyResponse {
        predictions: encode::predictions(batch.predictions, classifier.labels(), request.include_components),
        provenance: Some(encode::provenance(classifier.provenance())),
        timings: Some(encode::timings(&batch.timings, call.received_at())),
    })
}

/// The most votes that each input draws; 0 if the robust model draws none.
fn votes_of_one_input(classifier: &MixedClassifier, params: &CertificationParams) -> usize {
    let selection_votes = classifier.certification().selection_votes;
    match classifier.draws_votes() {
        true => usize::try_from(selection_votes.saturating_add(params.vote_budget)).unwrap_or(usize::MAX),
        false => 0,
    }
}

/// Reads the certification parameters and the inputs of `request`.
///
/// # Errors
/// INVALID_ARGUMENT with every violation.
pub(super) fn validate(
    request: &CertifyRequest,
    classifier: &MixedClassifier,
    max_inputs: usize,
    model_outputs: ModelOutputsAllowed,
) -> Result<(CertificationParams, Vec<Input>), Status> {
    status::both_valid(
        certification_params::for_certify(request, classifier, model_outputs),
        decode_inputs::decode_inputs(request.inputs.as_ref(), classifier.spec(), max_inputs),
    )
}
