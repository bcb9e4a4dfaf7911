//! An ONNX file that is the one its manifest describes, read and checked without ONNX Runtime.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::graph::{ModelFileError, check_deterministic, decode_self_contained_model, prove_row_independence};
use super::{Manifest, OnnxError};
use crate::domain::{InputSpec, hex};

/// The bytes of an ONNX file, checked against its manifest and the rules for graphs.
#[derive(Debug)]
pub struct ModelFile {
    pub(super) manifest: Manifest,
    pub(super) bytes: Bytes,
    /// The reason why the proof of row independence fails; `None` if the graph is proven.
    pub(super) one_row_reason: Option<String>,
}

impl ModelFile {
    /// Reads the ONNX file of `manifest`. This precedes ONNX Runtime, which would open any file that
    /// the model names.
    ///
    /// # Errors
    /// If the file cannot be read, is not the one that the manifest describes, or holds a graph that
    /// cannot be served.
    pub fn read(manifest: Manifest) -> Result<Self, OnnxError> {
        let file = || manifest.file.clone();
        let bytes = std::fs::read(&manifest.file).map_err(|error| OnnxError::Unreadable {
            file_kind: "the ONNX file",
            path: file(),
            reason: error.to_string(),
        })?;
        let bytes = Bytes::from(bytes);
        let found = hex(&Sha256::digest(&bytes));
        if found != manifest.sha256 {
            return Err(OnnxError::ChecksumMismatch {
                file: file(),
                manifest: manifest.path.clone(),
                expected: manifest.sha256,
                found,
            });
        }
        let graph = decode_self_contained_model(bytes.clone()).map_err(|reason| match reason {
            ModelFileError::InvalidModel(reason) => OnnxError::InvalidModel { file: file(), reason },
            ModelFileError::ExternalTensor { tensor, location } => OnnxError::ExternalData {
                file: file(),
                tensor,
                location,
            },
        })?;
        check_deterministic(&graph).map_err(|reason| OnnxError::Nondeterministic { file: file(), reason })?;
        let InputSpec { name, shape, .. } = &manifest.input;
        let one_row_reason = prove_row_independence(&graph, name, shape, &manifest.output_name).err();
        Ok(Self {
            manifest,
            bytes,
            one_row_reason,
        })
    }
}
