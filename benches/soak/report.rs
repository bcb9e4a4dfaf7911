//! The data of a report, kept as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::honest_results::HonestTotals;
use crate::interference::Interference;
use crate::provenance::Provenance;

/// A run and its samples.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SoakData {
    pub report: SoakReport,
    pub samples: Vec<Sample>,
}

/// The run as a whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SoakReport {
    pub provenance: Provenance,
    pub interference: Interference,
    pub minutes: f64,
    /// Completed cycles.
    pub cycles: u32,
    pub seed: u64,
    pub findings: Vec<Finding>,
    pub honest: HonestTotals,
    pub attacks: Vec<AttackSummary>,
    pub operations: OperationSummary,
    pub probes: ProbeSummary,
    pub server: ServerTotals,
    /// Why the run ended before its time.
    pub ended_early: Option<String>,
}

/// The state of the server at one moment, and the answers since the moment before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds since the start.
    pub at: f64,
    /// Counted from 1. 0 is the quiet phase before the first attack.
    pub cycle: u32,
    /// Whether the sample is compared between cycles: no attack ran for a while before it.
    pub quiet: bool,
    pub resident_mib: f64,
    pub threads: u32,
    pub descriptors: u32,
    /// Of the answered Predicts; 0 if none was answered.
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub answered: u64,
    pub refused: u64,
    pub failed: u64,
    /// The slowest probe.
    pub probe_ms: f64,
    /// Open connections and waiting rows, as the server counts them.
    pub connections: f64,
    pub queue_rows: f64,
}

/// One rule of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub rule: String,
    pub bound: String,
    pub measured: String,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Kept,
    Broken,
    /// The run was too short.
    NotJudged,
}

impl Verdict {
    pub fn of(kept: bool) -> Self {
        if kept { Self::Kept } else { Self::Broken }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Broken => "BROKEN",
            Self::NotJudged => "not judged",
        }
    }
}

/// An attack in the whole run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttackSummary {
    pub name: String,
    pub runs: u64,
    pub connections: u64,
    pub sent: u64,
    /// How often the server ended a connection or accepted none.
    pub refused: u64,
}

/// The changes of the operator, by their kind.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OperationSummary {
    pub changes: BTreeMap<String, ChangeCounts>,
}

/// The changes of one kind.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct ChangeCounts {
    pub seen: u64,
    /// Changes that were not seen in time.
    pub missed: u64,
    /// The longest time until a change was seen.
    pub slowest_s: f64,
}

impl OperationSummary {
    /// Counts a change that was seen after `seconds`, or not at all.
    pub fn record(&mut self, change: &str, seconds: Option<f64>) {
        let counts = self.changes.entry(change.to_owned()).or_default();
        match seconds {
            Some(seconds) => {
                counts.seen += 1;
                if seconds > counts.slowest_s {
                    counts.slowest_s = (seconds * 100.0).round() / 100.0;
                }
            }
            None => counts.missed += 1,
        }
    }
}

/// GETs of `/livez` and `/readyz`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct ProbeSummary {
    pub probes: u64,
    /// Probes without status 200 within a second.
    pub failed: u64,
    pub slowest_ms: f64,
}

/// The server's own counters at the end.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct ServerTotals {
    /// Calls that ended as an error of the server.
    pub failed_calls: f64,
    pub reloads_applied: f64,
    pub reloads_rejected: f64,
    pub connections_refused: f64,
    pub connections_cut: f64,
    pub peak_resident_mib: f64,
}
