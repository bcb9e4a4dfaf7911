//! The record of a proof: a JSON file beside the ONNX file, `lipschitz.proof.json` beside `lipschitz.onnx`, in which the
//! prover of `models/certimix_models` has signed what it proved about exactly that file.
//!
//! A manifest is written by a person, and a constant that a person has typed looks like one that was proved.
//! [`grounds`] tells the two apart: proven is what a key that the operator trusts has signed about this file, this input
//! and this output; everything else is the manifest's claim. A record that contradicts its manifest, or that cannot be
//! read or verified, is an error: somebody meant it to say something.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;

use super::{Manifest, OnnxError};
use crate::domain::{Guarantee, JustifiedBasis, Norm, ProofKey, bytes_of_hex};

/// Bytes of a record, at most.
const LARGEST: u64 = 64 << 10;

/// A record as it lies in its file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// A JSON object as text, byte for byte what was signed: a [`Statement`].
    statement: String,
    public_key: String,
    signature: String,
}

/// What is proved.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    version: u32,
    /// The program that proved it.
    checker: String,
    model_sha256: String,
    guarantee: String,
    norm: String,
    /// Of the vector of logits, per unit of the float input.
    constant: f64,
    /// Absolute, of each logit.
    logit_error_bound: f64,
    input_shape: Vec<usize>,
    input_range: [f64; 2],
    output: String,
    classes: usize,
}

/// Where the record of the ONNX file `onnx` lies, if there is one.
pub(super) fn record_path(onnx: &Path) -> PathBuf {
    onnx.with_extension("proof.json")
}

/// Where the record of the model whose manifest is `manifest` lies, if there is one; none if the manifest names no file.
/// For those who watch: what is wrong with the manifest is for [`Manifest::read`] to say.
#[must_use]
pub fn proof_path(manifest: &Path) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Named {
        file: String,
    }
    // A pipe would be waited for.
    let regular = std::fs::metadata(manifest).is_ok_and(|found| found.is_file());
    let text = regular.then(|| std::fs::read_to_string(manifest).ok()).flatten()?;
    let named: Named = toml::from_str(&text).ok()?;
    Some(record_path(&manifest.parent()?.join(named.file)))
}

/// The record beside the ONNX file `onnx`; none if there is no such file.
///
/// # Errors
/// If there is one that cannot be read, or one that is too large.
pub(super) fn read(onnx: &Path) -> Result<Option<Vec<u8>>, OnnxError> {
    let path = record_path(onnx);
    let unreadable = |reason: String| OnnxError::Unreadable {
        what: "the record of the proof",
        path: path.clone(),
        reason,
    };
    match std::fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
        Ok(found) if !found.is_file() => return Err(unreadable("it is not a regular file".to_owned())),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    std::fs::File::open(&path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(error.to_string()))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST {
        return Err(unreadable(format!("it is larger than {LARGEST} bytes")));
    }
    Ok(Some(bytes))
}

/// What the guarantee of `manifest`, whose ONNX file has the SHA-256 that it states, rests on, where records are
/// believed that are signed by one of `keys`; none if nothing is guaranteed.
///
/// # Errors
/// If the record cannot be read or its signature is not its key's, or if it proves less than the manifest says.
pub fn grounds(manifest: &Manifest, keys: &[ProofKey]) -> Result<Option<JustifiedBasis>, OnnxError> {
    decide(manifest, manifest.proof.as_deref(), keys).map_err(|reason| OnnxError::Proof {
        path: record_path(&manifest.file),
        reason,
    })
}

