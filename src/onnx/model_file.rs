//! An ONNX file that is the one its manifest describes, read and checked without ONNX Runtime.

use std::path::Path;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::graph::{
    ModelFileError, ModelProto, check_deterministic, decode_self_contained_model, prove_row_independence,
};
use super::{Manifest, OnnxError};
use crate::domain::hex;
use crate::settings::{ConfigFileError, ConfigFileKind, FileDigests, read_config_file};

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
        let bytes = read_bytes(&manifest.file)?;
        check_checksum(&manifest, hex(&Sha256::digest(&bytes)))?;
        let graph = decode_graph(&manifest.file, &bytes)?;
        let shape = manifest.conversion.onnx_shape(&manifest.input.shape);
        let one_row_reason = prove_row_independence(&graph, &manifest.input.name, &shape, &manifest.output_name).err();
        Ok(Self {
            manifest,
            bytes,
            one_row_reason,
        })
    }
}

/// Reads the ONNX file at `path`.
///
/// # Errors
/// If it cannot be read.
pub(super) fn read_bytes(path: &Path) -> Result<Bytes, OnnxError> {
    let bytes = read_config_file(ConfigFileKind::Model, path).map_err(|error| unreadable(path, &error))?;
    Ok(Bytes::from(bytes))
}

/// Decodes the ONNX file at `path` with these `bytes`.
///
/// # Errors
/// If it is not an ONNX model, does not contain every weight, or draws random numbers.
pub(super) fn decode_graph(path: &Path, bytes: &Bytes) -> Result<ModelProto, OnnxError> {
    let file = || path.to_path_buf();
    let graph = decode_self_contained_model(bytes.clone()).map_err(|reason| match reason {
        ModelFileError::InvalidModel(reason) => OnnxError::InvalidModel { file: file(), reason },
        ModelFileError::ExternalTensor { tensor, location } => OnnxError::ExternalData {
            file: file(),
            tensor,
            location,
        },
    })?;
    check_deterministic(&graph).map_err(|reason| OnnxError::Nondeterministic { file: file(), reason })?;
    Ok(graph)
}

/// Checks that the ONNX file on the disk is the one that `manifest` describes, without loading it.
/// `digests` remembers the file while it does not change.
///
/// # Errors
/// If the file cannot be read, or has another checksum.
pub fn check_model_file(manifest: &Manifest, digests: &FileDigests) -> Result<(), OnnxError> {
    let found = digests.sha256(ConfigFileKind::Model, &manifest.file);
    check_checksum(manifest, found.map_err(|error| unreadable(&manifest.file, &error))?)
}

fn check_checksum(manifest: &Manifest, found: String) -> Result<(), OnnxError> {
    if found == manifest.sha256 {
        return Ok(());
    }
    Err(OnnxError::ChecksumMismatch {
        file: manifest.file.clone(),
        manifest: manifest.path.clone(),
        expected: manifest.sha256.clone(),
        found,
    })
}

fn unreadable(path: &Path, error: &ConfigFileError) -> OnnxError {
    OnnxError::Unreadable {
        file_kind: "the ONNX file",
        path: path.to_path_buf(),
        reason: error.to_string(),
    }
}
