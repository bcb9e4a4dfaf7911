//! Runs one batch: rows made, run, and delivered; a failure is pinned on the job that it belongs to.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::job::{Job, Reply, ScheduleError};
use super::queue::Slice;
use super::shared::Work;
use crate::domain::{Role, RowFlaws};
use crate::onnx::{Backend, BackendError, Halt};

/// How a batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The model ran.
    Ran,
    /// Nobody waited for it any more, or no row of it could be made.
    Skipped,
    /// The model failed on at least one job by itself.
    Failed,
}

type Rows = Slice<Arc<Job>>;

/// What an executor uses again for each batch.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    input: Vec<f32>,
    output: Vec<f32>,
    /// Whether `output` is what the model gave for `input`.
    belongs: bool,
    /// Rows of this batch that were not what they should be.
    pub(super) flaws: RowFlaws,
    /// The answers that are complete.
    pub(super) replies: Vec<Reply>,
}

/// Runs `work`, which was taken just now, on `backend`. The answers that it completes are left in `scratch`; jobs that fail are answered at once.
///
/// Where the model fails on a batch of several jobs, each is run once more by itself, so that one bad row fails nobody
/// else's.
pub(super) fn run<B: Backend>(backend: &mut B, work: &Work, taken: Instant, scratch: &mut Scratch) -> Outcome {
    let slices: Vec<&Rows> = work.slices.iter().collect();
    scratch.flaws = RowFlaws::default();
    match scratch.run(backend, work.role, &slices, taken) {
        Ok(outcome) => outcome,
        Err(reason) => {
            let model = work.role.name();
            tracing::error!(model, reason, rows = work.rows(), "a batch failed");
            if let [alone] = slices.as_slice() {
                fail(alone, work.role);
                return Outcome::Failed;
            }
            let mut outcome = Outcome::Skipped;
            for slice in slices {
                let ran = scratch.run(backend, work.role, &[slice], taken).unwrap_or_else(|_| {
                    fail(slice, work.role);
                    Outcome::Failed
                });
                outcome = worst(outcome, ran);
            }
            outcome
        }
    }
}

fn fail(slice: &Rows, role: Role) {
    slice
        .job
        .fail(ScheduleError::Failed(format!("the {} model failed", role.name())));
}

fn worst(left: Outcome, right: Outcome) -> Outcome {
    match (left, right) {
        (Outcome::Failed, _) | (_, Outcome::Failed) => Outcome::Failed,
        (Outcome::Ran, _) | (_, Outcome::Ran) => Outcome::Ran,
        (Outcome::Skipped, Outcome::Skipped) => Outcome::Skipped,
    }
}

impl Scratch {
    /// Makes the rows of `slices`, runs and delivers them. The error says why the model failed; nobody was answered then.
    fn run<B: Backend>(
        &mut self,
        backend: &mut B,
        role: Role,
        slices: &[&Rows],
        taken: Instant,
    ) -> Result<Outcome, String> {
        let halt = Arc::new(Halt::new(slices.len()));
        let mut ready = Vec::with_capacity(slices.len());
        self.input.clear();
        self.belongs = false;
        for slice in slices {
            if !slice.job.enter(&halt) {
                halt.leave();
            } else if self.fill(role, slice, backend.input_len()) {
                ready.push(*slice);
            }
        }
        let ran = if ready.is_empty() {
            Ok(Outcome::Skipped)
        } else {
            self.run_ready(backend, role, &ready, &halt, taken)
        };
        for slice in slices {
            slice.job.exit(&halt);
        }
        ran
    }

    fn run_ready<B: Backend>(
        &mut self,
        backend: &mut B,
        role: Role,
        ready: &[&Rows],
        halt: &Halt,
        taken: Instant,
    ) -> Result<Outcome, String> {
        let (model, batch) = (role.name(), self.input.len() / backend.input_len().max(1));
        let spans: Vec<_> = ready
            .iter()
            .map(|slice| tracing::debug_span!(parent: &slice.job.span, "infer", model, rows = slice.rows.len(), batch))
            .collect();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            backend.run(batch, &self.input, &mut self.output, halt)
        }));
        drop(spans);
        let done = Instant::now();
        match ran {
            Ok(Ok(())) => {
                // Before the first is delivered: what is delivered once must not be run again.
                if self.output.len() != batch * backend.output_len() {
                    return Err(format!("{batch} rows gave {} values", self.output.len()));
                }
                self.belongs = true;
                self.flaws += RowFlaws::of(&self.output, backend.output_len(), backend.answers_probabilities());
                let mut outputs = self.output.as_slice();
                for slice in ready {
                    let (mine, rest) = outputs.split_at(slice.rows.len() * backend.output_len());
                    self.replies
                        .extend(slice.job.deliver(role, slice.rows.clone(), mine, taken..done));
                    outputs = rest;
                }
                Ok(Outcome::Ran)
            }
            Ok(Err(BackendError::Halted)) => Ok(Outcome::Skipped),
            Ok(Err(error @ BackendError::Failed { .. })) => Err(error.to_string()),
            Err(_) => Err("it panicked".to_owned()),
        }
    }

    /// The rows that the model ran last, and what it gave for them; none if it failed on them.
    pub(super) fn last_run(&self) -> Option<(&[f32], &[f32])> {
        self.belongs.then_some((&self.input, &self.output))
    }

    /// Makes the rows of one slice; its job fails alone if they cannot be made.
    fn fill(&mut self, role: Role, slice: &Rows, input_len: usize) -> bool {
        let start = self.input.len();
        let made = catch_unwind(AssertUnwindSafe(|| {
            for row in slice.rows.clone() {
                let start = self.input.len();
                self.input.resize(start + input_len, 0.0);
                slice.job.source.fill(row, &mut self.input[start..])?;
            }
            Ok(())
        }));
        let reason = match made {
            Ok(Ok(())) => return true,
            Ok(Err(reason)) => reason,
            Err(_) => "it panicked".to_owned(),
        };
        self.input.truncate(start);
        tracing::error!(model = role.name(), reason, "rows could not be made");
        slice
            .job
            .fail(ScheduleError::Failed("the input rows could not be made".to_owned()));
        false
    }
}
