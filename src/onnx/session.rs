//! One ONNX Runtime session as a [`Backend`].

use std::sync::Arc;

use ort::session::{NoSelectedOutputs, RunOptions, Session};
use ort::value::TensorRef;

use super::{Backend, BackendError, Cancellation, Model, OnnxError, OutputKind, OutputTolerance};
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
    fixed_batch: bool,
    padded_input: Vec<f32>,
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
        let fixed_batch = matches!(model.manifest.guarantee, ModelGuarantee::GaussianSmoothing { .. });
        let session = model.create_session()?;
        let options = RunOptions::new().map_err(|error| OnnxError::LoadModel {
            file: model.manifest.file.clone(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            model: Arc::clone(model),
            session,
            options: Arc::new(options),
            max_batch_size,
            fixed_batch,
            padded_input: Vec::new(),
            reference: None,
        })
    }

    /// Sets the most rows in one run. For a smoothed model this is its batch shape.
    pub fn set_max_batch_size(&mut self, max_batch_size: usize) {
        self.max_batch_size = max_batch_size;
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
        self.fixed_batch
    }

    fn output_tolerance(&self) -> OutputTolerance {
        OutputTolerance::for_guarantee(&self.model.manifest.guarantee)
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
        let batch = if self.fixed_batch { self.max_batch_size } else { rows };
        let values = if batch == rows {
            input
        } else {
            self.padded_input.clear();
            self.padded_input.extend_from_slice(input);
            self.padded_input.resize(batch * input_len, 0.0);
            &self.padded_input
        };
        let shape: Vec<usize> = [&[batch], model.manifest.input.shape.as_slice()].concat();
        let tensor = TensorRef::from_array_view((shape, values)).map_err(|error| failed(error.to_string()))?;
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
        let (shape, values) = value
            .try_extract_tensor::<f32>()
            .map_err(|error| failed(error.to_string()))?;
        // The check compares the whole shape. A transposed output has as many values, but in other
        // rows.
        match values.get(..rows * output_len) {
            Some(values_of_rows) if is_shape(shape, batch, output_len) && values.len() == batch * output_len => {
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

/// Returns whether `shape` is `[rows, row_len]`.
fn is_shape(shape: &[i64], rows: usize, row_len: usize) -> bool {
    let [found_rows, found_len] = shape else { return false };
    usize::try_from(*found_rows) == Ok(rows) && usize::try_from(*found_len) == Ok(row_len)
}

#[cfg(test)]
mod tests {
    use super::is_shape;

    #[test]
    fn another_shape_with_as_many_values_is_rejected() {
        assert!(is_shape(&[2, 3], 2, 3));
        for shape in [&[3, 2][..], &[6], &[2, 3, 1], &[1, 2, 3], &[-2, -3], &[]] {
            assert!(!is_shape(shape, 2, 3), "{shape:?}");
        }
    }
}
