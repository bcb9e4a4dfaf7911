//! An executor: an OS thread that owns a session of each model, runs what is most urgent, and mends what breaks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::batch::{Outcome, run};
use super::condition::Repair;
use super::queue::Taker;
use super::shared::{Next, Shared, Work};
use crate::domain::{PerRole, Role};
use crate::onnx::Backend;

/// Batches of one model in a row, at most, while equally urgent rows of the other wait. A processor that changes models for each
/// row fetches the weights of both anew each time; one that never changes would starve one of them.
const LONGEST_STREAK: u32 = 4;

pub(super) struct Executor<B> {
    shared: Arc<Shared>,
    backends: PerRole<B>,
    /// Of the models whose backend is broken.
    repairs: PerRole<Option<Repair>>,
    /// The model that it ran last, and how many batches of it in a row.
    streak: Option<(Role, u32)>,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl<B: Backend> Executor<B> {
    pub(super) fn new(shared: Arc<Shared>, backends: PerRole<B>) -> Self {
        Self {
            shared,
            backends,
            repairs: PerRole::default(),
            streak: None,
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Works until the scheduler stops.
    pub(super) fn work(mut self) {
        loop {
            let taker = Taker {
                able: PerRole::of(|role| self.repairs[role].is_none()),
                prefers: self
                    .streak
                    .filter(|(_, batches)| *batches < LONGEST_STREAK)
                    .map(|(role, _)| role),
            };
            let due = Role::ALL
                .into_iter()
                .filter_map(|role| Some(self.repairs[role]?.retry_at))
                .min();
            match self.shared.next(taker, due) {
                Next::Run(work) => self.run(&work),
                Next::Due => self.try_repairs(),
                Next::Stop => return,
            }
        }
    }

    fn run(&mut self, work: &Work) {
        let (role, start) = (work.role, Instant::now());
        self.streak = match self.streak {
            Some((before, batches)) if before == role && batches < LONGEST_STREAK => Some((role, batches + 1)),
            _ => Some((role, 1)),
        };
        let backend = &mut self.backends[role];
        let outcome = run(backend, work, &mut self.input, &mut self.output);
        // Rows of callers who left and rows that failed count as done: nobody waits for them.
        let done: Vec<_> = work
            .slices
            .iter()
            .map(|slice| (slice.request, slice.rows.len()))
            .collect();
        let ran = (outcome == Outcome::Ran).then(|| start.elapsed());
        self.shared.done(role, &done, ran);
        if outcome != Outcome::Failed {
            return;
        }
        let probed = catch_unwind(AssertUnwindSafe(|| self.backends[role].probe()));
        match probed {
            Ok(Ok(())) => tracing::warn!(model = role.name(), "the model fails on an input, and works on others"),
            Ok(Err(error)) => self.mend(role, &error.to_string()),
            Err(_) => self.mend(role, "it panicked"),
        }
    }

    /// Opens a broken session anew; goes on without it if that fails.
    fn mend(&mut self, role: Role, reason: &str) {
        tracing::error!(model = role.name(), reason, "a session is broken; it is opened anew");
        self.shared.failed(role);
        if let Err(reason) = self.reopen(role) {
            tracing::error!(
                model = role.name(),
                reason,
                "the session cannot be opened anew; it is tried again later"
            );
            self.repairs[role] = Some(Repair::new(Instant::now()));
            self.shared.lost(role);
        }
    }

    fn try_repairs(&mut self) {
        let now = Instant::now();
        for role in Role::ALL {
            let Some(repair) = self.repairs[role].filter(|repair| repair.retry_at <= now) else {
                continue;
            };
            match self.reopen(role) {
                Ok(()) => {
                    tracing::info!(model = role.name(), "the session works again");
                    self.repairs[role] = None;
                    self.shared.repaired(role);
                }
                Err(reason) => {
                    tracing::error!(model = role.name(), reason, "the session still cannot be opened anew");
                    self.repairs[role] = Some(repair.again(Instant::now()));
                    self.shared.failed(role);
                }
            }
        }
    }

    fn reopen(&mut self, role: Role) -> Result<(), String> {
        let opened = catch_unwind(AssertUnwindSafe(|| self.backends[role].reopen()));
        match opened {
            Ok(Ok(backend)) => {
                self.backends[role] = backend;
                Ok(())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it panicked".to_owned()),
        }
    }
}
