//! Vectors in the columns of a CSV or Parquet file.
//!
//! The column `label` holds the class, by name or by number. A column `id` is ignored. All other columns
//! are the values of the vector, in their order; in Parquet, a column may also hold a list of them.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};

use super::class_labels::{RowLabels, class_of_number, class_of_text};
use super::entry::{DataSetEntry, Sink};
use super::input_check::input_of_floats;
use crate::domain::{Input, InputSpec};

const LABEL: &str = "label";
const ID: &str = "id";

/// The rows to read, and where they go.
pub(super) struct TableRequest<'a, 'b> {
    pub(super) path: &'a Path,
    pub(super) spec: &'a InputSpec,
    pub(super) class_names: &'a [String],
    /// The labels of another file, which have precedence.
    pub(super) labels: Option<&'a RowLabels>,
    pub(super) first: u64,
    pub(super) sink: &'a mut Sink<'b>,
}

impl TableRequest<'_, '_> {
    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Passes on the row `index` with its own label, which another file may replace.
    fn pass(&mut self, index: u64, place: &str, row: Result<TableRow, String>) -> ControlFlow<()> {
        let other = usize::try_from(index)
            .ok()
            .and_then(|row| self.labels?.get(row).cloned());
        let read = row.and_then(|(values, own)| -> Result<(Input, Option<u32>), String> {
            let label = other.or(own).transpose()?;
            Ok((input_of_floats(self.spec, values)?, label))
        });
        let id = format!("{}#{index}{place}", self.name());
        let entry = match DataSetEntry::new(index, id, read) {
            // The place in the file helps to mend a row, and does not belong to the id of an input.
            DataSetEntry::Input(mut input) => {
                input.id = format!("{}#{index}", self.name());
                DataSetEntry::Input(input)
            }
            skipped @ DataSetEntry::Skipped(_) => skipped,
        };
        (self.sink)(entry)
    }
}

/// Checks the first line of a CSV file.
pub(super) fn check_csv(path: &Path, spec: &InputSpec) -> Result<(), String> {
    let mut reader = csv::Reader::from_path(path).map_err(|error| error.to_string())?;
    let columns = reader.headers().map_err(|error| error.to_string())?;
    let values = columns.iter().filter(|name| is_value_column(name)).count();
    check_columns(values, spec)
}

fn check_columns(values: usize, spec: &InputSpec) -> Result<(), String> {
    if values == spec.dimension() {
        return Ok(());
    }
    Err(format!(
        "has {values} columns beside {LABEL:?} and {ID:?}, expected {} for inputs of the shape {:?}",
        spec.dimension(),
        spec.shape
    ))
}

fn is_value_column(name: &str) -> bool {
    !matches!(name.trim(), LABEL | ID)
}

/// Passes the lines of a CSV file on.
pub(super) fn read_csv(mut request: TableRequest<'_, '_>) -> Result<(), String> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_path(request.path)
        .map_err(|error| error.to_string())?;
    let columns: Vec<String> = reader
        .headers()
        .map_err(|error| error.to_string())?
        .iter()
        .map(|name| name.trim().to_owned())
        .collect();
    let mut record = csv::ByteRecord::new();
    for index in 0.. {
        if !reader
            .read_byte_record(&mut record)
            .map_err(|error| error.to_string())?
        {
            break;
        }
        if index < request.first {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        let row = csv_row(&columns, &record, request.class_names);
        if request.pass(index, &format!(" (line {line})"), row) == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

/// The values of a row, and the class in its own column if there is one.
type TableRow = (Vec<f32>, Option<Result<u32, String>>);

fn csv_row(columns: &[String], record: &csv::ByteRecord, class_names: &[String]) -> Result<TableRow, String> {
    if record.len() != columns.len() {
        return Err(format!("has {} fields, expected {}", record.len(), columns.len()));
    }
    let (mut values, mut label) = (Vec::new(), None);
    for (column, field) in columns.iter().zip(record) {
        let text = std::str::from_utf8(field)
            .map_err(|_| format!("column {column:?} is not UTF-8"))?
            .trim();
        match column.as_str() {
            LABEL if text.is_empty() => {}
            LABEL => label = Some(class_of_text(class_names, text)),
            ID => {}
            _ => values.push(
                text.parse()
                    .map_err(|_| format!("column {column:?} is {text:?}, expected a number"))?,
            ),
        }
    }
    Ok((values, label))
}

/// Checks that a Parquet file has columns of numbers, and returns the number of its rows.
pub(super) fn check_parquet(path: &Path) -> Result<u64, String> {
    let reader = open_parquet(path)?;
    u64::try_from(reader.metadata().file_metadata().num_rows()).map_err(|error| error.to_string())
}

fn open_parquet(path: &Path) -> Result<SerializedFileReader<File>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    SerializedFileReader::new(file).map_err(|error| format!("is not a complete Parquet file: {error}"))
}

/// Passes the rows of a Parquet file on.
pub(super) fn read_parquet(mut request: TableRequest<'_, '_>) -> Result<(), String> {
    let reader = open_parquet(request.path)?;
    let rows = reader.get_row_iter(None).map_err(|error| error.to_string())?;
    for (index, row) in (0..).zip(rows) {
        if index < request.first {
            continue;
        }
        let is_broken = row.is_err();
        let row = match row {
            Ok(row) => parquet_row(&row, request.class_names),
            Err(error) => Err(format!("cannot be read, nor any row after it: {error}")),
        };
        if request.pass(index, "", row) == ControlFlow::Break(()) || is_broken {
            break;
        }
    }
    Ok(())
}

fn parquet_row(row: &Row, class_names: &[String]) -> Result<TableRow, String> {
    let (mut values, mut label) = (Vec::new(), None);
    for (column, field) in row.get_column_iter() {
        match (column.as_str(), field) {
            (LABEL, Field::Null) | (ID, _) => {}
            (LABEL, Field::Str(name)) => label = Some(class_of_text(class_names, name)),
            (LABEL, number) => {
                let number = integer(number).ok_or_else(|| format!("{LABEL} is {number}, expected a class"))?;
                label = Some(class_of_number(class_names, number));
            }
            (_, Field::ListInternal(list)) => {
                for element in list.elements() {
                    values.push(float(column, element)?);
                }
            }
            (_, field) => values.push(float(column, field)?),
        }
    }
    Ok((values, label))
}

fn integer(field: &Field) -> Option<i64> {
    Some(match *field {
        Field::Byte(number) => number.into(),
        Field::Short(number) => number.into(),
        Field::Int(number) => number.into(),
        Field::Long(number) => number,
        Field::UByte(number) => number.into(),
        Field::UShort(number) => number.into(),
        Field::UInt(number) => number.into(),
        Field::ULong(number) => i64::try_from(number).ok()?,
        _ => return None,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the nearest float32 is meant"
)]
fn float(column: &str, field: &Field) -> Result<f32, String> {
    match *field {
        Field::Float(value) => Ok(value),
        Field::Double(value) => Ok(value as f32),
        ref other => match integer(other) {
            Some(number) => Ok(number as f32),
            None => Err(format!("column {column:?} is {other}, expected a number")),
        },
    }
}
