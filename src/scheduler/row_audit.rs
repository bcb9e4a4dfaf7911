//! The audit at run time: an executor regularly runs rows of an answered batch again, one by one.
//!
//! The self-test checks synthetic rows on an idle machine. Real rows can reveal more: a model whose
//! output for a row depends on the rest of the batch, or a processor that computes wrongly under load.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::onnx::{Backend, Cancellation};

/// The answered batches of one model on one executor before its first audit.
const FIRST_AUDIT: u32 = 64;
/// The answered batches between two audits. With 3 ms a batch this is 12 s of work.
const AUDIT_INTERVAL: u32 = 4096;
/// The largest number of rows that an audit runs again. A padded run costs as much as the batch, so
/// an audit takes at most 1/500 of the time between two audits.
const MAX_AUDITED_ROWS: usize = 8;

/// The audit schedule of one model on one executor.
#[derive(Debug)]
pub(super) struct RowAudit {
    batches_left: u32,
    /// The first row to audit. It advances, so every position is audited in turn.
    first_row: usize,
    output: Vec<f32>,
}

impl Default for RowAudit {
    fn default() -> Self {
        Self {
            batches_left: FIRST_AUDIT,
            first_row: 0,
            output: Vec::new(),
        }
    }
}

/// The result of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AuditResult {
    /// Each row had the same output alone.
    Same,
    /// A row had another output alone.
    Different(String),
    /// A row could not be run alone, so the audit has no result.
    Failed,
}

impl RowAudit {
    /// Counts an answered batch. Returns whether to audit it.
    pub(super) fn is_due(&mut self) -> bool {
        self.batches_left -= 1;
        let due = self.batches_left == 0;
        if due {
            self.batches_left = AUDIT_INTERVAL;
        }
        due
    }

    /// Runs rows of `input` one by one on `backend`, which returned `output` for the whole batch.
    pub(super) fn run<B: Backend>(&mut self, backend: &mut B, input: &[f32], output: &[f32]) -> AuditResult {
        let tolerance = backend.output_tolerance();
        let (input_len, output_len) = (backend.input_len().max(1), backend.output_len().max(1));
        let rows = input.len() / input_len;
        let audited = rows.min(MAX_AUDITED_ROWS);
        for number in 0..audited {
            // The rows are spread over the batch and start at another row each time.
            let row = (self.first_row + number * rows / audited) % rows;
            let Some((values, expected)) = input
                .chunks_exact(input_len)
                .nth(row)
                .zip(output.chunks_exact(output_len).nth(row))
            else {
                return AuditResult::Failed;
            };
            let output = &mut self.output;
            let ran = catch_unwind(AssertUnwindSafe(|| {
                backend.run(1, values, output, &Cancellation::new(1))
            }));
            if !matches!(ran, Ok(Ok(()))) {
                return AuditResult::Failed;
            }
            if !tolerance.accepts(expected, output) {
                return AuditResult::Different(format!(
                    "a row had another output in place {row} of {rows} than in a run alone right after"
                ));
            }
        }
        self.first_row = self.first_row.wrapping_add(1);
        AuditResult::Same
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::onnx::{BackendError, OutputTolerance};

    /// Maps the rows of a run and the number of the run to a row and an error of its output.
    type Flaw = Box<dyn Fn(usize, usize) -> (usize, f32) + Send>;

    /// The identity function with a flaw.
    pub(in crate::scheduler) struct Identity {
        tolerance: OutputTolerance,
        runs: usize,
        flaw: Flaw,
    }

    impl Identity {
        pub(in crate::scheduler) fn new(
            tolerance: OutputTolerance,
            flaw: impl Fn(usize, usize) -> (usize, f32) + Send + 'static,
        ) -> Self {
            Self {
                tolerance,
                runs: 0,
                flaw: Box::new(flaw),
            }
        }
    }

    impl Backend for Identity {
        fn input_len(&self) -> usize {
            1
        }
        fn output_len(&self) -> usize {
            1
        }
        fn max_batch_size(&self) -> usize {
            4
        }
        fn pads_batches(&self) -> bool {
            false
        }
        fn output_tolerance(&self) -> OutputTolerance {
            self.tolerance
        }
        fn run(
            &mut self,
            rows: usize,
            input: &[f32],
            output: &mut Vec<f32>,
            _: &Cancellation,
        ) -> Result<(), BackendError> {
            self.runs += 1;
            output.clear();
            output.extend_from_slice(input);
            let (row, off) = (self.flaw)(rows, self.runs);
            output[row] += off;
            Ok(())
        }
        fn probe(&mut self) -> Result<(), BackendError> {
            Ok(())
        }
        fn reopen(&self) -> Result<Self, BackendError> {
            Err(BackendError::Cancelled)
        }
    }

    /// A backend that is wrong at row `bad`, and after `last_good_run` runs in every batch.
    fn flawed(bad: usize, last_good_run: usize) -> Identity {
        Identity::new(OutputTolerance::BitExact, move |rows, runs| {
            let wrong = rows > bad || runs > last_good_run;
            (bad.min(rows - 1), if wrong { 0.01 } else { 0.0 })
        })
    }

    fn audit(backend: &mut Identity, audit: &mut RowAudit, rows: u16) -> AuditResult {
        let (input, mut output): (Vec<f32>, _) = ((0..rows).map(f32::from).collect(), Vec::new());
        backend
            .run(usize::from(rows), &input, &mut output, &Cancellation::new(1))
            .unwrap();
        audit.run(backend, &input, &output)
    }

    #[test]
    fn the_first_audit_is_early_and_later_ones_are_rare() {
        let mut audit = RowAudit::default();
        let due: Vec<usize> = (1..=9000).filter(|_| audit.is_due()).collect();
        assert_eq!(due, [64, 64 + 4096, 64 + 2 * 4096]);
    }

    #[test]
    fn a_function_passes_and_an_audit_runs_a_bounded_number_of_rows() {
        for (rows, runs) in [(1, 2), (5, 6), (40, 9)] {
            let mut backend = flawed(usize::MAX, usize::MAX);
            assert_eq!(audit(&mut backend, &mut RowAudit::default(), rows), AuditResult::Same);
            assert_eq!(backend.runs, runs);
        }
    }

    #[test]
    fn every_position_is_audited_in_turn() {
        for bad in 1..40 {
            let (mut backend, mut audits) = (flawed(bad, usize::MAX), RowAudit::default());
            let found = (0..40).any(|_| matches!(audit(&mut backend, &mut audits, 40), AuditResult::Different(_)));
            assert!(found, "place {bad}");
        }
    }

    #[test]
    fn a_row_that_changes_between_runs_is_found() {
        let found = audit(&mut flawed(usize::MAX - 1, 1), &mut RowAudit::default(), 1);
        assert!(matches!(found, AuditResult::Different(_)), "{found:?}");
    }

    #[test]
    fn the_agreement_rule_of_the_model_applies() {
        let mut backend = flawed(3, usize::MAX);
        backend.tolerance = OutputTolerance::ErrorBound(1.0);
        // The difference exceeds rounding, although the bound alone would allow it.
        assert!(matches!(
            audit(&mut backend, &mut RowAudit::default(), 4),
            AuditResult::Different(_)
        ));
        backend.flaw = Box::new(|_, _| (0, 0.0));
        assert_eq!(audit(&mut backend, &mut RowAudit::default(), 4), AuditResult::Same);
    }
}
