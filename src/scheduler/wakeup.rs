//! The decision to wake an executor: counters under the scheduler's lock, without threads.
//!
//! At most one executor is waking at a time. It wakes the next one itself if it leaves enough work.
//! A wake costs a system call and may find no work, and many concurrent callers would otherwise issue
//! one wake for each of their rows.

/// Counts of sleeping and waking executors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Wakeup {
    /// Executors that sleep, or that were woken and have not looked at the queue yet.
    asleep: usize,
    /// Executors that were woken and have not looked at the queue yet: 0 or 1.
    waking: usize,
}

impl Wakeup {
    /// An executor found no work and goes to sleep.
    pub(super) fn sleep(&mut self) {
        self.asleep += 1;
    }

    /// An executor is awake and looks at the queue. The first one counts as the one that was woken,
    /// even if it woke spuriously.
    pub(super) fn awake(&mut self) {
        self.asleep = self.asleep.saturating_sub(1);
        self.waking = 0;
    }

    /// Executors that sleep.
    pub(super) fn asleep(&self) -> usize {
        self.asleep
    }

    /// Whether the caller must wake an executor, now that there is work.
    pub(super) fn should_wake(&mut self) -> bool {
        let wake = self.asleep > 0 && self.waking == 0;
        if wake {
            self.waking = 1;
        }
        wake
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The next step of an executor.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    enum Executor {
        /// Take the lock and look at the queue.
        Looks,
        /// Do so after a wake.
        Wakes,
        /// Wait for a wake.
        Sleeps,
        /// Run a batch without the lock.
        Runs,
    }

    /// The state of the system between two steps that hold the lock.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    struct SystemState {
        wakeup: Wakeup,
        executors: Vec<Executor>,
        rows: usize,
        rows_to_submit: usize,
    }

    impl SystemState {
        /// Every state that one step of one thread can reach.
        fn next(&self) -> Vec<Self> {
            let mut states = Vec::new();
            if self.rows_to_submit > 0 {
                let mut pushed = self.clone();
                pushed.rows_to_submit -= 1;
                pushed.rows += 1;
                states.extend(pushed.wake());
            }
            for (index, executor) in self.executors.iter().enumerate() {
                match executor {
                    Executor::Looks => states.extend(self.look(index, false)),
                    Executor::Wakes => states.extend(self.look(index, true)),
                    Executor::Runs => {
                        let mut done = self.clone();
                        done.executors[index] = Executor::Looks;
                        states.push(done);
                    }
                    // A condition variable may wake spuriously.
                    Executor::Sleeps => states.extend(self.look(index, true)),
                }
            }
            states
        }

        fn look(&self, index: usize, slept: bool) -> Vec<Self> {
            let mut state = self.clone();
            if slept {
                state.wakeup.awake();
            }
            if state.rows == 0 {
                state.wakeup.sleep();
                state.executors[index] = Executor::Sleeps;
                return vec![state];
            }
            state.rows -= 1;
            state.executors[index] = Executor::Runs;
            if state.rows > 0 { state.wake() } else { vec![state] }
        }

        /// Wakes any one of the sleepers, or none if all are awake by now.
        fn wake(mut self) -> Vec<Self> {
            if !self.wakeup.should_wake() {
                return vec![self];
            }
            let sleepers: Vec<usize> = (0..self.executors.len())
                .filter(|&index| self.executors[index] == Executor::Sleeps)
                .collect();
            let wake_one = |&index: &usize| {
                let mut state = self.clone();
                state.executors[index] = Executor::Wakes;
                state
            };
            if sleepers.is_empty() {
                vec![self.clone()]
            } else {
                sleepers.iter().map(wake_one).collect()
            }
        }
    }

    /// Explores every interleaving of up to three executors and five rows.
    #[test]
    fn no_row_waits_while_all_executors_sleep() {
        for executors in 1..=3 {
            let start = SystemState {
                wakeup: Wakeup::default(),
                executors: vec![Executor::Looks; executors],
                rows: 0,
                rows_to_submit: 5,
            };
            let (mut seen, mut unexplored) = (HashSet::from([start.clone()]), vec![start]);
            while let Some(state) = unexplored.pop() {
                let all_sleep = state.executors.iter().all(|executor| *executor == Executor::Sleeps);
                assert!(!(all_sleep && state.rows > 0), "{state:?}");
                // While one executor runs, another that is awake or waking takes the rows that are left.
                let one_is_awake = state
                    .executors
                    .iter()
                    .any(|e| matches!(e, Executor::Wakes | Executor::Looks));
                let one_sleeps = state.executors.contains(&Executor::Sleeps);
                assert!(state.rows == 0 || !one_sleeps || one_is_awake, "{state:?}");
                unexplored.extend(state.next().into_iter().filter(|next| seen.insert(next.clone())));
            }
            assert!(seen.len() > 50, "{}", seen.len());
        }
    }
}
