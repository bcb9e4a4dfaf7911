//! An HTTP/2 client that sends one request and ends it in any way.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Ping, PingPong, Reason, SendStream};
use http::{HeaderMap, Request};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::support::server::TEST_TIMEOUT;

/// A connection for one request. Dropping it closes the socket.
pub struct Http2Client {
    sender: SendRequest<Bytes>,
    pings: PingPong,
    connection: JoinHandle<()>,
}

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub http_status: u16,
    /// The gRPC code in the headers or the trailers.
    pub grpc_status: Option<i32>,
}

impl Http2Client {
    /// Connects. `resets` makes the end of the connection a reset of TCP.
    pub async fn connect(address: SocketAddr, resets: bool) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        if resets {
            stream.set_zero_linger().unwrap();
        }
        let (sender, mut connection) = h2::client::handshake(stream).await.unwrap();
        let pings = connection.ping_pong().unwrap();
        let connection = tokio::spawn(async move { drop(connection.await) });
        Self {
            sender,
            pings,
            connection,
        }
    }

    /// Sends the headers of a request.
    pub async fn send(&mut self, request: Request<()>) -> (ResponseFuture, SendStream<Bytes>) {
        let mut sender = self.sender.clone().ready().await.unwrap();
        sender.send_request(request, false).unwrap()
    }

    /// Waits until the server has read everything that was sent.
    pub async fn flush(&mut self) {
        let pong = tokio::time::timeout(TEST_TIMEOUT, self.pings.ping(Ping::opaque()));
        pong.await.expect("the server answers no PING").unwrap();
    }

    /// Closes the socket without a word of HTTP/2.
    pub async fn close(self) {
        self.connection.abort();
        let _ = self.connection.await;
    }
}

/// Waits for the whole answer; `None` if the stream ends without one.
pub async fn answer(response: ResponseFuture) -> Option<Answer> {
    tokio::time::timeout(TEST_TIMEOUT, read_answer(response))
        .await
        .expect("the server does not answer")
}

async fn read_answer(response: ResponseFuture) -> Option<Answer> {
    let (parts, mut body) = response.await.ok()?.into_parts();
    while let Some(bytes) = body.data().await {
        let length = bytes.ok()?.len();
        body.flow_control().release_capacity(length).unwrap();
    }
    let trailers = body.trailers().await.ok()?.unwrap_or_default();
    let code = |headers: &HeaderMap| headers.get("grpc-status")?.to_str().ok()?.parse().ok();
    Some(Answer {
        http_status: parts.status.as_u16(),
        grpc_status: code(&parts.headers).or_else(|| code(&trailers)),
    })
}

/// Resets the stream, and waits until the frame has left: the client ends the connection after it.
pub async fn reset(client: Http2Client, mut stream: SendStream<Bytes>, response: ResponseFuture, reason: Reason) {
    stream.send_reset(reason);
    // The response of a stream that was reset is an error, once the frame is sent.
    let _ = tokio::time::timeout(TEST_TIMEOUT, response).await;
    let mut sender = client.sender.clone().ready().await.unwrap();
    // A request behind the reset: its answer shows that the server has read both.
    let probe = Request::post("http://localhost/certimix.v1.MixedClassifier/GetModelInfo")
        .header("content-type", "application/grpc")
        .body(())
        .unwrap();
    let (response, mut body) = sender.send_request(probe, false).unwrap();
    body.send_data(Bytes::from_static(&[0; 5]), true).unwrap();
    assert_eq!(answer(response).await.unwrap().grpc_status, Some(0));
}
