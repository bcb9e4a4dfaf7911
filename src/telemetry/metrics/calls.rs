//: Calls: their number, outcome, duration and stages.

use std::time::Duration;

use prometheus::{Error, Histogram, IntCounter};

use super::buckets;
use super::label_cells::LabelCells;
use super::registry::MetricRegistry;
use crate::call::{CallRecord, Code, Outcome, RefusalReason, Rpc};
use crate::domain::Role;

type CounterCells = LabelCells<IntCounter>;
type HistogramCells = LabelCells<Histogram>;

/// The label values of the stages of a request.
const STAGES: [&str; 5] = ["queue", "standard", "robust", "mixing", "rest"];

pub(super) struct CallMetrics {
    requests: CounterCells,
    durations: HistogramCells,
    stages: HistogramCells,
    inputs: CounterCells,
    refusals: CounterCells,
    deadline_misses: CounterCells,
}

impl CallMetrics {
    pub(super) fn new(registry: &MetricRegistry) -> Result<Self, Error> {
        let rpcs = Rpc::ALL.len();
        let metrics = Self {
            requests: LabelCells::new(
                registry.counters(
                    "certimix_requests_total",
                    "Ended calls, by RPC, outcome and gRPC code; each request of a PredictStream counts as one.",
                    &["rpc", "outcome", "code"],
                )?,
                rpcs * Outcome::ALL.len() * Code::COUNT,
            ),
            durations: LabelCells::new(
                registry.histograms(
                    "certimix_request_duration_seconds",
                    "Time from the headers of a call, or from a message of a PredictStream, until its response was ready, by RPC and outcome.",
                    buckets::LATENCY,
                    &["rpc", "outcome"],
                )?,
                rpcs * Outcome::ALL.len(),
            ),
            stages: LabelCells::new(
                registry.histograms(
                    "certimix_request_stage_duration_seconds",
                    "Time of answered calls by stage; queue + the slower model + mixing + rest is the whole.",
                    buckets::STAGE,
                    &["rpc", "stage"],
                )?,
                rpcs * STAGES.len(),
            ),
            inputs: LabelCells::new(
                registry.counters("certimix_inputs_total", "Inputs of ended calls, by RPC.", &["rpc"])?,
                rpcs,
            ),
            refusals: LabelCells::new(
                registry.counters(
                    "certimix_refusals_total",
                    "Requests that admission refused, by RPC and reason.",
                    &["rpc", "reason"],
                )?,
                rpcs * RefusalReason::ALL.len(),
            ),
            deadline_misses: LabelCells::new(
                registry.counters(
                    "certimix_deadline_misses_total",
                    "Admitted requests that were not answered by their deadline, by RPC.",
                    &["rpc"],
                )?,
                rpcs,
            ),
        };
        metrics.export_zeros();
        Ok(metrics)
    }

    /// Exports the usual cells at zero: Prometheus computes no rate for a counter that appears at 1.
    fn export_zeros(&self) {
        for rpc in Rpc::ALL.into_iter().filter(|&rpc| rpc != Rpc::Other) {
            self.request(rpc, Outcome::Ok, Code::OK);
            self.duration(rpc, Outcome::Ok);
            if matches!(rpc, Rpc::GetModelInfo | Rpc::OpenInference) {
                continue;
            }
            for code in [1, 3, 4, 8, 13, 14] {
                let code = Code::from_number(code);
                self.request(rpc, Outcome::of(code), code);
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

    fn request(&self, rpc: Rpc, outcome: Outcome, code: Code) -> Option<&IntCounter> {
        let values = [rpc.name(), outcome.name(), code.name()];
        let index = rpc.index() * Outcome::ALL.len() + outcome as usize;
        self.requests.cell(index * Code::COUNT + code.number(), values)
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
        count(self.request(rpc, outcome, call.code), 1);
        // The start of such a call is unknown.
        if rpc != Rpc::Other {
            observe(self.duration(rpc, outcome), call.total);
        }
        if call.inputs > 0 {
            let inputs = u64::try_from(call.inputs).unwrap_or(u64::MAX);
            count(self.inputs.cell(rpc.index(), [rpc.name()]), inputs);
        }
        match call.refusal {
            Some(reason) => count(self.refusal(rpc, reason), 1),
            // Without inputs the request was never admitted: it did not arrive in time.
            None if outcome == Outcome::Deadline && call.inputs > 0 => {
                count(self.deadline_misses.cell(rpc.index(), [rpc.name()]), 1);
            }
            None => {}
        }
        // A call that runs no model, such as GetModelInfo, has no stages.
        if outcome == Outcome::Ok && call.inputs > 0 {
            self.observe_stages(call);
        }
    }

    fn observe_stages(&self, call: &CallRecord) {
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
