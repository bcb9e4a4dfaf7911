//! Checks the numbers of a record against what a server can have served.
//!
//! A record is a file that anybody may have written. Its numbers decide how long a command works and
//! how much memory it needs, so they are checked before they are used.

use anyhow::bail;

use crate::cli::client::PredictionRecord;
use crate::settings::{MAX_BATCH_SIZE, MAX_SELECTION_VOTES, MAX_VOTES};

/// The most values of one input.
const MAX_INPUT_VALUES: i64 = 1 << 24;

/// Checks every number of `record` that a command computes with.
///
/// # Errors
/// The first field that no server can have served, and what was expected.
pub(super) fn check_limits(record: &PredictionRecord) -> anyhow::Result<()> {
    check_counts(record)?;
    check_numbers(record)?;
    check_digests(record)?;
    check_lengths(record)
}

fn check_counts(record: &PredictionRecord) -> anyhow::Result<()> {
    let certificate = &record.certificate;
    let most_drawn = MAX_VOTES + MAX_SELECTION_VOTES;
    for (field, count, most) in [
        ("votes", certificate.votes, MAX_VOTES),
        ("selection_votes", certificate.selection_votes, MAX_SELECTION_VOTES),
        ("votes_drawn", certificate.votes_drawn, most_drawn),
        ("batch_size", certificate.batch_size.into(), MAX_BATCH_SIZE as u64),
    ] {
        if count > most {
            bail!("{field} is {count}, expected at most {most}");
        }
    }
    for (field, count) in [
        ("votes_for_class", certificate.votes_for_class),
        ("votes_for_runner_up", certificate.votes_for_runner_up),
    ] {
        if count > certificate.votes {
            bail!("{field} is {count}, expected at most votes = {}", certificate.votes);
        }
    }
    Ok(())
}

fn check_numbers(record: &PredictionRecord) -> anyhow::Result<()> {
    let (certificate, provenance) = (&record.certificate, &record.provenance);
    for (field, value) in [
        ("radius", certificate.radius),
        ("target_radius", certificate.target_radius),
        ("requested_target_radius", certificate.requested_target_radius),
        ("largest_possible_radius", certificate.largest_possible_radius),
        ("snapping_loss", certificate.snapping_loss),
        ("sigma", certificate.sigma),
        ("robust_temperature", provenance.robust_temperature),
    ] {
        if !(value.is_finite() && value >= 0.0) {
            bail!("{field} is {value}, expected a finite number of at least 0");
        }
    }
    let weights = [
        ("alpha", Some(provenance.alpha)),
        ("fallback_alpha", provenance.fallback_alpha),
        ("robust_weight", record.robust_weight),
        ("failure_probability", Some(certificate.failure_probability)),
        ("total_variation", Some(certificate.total_variation)),
        ("lower_bound", Some(certificate.lower_bound)),
        ("upper_bound", Some(certificate.upper_bound)),
    ];
    for (field, value) in weights {
        if let Some(value) = value
            && !(0.0..=1.0).contains(&value)
        {
            bail!("{field} is {value}, expected a number from 0 to 1");
        }
    }
    Ok(())
}

fn check_digests(record: &PredictionRecord) -> anyhow::Result<()> {
    for (field, digest) in [
        ("input_sha256", &record.input_sha256),
        ("noise_key", &record.certificate.noise_key),
        ("standard_model_sha256", &record.provenance.standard_model_sha256),
        ("robust_model_sha256", &record.provenance.robust_model_sha256),
    ] {
        // A certificate without votes has no key.
        let is_digest = digest.len() == 64 && digest.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !digest.is_empty() && !is_digest {
            bail!("{field} is {digest:?}, expected 64 hexadecimal digits");
        }
    }
    Ok(())
}

fn check_lengths(record: &PredictionRecord) -> anyhow::Result<()> {
    let values = record
        .input_shape
        .iter()
        .try_fold(1_i64, |product, &side| product.checked_mul(side.max(0)));
    if values.is_none_or(|values| values > MAX_INPUT_VALUES) {
        bail!(
            "input_shape is {:?}, expected at most {MAX_INPUT_VALUES} values",
            record.input_shape
        );
    }
    let classes = record.mixed_logits.len();
    for (field, length) in [
        ("standard_probabilities", record.standard_probabilities.len()),
        ("robust_probabilities", record.robust_probabilities.len()),
    ] {
        if length > 0 && classes > 0 && length != classes {
            bail!("{field} has {length} values, expected as many as mixed_logits: {classes}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::audit::test_records::certified_record;

    #[test]
    fn a_served_record_is_within_all_limits() {
        check_limits(&certified_record()).unwrap();
    }

    #[test]
    fn each_number_that_no_server_can_have_served_is_refused_by_name() {
        type Change = fn(&mut PredictionRecord);
        let changes: [(&str, Change); 18] = [
            ("votes", |record| record.certificate.votes = 1 << 63),
            ("selection_votes", |record| record.certificate.selection_votes = 1 << 63),
            ("votes_drawn", |record| record.certificate.votes_drawn = u64::MAX),
            ("batch_size", |record| record.certificate.batch_size = u32::MAX),
            ("votes_for_class", |record| record.certificate.votes_for_class = 1001),
            ("votes_for_runner_up", |record| {
                record.certificate.votes_for_runner_up = 1 << 63
            }),
            ("radius", |record| record.certificate.radius = f64::NAN),
            ("snapping_loss", |record| record.certificate.snapping_loss = -1.0),
            ("sigma", |record| record.certificate.sigma = f64::INFINITY),
            ("robust_temperature", |record| {
                record.provenance.robust_temperature = f64::NAN
            }),
            ("alpha", |record| record.provenance.alpha = 1.5),
            ("fallback_alpha", |record| record.provenance.fallback_alpha = Some(-0.5)),
            ("total_variation", |record| {
                record.certificate.total_variation = f64::NAN
            }),
            ("lower_bound", |record| record.certificate.lower_bound = 2.0),
            ("noise_key", |record| record.certificate.noise_key = "é".repeat(32)),
            ("input_sha256", |record| record.input_sha256 = "0".repeat(1 << 20)),
            ("input_shape", |record| record.input_shape = vec![i64::MAX, 2]),
            ("robust_probabilities", |record| {
                record.mixed_logits = vec![0.0; 3];
                record.robust_probabilities = vec![0.5; 2];
            }),
        ];
        for (field, change) in changes {
            let mut record = certified_record();
            change(&mut record);
            let error = check_limits(&record).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{field} ")), "{field}: {error}");
        }
    }
}
