//! Recomputes the mixture of a served prediction: the weight of the robust model, and the mixed
//! logits.
//!
//! A record carries float32 roundings of the probabilities that the server mixed. Each recomputed
//! value is therefore an interval, and a served value outside it differs.

use super::comparison::FieldComparison;
use crate::certificate::{Alpha, LOG_FLOOR, MixingWeights, WeightRule, mixed_logits};
use crate::cli::client::{CertificateRecord, PredictionRecord};

/// The largest relative error of a float32 rounding.
const FLOAT32_ROUNDING: f64 = 1.0 / 16_777_216.0;

/// The largest absolute error of a float32 rounding close to 0, where floats have a fixed spacing.
const FLOAT32_SPACING: f64 = 1e-45;

/// Covers the rounding of the float64 functions, which may differ between machines.
const FLOAT64_ROUNDING: f64 = 1e-12;

/// Compares the mixture in `record` with the one that its weights, votes and probabilities give.
///
/// A record of an earlier server has one weight for every input, alpha. Values that the record does
/// not carry are not compared: without the probabilities of both models (`--components`) there are
/// no mixed logits to recompute.
///
/// # Errors
/// A text that names the field if the record contradicts itself: a weight out of its range, or
/// lists of different lengths.
pub(super) fn compare_mixture(record: &PredictionRecord) -> Result<Vec<FieldComparison>, String> {
    let weights = mixing_weights(record)?;
    let served_weight = record.robust_weight.unwrap_or(weights.alpha().get());
    let mut comparisons = Vec::new();
    if record.robust_weight.is_some() || record.provenance.fallback_alpha.is_some() {
        let expected = expected_weight(record, weights, served_weight);
        comparisons.push(FieldComparison::equal("robust_weight", &served_weight, &expected.get()));
    }
    comparisons.extend(compare_logits(record, served_weight)?);
    Ok(comparisons)
}

/// The weights of the record. A record without `fallback_alpha` has alpha for every input.
fn mixing_weights(record: &PredictionRecord) -> Result<MixingWeights, String> {
    let alpha = Alpha::new(record.provenance.alpha).map_err(|error| format!("provenance.{error}"))?;
    let Some(fallback_alpha) = record.provenance.fallback_alpha else {
        return Ok(MixingWeights::constant(alpha));
    };
    let weights = Alpha::new(fallback_alpha).and_then(|fallback_alpha| MixingWeights::new(alpha, fallback_alpha));
    weights.map_err(|_| {
        format!(
            "provenance.fallback_alpha is {fallback_alpha}, expected a number from 0 to alpha = {}",
            alpha.get()
        )
    })
}

/// The weight that the rule selects. Where the rounded margin does not decide, it is whichever of
/// the two weights was served.
fn expected_weight(record: &PredictionRecord, weights: MixingWeights, served: f64) -> Alpha {
    let margin = margin(record);
    let margin_needed = weights.alpha().margin_needed();
    let rule = if record.is_certified() || margin.low >= margin_needed {
        Some(WeightRule::Alpha)
    } else if margin.high < margin_needed {
        Some(WeightRule::Fallback)
    } else {
        None
    };
    let is_fallback = weights.fallback_alpha().get().to_bits() == served.to_bits();
    weights.weight(rule.unwrap_or(if is_fallback {
        WeightRule::Fallback
    } else {
        WeightRule::Alpha
    }))
}

/// A number between two bounds.
#[derive(Debug, Clone, Copy)]
struct Interval {
    low: f64,
    high: f64,
}

impl Interval {
    fn around(value: f64, error: f64) -> Self {
        Self {
            low: value - error,
            high: value + error,
        }
    }

