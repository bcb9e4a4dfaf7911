//! Classifies the inputs of a request. The handlers of every protocol end here.

use std::time::Instant;

use tonic::Status;

use super::call_tracker::TrackedCall;
use super::status;
use crate::classifier::{CertificationParams, MixedClassifier, RequestPredictions};
use crate::domain::Input;

/// Classifies `inputs` by `deadline`, and records the predictions or the error in `call`.
///
/// # Errors
/// The status of the classifier's error.
pub(in crate::rpc) async fn classify(
    classifier: &MixedClassifier,
    inputs: Vec<Input>,
    params: CertificationParams,
    deadline: Instant,
    call: &mut TrackedCall,
) -> Result<RequestPredictions, Status> {
    let batch = classifier.predict(call.caller(), inputs, params, deadline).await;
    let batch = batch.map_err(|error| {
        call.record_error(&error);
        status::classifier_error(&error)
    })?;
    call.record_predictions(&batch);
    Ok(batch)
}
