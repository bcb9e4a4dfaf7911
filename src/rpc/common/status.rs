//! Every error becomes a `Status` here and nowhere else.

use std::ops::RangeInclusive;
use std::time::Duration;

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::classifier::ClassifierError;
use crate::domain::Violations;
use crate::live::NotLive;
use crate::rpc::mixed_classifier::proto::{FieldViolation, RequestError};

/// A refused caller is asked to wait for as long as the rows ahead will take, within these bounds: an estimate of nothing must
/// not bring it back at once, and no queue is worth a longer wait.
const RETRY_AFTER: RangeInclusive<Duration> = Duration::from_millis(5)..=Duration::from_secs(10);

/// INVALID_ARGUMENT with a field violation for each.
pub(in crate::rpc) fn invalid(violations: &Violations) -> Status {
    let mut details = ErrorDetails::new();
    for violation in &violations.0 {
        details.add_bad_request_violation(&violation.field, &violation.message);
    }
    let list: Vec<String> = violations
        .0
        .iter()
        .map(|found| format!("{}: {}", found.field, found.message))
        .collect();
    Status::with_error_details(Code::InvalidArgument, list.join("; "), details)
}

/// NOT_FOUND: another model, or another version of it, than the one that is served.
pub(in crate::rpc) fn unknown_model(message: String) -> Status {
    Status::not_found(message)
}

/// UNIMPLEMENTED, and what to call instead.
pub(in crate::rpc) fn unimplemented(message: &str) -> Status {
    Status::unimplemented(message)
}

/// UNAVAILABLE while there is nothing to answer with.
pub(in crate::rpc) fn not_live(reason: NotLive) -> Status {
    Status::unavailable(reason.to_string())
}

/// What the classifier could not do.
pub(in crate::rpc) fn failed(error: &ClassifierError) -> Status {
    match error {
        ClassifierError::Refused(refusal) => exhausted(refusal.to_string(), refusal.retry_after()),
        ClassifierError::DeadlineExceeded | ClassifierError::TooShort(_) => {
            Status::deadline_exceeded(error.to_string())
        }
        ClassifierError::Stopping | ClassifierError::Broken { .. } => Status::unavailable(error.to_string()),
        ClassifierError::Failed(_) => Status::internal(error.to_string()),
        ClassifierError::Certificate(reason) => {
            tracing::error!(%reason, "a certificate could not be computed");
            Status::internal("the certificate could not be computed")
        }
    }
}

/// What ends a stream when the server stops.
pub(in crate::rpc) fn stopping() -> Status {
    Status::unavailable("the server is stopping; every request that it has read is answered")
}

/// What ends a stream, or the watching of health, with its connection.
pub(in crate::rpc) fn closing() -> Status {
    Status::unavailable(
        "this connection is being closed: it is too old (server.max_connection_age), or the server is stopping; every request that \
         it has read is answered, and the next goes by a new connection",
    )
}

/// A request that did not come in time.
pub(in crate::rpc) fn not_received(within: Duration) -> Status {
    Status::deadline_exceeded(format!(
        "the request did not come whole within {}: the shorter of its own deadline and server.max_request_time",
        humantime::format_duration(within)
    ))
}

/// What ends a stream at its own deadline.
pub(in crate::rpc) fn stream_deadline() -> Status {
    Status::deadline_exceeded("the stream's own deadline (grpc-timeout) came; every request that was read is answered")
}

/// The same error as one request of a stream tells it.
pub(in crate::rpc) fn in_band(status: &Status) -> RequestError {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| bad.field_violations.clone());
    let retry_after = details.retry_info().and_then(|retry| retry.retry_delay);
    RequestError {
        code: status.code().into(),
        message: status.message().to_owned(),
        violations: violations
            .unwrap_or_default()
            .into_iter()
            .map(|wrong| FieldViolation {
                field: wrong.field,
                description: wrong.description,
            })
            .collect(),
        retry_after_ms: retry_after.map_or(0, |delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
    }
}

/// RESOURCE_EXHAUSTED with the pushback that gRPC clients with a retry policy honour.
fn exhausted(message: String, retry_after: Duration) -> Status {
    let retry_after = retry_after.clamp(*RETRY_AFTER.start(), *RETRY_AFTER.end());
    let milliseconds = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
    let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(milliseconds)));
    let mut status = Status::with_error_details(Code::ResourceExhausted, message, details);
    status
        .metadata_mut()
        .insert("grpc-retry-pushback-ms", MetadataValue::from(milliseconds));
    status
}