    /// NaN lies in no interval.
    fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The margin `h_y - max_{i != y} h_i` of the robust model: from its probabilities, or from the
/// votes; without both it lies anywhere from 0 to 1.
fn margin(record: &PredictionRecord) -> Interval {
    let certificate = &record.certificate;
    if !record.robust_probabilities.is_empty() {
        margin_of_probabilities(&record.robust_probabilities)
    } else if certificate.votes > 0 {
        margin_of_votes(certificate)
    } else {
        Interval { low: 0.0, high: 1.0 }
    }
}

/// The rounding keeps the order, so the two largest floats are the roundings of the two largest
/// probabilities.
fn margin_of_probabilities(probabilities: &[f32]) -> Interval {
    let (mut largest, mut second) = (0.0_f64, 0.0_f64);
    for probability in probabilities.iter().copied().map(f64::from) {
        if probability > largest {
            (largest, second) = (probability, largest);
        } else if probability > second {
            second = probability;
        }
    }
    let rounding = (largest + second) * FLOAT32_ROUNDING + FLOAT64_ROUNDING;
    Interval::around(largest - second, rounding)
}

/// The margin of the vote shares. The two counts of a certificate are those of the selected class
/// and of the most frequent other one, among the estimation votes. A server may count all drawn
/// votes in its shares; the record does not tell the classes of the others.
fn margin_of_votes(certificate: &CertificateRecord) -> Interval {
    let others = certificate.votes_drawn.saturating_sub(certificate.votes);
    let (estimation, all) = (share_margin(certificate, 0), share_margin(certificate, others));
    Interval {
        low: if estimation.low < all.low {
            estimation.low
        } else {
            all.low
        },
        high: if estimation.high > all.high {
            estimation.high
        } else {
            all.high
        },
    }
}

/// The margin if `others` further votes count, of any class. If the selected class is not the most
/// frequent, the second largest count is at least that of the selected class, and at most what the
/// other counts leave.
#[expect(clippy::cast_precision_loss, reason = "votes stay far below 2^53")]
fn share_margin(certificate: &CertificateRecord, others: u64) -> Interval {
    let (of_class, of_other) = (certificate.votes_for_class, certificate.votes_for_runner_up);
    let left = certificate.votes.saturating_sub(of_class).saturating_sub(of_other);
    let (first, second) = (of_class.max(of_other), of_class.min(of_other));
    let most_second = if of_other > of_class {
        second.max(left.min(first))
    } else {
        second
    };
    let votes = certificate.votes.saturating_add(others).max(1) as f64;
    Interval {
        low: (first - most_second).saturating_sub(others) as f64 / votes - FLOAT64_ROUNDING,
        high: (first - second).saturating_add(others) as f64 / votes + FLOAT64_ROUNDING,
    }
}

/// Compares `f_i = ln((1 - w) g_i + w h_i)` for every class; `None` without the probabilities of
/// both models. The first class that differs is shown.
fn compare_logits(record: &PredictionRecord, weight: f64) -> Result<Option<FieldComparison>, String> {
    let (logits, standard, robust) = (
        &record.mixed_logits,
        &record.standard_probabilities,
        &record.robust_probabilities,
    );
    let Ok(weight) = Alpha::new(weight) else {
        // The comparison of the weight shows the error.
        return Ok(None);
    };
    if standard.is_empty() || robust.is_empty() {
        return Ok(None);
    }
    if standard.len() != logits.len() || robust.len() != logits.len() {
        return Err(format!(
            "mixed_logits, standard_probabilities and robust_probabilities have {}, {} and {} values, expected one for \
             each class",
            logits.len(),
            standard.len(),
            robust.len()
        ));
    }
    let of = |bound: fn(Interval) -> f64| {
        let logs =
            |probabilities: &[f32]| -> Vec<f64> { probabilities.iter().map(|&p| bound(log_interval(p))).collect() };
        mixed_logits(weight, &logs(standard), &logs(robust))
    };
    let (low, high) = (of(|interval| interval.low), of(|interval| interval.high));
    let recomputed = low.into_iter().zip(high).map(|(low, high)| Interval { low, high });
    let differing = logits.iter().zip(recomputed).enumerate().find(|(_, (served, exact))| {
        let served = f64::from(**served);
        let rounding = served.abs() * FLOAT32_ROUNDING + FLOAT64_ROUNDING;
        let widened = Interval {
            low: exact.low - rounding,
            high: exact.high + rounding,
        };
        !widened.contains(served)
    });
    let count = format!("{} values", logits.len());
    let (served, recomputed) = match differing {
        None => (count.clone(), count),
        Some((class, (served, exact))) => (
            format!("class {class}: {served}"),
            format!("class {class}: {:.7}", f64::midpoint(exact.low, exact.high)),
        ),
    };
    Ok(Some(FieldComparison::equal("mixed_logits", &served, &recomputed)))
}

/// The logarithms of all probabilities that round to `probability`. Probability 0 stands for the
/// floor.
fn log_interval(probability: f32) -> Interval {
    let probability = f64::from(probability);
    let exact = Interval::around(probability, probability.abs() * FLOAT32_ROUNDING + FLOAT32_SPACING);
    let log = |bound: f64| if bound > 0.0 { libm::log(bound) } else { LOG_FLOOR };
    Interval {
        low: log(exact.low),
        high: log(exact.high),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cli::audit::comparison::FieldStatus;
    use crate::cli::audit::test_records::{certified_record, mixed_record};

    fn differing(record: &PredictionRecord) -> Vec<&'static str> {
        let comparisons = compare_mixture(record).unwrap();
        let differing = comparisons
            .iter()
            .filter(|comparison| comparison.status == FieldStatus::Differs);
        differing.map(|comparison| comparison.field).collect()
    }

    /// The record of an uncertified prediction, with components.
    fn record(alpha: f64, fallback_alpha: f64, standard: &[f64], robust: &[f64]) -> PredictionRecord {
        let weights = MixingWeights::new(Alpha::new(alpha).unwrap(), Alpha::new(fallback_alpha).unwrap()).unwrap();
        mixed_record(weights, standard, robust)
    }

    #[test]
    fn the_served_mixture_holds_for_both_rules() {
        let standard = [0.1, 0.85, 0.05];
        let sure = record(0.75, 0.1, &standard, &[0.7, 0.2, 0.1]);
        let unsure = record(0.75, 0.1, &standard, &[0.5, 0.4, 0.1]);
        assert_eq!((sure.robust_weight, unsure.robust_weight), (Some(0.75), Some(0.1)));
        assert_eq!((sure.class_index, unsure.class_index), (0, 1));
        for record in [sure, unsure] {
            let comparisons = compare_mixture(&record).unwrap();
            let fields: Vec<_> = comparisons.iter().map(|comparison| comparison.field).collect();
            assert_eq!(fields, ["robust_weight", "mixed_logits"]);
            assert_eq!(differing(&record), Vec::<&str>::new());
        }
    }

    #[test]
    fn a_changed_mixture_differs() {
        let altered = |change: fn(&mut PredictionRecord)| {
            let mut record = record(0.75, 0.1, &[0.1, 0.85, 0.05], &[0.5, 0.4, 0.1]);
            change(&mut record);
            differing(&record)
        };
        assert_eq!(
            altered(|record| record.robust_weight = Some(0.75)),
            ["robust_weight", "mixed_logits"]
        );
        assert_eq!(
            altered(|record| record.robust_weight = None),
            ["robust_weight", "mixed_logits"]
        );
        assert_eq!(
            altered(|record| record.robust_weight = Some(f64::NAN)),
            ["robust_weight"]
        );
        assert_eq!(altered(|record| record.mixed_logits[2] *= 1.0 + 1e-6), ["mixed_logits"]);
        assert_eq!(altered(|record| record.mixed_logits[2] = f32::NAN), ["mixed_logits"]);
        assert_eq!(
            altered(|record| record.standard_probabilities[0] += 1e-6),
            ["mixed_logits"]
        );
        // The same probabilities call for alpha once the margin is large enough.
        assert_eq!(
            altered(|record| record.robust_probabilities = vec![0.7, 0.2, 0.1]),
            ["robust_weight", "mixed_logits"]
        );
    }

    #[test]
    fn a_certified_prediction_has_the_weight_alpha() {
        let mut record = certified_record();
        (record.provenance.fallback_alpha, record.robust_weight) = (Some(0.2), Some(0.76));
        assert_eq!(differing(&record), Vec::<&str>::new());
        record.robust_weight = Some(0.2);
        assert_eq!(differing(&record), ["robust_weight"]);
    }

    #[test]
    fn without_probabilities_the_votes_decide() {
        let with_others = |others: u64, votes: u64, of_class, of_other, weight| {
            let mut record = certified_record();
            record.certificate.status = "abstained".into();
            let certificate = &mut record.certificate;
            (certificate.votes, certificate.votes_for_class) = (votes, of_class);
            (certificate.votes_for_runner_up, certificate.votes_drawn) = (of_other, votes + others);
            (record.provenance.alpha, record.provenance.fallback_alpha) = (0.75, Some(0.2));
            record.robust_weight = Some(weight);
            differing(&record)
        };
        let weight = |votes, of_class, of_other, weight| with_others(0, votes, of_class, of_other, weight);
        let holds = Vec::<&str>::new();
        assert_eq!(weight(9, 6, 1, 0.75), holds);
        assert_eq!(weight(9, 6, 1, 0.2), ["robust_weight"]);
        assert_eq!(weight(9, 4, 2, 0.2), holds);
        assert_eq!(weight(9, 4, 2, 0.75), ["robust_weight"]);
        // A third class may have up to 3 of the votes, so the margin is not known.
        assert_eq!(
            (weight(9, 1, 5, 0.75), weight(9, 1, 5, 0.2)),
            (holds.clone(), holds.clone())
        );
        // Three selection votes leave the margin of all votes from 2/12 to 8/12.
        for served in [0.75, 0.2] {
            assert_eq!(with_others(3, 9, 6, 1, served), holds);
        }
        assert_eq!(with_others(3, 90, 80, 1, 0.2), ["robust_weight"]);
        // No other class is left.
        assert_eq!(
            (weight(9, 1, 8, 0.75), weight(9, 1, 8, 0.2)),
            (holds, vec!["robust_weight"])
        );
    }

    #[test]
    fn within_the_rounding_of_the_margin_both_weights_hold() {
        // mu = 1/3: the float32 nearest to 2/3 and 1/3 do not tell on which side the margin is.
        for weight in [0.75, 0.1] {
            let mut record = record(0.75, 0.1, &[0.5, 0.5], &[2.0 / 3.0, 1.0 / 3.0]);
            record.mixed_logits.clear();
            record.standard_probabilities.clear();
            record.robust_weight = Some(weight);
            assert_eq!(differing(&record), Vec::<&str>::new());
            record.robust_probabilities[0] += if weight > 0.5 { -1e-6 } else { 1e-6 };
            assert_eq!(differing(&record), ["robust_weight"], "{weight}");
        }
    }

    #[test]
    fn an_impossible_record_is_reported() {
        let error = |change: fn(&mut PredictionRecord)| {
            let mut record = record(0.75, 0.1, &[0.1, 0.9], &[0.4, 0.6]);
            change(&mut record);
            compare_mixture(&record).unwrap_err()
        };
        assert_eq!(
            error(|record| record.provenance.fallback_alpha = Some(0.8)),
            "provenance.fallback_alpha is 0.8, expected a number from 0 to alpha = 0.75"
        );
        assert!(error(|record| record.provenance.fallback_alpha = Some(f64::NAN)).contains("NaN"));
        assert!(error(|record| record.provenance.alpha = 1.5).contains("1.5"));
        assert!(error(|record| record.standard_probabilities.truncate(1)).contains("have 2, 1 and 2 values"));
    }

    /// Earlier servers mix every input with alpha, and send neither weight.
    #[test]
    fn a_record_of_an_earlier_server_holds() {
        for robust in [[0.7, 0.2, 0.1], [0.4, 0.35, 0.25]] {
            let mut record = record(0.75, 0.75, &[0.1, 0.85, 0.05], &robust);
            (record.robust_weight, record.provenance.fallback_alpha) = (None, None);
            let comparisons = compare_mixture(&record).unwrap();
            let fields: Vec<_> = comparisons.iter().map(|comparison| comparison.field).collect();
            assert_eq!(fields, ["mixed_logits"]);
            assert_eq!(differing(&record), Vec::<&str>::new());
            record.provenance.alpha = 0.7;
            assert_eq!(differing(&record), ["mixed_logits"]);
        }
        assert_eq!(compare_mixture(&certified_record()), Ok(Vec::new()));
    }

    proptest! {
        /// No rounding on the wire makes an honest record differ.
        #[test]
        fn every_served_mixture_holds(
            alpha in 0.0..=1.0_f64, share in prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0_f64],
            standard in prop::collection::vec(-800.0..0.0_f64, 4),
            robust in prop::collection::vec(prop_oneof![-800.0..0.0_f64, -3.0..0.0_f64], 4),
        ) {
            let probabilities = |logs: &[f64]| -> Vec<f64> {
                let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = logs.iter().map(|log| (log - largest).exp()).sum();
                logs.iter().map(|log| (log - largest).exp() / sum).collect()
            };
            let record = record(alpha, alpha * share, &probabilities(&standard), &probabilities(&robust));
            prop_assert_eq!(differing(&record), Vec::<&str>::new());
        }
    }
}
