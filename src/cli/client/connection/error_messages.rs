//! Readable messages for the server's errors: what happened, which fields are wrong, and what to do
//! next.

use std::error::Error;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::rpc::proto::{self, RequestError};

/// The message with which tonic's client ends a call at its deadline. The code is CANCELLED.
const CLIENT_TIMEOUT_MESSAGE: &str = "Timeout expired";

/// Advice for a closed connection. The client may see the TLS alert, the end of the stream or a
/// failed write first.
const CONNECTION_CLOSED_ADVICE: &str = "The server closed the connection. If it requires TLS, use https:// and --tls-ca. \
                                        If it requires client certificates (tls.client_ca), give a certificate that it \
                                        trusts with --tls-certificate and --tls-key.";

/// Advice for a certificate that does not name the address.
const WRONG_NAME: &str =
    "The server's certificate is for another name: give that name with --tls-name, or use it in --address.";

/// Advice for a certificate whose time has passed.
const EXPIRED: &str = "The server's certificate has expired: the operator must replace it (tls.certificate).";

/// The error for a connection that cannot be established.
pub(in crate::cli::client) fn unreachable(address: &str, error: &tonic::transport::Error) -> anyhow::Error {
    let cause = root_cause(error).to_string();
    let advice = tls_advice(&cause).unwrap_or(
        "Is it running? Start it with `make run`, or give its address with --address (https:// if it uses TLS).",
    );
    anyhow::anyhow!("cannot reach the server at {address}: {cause}\n  {advice}")
}

/// The same in one line, for a program: with advice only where the connection itself is wrong.
pub(in crate::cli::client) fn unreachable_in_one_line(address: &str, error: &tonic::transport::Error) -> String {
    with_tls_advice(
        format!("cannot reach the server at {address}"),
        &root_cause(error).to_string(),
    )
}

/// The error for a call that the server answered with `status`, or did not answer, in one line.
pub(in crate::cli::client) fn status_in_one_line(status: &Status) -> String {
    let cause = status.source().map(|source| root_cause(source).to_string());
    let cause = cause.unwrap_or_else(|| status.message().to_owned());
    with_tls_advice(describe(effective_code(status)), &cause)
}

fn with_tls_advice(mut text: String, cause: &str) -> String {
    if !cause.is_empty() {
        text = format!("{text}: {cause}");
    }
    if let Some(advice) = tls_advice(cause) {
        text = format!("{text}. {advice}");
    }
    // A server can put anything into its message.
    text.replace(['\n', '\r'], " ")
}

fn root_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

/// Advice for a failed TLS handshake. rustls has no stable error codes, so this matches words of
/// its messages. The first match counts. Messages with and without the details of a certificate
/// have different words.
fn tls_advice(cause: &str) -> Option<&'static str> {
    let advice = [
        ("NotValidForName", WRONG_NAME),
        ("certificate not valid for name", WRONG_NAME),
        ("Expired", EXPIRED),
        ("certificate expired", EXPIRED),
        (
            "invalid peer certificate",
            "The server's certificate is not trusted: --tls-ca must be the authority that signed it.",
        ),
        (
            "CertificateRequired",
            "The server requires a client certificate: give --tls-certificate and --tls-key.",
        ),
        (
            "fatal alert",
            "The server rejected your certificate: --tls-certificate must be signed by an authority in its tls.client_ca.",
        ),
        (
            "InvalidContentType",
            "The server does not use TLS at this address: use http://.",
        ),
    ];
    let found = advice.iter().find(|(words, _)| cause.contains(words));
    found.map(|(_, advice)| *advice)
}

/// The status of one request of a stream that the server answered with a `RequestError`.
pub(in crate::cli::client) fn request_status(error: &RequestError) -> Status {
    let mut details = ErrorDetails::new();
    for violation in &error.violations {
        details.add_bad_request_violation(&violation.field, &violation.description);
    }
    if error.retry_after_ms > 0 {
        details.set_retry_info(Some(Duration::from_millis(error.retry_after_ms)));
    }
    Status::with_error_details(Code::from_i32(error.code), error.message.clone(), details)
}

/// The error for a call that the server answered with `status`.
pub(in crate::cli::client) fn from_status(status: &Status) -> anyhow::Error {
    let code = effective_code(status);
    let details = status.get_error_details();
    let violations = details
        .bad_request()
        .map(|bad| bad.field_violations.as_slice())
        .unwrap_or_default();
    let mut text = describe(code);
    // The server's message may repeat the violations. Each is printed once.
    let is_repeated = |violation: &FieldViolation| status.message().contains(&violation.description);
    if violations.is_empty() || !violations.iter().all(is_repeated) {
        text.push_str(": ");
        text.push_str(status.message());
    }
    for violation in violations {
        add_line(&mut text, &format!("{}: {}", violation.field, violation.description));
    }
    if let Some(delay) = details.retry_info().and_then(|retry| retry.retry_delay) {
        add_line(&mut text, &format!("Retry after {} ms.", delay.as_millis()));
    }
    let cause = status.source().map(|source| root_cause(source).to_string());
    let tls_advice = cause.as_deref().and_then(tls_advice);
    if let (Some(cause), Some(_)) = (&cause, tls_advice) {
        add_line(&mut text, cause);
    }
    let asks_to_wait = details.retry_info().is_some();
    if let Some(advice) = tls_advice.or_else(|| advice(code, asks_to_wait)) {
        add_line(&mut text, advice);
    }
    anyhow::anyhow!(text)
}

