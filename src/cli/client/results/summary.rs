//! The summary below the table.

use std::collections::BTreeMap;
use std::time::Duration;

use super::prediction_record::PredictionRecord;
use super::text_format::{confidence_percent, rounded_radius, short_revision};
use crate::cli::text_layout::count_of;

/// The number of reasons that are listed. The others are counted together.
const MAX_REASONS: usize = 3;

/// The lines of the summary: the correct and the certified predictions, the configuration, and the
/// reasons for missing certificates. `failed` is the number of inputs without a result. The lines
/// are not wrapped.
pub(super) fn summary_lines(records: &[PredictionRecord], failed: usize, elapsed: Duration) -> Vec<String> {
    if records.is_empty() {
        return Vec::new();
    }
    let mut parts = vec![correct_text(records), certified_text(records)];
    if failed > 0 {
        parts.push(format!("{failed} without a result"));
    }
    parts.push(format!("alpha {}", distinct_values(records, weights_text)));
    parts.push(format!(
        "config {}",
        distinct_values(records, |record| short_revision(&record.provenance.config_revision))
    ));
    parts.push(format!("{:.1} s", elapsed.as_secs_f64()));
    let mut lines = vec![parts.join(" · ")];
    lines.extend(reason_lines(records));
    lines.extend(legend_lines(records));
    lines.extend(caveat_lines(records));
    lines
}

/// The weights of the robust model: alpha, and `fallback_alpha` where it differs.
fn weights_text(record: &PredictionRecord) -> String {
    let alpha = record.provenance.alpha;
    match record.provenance.fallback_alpha {
        Some(fallback_alpha) if fallback_alpha < alpha => format!("{alpha} (fallback {fallback_alpha})"),
        _ => alpha.to_string(),
    }
}

fn correct_text(records: &[PredictionRecord]) -> String {
    let known: Vec<bool> = records.iter().filter_map(PredictionRecord::is_correct).collect();
    if known.is_empty() {
        let unknown = if records.len() == 1 { "class" } else { "classes" };
        return format!("{}, true {unknown} unknown", count_of(records.len(), "input"));
    }
    let correct = known.iter().filter(|&&correct| correct).count();
    format!("{correct} of {} correct", known.len())
}

fn certified_text(records: &[PredictionRecord]) -> String {
    let certified: Vec<&PredictionRecord> = records.iter().filter(|record| record.is_certified()).collect();
    let mut radii: Vec<f64> = certified.iter().map(|record| record.certificate.radius).collect();
    let Some(median) = median(&mut radii) else {
        return "none certified".to_owned();
    };
    let norm = distinct_values(records, |record| record.certificate.norm.clone());
    format!(
        "{} certified, median radius {} ({norm})",
        certified.len(),
        rounded_radius(median)
    )
}

/// The median; of two middle values the lower one, so that the result is a served radius.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

/// The distinct values of a field, in order. There are several if the configuration changed while
/// the command ran.
fn distinct_values(records: &[PredictionRecord], field: impl Fn(&PredictionRecord) -> String) -> String {
    let mut values: Vec<String> = Vec::new();
    for value in records.iter().map(field) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values.join(", then ")
}

/// The reasons for missing certificates: the kinds of abstentions in one line, and the other
/// reasons, the most frequent first.
fn reason_lines(records: &[PredictionRecord]) -> Vec<String> {
    let has_kind = |record: &&PredictionRecord| !record.certificate.abstention_reason.is_empty();
    let abstained: Vec<&PredictionRecord> = records.iter().filter(has_kind).collect();
    let others = records
        .iter()
        .filter(|record| !has_kind(record) && !record.is_certified());
    let mut lines: Vec<String> = abstention_line(&abstained).into_iter().collect();
    lines.extend(other_reason_lines(others));
    lines
}

