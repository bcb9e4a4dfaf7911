//! One ONNX Runtime session as a [`Backend`].

use ort::session::Session;
use ort::value::TensorRef;

use super::{Backend, BackendError};

/// A session, its buffers and its batch shape.
#[derive(Debug)]
pub struct OnnxSession {
    pub(super) session: Session,
    pub(super) model: String,
    pub(super) output_name: String,
    pub(super) input_shape: Vec<usize>,
    pub(super) input_len: usize,
    pub(super) output_len: usize,
    pub(super) max_batch_size: usize,
    /// Always run `max_batch_size` rows, the last ones padding: one shape, one function.
    pub(super) fixed_batch: bool,
    pub(super) padded: Vec<f32>,
}

impl Backend for OnnxSession {
    fn input_len(&self) -> usize {
        self.input_len
    }

    fn output_len(&self) -> usize {
        self.output_len
    }

    fn max_batch_size(&self) -> usize {
        self.max_batch_size
    }

    fn run(&mut self, rows: usize, input: &[f32], output: &mut Vec<f32>) -> Result<(), BackendError> {
        let model = &self.model;
        let failed = |reason: String| BackendError {
            model: model.clone(),
            reason,
        };
        if rows == 0 || rows > self.max_batch_size || input.len() != rows * self.input_len {
            return Err(failed(format!("{rows} rows of {} values were asked for", input.len())));
        }
        let batch = if self.fixed_batch { self.max_batch_size } else { rows };
        let values = if batch == rows {
            input
        } else {
            self.padded.clear();
            self.padded.extend_from_slice(input);
            self.padded.resize(batch * self.input_len, 0.0);
            &self.padded
        };
        let mut shape = Vec::with_capacity(1 + self.input_shape.len());
        shape.push(batch);
        shape.extend_from_slice(&self.input_shape);
        let tensor = TensorRef::from_array_view((shape, values)).map_err(|error| failed(error.to_string()))?;
        let outputs = self
            .session
            .run(ort::inputs![tensor])
            .map_err(|error| failed(error.to_string()))?;
        let value = outputs
            .get(&self.output_name)
            .ok_or_else(|| failed("the output is missing".to_owned()))?;
        let (shape, values) = value
            .try_extract_tensor::<f32>()
            .map_err(|error| failed(error.to_string()))?;
        let wanted = rows * self.output_len;
        match values.get(..wanted) {
            Some(values_of_rows) if values.len() == batch * self.output_len => {
                output.clear();
                output.extend_from_slice(values_of_rows);
                Ok(())
            }
            _ => Err(failed(format!(
                "expected an output of {batch} rows of {} values, found {shape:?}",
                self.output_len
            ))),
        }
    }
}
