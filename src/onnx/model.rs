//! A model: a manifest and an ONNX file that are checked against each other.

use std::path::Path;

use bytes::Bytes;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use ort::value::{TensorElementType, ValueType};

use super::execution_provider::{ActiveProvider, cuda_provider, has_gpu, select_provider};
use super::model_file::ModelFile;
use super::session_options::session_builder;
use super::{Manifest, OnnxError, Runtime};
use crate::domain::{InputSpec, Violations};
use crate::settings::Provider;

/// A model that can be served: its file is the one that its manifest describes, and matches it.
#[derive(Debug)]
pub struct Model {
    /// The description of the model.
    pub manifest: Manifest,
    /// The execution provider that runs it.
    pub provider: ActiveProvider,
    /// The reason why the proof of row independence fails; `None` if the graph is proven. A model
    /// with a reason runs one row at a time.
    pub one_row_reason: Option<String>,
    runtime: Runtime,
    bytes: Bytes,
}

impl Model {
    /// Reads the manifest at `path` and its ONNX file, and loads the model once as a check.
    ///
    /// # Errors
    /// If the manifest, the file or the provider is invalid, or if they do not fit together.
    pub fn load(runtime: &Runtime, path: &Path, configured: Provider) -> Result<Self, OnnxError> {
        Self::from_file(runtime, ModelFile::read(Manifest::read(path)?)?, configured)
    }

    /// Loads `file` once as a check.
    ///
    /// # Errors
    /// If ONNX Runtime cannot load the file, the file differs from its manifest, or the provider
    /// that the settings name does not load.
    pub fn from_file(runtime: &Runtime, file: ModelFile, configured: Provider) -> Result<Self, OnnxError> {
        let ModelFile {
            manifest,
            bytes,
            one_row_reason,
        } = file;
        let mut model = Self {
            manifest,
            provider: ActiveProvider::CPU,
            one_row_reason,
            runtime: runtime.clone(),
            bytes,
        };
        // A file that the CPU cannot load is invalid. The check precedes CUDA, so that the error is
        // not attributed to CUDA.
        let session = model.create_session()?;
        model.check_declared_tensors(&session)?;
        model.provider = select_provider(configured, has_gpu(), || {
            let builder = model.session_builder().map_err(|error| error.to_string())?;
            let mut builder = builder
                .with_execution_providers([cuda_provider()])
                .map_err(|error| error.to_string())?;
            builder
                .commit_from_memory(&model.bytes)
                .map(drop)
                .map_err(|error| error.to_string())
        })?;
        Ok(model)
    }

    fn session_builder(&self) -> Result<SessionBuilder, OnnxError> {
        session_builder(&self.runtime, &self.manifest.file)
    }

    /// Creates a session on the selected provider.
    pub(super) fn create_session(&self) -> Result<Session, OnnxError> {
        let load_error = |reason: String| OnnxError::LoadModel {
            file: self.manifest.file.clone(),
            reason,
        };
        let mut builder = self.session_builder()?;
        if self.provider.is_cuda() {
            builder =
                builder
                    .with_execution_providers([cuda_provider()])
                    .map_err(|error| OnnxError::CudaUnavailable {
                        reason: error.to_string(),
                    })?;
        }
        builder
            .commit_from_memory(&self.bytes)
            .map_err(|error| load_error(error.to_string()))
    }

    /// Compares the inputs and outputs that the graph declares with the manifest.
    fn check_declared_tensors(&self, session: &Session) -> Result<(), OnnxError> {
        let manifest = &self.manifest;
        let mut violations = Violations::default();
        let inputs: Vec<&str> = session.inputs().iter().map(ort::value::Outlet::name).collect();
        violations.check(inputs == [manifest.input.name.as_str()], "input.name", || {
            format!(
                "the manifest declares \"{}\", the model has {inputs:?}",
                manifest.input.name
            )
        });
        for input in session.inputs() {
            let shape = manifest
                .input
                .shape
                .iter()
                .map(|&length| i64::try_from(length).unwrap_or(i64::MAX));
            check_tensor(input.dtype(), shape, "input", "input.shape", &mut violations);
        }
        match session
            .outputs()
            .iter()
            .find(|output| output.name() == manifest.output_name)
        {
            Some(output) => {
                let classes = i64::try_from(manifest.classes()).unwrap_or(i64::MAX);
                check_tensor(
                    output.dtype(),
                    std::iter::once(classes),
                    "output",
                    "labels",
                    &mut violations,
                );
            }
            None => {
                let outputs: Vec<&str> = session.outputs().iter().map(ort::value::Outlet::name).collect();
                violations.add(
                    "output.name",
                    format!(
                        "the manifest declares \"{}\", the model has {outputs:?}",
                        manifest.output_name
                    ),
                );
            }
        }
        violations
            .into_result()
            .map_err(|violations| self.manifest_mismatch(violations))
    }

    /// Returns an input in the middle of the range.
    #[must_use]
    pub fn midpoint_input(&self) -> Vec<f32> {
        let InputSpec { low, high, .. } = self.manifest.input;
        #[expect(clippy::cast_possible_truncation, reason = "any value in the range is suitable")]
        let middle = f64::midpoint(low, high) as f32;
        vec![middle; self.manifest.input.dimension()]
    }

    pub(super) fn manifest_mismatch(&self, violations: Violations) -> OnnxError {
        OnnxError::ManifestMismatch {
            file: self.manifest.file.clone(),
            violations,
        }
    }
}

/// Compares a declared tensor with float32 of the shape `[N, shape…]`. N must be dynamic; any other
/// axis may be. `tensor` is "input" or "output"; `key` is the manifest's key of the shape.
fn check_tensor(
    found: &ValueType,
    shape: impl Iterator<Item = i64>,
    tensor: &str,
    key: &str,
    violations: &mut Violations,
) {
    let expected: Vec<i64> = shape.collect();
    let ValueType::Tensor {
        ty, shape: declared, ..
    } = found
    else {
        return violations.add(key, format!("expected a tensor, the model has {found}"));
    };
    violations.check(*ty == TensorElementType::Float32, &format!("{tensor}.dtype"), || {
        format!(
            "expected float32, the {tensor} of the model is {}: export the model with float32 inputs and outputs; the \
             layers between them may have another type",
            type_name(*ty)
        )
    });
    let rest = declared.get(1..).unwrap_or_default();
    let fits = declared.len() == expected.len() + 1
        && rest
            .iter()
            .zip(&expected)
            .all(|(declared, expected)| *declared == -1 || declared == expected);
    violations.check(fits, key, || {
        format!(
            "the manifest declares [N, …] = [N, {}], the model has {declared:?}",
            comma_separated(&expected)
        )
    });
    violations.check(declared.first() == Some(&-1), key, || {
        format!("the batch axis must be dynamic, the model has {declared:?}; export it with a dynamic first axis")
    });
}

/// The name of a type as NumPy and the manifest write it, for the types of real models.
fn type_name(element: TensorElementType) -> String {
    match element {
        TensorElementType::Float16 => "float16".to_owned(),
        TensorElementType::Bfloat16 => "bfloat16".to_owned(),
        TensorElementType::Float32 => "float32".to_owned(),
        TensorElementType::Float64 => "float64".to_owned(),
        TensorElementType::Int64 => "int64".to_owned(),
        TensorElementType::Uint8 => "uint8".to_owned(),
        other => other.to_string(),
    }
}

fn comma_separated(shape: &[i64]) -> String {
    shape.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}
