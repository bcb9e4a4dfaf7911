//! The proof record: a JSON file beside the ONNX file, such as `lipschitz.proof.json` beside
//! `lipschitz.onnx`. The prover of `models/certimix_models` states in it what it has proved about
//! exactly that file, and signs the statement.

use std::path::{Path, PathBuf};

use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;

use super::OnnxError;
use crate::domain::{ProofKey, bytes_of_hex};
use crate::settings::{ConfigFile, ConfigFileKind, json_error_text, read_config_file, read_config_text};

/// The JSON format of a record.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofRecord {
    /// A JSON object as text, byte for byte as it was signed: a [`ProofStatement`].
    statement: String,
    public_key: String,
    signature: String,
}

/// The statement of a record: the properties that are proved, and the model that they belong to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProofStatement {
    version: u32,
    /// The program that proved the statement.
    pub(super) checker: String,
    pub(super) model_sha256: String,
    pub(super) guarantee: String,
    pub(super) norm: String,
    /// The Lipschitz constant of the vector of logits, per unit of the float input.
    pub(super) constant: f64,
    /// The absolute error bound of each logit.
    pub(super) logit_error_bound: f64,
    pub(super) input_shape: Vec<usize>,
    pub(super) input_range: [f64; 2],
    pub(super) output: String,
    pub(super) classes: usize,
}

/// Returns the path of the record of the ONNX file `onnx`. The record may not exist.
pub(super) fn path_beside(onnx: &Path) -> PathBuf {
    onnx.with_extension("proof.json")
}

/// Returns the files that a load of the model with the manifest at `manifest` reads after the
/// manifest: the ONNX file and its proof record. They may not exist. Returns nothing if the manifest
/// names no file.
///
/// The configuration reload watches these files. It does not report errors of the manifest, because
/// [`Manifest::read`](super::Manifest::read) does.
#[must_use]
pub fn files_of_manifest(manifest: &Path) -> Vec<ConfigFile> {
    #[derive(Deserialize)]
    struct ManifestFile {
        file: String,
    }
    let named = || {
        let text = read_config_text(ConfigFileKind::Manifest, manifest).ok()?;
        let parsed: ManifestFile = toml::from_str(&text).ok()?;
        Some(manifest.parent()?.join(parsed.file))
    };
    let Some(onnx) = named() else { return Vec::new() };
    let proof = path_beside(&onnx);
    vec![(ConfigFileKind::Model, onnx), (ConfigFileKind::ProofRecord, proof)]
}

/// Reads the record beside the ONNX file `onnx`; `None` if there is no such file.
///
/// # Errors
/// If the record cannot be read or is too large.
pub(super) fn read(onnx: &Path) -> Result<Option<Vec<u8>>, OnnxError> {
    let path = path_beside(onnx);
    match read_config_file(ConfigFileKind::ProofRecord, &path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(OnnxError::Unreadable {
            file_kind: "the proof record",
            path,
            reason: error.to_string(),
        }),
    }
}

/// Verifies the signature of `record`, and returns its statement and the key that signed it. The
/// caller decides whether it trusts the key.
pub(super) fn verify_signature(record: &[u8]) -> Result<(ProofStatement, ProofKey), String> {
    let record: ProofRecord = serde_json::from_slice(record)
        .map_err(|error| format!("it is not a proof record: {}", json_error_text(&error)))?;
    let key = ProofKey::parse(&record.public_key).ok_or("public_key is not 64 hexadecimal digits")?;
    let signature: [u8; 64] = bytes_of_hex(&record.signature).ok_or("signature is not 128 hexadecimal digits")?;
    UnparsedPublicKey::new(&ED25519, key.0)
        .verify(record.statement.as_bytes(), &signature)
        .map_err(|_| "signature is not a signature of statement by public_key")?;
    let statement: ProofStatement = serde_json::from_str(&record.statement)
        .map_err(|error| format!("its statement is invalid: {}", json_error_text(&error)))?;
    if statement.version != 1 {
        return Err(format!(
            "its statement has version {}, but only version 1 is supported",
            statement.version
        ));
    }
    Ok((statement, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_from_beside_its_model_up_to_a_maximum_size() {
        let folder = tempfile::tempdir().unwrap();
        let (onnx, manifest) = (folder.path().join("h.onnx"), folder.path().join("m.toml"));
        let path = folder.path().join("h.proof.json");
        std::fs::write(&manifest, "file = \"h.onnx\"\nname = 1\n").unwrap();
        let named = files_of_manifest(&manifest);
        let expected = [
            (ConfigFileKind::Model, onnx.clone()),
            (ConfigFileKind::ProofRecord, path.clone()),
        ];
        assert_eq!(named, expected);
        assert_eq!(files_of_manifest(&onnx), []);
        assert_eq!(read(&onnx).unwrap(), None);
        std::fs::write(&path, b"{}").unwrap();
        assert_eq!(read(&onnx).unwrap().unwrap(), b"{}");
        std::fs::write(&path, vec![b' '; (64 << 10) + 1]).unwrap();
        assert!(read(&onnx).unwrap_err().to_string().contains("larger than 65536 bytes"));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(read(&onnx).unwrap_err().to_string().contains("regular file"));
    }
}