/// Each violation on an indented line of its own.
pub(in crate::cli::client) fn violation_lines(violations: &[proto::FieldViolation]) -> String {
    let mut text = String::new();
    for violation in violations {
        add_line(&mut text, &format!("{}: {}", violation.field, violation.description));
    }
    text
}

fn add_line(text: &mut String, line: &str) {
    text.push_str("\n  ");
    text.push_str(line);
}

/// The status code, with the client's own timeout mapped to DEADLINE_EXCEEDED.
pub(in crate::cli::client) fn effective_code(status: &Status) -> Code {
    if status.code() == Code::Cancelled && status.message() == CLIENT_TIMEOUT_MESSAGE {
        return Code::DeadlineExceeded;
    }
    status.code()
}

fn describe(code: Code) -> String {
    let description = match code {
        Code::InvalidArgument => "the server rejected the request (INVALID_ARGUMENT)",
        Code::ResourceExhausted => "the server has no capacity for the request (RESOURCE_EXHAUSTED)",
        Code::DeadlineExceeded => "no response within the deadline (DEADLINE_EXCEEDED)",
        Code::Unavailable => "the server is not available (UNAVAILABLE)",
        Code::Unauthenticated => "the server did not accept your credentials (UNAUTHENTICATED)",
        Code::Unimplemented => "the server does not implement this request (UNIMPLEMENTED)",
        Code::Internal => "the server failed (INTERNAL)",
        Code::Cancelled => "the request was cancelled (CANCELLED)",
        other => return format!("the server returned an error ({other:?})"),
    };
    description.to_owned()
}

fn advice(code: Code, asks_to_wait: bool) -> Option<&'static str> {
    match code {
        Code::ResourceExhausted if asks_to_wait => {
            Some("The server was busy until the deadline: set a longer --deadline, or try again later.")
        }
        Code::ResourceExhausted | Code::OutOfRange => {
            Some("One input is too large for a message: see server.max_message_bytes in the server's settings.")
        }
        Code::DeadlineExceeded => Some("Set a longer --deadline, or request fewer votes."),
        Code::Unavailable => {
            Some("The server may be loading or stopping: try again in a moment, or start it with `make run`.")
        }
        Code::Unauthenticated => Some("Give a token of this server with --token-file."),
        Code::Cancelled | Code::Unknown => Some(CONNECTION_CLOSED_ADVICE),
        Code::Unimplemented => Some("Is this a Certimix server of the same version?"),
        Code::Internal => Some("The server's log has the details."),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_violation_is_listed() {
        let mut details = ErrorDetails::new();
        details.add_bad_request_violation("inputs.shape", "expected [N, 3, 32, 32]");
        details.add_bad_request_violation("inputs.data", "expected 3072 bytes");
        let status = Status::with_error_details(Code::InvalidArgument, "2 fields are wrong", details);
        let text = from_status(&status).to_string();
        assert!(text.contains("INVALID_ARGUMENT"), "{text}");
        assert!(
            text.contains("\n  inputs.shape: expected [N, 3, 32, 32]\n  inputs.data: expected 3072 bytes"),
            "{text}"
        );
    }

    #[test]
    fn a_repeated_violation_is_printed_once() {
        let mut details = ErrorDetails::new();
        details.add_bad_request_violation("inputs", "expected one");
        let status = Status::with_error_details(Code::InvalidArgument, "inputs: expected one", details);
        let text = from_status(&status).to_string();
        assert_eq!(
            text,
            "the server rejected the request (INVALID_ARGUMENT)\n  inputs: expected one"
        );
    }

    #[test]
    fn the_retry_delay_is_printed() {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(250)));
        let status = Status::with_error_details(Code::ResourceExhausted, "full", details);
        assert!(from_status(&status).to_string().contains("250 ms"));
    }

    #[test]
    fn an_error_in_a_stream_has_the_same_format() {
        let violation = proto::FieldViolation {
            field: "inputs.shape".to_owned(),
            description: "expected [N, 4]".to_owned(),
        };
        let status = request_status(&RequestError {
            code: 3,
            message: "inputs.shape: expected [N, 4]".to_owned(),
            violations: vec![violation],
            retry_after_ms: 50,
        });
        let text = from_status(&status).to_string();
        assert!(text.contains("INVALID_ARGUMENT"), "{text}");
        assert!(
            text.contains("\n  inputs.shape: expected [N, 4]\n  Retry after"),
            "{text}"
        );
        assert!(text.contains("50 ms"), "{text}");
    }

    #[test]
    fn every_form_of_a_closed_connection_is_explained() {
        for status in [
            Status::unknown("transport error"),
            Status::cancelled("operation was canceled"),
        ] {
            let text = from_status(&status).to_string();
            assert!(
                text.contains("https://") && text.contains("--tls-certificate"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_wrong_name_and_a_past_date_have_advice_of_their_own() {
        for (cause, expected) in [
            ("invalid peer certificate: NotValidForName", "--tls-name"),
            (
                "invalid peer certificate: certificate not valid for name \"a\"",
                "--tls-name",
            ),
            ("invalid peer certificate: Expired", "has expired"),
            (
                "invalid peer certificate: certificate expired: verified at 2",
                "has expired",
            ),
            ("invalid peer certificate: UnknownIssuer", "--tls-ca"),
        ] {
            assert!(tls_advice(cause).unwrap().contains(expected), "{cause}");
        }
    }

    #[test]
    fn the_client_timeout_is_reported_as_a_deadline() {
        let text = from_status(&Status::cancelled(CLIENT_TIMEOUT_MESSAGE)).to_string();
        assert!(text.contains("--deadline"), "{text}");
    }
}
