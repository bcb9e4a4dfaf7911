//! Predictions as a table that fits a number of columns: one line for each prediction, and no word
//! of a name is cut.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};

use super::class_names::ClassNames;
use super::prediction_record::PredictionRecord;
use super::text_format::{certificate_text, certificate_text_without_votes, certificate_word, rounded_radius};
use crate::cli::text_layout::{Keep, display_width, printable, shorten};

/// Marks a class that is not certified.
const UNPROVEN_MARK: &str = "?";

/// Marks a wrong class.
const WRONG_MARK: &str = " ✗";

/// The widths to which long names are shortened before a column is dropped.
const FILE_WIDTH: usize = 24;
pub(super) const CLASS_WIDTH: usize = 20;

/// The narrowest column of classes: "class 12345" and the marks.
pub(super) const MIN_CLASS_WIDTH: usize = 14;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    File,
    TrueClass,
    PredictedClass,
    Radius,
    Certificate,
    Time,
}

use Column::{Certificate, File, PredictedClass, Radius, Time, TrueClass};

/// How much of a certificate its column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CertificateDetail {
    Votes,
    Confidence,
    Word,
}

/// One form of the table.
#[derive(Debug, Clone, Copy)]
struct Layout {
    columns: &'static [Column],
    certificate: CertificateDetail,
    /// The most columns of the terminal for a file name and for a class; `None` if unlimited.
    name_widths: Option<(usize, usize)>,
}

/// The forms, from everything to the least. The first that fits is used.
const LAYOUTS: [Layout; 7] = {
    const ALL: &[Column] = &[File, TrueClass, PredictedClass, Radius, Certificate, Time];
    const WITHOUT_TIME: &[Column] = &[File, TrueClass, PredictedClass, Radius, Certificate];
    const WITHOUT_TRUE_CLASS: &[Column] = &[File, PredictedClass, Radius, Certificate];
    const LEAST: &[Column] = &[File, PredictedClass, Radius];
    const fn layout(columns: &'static [Column], certificate: CertificateDetail, are_names_short: bool) -> Layout {
        let name_widths = if are_names_short {
            Some((FILE_WIDTH, CLASS_WIDTH))
        } else {
            None
        };
        Layout {
            columns,
            certificate,
            name_widths,
        }
    }
    [
        layout(ALL, CertificateDetail::Votes, false),
        layout(ALL, CertificateDetail::Confidence, false),
        layout(ALL, CertificateDetail::Confidence, true),
        layout(WITHOUT_TIME, CertificateDetail::Confidence, true),
        layout(WITHOUT_TIME, CertificateDetail::Word, true),
        layout(WITHOUT_TRUE_CLASS, CertificateDetail::Word, true),
        layout(LEAST, CertificateDetail::Word, true),
    ]
};

/// A table with one row for each prediction, and the true classes if any is known, at most `width` columns wide; `width` is at least
/// [`MIN_WIDTH`](crate::cli::output::MIN_WIDTH). Colours appear where the output has them; the mark
/// of a wrong prediction always appears.
pub(super) fn result_table(records: &[PredictionRecord], classes: &ClassNames, width: usize) -> Table {
    let fitting = LAYOUTS.iter().map(|layout| Cells::new(records, classes, *layout));
    let cells = fitting.into_iter().find(|cells| cells.width() <= width);
    cells
        .unwrap_or_else(|| narrowest(records, classes, width))
        .into_table(records)
}

/// The form with the fewest columns, in which the names share what the radius leaves.
fn narrowest(records: &[PredictionRecord], classes: &ClassNames, width: usize) -> Cells {
    let [.., least] = LAYOUTS;
    let natural = Cells::new(records, classes, least);
    let [file, class, radius] = [0, 1, 2].map(|column| natural.column_width(column));
    let for_names = width.saturating_sub(radius + frame_width(least.columns.len()));
    // A short file name leaves its columns to the class, and the other way round.
    let class_width = class.min((for_names / 2).max(MIN_CLASS_WIDTH).max(for_names.saturating_sub(file)));
    let name_widths = Some((for_names.saturating_sub(class_width), class_width));
    Cells::new(records, classes, Layout { name_widths, ..least })
}

/// The columns that lines and spaces take.
fn frame_width(columns: usize) -> usize {
    3 * columns + 1
}

/// The texts of a table.
struct Cells {
    columns: Vec<Column>,
    titles: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Cells {
    fn new(records: &[PredictionRecord], classes: &ClassNames, layout: Layout) -> Self {
        let (file_width, class_width) = layout.name_widths.unwrap_or((usize::MAX, usize::MAX));
        let files = file_names(records, file_width);
        let is_known = records.iter().any(|record| record.true_label.is_some());
        let is_shown = |column: &&Column| **column != TrueClass || is_known;
        let columns: Vec<Column> = layout.columns.iter().filter(is_shown).copied().collect();
        let row = |(record, file): (&PredictionRecord, String)| {
            let cell = |column: &Column| match column {
                File => file.clone(),
                TrueClass => true_class(record, classes, class_width),
                PredictedClass => predicted_class(record, classes, class_width),
                Radius if record.is_certified() => rounded_radius(record.certificate.radius),
                Radius => "-".to_owned(),
                Certificate => printable(&match layout.certificate {
                    CertificateDetail::Votes => certificate_text(&record.certificate),
                    CertificateDetail::Confidence => certificate_text_without_votes(&record.certificate),
                    CertificateDetail::Word => certificate_word(&record.certificate),
                }),
                Time => format!("{:.1}", record.time_ms),
            };
            columns.iter().map(cell).collect()
        };
        let has_true_class = columns.contains(&TrueClass);
        Self {
            titles: columns.iter().map(|column| title(*column, has_true_class)).collect(),
            rows: records.iter().zip(files).map(row).collect(),
            columns: columns.clone(),
        }
    }

    fn column_width(&self, column: usize) -> usize {
        let title = self.titles.get(column).map_or(0, |title| display_width(title));
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| display_width(cell)).fold(title, usize::max)
    }

