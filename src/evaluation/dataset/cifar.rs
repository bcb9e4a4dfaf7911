//! The binary files of CIFAR-10 and CIFAR-100: one byte (CIFAR-100: two) of the class, and 3072 bytes of
//! the image, channels first.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::class_labels::class_of_number;
use super::entry::{DataSetEntry, Sink};
use super::input_check::{check_accepts_uint8, input_of_bytes};
use crate::domain::InputSpec;
use crate::evaluation::error::EvaluationError;

const IMAGE_SHAPE: [usize; 3] = [3, 32, 32];
const IMAGE_BYTES: usize = 3072;
/// The number of classes of CIFAR-100, whose files have a second byte for the class.
const FINE_CLASSES: usize = 100;

/// The files of a data set, in the order of their names, with the rows of each.
pub(super) struct CifarFiles {
    files: Vec<(PathBuf, u64)>,
    label_bytes: usize,
}

impl CifarFiles {
    /// Checks that the model accepts the images, and counts the rows of `paths`. An incomplete row
    /// counts as one.
    pub(super) fn new(paths: Vec<PathBuf>, spec: &InputSpec, classes: usize) -> Result<Self, EvaluationError> {
        let label_bytes = if classes == FINE_CLASSES { 2 } else { 1 };
        let row_bytes = (label_bytes + IMAGE_BYTES) as u64;
        let mut files = Vec::new();
        for path in paths {
            let error = |reason: String| EvaluationError::file(&path, reason);
            if spec.shape != IMAGE_SHAPE {
                let shape = &spec.shape;
                return Err(error(format!(
                    "has rows of the shape {IMAGE_SHAPE:?}, but the model takes {shape:?}"
                )));
            }
            check_accepts_uint8(spec).map_err(error)?;
            let bytes = path.metadata().map_err(|reason| error(reason.to_string()))?.len();
            files.push((path, bytes.div_ceil(row_bytes)));
        }
        Ok(Self { files, label_bytes })
    }

    /// The number of rows.
    pub(super) fn rows(&self) -> u64 {
        self.files.iter().map(|(_, rows)| rows).sum()
    }

    /// Passes the rows from `first` on to `sink`.
    pub(super) fn read(
        &self,
        spec: &InputSpec,
        labels: &[String],
        first: u64,
        sink: &mut Sink<'_>,
    ) -> Result<(), EvaluationError> {
        let mut start = 0;
        for (path, rows) in &self.files {
            let read = self.read_file(path, (start, *rows), (spec, labels), first, sink);
            if read.map_err(|error| EvaluationError::file(path, error))? == ControlFlow::Break(()) {
                break;
            }
            start += rows;
        }
        Ok(())
    }

    /// Reads one file, whose first row has the index `start`.
    fn read_file(
        &self,
        path: &Path,
        (start, rows): (u64, u64),
        (spec, labels): (&InputSpec, &[String]),
        first: u64,
        sink: &mut Sink<'_>,
    ) -> std::io::Result<ControlFlow<()>> {
        let skipped = first.saturating_sub(start).min(rows);
        let row_bytes = self.label_bytes + IMAGE_BYTES;
        let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
        reader.seek(SeekFrom::Start(skipped * row_bytes as u64))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        for row in skipped..rows {
            let mut bytes = Vec::with_capacity(row_bytes);
            reader.by_ref().take(row_bytes as u64).read_to_end(&mut bytes)?;
            let read = if bytes.len() == row_bytes {
                let image = bytes.split_off(self.label_bytes);
                // The last byte of the class is the fine one.
                let number = bytes.last().copied().map_or(-1, i64::from);
                class_of_number(labels.len(), number).and_then(|label| Ok((input_of_bytes(spec, image)?, Some(label))))
            } else {
                Err(format!(
                    "has {} of {row_bytes} bytes: the file is cut short",
                    bytes.len()
                ))
            };
            if sink(DataSetEntry::new(start + row, format!("{name}#{row}"), read)) == ControlFlow::Break(()) {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
