//! A job: rows of one request that are answered together.

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
use crate::onnx::Cancellation;

/// Produces the rows of a job on the executor's thread, just before they run.
pub trait RowSource: Send + Sync {
    /// Writes row `row` of the job into `out`, which has the model's input length.
    ///
    /// # Errors
    /// If the row cannot be produced. Only this job fails then.
    fn fill(&self, row: usize, out: &mut [f32]) -> Result<(), String>;
}

/// Why a job has no outputs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// The deadline passed while the rows waited.
    #[error("the deadline passed while the rows waited")]
    Expired,
    /// The model failed on the rows.
    #[error("{0}")]
    Failed(String),
    /// The model failed on rows that had worked before, and its session cannot be opened at the moment.
    #[error("the {} model is broken; its session is retried until it opens", role.name())]
    Broken {
        /// The broken model.
        role: Role,
    },
    /// The scheduler is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// The outputs of a job.
#[derive(Debug, Default, PartialEq)]
pub struct JobOutputs {
    /// The outputs of the rows, in their order, by model.
    pub rows: PerRole<Vec<f32>>,
    /// When the rows were submitted and finished, for each model with rows.
    pub windows: PerRole<Option<ExecutionWindow>>,
}

type JobResult = Result<JobOutputs, ScheduleError>;

/// Waits for the outputs of a job. Dropping it cancels the job: waiting rows are skipped, and a run
/// that no other job needs is terminated.
#[derive(Debug)]
pub struct JobHandle {
    job: Arc<Job>,
    receiver: oneshot::Receiver<JobResult>,
    notice: SubmissionNotice,
}

/// Whether the executors have been notified of the rows.
#[derive(Debug)]
enum SubmissionNotice {
    /// Not yet, and the handle has not been polled.
    Due(Arc<dyn WakeExecutors>),
    /// Not yet; all other ready tasks have been polled since.
    Yielded(Arc<dyn WakeExecutors>),
    /// The executors are notified.
    Sent,
}

/// Notifies the executors of new rows.
pub(super) trait WakeExecutors: Send + Sync + std::fmt::Debug {
    fn wake_executors(&self);
}

impl Future for JobHandle {
    /// The outputs of all rows.
    type Output = JobResult;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<JobResult> {
        match std::mem::replace(&mut self.notice, SubmissionNotice::Sent) {
            SubmissionNotice::Due(executors) => {
                // Other ready tasks submit their rows first, so all share one wake and one batch.
                self.notice = SubmissionNotice::Yielded(executors);
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            SubmissionNotice::Yielded(executors) => executors.wake_executors(),
            SubmissionNotice::Sent => {}
        }
        Pin::new(&mut self.receiver)
            .poll(context)
            .map(|result| result.unwrap_or(Err(ScheduleError::Stopping)))
    }
}

impl Drop for JobHandle {
    fn drop(&mut self) {
        self.job.end();
    }
}

/// Rows of one request that are answered together.
pub(super) struct Job {
    pub(super) source: Box<dyn RowSource>,
    /// The caller's span: the parent of the executors' spans.
    pub(super) span: Span,
    /// The name of the caller in metrics.
    pub(super) caller_name: Arc<str>,
    submitted: Instant,
    progress: Mutex<Progress>,
}

/// The outputs for a caller, not sent yet. The executor sends them after it has released the lock
/// that the caller needs next.
#[derive(Debug)]
pub(super) struct Reply {
    sender: oneshot::Sender<JobResult>,
    outputs: JobOutputs,
}

impl Reply {
    pub(super) fn send(self) {
        // The caller may have left.
        drop(self.sender.send(Ok(self.outputs)));
    }
}

/// The state of a job that has not ended.
struct Progress {
    outputs: JobOutputs,
    rows_left: usize,
    /// `None` once the job is answered or cancelled.
    reply: Option<oneshot::Sender<JobResult>>,
    /// The running batches that contain rows of this job.
    running: Vec<Arc<Cancellation>>,
}

impl Job {
    pub(super) fn new(
        source: Box<dyn RowSource>,
        rows: PerRole<usize>,
        output_len: PerRole<usize>,
        submitted: Instant,
        caller_name: Arc<str>,
        deferred_wake: Option<Arc<dyn WakeExecutors>>,
    ) -> (Arc<Self>, JobHandle) {
        let (reply, receiver) = oneshot::channel();
        let progress = Progress {
            outputs: JobOutputs {
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
            caller_name,
            submitted,
            progress: Mutex::new(progress),
        });
        let handle = JobHandle {
            job: Arc::clone(&job),
            receiver,
            notice: deferred_wake.map_or(SubmissionNotice::Sent, SubmissionNotice::Due),
        };
        (job, handle)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the job has ended: its caller left, or it has failed or is answered.
    pub(super) fn has_ended(&self) -> bool {
        self.progress().reply.is_none()
    }

    /// Records that rows of the job are about to run in the batch of `cancellation`. Returns false if
    /// the job has ended.
    pub(super) fn enter_batch(&self, cancellation: &Arc<Cancellation>) -> bool {
        let mut progress = self.progress();
        let wanted = progress.reply.is_some();
        if wanted {
            progress.running.push(Arc::clone(cancellation));
        }
        wanted
    }

    /// Records that the batch of `cancellation` has ended.
    pub(super) fn leave_batch(&self, cancellation: &Arc<Cancellation>) {
        self.progress()
            .running
            .retain(|running| !Arc::ptr_eq(running, cancellation));
    }

    /// Stores the outputs of some rows, which ran during `ran`. Returns the reply once all rows have
    /// outputs.
    pub(super) fn deliver(&self, role: Role, rows: Range<usize>, values: &[f32], ran: Range<Instant>) -> Option<Reply> {
        let mut progress = self.progress();
        if rows.is_empty() {
            return None;
        }
        let length = values.len() / rows.len();
        let Some(destination) = progress.outputs.rows[role].get_mut(rows.start * length..rows.end * length) else {
            drop(progress);
            self.fail(ScheduleError::Failed("the outputs do not fit the job".to_owned()));
            return None;
        };
        destination.copy_from_slice(values);
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

    /// Ends the job with an error.
    pub(super) fn fail(&self, error: ScheduleError) {
        if let Some(reply) = self.end() {
            drop(reply.send(Err(error)));
        }
    }

    /// Ends the job, and terminates running batches that no other job needs.
    fn end(&self) -> Option<oneshot::Sender<JobResult>> {
        let mut progress = self.progress();
        let reply = progress.reply.take();
        let running = std::mem::take(&mut progress.running);
        drop(progress);
        for cancellation in running {
            cancellation.remove_waiter();
        }
        reply
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Job").finish_non_exhaustive()
    }
}
