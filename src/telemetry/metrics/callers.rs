//! Requests and rows of each named caller.

use prometheus::{Error, IntCounterVec};

use super::registry::MetricRegistry;
use crate::call::RefusalReason;
use crate::domain::Role;

/// The name of every caller without a name.
const OTHER: &str = "other";

/// The label values are the names in `scheduler.callers` and `other`, so there are few.
pub(super) struct CallerMetrics {
    admitted: IntCounterVec,
    refused: IntCounterVec,
    rows: IntCounterVec,
}

impl CallerMetrics {
    pub(super) fn new(registry: &MetricRegistry) -> Result<Self, Error> {
        let metrics = Self {
            admitted: registry.counters(
                "certimix_caller_admissions_total",
                "Requests that were admitted, by the name of the caller; other has no name.",
                &["caller"],
            )?,
            refused: registry.counters(
                "certimix_caller_refusals_total",
                "Requests that were not admitted, by the name of the caller and reason.",
                &["caller", "reason"],
            )?,
            rows: registry.counters(
                "certimix_caller_rows_total",
                "Rows that were run, by the name of the caller and model.",
                &["caller", "model"],
            )?,
        };
        metrics.admitted.with_label_values(&[OTHER]);
        for reason in RefusalReason::ALL {
            metrics.refused.with_label_values(&[OTHER, reason.name()]);
        }
        for role in Role::ALL {
            metrics.rows.with_label_values(&[OTHER, role.name()]);
        }
        Ok(metrics)
    }

    pub(super) fn admitted(&self, caller: &str) {
        self.admitted.with_label_values(&[caller]).inc();
    }

    pub(super) fn refused(&self, caller: &str, reason: RefusalReason) {
        self.refused.with_label_values(&[caller, reason.name()]).inc();
    }

    pub(super) fn ran(&self, caller: &str, role: Role, rows: usize) {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        self.rows.with_label_values(&[caller, role.name()]).inc_by(rows);
    }
}
