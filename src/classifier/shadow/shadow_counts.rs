//! What is counted of one alpha.

use super::observation::ServedPrediction;
use super::radius_histogram::RadiusHistogram;

/// What one alpha would have answered to one input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::classifier) struct ShadowPrediction {
    pub(in crate::classifier) class: usize,
    /// 0 if not certified.
    pub(in crate::classifier) radius: f64,
    /// Estimation votes that its own rule would have drawn, as far as they were drawn.
    pub(in crate::classifier) votes: u64,
    /// Whether its own rule would have drawn more than there are.
    pub(in crate::classifier) unfinished: bool,
    /// Whether it would be certified if all votes of the budget fell as those that there are. An estimate.
    pub(in crate::classifier) likely: bool,
}

/// Counts of one alpha over the inputs of an era.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ShadowCounts {
    /// Inputs that were answered and judged: the same for every alpha of a report.
    pub inputs: u64,
    /// The class that was served.
    pub agreements: u64,
    /// The class that the standard model alone would have answered: where no labels are known, a hint at the accuracy.
    pub standard_agreements: u64,
    /// Answers that would have been certified.
    pub certified: u64,
    /// Of those, the ones that were served without a certificate.
    pub gained: u64,
    /// Answers without a certificate that were served with one. `certified` is that of the serving row, plus `gained`, minus `lost`.
    pub lost: u64,
    /// Inputs for which its own rule would have drawn more votes than there are: radius and votes are those up to there.
    pub unfinished: u64,
    /// Of those, the ones that are not certified so far: its own run may certify that many more.
    pub open: u64,
    /// Of those, the ones that it would certify if all votes of the budget fell as those that there are. An estimate.
    pub likely: u64,
    /// Estimation votes that its own rule would have drawn, as far as they were drawn; 0 without votes.
    pub votes: u64,
    /// The certified radii, in the units of the float input.
    pub radii: RadiusHistogram,
}

impl ShadowCounts {
    /// Counts `verdict` beside what was served.
    pub(in crate::classifier) fn add(&mut self, verdict: &ShadowPrediction, served: &ServedPrediction) {
        let (certified, was_certified) = (verdict.radius > 0.0, served.radius > 0.0);
        self.inputs += 1;
        self.agreements += u64::from(verdict.class == served.class);
        self.standard_agreements += u64::from(verdict.class == served.standard_class);
        self.certified += u64::from(certified);
        self.gained += u64::from(certified && !was_certified);
        self.lost += u64::from(!certified && was_certified);
        let open = verdict.unfinished && !certified;
        self.unfinished += u64::from(verdict.unfinished);
        self.open += u64::from(open);
        self.likely += u64::from(open && verdict.likely);
        self.votes = self.votes.saturating_add(verdict.votes);
        if certified {
            self.radii.add(verdict.radius);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gained_and_lost_makes_the_difference() {
        let (mut serving, mut candidate) = (ShadowCounts::default(), ShadowCounts::default());
        let verdict = |class, radius| ShadowPrediction {
            class,
            radius,
            votes: 7,
            unfinished: true,
            likely: class == 1,
        };
        for (class, radius, was) in [(0, 0.1, 0.0), (1, 0.0, 0.2), (1, 0.3, 0.3), (2, 0.4, 0.0)] {
            let served = ServedPrediction {
                class: 1,
                standard_class: 2,
                radius: was,
                votes: 7,
            };
            serving.add(&served.verdict(), &served);
            candidate.add(&verdict(class, radius), &served);
        }
        assert_eq!((serving.inputs, serving.agreements, serving.certified), (4, 4, 2));
        assert_eq!((serving.gained, serving.lost, serving.votes), (0, 0, 28));
        assert_eq!((candidate.agreements, candidate.standard_agreements), (2, 1));
        assert_eq!((candidate.certified, candidate.gained, candidate.lost), (3, 2, 1));
        assert_eq!((candidate.unfinished, candidate.open, candidate.likely), (4, 1, 1));
        assert_eq!(candidate.radii.buckets.iter().sum::<u64>(), 3);
    }
}
