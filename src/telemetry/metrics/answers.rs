//! Answers: certificates, radii, margins and the agreement of the models.

use prometheus::{Error, Histogram, IntCounter};

use super::buckets;
use super::registry::MetricRegistry;
use crate::call::CallRecord;
use crate::certificate::WeightRule;
use crate::domain::{AbstentionReason, CertificateStatus, Prediction, StopReason};

pub(super) struct AnswerMetrics {
    certified: IntCounter,
    abstained: IntCounter,
    unavailable: IntCounter,
    robust_model_unsure: IntCounter,
    too_few_votes: IntCounter,
    abstained_at_deadline: IntCounter,
    snapping_loss: IntCounter,
    target_reached: IntCounter,
    target_out_of_reach: IntCounter,
    vote_budget: IntCounter,
    deadline: IntCounter,
    weight_alpha: IntCounter,
    weight_fallback: IntCounter,
    class_settled: IntCounter,
    radius: Histogram,
    margin: Histogram,
    disagreements: IntCounter,
    votes: IntCounter,
}

impl AnswerMetrics {
    pub(super) fn new(registry: &MetricRegistry) -> Result<Self, Error> {
        let certificates = registry.counters(
            "certimix_certificates_total",
            "Answered inputs, by the status of their certificate.",
            &["status"],
        )?;
        let abstentions = registry.counters(
            "certimix_abstentions_total",
            "Inputs on which the server abstained, by the reason.",
            &["reason"],
        )?;
        let stops = registry.counters(
            "certimix_certification_stops_total",
            "Inputs answered by votes, by the reason why no more votes were drawn.",
            &["reason"],
        )?;
        let mixtures = registry.counters(
            "certimix_mixtures_total",
            "Answered inputs, by the weight of the robust model in their mixture: alpha or fallback_alpha.",
            &["weight"],
        )?;
        let weight = |weight| mixtures.get_metric_with_label_values(&[weight]);
        let status = |status| certificates.get_metric_with_label_values(&[status]);
        let abstention = |reason| abstentions.get_metric_with_label_values(&[reason]);
        let stop = |reason| stops.get_metric_with_label_values(&[reason]);
        Ok(Self {
            certified: status("certified")?,
            abstained: status("abstained")?,
            unavailable: status("unavailable")?,
            robust_model_unsure: abstention("robust_model_unsure")?,
            too_few_votes: abstention("too_few_votes")?,
            abstained_at_deadline: abstention("deadline")?,
            snapping_loss: abstention("snapping_loss")?,
            target_reached: stop("target_reached")?,
            target_out_of_reach: stop("target_out_of_reach")?,
            vote_budget: stop("vote_budget")?,
            deadline: stop("deadline")?,
            weight_alpha: weight("alpha")?,
            weight_fallback: weight("fallback")?,
            class_settled: stop("class_settled")?,
            radius: registry.histogram(
                "certimix_certificate_radius",
                "Radii of certified inputs, in the units of the float input and the norm of the model.",
                buckets::RADIUS,
            )?,
            margin: registry.histogram(
                "certimix_mixture_margin",
                "Probability of the most probable class of the mixture minus that of the next class, from 0 to 1.",
                buckets::MARGIN,
            )?,
            disagreements: registry.counter(
                "certimix_disagreements_total",
                "Inputs for which the standard and the robust model give different classes.",
            )?,
            votes: registry.counter("certimix_votes_total", "Votes counted for answered requests.")?,
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
            self.observe(prediction);
        }
    }

    fn observe(&self, prediction: &Prediction) {
        let certificate = &prediction.certificate;
        if certificate.status == CertificateStatus::Certified {
            self.radius.observe(certificate.radius);
        }
        match certificate.abstention {
            Some(AbstentionReason::RobustModelUnsure) => self.robust_model_unsure.inc(),
            Some(AbstentionReason::TooFewVotes) => self.too_few_votes.inc(),
            Some(AbstentionReason::Deadline) => self.abstained_at_deadline.inc(),
            Some(AbstentionReason::SnappingLoss) => self.snapping_loss.inc(),
            None => {}
        }
        match certificate.stop_reason {
            StopReason::TargetReached => self.target_reached.inc(),
            StopReason::TargetOutOfReach => self.target_out_of_reach.inc(),
            StopReason::VoteBudget => self.vote_budget.inc(),
            StopReason::Deadline => self.deadline.inc(),
            StopReason::ClassSettled => self.class_settled.inc(),
            StopReason::NotSampled => {}
        }
        match prediction.weight_rule {
            WeightRule::Alpha => self.weight_alpha.inc(),
            WeightRule::Fallback => self.weight_fallback.inc(),
        }
        self.margin.observe(margin(&prediction.mixed_logits));
        if prediction.standard_class != prediction.robust_class {
            self.disagreements.inc();
        }
    }
}

/// The difference of the two largest probabilities, whose logarithms are `mixed_logits`.
///
/// It compares probabilities because the standard model can move at most 1 - w of them, where w is
/// the weight of the robust model.
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
    fn the_margin_is_the_difference_of_the_two_largest_probabilities() {
        let logits = |probabilities: [f64; 3]| probabilities.map(f64::ln);
        assert!((margin(&logits([0.2, 0.7, 0.1])) - 0.5).abs() < 1e-12);
        assert!((margin(&logits([0.5, 0.1, 0.4])) - 0.1).abs() < 1e-12);
        assert_eq!(margin(&logits([0.4, 0.4, 0.2])), 0.0);
        assert_eq!(margin(&[0.0]), 1.0);
    }
}
