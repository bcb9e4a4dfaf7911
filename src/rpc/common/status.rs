//! Maps the errors of handlers and connections to gRPC statuses.

use std::ops::RangeInclusive;
use std::time::Duration;

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::classifier::ClassifierError;
use crate::domain::Violations;
use crate::live::NoSnapshot;
use crate::rpc::memory::MemoryRefusal;

/// The bounds of the retry delay of a refused caller.
///
/// The delay is the estimated run time of the rows ahead. The lower bound keeps an estimate of zero
/// from bringing the caller back at once. No queue justifies more than the upper bound.
const RETRY_AFTER: RangeInclusive<Duration> = Duration::from_millis(5)..=Duration::from_secs(10);

/// INVALID_ARGUMENT with one field violation for each of `violations`.
pub(in crate::rpc) fn invalid_argument(violations: &Violations) -> Status {
    let mut details = ErrorDetails::new();
    for violation in &violations.0 {
        details.add_bad_request_violation(&violation.field, &violation.message);
    }
    let list: Vec<String> = violations
        .0
        .iter()
        .map(|violation| format!("{}: {}", violation.field, violation.message))
        .collect();
    Status::with_error_details(Code::InvalidArgument, list.join("; "), details)
}

/// Both values, or INVALID_ARGUMENT with the violations of both.
pub(in crate::rpc) fn both_valid<A, B>(
    first: Result<A, Violations>,
    second: Result<B, Violations>,
) -> Result<(A, B), Status> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (first, second) => {
            let violations = first.err().into_iter().chain(second.err());
            let all = violations.flat_map(|violations| violations.0).collect();
            Err(invalid_argument(&Violations(all)))
        }
    }
}

/// NOT_FOUND for a model, or a version of it, that this server does not serve.
pub(in crate::rpc) fn unknown_model(message: String) -> Status {
    Status::not_found(message)
}

/// UNIMPLEMENTED. The message names the method to call instead.
pub(in crate::rpc) fn unimplemented(message: &str) -> Status {
    Status::unimplemented(message)
}

/// INTERNAL for a state that only a defect of the server can cause.
pub(in crate::rpc) fn internal(message: &str) -> Status {
    Status::internal(message)
}

/// UNAVAILABLE while no models are live.
pub(in crate::rpc) fn not_live(reason: NoSnapshot) -> Status {
    Status::unavailable(reason.to_string())
}

/// The status of an error of the classifier.
pub(in crate::rpc) fn classifier_error(error: &ClassifierError) -> Status {
    match error {
        ClassifierError::Refused(refusal) => resource_exhausted(refusal.to_string(), refusal.retry_after()),
        ClassifierError::DeadlineExceeded | ClassifierError::TooShort(_) => {
            Status::deadline_exceeded(error.to_string())
        }
        ClassifierError::Stopping | ClassifierError::Broken { .. } => Status::unavailable(error.to_string()),
        ClassifierError::Failed(_) => Status::internal(error.to_string()),
        ClassifierError::Certificate(reason) => {
            tracing::error!(%reason, "certificate computation failed");
            Status::internal("the certificate could not be computed")
        }
    }
}

/// UNAVAILABLE at the end of a stream that the shutdown of the server ends.
pub(in crate::rpc) fn stream_shutdown() -> Status {
    Status::unavailable("the server is stopping; every request that it has read is answered")
}

/// UNAVAILABLE at the end of a stream or health watch that ends with its connection.
pub(in crate::rpc) fn connection_closing() -> Status {
    Status::unavailable(
        "this connection is being closed: it reached server.max_connection_age, or the server is stopping; \
         every request that the server has read is answered; send the next request on a new connection",
    )
}

/// CANCELLED for a request whose caller left before it was complete.
pub(in crate::rpc) fn caller_left() -> Status {
    Status::cancelled("the caller left before its request was complete")
}

/// INVALID_ARGUMENT for a request of another protocol than gRPC.
pub(in crate::rpc) fn not_grpc(message: &str) -> Status {
    Status::invalid_argument(message)
}

/// DEADLINE_EXCEEDED for a request that was not received whole in time.
pub(in crate::rpc) fn request_body_timeout(timeout: Duration) -> Status {
    Status::deadline_exceeded(format!(
        "the request did not come whole within {}: the shorter of its own deadline and server.max_request_time",
        humantime::format_duration(timeout)
    ))
}

