//! Vectors in the columns of a CSV file.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek as _};
use std::ops::ControlFlow;
use std::path::Path;

use super::class_labels::class_of_text;
use super::table_rows::{ID, LABEL, TableRequest, TableRow, check_columns};
use crate::domain::InputSpec;

/// The most bytes of a row, besides those of its values.
const MAX_ROW_BYTES: u64 = 1 << 20;
/// The most bytes of a value.
const MAX_VALUE_BYTES: u64 = 64;

/// The names of the columns, in their order.
type Columns = Vec<String>;

/// Checks the first line of a CSV file.
///
/// # Errors
/// A message if it does not name the columns of an input.
pub(super) fn check_csv(path: &Path, spec: &InputSpec) -> Result<(), String> {
    let columns = open(path, spec)?.1;
    if columns.iter().filter(|name| *name == LABEL).count() > 1 {
        return Err(format!("has several columns {LABEL:?}"));
    }
    let values = columns
        .iter()
        .filter(|name| !matches!(name.as_str(), LABEL | ID))
        .count();
    check_columns(values, spec).map_err(|reason| format!("{reason}{}", hint(&columns)))
}

/// The probable reason why the columns are wrong.
fn hint(columns: &[String]) -> &'static str {
    match columns {
        [] => "; it is empty",
        [name] if name.contains([';', '\t']) => "; the columns are separated by commas",
        columns if columns.iter().all(|name| name.parse::<f64>().is_ok()) => "; the first line names the columns",
        _ => "",
    }
}

fn open(path: &Path, spec: &InputSpec) -> Result<(csv::Reader<RowReader>, Columns), String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let first_line = first_line(&mut file).map_err(|error| error.to_string())?;
    let limit = MAX_ROW_BYTES.saturating_add(MAX_VALUE_BYTES.saturating_mul(spec.dimension() as u64));
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(RowReader {
        file,
        limit,
        left: limit,
        lines_behind: u64::from(first_line.ends_with(b"\r\n")),
    });
    let columns = reader.byte_headers().map_err(|error| error.to_string())?;
    let text = |name: &[u8]| std::str::from_utf8(name).map(|name| name.trim().to_owned());
    let columns: Result<Columns, _> = columns.iter().map(text).collect();
    let columns = columns.map_err(|_| "its first line is not UTF-8".to_owned())?;
    Ok((reader, columns))
}

/// A file of which one row has a bounded length.
struct RowReader {
    file: File,
    limit: u64,
    left: u64,
    /// The lines by which the parser is behind: it counts `\r\n` when it reads the next row.
    lines_behind: u64,
}

/// The beginning of the file up to its first line end. Leaves the file at its start.
fn first_line(file: &mut File) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(&mut *file)
        .take(MAX_ROW_BYTES)
        .read_until(b'\n', &mut line)?;
    file.rewind()?;
    Ok(line)
}

impl RowReader {
    fn begin_row(&mut self) {
        self.left = self.limit;
    }
}

impl Read for RowReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other(format!("a row has more than {} bytes", self.limit)));
        }
        let read = self.file.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

/// Passes the lines of a CSV file on.
///
/// # Errors
/// A message if the file cannot be read any further, or has no row.
pub(super) fn read_csv(mut request: TableRequest<'_, '_>) -> Result<(), String> {
    let (mut reader, columns) = open(request.path, request.spec)?;
    let lines_behind = reader.get_ref().lines_behind;
    let mut record = csv::ByteRecord::new();
    for index in 0.. {
        let line = reader.position().line() + lines_behind;
        reader.get_mut().begin_row();
        let is_row = reader
            .read_byte_record(&mut record)
            .map_err(|error| format!("line {line}: {error}"))?;
        match (is_row, index) {
            (true, _) => {}
            (false, 0) => return Err("has no rows below its first line".to_owned()),
            (false, _) => break,
        }
        if index < request.first {
            continue;
        }
        let line = record
            .position()
            .map_or(line, |position| position.line() + lines_behind);
        let row = csv_row(&columns, &record, request.class_names).map_err(|reason| {
            if record.iter().any(|field| field.contains(&b'\n')) {
                format!("{reason}; a quoted field goes on over the next line")
            } else {
                reason
            }
        });
        if request.pass(index, &format!(" (line {line})"), row) == ControlFlow::Break(()) {
            break;
        }
    }
    Ok(())
}

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
