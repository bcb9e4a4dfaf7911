//! The rows of a CSV or Parquet file: vectors in columns.
//!
//! The column `label` holds the class, by name or by number. A column `id` is ignored. All other columns
//! are the values of the vector, in their order; in Parquet, a column may also hold a list of them.

use std::ops::ControlFlow;
use std::path::Path;

use super::class_labels::RowLabels;
use super::entry::{DataSetEntry, Sink};
use super::input_check::input_of_floats;
use crate::domain::{Input, InputSpec};

/// The column of the class.
pub(super) const LABEL: &str = "label";
/// The column that is ignored.
pub(super) const ID: &str = "id";

/// The values of a row, and the class in its own column if there is one.
pub(super) type TableRow = (Vec<f32>, Option<Result<u32, String>>);

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
    pub(super) fn pass(&mut self, index: u64, place: &str, row: Result<TableRow, String>) -> ControlFlow<()> {
        let other = self.labels.and_then(|labels| labels.get(index));
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

/// Checks the number of the columns of values.
///
/// # Errors
/// A message if the rows are no inputs of the model.
pub(super) fn check_columns(values: usize, spec: &InputSpec) -> Result<(), String> {
    if values == spec.dimension() {
        return Ok(());
    }
    Err(format!(
        "has {values} columns beside {LABEL:?} and {ID:?}, expected {} for inputs of the shape {:?}",
        spec.dimension(),
        spec.shape
    ))
}
