//! Brings finished answers to their callers, many at a time.
//!
//! Waking a task of another thread is a system call, whether that thread sleeps or not. So executors put their answers into
//! one box and wake one task, and only if the box was empty; that task, on the callers' own runtime, wakes the callers.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::job::Reply;

/// The box. It holds at most the answers of the rows that are admitted.
#[derive(Debug, Default)]
struct Letters {
    waiting: Mutex<Vec<Reply>>,
    filled: Notify,
}

/// The box and the task that empties it, which ends with this.
#[derive(Debug)]
pub(super) struct Post {
    letters: Arc<Letters>,
    task: AbortHandle,
}

impl Post {
    /// Starts the task on `runtime`.
    pub(super) fn start(runtime: &Handle) -> Self {
        let letters = Arc::new(Letters::default());
        let mine = Arc::clone(&letters);
        let task = runtime.spawn(async move {
            loop {
                mine.filled.notified().await;
                mine.empty();
            }
        });
        Self {
            letters,
            task: task.abort_handle(),
        }
    }

    /// Takes all of `replies`.
    pub(super) fn send(&self, replies: &mut Vec<Reply>) {
        if replies.is_empty() {
            return;
        }
        let mut letters = self.letters.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = letters.is_empty();
        letters.append(replies);
        drop(letters);
        if was_empty {
            self.letters.filled.notify_one();
        }
    }
}

impl Letters {
    fn empty(&self) {
        let letters = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        letters.into_iter().for_each(Reply::send);
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.task.abort();
        self.letters.empty();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::domain::{PerRole, Role};
    use crate::scheduler::RowSource;
    use crate::scheduler::job::{Job, Pending};

    struct Nothing;

    impl RowSource for Nothing {
        fn fill(&self, _: usize, _: &mut [f32]) -> Result<(), String> {
            Ok(())
        }
    }

    /// A finished answer, and who waits for it.
    fn letter(value: f32) -> (Reply, Pending) {
        let one = PerRole { standard: 0, robust: 1 };
        let (job, pending) = Job::new(Box::new(Nothing), one, one, Instant::now(), None);
        let now = Instant::now();
        (job.deliver(Role::Robust, 0..1, &[value], now..now).unwrap(), pending)
    }

    #[tokio::test]
    async fn every_letter_arrives_however_they_come() {
        let post = Post::start(&Handle::current());
        for round in 0..20u8 {
            let (mut replies, waiting): (Vec<_>, Vec<_>) = (0..round).map(|value| letter(f32::from(value))).unzip();
            post.send(&mut replies);
            for (value, pending) in (0..round).zip(waiting) {
                assert_eq!(pending.await.unwrap().rows.robust, [f32::from(value)]);
            }
        }
    }

    #[tokio::test]
    async fn what_is_in_the_waitingat_the_end_is_delivered() {
        let post = Post::start(&Handle::current());
        let (reply, pending) = letter(1.0);
        post.send(&mut vec![reply]);
        drop(post);
        assert_eq!(pending.await.unwrap().rows.robust, [1.0]);
    }
}
