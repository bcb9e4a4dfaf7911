//! What waits and who works: read from the scheduler when somebody asks.

use prometheus::{Error, Gauge, IntGauge};

use super::grid::per_role;
use super::maker::Maker;
use crate::domain::{PerRole, Role};
use crate::telemetry::models::{SchedulerLoad, WaitingRows};

/// Of one class.
struct Waiting {
    rows: PerRole<IntGauge>,
    oldest: PerRole<Gauge>,
}

pub(super) struct LoadMetrics {
    interactive: Waiting,
    bulk: Waiting,
    admitted: PerRole<IntGauge>,
    capacity: IntGauge,
    busy: IntGauge,
    idle: IntGauge,
    broken: PerRole<IntGauge>,
    healthy: PerRole<IntGauge>,
    serving: IntGauge,
}

impl LoadMetrics {
    pub(super) fn new(maker: &Maker) -> Result<Self, Error> {
        let rows = maker.whole_gauges(
            "certimix_queue_rows",
            "Rows that wait for an executor, by model and class.",
            &["model", "class"],
        )?;
        let oldest = maker.gauges(
            "certimix_queue_oldest_age_seconds",
            "How long the first of the rows that wait has waited, by model and class; 0 if none does.",
            &["model", "class"],
        )?;
        let waiting = |class| {
            Ok::<_, Error>(Waiting {
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
        let executors = maker.whole_gauges(
            "certimix_executors",
            "Threads that run models, by what they do.",
            &["state"],
        )?;
        let gauges = |name, help| per_role(&maker.whole_gauges(name, help, &["model"])?);
        Ok(Self {
            interactive: waiting("interactive")?,
            bulk: waiting("bulk")?,
            admitted: gauges(
                "certimix_admitted_rows",
                "Rows that requests in flight were let in with, by model: what certimix_queue_capacity_rows bounds.",
            )?,
            capacity: maker.whole_gauge(
                "certimix_queue_capacity_rows",
                "Rows of one model that may be let in at a time.",
            )?,
            busy: executors.get_metric_with_label_values(&["busy"])?,
            idle: executors.get_metric_with_label_values(&["idle"])?,
            broken: gauges(
                "certimix_broken_sessions",
                "Executors whose session is broken and is tried again and again, by model.",
            )?,
            healthy: gauges("certimix_model_healthy", "Whether the model works, by model: 1 or 0.")?,
            serving: maker.whole_gauge("certimix_serving", "Whether the server says that it serves: 1 or 0.")?,
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
        self.busy.set(wide(load.executors.saturating_sub(load.idle)));
        self.idle.set(wide(load.idle));
    }
}

impl Waiting {
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
