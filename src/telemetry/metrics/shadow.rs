//! The counts of the shadow candidates.
//!
//! A scrape reads them from the report. The counts restart when the config that they are compared
//! with changes, and a removed candidate must disappear from the export.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Error, IntCounterVec};

use super::registry::MetricRegistry;
use crate::classifier::{RADIUS_BOUNDS, ShadowReport, ShadowRow};

const RADIUS: &str = "certimix_shadow_radius";
const RADIUS_HELP: &str =
    "Radii that a shadow candidate would have certified, in the units of the float input, by mixture.";
const MIXTURE_LABELS: [&str; 3] = ["alpha", "fallback_alpha", "robust_temperature"];

pub(super) struct ShadowMetrics {
    inputs: IntCounterVec,
    agreements: IntCounterVec,
    certified: IntCounterVec,
    open: IntCounterVec,
    /// A family without labels, so that it can be absent.
    dropped: IntCounterVec,
    radii: RadiusHistograms,
}

impl ShadowMetrics {
    pub(super) fn new(registry: &MetricRegistry) -> Result<Self, Error> {
        let counters = |name, help| registry.counters(name, help, &MIXTURE_LABELS);
        Ok(Self {
            inputs: counters(
                "certimix_shadow_inputs_total",
                "Inputs that a shadow candidate was evaluated on, by mixture.",
            )?,
            agreements: counters(
                "certimix_shadow_agreements_total",
                "Inputs for which a shadow candidate gives the class that was served, by mixture.",
            )?,
            certified: counters(
                "certimix_shadow_certified_total",
                "Inputs that a shadow candidate would have certified, by mixture.",
            )?,
            open: counters(
                "certimix_shadow_open_total",
                "Inputs that a shadow candidate does not certify with the votes drawn but might with more votes, by mixture.",
            )?,
            dropped: registry.counters(
                "certimix_shadow_dropped_total",
                "Answered inputs that the shadow evaluator dropped because its queue was full.",
                &[],
            )?,
            radii: registry.register(RadiusHistograms::new()?)?,
        })
    }

    pub(super) fn set(&self, shadow: Option<&ShadowReport>) {
        for family in [
            &self.inputs,
            &self.agreements,
            &self.certified,
            &self.open,
            &self.dropped,
        ] {
            family.reset();
        }
        self.radii
            .set(shadow.map_or_else(Vec::new, |shadow| shadow.candidates.iter().map(histogram).collect()));
        let Some(shadow) = shadow else { return };
        count(&self.dropped, &[], shadow.dropped);
        for candidate in &shadow.candidates {
            let values = label_values(candidate);
            let labels = values.each_ref().map(String::as_str);
            count(&self.inputs, &labels, candidate.counts.inputs);
            count(&self.agreements, &labels, candidate.counts.agreements);
            count(&self.certified, &labels, candidate.counts.certified);
            count(&self.open, &labels, candidate.counts.open);
        }
    }
}

/// The values of [`MIXTURE_LABELS`] for one candidate.
fn label_values(candidate: &ShadowRow) -> [String; 3] {
    let weights = candidate.mixture.weights;
    [
        weights.alpha().get(),
        weights.fallback_alpha().get(),
        candidate.mixture.robust_temperature.get(),
    ]
    .map(|value| value.to_string())
}

fn count(family: &IntCounterVec, labels: &[&str], value: u64) {
    if let Ok(counter) = family.get_metric_with_label_values(labels) {
        counter.inc_by(value);
    }
}

/// The histogram of one candidate with cumulative buckets, as Prometheus defines them. The encoder
/// adds the bucket `+Inf` from the sample count.
fn histogram(candidate: &ShadowRow) -> Metric {
    let radii = &candidate.counts.radii;
    let mut cumulative = 0;
    let bucket = |(&bound, &count): (&f64, &u64)| {
        cumulative += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(cumulative);
        bucket
    };
    let buckets = RADIUS_BOUNDS.iter().zip(&radii.buckets).map(bucket).collect();
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets);
    histogram.set_sample_count(radii.buckets.iter().sum());
    histogram.set_sample_sum(radii.sum);
    let labels = MIXTURE_LABELS.iter().zip(label_values(candidate)).map(|(name, value)| {
        let mut label = LabelPair::default();
        label.set_name((*name).to_owned());
        label.set_value(value);
        label
    });
    let mut metric = Metric::from_label(labels.collect());
    metric.set_histogram(histogram);
    metric
}

