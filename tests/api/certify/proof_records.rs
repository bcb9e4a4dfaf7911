//! A constant is proven by a signed record about exactly this file; without one it is a claim, and every place says so.

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

/// The key of the tests, and linear_h's record by it.
fn signed(constant: f64) -> (String, String) {
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

/// linear_h in a folder of its own, whose key is believed.
fn setup() -> Setup {
    let setup = Setup::pair("linear_g", "linear_h");
    setup.file(
        "linear_h.onnx",
        &fs::read(fixture("linear_h").with_extension("onnx")).unwrap(),
    );
    let manifest = setup.file("h.toml", &fs::read(fixture("linear_h")).unwrap());
    setup
        .path("models.robust", &manifest)
        .with("certificate.proof_keys", format!("[\"{}\"]", signed(4.0).0))
        .batch_size(2)
}

async fn asked(client: &mut Client) -> (Prediction, GetModelInfoResponse) {
    let answer = client
        .predict(messages::predict_request(messages::floats(&[X])))
        .await
        .unwrap()
        .into_inner();
    let info = client
        .get_model_info(GetModelInfoRequest {})
        .await
        .unwrap()
        .into_inner();
    (answer.predictions.into_iter().next().unwrap(), info)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_signed_record_makes_a_constant_proven() {
    let setup = setup();
    setup.file("linear_h.proof.json", signed(4.0).1.as_bytes());
    let server = TestServer::start(setup).await;
    let (prediction, info) = asked(&mut server.client().await).await;
    assert_eq!(messages::certified(&prediction).basis(), CertificateBasis::Proven);
    let robust = info.robust.unwrap();
    assert_eq!(robust.guarantee_basis(), CertificateBasis::Proven);
    assert!(robust.guarantee_basis_reason.contains("signed by"), "{robust:?}");
    assert_eq!(info.standard.unwrap().guarantee_basis(), CertificateBasis::Unspecified);
    let provenance = info.provenance.unwrap();
    assert_eq!((provenance.standard_batch_size, provenance.robust_batch_size), (2, 2));
    assert!(!provenance.runtime_version.is_empty() && !provenance.processor.is_empty());
}

/// Answered 99,537 on a box of diameter 4, as if it were proven.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_typed_constant_is_a_claim_and_its_radius_ends_with_the_range() {
    let edits = [
        ("constant = 4.0", "constant = 0.001"),
        ("tests/fixtures/make_fixtures.py", "trust me"),
    ];
    let setup = Setup::pair("linear_g", "linear_h").edited("models.robust", "linear_h", &edits);
    let server = TestServer::start(setup).await;
    let (prediction, info) = asked(&mut server.client().await).await;
    let certificate = messages::certified(&prediction);
    assert_eq!(certificate.basis(), CertificateBasis::Claimed);
    assert!(certificate.whole_range, "{certificate:?}");
    assert_eq!(certificate.radius, 4.0);
    let robust = info.robust.unwrap();
    assert_eq!(robust.guarantee_basis(), CertificateBasis::Claimed);
    assert!(robust.guarantee_basis_reason.contains("no record"), "{robust:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_can_prove_nothing_rests_on_nothing_and_votes_rest_on_a_theorem() {
    let server = TestServer::start(Setup::pair("linear_g", "linear_h_unproven")).await;
    let (prediction, _) = asked(&mut server.client().await).await;
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
async fn a_record_that_comes_is_seen_and_one_that_contradicts_is_not_put_in_force() {
    let server = EditableServer::start(setup());
    let mut client = server.client().await;
    let (before, info) = asked(&mut client).await;
    assert_eq!(messages::certified(&before).basis(), CertificateBasis::Claimed);
    let claimed = info.provenance.unwrap().config_revision;
    server.setup.file("linear_h.proof.json", signed(4.0).1.as_bytes());
    let revision = loop {
        let (after, info) = asked(&mut client).await;
        if messages::certified(&after).basis() == CertificateBasis::Proven {
            break info.provenance.unwrap().config_revision;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_ne!(revision, claimed);
    // More is said to be needed than the manifest says: the manifest is wrong.
    server.setup.file("linear_h.proof.json", signed(4.5).1.as_bytes());
    let pending = loop {
        let (_, info) = asked(&mut client).await;
        if let Some(pending) = info.config.unwrap().pending_error {
            break pending;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let told = &pending.violations[0].description;
    assert!(
        told.contains("guarantee.constant is 4") && told.contains("4.5"),
        "{told}"
    );
}
