//! The audit of answered batches, on the executors' threads.

use std::sync::Mutex;

use super::*;
use crate::domain::RowFlaws;
use crate::onnx::Agreement;
use crate::scheduler::audit::tests::Identity;

/// What a batch has to do with the output of its first row.
type Flaw = fn(rows: usize) -> f32;

/// What an observer was told of the robust model.
#[derive(Debug, Default)]
struct Told {
    audits: Mutex<Vec<bool>>,
    flaws: Mutex<RowFlaws>,
}

impl ModelObserver for Told {
    fn rows_audited(&self, role: Role, same: bool) {
        assert_eq!(role, Role::Robust);
        self.audits.lock().unwrap().push(same);
    }
    fn rows_flawed(&self, role: Role, flaws: RowFlaws) {
        assert_eq!(role, Role::Robust);
        *self.flaws.lock().unwrap() += flaws;
    }
}

/// Runs `batches` batches of four rows, one after the other; what was said, and what the scheduler says at the end.
async fn after(batches: usize, flaw: Flaw) -> (Arc<Told>, Option<String>) {
    let told = Arc::new(Told::default());
    let observer: Arc<dyn ModelObserver> = Arc::<Told>::clone(&told);
    let settings = QueueSettings {
        rows: 100,
        max_delay: Duration::ZERO,
        pin: None,
        row_time: PerRole::of(|_| Duration::from_millis(1)),
    };
    let backends = vec![PerRole::of(|_| {
        Identity::new(Agreement::Rounding, move |rows, _| (0, flaw(rows)))
    })];
    let scheduler = Scheduler::start(backends, settings, &tokio::runtime::Handle::current(), &observer).unwrap();
    for _ in 0..batches {
        in_time(submit(&scheduler, 1, 4)).await.unwrap();
    }
    // Behind an audit that is under way.
    in_time(submit(&scheduler, 1, 1)).await.unwrap();
    let refuted = scheduler.refuted().map(str::to_owned);
    (told, refuted)
}

#[tokio::test]
async fn a_batch_that_matters_is_found_by_the_first_audit() {
    let flaw: Flaw = |rows| if rows > 1 { 0.1 } else { 0.0 };
    // With the lone row behind them: 63.
    let (told, refuted) = after(62, flaw).await;
    assert_eq!((told.audits.lock().unwrap().as_slice(), refuted), (&[][..], None));
    let (told, refuted) = after(64, flaw).await;
    assert_eq!(told.audits.lock().unwrap().as_slice(), [false]);
    let refuted = refuted.unwrap();
    assert!(
        refuted.contains("robust model") && refuted.contains("place 0 of 4"),
        "{refuted}"
    );
}

#[tokio::test]
async fn a_function_passes_and_rounding_is_no_difference() {
    for flaw in [(|_| 0.0) as Flaw, |rows| if rows > 1 { 1e-6 } else { 0.0 }] {
        let (told, refuted) = after(64, flaw).await;
        assert_eq!(told.audits.lock().unwrap().as_slice(), [true]);
        assert_eq!(refuted, None);
    }
}

#[tokio::test]
async fn rows_that_are_not_finite_are_told_before_they_are_answered() {
    let (told, refuted) = after(3, |_| f32::NAN).await;
    // Those of the three batches, and of the lone row behind them.
    assert_eq!(told.flaws.lock().unwrap().not_finite, 4);
    assert_eq!(refuted, None);
}
