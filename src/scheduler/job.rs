//! A job: rows of one caller, and where their outputs go.

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use thiserror::Error;
use tokio::sync::oneshot;
use tracing::Span;

use super::Full;

/// Makes the rows of a job, on the executor's thread, just before they run.
pub trait RowSource: Send + Sync {
    /// Writes row `row` of the job into `out`, which has the model's input length.
    ///
    /// # Errors
    /// If the row cannot be made; the job then fails, alone.
    fn fill(&self, row: usize, out: &mut [f32]) -> Result<(), String>;
}

/// Why a job has no outputs.
#[derive(Debug, Clone, Error)]
pub enum ScheduleError {
    /// No room for its rows.
    #[error(transparent)]
    Full(#[from] Full),
    /// Its deadline passed while it waited.
    #[error("the deadline passed while the rows waited")]
    Expired,
    /// The model failed on the batch that it was in.
    #[error("{0}")]
    Failed(String),
    /// The scheduler is stopping.
    #[error("the server is stopping")]
    Stopping,
}

type Answer = Result<Vec<f32>, ScheduleError>;

/// The outputs of a job, to come. Dropping it tells the scheduler that nobody waits any more.
#[derive(Debug)]
pub struct Pending {
    pub(super) receiver: oneshot::Receiver<Answer>,
}

impl Future for Pending {
    /// The outputs of all rows, in their order.
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        Pin::new(&mut self.receiver)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(ScheduleError::Stopping)))
    }
}

pub(super) struct Job {
    pub(super) source: Box<dyn RowSource>,
    /// The caller's span: the parent of what the executors record.
    pub(super) span: Span,
    outputs: Mutex<Outputs>,
}

struct Outputs {
    values: Vec<f32>,
    rows_left: usize,
    reply: Option<oneshot::Sender<Answer>>,
}

impl Job {
    pub(super) fn new(source: Box<dyn RowSource>, rows: usize, output_len: usize) -> (Self, Pending) {
        let (reply, receiver) = oneshot::channel();
        let outputs = Outputs {
            values: vec![0.0; rows * output_len],
            rows_left: rows,
            reply: Some(reply),
        };
        (
            Self {
                source,
                span: Span::current(),
                outputs: Mutex::new(outputs),
            },
            Pending { receiver },
        )
    }

    fn outputs(&self) -> MutexGuard<'_, Outputs> {
        self.outputs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody waits for it: its caller left, or it has failed.
    pub(super) fn is_dead(&self) -> bool {
        self.outputs().reply.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Takes the outputs of some rows; the last ones answer the caller.
    pub(super) fn deliver(&self, rows: Range<usize>, values: &[f32]) {
        let mut outputs = self.outputs();
        if rows.is_empty() {
            return;
        }
        let length = values.len() / rows.len();
        if let Some(place) = outputs.values.get_mut(rows.start * length..rows.end * length) {
            place.copy_from_slice(values);
        }
        outputs.rows_left = outputs.rows_left.saturating_sub(rows.len());
        if outputs.rows_left == 0
            && let Some(reply) = outputs.reply.take()
        {
            // A caller that left meanwhile needs no answer.
            drop(reply.send(Ok(std::mem::take(&mut outputs.values))));
        }
    }

    /// Answers the caller that there are no outputs.
    pub(super) fn fail(&self, error: ScheduleError) {
        if let Some(reply) = self.outputs().reply.take() {
            drop(reply.send(Err(error)));
        }
    }
}
