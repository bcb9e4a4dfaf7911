//! One ONNX Runtime session as a [`Backend`].

use std::sync::Arc;

use ort::session::{NoSelectedOutputs, RunOptions, Session, SessionInputValue};
use ort::value::TensorRef;

use super::element_type::append_output;
use super::input_conversion::RowConverter;
use super::{Backend, BackendError, Cancellation, Manifest, Model, OnnxError, OutputKind, OutputTolerance};
use crate::domain::{ModelGuarantee, Violations};

/// A session, its buffers and its batch shape.
///
/// A run reads the rows in the executor's buffer without a copy. It copies the outputs, which are a
/// few numbers per row. Binding input and output beforehand saves no measurable time on the CPU: a
/// whole run of a one-layer model takes 2 us.
pub struct OnnxSession {
    model: Arc<Model>,
    session: Session,
    options: Arc<RunOptions<NoSelectedOutputs>>,
    max_batch_size: usize,
    /// Pads each run to `max_batch_size` rows. A fixed shape makes the session compute one
    /// function.
    is_smoothed: bool,
    padded_input: Vec<f32>,
    /// `None` if a row is the ONNX input already.
    converter: Option<RowConverter>,
    /// The shape of one ONNX input.
    onnx_shape: Vec<usize>,
    /// The values of a whole run, if the model returns another type than float32.
    converted_output: Vec<f32>,
    /// An earlier run. Each probe repeats it and compares the outputs.
    reference: Option<ReferenceRun>,
}

/// Rows, and their outputs when the session was new.
#[derive(Debug, Clone)]
struct ReferenceRun {
    rows: Vec<f32>,
    outputs: Vec<f32>,
    /// The tolerance that the self-test confirmed; before the self-test, that of rounding.
    tolerance: OutputTolerance,
}

impl OnnxSession {
    /// Opens a session of `model` for runs of at most `max_batch_size` rows. One thread owns it.
    ///
    /// # Errors
    /// If ONNX Runtime rejects the file or the provider.
    pub fn open(model: &Arc<Model>, max_batch_size: usize) -> Result<Self, OnnxError> {
        let is_smoothed = matches!(model.manifest.guarantee, ModelGuarantee::GaussianSmoothing { .. });
        let session = model.create_session()?;
        let options = RunOptions::new().map_err(|error| OnnxError::LoadModel {
            file: model.manifest.file.clone(),
            reason: error.to_string(),
        })?;
        let Manifest { input, conversion, .. } = &model.manifest;
        Ok(Self {
            model: Arc::clone(model),
            session,
            options: Arc::new(options),
            max_batch_size: usable_rows(model, max_batch_size),
            is_smoothed,
            padded_input: Vec::new(),
            converter: RowConverter::new(conversion, input),
            onnx_shape: conversion.onnx_shape(&input.shape),
            converted_output: Vec::new(),
            reference: None,
        })
    }

    /// Sets the most rows in one run, within the batch size that the ONNX file fixes. For another
    /// smoothed model this is its batch shape.
    pub fn set_max_batch_size(&mut self, max_batch_size: usize) {
        self.max_batch_size = usable_rows(&self.model, max_batch_size);
    }

    /// Runs `row`, and stores the row and its output for [`Backend::probe`]. Returns the output.
    fn warm_up(&mut self, row: Vec<f32>) -> Result<&[f32], BackendError> {
        let outputs = self.run_rows(&row)?;
        let reference = ReferenceRun {
            rows: row,
            outputs,
            tolerance: OutputTolerance::Rounding,
        };
        Ok(&self.reference.insert(reference).outputs)
    }

    /// Runs a full batch that repeats `rows`. Later probes compare with its outputs, with the
    /// tolerance of the model.
    ///
    /// # Errors
    /// Returns the errors of [`Backend::run`].
    pub fn set_probe_reference(&mut self, rows: &[f32]) -> Result<(), BackendError> {
        let values = self.max_batch_size * self.input_len();
        let rows: Vec<f32> = rows.iter().copied().cycle().take(values).collect();
        let outputs = self.run_rows(&rows)?;
        self.reference = Some(ReferenceRun {
            rows,
            outputs,
            tolerance: self.output_tolerance(),
        });
        Ok(())
    }

