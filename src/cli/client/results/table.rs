//! Predictions as a table.

use std::collections::HashSet;
use std::path::Path;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};

use super::prediction_record::PredictionRecord;
use super::text_format::{certificate_text, rounded_radius};

const HEADER: [&str; 6] = [
    "file",
    "true class",
    "predicted class",
    "radius",
    "certificate",
    "time (ms)",
];

/// Number columns, aligned to the right.
const NUMBER_COLUMNS: [usize; 2] = [3, 5];

/// A table with one row for each prediction. Colours appear on a terminal only; the mark of a wrong
/// prediction always appears.
pub(super) fn result_table(records: &[PredictionRecord]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(HEADER.map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    let file_names: HashSet<&str> = records.iter().map(|record| file_name(&record.file)).collect();
    for record in records {
        let is_wrong = record.is_correct() == Some(false);
        let mut texts = row(record);
        if file_names.len() == records.len() {
            texts[0] = file_name(&record.file).to_owned();
        }
        let cells = texts.into_iter().enumerate().map(|(column, text)| {
            let cell = Cell::new(text);
            if is_wrong && column == 2 {
                cell.fg(Color::Red).add_attribute(Attribute::Bold)
            } else {
                cell
            }
        });
        table.add_row(cells);
    }
    for column in NUMBER_COLUMNS {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The file name without its directory. The table shows directories only where file names repeat.
fn file_name(file: &str) -> &str {
    Path::new(file)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(file)
}

/// The cells of one prediction.
fn row(record: &PredictionRecord) -> [String; 6] {
    let predicted = if record.is_correct() == Some(false) {
        format!("{} ✗", record.label)
    } else {
        record.label.clone()
    };
    let radius = if record.is_certified() {
        rounded_radius(record.certificate.radius)
    } else {
        "-".to_owned()
    };
    [
        record.file.clone(),
        record.true_label.clone().unwrap_or_else(|| "-".to_owned()),
        predicted,
        radius,
        certificate_text(&record.certificate),
        format!("{:.1}", record.time_ms),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::results::prediction_record::tests::certified_record;

    #[test]
    fn a_certified_row() {
        let expected = [
            "7-cat.png",
            "cat",
            "cat",
            "0.2513",
            "tight, 99.9999 % (112/112 votes)",
            "4.2",
        ];
        assert_eq!(row(&certified_record()), expected);
    }

    #[test]
    fn a_wrong_class_is_marked_and_an_unknown_one_is_not() {
        let mut record = certified_record();
        record.label = "dog".into();
        assert_eq!(row(&record)[2], "dog ✗");
        record.true_label = None;
        assert_eq!((row(&record)[1].as_str(), row(&record)[2].as_str()), ("-", "dog"));
        let text = result_table(&[record]).force_no_tty().to_string();
        assert!(text.contains("predicted class") && text.contains("dog"), "{text}");
    }

    #[test]
    fn directories_are_shown_where_file_names_repeat() {
        let records = ["a/x.png", "b/x.png"].map(|file| PredictionRecord {
            file: file.into(),
            ..certified_record()
        });
        assert!(result_table(&records).force_no_tty().to_string().contains("a/x.png"));
        assert!(
            !result_table(&records[..1])
                .force_no_tty()
                .to_string()
                .contains("a/x.png")
        );
    }

    #[test]
    fn without_a_certificate_no_radius_is_shown() {
        let mut record = certified_record();
        record.certificate.status = "abstained".into();
        record.certificate.radius = 0.0;
        record.certificate.votes_for_class = 60;
        assert_eq!(row(&record)[3..5], ["-", "abstained (60/112 votes)"]);
        record.certificate.votes = 0;
        assert_eq!(row(&record)[4], "abstained");
    }
}
