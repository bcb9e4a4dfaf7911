//! Corrects the codes of errors that arise before a handler has a message.
//!
//! Before tonic calls a handler, it runs no code of this server but the request's body, whose errors
//! are statuses of this server. So an INTERNAL or UNKNOWN error from there is about the bytes that the
//! caller sent, whatever its text: the place of an error decides, not the message of a library.
//!
//! - Bytes that are no message are INVALID_ARGUMENT.
//! - A message over the size limit is RESOURCE_EXHAUSTED.
//! - A caller that left before its request was complete is CANCELLED. tonic reads such an error as the
//!   end of the request, so the connection tells it to [`correct_response`].
//! - A compressed message that does not name its compression stays INTERNAL, as gRPC requires. It
//!   counts as an error of the caller.

use tonic::codegen::http::{HeaderMap, HeaderValue, Response};
use tonic::{Code, Status};

use super::call_tracker::{CallTracker, REQUEST_ID, StreamCallTracker, recorded_code};
use crate::call as telemetry;

const GRPC_STATUS: &str = "grpc-status";

/// The start of tonic's message about a compressed message without a declared compression. If the text
/// changes, the caller gets INVALID_ARGUMENT instead of INTERNAL, and a test of call outcomes fails.
const UNDECLARED_COMPRESSION: &str = "protocol error: received message with compressed-flag";

/// Corrects the status that tonic returns for a message of a request stream, and records the call of
/// that message.
///
/// The departure of a caller is no call: no message was complete.
pub(in crate::rpc) fn record_unreadable_message(status: Status, calls: &mut StreamCallTracker) -> Status {
    if status.code() == Code::Cancelled {
        return status;
    }
    let code = corrected_code(&status);
    let status = if code == status.code() {
        status
    } else {
        Status::new(code, status.message())
    };
    calls.begin_message().end_without_handler(recorded_code(&status));
    status
}

/// Corrects the status of a response that consists of headers alone.
///
/// A response without a request ID comes from no handler of this server. `calls` then records the
/// call. `has_left` tells whether the caller left before its request was complete.
pub(in crate::rpc) fn correct_response<B>(
    mut response: Response<B>,
    has_left: bool,
    calls: &CallTracker,
) -> Response<B> {
    let headers = response.headers_mut();
    // Every handler of this server sets the request ID.
    if headers.contains_key(REQUEST_ID) {
        return response;
    }
    let Some(status) = header_status(headers) else {
        return response;
    };
    let code = if has_left {
        calls.code_without_answer()
    } else {
        telemetry::Code::from_number(corrected_code(&status).into())
    };
    headers.insert(GRPC_STATUS, HeaderValue::from(code.number()));
    let call = calls.begin_without_handler();
    call.write_request_id_header(headers);
    call.end_without_handler(code);
    response
}

fn header_status(headers: &HeaderMap) -> Option<Status> {
    headers.get(GRPC_STATUS)?;
    Status::from_header_map(headers)
}

/// The code of a status that arose before a handler had a message.
fn corrected_code(status: &Status) -> Code {
    match status.code() {
        Code::OutOfRange => Code::ResourceExhausted,
        Code::Internal if status.message().starts_with(UNDECLARED_COMPRESSION) => Code::Internal,
        Code::Internal | Code::Unknown => Code::InvalidArgument,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_library_makes_an_error_of_the_caller_one_of_the_server() {
        for text in [
            "failed to decode Protobuf message",
            "anything that a new version says",
            "",
        ] {
            for code in [Code::Internal, Code::Unknown] {
                assert_eq!(
                    corrected_code(&Status::new(code, text)),
                    Code::InvalidArgument,
                    "{text}"
                );
            }
        }
        assert_eq!(corrected_code(&Status::out_of_range("")), Code::ResourceExhausted);
        let own = [
            Code::DeadlineExceeded,
            Code::Unauthenticated,
            Code::Unimplemented,
            Code::Unavailable,
        ];
        for code in own {
            assert_eq!(corrected_code(&Status::new(code, "")), code);
        }
    }
}
