//! Makes metrics: a line for each, from wherever it belongs.

use prometheus::core::Collector;
use prometheus::{
    Error, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry,
};

/// Makes metrics of one set. Names begin with `certimix_`, are in base units and say which; counters end in `_total`. Label values come
/// from a fixed list, never from a caller.
///
/// Each method fails if the name is taken, or a name is none.
#[derive(Debug, Clone, Default)]
pub struct Maker {
    registry: Registry,
}

impl Maker {
    /// Everything that was made, as it is now.
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A counter.
    ///
    /// # Errors
    /// As all of them.
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, Error> {
        self.made(IntCounter::new(name, help)?)
    }

    /// Counters by labels.
    ///
    /// # Errors
    /// As all of them.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
        self.made(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    /// A gauge of whole numbers.
    ///
    /// # Errors
    /// As all of them.
    pub fn whole_gauge(&self, name: &str, help: &str) -> Result<IntGauge, Error> {
        self.made(IntGauge::new(name, help)?)
    }

    /// Gauges of whole numbers, by labels.
    ///
    /// # Errors
    /// As all of them.
    pub fn whole_gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, Error> {
        self.made(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    /// A gauge.
    ///
    /// # Errors
    /// As all of them.
    pub fn gauge(&self, name: &str, help: &str) -> Result<Gauge, Error> {
        self.made(Gauge::new(name, help)?)
    }

    /// Gauges by labels.
    ///
    /// # Errors
    /// As all of them.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, Error> {
        self.made(GaugeVec::new(Opts::new(name, help), labels)?)
    }

    /// A histogram that counts at `buckets`.
    ///
    /// # Errors
    /// As all of them.
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, Error> {
        self.made(Histogram::with_opts(
            HistogramOpts::new(name, help).buckets(buckets.to_vec()),
        )?)
    }

    /// Histograms by labels.
    ///
    /// # Errors
    /// As all of them.
    pub fn histograms(&self, name: &str, help: &str, buckets: &[f64], labels: &[&str]) -> Result<HistogramVec, Error> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.made(HistogramVec::new(options, labels)?)
    }

    /// Anything else that collects itself, such as a counter of seconds.
    ///
    /// # Errors
    /// As all of them.
    pub fn made<C: Collector + Clone + 'static>(&self, collector: C) -> Result<C, Error> {
        self.registry.register(Box::new(collector.clone()))?;
        Ok(collector)
    }
}
