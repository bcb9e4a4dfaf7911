//! The answers to the honest callers: since the last sample, and in the whole run.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use certimix::rpc::proto::{CertificateStatus, Prediction};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Different failures that are kept; a broken server would fill the memory otherwise.
const MAX_FAILURES: usize = 100;
/// The bounds of the histograms in nanoseconds: a microsecond to ten minutes.
const BOUNDS: (u64, u64) = (1000, 600_000_000_000);

/// The kinds of honest requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    Predict,
    StreamedPredict,
    Certify,
    ModelInfo,
    Health,
    /// GetModelInfo on a connection of its own.
    NewConnection,
}

impl RequestKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Predict => "Predict",
            Self::StreamedPredict => "PredictStream",
            Self::Certify => "Certify",
            Self::ModelInfo => "GetModelInfo",
            Self::Health => "Health/Check",
            Self::NewConnection => "new connection",
        }
    }
}

/// The end of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Answered,
    /// RESOURCE_EXHAUSTED with the time to wait.
    Refused,
    /// Anything else, with its code and message.
    Failed(String),
}

/// Requests of one kind, by their end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerCounts {
    pub answered: u64,
    pub refused: u64,
    pub failed: u64,
}

/// Inputs by the status of their certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateCounts {
    pub certified: u64,
    pub abstained: u64,
    pub unavailable: u64,
}

/// Quantiles of the latency of answered Predicts, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencySummary {
    pub requests: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

/// The results of a whole run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HonestTotals {
    pub requests: BTreeMap<RequestKind, AnswerCounts>,
    pub certificates: CertificateCounts,
    /// Latencies by what ran beside: each attack alone, two attacks, other models, or `quiet`.
    pub latencies: BTreeMap<String, LatencySummary>,
    /// Failures by attack, code and message.
    pub failures: BTreeMap<String, u64>,
}

/// The results since the last sample.
#[derive(Debug, Clone, Copy, Default)]
pub struct WindowResults {
    pub latency: LatencySummary,
    pub counts: AnswerCounts,
}

/// The results so far. Callers record, the sampler reads.
pub struct HonestResults(Mutex<State>);

struct State {
    /// The group of latencies that answers belong to now.
    group: String,
    /// What runs beside the callers now.
    beside: String,
    window: Histogram<u64>,
    window_counts: AnswerCounts,
    by_group: BTreeMap<String, Histogram<u64>>,
    totals: HonestTotals,
}

impl HonestResults {
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Mutex::new(State {
            group: String::new(),
            beside: String::new(),
            window: histogram()?,
            window_counts: AnswerCounts::default(),
            by_group: BTreeMap::new(),
            totals: HonestTotals::default(),
        })))
    }

    /// Names what runs beside the callers from now on, and the group of latencies that it belongs to.
    pub fn set_phase(&self, group: &str, beside: &str) -> anyhow::Result<()> {
        let mut state = self.lock();
        group.clone_into(&mut state.group);
        beside.clone_into(&mut state.beside);
        if !state.by_group.contains_key(group) {
            state.by_group.insert(group.to_owned(), histogram()?);
        }
        Ok(())
    }

    pub fn record(&self, kind: RequestKind, answer: Answer, latency: Duration) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let window = &mut state.window_counts;
        let total = state.totals.requests.entry(kind).or_default();
        match answer {
            Answer::Answered => {
                window.answered += 1;
                total.answered += 1;
                if kind == RequestKind::Predict {
                    state.window.saturating_record(nanoseconds);
                    if let Some(histogram) = state.by_group.get_mut(&state.group) {
                        histogram.saturating_record(nanoseconds);
                    }
                }
            }
            Answer::Refused => {
                window.refused += 1;
                total.refused += 1;
            }
            Answer::Failed(message) => {
                window.failed += 1;
                total.failed += 1;
                let text = format!("{} beside {}: {message}", kind.name(), state.beside);
                let failures = &mut state.totals.failures;
                if failures.len() < MAX_FAILURES || failures.contains_key(&text) {
                    *failures.entry(text).or_default() += 1;
                }
            }
        }
    }

    pub fn record_certificates(&self, predictions: &[Prediction]) {
        let counts = &mut self.lock().totals.certificates;
        for prediction in predictions {
            let status = prediction.certificate.as_ref().map(|certificate| certificate.status());
            match status {
                Some(CertificateStatus::Certified) => counts.certified += 1,
                Some(CertificateStatus::Abstained) => counts.abstained += 1,
                _ => counts.unavailable += 1,
            }
        }
    }

    /// Returns the results since the last call.
    pub fn take_window(&self) -> WindowResults {
        let mut state = self.lock();
        let results = WindowResults {
            latency: summary(&state.window),
            counts: std::mem::take(&mut state.window_counts),
        };
        state.window.reset();
        results
    }

    pub fn totals(&self) -> HonestTotals {
        let state = self.lock();
        let mut totals = state.totals.clone();
        let groups = state.by_group.iter().filter(|(_, histogram)| !histogram.is_empty());
        totals.latencies = groups.map(|(group, all)| (group.clone(), summary(all))).collect();
        totals
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(BOUNDS.0, BOUNDS.1, 3)?)
}

fn summary(latencies: &Histogram<u64>) -> LatencySummary {
    let ms = |nanoseconds: u64| {
        if latencies.is_empty() {
            0.0
        } else {
            round3(nanoseconds as f64 / 1e6)
        }
    };
    LatencySummary {
        requests: latencies.len(),
        p50_ms: ms(latencies.value_at_quantile(0.5)),
        p99_ms: ms(latencies.value_at_quantile(0.99)),
        max_ms: ms(latencies.max()),
    }
}

/// Three decimals are enough for a report, and keep its file small.
fn round3(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
