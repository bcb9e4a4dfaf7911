//! A change of an ONNX file or of a proof record is seen, although no manifest changes.

use std::fs;
use std::path::PathBuf;

use certimix::rpc::proto::{CertificateBasis, ConfigStatus, GetModelInfoResponse};

use crate::support::config_edit::replace_file;
use crate::support::model_info_poller::ModelInfoPoller;
use crate::support::process::ServerProcess;
use crate::support::request_load::RequestLoad;
use crate::support::{Setup, fixture};

const INPUT: [f32; 4] = [0.3, -0.2, 0.1, 0.4];

/// A server whose models lie beside its settings, and the path of the robust model.
fn start() -> (Setup, ModelInfoPoller, PathBuf) {
    let setup = Setup::pair("linear_g", "linear_h")
        .copied("models.standard", "linear_g")
        .copied("models.robust", "linear_h");
    let server = ModelInfoPoller::new(ServerProcess::spawn(&setup.write()));
    let model = setup.folder().join("linear_h.onnx");
    (setup, server, model)
}

fn status(info: &GetModelInfoResponse) -> &ConfigStatus {
    info.config.as_ref().unwrap()
}

/// Waits for a rejection of `models.robust` for this reason.
async fn rejected(server: &ModelInfoPoller, reason: &str) -> GetModelInfoResponse {
    server
        .wait_for(|info| {
            let pending = status(info).pending_error.as_ref();
            pending.is_some_and(|pending| {
                pending.violations.len() == 1
                    && pending.violations[0].field == "models.robust"
                    && pending.violations[0].description.contains(reason)
            })
        })
        .await
}

async fn accepted(server: &ModelInfoPoller) -> GetModelInfoResponse {
    server.wait_for(|info| status(info).pending_error.is_none()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_cut_or_replaced_model_is_rejected_and_the_old_one_serves() {
    let (_setup, server, model) = start();
    let before = server.info().await.provenance;
    let load = RequestLoad::start(&server, &[INPUT]).await;
    let whole = fs::read(&model).unwrap();
    // In place, as a copy does that is half done.
    fs::write(&model, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(rejected(&server, "has SHA-256").await.provenance, before);
    fs::write(&model, &whole).unwrap();
    accepted(&server).await;

    fs::remove_file(&model).unwrap();
    assert_eq!(rejected(&server, "cannot read the ONNX file").await.provenance, before);
    fs::write(&model, &whole).unwrap();
    accepted(&server).await;

    // Another whole model, of the same size or not, by a rename.
    let other = model.with_extension("other");
    fs::copy(fixture("linear_g").with_extension("onnx"), &other).unwrap();
    fs::rename(&other, &model).unwrap();
    assert_eq!(rejected(&server, "linear_h.onnx has SHA-256").await.provenance, before);
    fs::write(&other, &whole).unwrap();
    fs::rename(&other, &model).unwrap();
    let info = accepted(&server).await;
    assert_eq!(info.provenance, before);
    assert!(status(&info).failed_reloads >= 3, "{info:?}");
    assert!(!load.stop().await.is_empty());
}

/// Manifest and model change one after the other. The pair serves once both are there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_and_its_manifest_are_replaced_in_two_steps() {
    let (setup, server, model) = start();
    let before = server.info().await.provenance.unwrap();
    // The same graph with another description: a proper model with another SHA-256.
    let mut bytes = fs::read(&model).unwrap();
    bytes.extend_from_slice(&[0x32, 1, b'x']);
    fs::write(&model, &bytes).unwrap();
    rejected(&server, "has SHA-256").await;
    let new = certimix_sha256(&bytes);
    replace_file(&setup.folder().join("linear_h.toml"), |text| {
        text.replace(&before.robust_model_sha256, &new)
    });
    let info = server
        .wait_for(|info| info.provenance.as_ref().unwrap().robust_model_sha256 == new)
        .await;
    assert_eq!(status(&info).pending_error, None);
}

fn certimix_sha256(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A proof names the digest of its file. A new file with the old record is not proven.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_model_does_not_keep_the_proof_of_the_old_one() {
    let bundled = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/models/cifar10");
        PathBuf::from(folder).join(name)
    };
    let setup = Setup::pair("linear_g", "linear_h")
        .path("models.standard", &bundled("standard.toml"))
        .text("models.robust", "lipschitz.toml");
    for name in ["lipschitz.toml", "lipschitz.onnx", "lipschitz.proof.json"] {
        fs::copy(bundled(name), setup.folder().join(name)).unwrap();
    }
    let server = ModelInfoPoller::new(ServerProcess::spawn(&setup.write()));
    let basis = |info: &GetModelInfoResponse| info.robust.as_ref().unwrap().guarantee_basis();
    let before = server.info().await;
    assert_eq!(basis(&before), CertificateBasis::Proven);
    let model = setup.folder().join("lipschitz.onnx");
    let mut bytes = fs::read(&model).unwrap();
    bytes.extend_from_slice(&[0x32, 1, b'x']);
    fs::write(&model, &bytes).unwrap();
    let info = rejected(&server, "has SHA-256").await;
    // The old model serves, and its proof is about it.
    assert_eq!(
        (basis(&info), &info.provenance),
        (CertificateBasis::Proven, &before.provenance)
    );
    let new = certimix_sha256(&bytes);
    replace_file(&setup.folder().join("lipschitz.toml"), |text| {
        text.replace(&before.provenance.as_ref().unwrap().robust_model_sha256, &new)
    });
    let info = server
        .wait_for(|info| info.provenance.as_ref().unwrap().robust_model_sha256 == new)
        .await;
    assert_eq!(basis(&info), CertificateBasis::Claimed, "{info:?}");
}
