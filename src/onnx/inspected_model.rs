//! An ONNX file that is examined before there is a manifest for it.

use std::path::{Path, PathBuf};

use ort::session::Session;
use ort::value::{Outlet, ValueType};
use sha2::{Digest as _, Sha256};

use super::element_type::{ElementType, InputValues, append_output};
use super::graph::{ModelProto, VisibleRange, logits_before_softmax, visible_range};
use super::model_file::{decode_graph, read_bytes};
use super::session_options::session_builder;
use super::{OnnxError, Runtime};
use crate::domain::hex;

/// An ONNX file with an open session.
pub struct InspectedModel {
    /// The ONNX file.
    pub file: PathBuf,
    /// Its SHA-256, lower-case hexadecimal.
    pub sha256: String,
    /// The inputs that a run needs.
    pub inputs: Vec<TensorDescription>,
    /// The outputs.
    pub outputs: Vec<TensorDescription>,
    graph: ModelProto,
    session: Session,
}

/// An input or an output as the graph declares it.
#[derive(Debug, Clone)]
pub struct TensorDescription {
    /// The name.
    pub name: String,
    /// The type of the values; `None` for a type that the server does not convert, and for a value
    /// that is not a tensor.
    pub element: Option<ElementType>,
    /// The length of each axis, the batch axis first; `None` for an axis that the graph leaves open.
    /// Empty for a value that is not a tensor.
    pub shape: Vec<Option<usize>>,
    /// The declaration in words.
    pub declared: String,
}

/// An output of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputTensor {
    /// The name.
    pub name: String,
    /// The shape, the batch axis first.
    pub shape: Vec<usize>,
    /// The values, row-major.
    pub values: Vec<f32>,
}

impl InspectedModel {
    /// Reads the ONNX file at `path`, checks it as the server does, and opens a session on the CPU.
    ///
    /// # Errors
    /// If the file cannot be read, holds a graph that cannot be served, or is rejected by ONNX
    /// Runtime.
    pub fn open(runtime: &Runtime, path: &Path) -> Result<Self, OnnxError> {
        let bytes = read_bytes(path)?;
        let graph = decode_graph(path, &bytes)?;
        let session = session_builder(runtime, path)?
            .commit_from_memory(&bytes)
            .map_err(|error| failed(path, &error))?;
        let describe = |outlets: &[Outlet]| outlets.iter().map(TensorDescription::of).collect();
        Ok(Self {
            file: path.to_path_buf(),
            sha256: hex(&Sha256::digest(&bytes)),
            inputs: describe(session.inputs()),
            outputs: describe(session.outputs()),
            graph,
            session,
        })
    }

    /// The range of the values of `input`, if the first nodes of the graph show one.
    #[must_use]
    pub fn visible_range(&self, input: &str) -> Option<VisibleRange> {
        visible_range(&self.graph, input)
    }

    /// The tensor with the logits, if `output` is that of a softmax.
    #[must_use]
    pub fn logits_before_softmax(&self, output: &str) -> Option<String> {
        logits_before_softmax(&self.graph, output)
    }

    /// Runs the model on one tensor: `values` of the shape `shape`, the batch axis first. Returns the
    /// outputs that are tensors of floats.
    ///
    /// # Errors
    /// If ONNX Runtime fails.
    pub fn run(
        &mut self,
        element: ElementType,
        shape: Vec<usize>,
        values: &[f32],
    ) -> Result<Vec<OutputTensor>, OnnxError> {
        let mut input = InputValues::new(element);
        input.set(values.iter().copied());
        let Self {
            session, outputs, file, ..
        } = self;
        let run = || -> ort::Result<Vec<OutputTensor>> {
            let results = session.run([input.tensor(shape)?])?;
            let mut found = Vec::new();
            for output in outputs
                .iter()
                .filter(|output| output.element.is_some_and(ElementType::is_float))
            {
                let Some(value) = results.get(&output.name) else {
                    continue;
                };
                let mut values = Vec::new();
                let shape = append_output(value, &mut values)?;
                found.push(OutputTensor {
                    name: output.name.clone(),
                    shape: shape
                        .into_iter()
                        .map(|length| usize::try_from(length).unwrap_or(0))
                        .collect(),
                    values,
                });
            }
            Ok(found)
        };
        run().map_err(|error| failed(file, &error))
    }
}

impl TensorDescription {
    fn of(outlet: &Outlet) -> Self {
        let (element, shape) = match outlet.dtype() {
            ValueType::Tensor { ty, shape, .. } => (
                ElementType::of_runtime(*ty),
                shape.iter().map(|&length| usize::try_from(length).ok()).collect(),
            ),
            _ => (None, Vec::new()),
        };
        Self {
            name: outlet.name().to_owned(),
            element,
            shape,
            declared: outlet.dtype().to_string(),
        }
    }
}

fn failed(file: &Path, error: &ort::Error) -> OnnxError {
    OnnxError::LoadModel {
        file: file.to_path_buf(),
        reason: error.to_string(),
    }
}