/// Exports histograms that the shadow evaluator has counted. `prometheus::Histogram` cannot be set
/// from counts.
#[derive(Clone)]
struct RadiusHistograms {
    desc: Desc,
    metrics: Arc<Mutex<Vec<Metric>>>,
}

impl RadiusHistograms {
    fn new() -> Result<Self, Error> {
        let labels = MIXTURE_LABELS.map(str::to_owned).to_vec();
        Ok(Self {
            desc: Desc::new(RADIUS.to_owned(), RADIUS_HELP.to_owned(), labels, HashMap::new())?,
            metrics: Arc::default(),
        })
    }

    fn set(&self, metrics: Vec<Metric>) {
        *self.metrics.lock().unwrap_or_else(PoisonError::into_inner) = metrics;
    }
}

impl Collector for RadiusHistograms {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut family = MetricFamily::default();
        family.set_name(RADIUS.to_owned());
        family.set_help(RADIUS_HELP.to_owned());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(self.metrics.lock().unwrap_or_else(PoisonError::into_inner).clone());
        vec![family]
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::{RADIUS_BOUNDS, ShadowMetrics, ShadowReport, ShadowRow};
    use crate::certificate::{Alpha, MixingWeights, Temperature};
    use crate::classifier::{RadiusHistogram, ShadowCounts};
    use crate::settings::MixtureSettings;
    use crate::telemetry::metrics::registry::MetricRegistry;

    fn text(registry: &MetricRegistry) -> String {
        let families = registry.collectors().gather();
        prometheus::TextEncoder::new().encode_to_string(&families).unwrap()
    }

    #[test]
    fn removed_candidates_disappear_and_buckets_are_cumulative() {
        let registry = MetricRegistry::default();
        let metrics = ShadowMetrics::new(&registry).unwrap();
        assert_eq!(text(&registry), "");
        let mut radii = RadiusHistogram::default();
        radii.buckets[0] = 1;
        radii.buckets[1] = 2;
        radii.buckets[RADIUS_BOUNDS.len()] = 3;
        radii.sum = 4.5;
        let row = |alpha| ShadowRow {
            mixture: MixtureSettings {
                weights: MixingWeights::new(Alpha::new(alpha).unwrap(), Alpha::new(0.5).unwrap()).unwrap(),
                robust_temperature: Temperature::new(0.2).unwrap(),
            },
            counts: ShadowCounts {
                inputs: 9,
                certified: 6,
                radii,
                ..ShadowCounts::default()
            },
        };
        let mut shadow = ShadowReport {
            since: SystemTime::UNIX_EPOCH,
            since_revision: String::new(),
            alpha_ramping: false,
            dropped: 5,
            serving: row(0.9),
            candidates: vec![row(0.7), row(0.95)],
        };
        metrics.set(Some(&shadow));
        // A second scrape exports the counts themselves, not their growth.
        metrics.set(Some(&shadow));
        let found = text(&registry);
        for line in [
            r#"certimix_shadow_inputs_total{alpha="0.7",fallback_alpha="0.5",robust_temperature="0.2"} 9"#,
            r#"certimix_shadow_certified_total{alpha="0.95",fallback_alpha="0.5",robust_temperature="0.2"} 6"#,
            r#"certimix_shadow_radius_bucket{alpha="0.95",fallback_alpha="0.5",robust_temperature="0.2",le="0.001"} 1"#,
            r#"certimix_shadow_radius_bucket{alpha="0.95",fallback_alpha="0.5",robust_temperature="0.2",le="0.002"} 3"#,
            r#"certimix_shadow_radius_bucket{alpha="0.95",fallback_alpha="0.5",robust_temperature="0.2",le="+Inf"} 6"#,
            r#"certimix_shadow_radius_sum{alpha="0.95",fallback_alpha="0.5",robust_temperature="0.2"} 4.5"#,
            r#"certimix_shadow_radius_count{alpha="0.95",fallback_alpha="0.5",robust_temperature="0.2"} 6"#,
            "certimix_shadow_dropped_total 5",
        ] {
            assert!(found.contains(&format!("{line}\n")), "no {line} in {found}");
        }
        shadow.candidates.pop();
        metrics.set(Some(&shadow));
        let found = text(&registry);
        assert!(
            found.contains("alpha=\"0.7\"") && !found.contains("alpha=\"0.95\""),
            "{found}"
        );
        metrics.set(None);
        assert_eq!(text(&registry), "");
    }
}
