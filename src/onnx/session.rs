//! One ONNX Runtime session as a [`Backend`].

use std::sync::Arc;

use ort::session::{NoSelectedOutputs, RunOptions, Session};
use ort::value::TensorRef;

use super::{Agreement, Backend, BackendError, Halt, Model, OutputKind};

/// A session, its buffers and its batch shape.
///
/// Rows go in as they lie in the executor's buffer, without a copy, and the outputs, a few numbers a row, are copied out.
/// Binding both beforehand was measured and saves nothing on the processor: a whole run of a one-layer model takes 2 us.
pub struct OnnxSession {
    model: Arc<Model>,
    session: Session,
    options: Arc<RunOptions<NoSelectedOutputs>>,
    max_batch_size: usize,
    /// Always run `max_batch_size` rows, the last ones padding: one shape, one function.
    fixed_batch: bool,
    padded: Vec<f32>,
    /// What has worked, to be held against what comes out later.
    probe: Option<Probe>,
}

/// Rows, and their outputs when the session was new.
#[derive(Debug, Clone)]
struct Probe {
    rows: Vec<f32>,
    outputs: Vec<f32>,
    /// The rule that the self-test found to hold; before it, that of rounding.
    agreement: Agreement,
}

impl OnnxSession {
    pub(super) fn new(
        model: Arc<Model>,
        session: Session,
        max_batch_size: usize,
        fixed_batch: bool,
    ) -> ort::Result<Self> {
        Ok(Self {
            model,
            session,
            options: Arc::new(RunOptions::new()?),
            max_batch_size,
            fixed_batch,
            padded: Vec::new(),
            probe: None,
        })
    }

    /// Rows in one run, at most, from now on; of a smoothed model, its batch shape.
    pub fn set_max_batch_size(&mut self, max_batch_size: usize) {
        self.max_batch_size = max_batch_size;
    }

    /// Runs `row`, and keeps it and its output for [`Backend::probe`]. Returns the output.
    ///
    /// # Errors
    /// As [`Backend::run`].
    pub fn warm(&mut self, row: Vec<f32>) -> Result<&[f32], BackendError> {
        let outputs = self.outputs(&row)?;
        let probe = Probe {
            rows: row,
            outputs,
            agreement: Agreement::Rounding,
        };
        Ok(&self.probe.insert(probe).outputs)
    }

    /// Runs a full batch of `rows`, over and over; from now on a probe must give the same, by the model's rule.
    ///
    /// # Errors
    /// As [`Backend::run`].
    pub fn expect_the_same(&mut self, rows: &[f32]) -> Result<(), BackendError> {
        let values = self.max_batch_size * self.input_len();
        let rows: Vec<f32> = rows.iter().copied().cycle().take(values).collect();
        let outputs = self.outputs(&rows)?;
        self.probe = Some(Probe {
            rows,
            outputs,
            agreement: self.agreement(),
        });
        Ok(())
    }

    fn outputs(&mut self, rows: &[f32]) -> Result<Vec<f32>, BackendError> {
        let (mut outputs, count) = (Vec::new(), rows.len() / self.input_len().max(1));
        self.run(count, rows, &mut outputs, &Halt::new(1))?;
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

    fn pads(&self) -> bool {
        self.fixed_batch
    }

    fn agreement(&self) -> Agreement {
        Agreement::of(&self.model.manifest.guarantee)
    }

    fn answers_probabilities(&self) -> bool {
        self.model.manifest.output_kind == OutputKind::Probabilities
    }

    fn run(&mut self, rows: usize, input: &[f32], output: &mut Vec<f32>, halt: &Halt) -> Result<(), BackendError> {
        let (input_len, output_len) = (self.input_len(), self.output_len());
        if rows == 0 || rows > self.max_batch_size || input.len() != rows * input_len {
            return Err(self.failed(format!("{rows} rows of {} values were asked for", input.len())));
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
            self.padded.clear();
            self.padded.extend_from_slice(input);
            self.padded.resize(batch * input_len, 0.0);
            &self.padded
        };
        let shape: Vec<usize> = [&[batch], model.manifest.input.shape.as_slice()].concat();
        let tensor = TensorRef::from_array_view((shape, values)).map_err(|error| failed(error.to_string()))?;
        let options = Arc::clone(&self.options);
        options.unterminate().map_err(|error| failed(error.to_string()))?;
        // A run that cannot be ended early just takes its time.
        let end = move || drop(options.terminate());
        let (session, run_options) = (&mut self.session, &self.options);
        let outputs = halt
            .guard(end, || session.run_with_options(ort::inputs![tensor], run_options))
            .ok_or(BackendError::Halted)?
            .map_err(|error| match halt.is_orphaned() {
                true => BackendError::Halted,
                false => failed(error.to_string()),
            })?;
        let value = outputs
            .get(&model.manifest.output_name)
            .ok_or_else(|| failed("the output is missing".to_owned()))?;
        let (shape, values) = value
            .try_extract_tensor::<f32>()
            .map_err(|error| failed(error.to_string()))?;
        // The shape itself: as many values, turned about, are other rows' values.
        match values.get(..rows * output_len) {
            Some(values_of_rows) if is_shape(shape, batch, output_len) && values.len() == batch * output_len => {
                output.clear();
                output.extend_from_slice(values_of_rows);
                Ok(())
            }
            _ => Err(failed(format!(
                "expected an output of the shape [{batch}, {output_len}], a row for each input, found {shape:?}"
            ))),
        }
    }

    fn probe(&mut self) -> Result<(), BackendError> {
        let Some(probe) = self.probe.take() else {
            return Ok(());
        };
        let outputs = self.outputs(&probe.rows);
        let holds = outputs
            .as_ref()
            .is_ok_and(|outputs| probe.agreement.holds(&probe.outputs, outputs));
        self.probe = Some(probe);
        match outputs {
            Ok(_) if holds => Ok(()),
            Ok(_) => Err(self.failed("rows that it ran before have other outputs now")),
            Err(error) => Err(error),
        }
    }

    fn reopen(&self) -> Result<Self, BackendError> {
        let opened = Model::open(&self.model, self.max_batch_size);
        let mut other = opened.map_err(|error| self.failed(error.to_string()))?;
        other.probe.clone_from(&self.probe);
        other.probe()?;
        Ok(other)
    }
}

/// Whether `shape` is `[rows, row_len]`.
fn is_shape(shape: &[i64], rows: usize, row_len: usize) -> bool {
    let [found_rows, found_len] = shape else { return false };
    usize::try_from(*found_rows) == Ok(rows) && usize::try_from(*found_len) == Ok(row_len)
}

#[cfg(test)]
mod tests {
    use super::is_shape;

    #[test]
    fn as_many_values_of_another_shape_are_refused() {
        assert!(is_shape(&[2, 3], 2, 3));
        for shape in [&[3, 2][..], &[6], &[2, 3, 1], &[1, 2, 3], &[-2, -3], &[]] {
            assert!(!is_shape(shape, 2, 3), "{shape:?}");
        }
    }
}
