//! The server's errors in words: what happened, which fields, and what to do next.

use std::error::Error;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::rpc::proto::RequestError;

/// tonic's client ends a call at its deadline with CANCELLED and these words.
const CLIENT_TIMEOUT: &str = "Timeout expired";

/// Whichever of its errors a client sees first when the server ends a connection: its alert, the end, or a write that fails.
const HUNG_UP: &str = "The server hung up. If it wants TLS, say https:// and --tls-ca; if it asks for certificates \
                       (tls.client_ca), it does so to whoever shows none that it knows: --tls-certificate and --tls-key.";

/// No connection could be made.
pub(crate) fn unreachable(address: &str, error: &tonic::transport::Error) -> anyhow::Error {
    let cause = deepest(error).to_string();
    let advice = tls_advice(&cause).unwrap_or(
        "Is it running? Start it with `make run`, or say where it is with --address (https:// if it wants TLS).",
    );
    anyhow::anyhow!("cannot reach the server at {address}: {cause}\n  {advice}")
}

fn deepest<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}

/// What to do about a handshake that failed, known by rustls' own words.
fn tls_advice(cause: &str) -> Option<&'static str> {
    let advice = [
        (
            "NotValidForName",
            "The server's certificate is for another name: say which with --tls-name, or dial that name.",
        ),
        (
            "Expired",
            "The certificate has expired: the operator must rotate it (tls.certificate).",
        ),
        (
            "invalid peer certificate",
            "The server's certificate does not verify: is --tls-ca the authority that has signed it?",
        ),
        (
            "CertificateRequired",
            "The server asks for your certificate: give --tls-certificate and --tls-key.",
        ),
        (
            "fatal alert",
            "The server did not take your certificate: is --tls-certificate signed by one of its tls.client_ca?",
        ),
        (
            "InvalidContentType",
            "The server does not speak TLS there: try http://.",
        ),
    ];
    let found = advice.iter().find(|(words, _)| cause.contains(words));
    found.map(|(_, advice)| *advice)
}

/// The server answered one request of a stream with an error.
pub(crate) fn explain_in_band(error: &RequestError) -> anyhow::Error {
    let mut details = ErrorDetails::new();
    for wrong in &error.violations {
        details.add_bad_request_violation(&wrong.field, &wrong.description);
    }
    if error.retry_after_ms > 0 {
        details.set_retry_info(Some(Duration::from_millis(error.retry_after_ms)));
    }
    explain(&Status::with_error_details(
        Code::from_i32(error.code),
        error.message.clone(),
        details,
    ))
}

/// The server answered with an error.
pub(crate) fn explain(status: &Status) -> anyhow::Error {
    let code = code_of(status);
    let details = status.get_error_details();
    let violations = details
        .bad_request()
        .map(|bad| bad.field_violations.as_slice())
        .unwrap_or_default();
    let mut text = in_words(code);
    // A message that strings the violations together would say everything twice.
    let is_repeated = |violation: &FieldViolation| status.message().contains(&violation.description);
    if violations.is_empty() || !violations.iter().all(is_repeated) {
        add(&mut text, ": ", status.message());
    }
    for violation in violations {
        add_line(&mut text, &format!("{}: {}", violation.field, violation.description));
    }
    if let Some(delay) = details.retry_info().and_then(|retry| retry.retry_delay) {
        add_line(&mut text, &format!("It asks to try again in {} ms.", delay.as_millis()));
    }
    let cause = status.source().map(|source| deepest(source).to_string());
    let tls = cause.as_deref().and_then(tls_advice);
    if let (Some(cause), Some(_)) = (&cause, tls) {
        add_line(&mut text, cause);
    }
    if let Some(advice) = tls.or_else(|| advice(code)) {
        add_line(&mut text, advice);
    }
    anyhow::anyhow!(text)
}

fn add_line(text: &mut String, line: &str) {
    add(text, "\n  ", line);
}

fn add(text: &mut String, before: &str, what: &str) {
    text.push_str(before);
    text.push_str(what);
}