fn decide(manifest: &Manifest, record: Option<&[u8]>, keys: &[ProofKey]) -> Result<Option<JustifiedBasis>, String> {
    // Whatever the guarantee: a record that is broken is never passed over.
    let signed = record.map(verify).transpose()?;
    let (norm, constant, error_bound) = match manifest.guarantee {
        Guarantee::None => return Ok(None),
        Guarantee::GaussianSmoothing { .. } => {
            let why =
                "the theorem of Gaussian smoothing, which holds for any base classifier: the server draws the noise";
            return Ok(Some(JustifiedBasis::proven(why)));
        }
        Guarantee::LipschitzProbabilities { .. } => {
            let why = "the constants of probabilities are the manifest's word: no checker proves such";
            return Ok(Some(JustifiedBasis::claimed(why)));
        }
        Guarantee::LipschitzLogits {
            norm,
            constant,
            error_bound,
            ..
        } => (norm, constant, error_bound),
    };
    let Some((statement, key)) = signed else {
        let why = "the constant is the manifest's word: there is no record of a proof beside the ONNX file";
        return Ok(Some(JustifiedBasis::claimed(why)));
    };
    if !keys.contains(&key) {
        let why = format!("the record of the proof is signed by {key}, which certificate.proof_keys does not name");
        return Ok(Some(JustifiedBasis::claimed(why)));
    }
    if let Some(other) = speaks_of_another(&statement, manifest, norm) {
        let why = format!("the record of the proof is about something else: {other}");
        return Ok(Some(JustifiedBasis::claimed(why)));
    }
    for (name, claimed, proved) in [
        ("constant", constant, statement.constant),
        ("logit_error_bound", error_bound, statement.logit_error_bound),
    ] {
        if !(proved.is_finite() && proved >= 0.0) {
            return Err(format!("its {name} is {proved}, which is no bound"));
        }
        // Asked for as what must hold, so that a NaN fails it.
        let covers = claimed >= proved;
        if !covers {
            return Err(format!(
                "the manifest's guarantee.{name} is {claimed}, and no less than {proved} is proved: the manifest is wrong"
            ));
        }
    }
    let why = format!(
        "a record about exactly this file, by {}, signed by {key}",
        statement.checker
    );
    Ok(Some(JustifiedBasis::proven(why)))
}

/// The statement of a record and the key that has signed it, whoever's that is.
fn verify(record: &[u8]) -> Result<(Statement, ProofKey), String> {
    let record: Record = serde_json::from_slice(record).map_err(|error| format!("it is no such record: {error}"))?;
    let key = ProofKey::parse(&record.public_key).ok_or("public_key is not 64 hexadecimal digits")?;
    let signature: [u8; 64] = bytes_of_hex(&record.signature).ok_or("signature is not 128 hexadecimal digits")?;
    UnparsedPublicKey::new(&ED25519, key.0)
        .verify(record.statement.as_bytes(), &signature)
        .map_err(|_| "the signature is not that of public_key under statement")?;
    let statement: Statement =
        serde_json::from_str(&record.statement).map_err(|error| format!("its statement: {error}"))?;
    if statement.version != 1 {
        return Err(format!(
            "its statement has version {}, and 1 is understood",
            statement.version
        ));
    }
    Ok((statement, key))
}

/// The first thing that the statement says of another model than this one; none if it is about this one.
fn speaks_of_another(statement: &Statement, manifest: &Manifest, norm: Norm) -> Option<String> {
    let input = &manifest.input;
    let differs = |name: &str, said: &dyn std::fmt::Debug, here: &dyn std::fmt::Debug| {
        Some(format!("its {name} is {said:?}, here it is {here:?}"))
    };
    if statement.model_sha256 != manifest.sha256 {
        return differs("model_sha256", &statement.model_sha256, &manifest.sha256);
    }
    if statement.guarantee != "lipschitz_logits" {
        return differs("guarantee", &statement.guarantee, &"lipschitz_logits");
    }
    if statement.norm != "l2" || norm != Norm::L2 {
        return differs("norm", &statement.norm, &norm.to_string());
    }
    if statement.input_shape != input.shape {
        return differs("input_shape", &statement.input_shape, &input.shape);
    }
    // Exactly: the bound on the rounding error is about this box.
    let range = [input.low, input.high];
    if statement.input_range.map(f64::to_bits) != range.map(f64::to_bits) {
        return differs("input_range", &statement.input_range, &range);
    }
    if statement.output != manifest.output_name {
        return differs("output", &statement.output, &manifest.output_name);
    }
    if statement.classes != manifest.classes() {
        return differs("classes", &statement.classes, &manifest.classes());
    }
    None
}

#[cfg(test)]
#[path = "guarantee_basis/tests.rs"]
mod tests;
