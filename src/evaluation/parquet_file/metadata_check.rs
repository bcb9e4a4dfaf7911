//! Checks the numbers of a file's metadata, on which the parser panics or which it trusts.

use std::ops::Range;

use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

/// Checks that every column has a place in the file of `file_bytes` bytes, and that the rows of the
/// groups add up.
///
/// # Errors
/// A message with the row group and the column.
pub(super) fn check_metadata(metadata: &ParquetMetaData, file_bytes: u64) -> Result<(), String> {
    let columns = metadata.file_metadata().schema_descr().num_columns();
    let mut rows = Some(0_u64);
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let damaged = |reason: String| format!("the Parquet metadata is damaged: row group {number} {reason}");
        if group.columns().len() != columns {
            return Err(damaged(format!(
                "has {} columns, expected {columns}",
                group.columns().len()
            )));
        }
        for column in group.columns() {
            let name = column.column_path();
            let place = place_of(column).filter(|place| place.end <= file_bytes);
            if place.is_none() || column.num_values() < 0 || column.uncompressed_size() < 0 {
                return Err(damaged(format!("has no valid place for its column {name}")));
            }
        }
        let of_group = u64::try_from(group.num_rows()).ok();
        rows = rows
            .zip(of_group)
            .and_then(|(rows, of_group)| rows.checked_add(of_group));
    }
    if rows == u64::try_from(metadata.file_metadata().num_rows()).ok() {
        return Ok(());
    }
    Err("the Parquet metadata is damaged: the rows of its row groups do not add up".to_owned())
}

/// The bytes of a column in its file.
pub(super) fn place_of(column: &ColumnChunkMetaData) -> Option<Range<u64>> {
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let start = u64::try_from(start).ok()?;
    let end = start.checked_add(u64::try_from(column.compressed_size()).ok()?)?;
    Some(start..end)
}

/// Checks that the columns of `metadata` have a compression that is read here.
///
/// # Errors
/// A message that says how to write the file again.
pub(super) fn check_compression(metadata: &ParquetMetaData) -> Result<(), String> {
    let columns = metadata.row_groups().iter().flat_map(|group| group.columns());
    for column in columns {
        let compression = column.compression();
        if !matches!(compression, Compression::UNCOMPRESSED | Compression::SNAPPY) {
            let name = format!("{compression}");
            let name = name.split('(').next().unwrap_or_default();
            return Err(format!(
                "its column {} is compressed with {name}, expected SNAPPY or no compression: write it again, in Python \
                 with compression=\"snappy\"",
                column.column_path()
            ));
        }
    }
    Ok(())
}
