//! Encodes the status of one request of a stream as a message of that stream.

use tonic::Status;
use tonic_types::StatusExt as _;

use super::proto::{FieldViolation, RequestError};

/// The error message with the code, the text and the details of `status`.
pub(super) fn request_error(status: &Status) -> RequestError {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| bad.field_violations.clone());
    let retry_after = details.retry_info().and_then(|retry| retry.retry_delay);
    RequestError {
        code: status.code().into(),
        message: status.message().to_owned(),
        violations: violations
            .unwrap_or_default()
            .into_iter()
            .map(|violation| FieldViolation {
                field: violation.field,
                description: violation.description,
            })
            .collect(),
        retry_after_ms: retry_after.map_or(0, |delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
    }
}