    fn run_rows(&mut self, rows: &[f32]) -> Result<Vec<f32>, BackendError> {
        let (mut outputs, count) = (Vec::new(), rows.len() / self.input_len().max(1));
        self.run(count, rows, &mut outputs, &Cancellation::new(1))?;
        Ok(outputs)
    }

    fn failed(&self, reason: impl Into<String>) -> BackendError {
        BackendError::Failed {
            model: self.model.manifest.name.clone(),
            reason: reason.into(),
        }
    }
}

impl Backend for OnnxSession {
    fn input_len(&self) -> usize {
        self.model.manifest.input.dimension()
    }

    fn output_len(&self) -> usize {
        self.model.manifest.classes()
    }

    fn max_batch_size(&self) -> usize {
        self.max_batch_size
    }

    fn pads_batches(&self) -> bool {
        self.is_smoothed || self.model.fixed_batch_size.is_some()
    }

    fn output_tolerance(&self) -> OutputTolerance {
        OutputTolerance::for_guarantee(&self.model.manifest.guarantee)
    }

    fn runs_on_calling_thread(&self) -> bool {
        // Sessions on the processor have one thread.
        !self.model.provider.is_cuda()
    }

    fn outputs_probabilities(&self) -> bool {
        self.model.manifest.output_kind == OutputKind::Probabilities
    }

    fn run(
        &mut self,
        rows: usize,
        input: &[f32],
        output: &mut Vec<f32>,
        cancellation: &Cancellation,
    ) -> Result<(), BackendError> {
        let (input_len, output_len) = (self.input_len(), self.output_len());
        if rows == 0 || rows > self.max_batch_size || input.len() != rows * input_len {
            return Err(self.failed(format!(
                "expected 1 to {} rows of {input_len} values, found {rows} rows with {} values",
                self.max_batch_size,
                input.len()
            )));
        }
        let model = Arc::clone(&self.model);
        let failed = |reason: String| BackendError::Failed {
            model: model.manifest.name.clone(),
            reason,
        };
        let padded_rows = if self.is_smoothed { self.max_batch_size } else { rows };
        let batch = model.fixed_batch_size.unwrap_or(padded_rows);
        let values = if batch == rows {
            input
        } else {
            self.padded_input.clear();
            self.padded_input.extend_from_slice(input);
            self.padded_input.resize(batch * input_len, 0.0);
            &self.padded_input
        };
        let shape: Vec<usize> = [&[batch], self.onnx_shape.as_slice()].concat();
        let tensor: ort::Result<SessionInputValue> = match &mut self.converter {
            Some(converter) => converter.convert(values).tensor(shape),
            None => TensorRef::from_array_view((shape, values)).map(Into::into),
        };
        let tensor = tensor.map_err(|error| failed(error.to_string()))?;
        let options = Arc::clone(&self.options);
        options.unterminate().map_err(|error| failed(error.to_string()))?;
        // If the runtime cannot end the run early, the run finishes normally.
        let terminate = move || drop(options.terminate());
        let (session, run_options) = (&mut self.session, &self.options);
        let outputs = cancellation
            .run_cancellable(terminate, || {
                session.run_with_options(ort::inputs![tensor], run_options)
            })
            .ok_or(BackendError::Cancelled)?
            .map_err(|error| match cancellation.is_cancelled() {
                true => BackendError::Cancelled,
                false => failed(error.to_string()),
            })?;
        let value = outputs
            .get(&model.manifest.output_name)
            .ok_or_else(|| failed("the output is missing".to_owned()))?;
        let (shape, values) = match value.try_extract_tensor::<f32>() {
            Ok((shape, values)) => (shape.to_vec(), values),
            Err(_) => {
                self.converted_output.clear();
                let shape = append_output(value, &mut self.converted_output);
                let shape = shape.map_err(|error| failed(error.to_string()))?;
                (shape, self.converted_output.as_slice())
            }
        };
        // The check compares the whole shape. A transposed output has as many values, but in other
        // rows.
        match values.get(..rows * output_len) {
            Some(values_of_rows) if is_shape(&shape, batch, output_len) && values.len() == batch * output_len => {
                output.clear();
                output.extend_from_slice(values_of_rows);
                Ok(())
            }
            _ => Err(failed(format!(
                "expected an output of the shape [{batch}, {output_len}], one row per input, found {shape:?}"
            ))),
        }
    }

