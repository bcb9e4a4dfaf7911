//! Checks the size of a schema before the parser builds it.
//!
//! The parser calls itself for each level of the schema, and reserves memory for as many columns as the
//! schema states.

use super::thrift_reader::{LIST, STRUCT, ThriftReader};

/// The deepest accepted nesting of columns.
const MAX_DEPTH: usize = 64;

/// Checks the schema in the metadata of a file.
///
/// # Errors
/// A message if the bytes are no metadata, or the schema is deeper or wider than its text allows.
pub(super) fn check_schema_size(metadata: &[u8]) -> Result<(), String> {
    let mut result = Ok(());
    let mut reader = ThriftReader::new(metadata);
    let walked = reader.fields(|reader, number, kind| match (number, kind) {
        (2, LIST) => {
            result = check_elements(reader)?;
            Some(true)
        }
        _ => Some(false),
    });
    walked.ok_or_else(|| "its metadata is damaged".to_owned())?;
    result
}

/// Checks the elements of a schema, each of which states how many of the next ones are its children.
fn check_elements(reader: &mut ThriftReader<'_>) -> Option<Result<(), String>> {
    let (count, kind) = reader.list_header()?;
    if kind != STRUCT {
        return None;
    }
    // The children that are still to come, of each element around the current one.
    let mut missing: Vec<u64> = Vec::new();
    let mut result = Ok(());
    for _ in 0..count {
        let mut children = 0;
        reader.fields(|reader, number, kind| match (number, kind) {
            (5, super::thrift_reader::I32) => {
                children = reader.zigzag()?;
                Some(true)
            }
            _ => Some(false),
        })?;
        while missing.last() == Some(&0) {
            missing.pop();
        }
        if let Some(missing) = missing.last_mut() {
            *missing -= 1;
        }
        match u64::try_from(children) {
            Ok(0) => {}
            Ok(children) if children < count && missing.len() < MAX_DEPTH => missing.push(children),
            _ => {
                result = Err(format!(
                    "its schema has a column with {children} columns, or {MAX_DEPTH} levels"
                ))
            }
        }
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The metadata of a file whose schema has elements with these numbers of children, below 64.
    fn metadata(children: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x15, 2, 0x19, 0xfc];
        bytes.extend([
            0x80 | u8::try_from(children.len() & 0x7f).unwrap(),
            u8::try_from(children.len() >> 7).unwrap(),
        ]);
        for children in children {
            // A name, and the number of children.
            bytes.extend([0x48, 1, b'a', 0x15, children << 1, 0]);
        }
        bytes.push(0);
        bytes
    }

    #[test]
    fn a_schema_has_no_more_columns_than_elements() {
        assert_eq!(check_schema_size(&metadata(&[2, 0, 1, 0])), Ok(()));
        let wide = check_schema_size(&metadata(&[2, 9, 1, 0]));
        assert!(wide.is_err_and(|reason| reason.contains("9 columns")));
        assert_eq!(check_schema_size(&metadata(&[1; 60])), Ok(()));
        let deep = check_schema_size(&metadata(&[1; 5000]));
        assert!(deep.is_err_and(|reason| reason.contains("64 levels")));
    }

    #[test]
    fn bytes_that_end_early_are_no_metadata() {
        let whole = metadata(&[2, 0, 0]);
        for length in 0..whole.len() {
            assert!(check_schema_size(&whole[..length]).is_err(), "{length}");
        }
        for header in [0x19, 0x1c, 0x1b, 0x18] {
            assert!(check_schema_size(&vec![header; 10_000]).is_err(), "{header}");
        }
    }
}
