//! What an operator sees of a server: its metrics, and the pages beside them.

use std::sync::Arc;

use crate::classifier::{ClassifierInfo, ModelSummary};
use crate::domain::PerRole;
use crate::live::{ConfigObserver, Live, Snapshot};
use crate::rpc;
use crate::telemetry::metrics::{Metrics, MetricsError, ModelDescription, Pages, Reload};

/// What is answered on the metrics' port.
pub(super) struct ServerPages {
    pub(super) metrics: Arc<Metrics>,
    pub(super) live: Arc<Live>,
    pub(super) health: rpc::Health,
}

impl Pages for ServerPages {
    fn metrics(&self) -> Result<String, MetricsError> {
        let load = self
            .live
            .load()
            .ok()
            .map(|snapshot| snapshot.classifier.engine().load_now());
        self.metrics.text(load, self.serves())
    }

    fn serves(&self) -> bool {
        self.health.is_serving()
    }
}

/// Tells the metrics what is in force.
pub(super) struct ConfigMetrics(pub(super) Arc<Metrics>);

impl ConfigObserver for ConfigMetrics {
    fn in_force(&self, snapshot: &Snapshot) {
        let provenance = snapshot.classifier.provenance();
        self.0.set_config(&provenance.config_revision, provenance.alpha);
        self.0.set_models(&described(&snapshot.classifier.info()));
    }

    fn reloaded(&self) {
        self.0.reloaded(Reload::Applied);
    }

    fn refused(&self) {
        self.0.reloaded(Reload::Rejected);
    }
}

fn described(info: &ClassifierInfo) -> PerRole<ModelDescription> {
    let describe = |model: &ModelSummary| ModelDescription {
        name: model.name.clone(),
        sha256: model.sha256.clone(),
        provider: model.provider,
        guarantee: model.guarantee,
        max_batch_size: model.max_batch_size,
    };
    PerRole {
        standard: describe(&info.standard),
        robust: describe(&info.robust),
    }
}
