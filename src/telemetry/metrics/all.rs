//! All metrics of one server.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::TextEncoder;

use super::answers::AnswerMetrics;
use super::callers::CallerMetrics;
use super::calls::CallMetrics;
use super::config::ConfigMetrics;
use super::demand::DemandMetrics;
use super::error::MetricsError;
use super::load::LoadMetrics;
use super::models::ModelMetrics;
use super::process::ProcessMetrics;
use super::registry::MetricRegistry;
use super::request_memory::RequestMemoryMetrics;
use super::server_state::ServerState;
use super::shadow::ShadowMetrics;
use super::transport::TransportMetrics;
use crate::call::{CallObserver, CallRecord, RefusalReason};
use crate::domain::{OutputRowFlaws, Prediction, Priority, Role};
use crate::live::{ConfigObserver, ConfigStatus, Snapshot};
use crate::scheduler::ModelObserver;

/// The metrics of one server.
pub struct Metrics {
    registry: MetricRegistry,
    calls: CallMetrics,
    answers: AnswerMetrics,
    callers: CallerMetrics,
    models: ModelMetrics,
    demand: DemandMetrics,
    load: LoadMetrics,
    config: ConfigMetrics,
    transport: TransportMetrics,
    memory: RequestMemoryMetrics,
    shadow: ShadowMetrics,
    process: ProcessMetrics,
    /// Held during a scrape and while related gauges change, so that a scrape reads all or none of
    /// them.
    scrape_lock: Mutex<()>,
}

impl Metrics {
    /// Registers all metrics, with every count at zero.
    ///
    /// # Errors
    /// If a metric is defined wrongly, which is a bug.
    pub fn new() -> Result<Self, MetricsError> {
        let registry = MetricRegistry::default();
        Ok(Self {
            calls: CallMetrics::new(&registry)?,
            answers: AnswerMetrics::new(&registry)?,
            callers: CallerMetrics::new(&registry)?,
            models: ModelMetrics::new(&registry)?,
            demand: DemandMetrics::new(&registry)?,
            load: LoadMetrics::new(&registry)?,
            config: ConfigMetrics::new(&registry)?,
            transport: TransportMetrics::new(&registry)?,
            memory: RequestMemoryMetrics::new(&registry)?,
            shadow: ShadowMetrics::new(&registry)?,
            process: ProcessMetrics::new(&registry)?,
            registry,
            scrape_lock: Mutex::default(),
        })
    }

    /// Every metric in the Prometheus text format 0.0.4. `state` is the state of the server now.
    ///
    /// # Errors
    /// If the text cannot be encoded, which is a bug.
    pub fn text(&self, state: &ServerState) -> Result<String, MetricsError> {
        let _lock = self.lock_scrape();
        self.load.set(state.load.unwrap_or_default(), state.serving);
        self.transport.set(state);
        self.memory.set(state.memory);
        self.shadow.set(state.shadow);
        self.process.read();
        Ok(TextEncoder::new().encode_to_string(&self.registry.collectors().gather())?)
    }

    fn lock_scrape(&self) -> MutexGuard<'_, ()> {
        self.scrape_lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallObserver for Metrics {
    fn answered(&self, call: &CallRecord, predictions: &[Prediction]) {
        self.answers.answered(call, predictions);
    }

    fn finished(&self, call: &CallRecord) {
        self.calls.finished(call);
    }
}

impl ConfigObserver for Metrics {
    fn in_force(&self, snapshot: &Snapshot, status: &ConfigStatus) {
        let _lock = self.lock_scrape();
        self.config.set(snapshot.classifier.provenance(), status);
        self.config.set_models(&snapshot.classifier.info());
    }

    fn reloaded(&self) {
        self.config.reloaded();
    }

    fn overridden(&self) {
        self.config.overridden();
    }

    fn unchanged(&self) {
        self.config.unchanged();
    }

    fn rejected(&self) {
        self.config.rejected();
    }

    fn access_reloaded(&self) {
        self.config.access_reloaded();
    }

    fn access_rejected(&self) {
        self.config.access_rejected();
    }

    fn pending(&self, status: &ConfigStatus) {
        self.config.set_pending(status);
    }
}

impl ModelObserver for Metrics {
    fn ran(&self, role: Role, rows: usize, elapsed: Duration) {
        self.models.ran(role, rows, elapsed);
    }

    fn ran_for(&self, caller: &str, role: Role, rows: usize) {
        self.callers.ran(caller, role, rows);
    }

    fn admitted(&self, caller: &str) {
        self.callers.admitted(caller);
    }

    fn refused(&self, caller: &str, reason: RefusalReason) {
        self.callers.refused(caller, reason);
    }

    fn demanded(&self, priority: Priority, admitted: bool, work: Duration) {
        self.demand.demanded(priority, admitted, work);
    }

    fn rows_flawed(&self, role: Role, flaws: OutputRowFlaws) {
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
