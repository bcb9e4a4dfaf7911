//! Refuses a request whose answer may not fit a response, before any model runs.

use crate::domain::{AnswerSize, MessageLimits, Violations};

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
