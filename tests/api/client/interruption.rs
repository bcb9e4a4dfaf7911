//! A command that ends early prints what is finished.

use super::command::{INPUT, Run, Server, array};
use crate::support::Setup;

/// More inputs than a slow model classifies in the time of a test.
const INPUTS: usize = 60_000;

fn started(server: &Server) -> super::command::Running {
    let file = server.file("many.npy", &array(&[INPUT; INPUTS]));
    server.start_run(&["predict", &file, "--json", "--deadline", "2s"])
}

#[track_caller]
fn assert_ended_early(run: &Run, code: i32, reason: &str) {
    assert_eq!(run.code, Some(code), "{}", run.stderr);
    let finished = run.records().len();
    assert!((1..INPUTS).contains(&finished), "{finished}");
    let noun = if finished == 1 { "input" } else { "inputs" };
    let expected = format!("{reason}: {finished} {noun} of 1 file");
    assert!(run.stderr.contains(&expected), "{expected} is not in {}", run.stderr);
}

#[test]
fn ctrl_c_ends_a_command() {
    let server = Server::start(Setup::pair("slow_g", "slow_h").batch_size(1));
    let running = started(&server);
    running.interrupt();
    assert_ended_early(&running.finish(), 130, "interrupted");
}

#[test]
fn a_server_that_is_gone_ends_a_command() {
    let server = Server::start(Setup::pair("slow_g", "slow_h").batch_size(1));
    let running = started(&server);
    server.kill();
    let run = running.finish();
    assert_ended_early(&run, 1, "stopped early");
    assert!(run.stderr.contains("the server is not available"), "{}", run.stderr);
}