/// "9 abstained: 7 robust model unsure, 2 too few votes". Abstentions with one reason show it whole.
fn abstention_line(abstained: &[&PredictionRecord]) -> Option<String> {
    let first = &abstained.first()?.certificate;
    let total = abstained.len();
    if abstained.iter().all(|record| record.certificate.reason == first.reason) {
        return Some(format!("{total} abstained: {}", first.reason));
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for record in abstained {
        *counts.entry(&record.certificate.abstention_reason).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let kinds: Vec<String> = counts
        .into_iter()
        .map(|(kind, count)| format!("{count} {}", kind.replace('_', " ")))
        .collect();
    Some(format!(
        "{total} abstained: {} (--json gives each reason)",
        kinds.join(", ")
    ))
}

fn other_reason_lines<'a>(records: impl Iterator<Item = &'a PredictionRecord>) -> Vec<String> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for record in records {
        *counts
            .entry((&record.certificate.status, &record.certificate.reason))
            .or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let shown = counts.iter().take(MAX_REASONS);
    let mut lines: Vec<String> = shown
        .map(|((status, reason), count)| format!("{count} {status}: {reason}"))
        .collect();
    let rest: usize = counts.iter().skip(MAX_REASONS).map(|(_, count)| count).sum();
    if rest > 0 {
        lines.push(format!("{rest} more not certified: --json gives each reason"));
    }
    lines
}

/// Explains the words and numbers in the column "certificate", each once.
fn legend_lines(records: &[PredictionRecord]) -> Vec<String> {
    let certified = || records.iter().filter(|record| record.is_certified());
    let mut lines: Vec<String> = Vec::new();
    for certificate in certified()
        .map(|record| &record.certificate)
        .filter(|certificate| certificate.votes > 0)
    {
        let delta = certificate.failure_probability;
        let line = format!(
            "{}: the probability, over the server's own noise, that one certificate is right; of N such, all are right with at \
             least 1 - N x {delta:e}",
            confidence_percent(delta)
        );
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let count = |matches: &dyn Fn(&PredictionRecord) -> bool| certified().filter(|record| matches(record)).count();
    if count(&|record| record.certificate.basis == "claimed") > 0 {
        lines.push(
            "claimed: the radius is correct if the model's manifest is; `certimix info` shows what a proof lacks"
                .to_owned(),
        );
    }
    if count(&|record| record.certificate.basis == "proven" && record.certificate.votes == 0) > 0 {
        lines.push("proven: by a signed record about exactly this model, which the server has verified".to_owned());
    }
    match count(&|record| record.certificate.whole_range) {
        0 => {}
        whole => lines.push(format!(
            "{whole} {} the whole input range: no other input is further away",
            if whole == 1 { "covers" } else { "cover" }
        )),
    }
    lines
}

/// Each caveat once. An asterisk in the table refers to it.
fn caveat_lines(records: &[PredictionRecord]) -> Vec<String> {
    let mut caveats: Vec<String> = Vec::new();
    for record in records {
        let line = format!("* {}", record.certificate.caveat);
        if !record.certificate.caveat.is_empty() && !caveats.contains(&line) {
            caveats.push(line);
        }
    }
    caveats
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::results::prediction_record::tests::certified_record;

    #[test]
    fn the_first_line_summarizes_all_records() {
        let mut wrong = certified_record();
        (wrong.label, wrong.class_index) = ("dog".into(), 5);
        wrong.certificate.radius = 0.1;
        let lines = summary_lines(&[certified_record(), wrong], 0, Duration::from_millis(1250));
        let expected =
            "1 of 2 correct · 2 certified, median radius 0.1000 (l2) · alpha 0.76 · config 0123456789ab · 1.2 s";
        let legend = "99.9999 %: the probability, over the server's own noise, that one certificate is right; of N such, all are \
                       right with at least 1 - N x 1e-6";
        assert_eq!(lines, [expected, legend]);
    }

    #[test]
    fn reasons_are_counted_and_configuration_changes_are_shown() {
        let mut records: Vec<PredictionRecord> = (0..5).map(|_| certified_record()).collect();
        for (record, reason) in records.iter_mut().zip(["few votes", "few votes", "a", "b", "c"]) {
            record.certificate.status = "abstained".into();
            record.certificate.reason = reason.into();
            (record.true_label, record.true_class_index) = (None, None);
        }
        records[4].provenance.config_revision = "fff".into();
        let lines = summary_lines(&records, 3, Duration::ZERO);
        assert!(
            lines[0].starts_with("5 inputs, true classes unknown · none certified · 3 without a result · alpha"),
            "{lines:?}"
        );
        assert!(lines[0].contains("config 0123456789ab, then fff"), "{lines:?}");
        assert_eq!(
            lines[1..5],
            [
                "2 abstained: few votes",
                "1 abstained: a",
                "1 abstained: b",
                "1 more not certified: --json gives each reason"
            ]
        );
    }

    #[test]
    fn abstentions_are_counted_by_their_kind() {
        let abstained = |kind: &str, reason: &str| {
            let mut record = certified_record();
            record.certificate.status = "abstained".into();
            record.certificate.abstention_reason = kind.into();
            record.certificate.reason = reason.into();
            record
        };
        let unsure = |reason| abstained("robust_model_unsure", reason);
        let records = [
            unsure("a"),
            abstained("too_few_votes", "b"),
            unsure("c"),
            certified_record(),
        ];
        assert_eq!(
            reason_lines(&records),
            ["3 abstained: 2 robust model unsure, 1 too few votes (--json gives each reason)"]
        );
        assert_eq!(reason_lines(&[unsure("a"), unsure("a")]), ["2 abstained: a"]);
    }

    #[test]
    fn a_smaller_fallback_alpha_is_shown() {
        let mut records = [certified_record(), certified_record()];
        records[1].provenance.fallback_alpha = Some(0.1);
        let [first, second] = records.each_ref().map(weights_text);
        assert_eq!((first.as_str(), second.as_str()), ("0.76", "0.76 (fallback 0.1)"));
    }

    #[test]
    fn without_records_there_is_no_summary() {
        assert!(summary_lines(&[], 0, Duration::ZERO).is_empty());
    }

    #[test]
    fn claims_proofs_and_whole_range_radii_are_explained() {
        let lipschitz = |basis: &str, whole_range| {
            let mut record = certified_record();
            record.certificate.votes = 0;
            record.certificate.method = "logit_lipschitz".into();
            record.certificate.basis = basis.into();
            record.certificate.whole_range = whole_range;
            record
        };
        let claimed = legend_lines(&[lipschitz("claimed", true), lipschitz("claimed", false)]);
        assert!(
            claimed[0].starts_with("claimed: ") && claimed[1].starts_with("1 covers the whole"),
            "{claimed:?}"
        );
        assert_eq!(claimed.len(), 2);
        let proven = legend_lines(&[lipschitz("proven", false)]);
        assert!(proven.len() == 1 && proven[0].starts_with("proven: "), "{proven:?}");
    }
}
