//! Reads the sources in their order: defaults, then the file, then the environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config, Environment, File, FileFormat};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::all_tables::{
    CertificateSettings, LogFormat, LogSettings, ModelSettings, Provider, RadiusMethod, RuntimeSettings,
    SchedulerSettings, ServerSettings, Settings,
};
use super::reader::Reader;
use super::tables::{access, connections, mixture, open_inference, proof_keys, traces};
use super::{MAX_BATCH_SIZE, log_filter, processors};
use crate::certificate::{FailureProbability, MAX_TARGET_RADIUS};
use crate::domain::{BoundKind, Violations, hex};

/// Why settings could not be read.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file is not there, or is not TOML.
    #[error("cannot read the settings file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system or the TOML parser says.
        reason: String,
    },
    /// The values are not what they should be.
    #[error("invalid settings in {}:\n{violations}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Each with its key.
        violations: Violations,
    },
}

impl LoadError {
    /// Each thing that is wrong; one, if there is no telling where.
    #[must_use]
    pub fn violations(&self) -> Violations {
        match self {
            Self::Invalid { violations, .. } => violations.clone(),
            Self::Unreadable { reason, .. } => Violations::one("file", reason.clone()),
        }
    }
}

/// Reads and validates the settings in `path`, overridden by `variables`, as `std::env::vars` gives them.
///
/// # Errors
/// If the file cannot be read or parsed, or with every violation of its values.
pub fn load(path: &Path, variables: impl IntoIterator<Item = (String, String)>) -> Result<Settings, LoadError> {
    let source = Source::new(path, variables);
    source.parse(&source.read()?)
}

/// Where settings come from: a file, and the variables that override it.
#[derive(Debug, Clone)]
pub struct Source {
    path: PathBuf,
    /// As they were when the process started.
    variables: Vec<(String, String)>,
}

impl Source {
    /// The file at `path`, overridden by `variables`, as `std::env::vars` gives them.
    #[must_use]
    pub fn new(path: &Path, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            path: path.to_path_buf(),
            variables: variables.into_iter().collect(),
        }
    }

    /// The settings file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn unreadable(&self, reason: String) -> LoadError {
        LoadError::Unreadable {
            path: self.path.clone(),
            reason,
        }
    }

    /// The text of the file as it is now.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self) -> Result<String, LoadError> {
        std::fs::read_to_string(&self.path).map_err(|error| self.unreadable(error.to_string()))
    }

    /// Validates `text`, which was read from the file, under the variables.
    ///
    /// # Errors
    /// If it cannot be parsed, or with every violation of its values.
    pub fn parse(&self, text: &str) -> Result<Settings, LoadError> {
        let environment = Environment::with_prefix("CERTIMIX")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .source(Some(self.variables.iter().cloned().collect()));
        let tree = Config::builder()
            .add_source(File::from_str(text, FileFormat::Toml))
            .add_source(environment)
            .build()
            // The tree itself: to deserialize it would forget where each value came from.
            .map(|config| config.cache)
            .map_err(|error| self.unreadable(error.to_string()))?;
        let base = self.path.parent().unwrap_or(Path::new(""));
        let settings = read(Reader::new(tree, base)).map_err(|violations| LoadError::Invalid {
            path: self.path.clone(),
            violations,
        })?;
        Ok(Settings {
            file_sha256: sha256(text),
            ..settings
        })
    }
}

/// Names the text of a settings file.
#[must_use]
pub fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn read(mut reader: Reader) -> Result<Settings, Violations> {
    let server = server(&mut reader);
    let access = access::read(&mut reader, server.listen);
    let models = ModelSettings {
        standard: reader.path("models.standard"),
        robust: reader.path("models.robust"),
    };
    let mixture = mixture::read(&mut reader);
    let certificate = certificate(&mut reader);
    let proof_keys = proof_keys::read(&mut reader);
    let runtime = runtime(&mut reader);
    let scheduler = SchedulerSettings {
        queue_rows: reader.size("scheduler.queue_rows", 4096, 1, 1 << 20),
        max_queue_delay: reader.duration(
            "scheduler.max_queue_delay",
            Duration::ZERO,
            Duration::ZERO,
            Duration::from_secs(1),
        ),
    };
    reader.check(
        scheduler.queue_rows >= server.max_inputs,
        "scheduler.queue_rows",
        || {
            format!(
                "must hold one full request: at least server.max_inputs = {}",
                server.max_inputs
            )
        },
    );
    let open_inference = open_inference::read(&mut reader);
    let log = log(&mut reader);
    let metrics = super::tables::metrics::read(&mut reader);
    let traces = traces::read(&mut reader);
    let effective = reader.finish()?;
    // Unreachable without a violation above, which `finish` has returned.
    let unset = || Violations::default();
    let (mixture, tuning) = mixture.ok_or_else(unset)?;
    Ok(Settings {
        server,
        access,
        models,
        mixture,
        tuning,
        certificate: certificate.ok_or_else(unset)?,
        proof_keys,
        runtime: runtime.ok_or_else(unset)?,
        scheduler,
        open_inference,
        log: log.ok_or_else(unset)?,
        metrics,
        traces,
        effective,
        file_sha256: String::new(),
    })
}

