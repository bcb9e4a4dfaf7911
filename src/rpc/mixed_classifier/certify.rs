//! Answers a CertifyRequest, and checks that of a stream.

use std::time::Instant;

use tonic::Status;
use tracing::Instrument as _;

use super::answer::{check_answer, count_inputs};
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
    let (params, inputs) = validate(&request, classifier, snapshot.server.max_inputs)?;
    check_answer(snapshot, inputs.len(), request.include_components, call)?;
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

/// Reads the certification parameters and the inputs of `request`.
///
/// # Errors
/// INVALID_ARGUMENT with every violation.
pub(super) fn validate(
    request: &CertifyRequest,
    classifier: &MixedClassifier,
    max_inputs: usize,
) -> Result<(CertificationParams, Vec<Input>), Status> {
    status::both_valid(
        certification_params::for_certify(request, classifier),
        decode_inputs::decode_inputs(request.inputs.as_ref(), classifier.spec(), max_inputs),
    )
}
