//! Corrects the code of errors that tonic returns before it calls a handler.
//!
//! A message over the size limit is RESOURCE_EXHAUSTED, not OUT_OF_RANGE. Bytes that are no message
//! are the caller's error, so their code is INVALID_ARGUMENT, not INTERNAL. A compressed message that
//! does not name its compression stays INTERNAL, as gRPC requires.

use tonic::codegen::http::{HeaderMap, HeaderValue, Response};
use tonic::{Code, Status};

use super::call_tracker::{CallTracker, REQUEST_ID};
use crate::call as telemetry;

const GRPC_STATUS: &str = "grpc-status";

/// The start of each tonic message about bytes that are no message.
const MALFORMED_MESSAGE_PREFIXES: [&str; 4] = [
    "failed to decode Protobuf message",
    "protocol error: received message with invalid compression flag",
    "Unexpected EOF decoding stream",
    "Missing request message",
];

/// Corrects the status that tonic returns for a message of a stream.
pub(in crate::rpc) fn correct_status(status: Status) -> Status {
    match corrected_code(&status) {
        Some(code) => Status::new(code, status.message()),
        None => status,
    }
}

/// Corrects the status of a response that consists of headers alone.
///
/// A response without a request ID comes from no handler. `calls` then records the call.
pub(in crate::rpc) fn correct_response<B>(mut response: Response<B>, calls: &CallTracker) -> Response<B> {
    let headers = response.headers_mut();
    let Some(status) = header_status(headers) else {
        return response;
    };
    let code = corrected_code(&status);
    if let Some(code) = code {
        headers.insert(GRPC_STATUS, HeaderValue::from(code as i32));
    }
    // Every handler of this server sets the request ID.
    if !headers.contains_key(REQUEST_ID) {
        let call = calls.begin_without_handler();
        call.write_request_id_header(headers);
        call.end_with_code(telemetry::Code::from_number(code.unwrap_or(status.code()).into()));
    }
    response
}

fn header_status(headers: &HeaderMap) -> Option<Status> {
    headers.get(GRPC_STATUS)?;
    Status::from_header_map(headers)
}

fn corrected_code(status: &Status) -> Option<Code> {
    match status.code() {
        // No handler of this server returns OUT_OF_RANGE.
        Code::OutOfRange => Some(Code::ResourceExhausted),
        Code::Internal if is_malformed_message(status) => Some(Code::InvalidArgument),
        _ => None,
    }
}

fn is_malformed_message(status: &Status) -> bool {
    MALFORMED_MESSAGE_PREFIXES
        .iter()
        .any(|prefix| status.message().starts_with(prefix))
}
