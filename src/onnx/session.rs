//! One ONNX Runtime session as a [`Backend`].

use std::sync::Arc;

use ort::session::{NoSelectedOutputs, RunOptions, Session};
use ort::value::TensorRef;

use super::{Backend, BackendError, Halt, Model};

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
    /// A row that has worked, and what came out.
    probe: Option<(Vec<f32>, Vec<f32>)>,
    /// Whether the self-test found that not a bit of an output ever differs.
    exact: bool,
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
            exact: false,
        })
    }

    /// Rows in one run, at most, from now on; of a smoothed model, its batch shape.
    pub fn set_max_batch_size(&mut self, max_batch_size: usize) {
        self.max_batch_size = max_batch_size;
    }

    /// From now on a probe must give the same bits as when it was warmed.
    pub fn expect_exact(&mut self) {
        self.exact = true;
    }

    /// Runs `row`, and keeps it and its output for [`Backend::probe`]. Returns the output.
    ///
    /// # Errors
    /// As [`Backend::run`].
    pub fn warm(&mut self, row: Vec<f32>) -> Result<&[f32], BackendError> {
        let mut output = Vec::new();
        self.run(1, &row, &mut output, &Halt::new(1))?;
        let (_, output) = self.probe.insert((row, output));
        Ok(output)
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
        match values.get(..rows * output_len) {
            Some(values_of_rows) if values.len() == batch * output_len => {
                output.clear();
                output.extend_from_slice(values_of_rows);
                Ok(())
            }
            _ => Err(failed(format!(
                "expected an output of {batch} rows of {output_len} values, found {shape:?}"
            ))),
        }
    }

    fn probe(&mut self) -> Result<(), BackendError> {
        let Some((row, expected)) = self.probe.take() else {
            return Ok(());
        };
        let mut output = Vec::new();
        let ran = self.run(1, &row, &mut output, &Halt::new(1));
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let same = !self.exact || bits(&expected) == bits(&output);
        self.probe = Some((row, expected));
        ran?;
        if same {
            Ok(())
        } else {
            Err(self.failed("a row that it ran before has another output now"))
        }
    }

    fn reopen(&self) -> Result<Self, BackendError> {
        let opened = Model::open(&self.model, self.max_batch_size);
        let mut other = opened.map_err(|error| self.failed(error.to_string()))?;
        other.probe.clone_from(&self.probe);
        other.exact = self.exact;
        other.probe()?;
        Ok(other)
    }
}
