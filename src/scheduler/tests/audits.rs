//! Tests of the audit of answered batches on the executor threads.

use std::sync::Mutex;

use super::*;
use crate::domain::OutputRowFlaws;
use crate::onnx::OutputTolerance;
use crate::scheduler::row_audit::tests::Identity;

/// The error of the first row of a batch, by the number of rows.
type Flaw = fn(rows: usize) -> f32;

/// The events of the robust model.
#[derive(Debug, Default)]
struct RecordedEvents {
    audits: Mutex<Vec<bool>>,
    flaws: Mutex<OutputRowFlaws>,
}

impl ModelObserver for RecordedEvents {
    fn rows_audited(&self, role: Role, same: bool) {
        assert_eq!(role, Role::Robust);
        self.audits.lock().unwrap().push(same);
    }
    fn rows_flawed(&self, role: Role, flaws: OutputRowFlaws) {
        assert_eq!(role, Role::Robust);
        *self.flaws.lock().unwrap() += flaws;
    }
}

/// Runs `batches` batches of four rows one after the other. Returns the events, and the audit result
/// of the scheduler at the end.
async fn run_batches(batches: usize, flaw: Flaw) -> (Arc<RecordedEvents>, Option<String>) {
    let events = Arc::new(RecordedEvents::default());
    let observer: Arc<dyn ModelObserver> = Arc::<RecordedEvents>::clone(&events);
    let settings = QueueSettings {
        rows: 100,
        max_delay: Duration::ZERO,
        pin: None,
        row_time: PerRole::of(|_| Duration::from_millis(1)),
        cpu_quota: None,
    };
    let backends = vec![PerRole::of(|_| {
        Identity::new(OutputTolerance::Rounding, move |rows, _| (0, flaw(rows)))
    })];
    let scheduler = Scheduler::start(backends, settings, &tokio::runtime::Handle::current(), &observer).unwrap();
    for _ in 0..batches {
        in_time(submit(&scheduler, 1, 4)).await.unwrap();
    }
    // This row waits behind an audit that is still running.
    in_time(submit(&scheduler, 1, 1)).await.unwrap();
    let difference = scheduler.audit_difference().map(str::to_owned);
    (events, difference)
}

#[tokio::test]
async fn the_first_audit_finds_a_row_that_depends_on_its_batch() {
    let flaw: Flaw = |rows| if rows > 1 { 0.1 } else { 0.0 };
    // 63 batches with the single row at the end.
    let (events, difference) = run_batches(62, flaw).await;
    assert_eq!((events.audits.lock().unwrap().as_slice(), difference), (&[][..], None));
    let (events, difference) = run_batches(64, flaw).await;
    assert_eq!(events.audits.lock().unwrap().as_slice(), [false]);
    let difference = difference.unwrap();
    assert!(
        difference.contains("robust model") && difference.contains("place 0 of 4"),
        "{difference}"
    );
}

#[tokio::test]
async fn a_function_passes_and_rounding_is_not_a_difference() {
    for flaw in [(|_| 0.0) as Flaw, |rows| if rows > 1 { 1e-6 } else { 0.0 }] {
        let (events, difference) = run_batches(64, flaw).await;
        assert_eq!(events.audits.lock().unwrap().as_slice(), [true]);
        assert_eq!(difference, None);
    }
}

#[tokio::test]
async fn nonfinite_rows_are_reported_before_the_reply() {
    let (events, difference) = run_batches(3, |_| f32::NAN).await;
    // One row of each of the three batches, and the single row at the end.
    assert_eq!(events.flaws.lock().unwrap().not_finite, 4);
    assert_eq!(difference, None);
}
