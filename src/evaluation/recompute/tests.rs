//! The counts of many settings are those of the answers one by one.

use proptest::prelude::*;

use super::*;
use crate::domain::CertificateStatus;
use crate::evaluation::examples::{CLASSES, header, records};
use crate::evaluation::record::EvaluationRecord;

/// Counts the answers of `setting` one by one.
fn counted(recomputation: &Recomputation<'_>, setting: Setting, grid: &RadiusGrid) -> SettingSummary {
    let radii = grid.radii();
    let mut summary = SettingSummary::empty(setting, usize::try_from(CLASSES).unwrap(), radii.len());
    let standard_alone = setting.with_mixture(0.0, 0.0, 1.0).unwrap();
    let standard = recomputation.answers(&standard_alone).unwrap();
    let answers = recomputation.answers(&setting).unwrap();
    for ((record, answer), standard) in recomputation.records().iter().zip(answers).zip(standard) {
        let is_certified = answer.status == CertificateStatus::Certified;
        assert_eq!(is_certified, answer.radius > 0.0);
        summary.inputs += 1;
        // alpha = 0 is the standard model alone for a row. Votes may not settle its class, and the
        // standard model then answers too.
        summary.standard_agreements += u64::from(answer.class == standard.class);
        summary.certified += u64::from(is_certified);
        summary.abstained += u64::from(answer.status == CertificateStatus::Abstained);
        summary.unavailable += u64::from(answer.status == CertificateStatus::Unavailable);
        summary.unfinished += u64::from(answer.unfinished);
        if answer.votes > 0 {
            *summary.votes.entry(answer.votes).or_default() += 1;
        }
        let covers = |radius: f64| u64::from(is_certified && answer.radius >= radius);
        for (index, &radius) in radii.iter().enumerate() {
            summary.certified_at[index] += covers(radius);
        }
        let Some(label) = record.label else { continue };
        let label = usize::try_from(label).unwrap();
        let is_right = answer.class == label;
        summary.labelled += 1;
        summary.right += u64::from(is_right);
        summary.right_certified += u64::from(is_right && is_certified);
        summary.wrong_certified += u64::from(!is_right && is_certified);
        summary.classes[label].inputs += 1;
        summary.classes[label].right += u64::from(is_right);
        summary.classes[label].right_certified += u64::from(is_right && is_certified);
        for (index, &radius) in radii.iter().enumerate() {
            let by_radius = if is_right {
                &mut summary.right_certified_at
            } else {
                &mut summary.wrong_certified_at
            };
            by_radius[index] += covers(radius);
        }
    }
    summary
}

fn settings(of: Setting, weights: &[(f64, f64)], temperatures: &[f64]) -> Vec<Setting> {
    let pairs = temperatures
        .iter()
        .flat_map(|&t| weights.iter().map(move |&pair| (pair, t)));
    pairs
        .map(|((a, b), t)| of.with_mixture(a.max(b), a.min(b), t).unwrap())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn summaries_count_the_answers(
        is_smoothed in any::<bool>(),
        seed in any::<u64>(),
        target in prop_oneof![Just(None), (0.05..0.6_f64).prop_map(Some)],
        mut weights in prop::collection::vec((0.0..=1.0_f64, 0.0..=1.0_f64), 1..6),
        temperatures in prop::collection::vec(0.02..3.0_f64, 1..4),
    ) {
        // Settings that share an alpha, a weight or everything.
        weights.extend([(0.76, 0.0), (0.76, 0.76), (0.9, 0.0), (0.5, 0.0), (1.0, 1.0), (0.76, 0.0)]);
        let temperatures = if is_smoothed { vec![1.0] } else { temperatures };
        let mut header = header(is_smoothed);
        header.settings.predict_target_radius = target;
        let records = records(is_smoothed, 41, seed);
        let recomputation = Recomputation::new(&header, &records).unwrap();
        let grid = recomputation.radius_grid(&[0.1]).unwrap();
        let settings = settings(recomputation.in_force(), &weights, &temperatures);
        let summaries = recomputation.summaries(&settings, &grid, &|_| {}).unwrap();
        for (summary, setting) in summaries.iter().zip(settings) {
            prop_assert_eq!(summary, &counted(&recomputation, setting, &grid));
        }
    }
}

#[test]
fn records_that_do_not_fit_are_named() {
    let mut records = records(false, 3, 1);
    let check = |records: &[EvaluationRecord], expected: &str| {
        let error = Recomputation::new(&header(false), records)
            .err()
            .map(|error| error.to_string());
        let error = error.unwrap_or_default();
        assert!(error.contains("1#1") && error.contains(expected), "{error}");
    };
    let whole = records.clone();
    records[1].label = Some(CLASSES);
    check(&records, "label below 5");
    records = whole.clone();
    records[1].standard.pop();
    check(&records, "expected 5 outputs of the standard model, found 4");
    records = whole;
    records[1].robust = crate::domain::RobustOutput::Votes(vec![]);
    check(&records, "found votes");
}

#[test]
fn quantiles_and_means_of_votes_are_exact() {
    let mut summary = SettingSummary::empty(Recomputation::new(&header(true), []).unwrap().in_force(), 2, 0);
    assert_eq!((summary.mean_votes(), summary.votes_quantile(0.99)), (0.0, 0));
    summary.votes.extend([(10, 98), (20, 1), (500, 1)]);
    assert_eq!((summary.votes_quantile(0.5), summary.votes_quantile(0.99)), (10, 20));
    assert_eq!(summary.mean_votes(), 15.0);
}
