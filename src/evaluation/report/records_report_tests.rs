//! Tests of the report of records: its numbers are those of the recomputation.

use super::data::{MixtureResult, ReportData};
use super::html_page::html_page;
use super::records_report::RecordsReport;
use crate::domain::RobustOutput;
use crate::evaluation::examples::{header, records};
use crate::evaluation::recompute::{RadiusGrid, Recomputation, Setting};
use crate::evaluation::record::{EvaluationHeader, EvaluationRecord};

fn report_of(header: &EvaluationHeader, records: &[EvaluationRecord], recommended: Option<[f64; 3]>) -> ReportData {
    let recomputation = Recomputation::new(header, records).unwrap();
    let setting = |[alpha, fallback, temperature]: [f64; 3]| {
        recomputation
            .in_force()
            .with_mixture(alpha, fallback, temperature)
            .unwrap()
    };
    RecordsReport {
        header,
        recomputation: &recomputation,
        recommended: recommended.map(setting),
        radius: Some(0.25),
        settings_file: "certimix.toml",
    }
    .compute(&|_| {})
    .unwrap()
}

fn setting_of(recomputation: &Recomputation<'_>, mixture: &MixtureResult) -> Setting {
    recomputation
        .in_force()
        .with_mixture(mixture.alpha, mixture.fallback_alpha, mixture.robust_temperature)
        .unwrap()
}

#[test]
fn every_number_of_a_mixture_is_that_of_its_summary() {
    for is_smoothed in [false, true] {
        let (header, records) = (header(is_smoothed), records(is_smoothed, 60, 3));
        let data = report_of(&header, &records, Some([0.83, 0.1, 1.0]));
        let all = Recomputation::new(&header, &records).unwrap();
        let labelled = all.with_records(|record| record.label.is_some());
        let grid = RadiusGrid::new(data.radii[1..].to_vec()).unwrap();
        assert!(data.labelled && data.inputs == labelled.records().len() as u64);
        assert!(
            data.notes.iter().any(|note| note.contains("without a label")),
            "{:?}",
            data.notes
        );
        assert_eq!(data.radii[data.shown_radius], 0.25);
        for mixture in data.mixtures.iter().step_by(17) {
            let setting = setting_of(&labelled, mixture);
            let summary = labelled.summaries(&[setting], &grid, &|_| {}).unwrap().remove(0);
            assert_eq!(mixture.right, Some(summary.right));
            assert_eq!(mixture.as_standard, Some(summary.standard_agreements));
            assert_eq!(mixture.certified[0], summary.right_certified);
            assert_eq!(mixture.certified[1..], summary.right_certified_at);
            assert_eq!(mixture.uncertified + summary.certified, summary.inputs);
            assert_eq!(mixture.histogram.iter().sum::<u64>(), summary.certified);
            assert_eq!(mixture.histogram.len(), data.histogram_bounds.len() + 1);
            assert_eq!(mixture.classes.iter().map(|class| class.1).sum::<u64>(), summary.right);
            let p99 = mixture.votes.map_or(0, |votes| votes.p99.unwrap());
            assert_eq!(p99, summary.votes_quantile(0.99));
        }
    }
}

#[test]
fn the_recommended_setting_and_the_one_in_force_are_marked() {
    let (header, records) = (header(false), records(false, 40, 5));
    let data = report_of(&header, &records, Some([0.837, 0.11, 0.33]));
    let marked = |index: Option<usize>| {
        let mixture = &data.mixtures[index.unwrap()];
        [mixture.alpha, mixture.fallback_alpha, mixture.robust_temperature]
    };
    assert_eq!(marked(data.recommended), [0.837, 0.11, 0.33]);
    assert_eq!(marked(data.in_force), [0.76, 0.76, 1.0]);
    assert_eq!(Some(data.selected), data.recommended);
    let command = &data.mixtures[data.selected].command;
    assert_eq!(
        command,
        "certimix alpha set 0.837 --fallback-alpha 0.11 --robust-temperature 0.33 --config certimix.toml"
    );
    let in_force = &data.mixtures[data.in_force.unwrap()].command;
    assert!(!in_force.contains("temperature"), "{in_force}");
    assert!((200..2000).contains(&data.mixtures.len()), "{}", data.mixtures.len());
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/report");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("records.html"), html_page(&data).unwrap()).unwrap();
}

/// Both theorems of the paper are weaker than the radii in force.
#[test]
fn the_papers_radius_is_never_larger() {
    for is_smoothed in [false, true] {
        let data = report_of(&header(is_smoothed), &records(is_smoothed, 60, 7), None);
        let mut smaller = 0;
        for mixture in &data.mixtures {
            let Some(papers) = &mixture.papers_radius else {
                assert!(!mixture.is_papers());
                continue;
            };
            assert!(
                papers
                    .iter()
                    .zip(&mixture.certified)
                    .all(|(papers, ours)| papers <= ours),
                "{mixture:?}"
            );
            smaller += u32::from(papers != &mixture.certified);
        }
        assert!(smaller > 10, "{smaller}");
        assert_eq!(data.papers_theorem, if is_smoothed { "Theorem 2" } else { "Theorem 1" });
    }
}

#[test]
fn without_labels_the_report_compares_with_the_standard_model() {
    let header = header(false);
    let mut records = records(false, 40, 9);
    records.iter_mut().for_each(|record| record.label = None);
    let data = report_of(&header, &records, None);
    assert!(!data.labelled && data.standard_right.is_none() && data.inputs == 40);
    assert!(
        data.mixtures
            .iter()
            .all(|mixture| mixture.right.is_none() && mixture.classes.is_empty())
    );
    assert!(
        data.notes.iter().any(|note| note.contains("states no classes")),
        "{:?}",
        data.notes
    );
    // At alpha 0.5 with the standard model alone below the margin, every answer is its.
    let standard = data
        .mixtures
        .iter()
        .find(|mixture| mixture.alpha == 0.5 && mixture.fallback_alpha == 0.0);
    assert_eq!(standard.unwrap().as_standard, Some(40));
}

#[test]
fn disagreements_are_counted_in_groups_and_a_bounded_number_is_shown() {
    let header = header(false);
    let mut records = records(false, 200, 11);
    for record in &mut records {
        let standard = record.standard.clone();
        record.robust = RobustOutput::Row(standard.iter().rev().copied().collect());
        record.label = Some(0);
    }
    let data = report_of(&header, &records, None);
    let found = data.disagreements.unwrap();
    let counted: u64 = found.groups.iter().map(|group| group.inputs).sum();
    assert_eq!(found.inputs, counted);
    assert!(counted > 100);
    for group in &found.groups {
        assert!(group.shown.len() <= 24 && group.shown.len() as u64 <= group.inputs);
        for shown in &group.shown {
            assert_ne!(shown.standard, shown.robust);
            let (standard_right, robust_right) = (shown.standard == 0, shown.robust == 0);
            let expected = match (standard_right, robust_right) {
                (true, _) => "only g is right",
                (_, true) => "only h is right",
                _ => "both are wrong",
            };
            assert_eq!(group.name, expected);
        }
    }
}
