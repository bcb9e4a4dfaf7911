//! Delivers finished outputs to their callers, many at a time.
//!
//! A wake of a task on another thread is a system call, whether that thread sleeps or not. So the
//! executors append their replies to one queue and wake one task, and only if the queue was empty.
//! That task runs on the callers' runtime and wakes the callers.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::row_job::Reply;

/// The queue of replies. Admission bounds its length: it holds at most the admitted rows.
#[derive(Debug, Default)]
struct ReplyQueue {
    replies: Mutex<Vec<Reply>>,
    filled: Notify,
}

/// The queue and the task that empties it. Dropping it ends the task.
#[derive(Debug)]
pub(super) struct ReplyDispatcher {
    queue: Arc<ReplyQueue>,
    task: AbortHandle,
}

impl ReplyDispatcher {
    /// Starts the task on `runtime`.
    pub(super) fn start(runtime: &Handle) -> Self {
        let queue = Arc::new(ReplyQueue::default());
        let tasks_queue = Arc::clone(&queue);
        let task = runtime.spawn(async move {
            loop {
                tasks_queue.filled.notified().await;
                tasks_queue.send_all();
            }
        });
        Self {
            queue,
            task: task.abort_handle(),
        }
    }

    /// Takes all of `replies` and sends them soon.
    pub(super) fn dispatch(&self, replies: &mut Vec<Reply>) {
        if replies.is_empty() {
            return;
        }
        let mut queued = self.queue.replies.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = queued.is_empty();
        queued.append(replies);
        drop(queued);
        if was_empty {
            self.queue.filled.notify_one();
        }
    }
}

impl ReplyQueue {
    fn send_all(&self) {
        let replies = std::mem::take(&mut *self.replies.lock().unwrap_or_else(PoisonError::into_inner));
        replies.into_iter().for_each(Reply::send);
    }
}

impl Drop for ReplyDispatcher {
    fn drop(&mut self) {
        self.task.abort();
        self.queue.send_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::domain::{PerRole, Role};
    use crate::scheduler::RowSource;
    use crate::scheduler::row_job::{Job, JobHandle};

    struct NoRows;

    impl RowSource for NoRows {
        fn fill(&self, _: usize, _: &mut [f32]) -> Result<(), String> {
            Ok(())
        }
    }

    /// A finished reply and the handle that waits for it.
    fn reply(value: f32) -> (Reply, JobHandle) {
        let one = PerRole { standard: 0, robust: 1 };
        let (job, pending) = Job::new(Box::new(NoRows), one, one, Instant::now(), "other".into(), None);
        let now = Instant::now();
        (job.deliver(Role::Robust, 0..1, &[value], now..now).unwrap(), pending)
    }

    #[tokio::test]
    async fn every_reply_arrives() {
        let dispatcher = ReplyDispatcher::start(&Handle::current());
        for round in 0..20u8 {
            let (mut replies, waiting): (Vec<_>, Vec<_>) = (0..round).map(|value| reply(f32::from(value))).unzip();
            dispatcher.dispatch(&mut replies);
            for (value, pending) in (0..round).zip(waiting) {
                assert_eq!(pending.await.unwrap().rows.robust, [f32::from(value)]);
            }
        }
    }

    #[tokio::test]
    async fn queued_replies_are_sent_at_the_end() {
        let dispatcher = ReplyDispatcher::start(&Handle::current());
        let (reply, pending) = reply(1.0);
        dispatcher.dispatch(&mut vec![reply]);
        drop(dispatcher);
        assert_eq!(pending.await.unwrap().rows.robust, [1.0]);
    }
}
