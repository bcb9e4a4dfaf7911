//! Half a message, and then nothing.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame};
use tonic::Status;
use tonic::codegen::http::{Request, Response};
use tonic::codegen::{Bytes, Service as _};
use tonic::transport::Channel;

use super::server::TEST_TIMEOUT;

/// The beginning of a message, and nothing behind it.
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

/// Sends it to a method, with a `grpc-timeout` or none.
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
    let half = PartialMessage(Some(Bytes::from_static(&[0, 0, 0, 0, 100, 7, 7, 7])));
    let request = request.body(tonic::body::Body::new(half)).unwrap();
    tokio::time::timeout(TEST_TIMEOUT, channel.call(request))
        .await
        .unwrap()
        .unwrap()
}

/// The status at the end of the body.
pub async fn status_in_trailers(answer: Response<tonic::body::Body>) -> Status {
    let mut body = answer.into_body();
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
