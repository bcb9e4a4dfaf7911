//! A busy server is asked again, and a batch that it cannot take is sent in parts.

use super::command::{INPUT, Server, array};
use crate::support::Setup;

/// A server with room for two rows of a slow model.
fn small_server() -> Server {
    let setup = Setup::pair("slow_g", "slow_h")
        .with("server.max_inputs", 4)
        .with("scheduler.queue_rows", 4)
        .batch_size(1);
    Server::start(setup)
}

#[test]
fn every_input_is_answered_in_order_although_the_queue_is_full() {
    let server = small_server();
    let inputs: Vec<[f32; 4]> = (0..24_u8)
        .map(|index| [f32::from(index) / 32.0, 0.5, -0.5, 0.0])
        .collect();
    let file = server.file("many.npy", &array(&inputs));
    for stream in [&[][..], &["--stream"]] {
        let arguments = [
            &["predict", &file, "--batch", "4", "--json", "--deadline", "60s"],
            stream,
        ]
        .concat();
        let run = server.run(&arguments);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let expected: Vec<String> = (0..inputs.len()).map(|index| format!("many.npy[{index}]")).collect();
        assert_eq!(run.files(), expected, "{stream:?}");
    }
}

/// The message holds a few inputs only, so that 20 need several requests.
#[test]
fn requests_fit_the_largest_message_of_the_server() {
    let server = Server::start(Setup::pair("linear_g", "linear_h").with("server.max_message_bytes", 1100));
    let file = server.file("many.npy", &array(&[INPUT; 20]));
    let run = server.run(&["certify", &file, "--batch", "20", "--json"]);
    assert_eq!((run.code, run.records().len()), (Some(0), 20), "{}", run.stderr);
}
