//! Finds out whether backends compute one function of each row.
//!
//! Every theorem and every answer speaks of functions g and h of one input. A runtime whose result for a row depends on the
//! row's place in the batch, on the other rows, on how many they are, on the session, or on chance, is no function: votes prove
//! nothing, a Lipschitz constant proves nothing, and one caller's data decide another caller's class. This is the second line:
//! what a graph proves about itself comes first.

use std::thread;

use super::{Agreement, Backend, BackendError, Halt};
use crate::domain::RowFlaws;

/// Batch sizes that are tried beside the largest.
const SMALL_BATCHES: [usize; 2] = [2, 3];
/// Full batches at most, each with its rows in other places.
const SHIFTS: usize = 6;

/// What the rows showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// Whether the backends compute a function of each row.
    pub verdict: Verdict,
    /// Rows that ran.
    pub rows: usize,
    /// Of those, alone, the ones that were not what they should be.
    pub flaws: RowFlaws,
}

/// Whether backends compute a function of each row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing differed.
    Function,
    /// A row has another output in a batch than alone; alone it is always the same.
    DependsOnBatch {
        /// What differed, for the operator.
        what: String,
    },
    /// A row that ran alone has another output a second time, or in another session.
    NoFunction {
        /// What differed, for the operator.
        what: String,
    },
}

/// Runs the same rows alone, then in all sessions at the same time: alone again and again, and in batches of several sizes, in
/// other places, with other mates.
///
/// `rows` are inputs of every kind, `rows.len() / input_len` of them, at least two. What counts as the same is the backends'
/// own [`Backend::agreement`].
///
/// # Errors
/// If a run fails.
pub fn self_test<B: Backend>(sessions: &mut [B], rows: &[f32]) -> Result<Findings, BackendError> {
    let mut findings = Findings {
        verdict: Verdict::Function,
        rows: 0,
        flaws: RowFlaws::default(),
    };
    let Some(first) = sessions.first_mut() else {
        return Ok(findings);
    };
    let (input_len, output_len) = (first.input_len(), first.output_len());
    let inputs: Vec<&[f32]> = rows.chunks_exact(input_len.max(1)).collect();
    let mut expected = Vec::new();
    let mut output = Vec::new();
    for input in &inputs {
        first.run(1, input, &mut output, &Halt::new(1))?;
        expected.extend_from_slice(&output);
    }
    findings.rows = inputs.len();
    findings.flaws = RowFlaws::of(&expected, output_len, first.answers_probabilities());
    let truth = Truth {
        inputs: &inputs,
        expected: &expected,
        output_len,
        agreement: first.agreement(),
    };
    // What a session shares with the others shows only while they run.
    let verdicts = thread::scope(|scope| {
        let running: Vec<_> = sessions
            .iter_mut()
            .enumerate()
            .map(|(number, session)| {
                let truth = &truth;
                thread::Builder::new().spawn_scoped(scope, move || truth.examine(number, session))
            })
            .collect();
        running
            .into_iter()
            .map(|thread| {
                let failed = |reason: String| BackendError::Failed {
                    model: "under test".to_owned(),
                    reason,
                };
                let thread = thread.map_err(|error| failed(error.to_string()))?;
                thread.join().map_err(|_| failed("it panicked".to_owned()))?
            })
            .collect::<Result<Vec<_>, BackendError>>()
    })?;
    findings.verdict = verdicts.into_iter().fold(Verdict::Function, Verdict::worst);
    Ok(findings)
}

/// Rows and what they gave alone.
struct Truth<'a> {
    inputs: &'a [&'a [f32]],
    expected: &'a [f32],
    output_len: usize,
    agreement: Agreement,
}

