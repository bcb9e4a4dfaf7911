//! The executor time that callers ask for: the figure for an autoscaler.

use std::time::Duration;

use prometheus::{Counter, CounterVec, Error, Opts};

use super::registry::MetricRegistry;
use crate::domain::Priority;

/// The counter of each class, by its result.
struct Results {
    admitted: Counter,
    refused: Counter,
}

pub(super) struct DemandMetrics {
    interactive: Results,
    bulk: Results,
}

impl DemandMetrics {
    pub(super) fn new(registry: &MetricRegistry) -> Result<Self, Error> {
        let options = Opts::new(
            "certimix_demanded_executor_seconds_total",
            "Time of one executor that requests asked for, whether admitted or refused, by class and result; \
             its rate is a number of executors.",
        );
        let seconds = registry.register(CounterVec::new(options, &["class", "result"])?)?;
        let results = |class| {
            Ok::<_, Error>(Results {
                admitted: seconds.get_metric_with_label_values(&[class, "admitted"])?,
                refused: seconds.get_metric_with_label_values(&[class, "refused"])?,
            })
        };
        Ok(Self {
            interactive: results("interactive")?,
            bulk: results("bulk")?,
        })
    }

    pub(super) fn demanded(&self, priority: Priority, admitted: bool, work: Duration) {
        let results = match priority {
            Priority::Interactive => &self.interactive,
            Priority::Bulk => &self.bulk,
        };
        let counter = if admitted { &results.admitted } else { &results.refused };
        counter.inc_by(work.as_secs_f64());
    }
}