/// DEADLINE_EXCEEDED at the end of a stream that reaches its own deadline.
pub(in crate::rpc) fn stream_deadline_exceeded() -> Status {
    Status::deadline_exceeded(
        "the stream reached its own deadline (grpc-timeout); every request that was read is answered",
    )
}

/// The retry delay of a caller whose request found no memory. Requests end within milliseconds.
const MEMORY_RETRY_AFTER: Duration = Duration::from_millis(100);

/// RESOURCE_EXHAUSTED for a request that finds no memory.
pub(in crate::rpc) fn request_memory_refused(refusal: MemoryRefusal) -> Status {
    resource_exhausted(refusal.to_string(), MEMORY_RETRY_AFTER)
}

/// RESOURCE_EXHAUSTED for a message that declares more bytes than its method accepts, or unpacks to
/// more. `setting` holds the limit, if a setting does.
pub(in crate::rpc) fn message_too_long(bytes: usize, limit: usize, setting: Option<&str>) -> Status {
    let setting = setting.map(|setting| format!(" ({setting})")).unwrap_or_default();
    Status::resource_exhausted(format!(
        "the message has {bytes} bytes: expected at most {limit} in a request of this method{setting}"
    ))
}

/// INVALID_ARGUMENT for a message that is declared as compressed with gzip and is not.
pub(in crate::rpc) fn invalid_gzip(reason: &str) -> Status {
    Status::invalid_argument(format!("the compressed message is not valid gzip: {reason}"))
}

/// UNIMPLEMENTED for a request with gzip, which the operator has switched off.
pub(in crate::rpc) fn gzip_is_off() -> Status {
    let mut status = Status::unimplemented(
        "this server accepts no messages compressed with gzip (server.accept_gzip = false): send them uncompressed",
    );
    name_accepted_encodings(&mut status, false);
    status
}

/// UNIMPLEMENTED for a request whose messages have another compression than gzip.
pub(in crate::rpc) fn unknown_message_encoding(accepts_gzip: bool) -> Status {
    let mut status = Status::unimplemented(match accepts_gzip {
        true => "the grpc-encoding of the request is not supported: expected gzip or identity",
        false => "the grpc-encoding of the request is not supported: expected identity",
    });
    name_accepted_encodings(&mut status, accepts_gzip);
    status
}

/// gRPC requires the header with a refusal of a compression.
fn name_accepted_encodings(status: &mut Status, accepts_gzip: bool) {
    let accepted = if accepts_gzip { "gzip,identity" } else { "identity" };
    let name = "grpc-accept-encoding";
    status.metadata_mut().insert(name, MetadataValue::from_static(accepted));
}

/// DEADLINE_EXCEEDED for a compressed message that waited too long for its turn to be unpacked.
pub(in crate::rpc) fn unpack_timeout(timeout: Duration) -> Status {
    Status::deadline_exceeded(format!(
        "the compressed message was not unpacked within {}: the shorter of the request's own deadline and \
         server.max_request_time",
        humantime::format_duration(timeout)
    ))
}

/// RESOURCE_EXHAUSTED for a health watch or a reflection stream beside too many others.
pub(in crate::rpc) fn too_many_streams() -> Status {
    Status::resource_exhausted(
        "too many health watches and reflection streams are open: close one, or use another connection",
    )
}

/// DEADLINE_EXCEEDED at the end of a stream that runs no model.
pub(in crate::rpc) fn stream_time_exceeded(time: Duration) -> Status {
    Status::deadline_exceeded(format!(
        "a reflection stream may take {}: the shorter of its own deadline and server.max_request_time",
        humantime::format_duration(time)
    ))
}

/// INVALID_ARGUMENT for a request that ends before its message does.
pub(in crate::rpc) fn message_incomplete() -> Status {
    Status::invalid_argument("the request ended within a message: fewer bytes came than its prefix declares")
}

/// INVALID_ARGUMENT for a second message in a request of one.
pub(in crate::rpc) fn second_message() -> Status {
    Status::invalid_argument("this method takes one message: found bytes after it")
}

/// RESOURCE_EXHAUSTED with the pushback that gRPC clients with a retry policy honour.
fn resource_exhausted(message: String, retry_after: Duration) -> Status {
    let retry_after = retry_after.clamp(*RETRY_AFTER.start(), *RETRY_AFTER.end());
    let milliseconds = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
    let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(milliseconds)));
    let mut status = Status::with_error_details(Code::ResourceExhausted, message, details);
    status
        .metadata_mut()
        .insert("grpc-retry-pushback-ms", MetadataValue::from(milliseconds));
    status
}