    fn width(&self) -> usize {
        let columns = 0..self.columns.len();
        columns.map(|column| self.column_width(column)).sum::<usize>() + frame_width(self.columns.len())
    }

    fn into_table(self, records: &[PredictionRecord]) -> Table {
        let mut table = Table::new();
        table
            .load_style(UTF8_FULL_CONDENSED)
            .set_content_arrangement(ContentArrangement::Disabled);
        let titles = self
            .titles
            .iter()
            .map(|title| Cell::new(title).add_attribute(Attribute::Bold));
        table.set_header(titles);
        for (record, row) in records.iter().zip(self.rows) {
            let is_wrong = record.is_correct() == Some(false);
            let cells = row.into_iter().zip(&self.columns).map(|(text, column)| match column {
                PredictedClass if is_wrong => Cell::new(text).fg(Color::Red).add_attribute(Attribute::Bold),
                _ => Cell::new(text),
            });
            table.add_row(cells);
        }
        for (index, column) in self.columns.iter().enumerate() {
            if matches!(column, Radius | Time)
                && let Some(column) = table.column_mut(index)
            {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}

/// The title of a column. Beside the true class, the predicted class needs its adjective.
fn title(column: Column, has_true_class: bool) -> &'static str {
    match column {
        File => "file",
        TrueClass => "true class",
        PredictedClass if has_true_class => "predicted class",
        PredictedClass => "class",
        Radius => "radius",
        Certificate => "certificate",
        Time => "time (ms)",
    }
}

fn true_class(record: &PredictionRecord, classes: &ClassNames, width: usize) -> String {
    let label = record.true_label.as_deref();
    label.map_or_else(
        || "-".to_owned(),
        |label| classes.fitting(label, record.true_class_index, width),
    )
}

/// "cat"; "cat?" where nothing is certified, with the class of the standard model where that is
/// another one and there is room: "cat? g: dog".
fn predicted_class(record: &PredictionRecord, classes: &ClassNames, width: usize) -> String {
    let mark = match (record.is_certified(), record.is_correct()) {
        (true, Some(false)) => WRONG_MARK.to_owned(),
        (true, _) => String::new(),
        (false, Some(false)) => format!("{UNPROVEN_MARK}{WRONG_MARK}"),
        (false, _) => UNPROVEN_MARK.to_owned(),
    };
    let name_width = width.saturating_sub(display_width(&mark));
    let class = format!(
        "{}{mark}",
        classes.fitting(&record.label, Some(record.class_index), name_width)
    );
    if record.is_certified() || record.standard_class_index == record.class_index {
        return class;
    }
    let with_standard = format!("{class} g: {}", classes.of_index(record.standard_class_index));
    if display_width(&with_standard) <= width {
        with_standard
    } else {
        class
    }
}

/// The name of each file in at most `width` columns: without its directory where the name is
/// enough, and without its first words where it is too long. A name that would not tell which file
/// is meant becomes the number of the input: "#7".
fn file_names(records: &[PredictionRecord], width: usize) -> Vec<String> {
    let base_names: HashSet<&str> = records.iter().map(|record| base_name(&record.file)).collect();
    let are_unique = base_names.len() == records.len();
    let names = records.iter().map(|record| {
        let name = if are_unique {
            base_name(&record.file)
        } else {
            &record.file
        };
        let full = printable(name);
        // An extension alone tells nothing.
        let extension = full.rsplit('.').next().map(|extension| format!("…{extension}"));
        let short = shorten(&full, width, Keep::End).filter(|short| extension.as_ref() != Some(short));
        (short.as_ref().is_some_and(|short| *short != full), short)
    });
    let names: Vec<(bool, Option<String>)> = names.collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in names.iter().filter_map(|(_, name)| name.as_deref()) {
        *counts.entry(name).or_default() += 1;
    }
    let name_of = |(index, (is_shortened, name)): (usize, &(bool, Option<String>))| {
        let name = name.as_deref();
        let telling = name.filter(|name| !is_shortened || counts.get(name) == Some(&1));
        telling.map_or_else(|| format!("#{}", index + 1), str::to_owned)
    };
    names.iter().enumerate().map(name_of).collect()
}

/// The file name without its directory. The table shows directories only where file names repeat.
pub(super) fn base_name(file: &str) -> &str {
    Path::new(file)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(file)
}

#[cfg(test)]
mod tests;
