//! What callers meet while the models load: by default a server that says so, and with
//! `server.accept_before_ready = false` an address that refuses connections.

use std::io;
use std::net::TcpStream;

use certimix::rpc::proto::PredictStreamRequest;
use tonic::Code;

use crate::support::TestServer;
use crate::support::messages::{CLEAR_INPUT, floats, predict_request};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::slow_load::slow_load;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_address_refuses_connections_until_the_server_is_ready() {
    let mut server = TestServer::listen(slow_load().with("server.accept_before_ready", false));
    let refused = TcpStream::connect(server.address).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    assert!(server.ready().await);
    // The report comes after the port is open, so the first connection succeeds.
    TcpStream::connect(server.address).unwrap();
    let request = predict_request(floats(&[CLEAR_INPUT]));
    let response = server.client().await.predict(request).await.unwrap();
    assert_eq!(response.into_inner().predictions.len(), 1);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_can_be_stopped_before_it_accepts_connections() {
    let mut server = TestServer::listen(slow_load().with("server.accept_before_ready", false));
    server.begin_stop();
    assert!(!server.ready().await);
    server.stop().await.unwrap();
}

/// A load balancer can then open the stream at another replica, because no byte of a response came.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_predict_stream_does_not_begin_while_the_models_load() {
    let mut server = TestServer::listen(slow_load());
    let requests = tokio_stream::iter([PredictStreamRequest {
        request: Some(predict_request(floats(&[CLEAR_INPUT]))),
        ..Default::default()
    }]);
    let status = server.client().await.predict_stream(requests).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().contains("not loaded yet"), "{status:?}");
    assert!(server.ready().await);
    let mut stream = PredictStreamClient::open(server.client().await).await;
    stream.send(predict_request(floats(&[CLEAR_INPUT])));
    assert_eq!(stream.next_response().await.predictions.len(), 1);
}
