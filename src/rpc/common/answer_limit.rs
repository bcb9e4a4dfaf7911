//! Refuses a request whose answer may not fit a response, before any model runs.

use crate::domain::{AnswerSize, MessageLimits, Violations};

/// The bytes that the outputs of both models, the mixture and its logits take for one class.
const CLASS_BYTES: usize = 64;

/// An upper bound of the memory of an answer until it is encoded: the response and the predictions
/// that it is made of. The message that leaves is counted when it leaves.
pub(in crate::rpc) fn answer_memory(inputs: usize, answer: AnswerSize, classes: usize) -> usize {
    let predictions = inputs.saturating_mul(classes).saturating_mul(CLASS_BYTES);
    answer.response(inputs).saturating_add(predictions)
}

/// Checks that the answer to `inputs` inputs fits. `field` is the field of the shape, `remedy` names
/// what else makes the answer smaller.
///
/// # Errors
/// The violation states the largest number of inputs.
pub(in crate::rpc) fn check_answer_size(
    inputs: usize,
    answer: AnswerSize,
    limits: MessageLimits,
    (field, remedy): (&str, &str),
) -> Result<(), Violations> {
    let most = limits.inputs_in_response(answer);
    if inputs <= most {
        return Ok(());
    }
    let (bytes, limit) = (answer.response(inputs), limits.response);
    Err(Violations::one(
        field,
        format!(
            "the answer to {inputs} inputs may have {bytes} bytes, and this server sends at most {limit}; expected at \
             most {most} inputs{remedy}"
        ),
    ))
}
