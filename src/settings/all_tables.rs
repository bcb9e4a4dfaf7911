//! The settings of every table together.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use config::{Value, ValueKind};

use super::config_file::ConfigFileKind;
use super::file_digests::ConfigFile;
use super::reader::Reader;
use super::setting_key::{KeyDescription, KeyScope};
use super::tables::{
    self, AccessSettings, CallerSettings, CertificateSettings, LogSettings, MetricsSettings, MixtureSettings,
    ModelSettings, OpenInferenceSettings, RuntimeSettings, SchedulerSettings, ServerSettings, TraceSettings,
    TuningSettings,
};
use super::value_origin::{OverriddenValue, ValueOrigin, ValueSources};
use crate::certificate::MixingWeights;
use crate::domain::{ProofKey, Violations};

/// Every value that an operator can set, typed and in its range.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The listeners, the size of requests, and the drain.
    pub server: ServerSettings,
    /// TLS and bearer tokens.
    pub access: AccessSettings,
    /// The manifests of the two models.
    pub models: ModelSettings,
    /// The weights of the two models.
    pub mixture: MixtureSettings,
    /// How alpha changes.
    pub tuning: TuningSettings,
    /// Mixtures that the server evaluates on live traffic: ascending in alpha, then in
    /// `fallback_alpha` and temperature, without duplicates.
    pub shadow_candidates: Vec<MixtureSettings>,
    /// How votes become certificates.
    pub certificate: CertificateSettings,
    /// Keys that the server trusts to sign proof records.
    pub proof_keys: Vec<ProofKey>,
    /// ONNX Runtime, executors and batches.
    pub runtime: RuntimeSettings,
    /// The queues of rows.
    pub scheduler: SchedulerSettings,
    /// The shares of named callers.
    pub callers: Vec<CallerSettings>,
    /// The Open Inference Protocol.
    pub open_inference: OpenInferenceSettings,
    /// The format and the filter of the log.
    pub log: LogSettings,
    /// The HTTP endpoint for metrics and health.
    pub metrics: MetricsSettings,
    /// The receiver of spans.
    pub traces: TraceSettings,
    /// Every key with its effective value, defaults included.
    pub effective: BTreeMap<String, String>,
    /// Where the value of each key comes from, also if the value is not valid.
    pub origins: BTreeMap<String, ValueOrigin>,
    /// The values of the file that environment variables override, by their keys.
    pub overridden: BTreeMap<String, OverriddenValue>,
    /// SHA-256 of the bytes of the settings file, hexadecimal.
    pub file_sha256: String,
}

/// The keys that decide answers. They are the same for every configuration.
static ANSWER_KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let keys = described_keys().into_iter();
    keys.filter(|key| key.scope == KeyScope::Answers)
        .map(|key| key.name)
        .collect()
});

impl Settings {
    /// The files that the settings name and that may change while the server runs.
    #[must_use]
    pub fn files(&self) -> Vec<ConfigFile> {
        let models = [&self.models.standard, &self.models.robust];
        let manifests = models.map(|path| (ConfigFileKind::Manifest, path.clone()));
        manifests.into_iter().chain(self.access.config_files()).collect()
    }

    /// The keys that decide answers, each with its effective value. The files of the models decide
    /// answers too; these settings hold only their paths.
    pub fn answer_values(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let value = |key: &&'static str| Some((*key, self.effective.get(*key)?.as_str()));
        ANSWER_KEYS.iter().filter_map(value)
    }

    /// The same settings with `weights` in force: one step of a ramp.
    #[must_use]
    pub fn with_weights(&self, weights: MixingWeights) -> Self {
        let mut settings = self.clone();
        settings.mixture.weights = weights;
        for (key, weight) in [
            ("mixture.alpha", weights.alpha()),
            ("mixture.fallback_alpha", weights.fallback_alpha()),
        ] {
            settings.effective.insert(key.to_owned(), weight.get().to_string());
        }
        settings
    }
}

/// The description of every key, in the order in which the tables read them.
#[must_use]
pub fn described_keys() -> Vec<KeyDescription> {
    let empty = Value::new(None, ValueKind::Table(config::Map::new()));
    let mut reader = Reader::new(empty, Path::new(""), ValueSources::default());
    read_tables(&mut reader);
    reader.into_descriptions()
}

/// Settings that were read, and everything that is wrong with them.
#[derive(Debug, Clone)]
pub struct ReadSettings {
    /// The settings, with the default in place of each value that is not valid. They may be served
    /// only without violations. `None` if a value has no default.
    pub settings: Option<Settings>,
    /// Every violation of the values.
    pub violations: Violations,
}

impl ReadSettings {
    /// The settings, if they are valid.
    ///
    /// # Errors
    /// With every violation.
    pub(super) fn into_valid(self) -> Result<Settings, Violations> {
        self.violations.into_result()?;
        // Without a violation there are settings.
        self.settings.ok_or_else(Violations::default)
    }
}

/// Reads every table.
pub(super) fn read(mut reader: Reader, file_sha256: String) -> ReadSettings {
    let settings = read_tables(&mut reader);
    let values = reader.finish();
    ReadSettings {
        settings: settings.map(|settings| Settings {
            effective: values.effective,
            origins: values.origins,
            overridden: values.overridden,
            file_sha256,
            ..settings
        }),
        violations: values.violations,
    }
}

/// `None` only if the reader has recorded a violation.
fn read_tables(reader: &mut Reader) -> Option<Settings> {
    let server = tables::server::read(reader);
    let access = tables::access::read(reader, server.listen);
    let models = tables::models::read(reader);
    let mixture = tables::mixture::read(reader);
    let served = mixture.as_ref().map(|(mixture, _)| *mixture);
    let shadow_candidates = tables::shadow_candidates::read(reader, served);
    let certificate = tables::certificate::read(reader);
    let proof_keys = tables::certificate::read_proof_keys(reader);
    let runtime = tables::runtime::read(reader);
    let scheduler = tables::scheduler::read(reader, server.max_inputs);
    let callers = tables::callers::read(reader, &access, server.unix_socket.is_some());
    let open_inference = tables::open_inference::read(reader);
    let log = tables::log::read(reader);
    let metrics = tables::metrics::read(reader, server.listen);
    let traces = tables::traces::read(reader);
    let (mixture, tuning) = mixture?;
    Some(Settings {
        server,
        access,
        models,
        mixture,
        tuning,
        shadow_candidates,
        certificate: certificate?,
        proof_keys,
        runtime,
        scheduler,
        callers,
        open_inference,
        log,
        metrics,
        traces,
        effective: BTreeMap::new(),
        origins: BTreeMap::new(),
        overridden: BTreeMap::new(),
        file_sha256: String::new(),
    })
}