impl Truth<'_> {
    fn examine<B: Backend>(&self, number: usize, session: &mut B) -> Result<Verdict, BackendError> {
        let mut verdict = self.alone(number, session)?;
        let largest = session.max_batch_size();
        let small = SMALL_BATCHES.into_iter().filter(|&size| size < largest);
        for size in small.chain((largest > 1).then_some(largest)) {
            verdict = verdict.worst(self.batches(number, session, size)?);
        }
        // A second time, after the batches: what they leave behind shows here.
        Ok(verdict.worst(self.alone(number, session)?))
    }

    fn alone<B: Backend>(&self, number: usize, session: &mut B) -> Result<Verdict, BackendError> {
        let mut output = Vec::new();
        for (row, input) in self.inputs.iter().enumerate() {
            session.run(1, input, &mut output, &Halt::new(1))?;
            if !self.agrees(row, &output) {
                let what = format!("session {number} answers row {row}, alone, otherwise than session 0 did before");
                return Ok(Verdict::NoFunction { what });
            }
        }
        Ok(Verdict::Function)
    }

    /// Batches of `size` rows, each with the rows in other places, so that every row meets other mates.
    fn batches<B: Backend>(&self, number: usize, session: &mut B, size: usize) -> Result<Verdict, BackendError> {
        let (mut batch, mut output) = (Vec::new(), Vec::new());
        for shift in 0..self.inputs.len().min(SHIFTS) {
            let order: Vec<usize> = (0..size)
                .map(|place| (place * (shift + 1) + shift) % self.inputs.len())
                .collect();
            batch.clear();
            for &row in &order {
                batch.extend_from_slice(self.inputs[row]);
            }
            session.run(size, &batch, &mut output, &Halt::new(1))?;
            for (place, (&row, found)) in order.iter().zip(output.chunks_exact(self.output_len)).enumerate() {
                if !self.agrees(row, found) {
                    let what =
                        format!("session {number} answers otherwise for a row in place {place} of {size} than alone");
                    return Ok(Verdict::DependsOnBatch { what });
                }
            }
        }
        Ok(Verdict::Function)
    }

    fn agrees(&self, row: usize, found: &[f32]) -> bool {
        let expected = self.expected.chunks_exact(self.output_len).nth(row).unwrap_or_default();
        self.agreement.holds(expected, found)
    }
}

