//! A model: a manifest and an ONNX file that are checked against each other.

use std::path::Path;

use bytes::Bytes;
use ort::session::Session;
use ort::session::builder::SessionBuilder;

use super::execution_provider::{ActiveProvider, cuda_provider, has_gpu, select_provider};
use super::model_file::ModelFile;
use super::session_options::session_builder;
use super::{Manifest, OnnxError, Runtime, declared_tensors};
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
    /// The number of rows in every run, if the batch axis of the ONNX file is fixed. Runs of fewer rows
    /// are padded.
    pub fixed_batch_size: Option<usize>,
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
            fixed_batch_size: None,
            runtime: runtime.clone(),
            bytes,
        };
        // A file that the CPU cannot load is invalid. The check precedes CUDA, so that the error is
        // not attributed to CUDA.
        let session = model.create_session()?;
        model.fixed_batch_size = model.check_declared_tensors(&session)?;
        // In a run of one row there is no other row.
        if model.fixed_batch_size == Some(1) {
            model.one_row_reason = None;
        }
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

    /// Compares the inputs and outputs that the graph declares with the manifest, and returns the
    /// declared batch size.
    fn check_declared_tensors(&self, session: &Session) -> Result<Option<usize>, OnnxError> {
        let mut violations = Violations::default();
        let batch_size = declared_tensors::check(&self.manifest, session, &mut violations);
        violations
            .into_result()
            .map_err(|violations| self.manifest_mismatch(violations))?;
        Ok(batch_size)
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