fn server(reader: &mut Reader) -> ServerSettings {
    let second = Duration::from_secs(1);
    let max_request_time = reader.duration("server.max_request_time", 30 * second, second / 1000, 3600 * second);
    ServerSettings {
        listen: reader.text(
            "server.listen",
            SocketAddr::from(([127, 0, 0, 1], 50051)),
            "an address such as \"127.0.0.1:50051\"",
            |text| text.parse().ok(),
        ),
        unix_socket: reader.optional_socket("server.unix_socket"),
        unix_socket_mode: reader.mode("server.unix_socket_mode", 0o600),
        // Little is done there beside inference; where processors are few, more threads only push the executors off them.
        threads: reader.size("server.threads", (processors() / 4).clamp(1, 256), 1, 256),
        max_inputs: reader.size("server.max_inputs", 64, 1, 65_536),
        max_message_bytes: reader.size("server.max_message_bytes", 4 << 20, 1024, 1 << 30),
        stream_window: reader.size("server.stream_window", 16, 1, 1024),
        max_request_time,
        drain_delay: reader.duration("server.drain_delay", Duration::ZERO, Duration::ZERO, 3600 * second),
        drain_timeout: reader.duration("server.drain_timeout", 10 * second, second / 1000, 3600 * second),
        connections: connections::read(reader, max_request_time),
    }
}

fn certificate(reader: &mut Reader) -> Option<CertificateSettings> {
    let probability = |p: f64| (1e-100..=0.5).contains(&p);
    let expected = "a probability from 1e-100 to 0.5";
    let failure_probability = reader.float("certificate.failure_probability", 1e-6, expected, probability);
    let min_failure_probability = reader.float("certificate.min_failure_probability", 1e-12, expected, probability);
    let radius = reader.choice(
        "certificate.radius",
        "tight",
        &[("tight", RadiusMethod::Tight), ("theorem2", RadiusMethod::Theorem2)],
    );
    let bound = reader.choice(
        "certificate.bound",
        "anytime",
        &[
            ("anytime", BoundKind::Anytime),
            ("clopper_pearson", BoundKind::ClopperPearson),
        ],
    );
    let max_votes = reader.count("certificate.max_votes", 100_000, 1, 1 << 32);
    let selection_votes = reader.count("certificate.selection_votes", 16, 1, 1 << 20);
    let predict_votes = reader.count("certificate.predict_votes", 240, 1, 1 << 32);
    let predict_target_radius = reader.float(
        "certificate.predict_target_radius",
        0.0,
        "a radius in the units of the float input, at most 1e30, or 0 to spend every vote",
        |radius| (0.0..=MAX_TARGET_RADIUS).contains(&radius),
    );
    let certify_votes = reader.count("certificate.certify_votes", 1000, 1, 1 << 32);
    // What Predict may spend on an input hurts no other Predict more when Certify spends it.
    let interactive_votes = reader.count(
        "certificate.interactive_votes",
        predict_votes.min(max_votes),
        0,
        1 << 32,
    );
    let allow_inexact_runtime = reader.flag("certificate.allow_inexact_runtime", false);
    for (key, votes) in [
        ("certificate.predict_votes", predict_votes),
        ("certificate.certify_votes", certify_votes),
        ("certificate.interactive_votes", interactive_votes),
    ] {
        reader.check(votes <= max_votes, key, || {
            format!("is over certificate.max_votes = {max_votes}")
        });
    }
    reader.check(
        min_failure_probability <= failure_probability,
        "certificate.min_failure_probability",
        || format!("is over certificate.failure_probability = {failure_probability}"),
    );
    Some(CertificateSettings {
        failure_probability: FailureProbability::new(failure_probability).ok()?,
        min_failure_probability,
        radius: radius?,
        bound: bound?,
        selection_votes,
        predict_votes,
        predict_target_radius: (predict_target_radius > 0.0).then_some(predict_target_radius),
        certify_votes,
        max_votes,
        interactive_votes,
        allow_inexact_runtime,
    })
}

fn runtime(reader: &mut Reader) -> Option<RuntimeSettings> {
    // 0 stands for what is found out at start.
    let mut found_out = |key, most| Some(reader.size(key, 0, 0, most)).filter(|&set| set > 0);
    let executors = found_out("runtime.executors", 256);
    let standard_batch_size = found_out("runtime.standard_batch_size", MAX_BATCH_SIZE);
    let robust_batch_size = found_out("runtime.robust_batch_size", MAX_BATCH_SIZE);
    Some(RuntimeSettings {
        library: reader.path("runtime.library"),
        provider: reader.choice(
            "runtime.provider",
            "auto",
            &[
                ("cpu", Provider::Cpu),
                ("cuda", Provider::Cuda),
                ("auto", Provider::Auto),
            ],
        )?,
        executors,
        pin_executors: reader.choice(
            "runtime.pin_executors",
            "auto",
            &[("auto", None), ("always", Some(true)), ("never", Some(false))],
        )?,
        standard_batch_size,
        robust_batch_size,
        max_batch_time: reader.duration(
            "runtime.max_batch_time",
            Duration::from_millis(3),
            Duration::from_micros(1),
            Duration::from_secs(10),
        ),
        require_row_independence: reader.flag("runtime.require_row_independence", false),
    })
}

fn log(reader: &mut Reader) -> Option<LogSettings> {
    let format = reader.choice(
        "log.format",
        "human",
        &[("human", LogFormat::Human), ("json", LogFormat::Json)],
    );
    let filter = reader.text("log.filter", "info".to_owned(), log_filter::EXPECTED_FILTER, |text| {
        log_filter::parse_log_filter(text).map(|_| text.to_owned())
    });
    Some(LogSettings {
        format: format?,
        filter,
    })
}
