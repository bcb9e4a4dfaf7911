//! An executor: an OS thread that owns a session of each model, runs what is most urgent, and mends what breaks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::audit::{Audit, Audited};
use super::batch::{Outcome, Scratch, run};
use super::condition::Repair;
use super::flaw_log::FlawLog;
use super::observer::ModelObserver;
use super::post::Post;
use super::queue::Taker;
use super::shared::{Done, Next, Shared, Work};
use crate::domain::{PerRole, Role, RowFlaws};
use crate::onnx::Backend;

/// Batches of one model in a row, at most, while equally urgent rows of the other wait. A processor that changes models for each
/// row fetches the weights of both anew each time; one that never changes would starve one of them.
const LONGEST_STREAK: u32 = 4;

pub(super) struct Executor<B> {
    shared: Arc<Shared>,
    post: Arc<Post>,
    observer: Arc<dyn ModelObserver>,
    backends: PerRole<B>,
    /// Of the models whose backend is broken.
    repairs: PerRole<Option<Repair>>,
    /// The model that it ran last, and how many batches of it in a row.
    streak: Option<(Role, u32)>,
    scratch: Scratch,
    audits: PerRole<Audit>,
    flaw_logs: PerRole<FlawLog>,
}

impl<B: Backend> Executor<B> {
    pub(super) fn new(
        shared: Arc<Shared>,
        post: Arc<Post>,
        observer: Arc<dyn ModelObserver>,
        backends: PerRole<B>,
    ) -> Self {
        Self {
            shared,
            post,
            observer,
            backends,
            repairs: PerRole::default(),
            streak: None,
            scratch: Scratch::default(),
            audits: PerRole::default(),
            flaw_logs: PerRole::default(),
        }
    }

    /// Works until the scheduler stops.
    pub(super) fn work(mut self) {
        loop {
            match self.shared.next(self.taker(), self.next_repair()) {
                Next::Run(work) => self.run_on(work),
                Next::Due => self.try_repairs(),
                Next::Stop => return,
            }
        }
    }

    /// When a broken session is to be tried again.
    fn next_repair(&self) -> Option<Instant> {
        Role::ALL
            .into_iter()
            .filter_map(|role| Some(self.repairs[role]?.retry_at))
            .min()
    }

    fn taker(&self) -> Taker {
        Taker {
            able: PerRole::of(|role| self.repairs[role].is_none()),
            prefers: self
                .streak
                .filter(|(_, batches)| *batches < LONGEST_STREAK)
                .map(|(role, _)| role),
            idle_others: 0,
        }
    }

    /// Runs `work`, and what is there after it, until nothing is.
    fn run_on(&mut self, work: Work) {
        let mut next = Some(work);
        while let Some(work) = next {
            next = self.run(&work);
        }
    }

    /// Runs `work`; returns what to run after it, if that is known.
    fn run(&mut self, work: &Work) -> Option<Work> {
        let (role, start) = (work.role, Instant::now());
        self.streak = match self.streak {
            Some((before, batches)) if before == role && batches < LONGEST_STREAK => Some((role, batches + 1)),
            _ => Some((role, 1)),
        };
        let outcome = run(&mut self.backends[role], work, start, &mut self.scratch);
        let done = Done {
            work,
            elapsed: (outcome == Outcome::Ran).then(|| start.elapsed()),
        };
        // Before anyone is answered: whoever has an answer finds its batch counted.
        match (outcome, done.elapsed) {
            (Outcome::Failed, _) => self.observer.batch_failed(role),
            (_, Some(elapsed)) => self.observer.ran(role, work.rows(), elapsed),
            _ => {}
        }
        if !self.scratch.flaws.is_empty() {
            self.report_flaws(role);
        }
        let audit = outcome == Outcome::Ran && self.audits[role].is_due();
        // A model that has failed is looked at before it runs again, and a repair that is due does not wait for a quiet hour.
        let repair = self.next_repair().is_some_and(|due| due <= Instant::now());
        let taker = (outcome != Outcome::Failed && !repair && !audit).then(|| self.taker());
        let next = self.shared.done(&done, taker);
        // Only now: whoever is answered comes back at once, and would find the lock taken.
        self.post.send(&mut self.scratch.replies);
        if outcome == Outcome::Failed {
            self.examine(role);
        }
        // Nobody waits for it: the batch is answered, and the rows that come next went to another executor.
        if audit {
            self.audit(role);
        }
        next
    }

    /// Runs rows of the last batch again, alone; certificates end with the first that differs.
    fn audit(&mut self, role: Role) {
        let Some((input, output)) = self.scratch.last_run() else {
            return;
        };
        let model = role.name();
        match self.audits[role].run(&mut self.backends[role], input, output) {
            Audited::Same => self.observer.rows_audited(role, true),
            Audited::Different(what) => {
                self.observer.rows_audited(role, false);
                tracing::error!(
                    model,
                    what,
                    "THE MODEL IS NO FUNCTION OF ITS INPUT, as the audit found: certificates are in doubt"
                );
                self.shared.refute(format!("the {model} model: {what}"));
            }
            Audited::Failed => tracing::warn!(model, "the audit could not run a row again"),
        }
    }

    fn report_flaws(&mut self, role: Role) {
        let flaws = self.scratch.flaws;
        self.observer.rows_flawed(role, flaws);
        if let Some(RowFlaws {
            not_finite,
            not_probabilities,
        }) = self.flaw_logs[role].add(flaws, Instant::now())
        {
            let model = role.name();
            tracing::warn!(
                model,
                not_finite,
                not_probabilities,
                "rows of the model are NaN or infinite, or no probabilities: they certify nothing"
            );
        }
    }

    /// Finds out whether it was the input or the session.
    fn examine(&mut self, role: Role) {
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
        self.observer.session_failed(role);
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
                    // It counted as a failure when it was lost: another one of the same session says nothing about the others.
                    self.repairs[role] = Some(repair.again(Instant::now()));
                }
            }
        }
    }

    fn reopen(&mut self, role: Role) -> Result<(), String> {
        let opened = catch_unwind(AssertUnwindSafe(|| self.backends[role].reopen()));
        match opened {
            Ok(Ok(backend)) => {
                self.backends[role] = backend;
                self.observer.session_repaired(role);
                Ok(())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it panicked".to_owned()),
        }
    }
}
