//! Checks that the headers of a request are those of gRPC.

use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};

use crate::rpc::common::status;

/// The content type of gRPC. A subtype or parameters may follow.
const GRPC: &str = "application/grpc";

/// The response to a request that is not gRPC; `None` if it is.
///
/// Clients of HTTP that do not know gRPC take every response with HTTP status 200 for a success.
/// They therefore get the status of HTTP that names their error.
pub(super) fn refuse_other_protocols<B>(request: &Request<B>) -> Option<Response<Body>> {
    if request.method() != Method::POST {
        let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "the method must be POST");
        response
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("POST"));
        return Some(response);
    }
    (!is_grpc(request.headers())).then(|| {
        refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type must be application/grpc or application/grpc+proto",
        )
    })
}

fn refusal(http_status: StatusCode, message: &str) -> Response<Body> {
    let mut response = status::not_grpc(message).into_http();
    *response.status_mut() = http_status;
    response
}

/// Whether the content type is that of gRPC with protobuf messages. gRPC-Web and other encodings of
/// messages have names of their own, and this server does not read them.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| {
        let (name, subtype) = media_type.trim().split_at_checked(GRPC.len()).unwrap_or_default();
        name.eq_ignore_ascii_case(GRPC) && (subtype.is_empty() || subtype.eq_ignore_ascii_case("+proto"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_served(content_type: &str) -> bool {
        let request = Request::post("/")
            .header("content-type", content_type)
            .body(())
            .unwrap();
        refuse_other_protocols(&request).is_none()
    }

    #[test]
    fn only_grpc_with_protobuf_messages_is_served() {
        for grpc in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc; charset=utf-8",
            "Application/gRPC+Proto;a=b",
        ] {
            assert!(is_served(grpc), "{grpc}");
        }
        for other in [
            "",
            "application/json",
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpc+json",
            "application/grpcx",
            "text/application/grpc",
            "application/gr",
        ] {
            assert!(!is_served(other), "{other}");
        }
    }

    #[test]
    fn the_http_status_names_the_error() {
        let of = |request: &Request<()>| refuse_other_protocols(request).unwrap().status();
        assert_eq!(of(&Request::post("/").body(()).unwrap()), 415);
        let get = Request::get("/").header("content-type", GRPC).body(()).unwrap();
        assert_eq!(of(&get), 405);
    }
}
