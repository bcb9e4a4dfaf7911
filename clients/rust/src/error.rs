//! The errors of calls.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::proto;

/// The header in which the server returns the number of a call in its log.
const REQUEST_ID: &str = "x-request-id";

/// tonic's message for a call that it ends at the deadline itself.
const TIMEOUT_MESSAGE: &str = "Timeout expired";

/// The kinds of errors that a caller treats differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request or an option is wrong, and fails again. [`Error::violations`] names every wrong field.
    InvalidArgument,
    /// The server requires a token, and the call has none that it knows.
    Unauthenticated,
    /// There was no answer within the deadline, or the server cannot answer within so short a deadline.
    DeadlineExceeded,
    /// The server refused the call: it has no room now ([`Error::retry_after`] is set), or the message is too large.
    ResourceExhausted,
    /// The server cannot be reached, or loads, or stops.
    Unavailable,
    /// A model or the server failed on this call.
    Internal,
    /// The answer contradicts itself, such as a certificate with a radius of NaN. It certifies nothing.
    MalformedAnswer,
    /// Another error of the server; [`Error::code`] names it.
    Other,
}

/// One wrong field of a request, such as `inputs.shape`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldViolation {
    /// The name of the field.
    pub field: String,
    /// The expected value and the value found.
    pub description: String,
}

/// A call without an answer.
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    code: Option<Code>,
    message: String,
    violations: Vec<FieldViolation>,
    retry_after: Option<Duration>,
    request_id: Option<String>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The gRPC code; `None` if the client itself found the error.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.0.code
    }

    /// What happened, in a sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Every wrong field. Set for [`ErrorKind::InvalidArgument`].
    #[must_use]
    pub fn violations(&self) -> &[FieldViolation] {
        &self.0.violations
    }

    /// The time that the server asks the caller to wait before a retry; `None` if a retry is of no use.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The `x-request-id` under which the server logs the call.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            code: None,
            message: message.into(),
            violations: Vec::new(),
            retry_after: None,
            request_id: None,
            source: None,
        }))
    }

    /// An argument that the client does not send.
    pub(crate) fn invalid(field: &str, description: impl Into<String>) -> Self {
        let violation = FieldViolation {
            field: field.to_owned(),
            description: description.into(),
        };
        let mut error = Self::new(
            ErrorKind::InvalidArgument,
            format!("{field}: {}", violation.description),
        );
        error.0.violations.push(violation);
        error
    }

    /// An answer that contradicts itself.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::MalformedAnswer, message)
    }

    /// A call that ended at its deadline.
    pub(crate) fn late(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::DeadlineExceeded, message)
    }

    /// A server that did not answer.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// A request for which there is no room, perhaps after this time.
    pub(crate) fn exhausted(message: impl Into<String>, retry_after: Duration) -> Self {
        let mut error = Self::new(ErrorKind::ResourceExhausted, message);
        error.0.retry_after = Some(retry_after);
        error
    }

    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The error of a call that ended with `status`.
    pub(crate) fn from_status(status: Status) -> Self {
        // A status with a source was made by tonic on this side, because the transport failed. Its code depends on the
        // failure and on the features of tonic, but the server did not send it.
        if status.source().is_some() {
            if status.message() == TIMEOUT_MESSAGE {
                return Self::late(NO_ANSWER);
            }
            let message = format!("the connection to the server failed: {}", root_cause(&status));
            return Self::unavailable(message).with_source(status);
        }
        let mut error = Self::new(kind(status.code()), status.message());
        error.0.code = Some(status.code());
        error.0.retry_after = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
        let bad_request = status.get_details_bad_request();
        let violations = bad_request.map(|bad_request| bad_request.field_violations);
        error.0.violations = violations.into_iter().flatten().map(Into::into).collect();
        let request_id = status.metadata().get(REQUEST_ID).and_then(|id| id.to_str().ok());
        error.0.request_id = request_id.map(ToOwned::to_owned);
        error
    }

    /// The error of one request of a PredictStream.
    pub(crate) fn from_request_error(error: proto::RequestError) -> Self {
        let code = Code::from_i32(error.code);
        let mut found = Self::new(kind(code), error.message);
        found.0.code = Some(code);
        found.0.violations = error.violations.into_iter().map(Into::into).collect();
        found.0.retry_after = (error.retry_after_ms > 0).then(|| Duration::from_millis(error.retry_after_ms));
        found
    }
}

