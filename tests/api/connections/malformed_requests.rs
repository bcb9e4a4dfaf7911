//! Bytes that are no request: refused with the right code, and forgotten.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use tonic::codegen::http::{Request, Response};
use tonic::codegen::{Bytes, Service as _};
use tonic::{Code, Status};

use crate::support::{Setup, TestServer, messages};

type Answer = Response<tonic::body::Body>;

/// Posts `body` as it is, which must be text for want of another body that can be made here.
async fn post(server: &TestServer, method: &str, content_type: &str, body: String) -> Answer {
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

fn code(answer: &Answer) -> Code {
    Status::from_header_map(answer.headers())
        .expect("a status in the headers")
        .code()
}

/// The five bytes before a message: not compressed, and its length.
fn framed(message: &str) -> String {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    String::from_utf8([&[0][..], &length, message.as_bytes()].concat()).unwrap()
}

async fn assert_goes_on(server: &TestServer) {
    server
        .client()
        .await
        .predict(messages::predict_request(messages::floats(&[[0.5; 4]])))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_message_that_is_none_is_an_invalid_argument() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    // A bad wire type, an unfinished number, a field longer than the message, a tensor that is a number.
    for garbage in [
        "\x07\x07\x07",
        "hello, server",
        "\x0a\x7f\x01",
        "\x08\x01",
        "\x0a\x02\x12\x50",
    ] {
        for method in ["Predict", "Certify", "CertifyStream"] {
            let answer = post(&server, method, "application/grpc", framed(garbage)).await;
            assert_eq!(
                code(&answer),
                Code::InvalidArgument,
                "{method} of {garbage:?}: {answer:?}"
            );
        }
    }
    assert_goes_on(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_frame_that_is_none_is_refused() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    // A frame cut off, no frame at all, and one that is neither compressed nor not.
    for body in ["\0\0\0\0\x20abc", "\0\0", "", "garbage from the start to the end"] {
        let answer = post(&server, "Predict", "application/grpc", body.to_owned()).await;
        assert_eq!(code(&answer), Code::InvalidArgument, "{body:?}: {answer:?}");
    }
    // gRPC's own rule: compressed, but not said how, is INTERNAL.
    let compressed = post(&server, "Predict", "application/grpc", "\x01\0\0\0\x03abc".to_owned()).await;
    assert_eq!(code(&compressed), Code::Internal, "{compressed:?}");
    let endless = post(&server, "Predict", "application/grpc", "\0\x7f\x7f\x7f\x7f".to_owned()).await;
    assert_eq!(code(&endless), Code::ResourceExhausted, "{endless:?}");
    assert_goes_on(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_not_grpc_is_refused() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let answer = post(&server, "Predict", "application/json", "{}".to_owned()).await;
    assert!(
        answer.status() == 415 || answer.headers().contains_key("grpc-status"),
        "{answer:?}"
    );
    let answer = post(&server, "Destroy", "application/grpc", framed("")).await;
    assert_eq!(code(&answer), Code::Unimplemented);
    assert_goes_on(&server).await;
}

/// Sends bytes that are not HTTP/2, and reads until the server hangs up.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_of_garbage_is_closed() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h")).await;
    let address = server.address;
    for garbage in [
        Bytes::from_static(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"),
        Bytes::from(vec![0xAB; 10_000]),
    ] {
        let hung_up = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            // The server may hang up before all is sent, and by a reset.
            let _ = stream.write_all(&garbage);
            match stream.read_to_end(&mut Vec::new()) {
                Ok(_) => true,
                Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        });
        assert!(hung_up.await.unwrap());
        assert_goes_on(&server).await;
    }
}
