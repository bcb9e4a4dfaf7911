//! Checks the limits on messages against the models.

use crate::domain::{AnswerSize, InputSpec, ValueEncoding, Violations, one_input_request};
use crate::settings::Settings;

const MAX_MESSAGE_BYTES: &str = "server.max_message_bytes";

/// Checks that one input fits a request, and its answer a response.
pub(super) fn check_message_limits(
    settings: &Settings,
    spec: &InputSpec,
    labels: &[String],
    violations: &mut Violations,
) {
    let limits = settings.server.message_limits();
    let needed = one_input_request(spec, ValueEncoding::Float32);
    violations.check(needed <= limits.request, MAX_MESSAGE_BYTES, || {
        format!(
            "must be at least {needed} for one FLOAT32 input of shape {:?}; found {}",
            spec.shape, limits.request
        )
    });
    let needed = largest_answer(settings, labels).response(1);
    violations.check(needed <= limits.response, MAX_MESSAGE_BYTES, || {
        format!(
            "must be at least {needed} for the answer to one input with the probabilities of both models for {} \
             classes; found {}",
            labels.len(),
            limits.request
        )
    });
}

/// Returns a warning for a `server.max_inputs` that a message cannot hold. The server answers such a
/// request with an error that states the largest number.
pub(super) fn max_inputs_warning(settings: &Settings, spec: &InputSpec, labels: &[String]) -> Option<String> {
    let (limits, max_inputs) = (settings.server.message_limits(), settings.server.max_inputs);
    let requested = limits.inputs_in_request(spec, ValueEncoding::Float32);
    let answered = limits.inputs_in_response(largest_answer(settings, labels));
    if requested.min(answered) >= max_inputs {
        return None;
    }
    let limit = if requested < max_inputs {
        format!("a message of {} bytes holds {requested} FLOAT32 inputs", limits.request)
    } else {
        format!(
            "a response of {} bytes holds {answered} answers with the probabilities of both models",
            limits.response
        )
    };
    Some(format!(
        "{max_inputs} inputs do not fit: {limit}; set {MAX_MESSAGE_BYTES} higher, or this key lower"
    ))
}

/// The size of an answer with everything that a caller can request.
fn largest_answer(settings: &Settings, labels: &[String]) -> AnswerSize {
    AnswerSize::of_prediction(labels, true, settings.certificate.allow_inexact_runtime)
}
