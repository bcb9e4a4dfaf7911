//! A connection of raw frames that breaks no rule is served: the tools of the attacks are correct.

use crate::raw_http2::{RawHttp2, flag, frame, grpc_message, kind, request_headers};
use crate::support::Setup;
use crate::support::process::ServerProcess;

#[test]
fn a_request_of_raw_frames_is_answered() {
    let setup = Setup::pair("linear_g", "linear_h");
    let server = ServerProcess::spawn(&setup.write());
    let mut connection = RawHttp2::connect(server.address());
    assert!(connection.send(&request_headers(1, "/grpc.health.v1.Health/Check", &[])));
    assert!(connection.send(&frame(kind::DATA, flag::END_STREAM, 1, &grpc_message(0, &[]))));
    let data = connection.read_until(|frame| frame.kind == kind::DATA).unwrap();
    // HealthCheckResponse { status: SERVING }
    assert_eq!(data.payload, grpc_message(2, &[8, 1]));
}
