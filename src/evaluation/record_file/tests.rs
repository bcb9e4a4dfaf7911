use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::domain::RobustOutput;
use crate::evaluation::record::EvaluationRecord;
use crate::evaluation::test_records::{header, record};

fn write(path: &Path, is_smoothed: bool, records: Vec<EvaluationRecord>, summary: &RunSummary) {
    let mut writer = RecordFileWriter::create(path, &header(is_smoothed)).unwrap();
    records.into_iter().for_each(|record| writer.add(record).unwrap());
    writer.finish(summary).unwrap();
}

fn error_of(path: &Path) -> String {
    EvaluationRecords::read(path).map_or_else(|error| error.to_string(), |_| String::new())
}

/// A record with any values, with the bits of the floats.
fn any_record(index: u64, is_smoothed: bool) -> impl Strategy<Value = EvaluationRecord> {
    let row = || prop::collection::vec(any::<u32>().prop_map(f32::from_bits), 3);
    let votes = prop::collection::vec(prop::option::of(0..3_u32), 7);
    let rest = (prop::option::of(0..3_u32), "[a-zé/#0-9]{0,9}", 0.0..1e9, 0.0..1e9);
    (row(), row(), votes, rest).prop_map(move |(standard, robust, votes, rest)| EvaluationRecord {
        id: format!("{}#{index}", rest.1),
        index,
        label: rest.0,
        standard,
        robust: if is_smoothed {
            RobustOutput::Votes(votes)
        } else {
            RobustOutput::Row(robust)
        },
        noise_key: None,
        snapping_loss: rest.2,
        seconds: rest.3,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn records_round_trip(
        is_smoothed: bool,
        records in prop::collection::vec((any_record(0, true), any_record(0, false)), 0..20),
        skipped in 0..3_u64,
    ) {
        let records: Vec<EvaluationRecord> = (0..).zip(records).map(|(index, (smoothed, row))| EvaluationRecord {
            index: 3 * index,
            ..if is_smoothed { smoothed } else { row }
        }).collect();
        let mut summary = RunSummary { next_index: 100, ..RunSummary::default() };
        for index in 0..skipped {
            summary.add_skipped(SkippedInput { index, name: "a.csv, row 3".to_owned(), reason: "NaN".to_owned() });
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.parquet");
        write(&path, is_smoothed, records.clone(), &summary);
        let (read_header, read) = EvaluationRecords::read(&path).unwrap();
        prop_assert_eq!(read_header, header(is_smoothed));
        // NaN differs from itself, so the bits are compared.
        prop_assert_eq!(digest::digest("", &read), digest::digest("", &records));
        let reader = RecordFileReader::open(&path).unwrap();
        prop_assert_eq!(reader.summary(), &summary);
    }

    /// Changed bytes give an error or the same records: never other records, and never a panic.
    #[test]
    fn changed_contents_are_found(position in 0.0..1.0_f64, change in 1..=255_u8, is_smoothed: bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.parquet");
        let records: Vec<_> = (0..50).map(|index| record(index, is_smoothed)).collect();
        write(&path, is_smoothed, records.clone(), &RunSummary::default());
        let mut bytes = std::fs::read(&path).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a position")]
        let position = (position * bytes.len() as f64) as usize;
        bytes[position] ^= change;
        std::fs::write(&path, bytes).unwrap();
        match EvaluationRecords::read(&path) {
            // A byte that no record depends on.
            Ok((read_header, read)) => {
                prop_assert_eq!(read_header, header(is_smoothed));
                prop_assert_eq!(read, records);
            }
            Err(error) => prop_assert!(error.to_string().contains("r.parquet"), "{}", error),
        }
    }

    #[test]
    fn a_file_cut_short_is_refused(length in 0.0..1.0_f64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.parquet");
        write(&path, true, vec![record(0, true)], &RunSummary::default());
        let bytes = std::fs::read(&path).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a length")]
        let length = (length * bytes.len() as f64) as usize;
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = error_of(&path);
        prop_assert!(error.contains("r.parquet") && error.contains("is not a complete Parquet file"), "{}", error);
    }
}

#[test]
fn a_file_without_its_footer_and_a_foreign_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.parquet");
    let mut writer = RecordFileWriter::create(&path, &header(false)).unwrap();
    writer.add(record(0, false)).unwrap();
    drop(writer);
    assert!(
        error_of(&path).contains("is not a complete Parquet file"),
        "{}",
        error_of(&path)
    );
    assert!(error_of(&folder.path().join("missing.parquet")).contains("No such file"));
    let schema = parquet::schema::parser::parse_message_type("message m { required int32 a; }").unwrap();
    let file = std::fs::File::create(&path).unwrap();
    let writer = parquet::file::writer::SerializedFileWriter::new(file, schema.into(), Default::default()).unwrap();
    writer.close().unwrap();
    let error = error_of(&path);
    assert!(error.contains("not one that `certimix evaluate` wrote"), "{error}");
}

#[test]
fn a_row_that_does_not_fit_the_header_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.parquet");
    type Alteration = (fn(&mut EvaluationRecord), &'static str);
    let cases: [Alteration; 5] = [
        (|record| record.label = Some(3), "label is 3, expected 0 to 2"),
        (
            |record| record.standard.truncate(2),
            "standard has 2 values, expected 3",
        ),
        (
            |record| record.robust = RobustOutput::Votes(vec![Some(9); 7]),
            "class 9, expected 0 to 2",
        ),
        (
            |record| record.robust = RobustOutput::Votes(vec![None; 6]),
            "votes has 6 values, expected 7",
        ),
        (
            |record| record.index = 4,
            "index is 4, expected more than the row before",
        ),
    ];
    for (spoil, expected) in cases {
        let mut records: Vec<_> = (0..8).map(|index| record(index, true)).collect();
        spoil(&mut records[5]);
        write(&path, true, records, &RunSummary::default());
        let error = error_of(&path);
        assert!(
            error.contains("r.parquet, row 5: ") && error.contains(expected),
            "{error}"
        );
    }
}

#[test]
fn an_unknown_version_of_the_format_is_refused() {
    let json = crate::evaluation::header_format::to_json(&header(true))
        .unwrap()
        .to_string();
    let error =
        crate::evaluation::header_format::from_json(&json.replace("\"format_version\":1", "\"format_version\":2"));
    assert!(error.is_err_and(|error| error.contains("format_version is 2, expected 1")));
}