impl Verdict {
    /// The worse of both; of equals, this one.
    fn worst(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::NoFunction { .. }, _)
            | (Self::DependsOnBatch { .. }, Self::Function | Self::DependsOnBatch { .. }) => self,
            (Self::Function, _) | (Self::DependsOnBatch { .. }, Self::NoFunction { .. }) => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// What a flaw may depend on.
    struct Run<'a> {
        row: usize,
        rows: usize,
        /// All rows of the batch.
        input: &'a [f32],
        session: usize,
        /// Runs of all sessions so far, and those under way.
        runs: usize,
        under_way: usize,
    }

    #[derive(Default)]
    struct Counters {
        runs: AtomicUsize,
        under_way: AtomicUsize,
    }

    /// Sums each row; `flaw` spoils it.
    #[derive(Clone)]
    struct Sum {
        flaw: fn(&Run) -> f32,
        session: usize,
        batch: usize,
        agreement: Agreement,
        counters: Arc<Counters>,
    }

    impl Backend for Sum {
        fn input_len(&self) -> usize {
            2
        }
        fn output_len(&self) -> usize {
            1
        }
        fn max_batch_size(&self) -> usize {
            self.batch
        }
        fn agreement(&self) -> Agreement {
            self.agreement
        }
        fn run(&mut self, rows: usize, input: &[f32], output: &mut Vec<f32>, _: &Halt) -> Result<(), BackendError> {
            let under_way = self.counters.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            let runs = self.counters.runs.fetch_add(1, Ordering::SeqCst);
            // So that the sessions' runs overlap, on one processor too.
            (0..50).for_each(|_| thread::yield_now());
            output.clear();
            for (row, values) in input.chunks_exact(2).enumerate() {
                let run = Run {
                    row,
                    rows,
                    input,
                    session: self.session,
                    runs,
                    under_way,
                };
                output.push(values[0] + values[1] + (self.flaw)(&run));
            }
            self.counters.under_way.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
        fn pads(&self) -> bool {
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

    fn sessions(flaw: fn(&Run) -> f32, count: usize, batch: usize, agreement: Agreement) -> Vec<Sum> {
        let counters = Arc::new(Counters::default());
        let one = |session| Sum {
            flaw,
            session,
            batch,
            agreement,
            counters: Arc::clone(&counters),
        };
        (0..count).map(one).collect()
    }

    fn findings(flaw: fn(&Run) -> f32, batch: usize, agreement: Agreement) -> Findings {
        self_test(&mut sessions(flaw, 2, batch, agreement), &ROWS).unwrap()
    }

    fn off(yes: bool) -> f32 {
        if yes { 1e-6 } else { 0.0 }
    }

    #[test]
    fn a_function_passes() {
        let found = findings(|_| 0.0, 4, Agreement::Bits);
        assert_eq!(found.verdict, Verdict::Function);
        assert_eq!((found.rows, found.flaws), (3, RowFlaws::default()));
    }

    #[test]
    fn what_comes_with_the_batch_is_found_out_and_goes_with_it() {
        let flaws: [fn(&Run) -> f32; 4] = [
            // A place; the number of rows; a size between one and the largest; the largest value of the batch.
            |run| off(run.row == 3),
            |run| off(run.rows > 1),
            |run| off(run.rows == 3),
            |run| off(run.rows > 1 && run.input.contains(&6.0)),
        ];
        for (number, flaw) in flaws.into_iter().enumerate() {
            let found = findings(flaw, 4, Agreement::Bits).verdict;
            assert!(matches!(found, Verdict::DependsOnBatch { .. }), "{number}: {found:?}");
            assert_eq!(
                findings(flaw, 1, Agreement::Bits).verdict,
                Verdict::Function,
                "{number}"
            );
        }
    }

    #[test]
    fn what_differs_alone_is_no_function() {
        let flaws: [fn(&Run) -> f32; 4] = [
            // A session; chance; the first runs; other sessions at the same time.
            |run| off(run.session == 1),
            |run| off(run.runs.is_multiple_of(7)),
            |run| off(run.runs < 3),
            |run| off(run.under_way > 1),
        ];
        for (number, flaw) in flaws.into_iter().enumerate() {
            for batch in [1, 4] {
                let found = findings(flaw, batch, Agreement::Bits).verdict;
                assert!(matches!(found, Verdict::NoFunction { .. }), "{number}: {found:?}");
            }
        }
    }

    #[test]
    fn each_model_is_held_to_its_own_rule() {
        let flaw: fn(&Run) -> f32 = |run| off(run.rows > 1);
        assert_eq!(findings(flaw, 4, Agreement::Rounding).verdict, Verdict::Function);
        assert_eq!(findings(flaw, 4, Agreement::Bound(1e-6)).verdict, Verdict::Function);
        let strict = findings(flaw, 4, Agreement::Bound(1e-8)).verdict;
        assert!(matches!(strict, Verdict::DependsOnBatch { .. }), "{strict:?}");
        let large: fn(&Run) -> f32 = |run| if run.rows > 1 { 0.1 } else { 0.0 };
        let found = findings(large, 4, Agreement::Rounding).verdict;
        assert!(matches!(found, Verdict::DependsOnBatch { .. }), "{found:?}");
    }

    #[test]
    fn rows_of_nan_are_counted_and_agree() {
        let found = findings(|_| f32::NAN, 4, Agreement::Bits);
        assert_eq!(found.verdict, Verdict::Function);
        assert_eq!(found.flaws.not_finite, 3);
        let found = findings(|run| if run.rows > 1 { f32::NAN } else { 0.0 }, 4, Agreement::Rounding);
        assert!(matches!(found.verdict, Verdict::DependsOnBatch { .. }), "{found:?}");
    }
}
