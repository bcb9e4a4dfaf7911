//! Decides whether the guarantee of a model is proven or claimed.
//!
//! A person writes the manifest, and a typed constant looks like a proved one. A guarantee counts
//! as proven only if a key that the operator trusts has signed it for this file, this input and
//! this output. Every other guarantee is a claim of the manifest. A record that contradicts its
//! manifest, or that cannot be read or verified, is an error, because its author meant it to prove
//! something.

use super::proof_record::{self, ProofStatement};
use super::{Manifest, OnnxError};
use crate::domain::{JustifiedBasis, ModelGuarantee, Norm, ProofKey};

/// Returns the basis of the guarantee of `manifest`. Only records that one of `keys` has signed
/// count as proofs. Returns `None` if nothing is guaranteed.
///
/// # Errors
/// If the record cannot be read, its signature is wrong, or it proves less than the manifest
/// claims.
pub fn guarantee_basis(manifest: &Manifest, keys: &[ProofKey]) -> Result<Option<JustifiedBasis>, OnnxError> {
    determine_basis(manifest, manifest.proof.as_deref(), keys).map_err(|reason| OnnxError::InvalidProofRecord {
        path: proof_record::path_beside(&manifest.file),
        reason,
    })
}

/// Returns the basis with `record` beside the ONNX file; see [`guarantee_basis`].
pub(super) fn determine_basis(
    manifest: &Manifest,
    record: Option<&[u8]>,
    keys: &[ProofKey],
) -> Result<Option<JustifiedBasis>, String> {
    // A broken record is an error for every kind of guarantee.
    let signed = record.map(proof_record::verify_signature).transpose()?;
    let (norm, constant, error_bound) = match manifest.guarantee {
        ModelGuarantee::None => return Ok(None),
        ModelGuarantee::GaussianSmoothing { .. } => {
            let reason =
                "the theorem of Gaussian smoothing, which holds for any base classifier: the server draws the noise";
            return Ok(Some(JustifiedBasis::proven(reason)));
        }
        ModelGuarantee::LipschitzProbabilities { .. } => {
            let reason = "the manifest claims the constants of the probabilities: no checker proves such constants";
            return Ok(Some(JustifiedBasis::claimed(reason)));
        }
        ModelGuarantee::LipschitzLogits {
            norm,
            constant,
            error_bound,
            ..
        } => (norm, constant, error_bound),
    };
    if manifest.is_claimed {
        let reason = "the manifest marks the constant as claimed: a person stated it";
        return Ok(Some(JustifiedBasis::claimed(reason)));
    }
    let Some((statement, key)) = signed else {
        let reason = "the manifest claims the constant: there is no record of a proof beside the ONNX file";
        return Ok(Some(JustifiedBasis::claimed(reason)));
    };
    if !keys.contains(&key) {
        let reason = format!("the key {key} signed the proof record, but certificate.proof_keys does not contain it");
        return Ok(Some(JustifiedBasis::claimed(reason)));
    }
    if let Some(difference) = difference_of_subject(&statement, manifest, norm) {
        let reason = format!("the proof record is about another model: {difference}");
        return Ok(Some(JustifiedBasis::claimed(reason)));
    }
    for (name, claimed, proved) in [
        ("constant", constant, statement.constant),
        ("logit_error_bound", error_bound, statement.logit_error_bound),
    ] {
        if !(proved.is_finite() && proved >= 0.0) {
            return Err(format!("its {name} is {proved}, which is not a bound"));
        }
        // The condition must be true, so that a NaN fails it.
        let covers = claimed >= proved;
        if !covers {
            return Err(format!(
                "the manifest's guarantee.{name} is {claimed}, but the proof covers only values from {proved} on: the \
                 manifest is wrong"
            ));
        }
    }
    let reason = format!(
        "a record about exactly this file, by {}, signed by {key}",
        statement.checker
    );
    Ok(Some(JustifiedBasis::proven(reason)))
}

/// Returns the first difference between the model that the statement is about and this model;
/// `None` if they are the same.
fn difference_of_subject(statement: &ProofStatement, manifest: &Manifest, norm: Norm) -> Option<String> {
    let input = &manifest.input;
    let differs = |name: &str, stated: &dyn std::fmt::Debug, actual: &dyn std::fmt::Debug| {
        Some(format!("its {name} is {stated:?}, but the model has {actual:?}"))
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
    // The order of the axes changes no norm.
    let onnx_shape = manifest.conversion.onnx_shape(&input.shape);
    if statement.input_shape != onnx_shape {
        return differs("input_shape", &statement.input_shape, &onnx_shape);
    }
    // The bits must be equal: the bound on the rounding error holds for this range.
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
mod tests;
