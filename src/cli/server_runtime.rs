//! The runtime of the server, with all its threads from the start.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::runtime::{Builder, Runtime};

/// How many tasks a thread polls before it looks for new events. A caller whose bytes have come, or
/// whose models have answered, waits for so many tasks of other callers at most.
const TASKS_BETWEEN_EVENTS: u32 = 7;

/// The threads for blocking work: the detection of a change, the reload of credentials, the watch of
/// folders, two engines that drain, the lookup of a name, a compressed message, and two to spare.
const BLOCKING_THREADS: usize = 9;

/// How long the operating system may take to start all threads for blocking work.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// A runtime with `threads` threads for connections.
///
/// All threads for blocking work start here and last: tokio panics if blocking work finds no thread
/// and none can be started, and the number of threads stays the same.
///
/// # Errors
/// The operating system does not start a thread.
pub(super) fn server_runtime(threads: usize) -> anyhow::Result<Runtime> {
    // A single thread is the current one: a multi-threaded runtime with one worker would pass all
    // work between two threads.
    let mut builder = match threads {
        1 => {
            let mut builder = Builder::new_current_thread();
            builder.global_queue_interval(TASKS_BETWEEN_EVENTS);
            builder
        }
        threads => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(threads);
            builder
        }
    };
    let runtime = builder
        .enable_all()
        .event_interval(TASKS_BETWEEN_EVENTS)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(Duration::MAX)
        .build()
        .context("server.threads: cannot start the server's threads")?;
    start_blocking_threads(&runtime)?;
    Ok(runtime)
}

/// Keeps each thread for blocking work busy until all have started.
fn start_blocking_threads(runtime: &Runtime) -> anyhow::Result<()> {
    let started = Arc::new((Mutex::new(0), Condvar::new()));
    let tasks = [(); BLOCKING_THREADS].map(|()| {
        let started = Arc::clone(&started);
        runtime.spawn_blocking(move || {
            let (count, changed) = &*started;
            let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
            *count += 1;
            changed.notify_all();
            let waited = changed.wait_timeout_while(count, START_TIMEOUT, |count| *count < BLOCKING_THREADS);
            !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
        })
    });
    for task in tasks {
        let have_all_started = runtime.block_on(task).context("cannot start a thread")?;
        if !have_all_started {
            return Err(anyhow!(
                "the operating system starts fewer than {BLOCKING_THREADS} threads for files"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;
    use std::thread::{self, ThreadId};

    use super::*;

    /// The threads that run `COUNT` pieces of blocking work.
    fn threads_of<const COUNT: usize>(
        runtime: &Runtime,
        work: impl Fn() + Clone + Send + 'static,
    ) -> HashSet<ThreadId> {
        let tasks = [(); COUNT].map(|()| {
            let work = work.clone();
            runtime.spawn_blocking(move || {
                work();
                thread::current().id()
            })
        });
        tasks.into_iter().map(|task| runtime.block_on(task).unwrap()).collect()
    }

    #[test]
    fn the_number_of_threads_is_fixed() {
        for threads in [1, 2] {
            let runtime = server_runtime(threads).unwrap();
            let barrier = Arc::new(Barrier::new(BLOCKING_THREADS));
            let all = threads_of::<BLOCKING_THREADS>(&runtime, move || {
                barrier.wait();
            });
            assert_eq!(all.len(), BLOCKING_THREADS);
            let busy = || thread::sleep(Duration::from_millis(1));
            let later = threads_of::<{ 10 * BLOCKING_THREADS }>(&runtime, busy);
            assert!(later.is_subset(&all), "{later:?} {all:?}");
        }
    }
}
