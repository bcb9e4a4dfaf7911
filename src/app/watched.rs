//! What an operator sees of a server: its metrics, and the pages beside them.

use std::sync::Arc;

use crate::classifier::{ClassifierInfo, ModelSummary, RADIUS_BOUNDS, ShadowReport, ShadowRow};
use crate::domain::PerRole;
use crate::live::{ConfigObserver, ConfigStatus, Live, Snapshot};
use crate::rpc::{self, AccessControl, ConnectionCounts};
use crate::telemetry::metrics::{
    ConfigInForce, Connections, Metrics, MetricsError, ModelDescription, Moment, Pages, Reload, Shadow, ShadowCandidate,
};
use crate::telemetry::{LogHandle, Tracer};

/// What is answered on the metrics' port.
pub(super) struct ServerPages {
    pub(super) metrics: Arc<Metrics>,
    pub(super) live: Arc<Live>,
    pub(super) health: rpc::HealthReporter,
    pub(super) connections: Arc<ConnectionCounts>,
    pub(super) access: Arc<AccessControl>,
    pub(super) tracer: Option<Tracer>,
    pub(super) logs: Option<LogHandle>,
}

impl Pages for ServerPages {
    fn metrics(&self) -> Result<String, MetricsError> {
        let snapshot = self.live.load().ok();
        let classifier = snapshot.as_ref().map(|snapshot| &snapshot.classifier);
        self.metrics.text(&Moment {
            load: classifier.map(|classifier| classifier.engine().load_now()),
            serving: self.serves(),
            connections: counted(&self.connections),
            certificate_expires: self.access.certificate_expiry(),
            lost_spans: self.tracer.as_ref().map_or(0, Tracer::lost_spans),
            dropped_log_lines: self.logs.as_ref().map_or(0, LogHandle::dropped_lines),
            shadow: classifier.and_then(|classifier| classifier.shadow_report().as_ref().map(shadowed)),
        })
    }

    fn serves(&self) -> bool {
        self.health.is_serving()
    }
}

fn counted(counts: &ConnectionCounts) -> Connections {
    Connections {
        open: counts.open(),
        accepted: counts.accepted(),
        refused: counts.refused(),
        failed_handshakes: counts.failed_handshakes(),
        cut: counts.aborted(),
        unauthenticated: counts.unauthenticated(),
    }
}

fn shadowed(report: &ShadowReport) -> Shadow {
    let candidate = |row: &ShadowRow| ShadowCandidate {
        alpha: row.alpha,
        inputs: row.counts.inputs,
        agreements: row.counts.agreements,
        certified: row.counts.certified,
        open: row.counts.open,
        radii: row.counts.radii.buckets.to_vec(),
        radius_sum: row.counts.radii.sum,
    };
    Shadow {
        dropped: report.dropped,
        radius_bounds: &RADIUS_BOUNDS,
        candidates: report.candidates.iter().map(candidate).collect(),
    }
}

/// Tells the metrics what is in force.
pub(super) struct ConfigMetrics(pub(super) Arc<Metrics>);

impl ConfigObserver for ConfigMetrics {
    fn in_force(&self, snapshot: &Snapshot, status: &ConfigStatus) {
        let provenance = snapshot.classifier.provenance();
        self.0.set_config(&ConfigInForce {
            revision: &provenance.config_revision,
            alpha: provenance.alpha,
            target_alpha: status.target_alpha,
            pending: status.pending.is_some(),
        });
        self.0.set_models(&described(&snapshot.classifier.info()));
    }

    fn reloaded(&self) {
        self.0.reloaded(Reload::Applied);
    }

    fn unchanged(&self) {
        self.0.reloaded(Reload::Unchanged);
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
