//! Bytes that are no valid request are refused with the right code, and the server continues.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use tonic::codegen::http::{Request, Response};
use tonic::codegen::{Bytes, Service as _};
use tonic::{Code, Status};

use crate::support::{Setup, TestServer, messages};

type HttpResponse = Response<tonic::body::Body>;

/// Posts `body` unchanged. It is text, because tonic's body type has no constructor for bytes.
async fn post(server: &TestServer, method: &str, content_type: &str, body: String) -> HttpResponse {
    let mut channel = server.channel().await;
    std::future::poll_fn(|context| channel.poll_ready(context))
        .await
        .unwrap();
    let request = Request::post(format!(
        "http://{}/certimix.v1.MixedClassifier/{method}",
        server.address
    ))
    .header("content-type", content_type)
    .header("te", "trailers")
    .body(tonic::body::Body::new(body))
    .unwrap();
    channel.call(request).await.unwrap()
}

fn code(response: &HttpResponse) -> Code {
    Status::from_header_map(response.headers())
        .expect("a status in the headers")
        .code()
}

/// Adds the five bytes before a message: the flag for no compression, and the length.
fn framed(message: &str) -> String {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    String::from_utf8([&[0][..], &length, message.as_bytes()].concat()).unwrap()
}

async fn assert_still_serves(server: &TestServer) {
    server
        .client()
        .await
        .predict(messages::predict_request(messages::floats(&[[0.5; 4]])))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_invalid_message_is_an_invalid_argument() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    // An invalid wire type, text, a field longer than the message, a tensor encoded as a number,
    // and an incomplete tensor.
    for invalid in [
        "\x07\x07\x07",
        "hello, server",
        "\x0a\x7f\x01",
        "\x08\x01",
        "\x0a\x02\x12\x50",
    ] {
        for method in ["Predict", "Certify", "CertifyStream"] {
            let response = post(&server, method, "application/grpc", framed(invalid)).await;
            assert_eq!(
                code(&response),
                Code::InvalidArgument,
                "{method} of {invalid:?}: {response:?}"
            );
        }
    }
    assert_still_serves(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_invalid_frame_is_refused() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    // An incomplete frame, an incomplete header, no frame at all, and an invalid compression flag.
    for body in ["\0\0\0\0\x20abc", "\0\0", "", "garbage from the start to the end"] {
        let response = post(&server, "Predict", "application/grpc", body.to_owned()).await;
        assert_eq!(code(&response), Code::InvalidArgument, "{body:?}: {response:?}");
    }
    // gRPC requires INTERNAL for a compressed message without a declared encoding.
    let compressed = post(&server, "Predict", "application/grpc", "\x01\0\0\0\x03abc".to_owned()).await;
    assert_eq!(code(&compressed), Code::Internal, "{compressed:?}");
    let endless = post(&server, "Predict", "application/grpc", "\0\x7f\x7f\x7f\x7f".to_owned()).await;
    assert_eq!(code(&endless), Code::ResourceExhausted, "{endless:?}");
    assert_still_serves(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn other_content_types_and_unknown_methods_are_refused() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let response = post(&server, "Predict", "application/json", "{}".to_owned()).await;
    assert!(
        response.status() == 415 || response.headers().contains_key("grpc-status"),
        "{response:?}"
    );
    let response = post(&server, "Destroy", "application/grpc", framed("")).await;
    assert_eq!(code(&response), Code::Unimplemented);
    assert_still_serves(&server).await;
}

/// Sends bytes that are not HTTP/2, and reads until the server closes the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_without_http2_is_closed() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let address = server.address;
    for invalid in [
        Bytes::from_static(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"),
        Bytes::from(vec![0xAB; 10_000]),
    ] {
        let closed = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            // The server may reset the connection before all bytes are sent.
            let _ = stream.write_all(&invalid);
            match stream.read_to_end(&mut Vec::new()) {
                Ok(_) => true,
                Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        });
        assert!(closed.await.unwrap());
        assert_still_serves(&server).await;
    }
}
