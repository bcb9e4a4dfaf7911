//! Reads, computes and writes at the same time, with bounded memory.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::folder::RunFolder;
use super::outcome::{Outcome, outcomes};
use super::output_source::OutputSource;
use crate::evaluation::dataset::{DataSet, DataSetEntry};
use crate::evaluation::error::EvaluationError;
use crate::evaluation::record::{EvaluationHeader, SamplingConditions};

/// A part of the run folder is finished after this time, which a kill may cost.
const PART_TIME: Duration = Duration::from_secs(5);
/// The most inputs of a part.
const PART_INPUTS: u64 = 20_000;
/// The batches that may be read ahead for each worker, or wait to be written.
const BATCHES_PER_WORKER: usize = 4;

/// The progress of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunProgress {
    /// The inputs that were seen, with those of earlier parts.
    pub inputs: u64,
    /// The inputs that were skipped, with those of earlier parts.
    pub skipped: u64,
}

/// What a run needs.
pub struct Pipeline<'a, S> {
    /// The data set.
    pub data: &'a DataSet,
    /// The header of the records.
    pub header: &'a EvaluationHeader,
    /// One source of outputs for each thread.
    pub workers: Vec<S>,
    /// The position at which the run ends; `None` for the end of the data set.
    pub end: Option<u64>,
}

type Batch = (u64, Vec<DataSetEntry>);
type Evaluated = (u64, Result<Vec<Outcome>, String>);

impl<S: OutputSource> Pipeline<'_, S> {
    /// Evaluates the inputs after those of `folder`, and adds them to it. Calls `progress` after each
    /// batch.
    ///
    /// # Errors
    /// If the data set cannot be read, a model is broken, or a part cannot be written. Everything
    /// before it is in the folder.
    pub fn run(self, folder: &mut RunFolder, mut progress: impl FnMut(RunProgress)) -> Result<(), EvaluationError> {
        let Self {
            data,
            header,
            workers,
            end,
        } = self;
        let sampling = header.sampling.as_ref();
        let first = folder.summary().next_index;
        let sizes = workers.iter().map(|worker| worker.batch_inputs(sampling));
        let batch_inputs = sizes.max().unwrap_or(1).max(1);
        let batches_in_flight = BATCHES_PER_WORKER * workers.len().max(1);
        // A batch needs a token from the moment that it is read until it is written. So a worker that is
        // slow bounds what the others finish before it.
        let (give_token, tokens) = sync_channel(batches_in_flight);
        for _ in 0..batches_in_flight {
            // The channel has room for every token.
            let _ = give_token.send(());
        }
        let (send_batch, batches) = sync_channel::<Batch>(batches_in_flight);
        let (send_evaluated, evaluated) = channel::<Evaluated>();
        let batches = Mutex::new(batches);
        thread::scope(|scope| {
            let reader = scope.spawn(move || read(data, (first, end), batch_inputs, &tokens, &send_batch));
            for mut worker in workers {
                let (batches, send_evaluated) = (&batches, send_evaluated.clone());
                scope.spawn(move || work(&mut worker, sampling, batches, &send_evaluated));
            }
            drop(send_evaluated);
            let written = write(folder, header, &evaluated, &give_token, &mut progress);
            // Without tokens and batches, the other threads end.
            drop((give_token, evaluated));
            let _ = batches
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .try_iter()
                .count();
            let finished = folder.finish_part();
            let was_read = reader.join();
            written.map_err(|error| EvaluationError::file(data.path(), error))??;
            finished?;
            was_read.map_err(|_| EvaluationError::file(data.path(), "cannot be read: its reader panicked"))?
        })
    }
}

/// Reads the data set into batches until its end, or until nobody needs more.
fn read(
    data: &DataSet,
    (first, end): (u64, Option<u64>),
    batch_inputs: usize,
    tokens: &Receiver<()>,
    batches: &SyncSender<Batch>,
) -> Result<(), EvaluationError> {
    let (mut number, mut batch) = (0, Vec::with_capacity(batch_inputs));
    let mut send = |batch: &mut Vec<DataSetEntry>| {
        let is_sent = tokens.recv().is_ok() && batches.send((number, std::mem::take(batch))).is_ok();
        number += 1;
        if is_sent {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    data.read(first, |entry| {
        if end.is_some_and(|end| entry.index() >= end) {
            return ControlFlow::Break(());
        }
        batch.push(entry);
        if batch.len() < batch_inputs {
            return ControlFlow::Continue(());
        }
        send(&mut batch)
    })?;
    if !batch.is_empty() {
        let _ = send(&mut batch);
    }
    Ok(())
}

/// Evaluates batches until there are no more.
fn work<S: OutputSource>(
    worker: &mut S,
    sampling: Option<&SamplingConditions>,
    batches: &Mutex<Receiver<Batch>>,
    evaluated: &Sender<Evaluated>,
) {
    loop {
        let received = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, entries)) = received else { return };
        if evaluated.send((number, outcomes(worker, sampling, entries))).is_err() {
            return;
        }
    }
}

/// Writes the outcomes in the order of the data set. The outer error is that of a source of outputs.
fn write(
    folder: &mut RunFolder,
    header: &EvaluationHeader,
    evaluated: &Receiver<Evaluated>,
    tokens: &SyncSender<()>,
    progress: &mut impl FnMut(RunProgress),
) -> Result<Result<(), EvaluationError>, String> {
    let mut seen = RunProgress {
        inputs: folder.summary().next_index,
        skipped: folder.summary().skipped,
    };
    let mut waiting = BTreeMap::new();
    let (mut next, mut part_started, mut part_inputs) = (0, Instant::now(), 0);
    while let Ok((number, outcomes)) = evaluated.recv() {
        waiting.insert(number, outcomes?);
        while let Some(outcomes) = waiting.remove(&next) {
            next += 1;
            for outcome in outcomes {
                let added = match outcome {
                    Outcome::Record(record) => folder.add(header, record),
                    Outcome::Skipped(skipped) => {
                        seen.skipped += 1;
                        folder.add_skipped(header, skipped)
                    }
                };
                if let Err(error) = added {
                    return Ok(Err(error));
                }
                seen.inputs += 1;
                part_inputs += 1;
            }
            // The reader may have ended.
            let _ = tokens.try_send(());
            progress(seen);
        }
        if part_started.elapsed() >= PART_TIME || part_inputs >= PART_INPUTS {
            if let Err(error) = folder.finish_part() {
                return Ok(Err(error));
            }
            (part_started, part_inputs) = (Instant::now(), 0);
        }
    }
    Ok(Ok(()))
}
