//! Checks the types of the columns of a Parquet file.

use parquet::basic::{ConvertedType, LogicalType, Type as PhysicalType};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor, Type};

use super::table_rows::{ID, LABEL, check_columns};
use crate::domain::InputSpec;

/// Checks that each column holds numbers, lists of numbers, or classes.
///
/// # Errors
/// A message with the first column of another type, or with the number of columns.
pub(super) fn check_schema(schema: &SchemaDescriptor, spec: &InputSpec) -> Result<(), String> {
    let (mut labels, mut values, mut has_list) = (0, 0, false);
    for (position, field) in schema.root_schema().get_fields().iter().enumerate() {
        let leaves = (0..schema.num_columns()).filter(|&leaf| schema.get_column_root_idx(leaf) == position);
        let leaves: Vec<&ColumnDescriptor> = leaves.map(|leaf| &*schema.columns()[leaf]).collect();
        match (field.name(), content(field, &leaves)) {
            (ID, _) => {}
            (LABEL, Content::Integer | Content::Text) => labels += 1,
            (LABEL, other) => {
                return Err(format!(
                    "has a column {LABEL:?} of {}, expected integers or names of classes",
                    other.describe(&leaves)
                ));
            }
            (_, Content::Integer | Content::Float) => values += 1,
            (_, Content::List) => has_list = true,
            (name, other) => {
                return Err(format!(
                    "has a column {name:?} of {}, expected numbers or lists of numbers",
                    other.describe(&leaves)
                ));
            }
        }
    }
    if labels > 1 {
        return Err(format!("has several columns {LABEL:?}"));
    }
    // The length of a list may differ from row to row.
    if has_list { Ok(()) } else { check_columns(values, spec) }
}

/// The values of a column.
enum Content {
    Integer,
    Float,
    Text,
    /// Lists of numbers.
    List,
    /// A structure, a map, or lists of lists.
    Nested,
    Other,
}

impl Content {
    fn describe(&self, leaves: &[&ColumnDescriptor]) -> String {
        match (self, leaves) {
            (Self::Float, _) => "floats".to_owned(),
            (Self::List, _) => "lists".to_owned(),
            (Self::Nested, _) => "structures or nested lists".to_owned(),
            (_, [leaf]) if leaf.converted_type() != ConvertedType::NONE => {
                format!("the type {}", leaf.converted_type())
            }
            (_, [leaf, ..]) => format!("the type {}", leaf.physical_type()),
            (_, []) => "no values".to_owned(),
        }
    }
}

fn content(field: &Type, leaves: &[&ColumnDescriptor]) -> Content {
    let [leaf] = leaves else { return Content::Nested };
    let scalar = scalar(leaf);
    let is_list = field.get_basic_info().converted_type() == ConvertedType::LIST;
    match (field.is_primitive(), leaf.max_rep_level()) {
        (true, 0) => scalar,
        (_, 1) if is_list || field.is_primitive() => match scalar {
            Content::Integer | Content::Float => Content::List,
            _ => Content::Other,
        },
        _ => Content::Nested,
    }
}

fn scalar(leaf: &ColumnDescriptor) -> Content {
    let logical = leaf.logical_type_ref();
    let is_plain = leaf.converted_type() == ConvertedType::NONE && logical.is_none();
    match leaf.physical_type() {
        PhysicalType::FLOAT | PhysicalType::DOUBLE => Content::Float,
        PhysicalType::FIXED_LEN_BYTE_ARRAY if matches!(logical, Some(LogicalType::Float16)) => Content::Float,
        PhysicalType::INT32 | PhysicalType::INT64 if is_plain || is_integer(leaf) => Content::Integer,
        PhysicalType::BYTE_ARRAY if is_plain || leaf.converted_type() == ConvertedType::UTF8 => Content::Text,
        _ => Content::Other,
    }
}

fn is_integer(leaf: &ColumnDescriptor) -> bool {
    use ConvertedType::{INT_8, INT_16, INT_32, INT_64, UINT_8, UINT_16, UINT_32, UINT_64};
    matches!(
        leaf.converted_type(),
        INT_8 | INT_16 | INT_32 | INT_64 | UINT_8 | UINT_16 | UINT_32 | UINT_64
    )
}
