//! Each word of a record is tampered with in turn; what is left is never proven.

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
        output_name: "logits".to_owned(),
        output_kind: OutputKind::Logits,
        guarantee: lipschitz(1.5, true, 1e-6, Norm::L2),
        guarantee_source: String::new(),
        path: PathBuf::from("h.toml"),
        text: String::new(),
        proof: None,
    }
}

fn lipschitz(constant: f64, vector_valued: bool, error_bound: f64, norm: Norm) -> Guarantee {
    Guarantee::LipschitzLogits {
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

fn judge(manifest: &Manifest, record: &Value) -> Result<Option<JustifiedBasis>, String> {
    decide(
        manifest,
        Some(record.to_string().as_bytes()),
        &[key([1; 32]), key(SEED)],
    )
}

/// Signed by the right key, over `statement` with `name` set to `value`.
fn with(name: &str, value: Value) -> Result<Option<JustifiedBasis>, String> {
    let mut statement = statement();
    statement[name] = value;
    judge(&manifest(), &signed(&statement.to_string(), SEED))
}

#[track_caller]
fn assert_claimed(found: Result<Option<JustifiedBasis>, String>, words: &str) {
    let grounds = found.unwrap().unwrap();
    assert_eq!(grounds.basis, Basis::Claimed, "{}", grounds.reason);
    assert!(grounds.reason.contains(words), "{}", grounds.reason);
}

#[track_caller]
fn assert_refused(found: Result<Option<JustifiedBasis>, String>, words: &str) {
    let reason = found.unwrap_err();
    assert!(reason.contains(words), "{reason}");
}

#[test]
fn what_is_signed_about_exactly_this_file_is_proven() {
    let record = signed(&statement().to_string(), SEED);
    let grounds = judge(&manifest(), &record).unwrap().unwrap();
    assert_eq!(grounds.basis, Basis::Proven);
    assert!(grounds.reason.contains("lipschitz_bound 1") && grounds.reason.contains(&key(SEED).to_string()));
    // Of a Lipschitz vector each element is Lipschitz, and what holds with a smaller constant holds with a larger one.
    for guarantee in [
        lipschitz(1.5, false, 1e-6, Norm::L2),
        lipschitz(1.500_001, true, 1e-3, Norm::L2),
    ] {
        let manifest = Manifest {
            guarantee,
            ..manifest()
        };
        assert_eq!(judge(&manifest, &record).unwrap().unwrap().basis, Basis::Proven);
    }
}

#[test]
fn without_a_record_or_with_a_strangers_the_constant_is_a_claim() {
    assert_claimed(decide(&manifest(), None, &[key(SEED)]), "no record");
    let record = signed(&statement().to_string(), [8; 32]);
    assert_claimed(judge(&manifest(), &record), &key([8; 32]).to_string());
    let ours = signed(&statement().to_string(), SEED).to_string();
    assert_claimed(decide(&manifest(), Some(ours.as_bytes()), &[]), "proof_keys");
}

#[test]
fn a_statement_about_anything_else_proves_nothing_here() {
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
        assert_claimed(with(name, value), name);
    }
    let other_norm = Manifest {
        guarantee: lipschitz(1.5, false, 1e-6, Norm::Linf),
        ..manifest()
    };
    assert_claimed(judge(&other_norm, &signed(&statement().to_string(), SEED)), "norm");
}

#[test]
fn a_manifest_that_says_less_than_is_proved_is_wrong() {
    let smallest_step = 1.5_f64.next_up();
    for (name, value) in [
        ("constant", json!(smallest_step)),
        ("constant", json!(99.0)),
        ("logit_error_bound", json!(1e-6_f64.next_up())),
    ] {
        assert_refused(with(name, value), name);
    }
    for (name, value) in [("constant", json!(-1.0)), ("logit_error_bound", json!(-1e-9))] {
        assert_refused(with(name, value), "no bound");
    }
}

#[test]
fn what_is_broken_is_refused_whatever_the_guarantee() {
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
    let twice = self::statement().to_string().replacen('{', "{\"constant\":0.001,", 1);
    let mut more = self::statement();
    more["note"] = json!("trust me");
    let mut less = self::statement();
    less.as_object_mut().unwrap().remove("classes");
    let mut newer = self::statement();
    newer["version"] = json!(2);
    let resigned = |statement: &str| signed(statement, SEED).to_string();
    for (record, words) in [
        (changed("signature", json!(flipped)), "signature is not that"),
        (changed("signature", json!("00")), "128 hexadecimal"),
        (
            changed("public_key", json!(key([1; 32]).to_string())),
            "signature is not that",
        ),
        (changed("public_key", json!("07")), "64 hexadecimal"),
        (
            changed("statement", json!(statement.to_string())),
            "signature is not that",
        ),
        (
            changed("statement", json!(format!("{} ", good["statement"].as_str().unwrap()))),
            "signature",
        ),
        (changed("note", json!(1)), "no such record"),
        (String::new(), "no such record"),
        ("{\"statement\": 1}".to_owned(), "no such record"),
        (resigned(&twice), "duplicate field"),
        (resigned(&more.to_string()), "unknown field"),
        (resigned(&less.to_string()), "missing field"),
        (resigned(&newer.to_string()), "version 2"),
        (
            resigned(&self::statement().to_string().replace("1.5", "1e999")),
            "statement",
        ),
    ] {
        for guarantee in [
            manifest().guarantee,
            Guarantee::None,
            Guarantee::GaussianSmoothing {
                sigma: 0.25,
                levels: 255,
            },
        ] {
            let manifest = Manifest {
                guarantee,
                ..manifest()
            };
            assert_refused(decide(&manifest, Some(record.as_bytes()), &[key(SEED)]), words);
        }
    }
}

#[test]
fn smoothing_is_proven_by_theorem_and_probabilities_never_are() {
    let of = |guarantee| {
        let manifest = Manifest {
            guarantee,
            ..manifest()
        };
        decide(&manifest, None, &[]).unwrap()
    };
    let smoothed = of(Guarantee::GaussianSmoothing {
        sigma: 0.25,
        levels: 255,
    });
    assert_eq!(smoothed.unwrap().basis, Basis::Proven);
    let probabilities = of(Guarantee::LipschitzProbabilities {
        norm: Norm::L2,
        constants: vec![1.0, 1.0],
        neighbourhood: None,
        error_bound: 0.0,
    });
    assert_eq!(probabilities.unwrap().basis, Basis::Claimed);
    assert_eq!(of(Guarantee::None), None);
}

#[test]
fn a_record_lies_beside_its_file_and_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (onnx, manifest) = (folder.path().join("h.onnx"), folder.path().join("m.toml"));
    let path = folder.path().join("h.proof.json");
    std::fs::write(&manifest, "file = \"h.onnx\"\nname = 1\n").unwrap();
    assert_eq!(proof_path(&manifest), Some(path.clone()));
    assert_eq!(proof_path(&onnx), None);
    assert_eq!(read(&onnx).unwrap(), None);
    std::fs::write(&path, b"{}").unwrap();
    assert_eq!(read(&onnx).unwrap().unwrap(), b"{}");
    std::fs::write(&path, vec![b' '; (64 << 10) + 1]).unwrap();
    assert!(read(&onnx).unwrap_err().to_string().contains("larger than 65536 bytes"));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(read(&onnx).unwrap_err().to_string().contains("regular file"));
}
