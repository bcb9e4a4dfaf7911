//! Errors that tonic answers before a handler is called, with the code that callers expect.
//!
//! A message over the limit is a resource question, not a range; bytes that are no message are the caller's error, not
//! ours. A message that is compressed without saying how stays INTERNAL, as gRPC wants it.

use tonic::codegen::http::{HeaderMap, HeaderValue, Response};
use tonic::{Code, Status};

use super::call_tracker::{Calls, REQUEST_ID};
use crate::call as telemetry;

const GRPC_STATUS: &str = "grpc-status";

/// How tonic's messages begin that are about bytes which are no message.
const NO_MESSAGE: [&str; 4] = [
    "failed to decode Protobuf message",
    "protocol error: received message with invalid compression flag",
    "Unexpected EOF decoding stream",
    "Missing request message",
];

/// Corrects a status that tonic gives for a message of a stream.
pub(in crate::rpc) fn corrected_status(status: Status) -> Status {
    match corrected_code(&status) {
        Some(code) => Status::new(code, status.message()),
        None => status,
    }
}

/// Corrects the status of a response that consists of headers alone. What no handler has seen becomes one of `calls` here.
pub(in crate::rpc) fn correct<B>(mut response: Response<B>, calls: &Calls) -> Response<B> {
    let headers = response.headers_mut();
    let Some(status) = status(headers) else {
        return response;
    };
    let code = corrected_code(&status);
    if let Some(code) = code {
        headers.insert(GRPC_STATUS, HeaderValue::from(code as i32));
    }
    // A handler of ours has named its answer.
    if !headers.contains_key(REQUEST_ID) {
        let call = calls.unseen();
        call.name_in_headers(headers);
        call.finish(telemetry::Code::from_number(code.unwrap_or(status.code()).into()));
    }
    response
}

fn status(headers: &HeaderMap) -> Option<Status> {
    headers.get(GRPC_STATUS)?;
    Status::from_header_map(headers)
}

fn corrected_code(status: &Status) -> Option<Code> {
    match status.code() {
        // No handler of ours answers OUT_OF_RANGE.
        Code::OutOfRange => Some(Code::ResourceExhausted),
        Code::Internal if NO_MESSAGE.iter().any(|begin| status.message().starts_with(begin)) => {
            Some(Code::InvalidArgument)
        }
        _ => None,
    }
}
