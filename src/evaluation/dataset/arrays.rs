//! Rows of an array: the whole of a `.npy` file, or one array of an `.npz` archive.

use std::io::{self, Read};
use std::ops::ControlFlow;

use super::class_labels::RowLabels;
use super::entry::{DataSetEntry, Sink};
use super::input_check::{check_accepts_uint8, input_of_bytes, input_of_floats};
use super::npy_header::{ArrayHeader, ValueType, read_end};
use crate::domain::{Input, InputSpec};

/// The order of the values of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// That of the model.
    Model,
    /// An image with the channels last.
    ChannelsLast { channels: usize },
}

/// An array whose rows are inputs of the model.
#[derive(Debug, Clone)]
pub(super) struct InputArray {
    pub(super) header: ArrayHeader,
    layout: Layout,
}

impl InputArray {
    /// Checks that the rows have the shape of the model's input: exactly, flattened, without sides of
    /// length 1, or with the channels last.
    pub(super) fn new(header: ArrayHeader, spec: &InputSpec) -> Result<Self, String> {
        match header.value_type {
            ValueType::UInt8 => check_accepts_uint8(spec)?,
            ValueType::Float32 | ValueType::Float64 => {}
            ValueType::Integer { .. } => {
                return Err("holds integers, expected uint8, float32 or float64".to_owned());
            }
        }
        let layout = header
            .shape
            .split_first()
            .and_then(|(_, row)| layout_of(row, &spec.shape))
            .ok_or_else(|| {
                format!(
                    "has the shape {:?}, expected [N, …] with rows of the shape {:?}",
                    header.shape, spec.shape
                )
            })?;
        Ok(Self { header, layout })
    }

    /// Passes the rows from `first` on to `sink`. `reader` is at the first value of the array. `name`
    /// names the array.
    ///
    /// # Errors
    /// A message if the array is damaged, which may be found after its last row.
    pub(super) fn read(
        &self,
        reader: &mut impl Read,
        name: &str,
        spec: &InputSpec,
        labels: Option<&RowLabels>,
        first: u64,
        sink: &mut Sink<'_>,
    ) -> Result<(), String> {
        let row_bytes = spec.dimension() * self.header.value_type.width();
        let before = first.saturating_mul(row_bytes as u64);
        let skipped = io::copy(&mut reader.by_ref().take(before), &mut io::sink());
        let is_complete = skipped.map_err(|error| error.to_string())? == before;
        let mut bytes = vec![0; row_bytes];
        for index in first..self.header.rows() {
            let id = format!("{name}#{index}");
            let read = if is_complete {
                reader.read_exact(&mut bytes)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
            if let Err(error) = read {
                let reason = format!(
                    "the file is cut short here ({error}): {} of {} rows are missing",
                    self.header.rows() - index,
                    self.header.rows()
                );
                let _ = sink(DataSetEntry::new(index, id, Err(reason)));
                return Ok(());
            }
            let label = labels.and_then(|labels| labels.get(index)).transpose();
            let row = label.and_then(|label| Ok((self.input(&bytes, spec)?, label)));
            if sink(DataSetEntry::new(index, id, row)) == ControlFlow::Break(()) {
                return Ok(());
            }
        }
        read_end(reader)
    }

    fn input(&self, bytes: &[u8], spec: &InputSpec) -> Result<Input, String> {
        match self.header.value_type {
            ValueType::UInt8 => input_of_bytes(spec, self.in_model_order(bytes.to_vec())),
            ValueType::Float64 => {
                let words = bytes.as_chunks::<8>().0.iter();
                #[expect(clippy::cast_possible_truncation, reason = "the nearest float32 is meant")]
                let values = words.map(|&word| f64::from_le_bytes(word) as f32).collect();
                input_of_floats(spec, self.in_model_order(values))
            }
            ValueType::Float32 | ValueType::Integer { .. } => {
                let words = bytes.as_chunks::<4>().0.iter();
                let values = words.map(|&word| f32::from_le_bytes(word)).collect();
                input_of_floats(spec, self.in_model_order(values))
            }
        }
    }

    fn in_model_order<T: Copy>(&self, values: Vec<T>) -> Vec<T> {
        match self.layout {
            Layout::Model => values,
            Layout::ChannelsLast { channels } => {
                let plane = |channel: usize| values.iter().skip(channel).step_by(channels.max(1)).copied();
                (0..channels).flat_map(plane).collect()
            }
        }
    }
}

/// The order of the values of a row of the shape `row`; `None` if it is no input of the shape `spec`.
fn layout_of(row: &[u64], spec: &[usize]) -> Option<Layout> {
    let row: Vec<usize> = row.iter().filter_map(|&side| usize::try_from(side).ok()).collect();
    let long = |shape: &[usize]| -> Vec<usize> { shape.iter().copied().filter(|&side| side != 1).collect() };
    let dimension: usize = spec.iter().product();
    if row == spec || row == [dimension] || long(&row) == long(spec) {
        return Some(Layout::Model);
    }
    match *spec {
        [channels, height, width] if row == [height, width, channels] => Some(Layout::ChannelsLast { channels }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_shape_of_the_model_or_one_that_is_unmistakable() {
        let last = |channels| Some(Layout::ChannelsLast { channels });
        for (row, spec, expected) in [
            (&[3, 32, 32][..], &[3, 32, 32][..], Some(Layout::Model)),
            (&[3072], &[3, 32, 32], Some(Layout::Model)),
            (&[32, 32, 3], &[3, 32, 32], last(3)),
            (&[28, 28], &[1, 28, 28], Some(Layout::Model)),
            (&[28, 28, 1], &[1, 28, 28], Some(Layout::Model)),
            (&[3, 3, 3], &[3, 3, 3], Some(Layout::Model)),
            (&[8], &[8], Some(Layout::Model)),
            (&[7], &[8], None),
            (&[32, 3, 32], &[3, 32, 32], None),
            (&[], &[8], None),
        ] {
            assert_eq!(layout_of(row, spec), expected, "{row:?} {spec:?}");
        }
    }
}
