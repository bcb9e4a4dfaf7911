//! The settings, typed; every value in its range.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::tables::mixture::{MixtureSettings, TuningSettings};
use super::tables::traces::TraceSettings;
use super::{MetricsSettings, OpenInferenceSettings};
use crate::certificate::{Alpha, FailureProbability};
use crate::domain::{BoundKind, ProofKey};

pub use super::tables::access::{AccessSettings, TlsSettings};
pub use super::tables::connections::ConnectionSettings;
pub use crate::certificate::RadiusMethod;

/// Everything an operator can set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The listener and its limits.
    pub server: ServerSettings,
    /// Who may talk to it.
    pub access: AccessSettings,
    /// Which models.
    pub models: ModelSettings,
    /// How they are mixed.
    pub mixture: MixtureSettings,
    /// How alpha is changed.
    pub tuning: TuningSettings,
    /// How answers are certified.
    pub certificate: CertificateSettings,
    /// Whose records of proofs are believed.
    pub proof_keys: Vec<ProofKey>,
    /// ONNX Runtime.
    pub runtime: RuntimeSettings,
    /// The queue of rows.
    pub scheduler: SchedulerSettings,
    /// The second protocol.
    pub open_inference: OpenInferenceSettings,
    /// Logs.
    pub log: LogSettings,
    /// Metrics and health over HTTP.
    pub metrics: MetricsSettings,
    /// Spans.
    pub traces: TraceSettings,
    /// Every key with its value in force, defaults included.
    pub effective: BTreeMap<String, String>,
    /// SHA-256 of the bytes of the settings file, hexadecimal.
    pub file_sha256: String,
}

impl Settings {
    /// The files that they name and that may change while the server runs.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let models = [self.models.standard.clone(), self.models.robust.clone()];
        let access = self.access.files().into_iter().map(|(_, file)| file);
        models.into_iter().chain(access).collect()
    }

    /// The same with another alpha, on its way from one to the next.
    #[must_use]
    pub fn with_alpha(&self, alpha: Alpha) -> Self {
        let mut settings = self.clone();
        settings.mixture.alpha = alpha;
        settings
            .effective
            .insert("mixture.alpha".to_owned(), alpha.get().to_string());
        settings
    }
}

/// `[server]`
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where to listen for gRPC.
    pub listen: SocketAddr,
    /// A Unix socket to listen on besides.
    pub unix_socket: Option<PathBuf>,
    /// Who may connect to it: the permissions of its file.
    pub unix_socket_mode: u32,
    /// Threads that read requests and write answers.
    pub threads: usize,
    /// Inputs in one request, at most.
    pub max_inputs: usize,
    /// Bytes of one request, at most.
    pub max_message_bytes: usize,
    /// Requests of one PredictStream that are under way at once, at most.
    pub stream_window: usize,
    /// How long a request without a deadline may take.
    pub max_request_time: Duration,
    /// How long health checks are told that it stops before it stops to listen.
    pub drain_delay: Duration,
    /// How long requests in flight may take to finish then.
    pub drain_timeout: Duration,
    /// What one connection may use, and when it is closed.
    pub connections: ConnectionSettings,
}

/// `[models]`: manifests, relative to the settings file.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// Manifest of the accurate model `g`.
    pub standard: PathBuf,
    /// Manifest of the robust model `h`.
    pub robust: PathBuf,
}

/// `[certificate]`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CertificateSettings {
    /// Of each certificate, over the noise.
    pub failure_probability: FailureProbability,
    /// The smallest that a caller of Certify may ask for.
    pub min_failure_probability: f64,
    /// The theorem for smoothed models.
    pub radius: RadiusMethod,
    /// How votes become bounds.
    pub bound: BoundKind,
    /// Votes that choose the class and are dropped.
    pub selection_votes: u64,
    /// Estimation votes of Predict, at most.
    pub predict_votes: u64,
    /// Radius at which Predict stops drawing.
    pub predict_target_radius: Option<f64>,
    /// Estimation votes of Certify when the caller names none.
    pub certify_votes: u64,
    /// Estimation votes a caller of Certify may ask for.
    pub max_votes: u64,
    /// Estimation votes a caller of Certify may ask for at interactive priority; 0 forbids it.
    pub interactive_votes: u64,
    /// Serve certificates although a model is no function of its input, as the self-test or the audit found; each then says so.
    pub allow_inexact_runtime: bool,
}

/// `[runtime]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeSettings {
    /// ONNX Runtime's shared library, relative to the settings file.
    pub library: PathBuf,
    /// Where the models run.
    pub provider: Provider,
    /// Threads that run models, each with a session of both; `None`: one for each processor, or two on a GPU.
    pub executors: Option<usize>,
    /// Keep each executor on one processor; `None`: where there are as many executors as processors to run on.
    pub pin_executors: Option<bool>,
    /// Rows in one run of the standard model, at most; `None`: measured at start.
    pub standard_batch_size: Option<usize>,
    /// Rows in one run of the robust model, at most, and the fixed batch shape of a smoothed one; `None`: measured at start.
    pub robust_batch_size: Option<usize>,
    /// How long a run may take whose batch size is measured: what an interactive row may have to wait for.
    pub max_batch_time: Duration,
    /// Refuse a model that is not shown to answer row by row, instead of running it one row at a time.
    pub require_row_independence: bool,
}

/// `[scheduler]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchedulerSettings {
    /// Rows admitted for one model and not yet finished, at most.
    pub queue_rows: usize,
    /// How long rows may wait for a fuller batch; zero: not at all.
    pub max_queue_delay: Duration,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// For people or for machines.
    pub format: LogFormat,
    /// A `tracing` filter, such as `info` or `certimix=debug,warn`.
    pub filter: String,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One line for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// An execution provider, as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU, or a start-up error.
    Cuda,
    /// CUDA if it loads, else the processor, said loudly.
    Auto,
}
