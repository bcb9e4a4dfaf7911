//! The audit at run time: now and then a batch that was answered is run again, row by row.
//!
//! A self-test sees the rows that it made up, on a machine that does nothing else. Real rows may show what it did not: a model
//! whose answer for a row depends on the batch it is in, or a processor that computes wrongly under load.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::onnx::{Backend, Halt};

/// Answered batches of one model on one executor before its first audit,
const FIRST: u32 = 64;
/// and from one audit to the next. At 3 ms a batch: every 12 s of work.
const INTERVAL: u32 = 4096;
/// Rows of a batch that are run again. Where runs are padded each costs as much as the batch, so that an audit takes at most a
/// five-hundredth of the time between two.
const MOST_ROWS: usize = 8;

/// Of one model on one executor.
#[derive(Debug)]
pub(super) struct Audit {
    batches_left: u32,
    /// Where the rows that are looked at begin; it moves on, so that all places have their turn.
    first: usize,
    output: Vec<f32>,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            batches_left: FIRST,
            first: 0,
            output: Vec::new(),
        }
    }
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Audited {
    /// Each row gave the same alone.
    Same,
    /// One did not.
    Different(String),
    /// A row could not be run alone: nothing was learnt.
    Failed,
}

impl Audit {
    /// Counts an answered batch; whether it is one to be audited.
    pub(super) fn is_due(&mut self) -> bool {
        self.batches_left -= 1;
        let due = self.batches_left == 0;
        if due {
            self.batches_left = INTERVAL;
        }
        due
    }

    /// Runs rows of `input` alone on `backend`, which gave `output` for all of them together.
    pub(super) fn run<B: Backend>(&mut self, backend: &mut B, input: &[f32], output: &[f32]) -> Audited {
        let agreement = backend.agreement();
        let (input_len, output_len) = (backend.input_len().max(1), backend.output_len().max(1));
        let rows = input.len() / input_len;
        let looked_at = rows.min(MOST_ROWS);
        for number in 0..looked_at {
            // Spread over the batch, beginning at another row each time.
            let row = (self.first + number * rows / looked_at) % rows;
            let Some((values, expected)) = input
                .chunks_exact(input_len)
                .nth(row)
                .zip(output.chunks_exact(output_len).nth(row))
            else {
                return Audited::Failed;
            };
            let found = &mut self.output;
            let ran = catch_unwind(AssertUnwindSafe(|| backend.run(1, values, found, &Halt::new(1))));
            if !matches!(ran, Ok(Ok(()))) {
                return Audited::Failed;
            }
            if !agreement.holds(expected, found) {
                return Audited::Different(format!(
                    "a row had another output in place {row} of {rows} than alone, right after it"
                ));
            }
        }
        self.first = self.first.wrapping_add(1);
        Audited::Same
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::onnx::{Agreement, BackendError};

    /// Of a run of so many rows, the how-manieth run that is: a row, and what is added to its output.
    type Flaw = Box<dyn Fn(usize, usize) -> (usize, f32) + Send>;

    /// The identity, but for a flaw.
    pub(in crate::scheduler) struct Identity {
        agreement: Agreement,
        runs: usize,
        flaw: Flaw,
    }

    impl Identity {
        pub(in crate::scheduler) fn new(
            agreement: Agreement,
            flaw: impl Fn(usize, usize) -> (usize, f32) + Send + 'static,
        ) -> Self {
            Self {
                agreement,
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
        fn pads(&self) -> bool {
            false
        }
        fn agreement(&self) -> Agreement {
            self.agreement
        }
        fn run(&mut self, rows: usize, input: &[f32], output: &mut Vec<f32>, _: &Halt) -> Result<(), BackendError> {
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
            Err(BackendError::Halted)
        }
    }

    /// Wrong in place `bad` of a batch that has one and, from run `tires` on, in all batches.
    fn flawed(bad: usize, tires: usize) -> Identity {
        Identity::new(Agreement::Bits, move |rows, runs| {
            let wrong = rows > bad || runs > tires;
            (bad.min(rows - 1), if wrong { 0.01 } else { 0.0 })
        })
    }

    fn audit(backend: &mut Identity, audit: &mut Audit, rows: u16) -> Audited {
        let (input, mut output): (Vec<f32>, _) = ((0..rows).map(f32::from).collect(), Vec::new());
        backend
            .run(usize::from(rows), &input, &mut output, &Halt::new(1))
            .unwrap();
        audit.run(backend, &input, &output)
    }

    #[test]
    fn the_first_comes_soon_and_then_one_in_some_thousands() {
        let mut audit = Audit::default();
        let due: Vec<usize> = (1..=9000).filter(|_| audit.is_due()).collect();
        assert_eq!(due, [64, 64 + 4096, 64 + 2 * 4096]);
    }

    #[test]
    fn a_function_is_the_same_alone_and_a_large_batch_costs_no_more() {
        for (rows, runs) in [(1, 2), (5, 6), (40, 9)] {
            let mut backend = flawed(usize::MAX, usize::MAX);
            assert_eq!(audit(&mut backend, &mut Audit::default(), rows), Audited::Same);
            assert_eq!(backend.runs, runs);
        }
    }

    #[test]
    fn each_place_is_looked_at_in_its_turn() {
        for bad in 1..40 {
            let (mut backend, mut eye) = (flawed(bad, usize::MAX), Audit::default());
            let found = (0..40).any(|_| matches!(audit(&mut backend, &mut eye, 40), Audited::Different(_)));
            assert!(found, "place {bad}");
        }
    }

    #[test]
    fn a_lone_row_that_changes_with_time_is_found() {
        let found = audit(&mut flawed(usize::MAX - 1, 1), &mut Audit::default(), 1);
        assert!(matches!(found, Audited::Different(_)), "{found:?}");
    }

    #[test]
    fn the_rule_is_the_models() {
        let mut backend = flawed(3, usize::MAX);
        backend.agreement = Agreement::Bound(1.0);
        // No further than rounding: the bound alone would allow it.
        assert!(matches!(
            audit(&mut backend, &mut Audit::default(), 4),
            Audited::Different(_)
        ));
        backend.flaw = Box::new(|_, _| (0, 0.0));
        assert_eq!(audit(&mut backend, &mut Audit::default(), 4), Audited::Same);
    }
}
