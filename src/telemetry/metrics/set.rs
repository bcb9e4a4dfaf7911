//! One set of metrics.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::TextEncoder;

use super::MetricsError;
use super::answers::AnswerMetrics;
use super::calls::CallMetrics;
use super::config::{ConfigInForce, ConfigMetrics, ModelDescription, Reload};
use super::load::LoadMetrics;
use super::maker::Maker;
use super::models::ModelMetrics;
use super::moment::Moment;
use super::process::ProcessMetrics;
use super::shadow::ShadowMetrics;
use super::wire::WireMetrics;
use crate::domain::{PerRole, Prediction, Role, RowFlaws};
use crate::telemetry::call::{CallRecord, Observer};
use crate::telemetry::models::ModelObserver;

/// The metrics of one server.
pub struct Metrics {
    maker: Maker,
    calls: CallMetrics,
    answers: AnswerMetrics,
    models: ModelMetrics,
    load: LoadMetrics,
    config: ConfigMetrics,
    wire: WireMetrics,
    shadow: ShadowMetrics,
    process: ProcessMetrics,
    /// Held while what belongs together is written or read.
    whole: Mutex<()>,
}

impl Metrics {
    /// All at zero.
    ///
    /// # Errors
    /// If a metric is defined wrongly: an error of this program.
    pub fn new() -> Result<Self, MetricsError> {
        let maker = Maker::default();
        Ok(Self {
            calls: CallMetrics::new(&maker)?,
            answers: AnswerMetrics::new(&maker)?,
            models: ModelMetrics::new(&maker)?,
            load: LoadMetrics::new(&maker)?,
            config: ConfigMetrics::new(&maker)?,
            wire: WireMetrics::new(&maker)?,
            shadow: ShadowMetrics::new(&maker)?,
            process: ProcessMetrics::new(&maker)?,
            maker,
            whole: Mutex::default(),
        })
    }

    /// Makes more metrics of this set.
    #[must_use]
    pub fn maker(&self) -> &Maker {
        &self.maker
    }

    /// The settings in force from now on.
    pub fn set_config(&self, config: &ConfigInForce) {
        let _whole = self.whole();
        self.config.set(config);
    }

    /// The models that serve from now on.
    pub fn set_models(&self, models: &PerRole<ModelDescription>) {
        let _whole = self.whole();
        self.config.set_models(models);
    }

    /// Settings were read again.
    pub fn reloaded(&self, result: Reload) {
        self.config.reloaded(result);
    }

    /// Everything, as text of the Prometheus format 0.0.4; what is read when somebody asks is `moment`.
    ///
    /// # Errors
    /// If the text cannot be written: an error of this program.
    pub fn text(&self, moment: &Moment) -> Result<String, MetricsError> {
        let _whole = self.whole();
        self.load.set(moment.load.unwrap_or_default(), moment.serving);
        self.wire.set(moment);
        self.shadow.set(moment.shadow.as_ref());
        self.process.read();
        Ok(TextEncoder::new().encode_to_string(&self.maker.registry().gather())?)
    }

    fn whole(&self) -> MutexGuard<'_, ()> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Metrics {
    fn answered(&self, call: &CallRecord, predictions: &[Prediction]) {
        self.answers.answered(call, predictions);
    }

    fn finished(&self, call: &CallRecord) {
        self.calls.finished(call);
    }
}

impl ModelObserver for Metrics {
    fn ran(&self, role: Role, rows: usize, elapsed: Duration) {
        self.models.ran(role, rows, elapsed);
    }

    fn rows_flawed(&self, role: Role, flaws: RowFlaws) {
        self.models.rows_flawed(role, flaws);
    }

    fn rows_audited(&self, role: Role, same: bool) {
        self.models.rows_audited(role, same);
    }

    fn batch_failed(&self, role: Role) {
        self.models.batch_failed(role);
    }

    fn session_failed(&self, role: Role) {
        self.models.session_failed(role);
    }

    fn session_repaired(&self, role: Role) {
        self.models.session_repaired(role);
    }
}
