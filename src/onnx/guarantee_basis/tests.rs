//! Each test changes one part of a record. The guarantee must then not count as proven.

use std::path::PathBuf;

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::*;
use crate::domain::{Basis, InputSpec};
use crate::onnx::OutputKind;

const SEED: [u8; 32] = [7; 32];

fn pair(seed: [u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()
}

fn key(seed: [u8; 32]) -> ProofKey {
    ProofKey(pair(seed).public_key().as_ref().try_into().unwrap())
}

fn manifest() -> Manifest {
    Manifest {
        name: "h".to_owned(),
        file: PathBuf::from("h.onnx"),
        sha256: "ab".repeat(32),
        labels: vec!["no".to_owned(), "yes".to_owned()],
        input: InputSpec {
            name: "input".to_owned(),
            shape: vec![3, 4],
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
        guarantee: lipschitz(1.5, true, 1e-6, Norm::L2),
        guarantee_source: String::new(),
        is_claimed: false,
        path: PathBuf::from("h.toml"),
        text: String::new(),
        proof: None,
    }
}

fn lipschitz(constant: f64, vector_valued: bool, error_bound: f64, norm: Norm) -> ModelGuarantee {
    ModelGuarantee::LipschitzLogits {
        norm,
        constant,
        vector_valued,
        error_bound,
    }
}

fn statement() -> Value {
    json!({
        "version": 1, "checker": "lipschitz_bound 1", "model_sha256": "ab".repeat(32), "guarantee": "lipschitz_logits",
        "norm": "l2", "constant": 1.5, "logit_error_bound": 1e-6, "input_shape": [3, 4], "input_range": [-1.0, 1.0],
        "output": "logits", "classes": 2,
    })
}

fn signed(statement: &str, seed: [u8; 32]) -> Value {
    json!({
        "statement": statement,
        "public_key": key(seed).to_string(),
        "signature": crate::domain::hex(pair(seed).sign(statement.as_bytes()).as_ref()),
    })
}

fn basis_from_record(manifest: &Manifest, record: &Value) -> Result<Option<JustifiedBasis>, String> {
    determine_basis(
        manifest,
        Some(record.to_string().as_bytes()),
        &[key([1; 32]), key(SEED)],
    )
}

/// Returns the basis for a record that a trusted key signs, with `name` of the statement set to
/// `value`.
fn basis_with_field(name: &str, value: Value) -> Result<Option<JustifiedBasis>, String> {
    let mut statement = statement();
    statement[name] = value;
    basis_from_record(&manifest(), &signed(&statement.to_string(), SEED))
}

#[track_caller]
fn assert_claimed(found: Result<Option<JustifiedBasis>, String>, words: &str) {
    let basis = found.unwrap().unwrap();
    assert_eq!(basis.basis, Basis::Claimed, "{}", basis.reason);
    assert!(basis.reason.contains(words), "{}", basis.reason);
}

#[track_caller]
fn assert_rejected(found: Result<Option<JustifiedBasis>, String>, words: &str) {
    let reason = found.unwrap_err();
    assert!(reason.contains(words), "{reason}");
}

#[test]
fn a_signed_record_about_exactly_this_file_is_a_proof() {
    let record = signed(&statement().to_string(), SEED);
    let basis = basis_from_record(&manifest(), &record).unwrap().unwrap();
    assert_eq!(basis.basis, Basis::Proven);
    assert!(basis.reason.contains("lipschitz_bound 1") && basis.reason.contains(&key(SEED).to_string()));
    // Each element of a Lipschitz vector is Lipschitz. A bound with a smaller constant implies one
    // with a larger constant.
    for guarantee in [
        lipschitz(1.5, false, 1e-6, Norm::L2),
        lipschitz(1.500_001, true, 1e-3, Norm::L2),
    ] {
        let manifest = Manifest {
            guarantee,
            ..manifest()
        };
        assert_eq!(
            basis_from_record(&manifest, &record).unwrap().unwrap().basis,
            Basis::Proven
        );
    }
}

#[test]
fn without_a_record_by_a_trusted_key_the_constant_is_a_claim() {
    assert_claimed(determine_basis(&manifest(), None, &[key(SEED)]), "no record");
    let record = signed(&statement().to_string(), [8; 32]);
    assert_claimed(basis_from_record(&manifest(), &record), &key([8; 32]).to_string());
    let ours = signed(&statement().to_string(), SEED).to_string();
    assert_claimed(determine_basis(&manifest(), Some(ours.as_bytes()), &[]), "proof_keys");
}

/// The numbers that a person typed stay a claim, even if a record would cover them.
#[test]
fn a_manifest_that_states_a_claim_is_one() {
    let manifest = Manifest {
        is_claimed: true,
        ..manifest()
    };
    let record = signed(&statement().to_string(), SEED);
    assert_claimed(basis_from_record(&manifest, &record), "a person stated it");
    assert_claimed(determine_basis(&manifest, None, &[key(SEED)]), "a person stated it");
}

/// A record is about the ONNX file, whose axes may have another order.
#[test]
fn a_record_states_the_shape_of_the_onnx_input() {
    let mut manifest = manifest();
    manifest.input.shape = vec![4, 3];
    let record = signed(&statement().to_string(), SEED);
    assert_claimed(basis_from_record(&manifest, &record), "input_shape");
    manifest.conversion.transpose = Some(vec![1, 0]);
    assert_eq!(
        basis_from_record(&manifest, &record).unwrap().unwrap().basis,
        Basis::Proven
    );
}

#[test]
fn a_statement_about_another_model_proves_nothing() {
    for (name, value) in [
        ("model_sha256", json!("ac".repeat(32))),
        ("model_sha256", json!("AB".repeat(32))),
        ("guarantee", json!("lipschitz_probabilities")),
        ("norm", json!("linf")),
        ("norm", json!("L2")),
        ("input_shape", json!([4, 3])),
        ("input_shape", json!([3, 4, 1])),
        ("input_shape", json!([])),
        ("input_range", json!([-1.0, 0.999_999_999])),
        ("input_range", json!([-1.000_000_000_1, 1.0])),
        ("output", json!("probabilities")),
        ("classes", json!(3)),
    ] {
        assert_claimed(basis_with_field(name, value), name);
    }
    let other_norm = Manifest {
        guarantee: lipschitz(1.5, false, 1e-6, Norm::Linf),
        ..manifest()
    };
    assert_claimed(
        basis_from_record(&other_norm, &signed(&statement().to_string(), SEED)),
        "norm",
    );
}

#[test]
fn a_manifest_that_claims_more_than_is_proved_is_rejected() {
    let smallest_step = 1.5_f64.next_up();
    for (name, value) in [
        ("constant", json!(smallest_step)),
        ("constant", json!(99.0)),
        ("logit_error_bound", json!(1e-6_f64.next_up())),
    ] {
        assert_rejected(basis_with_field(name, value), name);
    }
    for (name, value) in [("constant", json!(-1.0)), ("logit_error_bound", json!(-1e-9))] {
        assert_rejected(basis_with_field(name, value), "not a bound");
    }
}

#[test]
fn a_broken_record_is_rejected_for_every_guarantee() {
    let good = signed(&statement().to_string(), SEED);
    let changed = |name: &str, value: Value| {
        let mut record = good.clone();
        record[name] = value;
        record.to_string()
    };
    let signature = good["signature"].as_str().unwrap();
    let flipped = format!(
        "{}{}",
        if signature.starts_with('0') { '1' } else { '0' },
        &signature[1..]
    );
    let mut statement = statement();
    statement["constant"] = json!(1.4);
    let duplicate_field = self::statement().to_string().replacen('{', "{\"constant\":0.001,", 1);
    let mut unknown_field = self::statement();
    unknown_field["note"] = json!("trust me");
    let mut missing_field = self::statement();
    missing_field.as_object_mut().unwrap().remove("classes");
    let mut newer_version = self::statement();
    newer_version["version"] = json!(2);
    let resigned = |statement: &str| signed(statement, SEED).to_string();
    for (record, words) in [
        (changed("signature", json!(flipped)), "signature is not a signature of"),
        (changed("signature", json!("00")), "128 hexadecimal"),
        (
            changed("public_key", json!(key([1; 32]).to_string())),
            "signature is not a signature of",
        ),
        (changed("public_key", json!("07")), "64 hexadecimal"),
        (
            changed("statement", json!(statement.to_string())),
            "signature is not a signature of",
        ),
        (
            changed("statement", json!(format!("{} ", good["statement"].as_str().unwrap()))),
            "signature",
        ),
        (changed("note", json!(1)), "not a proof record"),
        (String::new(), "not a proof record"),
        ("{\"statement\": 1}".to_owned(), "not a proof record"),
        (resigned(&duplicate_field), "duplicate field"),
        (resigned(&unknown_field.to_string()), "unknown field"),
        (resigned(&missing_field.to_string()), "missing field"),
        (resigned(&newer_version.to_string()), "version 2"),
        (
            resigned(&self::statement().to_string().replace("1.5", "1e999")),
            "statement",
        ),
    ] {
        for guarantee in [
            manifest().guarantee,
            ModelGuarantee::None,
            ModelGuarantee::GaussianSmoothing {
                sigma: 0.25,
                levels: 255,
            },
        ] {
            let manifest = Manifest {
                guarantee,
                ..manifest()
            };
            assert_rejected(determine_basis(&manifest, Some(record.as_bytes()), &[key(SEED)]), words);
        }
    }
}

#[test]
fn smoothing_is_proven_and_probabilities_are_claimed() {
    let basis_of = |guarantee| {
        let manifest = Manifest {
            guarantee,
            ..manifest()
        };
        determine_basis(&manifest, None, &[]).unwrap()
    };
    let smoothed = basis_of(ModelGuarantee::GaussianSmoothing {
        sigma: 0.25,
        levels: 255,
    });
    assert_eq!(smoothed.unwrap().basis, Basis::Proven);
    let probabilities = basis_of(ModelGuarantee::LipschitzProbabilities {
        norm: Norm::L2,
        constants: vec![1.0, 1.0],
        neighbourhood: None,
        error_bound: 0.0,
    });
    assert_eq!(probabilities.unwrap().basis, Basis::Claimed);
    assert_eq!(basis_of(ModelGuarantee::None), None);
}
