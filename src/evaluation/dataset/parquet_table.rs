//! Vectors in the columns of a Parquet file.

use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::reader::TreeBuilder;
use parquet::record::{Field, Row};
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type};

use super::class_labels::{class_of_number, class_of_text};
use super::parquet_columns::check_schema;
use super::table_rows::{ID, LABEL, TableRequest, TableRow};
use crate::domain::InputSpec;
use crate::evaluation::parquet_file::{CheckedRowGroup, call_parser, open_parquet};

/// The most values of one column that are read at once.
const BATCH_VALUES: usize = 1 << 20;
/// The most rows that are read at once.
const BATCH_ROWS: usize = 1024;

/// Checks that the columns of a Parquet file are those of inputs, and returns the number of its rows.
///
/// # Errors
/// A message if the file is damaged, or a column has another type.
pub(super) fn check_parquet(path: &Path, spec: &InputSpec) -> Result<u64, String> {
    let reader = open_parquet(path)?;
    let metadata = reader.metadata().file_metadata();
    check_schema(metadata.schema_descr(), spec)?;
    u64::try_from(metadata.num_rows()).map_err(|error| error.to_string())
}

/// Passes the rows of a Parquet file on. The rows of a damaged row group are skipped.
///
/// # Errors
/// A message if the file is damaged as a whole.
pub(super) fn read_parquet(mut request: TableRequest<'_, '_>) -> Result<(), String> {
    let reader = open_parquet(request.path)?;
    let columns = value_columns(reader.metadata().file_metadata().schema())?;
    let mut start = 0_u64;
    for number in 0..reader.num_row_groups() {
        let rows = u64::try_from(reader.metadata().row_group(number).num_rows()).unwrap_or(0);
        let rows = start..start.saturating_add(rows);
        start = rows.end;
        if rows.end <= request.first {
            continue;
        }
        let mut next = rows.start;
        let reason = match read_group(&mut request, &reader, (number, &columns), rows.clone(), &mut next) {
            Ok(ControlFlow::Continue(())) => continue,
            Ok(ControlFlow::Break(())) => break,
            Err(reason) => format!("row group {number} cannot be read from row {next} on: {reason}"),
        };
        for index in next.max(request.first)..rows.end {
            if request.pass(index, "", Err(reason.clone())) == ControlFlow::Break(()) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The columns that are read.
fn value_columns(schema: &Type) -> Result<SchemaDescPtr, String> {
    let fields = schema.get_fields().iter().filter(|field| field.name() != ID);
    let group = Type::group_type_builder(schema.name())
        .with_fields(fields.cloned().collect())
        .build();
    let group = group.map_err(|error| error.to_string())?;
    Ok(Arc::new(SchemaDescriptor::new(Arc::new(group))))
}

/// Passes the rows of one row group on. `next` is the first row that was not passed on.
fn read_group(
    request: &mut TableRequest<'_, '_>,
    reader: &SerializedFileReader<File>,
    (number, columns): (usize, &SchemaDescPtr),
    rows: Range<u64>,
    next: &mut u64,
) -> Result<ControlFlow<()>, String> {
    let group = call_parser(|| reader.get_row_group(number))?;
    let group = CheckedRowGroup::new(group, request.path).map_err(|error| error.to_string())?;
    let batch = (BATCH_VALUES / request.spec.dimension().max(1)).clamp(1, BATCH_ROWS);
    let builder = TreeBuilder::new().with_batch_size(batch);
    let mut parsed = call_parser(|| builder.as_iter(Arc::clone(columns), &group))?;
    for index in rows {
        *next = index;
        group.begin_step();
        let row = call_parser(|| match parsed.next() {
            Some(row) => row,
            None => Err(ParquetError::General("it has fewer rows than it states".to_owned())),
        })?;
        if index < request.first {
            continue;
        }
        if request.pass(index, "", parquet_row(&row, request.class_names)) == ControlFlow::Break(()) {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn parquet_row(row: &Row, class_names: &[String]) -> Result<TableRow, String> {
    let (mut values, mut label) = (Vec::new(), None);
    for (column, field) in row.get_column_iter() {
        match (column.as_str(), field) {
            (LABEL, Field::Null) | (ID, _) => {}
            (LABEL, Field::Str(name)) => label = Some(class_of_text(class_names, name)),
            (LABEL, Field::Bytes(name)) => {
                let name = name.as_utf8().map_err(|_| format!("{LABEL} is not UTF-8"))?;
                label = Some(class_of_text(class_names, name));
            }
            (LABEL, number) => {
                let number = integer(number).ok_or_else(|| format!("{LABEL} is {number}, expected a class"))?;
                label = Some(class_of_number(class_names.len(), number));
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
        Field::Float16(value) => Ok(value.to_f32()),
        ref other => match integer(other) {
            Some(number) => Ok(number as f32),
            None => Err(format!("column {column:?} is {other}, expected a number")),
        },
    }
}
