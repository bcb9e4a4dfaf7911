//! Runs one batch: produces its rows, runs them and delivers the outputs. A failure is attributed to
//! the job that causes it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::fair_queue::JobSlice;
use super::row_job::{Job, Reply, ScheduleError};
use super::shared_state::Work;
use crate::domain::{OutputRowFlaws, Role};
use crate::onnx::{Backend, BackendError, Cancellation};

/// The outcome of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BatchOutcome {
    /// The model ran.
    Ran,
    /// All its jobs had ended, or none of its rows could be produced.
    Skipped,
    /// The model failed on at least one job that ran alone.
    Failed,
}

type Rows = JobSlice<Arc<Job>>;

/// The buffers that an executor reuses for each batch.
#[derive(Debug, Default)]
pub(super) struct BatchBuffers {
    input: Vec<f32>,
    output: Vec<f32>,
    /// Whether `output` is the output of the model for `input`.
    is_complete: bool,
    /// The flawed rows of this batch.
    pub(super) flaws: OutputRowFlaws,
    /// The replies of the jobs that are complete.
    pub(super) replies: Vec<Reply>,
}

/// Runs `work`, which was taken from the queue at `taken`, on `backend`. Complete replies are left in
/// `buffers`; failed jobs are answered at once.
///
/// If the model fails on a batch of several jobs, each job runs again alone, so one bad row fails only
/// its own job.
pub(super) fn run_batch<B: Backend>(
    backend: &mut B,
    work: &Work,
    taken: Instant,
    buffers: &mut BatchBuffers,
) -> BatchOutcome {
    let slices: Vec<&Rows> = work.slices.iter().collect();
    buffers.flaws = OutputRowFlaws::default();
    match buffers.run(backend, work.role, &slices, taken) {
        Ok(outcome) => outcome,
        Err(reason) => {
            let model = work.role.name();
            tracing::error!(model, reason, rows = work.rows(), "batch failed");
            if let [alone] = slices.as_slice() {
                fail(alone, work.role);
                return BatchOutcome::Failed;
            }
            let mut outcome = BatchOutcome::Skipped;
            for slice in slices {
                let ran = buffers.run(backend, work.role, &[slice], taken).unwrap_or_else(|_| {
                    fail(slice, work.role);
                    BatchOutcome::Failed
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

fn worst(left: BatchOutcome, right: BatchOutcome) -> BatchOutcome {
    match (left, right) {
        (BatchOutcome::Failed, _) | (_, BatchOutcome::Failed) => BatchOutcome::Failed,
        (BatchOutcome::Ran, _) | (_, BatchOutcome::Ran) => BatchOutcome::Ran,
        (BatchOutcome::Skipped, BatchOutcome::Skipped) => BatchOutcome::Skipped,
    }
}

impl BatchBuffers {
    /// Produces the rows of `slices`, runs them and delivers the outputs. On an error of the model, no
    /// job has been answered.
    fn run<B: Backend>(
        &mut self,
        backend: &mut B,
        role: Role,
        slices: &[&Rows],
        taken: Instant,
    ) -> Result<BatchOutcome, String> {
        let cancellation = Arc::new(Cancellation::new(slices.len()));
        let mut ready = Vec::with_capacity(slices.len());
        self.input.clear();
        self.is_complete = false;
        for slice in slices {
            if !slice.job.enter_batch(&cancellation) {
                cancellation.remove_waiter();
            } else if self.fill(role, slice, backend.input_len()) {
                ready.push(*slice);
            }
        }
        let ran = if ready.is_empty() {
            Ok(BatchOutcome::Skipped)
        } else {
            self.run_ready(backend, role, &ready, &cancellation, taken)
        };
        for slice in slices {
            slice.job.leave_batch(&cancellation);
        }
        ran
    }

    fn run_ready<B: Backend>(
        &mut self,
        backend: &mut B,
        role: Role,
        ready: &[&Rows],
        cancellation: &Cancellation,
        taken: Instant,
    ) -> Result<BatchOutcome, String> {
        let (model, batch) = (role.name(), self.input.len() / backend.input_len().max(1));
        let spans: Vec<_> = ready
            .iter()
            .map(|slice| tracing::debug_span!(parent: &slice.job.span, "infer", model, rows = slice.rows.len(), batch))
            .collect();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            backend.run(batch, &self.input, &mut self.output, cancellation)
        }));
        drop(spans);
        let done = Instant::now();
        match ran {
            Ok(Ok(())) => {
                // The check precedes all deliveries, because delivered rows must not run again.
                if self.output.len() != batch * backend.output_len() {
                    return Err(format!("{batch} rows gave {} values", self.output.len()));
                }
                self.is_complete = true;
                self.flaws += OutputRowFlaws::of(&self.output, backend.output_len(), backend.outputs_probabilities());
                let mut outputs = self.output.as_slice();
                for slice in ready {
                    let (mine, rest) = outputs.split_at(slice.rows.len() * backend.output_len());
                    self.replies
                        .extend(slice.job.deliver(role, slice.rows.clone(), mine, taken..done));
                    outputs = rest;
                }
                Ok(BatchOutcome::Ran)
            }
            Ok(Err(BackendError::Cancelled)) => Ok(BatchOutcome::Skipped),
            Ok(Err(error @ BackendError::Failed { .. })) => Err(error.to_string()),
            Err(_) => Err("the backend panicked".to_owned()),
        }
    }

    /// The input and the output of the last run; `None` if it failed.
    pub(super) fn last_run(&self) -> Option<(&[f32], &[f32])> {
        self.is_complete.then_some((&self.input, &self.output))
    }

    /// Produces the rows of one slice. Only its job fails if they cannot be produced.
    fn fill(&mut self, role: Role, slice: &Rows, input_len: usize) -> bool {
        let start = self.input.len();
        let produced = catch_unwind(AssertUnwindSafe(|| {
            for row in slice.rows.clone() {
                let start = self.input.len();
                self.input.resize(start + input_len, 0.0);
                slice.job.source.fill(row, &mut self.input[start..])?;
            }
            Ok(())
        }));
        let reason = match produced {
            Ok(Ok(())) => return true,
            Ok(Err(reason)) => reason,
            Err(_) => "the row source panicked".to_owned(),
        };
        self.input.truncate(start);
        tracing::error!(model = role.name(), reason, "cannot produce input rows");
        slice
            .job
            .fail(ScheduleError::Failed("the input rows could not be produced".to_owned()));
        false
    }
}
