//! An executor: an OS thread that owns a session of each model, runs the rows that are next, and reopens
//! broken sessions.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::ClockId;

use super::batch_run::{BatchBuffers, BatchOutcome, run_batch};
use super::model_health::RepairBackoff;
use super::model_observer::ModelObserver;
use super::pause_meter::PauseMeter;
use super::processor_time::processor_time;
use super::queue::ExecutorState;
use super::reply_dispatcher::ReplyDispatcher;
use super::row_audit::{AuditResult, RowAudit};
use super::row_flaw_log::RowFlawLog;
use super::row_time::BatchTime;
use super::shared_state::{FinishedBatch, NextStep, SharedState, Work};
use crate::domain::{OutputRowFlaws, PerRole, Role};
use crate::onnx::{Backend, Cancellation};

/// The largest number of consecutive batches of one model while equally urgent rows of the other model
/// wait. A processor that alternates between models fetches their weights again each time; one that
/// never alternates starves one model.
const MAX_STREAK: u32 = 4;

/// The state of one executor thread.
pub(super) struct Executor<B> {
    shared: Arc<SharedState>,
    dispatcher: Arc<ReplyDispatcher>,
    observer: Arc<dyn ModelObserver>,
    backends: PerRole<B>,
    /// The retry schedules of the broken sessions.
    repairs: PerRole<Option<RepairBackoff>>,
    /// The model of the last batch, and the number of its consecutive batches.
    streak: Option<(Role, u32)>,
    buffers: BatchBuffers,
    audits: PerRole<RowAudit>,
    flaw_logs: PerRole<RowFlawLog>,
    pauses: PauseMeter,
}

impl<B: Backend> Executor<B> {
    pub(super) fn new(
        shared: Arc<SharedState>,
        dispatcher: Arc<ReplyDispatcher>,
        observer: Arc<dyn ModelObserver>,
        backends: PerRole<B>,
    ) -> Self {
        Self {
            shared,
            dispatcher,
            observer,
            backends,
            repairs: PerRole::default(),
            streak: None,
            buffers: BatchBuffers::default(),
            audits: PerRole::default(),
            flaw_logs: PerRole::default(),
            pauses: PauseMeter::default(),
        }
    }

    /// Runs batches until the scheduler stops.
    pub(super) fn run(mut self) {
        loop {
            match self.shared.next(self.state(), self.next_retry()) {
                NextStep::Run(work) => self.drain_from(work),
                NextStep::Measure(role) => self.measure(role),
                NextStep::Due => self.retry_broken_sessions(),
                NextStep::Stop => return,
            }
        }
    }

    /// The time of the next retry of a broken session.
    fn next_retry(&self) -> Option<Instant> {
        Role::ALL
            .into_iter()
            .filter_map(|role| Some(self.repairs[role]?.retry_at))
            .min()
    }

    fn state(&self) -> ExecutorState {
        ExecutorState {
            able: PerRole::of(|role| self.repairs[role].is_none()),
            prefers: self
                .streak
                .filter(|(_, batches)| *batches < MAX_STREAK)
                .map(|(role, _)| role),
            idle_others: 0,
        }
    }

    /// Runs `work` and then further batches until none waits.
    fn drain_from(&mut self, work: Work) {
        let mut next = Some(work);
        while let Some(work) = next {
            next = self.run_batch(&work);
        }
    }

    /// Runs `work`. Returns the next batch if there is one.
    fn run_batch(&mut self, work: &Work) -> Option<Work> {
        let (role, start) = (work.role, Instant::now());
        self.streak = match self.streak {
            Some((before, batches)) if before == role && batches < MAX_STREAK => Some((role, batches + 1)),
            _ => Some((role, 1)),
        };
        let outcome = run_batch(&mut self.backends[role], work, start, &mut self.buffers);
        let done = FinishedBatch {
            work,
            time: (outcome == BatchOutcome::Ran).then(|| self.time_since(role, start)),
        };
        // The batch is counted before its callers are answered, so they find it in the metrics.
        match (outcome, done.time) {
            (BatchOutcome::Failed, _) => self.observer.batch_failed(role),
            (_, Some(time)) => {
                self.observer.ran(role, work.rows(), time.elapsed);
                for slice in &work.slices {
                    self.observer.ran_for(&slice.job.caller_name, role, slice.rows.len());
                }
            }
            _ => {}
        }
        if !self.buffers.flaws.is_empty() {
            self.report_flaws(role);
        }
        let audit = outcome == BatchOutcome::Ran && self.audits[role].is_due();
        // A model that failed is probed before it runs again. A due retry does not wait for an idle moment.
        let retry_due = self.next_retry().is_some_and(|due| due <= Instant::now());
        let executor = (outcome != BatchOutcome::Failed && !retry_due && !audit).then(|| self.state());
        let next = self.shared.done(&done, executor);
        // The lock is free by now: a caller that is answered submits its next rows at once.
        self.dispatcher.dispatch(&mut self.buffers.replies);
        if outcome == BatchOutcome::Failed {
            self.probe(role);
        }
        // The audit delays nobody: the batch is answered, and another executor takes the next rows.
        if audit {
            self.audit(role);
        }
        next
    }

