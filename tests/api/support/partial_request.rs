//! A request whose message never arrives completely.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame};
use tonic::Status;
use tonic::codegen::http::{Request, Response};
use tonic::codegen::{Bytes, Service as _};
use tonic::transport::Channel;

use super::server::TEST_TIMEOUT;

/// A body that sends the beginning of a message and then stays open.
struct PartialMessage(Option<Bytes>);

impl Body for PartialMessage {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.0.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Pending,
        }
    }
}

/// Posts an incomplete message to a method, with an optional `grpc-timeout`.
pub async fn post_partial_message(
    channel: &mut Channel,
    method: &str,
    timeout: Option<&str>,
) -> Response<tonic::body::Body> {
    std::future::poll_fn(|context| channel.poll_ready(context))
        .await
        .unwrap();
    let mut request = Request::post(format!("http://localhost/certimix.v1.MixedClassifier/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(timeout) = timeout {
        request = request.header("grpc-timeout", timeout);
    }
    let partial = PartialMessage(Some(Bytes::from_static(&[0, 0, 0, 0, 100, 7, 7, 7])));
    let request = request.body(tonic::body::Body::new(partial)).unwrap();
    tokio::time::timeout(TEST_TIMEOUT, channel.call(request))
        .await
        .unwrap()
        .unwrap()
}

/// Reads the body to its trailers, and returns the status there.
pub async fn status_in_trailers(response: Response<tonic::body::Body>) -> Status {
    let mut body = response.into_body();
    loop {
        let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let frame = tokio::time::timeout(TEST_TIMEOUT, frame)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        if let Some(trailers) = frame.trailers_ref() {
            return Status::from_header_map(trailers).unwrap();
        }
    }
}
