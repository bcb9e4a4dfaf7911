//! What other alphas would have answered: read from their own counts when somebody asks, because those begin anew when what they
//! are compared with changes, and a candidate that is no longer one must not be exported any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Error, IntCounterVec};

use super::maker::Maker;
use super::moment::{Shadow, ShadowCandidate};

const RADIUS: &str = "certimix_shadow_radius";
const RADIUS_HELP: &str =
    "Radii that a candidate alpha would have certified, in the units of the float input, by candidate.";
const ALPHA: &str = "alpha";

pub(super) struct ShadowMetrics {
    inputs: IntCounterVec,
    agreements: IntCounterVec,
    certified: IntCounterVec,
    open: IntCounterVec,
    /// Without a label; a family, so that it can be absent.
    dropped: IntCounterVec,
    radii: RadiusHistograms,
}

impl ShadowMetrics {
    pub(super) fn new(maker: &Maker) -> Result<Self, Error> {
        let counters = |name, help| maker.counters(name, help, &[ALPHA]);
        Ok(Self {
            inputs: counters(
                "certimix_shadow_inputs_total",
                "Inputs that a candidate alpha was judged on, by candidate.",
            )?,
            agreements: counters(
                "certimix_shadow_agreements_total",
                "Inputs to which a candidate alpha would have answered the class that was served, by candidate.",
            )?,
            certified: counters(
                "certimix_shadow_certified_total",
                "Inputs that a candidate alpha would have certified, by candidate.",
            )?,
            open: counters(
                "certimix_shadow_open_total",
                "Inputs that a candidate alpha has not certified with the votes that there are, and might with more, by candidate.",
            )?,
            dropped: maker.counters(
                "certimix_shadow_dropped_total",
                "Inputs that were answered and that no candidate alpha was judged on, because there was no time.",
                &[],
            )?,
            radii: maker.made(RadiusHistograms::new()?)?,
        })
    }

    pub(super) fn set(&self, shadow: Option<&Shadow>) {
        for family in [
            &self.inputs,
            &self.agreements,
            &self.certified,
            &self.open,
            &self.dropped,
        ] {
            family.reset();
        }
        self.radii.set(shadow.map_or_else(Vec::new, histograms));
        let Some(shadow) = shadow else { return };
        count(&self.dropped, &[], shadow.dropped);
        for candidate in &shadow.candidates {
            let alpha = candidate.alpha.to_string();
            count(&self.inputs, &[&alpha], candidate.inputs);
            count(&self.agreements, &[&alpha], candidate.agreements);
            count(&self.certified, &[&alpha], candidate.certified);
            count(&self.open, &[&alpha], candidate.open);
        }
    }
}

fn count(family: &IntCounterVec, labels: &[&str], value: u64) {
    if let Ok(counter) = family.get_metric_with_label_values(labels) {
        counter.inc_by(value);
    }
}

fn histograms(shadow: &Shadow) -> Vec<Metric> {
    let histogram = |candidate| histogram(candidate, shadow.radius_bounds);
    shadow.candidates.iter().map(histogram).collect()
}

/// As Prometheus has it: cumulative. The bucket above all bounds is the count, which the text adds.
fn histogram(candidate: &ShadowCandidate, bounds: &[f64]) -> Metric {
    let mut so_far = 0;
    let bucket = |(&bound, &more): (&f64, &u64)| {
        so_far += more;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(so_far);
        bucket
    };
    let buckets = bounds.iter().zip(&candidate.radii).map(bucket).collect();
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets);
    histogram.set_sample_count(candidate.radii.iter().sum());
    histogram.set_sample_sum(candidate.radius_sum);
    let mut label = LabelPair::default();
    label.set_name(ALPHA.to_owned());
    label.set_value(candidate.alpha.to_string());
    let mut metric = Metric::from_label(vec![label]);
    metric.set_histogram(histogram);
    metric
}

/// Histograms that were counted elsewhere: `prometheus::Histogram` counts for itself alone.
#[derive(Clone)]
struct RadiusHistograms {
    desc: Desc,
    metrics: Arc<Mutex<Vec<Metric>>>,
}

impl RadiusHistograms {
    fn new() -> Result<Self, Error> {
        let labels = vec![ALPHA.to_owned()];
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
    use super::*;

    fn text(maker: &Maker) -> String {
        let families = maker.registry().gather();
        prometheus::TextEncoder::new().encode_to_string(&families).unwrap()
    }

    #[test]
    fn candidates_come_and_go_and_their_buckets_add_up() {
        let maker = Maker::default();
        let metrics = ShadowMetrics::new(&maker).unwrap();
        assert_eq!(text(&maker), "");
        let candidate = |alpha| ShadowCandidate {
            alpha,
            inputs: 9,
            certified: 6,
            radii: vec![1, 2, 3],
            radius_sum: 4.5,
            ..ShadowCandidate::default()
        };
        let mut shadow = Shadow {
            dropped: 5,
            radius_bounds: &[0.1, 0.2],
            candidates: vec![candidate(0.7), candidate(0.95)],
        };
        metrics.set(Some(&shadow));
        // Again: it is what is there now, not what came since.
        metrics.set(Some(&shadow));
        let found = text(&maker);
        for line in [
            r#"certimix_shadow_inputs_total{alpha="0.7"} 9"#,
            r#"certimix_shadow_certified_total{alpha="0.95"} 6"#,
            r#"certimix_shadow_radius_bucket{alpha="0.95",le="0.1"} 1"#,
            r#"certimix_shadow_radius_bucket{alpha="0.95",le="0.2"} 3"#,
            r#"certimix_shadow_radius_bucket{alpha="0.95",le="+Inf"} 6"#,
            r#"certimix_shadow_radius_sum{alpha="0.95"} 4.5"#,
            r#"certimix_shadow_radius_count{alpha="0.95"} 6"#,
            "certimix_shadow_dropped_total 5",
        ] {
            assert!(found.contains(&format!("{line}\n")), "no {line} in {found}");
        }
        shadow.candidates.pop();
        metrics.set(Some(&shadow));
        let found = text(&maker);
        assert!(found.contains("0.7") && !found.contains("0.95"), "{found}");
        metrics.set(None);
        assert_eq!(text(&maker), "");
    }
}
