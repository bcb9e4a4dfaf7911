//! What a run says in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::client::results::prediction_record::Record;
use crate::cli::client::results::table;

/// Reasons shown; the rest is counted.
const MAX_REASONS: usize = 3;

/// The last lines: how many right, how many proven, under which configuration, and why some are not proven.
pub(crate) fn summary(records: &[Record], elapsed: Duration) -> Vec<String> {
    if records.is_empty() {
        return Vec::new();
    }
    let mut parts = vec![correct(records), certified(records)];
    parts.push(format!(
        "alpha {}",
        distinct(records, |record| record.provenance.alpha.to_string())
    ));
    parts.push(format!(
        "config {}",
        distinct(records, |record| short_revision(&record.provenance.config_revision))
    ));
    parts.push(format!("{:.1} s", elapsed.as_secs_f64()));
    let mut lines = vec![parts.join(" · ")];
    lines.extend(reasons(records));
    lines.extend(meanings(records));
    lines.extend(caveats(records));
    lines
}

fn correct(records: &[Record]) -> String {
    let known: Vec<bool> = records.iter().filter_map(Record::is_correct).collect();
    if known.is_empty() {
        return format!("{} inputs, true classes unknown", records.len());
    }
    let right = known.iter().filter(|&&right| right).count();
    format!("{right} of {} correct", known.len())
}

fn certified(records: &[Record]) -> String {
    let proven: Vec<&Record> = records.iter().filter(|record| record.is_certified()).collect();
    let mut radii: Vec<f64> = proven.iter().map(|record| record.certificate.radius).collect();
    let Some(median) = median(&mut radii) else {
        return "none certified".to_owned();
    };
    let norm = distinct(records, |record| record.certificate.norm.clone());
    format!(
        "{} certified, median radius {} ({norm})",
        proven.len(),
        table::radius(median)
    )
}

/// The lower of the two in the middle, so that the number is one that was served.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

/// The first 12 digits are enough to tell two configurations apart.
pub(crate) fn short_revision(revision: &str) -> String {
    revision.chars().take(12).collect()
}

/// One value, or all of them where the configuration changed while the command ran.
fn distinct(records: &[Record], of: impl Fn(&Record) -> String) -> String {
    let mut values: Vec<String> = Vec::new();
    for value in records.iter().map(of) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values.join(", then ")
}

fn reasons(records: &[Record]) -> Vec<String> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for record in records.iter().filter(|record| !record.is_certified()) {
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

/// What the words and numbers of the column "certificate" mean, each that is there once.
fn meanings(records: &[Record]) -> Vec<String> {
    let certified = || records.iter().filter(|record| record.is_certified());
    let mut lines: Vec<String> = Vec::new();
    for certificate in certified().map(|record| &record.certificate).filter(|of| of.votes > 0) {
        let delta = certificate.failure_probability;
        let line = format!(
            "{}: the probability, over the server's own noise, that one certificate is right; of N such, all are right with at \
             least 1 - N x {delta:e}",
            table::confidence(delta)
        );
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let count = |holds: &dyn Fn(&Record) -> bool| certified().filter(|record| holds(record)).count();
    if count(&|record| record.certificate.basis == "claimed") > 0 {
        lines.push(
            "claimed: the radius is right if the model's manifest is; `certimix info` says what a proof lacks"
                .to_owned(),
        );
    }
    if count(&|record| record.certificate.basis == "proven" && record.certificate.votes == 0) > 0 {
        lines.push("proven: by a signed record about exactly this model, which the server has verified".to_owned());
    }
    match count(&|record| record.certificate.whole_range) {
        0 => {}
        whole => lines.push(format!(
            "{whole} cover the whole input range: no other input is further away"
        )),
    }
    lines
}

fn caveats(records: &[Record]) -> Vec<String> {
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
    use crate::cli::client::results::prediction_record::tests::example;

    #[test]
    fn one_line_says_it_all() {
        let mut wrong = example();
        wrong.label = "dog".into();
        wrong.certificate.radius = 0.1;
        let lines = summary(&[example(), wrong], Duration::from_millis(1250));
        let expected =
            "1 of 2 correct · 2 certified, median radius 0.1000 (l2) · alpha 0.76 · config 0123456789ab · 1.2 s";
        let meaning = "99.9999 %: the probability, over the server's own noise, that one certificate is right; of N such, all are \
                       right with at least 1 - N x 1e-6";
        assert_eq!(lines, [expected, meaning]);
    }

    #[test]
    fn reasons_are_counted_and_a_changed_configuration_is_told() {
        let mut records: Vec<Record> = (0..5).map(|_| example()).collect();
        for (record, reason) in records.iter_mut().zip(["few votes", "few votes", "a", "b", "c"]) {
            record.certificate.status = "abstained".into();
            record.certificate.reason = reason.into();
            record.true_label = None;
        }
        records[4].provenance.config_revision = "fff".into();
        let lines = summary(&records, Duration::ZERO);
        assert!(
            lines[0].starts_with("5 inputs, true classes unknown · none certified"),
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
    fn nothing_gives_nothing() {
        assert!(summary(&[], Duration::ZERO).is_empty());
    }

    #[test]
    fn a_claim_is_told_from_a_proof_and_the_whole_range_from_a_number() {
        let lipschitz = |basis: &str, whole_range| {
            let mut record = example();
            record.certificate.votes = 0;
            record.certificate.method = "logit_lipschitz".into();
            record.certificate.basis = basis.into();
            record.certificate.whole_range = whole_range;
            record
        };
        let claimed = meanings(&[lipschitz("claimed", true), lipschitz("claimed", false)]);
        assert!(
            claimed[0].starts_with("claimed: ") && claimed[1].starts_with("1 cover the whole"),
            "{claimed:?}"
        );
        assert_eq!(claimed.len(), 2);
        let proven = meanings(&[lipschitz("proven", false)]);
        assert!(proven.len() == 1 && proven[0].starts_with("proven: "), "{proven:?}");
    }
}
