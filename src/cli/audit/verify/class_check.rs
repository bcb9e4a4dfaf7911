//! Checks that a record's class is the class that its other fields name.
//!
//! Nothing in a certificate's counts names the class that they count, so another class beside them
//! would turn a true certificate into a false one.

use crate::cli::client::PredictionRecord;

/// Covers two float32 roundings, relative to the logit: that of the served one, and that of the
/// server's shares.
const FLOAT32_ROUNDINGS: f64 = 1.0 / 8_388_608.0;

/// Covers the rounding of the float64 functions.
const FLOAT64_ROUNDING: f64 = 1e-12;

/// The most that all probabilities of a mixture add up to. The server accepts a model's probabilities
/// whose sum is off by 0.001.
const LARGEST_SUM: f64 = 1.002;

/// Checks the class and its label. Values that the record does not carry are not compared.
///
/// A record does not carry the labels of all classes. One that names its true class carries that
/// class's label.
///
/// # Errors
/// A text that names the first field that contradicts another one.
pub(super) fn check_class(record: &PredictionRecord) -> Result<(), String> {
    let class = record.class_index;
    let classes = record.mixed_logits.len();
    if classes > 0 && index(class) >= classes {
        return Err(format!(
            "class_index is {class}, expected less than the {classes} classes of mixed_logits"
        ));
    }
    if let Some(true_label) = &record.true_label
        && record.true_class_index == Some(class)
        && *true_label != record.label
    {
        return Err(format!(
            "label is {:?}, expected {true_label:?}, the label of the true class, which has the same class_index {class}",
            record.label
        ));
    }
    if record.is_certified() {
        check_certified_class(record)
    } else {
        Ok(())
    }
}

/// A certificate is about the class of the robust model, `argmax h`.
fn check_certified_class(record: &PredictionRecord) -> Result<(), String> {
    let class = record.class_index;
    if class != record.robust_class_index {
        return Err(format!(
            "class_index is {class}, expected robust_class_index = {}, which a certificate is about",
            record.robust_class_index
        ));
    }
    // Older servers name no source.
    if !matches!(record.class_source.as_str(), "" | "certificate") {
        return Err(format!(
            "class_source is {:?}, expected \"certificate\": the status is certified",
            record.class_source
        ));
    }
    check_largest(class, "robust_probabilities", &record.robust_probabilities)?;
    if matches!(record.certificate.method.as_str(), "tight" | "theorem2") {
        check_vote_share(record)
    } else {
        check_largest(class, "mixed_logits", &record.mixed_logits)
    }
}

/// Checks that the class has the largest of `values`. The rounding to float32 keeps the order of two
/// numbers, though it may make them equal.
fn check_largest(class: u32, field: &str, values: &[f32]) -> Result<(), String> {
    let Some(of_class) = values.get(index(class)) else {
        return Ok(());
    };
    match values.iter().position(|value| value > of_class || value.is_nan()) {
        None => Ok(()),
        Some(other) => Err(format!(
            "class_index is {class}, expected the largest of {field}: it has {of_class} there, and {} at {other}",
            values.get(other).copied().unwrap_or(f32::NAN)
        )),
    }
}

