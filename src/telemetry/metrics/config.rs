//! What is served: the settings in force, both models, this program.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{Error, Gauge, IntCounter, IntGauge, IntGaugeVec};

use super::maker::Maker;
use crate::domain::{PerRole, Role};

/// What came of settings that were read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// They serve.
    Applied,
    /// They are those in force.
    Unchanged,
    /// They cannot be served; what was in force stays.
    Rejected,
}

/// The settings in force, and what the files say beside them.
#[derive(Debug, Clone, Copy)]
pub struct ConfigInForce<'a> {
    /// As every answer bears it.
    pub revision: &'a str,
    /// The weight of the robust model, from 0 to 1.
    pub alpha: f64,
    /// The weight that the file asks for, which alpha may be on its way to.
    pub target_alpha: f64,
    /// Whether the files say something that was refused.
    pub pending: bool,
}

/// One of the models, as its labels tell it.
#[derive(Debug, Clone)]
pub struct ModelDescription {
    /// Name in its manifest.
    pub name: String,
    /// SHA-256 of its ONNX file, hexadecimal.
    pub sha256: String,
    /// "cpu" or "cuda".
    pub provider: &'static str,
    /// The kind of guarantee.
    pub guarantee: &'static str,
    /// Rows in one run, at most.
    pub max_batch_size: usize,
}

pub(super) struct ConfigMetrics {
    revision: IntGaugeVec,
    alpha: Gauge,
    target_alpha: Gauge,
    pending: IntGauge,
    applied_at: Gauge,
    reloads_applied: IntCounter,
    reloads_unchanged: IntCounter,
    reloads_rejected: IntCounter,
    models: IntGaugeVec,
    max_batch_rows: IntGaugeVec,
}

impl ConfigMetrics {
    pub(super) fn new(maker: &Maker) -> Result<Self, Error> {
        let build = maker.whole_gauges("certimix_build_info", "This program; always 1.", &["version"])?;
        build.get_metric_with_label_values(&[env!("CARGO_PKG_VERSION")])?.set(1);
        let reloads = maker.counters(
            "certimix_config_reloads_total",
            "Settings that were read again while serving, by what came of it.",
            &["result"],
        )?;
        let reloaded = |result| reloads.get_metric_with_label_values(&[result]);
        Ok(Self {
            revision: maker.whole_gauges(
                "certimix_config_info",
                "The settings in force, by their revision as every answer bears it; always 1.",
                &["revision"],
            )?,
            alpha: maker.gauge(
                "certimix_config_alpha",
                "The weight of the robust model in force, from 0 to 1.",
            )?,
            target_alpha: maker.gauge(
                "certimix_config_target_alpha",
                "The weight that the settings in force ask for, which alpha may be on its way to, from 0 to 1.",
            )?,
            pending: maker.whole_gauge(
                "certimix_config_pending",
                "Whether the files say something that was refused and is not in force: 1 or 0.",
            )?,
            applied_at: maker.gauge(
                "certimix_config_applied_timestamp_seconds",
                "When the settings in force came into force, in seconds since 1970.",
            )?,
            reloads_applied: reloaded("applied")?,
            reloads_unchanged: reloaded("unchanged")?,
            reloads_rejected: reloaded("rejected")?,
            models: maker.whole_gauges(
                "certimix_model_info",
                "The models that serve; always 1.",
                &["model", "name", "sha256", "provider", "guarantee"],
            )?,
            max_batch_rows: maker.whole_gauges(
                "certimix_model_max_batch_rows",
                "Rows in one run, at most, by model.",
                &["model"],
            )?,
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a moment for people and their dashboards; nothing is timed by it"
    )]
    pub(super) fn set(&self, config: &ConfigInForce) {
        // Whoever is not in force any more is not exported any more.
        self.revision.reset();
        if let Ok(info) = self.revision.get_metric_with_label_values(&[config.revision]) {
            info.set(1);
        }
        self.alpha.set(config.alpha);
        self.target_alpha.set(config.target_alpha);
        self.pending.set(i64::from(config.pending));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.applied_at.set(now.as_secs_f64());
    }

    pub(super) fn set_models(&self, models: &PerRole<ModelDescription>) {
        self.models.reset();
        for role in Role::ALL {
            let model = &models[role];
            let values = [
                role.name(),
                model.name.as_str(),
                model.sha256.as_str(),
                model.provider,
                model.guarantee,
            ];
            if let Ok(info) = self.models.get_metric_with_label_values(&values) {
                info.set(1);
            }
            if let Ok(rows) = self.max_batch_rows.get_metric_with_label_values(&[role.name()]) {
                rows.set(i64::try_from(model.max_batch_size).unwrap_or(i64::MAX));
            }
        }
    }

    pub(super) fn reloaded(&self, result: Reload) {
        if result == Reload::Rejected {
            // Until something comes into force.
            self.pending.set(1);
        }
        match result {
            Reload::Applied => &self.reloads_applied,
            Reload::Unchanged => &self.reloads_unchanged,
            Reload::Rejected => &self.reloads_rejected,
        }
        .inc();
    }
}
