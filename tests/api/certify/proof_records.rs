//! A signed record about the exact model file proves a constant. Without one the constant is a
//! claim, and certificates and GetModelInfo report it as such.

use std::fs;

use certimix::rpc::proto::{
    CertificateBasis, CertificateStatus, GetModelInfoRequest, GetModelInfoResponse, Prediction,
};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::support::editable_server::EditableServer;
use crate::support::server::Client;
use crate::support::{Setup, TestServer, fixture, messages};

const X: [f32; 4] = [0.75, -0.5, -0.25, 0.5];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the public key of the tests, and a record for linear_h that it signs.
fn signed_record(constant: f64) -> (String, String) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let manifest: toml::Table = toml::from_str(&fs::read_to_string(fixture("linear_h")).unwrap()).unwrap();
    let statement = serde_json::json!({
        "version": 1, "checker": "a test", "model_sha256": manifest["sha256"].as_str(), "guarantee": "lipschitz_logits",
        "norm": "l2", "constant": constant, "logit_error_bound": 1e-6, "input_shape": [4], "input_range": [-1.0, 1.0],
        "output": "logits", "classes": 3,
    })
    .to_string();
    let key = hex(pair.public_key().as_ref());
    let signature = hex(pair.sign(statement.as_bytes()).as_ref());
    let record = serde_json::json!({"statement": statement, "public_key": key, "signature": signature});
    (key, record.to_string())
}

/// Settings with linear_h in its own folder and the key of the tests among the trusted keys.
fn setup() -> Setup {
    let setup = Setup::pair("linear_g", "linear_h");
    setup.file(
        "linear_h.onnx",
        &fs::read(fixture("linear_h").with_extension("onnx")).unwrap(),
    );
    let manifest = setup.file("h.toml", &fs::read(fixture("linear_h")).unwrap());
    setup
        .path("models.robust", &manifest)
        .with("certificate.proof_keys", format!("[\"{}\"]", signed_record(4.0).0))
        .batch_size(2)
}

async fn prediction_and_info(client: &mut Client) -> (Prediction, GetModelInfoResponse) {
    let response = client
        .predict(messages::predict_request(messages::floats(&[X])))
        .await
        .unwrap()
        .into_inner();
    let info = client
        .get_model_info(GetModelInfoRequest {})
        .await
        .unwrap()
        .into_inner();
    (response.predictions.into_iter().next().unwrap(), info)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_signed_record_proves_a_constant() {
    let setup = setup();
    setup.file("linear_h.proof.json", signed_record(4.0).1.as_bytes());
    let server = TestServer::start(setup).await;
    let (prediction, info) = prediction_and_info(&mut server.client().await).await;
    assert_eq!(messages::certified(&prediction).basis(), CertificateBasis::Proven);
    let robust = info.robust.unwrap();
    assert_eq!(robust.guarantee_basis(), CertificateBasis::Proven);
    assert!(robust.guarantee_basis_reason.contains("signed by"), "{robust:?}");
    assert_eq!(info.standard.unwrap().guarantee_basis(), CertificateBasis::Unspecified);
    let provenance = info.provenance.unwrap();
    assert_eq!((provenance.standard_batch_size, provenance.robust_batch_size), (2, 2));
    assert!(!provenance.runtime_version.is_empty() && !provenance.processor.is_empty());
}

/// The server once served the radius 99,537 on a box of diameter 4, as proven.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_constant_without_a_record_is_a_claim_and_its_radius_is_limited_to_the_range() {
    let edits = [
        ("constant = 4.0", "constant = 0.001"),
        ("tests/fixtures/make_fixtures.py", "trust me"),
    ];
    let setup = Setup::pair("linear_g", "linear_h").edited("models.robust", "linear_h", &edits);
    let server = TestServer::start(setup).await;
    let (prediction, info) = prediction_and_info(&mut server.client().await).await;
    let certificate = messages::certified(&prediction);
    assert_eq!(certificate.basis(), CertificateBasis::Claimed);
    assert!(certificate.whole_range, "{certificate:?}");
    assert_eq!(certificate.radius, 4.0);
    let robust = info.robust.unwrap();
    assert_eq!(robust.guarantee_basis(), CertificateBasis::Claimed);
    assert!(robust.guarantee_basis_reason.contains("no record"), "{robust:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_unproven_model_has_no_basis_and_a_smoothed_model_is_proven() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h_unproven")).await;
    let (prediction, _) = prediction_and_info(&mut server.client().await).await;
    let certificate = messages::certificate(&prediction);
    assert_eq!(certificate.status(), CertificateStatus::Unavailable);
    assert_eq!(certificate.basis(), CertificateBasis::Unspecified);
    let server = TestServer::start(Setup::pair("pixels_g", "pixels_h")).await;
    let request = GetModelInfoRequest {};
    let info = server
        .client()
        .await
        .get_model_info(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(info.robust.unwrap().guarantee_basis(), CertificateBasis::Proven);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_new_record_is_reloaded_and_a_contradicting_record_is_rejected() {
    let server = EditableServer::start(setup());
    let mut client = server.client().await;
    let (before, info) = prediction_and_info(&mut client).await;
    assert_eq!(messages::certified(&before).basis(), CertificateBasis::Claimed);
    let claimed = info.provenance.unwrap().config_revision;
    server
        .setup
        .file("linear_h.proof.json", signed_record(4.0).1.as_bytes());
    let revision = loop {
        let (after, info) = prediction_and_info(&mut client).await;
        if messages::certified(&after).basis() == CertificateBasis::Proven {
            break info.provenance.unwrap().config_revision;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_ne!(revision, claimed);
    // The record proves a larger constant than the manifest has, so the manifest is wrong.
    server
        .setup
        .file("linear_h.proof.json", signed_record(4.5).1.as_bytes());
    let pending = loop {
        let (_, info) = prediction_and_info(&mut client).await;
        if let Some(pending) = info.config.unwrap().pending_error {
            break pending;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let description = &pending.violations[0].description;
    assert!(
        description.contains("guarantee.constant is 4") && description.contains("4.5"),
        "{description}"
    );
}
