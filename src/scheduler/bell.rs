//! Who is woken when there is work: counters that live under the scheduler's lock, without threads.
//!
//! At most one executor is on its way at a time, and wakes the next one itself if it leaves enough work. Waking is dear (a
//! system call, and a thread that may find nothing), and a crowd of callers would otherwise ring for each of their rows.

/// Executors that sleep, and those on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Bell {
    /// Executors that sleep or have been woken and have not looked yet.
    asleep: usize,
    /// Those that were rung for and have not looked yet: none or one.
    on_the_way: usize,
}

impl Bell {
    /// An executor found nothing and goes to sleep.
    pub(super) fn sleeps(&mut self) {
        self.asleep += 1;
    }

    /// An executor is awake and looks at all that waits. Whoever looks first counts as the one that was rung for, even if it
    /// woke by itself.
    pub(super) fn looks(&mut self) {
        self.asleep = self.asleep.saturating_sub(1);
        self.on_the_way = 0;
    }

    /// Executors that sleep.
    pub(super) fn asleep(&self) -> usize {
        self.asleep
    }

    /// There is work; whether to wake a sleeper. The caller then does.
    pub(super) fn rings(&mut self) -> bool {
        let ring = self.asleep > 0 && self.on_the_way == 0;
        if ring {
            self.on_the_way = 1;
        }
        ring
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// What an executor is about to do.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    enum Executor {
        /// Take the lock and look.
        Looks,
        /// The same, after it was woken.
        Wakes,
        /// Nothing, until it is woken.
        Sleeps,
        /// Run a batch, without the lock.
        Runs,
    }

    /// The whole system between two steps that hold the lock.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    struct World {
        bell: Bell,
        executors: Vec<Executor>,
        rows: usize,
        to_come: usize,
    }

    impl World {
        /// Every state that one step of one thread can lead to.
        fn next(&self) -> Vec<Self> {
            let mut worlds = Vec::new();
            if self.to_come > 0 {
                let mut pushed = self.clone();
                pushed.to_come -= 1;
                pushed.rows += 1;
                worlds.extend(pushed.ring());
            }
            for (index, executor) in self.executors.iter().enumerate() {
                match executor {
                    Executor::Looks => worlds.extend(self.look(index, false)),
                    Executor::Wakes => worlds.extend(self.look(index, true)),
                    Executor::Runs => {
                        let mut done = self.clone();
                        done.executors[index] = Executor::Looks;
                        worlds.push(done);
                    }
                    // A sleeper may wake without having been woken.
                    Executor::Sleeps => worlds.extend(self.look(index, true)),
                }
            }
            worlds
        }

        fn look(&self, index: usize, slept: bool) -> Vec<Self> {
            let mut world = self.clone();
            if slept {
                world.bell.looks();
            }
            if world.rows == 0 {
                world.bell.sleeps();
                world.executors[index] = Executor::Sleeps;
                return vec![world];
            }
            world.rows -= 1;
            world.executors[index] = Executor::Runs;
            if world.rows > 0 { world.ring() } else { vec![world] }
        }

        /// The system wakes any one of the sleepers; none, if all are awake by now.
        fn ring(mut self) -> Vec<Self> {
            if !self.bell.rings() {
                return vec![self];
            }
            let sleepers: Vec<usize> = (0..self.executors.len())
                .filter(|&index| self.executors[index] == Executor::Sleeps)
                .collect();
            let wake = |&index: &usize| {
                let mut world = self.clone();
                world.executors[index] = Executor::Wakes;
                world
            };
            if sleepers.is_empty() {
                vec![self.clone()]
            } else {
                sleepers.iter().map(wake).collect()
            }
        }
    }

    /// Every interleaving of up to three executors and five rows: rows never wait while every executor sleeps.
    #[test]
    fn no_row_is_left_to_sleepers() {
        for executors in 1..=3 {
            let start = World {
                bell: Bell::default(),
                executors: vec![Executor::Looks; executors],
                rows: 0,
                to_come: 5,
            };
            let (mut seen, mut open) = (HashSet::from([start.clone()]), vec![start]);
            while let Some(world) = open.pop() {
                let all_sleep = world.executors.iter().all(|executor| *executor == Executor::Sleeps);
                assert!(!(all_sleep && world.rows > 0), "{world:?}");
                // While one runs, what it left is seen to by another that is awake or on its way, so none idles for long.
                let someone_comes = world
                    .executors
                    .iter()
                    .any(|e| matches!(e, Executor::Wakes | Executor::Looks));
                let someone_sleeps = world.executors.contains(&Executor::Sleeps);
                assert!(world.rows == 0 || !someone_sleeps || someone_comes, "{world:?}");
                open.extend(world.next().into_iter().filter(|next| seen.insert(next.clone())));
            }
            assert!(seen.len() > 50, "{}", seen.len());
        }
    }
}
