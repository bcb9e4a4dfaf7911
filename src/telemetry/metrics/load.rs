//! The load of the scheduler, read on each scrape.

use prometheus::{Error, Gauge, IntGauge};

use super::label_cells::per_role;
use super::registry::MetricRegistry;
use crate::domain::{PerRole, Role};
use crate::scheduler::{SchedulerLoad, WaitingRows};

/// The gauges of one priority.
struct WaitingGauges {
    rows: PerRole<IntGauge>,
    oldest: PerRole<Gauge>,
}

pub(super) struct LoadMetrics {
    interactive: WaitingGauges,
    bulk: WaitingGauges,
    admitted: PerRole<IntGauge>,
    capacity: IntGauge,
    busy: IntGauge,
    sustained: Gauge,
    idle: IntGauge,
    broken: PerRole<IntGauge>,
    healthy: PerRole<IntGauge>,
    serving: IntGauge,
}

impl LoadMetrics {
    pub(super) fn new(registry: &MetricRegistry) -> Result<Self, Error> {
        let rows = registry.int_gauges(
            "certimix_queue_rows",
            "Rows that wait for an executor, by model and class.",
            &["model", "class"],
        )?;
        let oldest = registry.gauges(
            "certimix_queue_oldest_age_seconds",
            "Age of the oldest waiting row, by model and class; 0 if no row waits.",
            &["model", "class"],
        )?;
        let waiting = |class| {
            Ok::<_, Error>(WaitingGauges {
                rows: PerRole {
                    standard: rows.get_metric_with_label_values(&[Role::Standard.name(), class])?,
                    robust: rows.get_metric_with_label_values(&[Role::Robust.name(), class])?,
                },
                oldest: PerRole {
                    standard: oldest.get_metric_with_label_values(&[Role::Standard.name(), class])?,
                    robust: oldest.get_metric_with_label_values(&[Role::Robust.name(), class])?,
                },
            })
        };
        let executors = registry.int_gauges("certimix_executors", "Executor threads, by state.", &["state"])?;
        let gauges = |name, help| per_role(&registry.int_gauges(name, help, &["model"])?);
        Ok(Self {
            interactive: waiting("interactive")?,
            bulk: waiting("bulk")?,
            admitted: gauges(
                "certimix_admitted_rows",
                "Rows admitted for requests in flight, by model. certimix_queue_capacity_rows is their bound.",
            )?,
            capacity: registry.int_gauge(
                "certimix_queue_capacity_rows",
                "The largest number of admitted rows of one model.",
            )?,
            sustained: registry.gauge(
                "certimix_sustained_executors",
                "Executors that would do as much if the operating system never paused one; fewer under a CPU limit.",
            )?,
            busy: executors.get_metric_with_label_values(&["busy"])?,
            idle: executors.get_metric_with_label_values(&["idle"])?,
            broken: gauges(
                "certimix_broken_sessions",
                "Executors whose session is broken and is retried, by model.",
            )?,
            healthy: gauges("certimix_model_healthy", "1 if the model works, otherwise 0, by model.")?,
            serving: registry.int_gauge(
                "certimix_serving",
                "1 if the health service reports SERVING, otherwise 0.",
            )?,
        })
    }

    pub(super) fn set(&self, load: SchedulerLoad, serving: bool) {
        self.serving.set(i64::from(serving));
        self.interactive.set(&load.interactive);
        self.bulk.set(&load.bulk);
        for role in Role::ALL {
            self.admitted[role].set(wide(load.admitted[role]));
            self.broken[role].set(wide(load.broken[role]));
            self.healthy[role].set(i64::from(load.healthy[role]));
        }
        self.capacity.set(wide(load.capacity));
        self.sustained.set(load.sustained_executors);
        self.busy.set(wide(load.executors.saturating_sub(load.idle)));
        self.idle.set(wide(load.idle));
    }
}

impl WaitingGauges {
    fn set(&self, waiting: &PerRole<WaitingRows>) {
        for role in Role::ALL {
            self.rows[role].set(wide(waiting[role].rows));
            self.oldest[role].set(waiting[role].oldest.as_secs_f64());
        }
    }
}

fn wide(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
