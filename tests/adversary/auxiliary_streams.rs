//! Health watches and reflection streams: no model works for them, and no caller may keep many.

use std::time::Instant;

use crate::raw_http2::{flag, frame, grpc_message, kind, request_headers};
use crate::refusals::{connect_without_header_table, is_end, is_refusal};
use crate::support::Setup;
use crate::support::process::ServerProcess;
use crate::support::server::TEST_TIMEOUT;

const WATCH: &str = "/grpc.health.v1.Health/Watch";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

fn setup() -> Setup {
    Setup::pair("linear_g", "linear_h")
}

/// A health watch has no end, so their number is limited: on a connection, and in all.
#[test]
fn health_watches_are_limited() {
    const MOST: u32 = 16;
    let setup = setup();
    let server = ServerProcess::spawn(&setup.write());
    let mut connection = connect_without_header_table(server.address());
    for number in 0..=MOST {
        let stream = 2 * number + 1;
        connection.send(&request_headers(stream, WATCH, &[]));
        connection.send(&frame(kind::DATA, flag::END_STREAM, stream, &grpc_message(0, &[])));
        let answer = connection
            .read_until(|frame| frame.stream == stream && (frame.kind == kind::DATA || is_end(frame)))
            .unwrap();
        assert_eq!(is_refusal(&answer), number == MOST, "{number}: {answer:?}");
    }
    // A watch that ends makes room for another.
    connection.send(&frame(kind::RST_STREAM, flag::NONE, 1, &8_u32.to_be_bytes()));
    let start = Instant::now();
    for number in MOST + 1.. {
        let stream = 2 * number + 1;
        connection.send(&request_headers(stream, WATCH, &[]));
        connection.send(&frame(kind::DATA, flag::END_STREAM, stream, &grpc_message(0, &[])));
        let answer = connection
            .read_until(|frame| frame.stream == stream && (frame.kind == kind::DATA || is_end(frame)))
            .unwrap();
        if answer.kind == kind::DATA {
            break;
        }
        assert!(start.elapsed() < TEST_TIMEOUT, "a watch that ended still counts");
    }
    // Other methods are not affected.
    assert!(connection.send(&request_headers(9001, "/grpc.health.v1.Health/Check", &[])));
    assert!(connection.send(&frame(kind::DATA, flag::END_STREAM, 9001, &grpc_message(0, &[]))));
    let answer = connection
        .read_until(|frame| frame.stream == 9001 && frame.kind == kind::DATA)
        .unwrap();
    assert_eq!(answer.payload, grpc_message(2, &[8, 1]));
}

/// A reflection stream has the time of one request, whether its caller sends something or not.
#[test]
fn a_reflection_stream_ends_after_the_time_of_a_request() {
    let setup = setup().text("server.max_request_time", "300ms");
    let server = ServerProcess::spawn(&setup.write());
    let mut connection = connect_without_header_table(server.address());
    assert!(connection.send(&request_headers(1, REFLECTION, &[])));
    // ServerReflectionRequest { list_services: "" }
    let list_services = grpc_message(2, &[0x3a, 0]);
    let start = Instant::now();
    while start.elapsed() < TEST_TIMEOUT {
        // An answer, or the end.
        assert!(connection.send(&frame(kind::DATA, flag::NONE, 1, &list_services)));
        let is_next =
            |frame: &crate::raw_http2::Frame| frame.stream == 1 && (frame.kind == kind::DATA || is_end(frame));
        let Some(next) = connection.read_until(is_next) else {
            panic!("the connection ends");
        };
        if is_end(&next) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("the stream does not end");
}
