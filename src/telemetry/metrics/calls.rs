//! Calls: how many, how they ended, how long they took and where.

use std::time::Duration;

use prometheus::{Error, Histogram, IntCounter};

use super::buckets;
use super::grid::Grid;
use super::maker::Maker;
use crate::domain::Role;
use crate::telemetry::call::{CallRecord, Code, Outcome, RefusalReason, Rpc};

type Counters = Grid<IntCounter>;
type Histograms = Grid<Histogram>;

/// The stages of a request, as the label has them.
const STAGES: [&str; 5] = ["queue", "standard", "robust", "mixing", "rest"];

pub(super) struct CallMetrics {
    requests: Counters,
    durations: Histograms,
    stages: Histograms,
    inputs: Counters,
    refusals: Counters,
    deadline_misses: Counters,
}

impl CallMetrics {
    pub(super) fn new(maker: &Maker) -> Result<Self, Error> {
        let rpcs = Rpc::ALL.len();
        let metrics = Self {
            requests: Grid::new(
                maker.counters(
                    "certimix_requests_total",
                    "Calls that have ended, each once, by RPC, outcome and gRPC code; each request of a PredictStream is one.",
                    &["rpc", "outcome", "code"],
                )?,
                rpcs * Code::COUNT,
            ),
            durations: Grid::new(
                maker.histograms(
                    "certimix_request_duration_seconds",
                    "From the headers of a call, or a message of a PredictStream, until its answer was ready, by RPC and outcome.",
                    buckets::LATENCY,
                    &["rpc", "outcome"],
                )?,
                rpcs * Outcome::ALL.len(),
            ),
            stages: Grid::new(
                maker.histograms(
                    "certimix_request_stage_duration_seconds",
                    "Where the time of answered calls went: queue + the model that was done last + mixing + rest is the whole.",
                    buckets::STAGE,
                    &["rpc", "stage"],
                )?,
                rpcs * STAGES.len(),
            ),
            inputs: Grid::new(
                maker.counters("certimix_inputs_total", "Inputs that the models were asked about, by RPC.", &["rpc"])?,
                rpcs,
            ),
            refusals: Grid::new(
                maker.counters(
                    "certimix_refusals_total",
                    "Requests that were not let in, by RPC and reason.",
                    &["rpc", "reason"],
                )?,
                rpcs * RefusalReason::ALL.len(),
            ),
            deadline_misses: Grid::new(
                maker.counters(
                    "certimix_deadline_misses_total",
                    "Requests that were let in and not answered by their deadline, by RPC.",
                    &["rpc"],
                )?,
                rpcs,
            ),
        };
        metrics.begin_at_zero();
        Ok(metrics)
    }

    /// What is likely to come is exported before it comes: a counter that appears at 1 has no rate.
    fn begin_at_zero(&self) {
        for rpc in Rpc::ALL.into_iter().filter(|&rpc| rpc != Rpc::Other) {
            self.request(rpc, Code::OK);
            self.duration(rpc, Outcome::Ok);
            if rpc == Rpc::GetModelInfo {
                continue;
            }
            for code in [1, 3, 4, 8, 13, 14] {
                self.request(rpc, Code::from_number(code));
            }
            for stage in 0..STAGES.len() {
                self.stage(rpc, stage);
            }
            self.inputs.cell(rpc.index(), [rpc.name()]);
            self.deadline_misses.cell(rpc.index(), [rpc.name()]);
            for reason in RefusalReason::ALL {
                self.refusal(rpc, reason);
            }
        }
    }

    fn request(&self, rpc: Rpc, code: Code) -> Option<&IntCounter> {
        let values = [rpc.name(), Outcome::of(code).name(), code.name()];
        self.requests.cell(rpc.index() * Code::COUNT + code.number(), values)
    }

    fn duration(&self, rpc: Rpc, outcome: Outcome) -> Option<&Histogram> {
        let index = rpc.index() * Outcome::ALL.len() + outcome as usize;
        self.durations.cell(index, [rpc.name(), outcome.name()])
    }

    fn stage(&self, rpc: Rpc, stage: usize) -> Option<&Histogram> {
        let name = STAGES.get(stage)?;
        self.stages.cell(rpc.index() * STAGES.len() + stage, [rpc.name(), name])
    }

    fn refusal(&self, rpc: Rpc, reason: RefusalReason) -> Option<&IntCounter> {
        let index = rpc.index() * RefusalReason::ALL.len() + reason as usize;
        self.refusals.cell(index, [rpc.name(), reason.name()])
    }

    pub(super) fn finished(&self, call: &CallRecord) {
        let (rpc, outcome) = (call.rpc, call.outcome());
        count(self.request(rpc, call.code), 1);
        // Nobody knows when those began.
        if rpc != Rpc::Other {
            observe(self.duration(rpc, outcome), call.total);
        }
        if call.inputs > 0 {
            let inputs = u64::try_from(call.inputs).unwrap_or(u64::MAX);
            count(self.inputs.cell(rpc.index(), [rpc.name()]), inputs);
        }
        match call.refusal {
            Some(reason) => count(self.refusal(rpc, reason), 1),
            None if outcome == Outcome::Deadline => {
                count(self.deadline_misses.cell(rpc.index(), [rpc.name()]), 1);
            }
            None => {}
        }
        // A call that was answered in no time by no model, GetModelInfo, has no stages.
        if outcome == Outcome::Ok && call.inputs > 0 {
            self.split(call);
        }
    }

    fn split(&self, call: &CallRecord) {
        let (rpc, timings) = (call.rpc, &call.timings);
        let parts = [
            timings.queue(),
            timings.run(Role::Standard),
            timings.run(Role::Robust),
            timings.mixing,
        ];
        for (stage, part) in parts.into_iter().enumerate() {
            observe(self.stage(rpc, stage), part.map_or(Duration::ZERO, |part| part.took));
        }
        observe(self.stage(rpc, parts.len()), timings.rest(call.total));
    }
}

fn count(cell: Option<&IntCounter>, more: u64) {
    if let Some(cell) = cell {
        cell.inc_by(more);
    }
}

fn observe(cell: Option<&Histogram>, took: Duration) {
    if let Some(cell) = cell {
        cell.observe(took.as_secs_f64());
    }
}
