//! The counters of one mixture.

use super::radius_histogram::RadiusHistogram;
use super::shadow_prediction::{ServedPrediction, ShadowPrediction};

/// The counters of one mixture over the inputs of a counting window.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ShadowCounts {
    /// Inputs that were answered and evaluated. The number is the same for every mixture of a report.
    pub inputs: u64,
    /// Predictions with the class that was served.
    pub agreements: u64,
    /// Predictions with the class that the standard model alone would predict. Without known
    /// labels, this number indicates the accuracy.
    pub standard_agreements: u64,
    /// Predictions with a certificate.
    pub certified: u64,
    /// Certified predictions whose input was served without a certificate.
    pub gained: u64,
    /// Predictions without a certificate whose input was served with one. `certified` equals
    /// `certified` of the serving row plus `gained` minus `lost`.
    pub lost: u64,
    /// Inputs for which the rule of this mixture would draw more votes than were recorded. Their
    /// radius and votes are those of the recorded votes.
    pub unfinished: u64,
    /// Unfinished inputs without a certificate so far. A run with this mixture may certify up to that
    /// many more.
    pub open: u64,
    /// Open inputs that would be certified if all votes of the budget were distributed as the
    /// recorded ones are. An estimate.
    pub likely: u64,
    /// Estimation votes that the rule of this mixture would draw, up to the recorded ones; 0 without
    /// votes.
    pub votes: u64,
    /// The certified radii, in the units of the float input.
    pub radii: RadiusHistogram,
}

impl ShadowCounts {
    /// Counts `prediction` for an input that was answered with `served`.
    pub(super) fn add(&mut self, prediction: &ShadowPrediction, served: &ServedPrediction) {
        let (certified, was_certified) = (prediction.radius > 0.0, served.radius > 0.0);
        self.inputs += 1;
        self.agreements += u64::from(prediction.class == served.class);
        self.standard_agreements += u64::from(prediction.class == served.standard_class);
        self.certified += u64::from(certified);
        self.gained += u64::from(certified && !was_certified);
        self.lost += u64::from(!certified && was_certified);
        let open = prediction.unfinished && !certified;
        self.unfinished += u64::from(prediction.unfinished);
        self.open += u64::from(open);
        self.likely += u64::from(open && prediction.likely);
        self.votes = self.votes.saturating_add(prediction.votes);
        if certified {
            self.radii.add(prediction.radius);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gained_minus_lost_is_the_difference_of_the_certified_counts() {
        let (mut serving, mut candidate) = (ShadowCounts::default(), ShadowCounts::default());
        let prediction = |class, radius| ShadowPrediction {
            class,
            radius,
            votes: 7,
            unfinished: true,
            likely: class == 1,
        };
        for (class, radius, served_radius) in [(0, 0.1, 0.0), (1, 0.0, 0.2), (1, 0.3, 0.3), (2, 0.4, 0.0)] {
            let served = ServedPrediction {
                class: 1,
                standard_class: 2,
                radius: served_radius,
                votes: 7,
            };
            serving.add(&served.as_shadow(), &served);
            candidate.add(&prediction(class, radius), &served);
        }
        assert_eq!((serving.inputs, serving.agreements, serving.certified), (4, 4, 2));
        assert_eq!((serving.gained, serving.lost, serving.votes), (0, 0, 28));
        assert_eq!((candidate.agreements, candidate.standard_agreements), (2, 1));
        assert_eq!((candidate.certified, candidate.gained, candidate.lost), (3, 2, 1));
        assert_eq!((candidate.unfinished, candidate.open, candidate.likely), (4, 1, 1));
        assert_eq!(candidate.radii.buckets.iter().sum::<u64>(), 3);
    }
}
