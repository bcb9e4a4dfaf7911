//! A job: rows of one request that are answered together, and where their outputs go.

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use thiserror::Error;
use tokio::sync::oneshot;
use tracing::Span;

use crate::domain::{ExecutionWindow, PerRole, Role};
use crate::onnx::Halt;

/// Makes the rows of a job, on the executor's thread, just before they run.
pub trait RowSource: Send + Sync {
    /// Writes row `row` of the job into `out`, which has the model's input length.
    ///
    /// # Errors
    /// If the row cannot be made; the job then fails, alone.
    fn fill(&self, row: usize, out: &mut [f32]) -> Result<(), String>;
}

/// Why a job has no outputs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// Its deadline passed while it waited.
    #[error("the deadline passed while the rows waited")]
    Expired,
    /// The model failed on its rows.
    #[error("{0}")]
    Failed(String),
    /// The model has failed on rows that had worked before, and cannot be opened anew at the moment.
    #[error("the {} model is broken; it is tried again and again", role.name())]
    Broken {
        /// Which model.
        role: Role,
    },
    /// The scheduler is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// What came of a job.
#[derive(Debug, Default, PartialEq)]
pub struct Outputs {
    /// The outputs of the job's rows, in their order.
    pub rows: PerRole<Vec<f32>>,
    /// When they were asked for and done, of each model that had any.
    pub windows: PerRole<Option<ExecutionWindow>>,
}

type Answer = Result<Outputs, ScheduleError>;

/// The outputs of a job, to come. Dropping it tells the scheduler that nobody waits any more: rows that wait are skipped, and a
/// run that nobody else waits for is ended.
#[derive(Debug)]
pub struct Pending {
    job: Arc<Job>,
    receiver: oneshot::Receiver<Answer>,
    gathering: Gathering,
}

/// Whether the executors have been told of the rows.
#[derive(Debug)]
enum Gathering {
    /// They have not, and the task has not been polled.
    Fresh(Arc<dyn Ring>),
    /// They have not; whoever else was ready has been polled meanwhile.
    Yielded(Arc<dyn Ring>),
    /// They have.
    Over,
}

/// Tells the executors that there are rows.
pub(super) trait Ring: Send + Sync + std::fmt::Debug {
    fn ring(&self);
}

impl Future for Pending {
    /// The outputs of all rows.
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        match std::mem::replace(&mut self.gathering, Gathering::Over) {
            Gathering::Fresh(ring) => {
                // Whoever is ready too submits its rows first, and they share one wake and one batch.
                self.gathering = Gathering::Yielded(ring);
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Gathering::Yielded(ring) => ring.ring(),
            Gathering::Over => {}
        }
        Pin::new(&mut self.receiver)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(ScheduleError::Stopping)))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.job.end();
    }
}

pub(super) struct Job {
    pub(super) source: Box<dyn RowSource>,
    /// The caller's span: the parent of what the executors record.
    pub(super) span: Span,
    submitted: Instant,
    progress: Mutex<Progress>,
}

/// The answer to a caller, not sent yet: it is sent when the executor holds no lock that the caller will want.
#[derive(Debug)]
pub(super) struct Reply {
    sender: oneshot::Sender<Answer>,
    outputs: Outputs,
}

impl Reply {
    pub(super) fn send(self) {
        // A caller that left meanwhile needs no answer.
        drop(self.sender.send(Ok(self.outputs)));
    }
}

/// Until the job has ended.
struct Progress {
    outputs: Outputs,
    rows_left: usize,
    /// Taken once it is answered or abandoned.
    reply: Option<oneshot::Sender<Answer>>,
    /// The batches that it has rows in.
    running: Vec<Arc<Halt>>,
}

impl Job {
    pub(super) fn new(
        source: Box<dyn RowSource>,
        rows: PerRole<usize>,
        output_len: PerRole<usize>,
        submitted: Instant,
        gather: Option<Arc<dyn Ring>>,
    ) -> (Arc<Self>, Pending) {
        let (reply, receiver) = oneshot::channel();
        let progress = Progress {
            outputs: Outputs {
                rows: PerRole::of(|role| vec![0.0; rows[role] * output_len[role]]),
                windows: PerRole::default(),
            },
            rows_left: Role::ALL.iter().map(|&role| rows[role]).sum(),
            reply: Some(reply),
            running: Vec::new(),
        };
        let job = Arc::new(Self {
            source,
            span: Span::current(),
            submitted,
            progress: Mutex::new(progress),
        });
        let pending = Pending {
            job: Arc::clone(&job),
            receiver,
            gathering: gather.map_or(Gathering::Over, Gathering::Fresh),
        };
        (job, pending)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody waits for it: its caller left, or it has failed.
    pub(super) fn is_over(&self) -> bool {
        self.progress().reply.is_none()
    }

    /// Its rows are about to run in a batch that `halt` ends; false if nobody waits for it.
    pub(super) fn enter(&self, halt: &Arc<Halt>) -> bool {
        let mut progress = self.progress();
        let waited_for = progress.reply.is_some();
        if waited_for {
            progress.running.push(Arc::clone(halt));
        }
        waited_for
    }

    /// The batch that `halt` ends is over.
    pub(super) fn exit(&self, halt: &Arc<Halt>) {
        self.progress().running.retain(|running| !Arc::ptr_eq(running, halt));
    }

    /// Takes the outputs of some rows, which ran during `ran`; with the last ones there is an answer, to be sent.
    pub(super) fn deliver(&self, role: Role, rows: Range<usize>, values: &[f32], ran: Range<Instant>) -> Option<Reply> {
        let mut progress = self.progress();
        if rows.is_empty() {
            return None;
        }
        let length = values.len() / rows.len();
        let Some(place) = progress.outputs.rows[role].get_mut(rows.start * length..rows.end * length) else {
            drop(progress);
            self.fail(ScheduleError::Failed("the outputs have no place".to_owned()));
            return None;
        };
        place.copy_from_slice(values);
        let window = ExecutionWindow {
            submitted: self.submitted,
            taken: ran.start,
            done: ran.end,
        };
        let known = &mut progress.outputs.windows[role];
        *known = Some(known.map_or(window, |known| known.merge(window)));
        progress.rows_left = progress.rows_left.saturating_sub(rows.len());
        if progress.rows_left > 0 {
            return None;
        }
        let sender = progress.reply.take()?;
        let outputs = std::mem::take(&mut progress.outputs);
        Some(Reply { sender, outputs })
    }

    /// Answers the caller that there are no outputs.
    pub(super) fn fail(&self, error: ScheduleError) {
        if let Some(reply) = self.end() {
            drop(reply.send(Err(error)));
        }
    }

    /// Nothing more is wanted of it.
    fn end(&self) -> Option<oneshot::Sender<Answer>> {
        let mut progress = self.progress();
        let reply = progress.reply.take();
        let running = std::mem::take(&mut progress.running);
        drop(progress);
        for halt in running {
            halt.leave();
        }
        reply
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Job").finish_non_exhaustive()
    }
}