fn code_of(status: &Status) -> Code {
    if status.code() == Code::Cancelled && status.message() == CLIENT_TIMEOUT {
        return Code::DeadlineExceeded;
    }
    status.code()
}

fn in_words(code: Code) -> String {
    let what = match code {
        Code::InvalidArgument => "the server refused the request (INVALID_ARGUMENT)",
        Code::ResourceExhausted => "the server cannot take this now (RESOURCE_EXHAUSTED)",
        Code::DeadlineExceeded => "no answer within the deadline (DEADLINE_EXCEEDED)",
        Code::Unavailable => "the server is not available (UNAVAILABLE)",
        Code::Unauthenticated => "the server does not know you (UNAUTHENTICATED)",
        Code::Unimplemented => "the server does not know this request (UNIMPLEMENTED)",
        Code::Internal => "the server failed (INTERNAL)",
        Code::Cancelled => "the request was cancelled (CANCELLED)",
        other => return format!("the server answered with an error ({other:?})"),
    };
    what.to_owned()
}

fn advice(code: Code) -> Option<&'static str> {
    match code {
        Code::ResourceExhausted => Some("If it is busy, try again later; if the request is too large, lower --batch."),
        Code::DeadlineExceeded => Some("Give it more time with --deadline, or ask for fewer votes."),
        Code::Unavailable => Some("It may be loading or stopping: try again in a moment, or start it with `make run`."),
        Code::Unauthenticated => Some("Give a token of this server with --token-file."),
        Code::Cancelled | Code::Unknown => Some(HUNG_UP),
        Code::Unimplemented => Some("Is this a Certimix server, and of this version?"),
        Code::Internal => Some("Its log says more."),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_violation_is_told() {
        let mut details = ErrorDetails::new();
        details.add_bad_request_violation("inputs.shape", "expected [N, 3, 32, 32]");
        details.add_bad_request_violation("inputs.data", "expected 3072 bytes");
        let status = Status::with_error_details(Code::InvalidArgument, "2 fields are wrong", details);
        let text = explain(&status).to_string();
        assert!(text.contains("INVALID_ARGUMENT"), "{text}");
        assert!(
            text.contains("\n  inputs.shape: expected [N, 3, 32, 32]\n  inputs.data: expected 3072 bytes"),
            "{text}"
        );
    }

    #[test]
    fn nothing_is_said_twice() {
        let mut details = ErrorDetails::new();
        details.add_bad_request_violation("inputs", "expected one");
        let status = Status::with_error_details(Code::InvalidArgument, "inputs: expected one", details);
        let text = explain(&status).to_string();
        assert_eq!(
            text,
            "the server refused the request (INVALID_ARGUMENT)\n  inputs: expected one"
        );
    }

    #[test]
    fn a_full_server_says_when_to_come_back() {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(250)));
        let status = Status::with_error_details(Code::ResourceExhausted, "full", details);
        assert!(explain(&status).to_string().contains("250 ms"));
    }

    #[test]
    fn an_error_in_a_stream_reads_as_any_other() {
        let wrong = crate::rpc::proto::FieldViolation {
            field: "inputs.shape".to_owned(),
            description: "expected [N, 4]".to_owned(),
        };
        let text = explain_in_band(&RequestError {
            code: 3,
            message: "inputs.shape: expected [N, 4]".to_owned(),
            violations: vec![wrong],
            retry_after_ms: 50,
        })
        .to_string();
        assert!(text.contains("INVALID_ARGUMENT"), "{text}");
        assert!(text.contains("\n  inputs.shape: expected [N, 4]\n  It asks"), "{text}");
        assert!(text.contains("50 ms"), "{text}");
    }

    #[test]
    fn a_connection_that_ends_is_explained_whatever_is_seen_of_it_first() {
        for status in [
            Status::unknown("transport error"),
            Status::cancelled("operation was canceled"),
        ] {
            let text = explain(&status).to_string();
            assert!(
                text.contains("https://") && text.contains("--tls-certificate"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_clients_own_timeout_reads_as_a_deadline() {
        let text = explain(&Status::cancelled(CLIENT_TIMEOUT)).to_string();
        assert!(text.contains("--deadline"), "{text}");
    }
}