/// Checks `f_y >= ln(alpha S / n)` for S = `votes_for_class` of n votes: the mixture is at least
/// alpha times the share of the votes. The sum over all classes is 1, so hardly another class has as
/// much.
///
/// The shares count the selection votes too. A server may count all votes that it drew.
#[expect(clippy::cast_precision_loss, reason = "votes stay far below 2^53")]
fn check_vote_share(record: &PredictionRecord) -> Result<(), String> {
    let certificate = &record.certificate;
    let Some(logit) = record
        .mixed_logits
        .get(index(record.class_index))
        .copied()
        .map(f64::from)
    else {
        return Ok(());
    };
    let sum: f64 = record.mixed_logits.iter().map(|&logit| libm::exp(logit.into())).sum();
    if sum.is_nan() || sum > LARGEST_SUM {
        return Err(format!(
            "mixed_logits are the logarithms of numbers whose sum is {sum:.3}, expected 1 at most"
        ));
    }
    let counted = certificate.selection_votes.saturating_add(certificate.votes);
    let votes = counted.max(certificate.votes_drawn).max(1);
    let least = libm::log(record.provenance.alpha * certificate.votes_for_class as f64 / votes as f64);
    let rounding = logit.abs() * FLOAT32_ROUNDINGS + FLOAT64_ROUNDING;
    if logit + rounding >= least {
        return Ok(());
    }
    Err(format!(
        "class_index is {}, but mixed_logits has {logit} there, expected at least {least:.7}: alpha times the share of \
         votes_for_class",
        record.class_index
    ))
}

fn index(class: u32) -> usize {
    usize::try_from(class).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::audit::test_records::{Change, assert_holds, assert_refused, certified_record};

    #[test]
    fn another_class_is_refused() {
        let changes: [(&str, Change); 10] = [
            ("expected robust_class_index = 3", |record| record.class_index = 2),
            ("expected robust_class_index = 2", |record| {
                record.robust_class_index = 2
            }),
            ("mixed_logits has -3", |record| {
                (record.class_index, record.robust_class_index) = (2, 2);
            }),
            ("expected less than the 4 classes", |record| {
                (record.class_index, record.robust_class_index) = (4, 4);
            }),
            ("whose sum is 4.000", |record| record.mixed_logits.fill(0.0)),
            ("whose sum is NaN", |record| record.mixed_logits[3] = f32::NAN),
            ("expected \"certificate\"", |record| {
                record.class_source = "mixture".into()
            }),
            (
                "expected the largest of robust_probabilities: it has 0.4 there, and 0.6 at 0",
                |record| {
                    record.robust_probabilities = vec![0.6, 0.0, 0.0, 0.4];
                },
            ),
            (
                "expected the largest of mixed_logits: it has -1 there, and -0.5 at 1",
                |record| {
                    record.certificate.method = "logit_lipschitz".into();
                    record.mixed_logits = vec![-3.0, -0.5, -3.0, -1.0];
                },
            ),
            ("expected \"cat\", the label of the true class", |record| {
                (record.true_class_index, record.true_label) = (Some(3), Some("cat".into()));
                record.label = "dog".into();
            }),
        ];
        assert_refused(check_class, &changes);
    }

    #[test]
    fn a_genuine_class_holds() {
        let changes: [Change; 6] = [
            |_| {},
            // Older servers name no source, and a few records carry no logits.
            |record| record.class_source.clear(),
            |record| record.mixed_logits.clear(),
            |record| record.robust_probabilities = vec![0.0, 0.0, 0.5, 0.5],
            |record| record.certificate.method = "logit_lipschitz".into(),
            // The true class is another one, whose label two classes may have.
            |record| (record.true_class_index, record.true_label) = (Some(2), Some("cat".into())),
        ];
        assert_holds(check_class, &changes);
    }

    /// The votes of the class are all in the mixture, whatever the standard model adds.
    #[test]
    fn the_share_of_the_votes_is_enough() {
        for votes_drawn in [1032, 2000] {
            let mut record = certified_record();
            record.certificate.votes_drawn = votes_drawn;
            let least = (0.76 * 980.0 / f64::from(u32::try_from(votes_drawn).unwrap())).ln() as f32;
            record.mixed_logits[3] = least;
            assert_eq!(check_class(&record), Ok(()));
            record.mixed_logits[3] = least - 1e-5;
            assert!(check_class(&record).is_err());
        }
    }

    #[test]
    fn the_class_of_an_uncertified_record_is_its_own() {
        let mut record = certified_record();
        record.certificate.status = "abstained".into();
        (record.class_index, record.class_source) = (2, "standard_model".into());
        assert_eq!(check_class(&record), Ok(()));
    }
}
