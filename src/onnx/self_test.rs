//! Tests whether backends compute one function of each row.
//!
//! Every theorem and every prediction is about functions g and h of one input. A runtime does not
//! compute such a function if its result for a row depends on the position of the row in the batch,
//! on the other rows, on their number, on the session, or on chance. Then votes prove nothing, a
//! Lipschitz constant proves nothing, and the data of one caller can decide the class of another
//! caller's input.
//!
//! The self-test is the second check. The static proof of row independence comes first.

use std::thread;

use super::{Backend, BackendError, Cancellation, OutputTolerance};
use crate::domain::OutputRowFlaws;

/// The batch sizes that the test runs in addition to the largest.
const SMALL_BATCH_SIZES: [usize; 2] = [2, 3];
/// The most batches of one size. Each has the rows at other positions.
const MAX_ROW_ORDERS: usize = 6;

/// The result of a self-test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfTestReport {
    /// Whether the backends compute a function of each row.
    pub outcome: SelfTestOutcome,
    /// The number of different rows that ran.
    pub rows: usize,
    /// The invalid outputs among these rows, each run alone.
    pub flaws: OutputRowFlaws,
}

/// Whether backends compute a function of each row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelfTestOutcome {
    /// No output differed.
    Consistent,
    /// A row has another output in a batch than alone. Alone, its output is always the same.
    DependsOnBatch {
        /// The difference, for the operator.
        difference: String,
    },
    /// A row that runs alone has another output a second time, or in another session.
    NotReproducible {
        /// The difference, for the operator.
        difference: String,
    },
}

/// Runs the same rows alone, and then in all sessions at the same time. Each session runs the rows
/// alone and in batches of several sizes, at other positions and beside other rows.
///
/// `rows` holds at least two inputs of different kinds: `rows.len() / input_len` of them. The
/// comparison uses the backends' [`Backend::output_tolerance`].
///
/// # Errors
/// If a run fails.
pub fn self_test<B: Backend>(sessions: &mut [B], rows: &[f32]) -> Result<SelfTestReport, BackendError> {
    let mut report = SelfTestReport {
        outcome: SelfTestOutcome::Consistent,
        rows: 0,
        flaws: OutputRowFlaws::default(),
    };
    let Some(first) = sessions.first_mut() else {
        return Ok(report);
    };
    let (input_len, output_len) = (first.input_len(), first.output_len());
    let inputs: Vec<&[f32]> = rows.chunks_exact(input_len.max(1)).collect();
    let mut expected = Vec::new();
    let mut output = Vec::new();
    for input in &inputs {
        first.run(1, input, &mut output, &Cancellation::new(1))?;
        expected.extend_from_slice(&output);
    }
    report.rows = inputs.len();
    report.flaws = OutputRowFlaws::of(&expected, output_len, first.outputs_probabilities());
    let reference = ReferenceOutputs {
        inputs: &inputs,
        expected: &expected,
        output_len,
        tolerance: first.output_tolerance(),
    };
    // State that sessions share affects the outputs only while several of them run.
    let outcomes = thread::scope(|scope| {
        let running: Vec<_> = sessions
            .iter_mut()
            .enumerate()
            .map(|(number, session)| {
                let reference = &reference;
                thread::Builder::new().spawn_scoped(scope, move || reference.check_session(number, session))
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
                thread.join().map_err(|_| failed("the session panicked".to_owned()))?
            })
            .collect::<Result<Vec<_>, BackendError>>()
    })?;
    report.outcome = outcomes
        .into_iter()
        .fold(SelfTestOutcome::Consistent, SelfTestOutcome::worst);
    Ok(report)
}

/// The rows, and their outputs when run alone.
struct ReferenceOutputs<'a> {
    inputs: &'a [&'a [f32]],
    expected: &'a [f32],
    output_len: usize,
    tolerance: OutputTolerance,
}

impl ReferenceOutputs<'_> {
    /// Runs all tests in one session.
    fn check_session<B: Backend>(&self, number: usize, session: &mut B) -> Result<SelfTestOutcome, BackendError> {
        let mut outcome = self.check_single_rows(number, session)?;
        let largest = session.max_batch_size();
        let small = SMALL_BATCH_SIZES.into_iter().filter(|&size| size < largest);
        for size in small.chain((largest > 1).then_some(largest)) {
            outcome = outcome.worst(self.check_batches(number, session, size)?);
        }
        // The second time detects state that the batches leave behind.
        Ok(outcome.worst(self.check_single_rows(number, session)?))
    }

    /// Runs each row alone.
    fn check_single_rows<B: Backend>(&self, number: usize, session: &mut B) -> Result<SelfTestOutcome, BackendError> {
        let mut output = Vec::new();
        for (row, input) in self.inputs.iter().enumerate() {
            session.run(1, input, &mut output, &Cancellation::new(1))?;
            if !self.matches_reference(row, &output) {
                let difference = format!(
                    "the output of row {row} alone in session {number} differs from its first output in session 0"
                );
                return Ok(SelfTestOutcome::NotReproducible { difference });
            }
        }
        Ok(SelfTestOutcome::Consistent)
    }

    /// Runs batches of `size` rows. Each has the rows at other positions, so that every row runs
    /// beside different rows.
    fn check_batches<B: Backend>(
        &self,
        number: usize,
        session: &mut B,
        size: usize,
    ) -> Result<SelfTestOutcome, BackendError> {
        let (mut batch, mut output) = (Vec::new(), Vec::new());
        for shift in 0..self.inputs.len().min(MAX_ROW_ORDERS) {
            let order: Vec<usize> = (0..size)
                .map(|position| (position * (shift + 1) + shift) % self.inputs.len())
                .collect();
            batch.clear();
            for &row in &order {
                batch.extend_from_slice(self.inputs[row]);
            }
            session.run(size, &batch, &mut output, &Cancellation::new(1))?;
            for (position, (&row, found)) in order.iter().zip(output.chunks_exact(self.output_len)).enumerate() {
                if !self.matches_reference(row, found) {
                    let difference = format!(
                        "the output of a row at position {position} of {size} in session {number} differs from its output \
                         alone"
                    );
                    return Ok(SelfTestOutcome::DependsOnBatch { difference });
                }
            }
        }
        Ok(SelfTestOutcome::Consistent)
    }

    fn matches_reference(&self, row: usize, found: &[f32]) -> bool {
        let expected = self.expected.chunks_exact(self.output_len).nth(row).unwrap_or_default();
        self.tolerance.accepts(expected, found)
    }
}

impl SelfTestOutcome {
    /// Returns the worse outcome; this one if both are equal.
    fn worst(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::NotReproducible { .. }, _)
            | (Self::DependsOnBatch { .. }, Self::Consistent | Self::DependsOnBatch { .. }) => self,
            (Self::Consistent, _) | (Self::DependsOnBatch { .. }, Self::NotReproducible { .. }) => other,
        }
    }
}

#[cfg(test)]
mod tests;
