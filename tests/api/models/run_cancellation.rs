//! A run of ONNX Runtime is cancelled when its last caller has left, and the session stays usable.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use certimix::onnx::{Backend as _, BackendError, Cancellation, Model, OnnxSession, Runtime};
use certimix::settings::Provider;

use crate::support::fixture;

/// The rows of a run that takes many seconds. A row of this model takes about 20 ms of a core.
const ROWS: usize = 1000;

#[test]
fn a_run_without_callers_is_cancelled_and_the_next_run_succeeds() {
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
