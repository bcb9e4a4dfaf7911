//! The config in force, the models that serve, and the build.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{Error, Gauge, IntCounter, IntGauge, IntGaugeVec};

use super::registry::MetricRegistry;
use crate::classifier::ClassifierInfo;
use crate::domain::{Provenance, Role};
use crate::live::ConfigStatus;

pub(super) struct ConfigMetrics {
    revision: IntGaugeVec,
    alpha: Gauge,
    target_alpha: Gauge,
    fallback_alpha: Gauge,
    target_fallback_alpha: Gauge,
    pending: IntGauge,
    applied_at: Gauge,
    reloads_applied: IntCounter,
    reloads_overridden: IntCounter,
    reloads_unchanged: IntCounter,
    reloads_rejected: IntCounter,
    access_pending: IntGauge,
    access_applied: IntCounter,
    access_rejected: IntCounter,
    models: IntGaugeVec,
    max_batch_rows: IntGaugeVec,
}

impl ConfigMetrics {
    pub(super) fn new(registry: &MetricRegistry) -> Result<Self, Error> {
        let build = registry.int_gauges(
            "certimix_build_info",
            "The version of the server; always 1.",
            &["version"],
        )?;
        build.get_metric_with_label_values(&[env!("CARGO_PKG_VERSION")])?.set(1);
        let reloads = registry.counters(
            "certimix_config_reloads_total",
            "Config reloads, by their result.",
            &["result"],
        )?;
        let access_reloads = registry.counters(
            "certimix_access_reloads_total",
            "Reloads of TLS files and tokens, which depend on no other file, by their result.",
            &["result"],
        )?;
        let reloads_with = |result| reloads.get_metric_with_label_values(&[result]);
        Ok(Self {
            revision: registry.int_gauges(
                "certimix_config_info",
                "The revision of the config in force, of the settings that decide answers and the models, which every response carries; always 1.",
                &["revision"],
            )?,
            alpha: registry.gauge(
                "certimix_config_alpha",
                "The weight of the robust model in force where its margin is large enough for a certificate, from 0 to 1.",
            )?,
            target_alpha: registry.gauge(
                "certimix_config_target_alpha",
                "The alpha at the end of the ramp, from 0 to 1; without a ramp the alpha in force.",
            )?,
            fallback_alpha: registry.gauge(
                "certimix_config_fallback_alpha",
                "The weight of the robust model in force where its margin is smaller, from 0 to alpha.",
            )?,
            target_fallback_alpha: registry.gauge(
                "certimix_config_target_fallback_alpha",
                "The fallback_alpha at the end of the ramp, from 0 to 1; without a ramp the fallback_alpha in force.",
            )?,
            pending: registry.int_gauge(
                "certimix_config_pending",
                "1 if the config files, TLS and tokens included, hold a change that was rejected and is not in force, otherwise 0.",
            )?,
            access_pending: registry.int_gauge(
                "certimix_access_pending",
                "1 if the TLS files or the tokens were rejected, so that a removed token or authority is still accepted, otherwise 0.",
            )?,
            access_applied: access_reloads.get_metric_with_label_values(&["applied"])?,
            access_rejected: access_reloads.get_metric_with_label_values(&["rejected"])?,
            applied_at: registry.gauge(
                "certimix_config_applied_timestamp_seconds",
                "When the config in force was applied, in seconds since 1970.",
            )?,
            reloads_applied: reloads_with("applied")?,
            reloads_overridden: reloads_with("overridden")?,
            reloads_unchanged: reloads_with("unchanged")?,
            reloads_rejected: reloads_with("rejected")?,
            models: registry.int_gauges(
                "certimix_model_info",
                "The models that serve; always 1.",
                &["model", "name", "sha256", "provider", "guarantee"],
            )?,
            max_batch_rows: registry.int_gauges(
                "certimix_model_max_batch_rows",
                "The largest number of rows in one run, by model.",
                &["model"],
            )?,
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a timestamp for dashboards; nothing is timed by it"
    )]
    pub(super) fn set(&self, provenance: &Provenance, status: &ConfigStatus) {
        // The reset removes the revision that is no longer in force.
        self.revision.reset();
        if let Ok(info) = self
            .revision
            .get_metric_with_label_values(&[&*provenance.config_revision])
        {
            info.set(1);
        }
        self.alpha.set(provenance.alpha);
        self.target_alpha.set(status.target_alpha);
        self.fallback_alpha.set(provenance.fallback_alpha);
        self.target_fallback_alpha.set(status.target_fallback_alpha);
        self.set_pending(status);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.applied_at.set(now.as_secs_f64());
    }

    pub(super) fn set_models(&self, info: &ClassifierInfo) {
        self.models.reset();
        for (role, model) in [(Role::Standard, &info.standard), (Role::Robust, &info.robust)] {
            let values = [
                role.name(),
                model.name.as_str(),
                model.sha256.as_str(),
                model.provider,
                model.guarantee.name(),
            ];
            if let Ok(info) = self.models.get_metric_with_label_values(&values) {
                info.set(1);
            }
            if let Ok(rows) = self.max_batch_rows.get_metric_with_label_values(&[role.name()]) {
                rows.set(i64::try_from(model.max_batch_size).unwrap_or(i64::MAX));
            }
        }
    }

    pub(super) fn reloaded(&self) {
        self.reloads_applied.inc();
    }

    pub(super) fn overridden(&self) {
        self.reloads_overridden.inc();
    }

    pub(super) fn unchanged(&self) {
        self.reloads_unchanged.inc();
    }

    pub(super) fn rejected(&self) {
        self.reloads_rejected.inc();
    }

    pub(super) fn access_reloaded(&self) {
        self.access_applied.inc();
    }

    pub(super) fn access_rejected(&self) {
        self.access_rejected.inc();
    }

    pub(super) fn set_pending(&self, status: &ConfigStatus) {
        self.pending.set(i64::from(status.is_pending()));
        self.access_pending.set(i64::from(status.access.pending.is_some()));
    }
}
