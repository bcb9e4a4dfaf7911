//! Executors: OS threads, each the owner of one backend.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::job::{Job, ScheduleError};
use super::queue::{Class, Full, Slice};
use super::shared::{Reservation, Shared};
use crate::onnx::Backend;

/// The executors of one model and their queue.
pub struct Scheduler {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    max_batch_size: usize,
}

impl Scheduler {
    /// Starts a thread for each of `backends`, which are sessions of one model; `name` names it in traces.
    ///
    /// # Errors
    /// If there are no backends, or no thread can be started.
    pub fn start<B: Backend>(name: &'static str, backends: Vec<B>, queue_rows: usize) -> io::Result<Self> {
        let Some(first) = backends.first() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a scheduler needs at least one backend",
            ));
        };
        let max_batch_size = first.max_batch_size();
        let shared = Arc::new(Shared::new(queue_rows, first.output_len()));
        let mut scheduler = Self {
            shared,
            threads: Vec::new(),
            max_batch_size,
        };
        for (number, backend) in backends.into_iter().enumerate() {
            let shared = Arc::clone(&scheduler.shared);
            let thread = thread::Builder::new().name(format!("{name}-{number}")).spawn(move || {
                Executor {
                    name,
                    shared,
                    backend,
                    input: Vec::new(),
                    output: Vec::new(),
                }
                .work();
            })?;
            scheduler.threads.push(thread);
        }
        Ok(scheduler)
    }

    /// Makes room for `rows` rows of `class`, or refuses at once. Bulk rows are refused earlier: [`bulk_capacity`](super::bulk_capacity).
    ///
    /// # Errors
    /// If they do not fit beside the rows admitted already.
    pub fn reserve(&self, rows: usize, class: Class) -> Result<Reservation, Full> {
        self.shared.reserve(rows, class)
    }

    /// Rows in one run, at most.
    #[must_use]
    pub fn max_batch_size(&self) -> usize {
        self.max_batch_size
    }

    /// Sessions, each with a thread.
    #[must_use]
    pub fn executors(&self) -> usize {
        self.threads.len()
    }
}

impl Drop for Scheduler {
    /// Waits for the batches that run: a session must not outlive its thread, nor the process's runtime.
    fn drop(&mut self) {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("an executor thread ended by a panic");
            }
        }
    }
}

struct Executor<B> {
    name: &'static str,
    shared: Arc<Shared>,
    backend: B,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl<B: Backend> Executor<B> {
    fn work(&mut self) {
        while let Some(slices) = self.shared.next_batch(self.backend.max_batch_size()) {
            let ran = catch_unwind(AssertUnwindSafe(|| self.run(&slices)));
            if ran.is_err() {
                tracing::error!(
                    model = self.name,
                    "a batch panicked; its requests fail, the executor goes on"
                );
                for slice in &slices {
                    slice
                        .job
                        .fail(ScheduleError::Failed(format!("the {} model failed", self.name)));
                }
            }
        }
    }

    fn run(&mut self, slices: &[Slice<Arc<Job>>]) {
        let (input_len, output_len) = (self.backend.input_len(), self.backend.output_len());
        self.input.clear();
        // Slices whose rows could be made, in the order of their rows in the batch.
        let mut ready = Vec::with_capacity(slices.len());
        for slice in slices {
            let start = self.input.len();
            match self.fill(slice, input_len) {
                Ok(()) => ready.push(slice),
                Err(reason) => {
                    self.input.truncate(start);
                    tracing::error!(model = self.name, reason, "rows could not be made");
                    slice
                        .job
                        .fail(ScheduleError::Failed("the input rows could not be made".to_owned()));
                }
            }
        }
        let rows = self.input.len() / input_len.max(1);
        if rows == 0 {
            return;
        }
        let spans: Vec<_> = ready
            .iter()
            .map(|slice| {
                let (model, batch) = (self.name, rows);
                tracing::info_span!(parent: &slice.job.span, "infer", model, rows = slice.rows.len(), batch)
            })
            .collect();
        let result = self.backend.run(rows, &self.input, &mut self.output);
        drop(spans);
        match result {
            Ok(()) => {
                let mut outputs = self.output.as_slice();
                for slice in ready {
                    let (mine, rest) = outputs.split_at(slice.rows.len() * output_len);
                    slice.job.deliver(slice.rows.clone(), mine);
                    outputs = rest;
                }
            }
            Err(error) => {
                tracing::error!(model = self.name, reason = error.reason, rows, "a batch failed");
                for slice in ready {
                    slice
                        .job
                        .fail(ScheduleError::Failed(format!("the {} model failed", self.name)));
                }
            }
        }
    }

    fn fill(&mut self, slice: &Slice<Arc<Job>>, input_len: usize) -> Result<(), String> {
        for row in slice.rows.clone() {
            let start = self.input.len();
            self.input.resize(start + input_len, 0.0);
            slice.job.source.fill(row, &mut self.input[start..])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
