//! Answers as a table.

use std::collections::HashSet;
use std::path::Path;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};

use crate::cli::client::results::prediction_record::{CertificateRecord, Record};

const HEADER: [&str; 6] = [
    "file",
    "true class",
    "predicted class",
    "radius",
    "certificate",
    "time (ms)",
];

/// Columns of numbers.
const RIGHT: [usize; 2] = [3, 5];

/// One row an answer. Colours show up in a terminal alone; the mark of a wrong answer always does.
pub(crate) fn table(records: &[Record]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(HEADER.map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    let distinct: HashSet<&str> = records.iter().map(|record| name(&record.file)).collect();
    for record in records {
        let wrong = record.is_correct() == Some(false);
        let mut texts = row(record);
        if distinct.len() == records.len() {
            texts[0] = name(&record.file).to_owned();
        }
        let cells = texts.into_iter().enumerate().map(|(column, text)| {
            let cell = Cell::new(text);
            if wrong && column == 2 {
                cell.fg(Color::Red).add_attribute(Attribute::Bold)
            } else {
                cell
            }
        });
        table.add_row(cells);
    }
    for column in RIGHT {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The file without its folder, which says little where the names differ.
fn name(file: &str) -> &str {
    Path::new(file)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(file)
}

/// The cells of one answer.
fn row(record: &Record) -> [String; 6] {
    let predicted = if record.is_correct() == Some(false) {
        format!("{} ✗", record.label)
    } else {
        record.label.clone()
    };
    let radius = if record.is_certified() {
        radius(record.certificate.radius)
    } else {
        "-".to_owned()
    };
    [
        record.file.clone(),
        record.true_label.clone().unwrap_or_else(|| "-".to_owned()),
        predicted,
        radius,
        certificate(&record.certificate),
        format!("{:.1}", record.time_ms),
    ]
}

/// Four digits behind the point, rounded down: a proof must not look larger than it is.
pub(crate) fn radius(radius: f64) -> String {
    let shown = (radius * 1e4).floor() / 1e4;
    if shown > 0.0 || radius <= 0.0 {
        format!("{shown:.4}")
    } else {
        format!("{radius:.1e}")
    }
}

/// The kind and what it rests on: "tight, 99.9999 % (112/112 votes)", "Lipschitz logits, proven", "Lipschitz logits, claimed".
/// The summary below the table says what these words mean.
pub(crate) fn certificate(certificate: &CertificateRecord) -> String {
    let sampled = certificate.votes > 0;
    let votes = format!("({}/{} votes)", certificate.votes_for_class, certificate.votes);
    let caveat = if certificate.caveat.is_empty() { "" } else { " *" };
    match certificate.status.as_str() {
        "certified" if sampled => {
            let confidence = confidence(certificate.failure_probability);
            // By theorem, unless a caveat takes it back.
            let claimed = if certificate.basis == "claimed" {
                ", claimed"
            } else {
                ""
            };
            format!("{}{claimed}, {confidence} {votes}{caveat}", method(&certificate.method))
        }
        "certified" => format!("{}, {}{caveat}", method(&certificate.method), basis(&certificate.basis)),
        status if sampled => format!("{status} {votes}"),
        status => status.to_owned(),
    }
}

/// What a proof rests on: a server that does not tell has proven nothing to this client.
fn basis(basis: &str) -> &str {
    match basis {
        "" | "unspecified" => "basis not told",
        told => told,
    }
}

/// The method as people say it.
pub(crate) fn method(method: &str) -> &str {
    match method {
        "theorem1" => "theorem 1",
        "theorem2" => "theorem 2",
        "logit_lipschitz" => "Lipschitz logits",
        other => other,
    }
}

/// The probability that the proof holds, with as many digits as it has nines.
pub(crate) fn confidence(failure_probability: f64) -> String {
    if failure_probability < 1e-12 {
        return format!("all but {failure_probability:e}");
    }
    let mut text = format!("{:.14}", 100.0 * (1.0 - failure_probability));
    // Behind the failure's first three digits there is nothing but rounding.
    let point = text.find('.').unwrap_or(text.len());
    let zeros = (-failure_probability.log10()).ceil().max(0.0);
    let keep = (1..=14).find(|&digits| f64::from(digits) >= zeros).unwrap_or(14);
    text.truncate(point + 1 + usize::try_from(keep).unwrap_or(14));
    let trimmed = text.trim_end_matches('0').trim_end_matches('.');
    format!("{trimmed} %")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::results::prediction_record::tests::example;

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
        assert_eq!(row(&example()), expected);
    }

    #[test]
    fn a_wrong_answer_stands_out_and_an_unknown_one_does_not() {
        let mut record = example();
        record.label = "dog".into();
        assert_eq!(row(&record)[2], "dog ✗");
        record.true_label = None;
        assert_eq!((row(&record)[1].as_str(), row(&record)[2].as_str()), ("-", "dog"));
        let text = table(&[record]).force_no_tty().to_string();
        assert!(text.contains("predicted class") && text.contains("dog"), "{text}");
    }

    #[test]
    fn folders_are_shown_where_names_repeat() {
        let records = ["a/x.png", "b/x.png"].map(|file| Record {
            file: file.into(),
            ..example()
        });
        assert!(table(&records).force_no_tty().to_string().contains("a/x.png"));
        assert!(!table(&records[..1]).force_no_tty().to_string().contains("a/x.png"));
    }

    #[test]
    fn no_certificate_no_radius() {
        let mut record = example();
        record.certificate.status = "abstained".into();
        record.certificate.radius = 0.0;
        record.certificate.votes_for_class = 60;
        assert_eq!(row(&record)[3..5], ["-", "abstained (60/112 votes)"]);
        record.certificate.votes = 0;
        assert_eq!(row(&record)[4], "abstained");
    }

    #[test]
    fn a_certificate_without_votes_always_holds() {
        let mut record = example();
        record.certificate.votes = 0;
        record.certificate.method = "logit_lipschitz".into();
        assert_eq!(certificate(&record.certificate), "Lipschitz logits, proven");
    }

    #[test]
    fn radii_are_rounded_down() {
        assert_eq!(radius(0.251_39), "0.2513");
        assert_eq!(radius(0.99999), "0.9999");
        assert_eq!(radius(0.000_04), "4.0e-5");
        assert_eq!(radius(0.0), "0.0000");
    }

    #[test]
    fn confidence_is_not_overstated() {
        assert_eq!(confidence(0.05), "95 %");
        assert_eq!(confidence(0.001), "99.9 %");
        assert_eq!(confidence(0.0015), "99.85 %");
        assert_eq!(confidence(1e-6), "99.9999 %");
        assert_eq!(confidence(1e-9), "99.9999999 %");
        assert_eq!(confidence(1e-20), "all but 1e-20");
    }
}
