//! Any bytes as a proof record, and any statement with a valid signature.

use std::path::PathBuf;

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::domain::{Basis, InputSpec, ModelGuarantee, Norm, ProofKey, hex};
use crate::onnx::guarantee_basis::determine_basis;
use crate::onnx::{Manifest, OutputKind};

/// The constant and the error that the manifest claims.
const CONSTANT: f64 = 2.0;
const ERROR: f64 = 1e-5;

/// The file that the manifest describes.
const SHA256: &str = "252cc89967318f302593833cc53569960ce2618df416036f34c2a3588d333b99";

/// Reads `data` as a record, and then as a statement that a trusted key has signed. A guarantee is
/// proven only by a statement about exactly this model that covers the claim.
pub(crate) fn proof_records(data: &[u8]) {
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = hex(key.public_key().as_ref());
    let trusted = [ProofKey::parse(&public).unwrap()];
    let unsigned = determine_basis(&manifest(), Some(data), &trusted);
    // Nobody guesses a signature; a record in the corpus is signed by another key.
    assert!(!unsigned.is_ok_and(|basis| basis.is_some_and(|basis| basis.basis == Basis::Proven)));
    let Ok(statement) = std::str::from_utf8(data) else {
        return;
    };
    let record = json!({
        "statement": statement,
        "public_key": public,
        "signature": hex(key.sign(data).as_ref()),
    });
    let signed = determine_basis(&manifest(), Some(record.to_string().as_bytes()), &trusted);
    if signed.is_ok_and(|basis| basis.is_some_and(|basis| basis.basis == Basis::Proven)) {
        let proven: Value = serde_json::from_str(statement).unwrap();
        let at_most = |field: &str, claimed: f64| proven[field].as_f64().is_some_and(|value| value <= claimed);
        assert!(
            at_most("constant", CONSTANT) && at_most("logit_error_bound", ERROR),
            "{statement}"
        );
        assert_eq!(proven["model_sha256"], SHA256);
        assert_eq!(proven["norm"], "l2");
    }
}

/// The manifest of a Lipschitz model.
fn manifest() -> Manifest {
    Manifest {
        name: "model".to_owned(),
        file: PathBuf::from("model.onnx"),
        sha256: SHA256.to_owned(),
        labels: vec!["left".to_owned(), "right".to_owned()],
        input: InputSpec {
            name: "input".to_owned(),
            shape: vec![4],
            low: -1.0,
            high: 1.0,
            levels: None,
        },
        conversion: crate::onnx::InputConversion {
            element: crate::onnx::ElementType::Float32,
            transpose: None,
            onnx_range: None,
        },
        output_name: "logits".to_owned(),
        output_kind: OutputKind::Logits,
        guarantee: ModelGuarantee::LipschitzLogits {
            norm: Norm::L2,
            constant: CONSTANT,
            vector_valued: true,
            error_bound: ERROR,
        },
        guarantee_source: String::new(),
        is_claimed: false,
        path: PathBuf::from("model.toml"),
        text: String::new(),
        proof: None,
    }
}