    /// The time of a batch of `role` that began at `start` and ends now.
    fn time_since(&mut self, role: Role, start: Instant) -> BatchTime {
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(start);
        let paused = if self.backends[role].runs_on_calling_thread() {
            self.pauses
                .pause(now, elapsed, || processor_time(ClockId::ThreadCPUTime))
        } else {
            Duration::ZERO
        };
        BatchTime { elapsed, paused }
    }

    /// Measures the time of a full batch. Its rows are zeros, because no caller waits for them.
    fn measure(&mut self, role: Role) {
        let backend = &mut self.backends[role];
        let rows = backend.max_batch_size();
        let (input, mut output) = (vec![0.0; rows * backend.input_len()], Vec::new());
        let start = Instant::now();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            backend.run(rows, &input, &mut output, &Cancellation::new(1))
        }));
        let time = self.time_since(role, start);
        let (model, elapsed) = (role.name(), time.elapsed);
        match ran {
            Ok(Ok(())) => {
                tracing::info!(model, rows, ?elapsed, "time per row measured again after a refusal");
                self.shared.measured(role, rows, time);
            }
            Ok(Err(error)) => tracing::warn!(model, %error, "cannot measure the time per row"),
            Err(_) => tracing::warn!(model, "cannot measure the time per row: the backend panicked"),
        }
    }

    /// Audits rows of the last batch. The first difference ends all certificates.
    fn audit(&mut self, role: Role) {
        let Some((input, output)) = self.buffers.last_run() else {
            return;
        };
        let model = role.name();
        match self.audits[role].run(&mut self.backends[role], input, output) {
            AuditResult::Same => self.observer.rows_audited(role, true),
            AuditResult::Different(difference) => {
                self.observer.rows_audited(role, false);
                tracing::error!(
                    model,
                    difference,
                    "audit: the model is not a function of its input; certificates are in doubt"
                );
                self.shared
                    .report_audit_difference(format!("the {model} model: {difference}"));
            }
            AuditResult::Failed => tracing::warn!(model, "audit: cannot run a row again"),
        }
    }

    fn report_flaws(&mut self, role: Role) {
        let flaws = self.buffers.flaws;
        self.observer.rows_flawed(role, flaws);
        if let Some(OutputRowFlaws {
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

    /// Finds out whether the input or the session caused a failure.
    fn probe(&mut self, role: Role) {
        let probed = catch_unwind(AssertUnwindSafe(|| self.backends[role].probe()));
        match probed {
            Ok(Ok(())) => tracing::warn!(model = role.name(), "the model fails on an input but works on others"),
            Ok(Err(error)) => self.repair(role, &error.to_string()),
            Err(_) => self.repair(role, "the backend panicked"),
        }
    }

    /// Reopens a broken session, or continues without it if that fails.
    fn repair(&mut self, role: Role, reason: &str) {
        tracing::error!(model = role.name(), reason, "session broken; reopening it");
        self.shared.failed(role);
        self.observer.session_failed(role);
        if let Err(reason) = self.reopen(role) {
            tracing::error!(model = role.name(), reason, "cannot reopen the session; retrying later");
            self.repairs[role] = Some(RepairBackoff::new(Instant::now()));
            self.shared.lost(role);
        }
    }

    fn retry_broken_sessions(&mut self) {
        let now = Instant::now();
        for role in Role::ALL {
            let Some(backoff) = self.repairs[role].filter(|backoff| backoff.retry_at <= now) else {
                continue;
            };
            match self.reopen(role) {
                Ok(()) => {
                    tracing::info!(model = role.name(), "session reopened");
                    self.repairs[role] = None;
                    self.shared.repaired(role);
                }
                Err(reason) => {
                    tracing::error!(model = role.name(), reason, "cannot reopen the session; retrying later");
                    // The session failure is counted already. A failed retry does not count again.
                    self.repairs[role] = Some(backoff.again(Instant::now()));
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
            Err(_) => Err("the backend panicked".to_owned()),
        }
    }
}