/// The message of a call that ended at its deadline without a word of the server.
pub(crate) const NO_ANSWER: &str = "no answer came within the deadline: the server is slow, or cannot be reached";

fn kind(code: Code) -> ErrorKind {
    match code {
        Code::InvalidArgument => ErrorKind::InvalidArgument,
        Code::Unauthenticated => ErrorKind::Unauthenticated,
        Code::DeadlineExceeded => ErrorKind::DeadlineExceeded,
        // OUT_OF_RANGE is tonic's code for a message beyond the limit of the client.
        Code::ResourceExhausted | Code::OutOfRange => ErrorKind::ResourceExhausted,
        Code::Unavailable => ErrorKind::Unavailable,
        Code::Internal => ErrorKind::Internal,
        _ => ErrorKind::Other,
    }
}

fn root_cause(error: &dyn StdError) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The name of a code in the protocol, which logs of other clients contain too.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = self.0.code {
            write!(formatter, "{}: ", code_name(code))?;
        }
        formatter.write_str(&self.0.message)?;
        match &self.0.request_id {
            Some(id) => write!(formatter, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<tonic_types::FieldViolation> for FieldViolation {
    fn from(violation: tonic_types::FieldViolation) -> Self {
        Self {
            field: violation.field,
            description: violation.description,
        }
    }
}

impl From<proto::FieldViolation> for FieldViolation {
    fn from(violation: proto::FieldViolation) -> Self {
        Self {
            field: violation.field,
            description: violation.description,
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn the_details_of_a_status_are_kept() {
        let mut details = ErrorDetails::new();
        details.add_bad_request_violation("inputs.shape", "expected [N, 4]");
        details.add_bad_request_violation("inputs.data", "expected 16 bytes");
        let mut status = Status::with_error_details(Code::InvalidArgument, "2 fields are wrong", details);
        status.metadata_mut().insert(REQUEST_ID, "abc".parse().unwrap());
        let error = Error::from_status(status);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let fields: Vec<_> = error.violations().iter().map(|found| found.field.as_str()).collect();
        assert_eq!(fields, ["inputs.shape", "inputs.data"]);
        assert_eq!(error.to_string(), "INVALID_ARGUMENT: 2 fields are wrong (request abc)");

        let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(50)));
        let refused = Error::from_status(Status::with_error_details(Code::ResourceExhausted, "full", details));
        assert_eq!(refused.kind(), ErrorKind::ResourceExhausted);
        assert_eq!(refused.retry_after(), Some(Duration::from_millis(50)));
        let too_large = Error::from_status(Status::out_of_range("message length too large"));
        assert_eq!(
            (too_large.kind(), too_large.retry_after()),
            (ErrorKind::ResourceExhausted, None)
        );
    }

    #[test]
    fn an_error_of_a_stream_is_that_of_a_call() {
        let violation = proto::FieldViolation {
            field: "inputs.shape".to_owned(),
            description: "expected [N, 4]".to_owned(),
        };
        let error = Error::from_request_error(proto::RequestError {
            code: 3,
            message: "inputs.shape: expected [N, 4]".to_owned(),
            violations: vec![violation],
            retry_after_ms: 50,
        });
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::InvalidArgument, Some(Code::InvalidArgument))
        );
        assert_eq!(error.violations()[0].field, "inputs.shape");
        assert_eq!(error.retry_after(), Some(Duration::from_millis(50)));
        let unknown = Error::from_request_error(proto::RequestError {
            code: 77,
            ..Default::default()
        });
        assert_eq!((unknown.kind(), unknown.retry_after()), (ErrorKind::Other, None));
    }

    #[test]
    fn a_failure_of_the_transport_is_unavailable_whatever_its_code() {
        for code in [Code::Unknown, Code::Cancelled, Code::Internal, Code::ResourceExhausted] {
            let mut status = Status::new(code, "transport error");
            status.set_source(Arc::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset)));
            let error = Error::from_status(status);
            assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, None));
            assert!(error.message().contains("connection reset"), "{error}");
            assert!(error.source().is_some());
        }
        let mut timeout = Status::new(Code::Cancelled, TIMEOUT_MESSAGE);
        timeout.set_source(Arc::new(std::io::Error::from(std::io::ErrorKind::TimedOut)));
        assert_eq!(Error::from_status(timeout).kind(), ErrorKind::DeadlineExceeded);
        assert_eq!(
            Error::from_status(Status::cancelled("by the server")).kind(),
            ErrorKind::Other
        );
    }
}
