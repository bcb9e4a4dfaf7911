//! Backends with planted flaws that the self-test must detect.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// The properties of a run that a flaw may depend on.
struct RunContext<'a> {
    row: usize,
    rows: usize,
    /// All rows of the batch.
    input: &'a [f32],
    session: usize,
    /// The runs of all sessions so far, and those in progress.
    runs: usize,
    in_progress: usize,
}

#[derive(Default)]
struct Counters {
    runs: AtomicUsize,
    in_progress: AtomicUsize,
}

/// Sums each row. `flaw` is added to the sum.
#[derive(Clone)]
struct SumBackend {
    flaw: fn(&RunContext) -> f32,
    session: usize,
    batch: usize,
    tolerance: OutputTolerance,
    counters: Arc<Counters>,
}

impl Backend for SumBackend {
    fn input_len(&self) -> usize {
        2
    }
    fn output_len(&self) -> usize {
        1
    }
    fn max_batch_size(&self) -> usize {
        self.batch
    }
    fn output_tolerance(&self) -> OutputTolerance {
        self.tolerance
    }
    fn run(&mut self, rows: usize, input: &[f32], output: &mut Vec<f32>, _: &Cancellation) -> Result<(), BackendError> {
        let in_progress = self.counters.in_progress.fetch_add(1, Ordering::SeqCst) + 1;
        let runs = self.counters.runs.fetch_add(1, Ordering::SeqCst);
        // The yields make the runs of the sessions overlap, even on one processor.
        (0..50).for_each(|_| thread::yield_now());
        output.clear();
        for (row, values) in input.chunks_exact(2).enumerate() {
            let run = RunContext {
                row,
                rows,
                input,
                session: self.session,
                runs,
                in_progress,
            };
            output.push(values[0] + values[1] + (self.flaw)(&run));
        }
        self.counters.in_progress.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
    fn pads_batches(&self) -> bool {
        true
    }
    fn probe(&mut self) -> Result<(), BackendError> {
        Ok(())
    }
    fn reopen(&self) -> Result<Self, BackendError> {
        Ok(self.clone())
    }
}

const ROWS: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

fn sessions(flaw: fn(&RunContext) -> f32, count: usize, batch: usize, tolerance: OutputTolerance) -> Vec<SumBackend> {
    let counters = Arc::new(Counters::default());
    let backend = |session| SumBackend {
        flaw,
        session,
        batch,
        tolerance,
        counters: Arc::clone(&counters),
    };
    (0..count).map(backend).collect()
}

fn run_self_test(flaw: fn(&RunContext) -> f32, batch: usize, tolerance: OutputTolerance) -> SelfTestReport {
    self_test(&mut sessions(flaw, 2, batch, tolerance), &ROWS).unwrap()
}

fn error_if(condition: bool) -> f32 {
    if condition { 1e-6 } else { 0.0 }
}

#[test]
fn a_function_is_consistent() {
    let report = run_self_test(|_| 0.0, 4, OutputTolerance::BitExact);
    assert_eq!(report.outcome, SelfTestOutcome::Consistent);
    assert_eq!((report.rows, report.flaws), (3, OutputRowFlaws::default()));
}

#[test]
fn a_dependence_on_the_batch_is_detected_and_absent_in_batches_of_one() {
    let flaws: [fn(&RunContext) -> f32; 4] = [
        // A position; the number of rows; a size between one and the largest; the largest value of
        // the batch.
        |run| error_if(run.row == 3),
        |run| error_if(run.rows > 1),
        |run| error_if(run.rows == 3),
        |run| error_if(run.rows > 1 && run.input.contains(&6.0)),
    ];
    for (number, flaw) in flaws.into_iter().enumerate() {
        let outcome = run_self_test(flaw, 4, OutputTolerance::BitExact).outcome;
        assert!(
            matches!(outcome, SelfTestOutcome::DependsOnBatch { .. }),
            "{number}: {outcome:?}"
        );
        assert_eq!(
            run_self_test(flaw, 1, OutputTolerance::BitExact).outcome,
            SelfTestOutcome::Consistent,
            "{number}"
        );
    }
}

#[test]
fn a_row_that_differs_alone_is_not_reproducible() {
    let flaws: [fn(&RunContext) -> f32; 4] = [
        // A session; chance; the first runs; other sessions at the same time.
        |run| error_if(run.session == 1),
        |run| error_if(run.runs.is_multiple_of(7)),
        |run| error_if(run.runs < 3),
        |run| error_if(run.in_progress > 1),
    ];
    for (number, flaw) in flaws.into_iter().enumerate() {
        for batch in [1, 4] {
            let outcome = run_self_test(flaw, batch, OutputTolerance::BitExact).outcome;
            assert!(
                matches!(outcome, SelfTestOutcome::NotReproducible { .. }),
                "{number}: {outcome:?}"
            );
        }
    }
}

#[test]
fn each_model_has_its_own_tolerance() {
    let flaw: fn(&RunContext) -> f32 = |run| error_if(run.rows > 1);
    assert_eq!(
        run_self_test(flaw, 4, OutputTolerance::Rounding).outcome,
        SelfTestOutcome::Consistent
    );
    assert_eq!(
        run_self_test(flaw, 4, OutputTolerance::ErrorBound(1e-6)).outcome,
        SelfTestOutcome::Consistent
    );
    let strict = run_self_test(flaw, 4, OutputTolerance::ErrorBound(1e-8)).outcome;
    assert!(matches!(strict, SelfTestOutcome::DependsOnBatch { .. }), "{strict:?}");
    let large: fn(&RunContext) -> f32 = |run| if run.rows > 1 { 0.1 } else { 0.0 };
    let outcome = run_self_test(large, 4, OutputTolerance::Rounding).outcome;
    assert!(matches!(outcome, SelfTestOutcome::DependsOnBatch { .. }), "{outcome:?}");
}

#[test]
fn rows_of_nan_are_counted_and_equal_each_other() {
    let report = run_self_test(|_| f32::NAN, 4, OutputTolerance::BitExact);
    assert_eq!(report.outcome, SelfTestOutcome::Consistent);
    assert_eq!(report.flaws.not_finite, 3);
    let report = run_self_test(
        |run| if run.rows > 1 { f32::NAN } else { 0.0 },
        4,
        OutputTolerance::Rounding,
    );
    assert!(
        matches!(report.outcome, SelfTestOutcome::DependsOnBatch { .. }),
        "{report:?}"
    );
}
