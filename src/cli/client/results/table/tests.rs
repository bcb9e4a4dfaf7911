use proptest::prelude::*;

use super::*;
use crate::cli::client::results::prediction_record::tests::certified_record;
use crate::cli::output::MIN_WIDTH;

fn lines(records: &[PredictionRecord], labels: &[&str], width: usize) -> Vec<String> {
    let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
    let mut table = result_table(records, &ClassNames::new(&labels), width);
    table.force_no_tty().to_string().lines().map(str::to_owned).collect()
}

fn text(records: &[PredictionRecord], width: usize) -> String {
    lines(records, &[], width).join("\n")
}

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('│').split('┆').map(str::trim).collect()
}

#[test]
fn a_certified_row() {
    let lines = lines(&[certified_record()], &[], 200);
    assert_eq!(
        cells(&lines[3]),
        [
            "7-cat.png",
            "cat",
            "cat",
            "0.2513",
            "tight, 99.9999 % (112/112 votes)",
            "4.2"
        ]
    );
}

#[test]
fn a_wrong_class_is_marked_and_an_unknown_one_is_not() {
    let mut record = certified_record();
    (record.label, record.class_index) = ("dog".into(), 5);
    assert!(text(std::slice::from_ref(&record), 200).contains("dog ✗"));
    (record.true_label, record.true_class_index) = (None, None);
    let text = text(&[record, certified_record()], 200);
    assert!(
        text.contains("┆ -  ") && text.contains("dog ") && !text.contains('✗'),
        "{text}"
    );
}

#[test]
fn the_true_class_is_shown_where_one_is_known() {
    let mut record = certified_record();
    assert!(text(std::slice::from_ref(&record), 200).contains("true class"));
    record.true_label = None;
    let text = text(&[record], 200);
    assert!(!text.contains("true class") && text.contains("┆ class "), "{text}");
}

#[test]
fn directories_are_shown_where_file_names_repeat() {
    let records = ["a/x.png", "b/x.png"].map(|file| PredictionRecord {
        file: file.into(),
        ..certified_record()
    });
    assert!(text(&records, 200).contains("a/x.png"));
    assert!(!text(&records[..1], 200).contains("a/x.png"));
}

#[test]
fn without_a_certificate_no_radius_is_shown() {
    let mut record = certified_record();
    record.certificate.status = "abstained".into();
    record.certificate.radius = 0.0;
    record.certificate.votes_for_class = 60;
    let row = lines(std::slice::from_ref(&record), &[], 200);
    assert_eq!(cells(&row[3])[3..5], ["-", "abstained (60/112 votes)"]);
}

#[test]
fn columns_are_dropped_in_the_stated_order() {
    let record = PredictionRecord {
        file: "ILSVRC2012_val_00000293_n02018207.JPEG".into(),
        label: "American chameleon, anole, Anolis carolinensis".into(),
        class_index: 40,
        ..certified_record()
    };
    let mut forms: Vec<Vec<String>> = Vec::new();
    for width in (MIN_WIDTH..=200).rev() {
        let lines = lines(std::slice::from_ref(&record), &[], width);
        let row: Vec<String> = cells(&lines[3]).into_iter().map(str::to_owned).collect();
        if forms.last() != Some(&row) {
            forms.push(row);
        }
    }
    let label = "American chameleon, anole, Anolis carolinensis ✗";
    let (long, short) = ("ILSVRC2012_val_00000293_n02018207.JPEG", "…00000293_n02018207.JPEG");
    let beginnings: [&[&str]; 7] = [
        &[long, "cat", label, "0.2513", "tight, 99.9999 % (112/112 votes)", "4.2"],
        &[long, "cat", label, "0.2513", "tight, 99.9999 %", "4.2"],
        &[short, "cat", "American … (40) ✗", "0.2513", "tight, 99.9999 %", "4.2"],
        &[short, "cat", "American … (40) ✗", "0.2513", "tight, 99.9999 %"],
        &[short, "cat", "American … (40) ✗", "0.2513", "certified"],
        &[short, "American … (40) ✗", "0.2513", "certified"],
        &[short, "American … (40) ✗", "0.2513"],
    ];
    assert_eq!(forms[..7], beginnings, "{forms:#?}");
    let last = forms.last().unwrap();
    assert_eq!(last[..], ["#1", "class 40 ✗", "0.2513"], "{forms:#?}");
}

#[test]
fn classes_of_one_label_are_told_apart() {
    let record = PredictionRecord {
        label: "crane".into(),
        class_index: 517,
        ..certified_record()
    };
    let lines = lines(&[record], &["crane", "crane"], 80);
    assert!(lines[3].contains("crane (517) ✗"), "{lines:?}");
}

#[test]
fn names_that_look_the_same_when_shortened_become_numbers() {
    let records = ["a-very-long-first-word-x.png", "another-very-long-first-word-x.png"].map(|file| PredictionRecord {
        file: file.into(),
        ..certified_record()
    });
    let text = text(&records, MIN_WIDTH);
    assert!(text.contains(" #1 ") && text.contains(" #2 "), "{text}");
}

prop_compose! {
    fn any_record()(
        file in "[\\PC\n\u{1b}]{0,20}|([a-z0-9]{1,30}[-_./ ]){0,8}",
        label in "\\PC{0,60}|([a-z]{1,20}[ ,]){0,6}",
        true_label in proptest::option::of("\\PC{0,30}"),
        class_index in 0u32..100_000,
        radius in prop_oneof![0.0..1.0, 0.0..1e9, any::<f64>()],
        status in "certified|abstained|unavailable",
        (basis, caveat) in ("proven|claimed|", "|x"),
        votes in any::<u64>(),
        time_ms in 0.0..1e7,
    ) -> PredictionRecord {
        let mut record = certified_record();
        (record.file, record.label, record.class_index, record.time_ms) = (file, label, class_index, time_ms);
        (record.true_label, record.true_class_index) = (true_label, Some(3));
        let certificate = &mut record.certificate;
        (certificate.status, certificate.basis, certificate.caveat) = (status, basis, caveat);
        (certificate.radius, certificate.votes, certificate.votes_for_class) = (radius, votes, votes);
        record
    }
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(
        records in proptest::collection::vec(any_record(), 1..6),
        width in MIN_WIDTH..220,
    ) {
        let labels: Vec<&str> = records.iter().map(|record| record.label.as_str()).collect();
        let lines = lines(&records, &labels, width);
        // One line for each prediction, between a head of three lines and a last line.
        prop_assert_eq!(lines.len(), records.len() + 4, "{:#?}", lines);
        for line in &lines {
            prop_assert!(display_width(line) <= width, "{} > {width}: {line}", display_width(line));
        }
    }
}