    fn probe(&mut self) -> Result<(), BackendError> {
        let Some(reference) = self.reference.take() else {
            return Ok(());
        };
        let outputs = self.run_rows(&reference.rows);
        let is_equal = outputs
            .as_ref()
            .is_ok_and(|outputs| reference.tolerance.accepts(&reference.outputs, outputs));
        self.reference = Some(reference);
        match outputs {
            Ok(_) if is_equal => Ok(()),
            Ok(_) => Err(self.failed("the outputs of rows that ran before have changed")),
            Err(error) => Err(error),
        }
    }

    fn reopen(&self) -> Result<Self, BackendError> {
        let opened = Self::open(&self.model, self.max_batch_size);
        let mut replacement = opened.map_err(|error| self.failed(error.to_string()))?;
        replacement.reference.clone_from(&self.reference);
        replacement.probe()?;
        Ok(replacement)
    }
}

/// Runs each session once on an input in the middle of the range. This detects shapes that the
/// graph leaves open and the manifest gets wrong.
///
/// # Errors
/// If the model fails, or its output does not match the manifest.
pub fn warm_up(model: &Model, sessions: &mut [OnnxSession]) -> Result<(), OnnxError> {
    let input = model.midpoint_input();
    let mut violations = Violations::default();
    for session in sessions {
        match session.warm_up(input.clone()) {
            Err(error) => violations.add("output.shape", error.to_string()),
            Ok(output) if model.manifest.output_kind == OutputKind::Probabilities => {
                let sum: f32 = output.iter().sum();
                let fits = (sum - 1.0).abs() < 1e-3 && output.iter().all(|p| (0.0..=1.0).contains(p));
                violations.check(fits, "output.kind", || {
                    format!("the manifest declares \"probabilities\", but the output is {output:?}, with the sum {sum}")
                });
            }
            Ok(_) => {}
        }
    }
    violations
        .into_result()
        .map_err(|violations| model.manifest_mismatch(violations))
}

/// The rows of one run that can belong to requests, out of `max_batch_size`. A file with a fixed
/// batch axis takes no more, and the other rows of a run that may mix its rows are padding.
fn usable_rows(model: &Model, max_batch_size: usize) -> usize {
    match (model.fixed_batch_size, &model.one_row_reason) {
        (Some(_), Some(_)) => 1,
        (Some(rows), None) => max_batch_size.min(rows),
        (None, _) => max_batch_size,
    }
}

/// Returns whether `shape` is `[rows, row_len]`, perhaps with further axes of length 1.
fn is_shape(shape: &[i64], rows: usize, row_len: usize) -> bool {
    let Some((found_rows, rest)) = shape.split_first() else {
        return false;
    };
    let is_length = |found: i64, length: usize| usize::try_from(found) == Ok(length);
    let mut long = rest.iter().filter(|&&length| length != 1);
    let row = match long.next() {
        Some(&length) => is_length(length, row_len),
        None => row_len == 1 && !rest.is_empty(),
    };
    is_length(*found_rows, rows) && row && long.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::is_shape;

    #[test]
    fn another_shape_with_as_many_values_is_rejected() {
        assert!(is_shape(&[2, 3], 2, 3));
        for shape in [&[2, 3, 1][..], &[2, 3, 1, 1], &[2, 1, 1, 3]] {
            assert!(is_shape(shape, 2, 3), "{shape:?}");
        }
        for shape in [&[3, 2][..], &[6], &[1, 2, 3], &[2, 3, 3], &[2, 1], &[-2, -3], &[]] {
            assert!(!is_shape(shape, 2, 3), "{shape:?}");
        }
    }
}
