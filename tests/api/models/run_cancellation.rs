//! A run of ONNX Runtime that nobody waits for any more is ended, and the session goes on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use certimix::onnx::{Backend as _, BackendError, Cancellation, Model, OnnxSession, Runtime};
use certimix::settings::Provider;

use crate::support::fixture;

/// Rows that take many seconds together: a row of this model takes some 20 ms of a core.
const ROWS: usize = 1000;

#[test]
fn a_run_that_everybody_left_is_ended_and_the_next_one_is_not() {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join(".runtime/onnxruntime/libonnxruntime.so");
    let runtime = Runtime::load(&library).unwrap();
    let model = Arc::new(Model::load(&runtime, &fixture("slow_h"), Provider::Cpu).unwrap());
    let mut session = OnnxSession::open(&model, ROWS).unwrap();
    let row = vec![0.5; session.input_len()];
    let (mut alone, mut output) = (Vec::new(), Vec::new());
    session.run(1, &row, &mut alone, &Cancellation::new(1)).unwrap();

    let cancellation = Arc::new(Cancellation::new(2));
    let callers = Arc::clone(&cancellation);
    let leaving = std::thread::spawn(move || {
        callers.remove_waiter();
        std::thread::sleep(Duration::from_millis(100));
        callers.remove_waiter();
    });
    let ran = session.run(ROWS, &row.repeat(ROWS), &mut output, &cancellation);
    assert_eq!(ran, Err(BackendError::Cancelled));
    leaving.join().unwrap();

    session.run(1, &row, &mut output, &Cancellation::new(1)).unwrap();
    assert_eq!(output, alone);
    assert_eq!(
        session.run(1, &row, &mut output, &Cancellation::new(0)),
        Err(BackendError::Cancelled)
    );
    session.probe().unwrap();
}
