//! Answers: what is proven, how far, and how much both models agree.

use prometheus::{Error, Histogram, IntCounter};

use super::buckets;
use super::maker::Maker;
use crate::domain::{CertificateStatus, Prediction, StopReason};
use crate::telemetry::call::CallRecord;

pub(super) struct AnswerMetrics {
    certified: IntCounter,
    abstained: IntCounter,
    unavailable: IntCounter,
    target_reached: IntCounter,
    target_out_of_reach: IntCounter,
    vote_budget: IntCounter,
    deadline: IntCounter,
    radius: Histogram,
    margin: Histogram,
    disagreements: IntCounter,
    votes: IntCounter,
}

impl AnswerMetrics {
    pub(super) fn new(maker: &Maker) -> Result<Self, Error> {
        let certificates = maker.counters(
            "certimix_certificates_total",
            "Inputs that the models have answered, by the status of their certificate.",
            &["status"],
        )?;
        let stops = maker.counters(
            "certimix_certification_stops_total",
            "Inputs answered by votes, by the reason for which no more were drawn.",
            &["reason"],
        )?;
        let status = |status| certificates.get_metric_with_label_values(&[status]);
        let stop = |reason| stops.get_metric_with_label_values(&[reason]);
        Ok(Self {
            certified: status("certified")?,
            abstained: status("abstained")?,
            unavailable: status("unavailable")?,
            target_reached: stop("target_reached")?,
            target_out_of_reach: stop("target_out_of_reach")?,
            vote_budget: stop("vote_budget")?,
            deadline: stop("deadline")?,
            radius: maker.histogram(
                "certimix_certificate_radius",
                "Radii of certified inputs, in the units of the float input and the norm of the model.",
                buckets::RADIUS,
            )?,
            margin: maker.histogram(
                "certimix_mixture_margin",
                "By how much the most probable class of the mixture is more probable than the next, from 0 to 1.",
                buckets::MARGIN,
            )?,
            disagreements: maker.counter(
                "certimix_disagreements_total",
                "Inputs of which the standard and the robust model alone would say different classes.",
            )?,
            votes: maker.counter("certimix_votes_total", "Votes that were counted, of answered requests.")?,
        })
    }

    pub(super) fn answered(&self, call: &CallRecord, predictions: &[Prediction]) {
        let counts = call.certificates;
        for (counter, more) in [
            (&self.certified, counts.certified),
            (&self.abstained, counts.abstained),
            (&self.unavailable, counts.unavailable),
            (&self.votes, call.votes),
        ] {
            if more > 0 {
                counter.inc_by(more);
            }
        }
        for prediction in predictions {
            self.answer(prediction);
        }
    }

    fn answer(&self, prediction: &Prediction) {
        let certificate = &prediction.certificate;
        if certificate.status == CertificateStatus::Certified {
            self.radius.observe(certificate.radius);
        }
        match certificate.stop_reason {
            StopReason::TargetReached => self.target_reached.inc(),
            StopReason::TargetOutOfReach => self.target_out_of_reach.inc(),
            StopReason::VoteBudget => self.vote_budget.inc(),
            StopReason::Deadline => self.deadline.inc(),
            StopReason::NotSampled => {}
        }
        self.margin.observe(margin(&prediction.mixed_logits));
        if prediction.standard_class != prediction.robust_class {
            self.disagreements.inc();
        }
    }
}

/// The difference of the two largest probabilities, whose logarithms are `mixed_logits`. Of probabilities, because that is what alpha
/// is weighed against: what the standard model can move is at most 1 - alpha of them.
fn margin(mixed_logits: &[f64]) -> f64 {
    let (mut first, mut second) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    for &logit in mixed_logits {
        if logit > first {
            (first, second) = (logit, first);
        } else if logit > second {
            second = logit;
        }
    }
    (first.exp() - second.exp()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_that_of_the_two_largest_probabilities() {
        let logits = |probabilities: [f64; 3]| probabilities.map(f64::ln);
        assert!((margin(&logits([0.2, 0.7, 0.1])) - 0.5).abs() < 1e-12);
        assert!((margin(&logits([0.5, 0.1, 0.4])) - 0.1).abs() < 1e-12);
        assert_eq!(margin(&logits([0.4, 0.4, 0.2])), 0.0);
        assert_eq!(margin(&[0.0]), 1.0);
    }
}
