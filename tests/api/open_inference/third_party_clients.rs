//! The unmodified clients of NVIDIA and KServe against the real binary, by the scripts in
//! `tests/tritonclient/` and `tests/kserve/`, and grpcio with targets of every kind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use certimix::rpc::open_inference::proto::DESCRIPTORS;
use certimix::rpc::proto::{CertificateStatus, Prediction};
use serde_json::json;
use tonic::transport::Endpoint;

use crate::support::process::{self, ServerProcess};
use crate::support::server::Client;
use crate::support::{Setup, messages};

/// Two certified inputs, and one on the border between all classes.
const INPUTS: [[f32; 4]; 3] = [messages::CLEAR_INPUT, [-0.2, 0.9, -0.7, 1.0], [0.1, 0.1, 0.1, 0.1]];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a script of `tests/`, and fails with its output.
fn run_script(script: &str, arguments: &[&str]) {
    let packages = repository().join(".runtime/python");
    assert!(
        packages.join("installed").is_file(),
        "the clients are not in {}: run `make python-packages`",
        packages.display()
    );
    let child = Command::new("python3")
        // Packages of the user must not replace these.
        .args(["-s", "-B"])
        .arg(repository().join("tests").join(script))
        .args(arguments)
        .env("PYTHONPATH", &packages)
        // The server runs on this machine.
        .env("no_proxy", "127.0.0.1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 is installed, which `make python-packages` needs too");
    let Output { status, stdout, stderr } = process::output(child);
    let output = [stdout, stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    assert!(status.success(), "{script}: {status}\n{output}");
}

#[test]
fn the_wire_format_matches_nvidias_client() {
    let setup = Setup::pair("linear_g", "linear_h");
    let descriptors: PathBuf = setup.file("descriptors.bin", DESCRIPTORS);
    run_script("tritonclient/check_descriptors.py", &[descriptors.to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nvidias_client_gets_the_answers_of_predict() {
    compare_with_predict("tritonclient/check_responses.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn kserves_client_gets_the_answers_of_predict() {
    compare_with_predict("kserve/check_responses.py").await;
}

#[test]
fn grpcio_needs_no_authority_for_any_target() {
    let setup = Setup::pair("linear_g", "linear_h").text("server.unix_socket", "certimix.sock");
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address().to_string();
    let socket = setup.folder().join("certimix.sock");
    run_script("grpcio/check_targets.py", &[&address, socket.to_str().unwrap()]);
}

/// Runs `script` on a server, with the answers of Predict to expect.
async fn compare_with_predict(script: &str) {
    let setup = Setup::pair("linear_g", "linear_h");
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut client = Client::new(channel.connect().await.unwrap());
    let request = messages::predict_request(messages::floats(&INPUTS));
    let response = client.predict(request).await.unwrap().into_inner();
    let provenance = response.provenance.unwrap();
    let predictions = &response.predictions;
    let of = |value: fn(&Prediction) -> serde_json::Value| predictions.iter().map(value).collect::<Vec<_>>();
    let expected = json!({
        "inputs": INPUTS,
        "log_probs": of(|prediction| json!(prediction.mixed_logits)),
        "class": of(|prediction| json!(prediction.class_index)),
        "radius": of(|prediction| json!(messages::certificate(prediction).radius)),
        "certified": of(|prediction| json!(messages::certificate(prediction).status() == CertificateStatus::Certified)),
        "standard_probs": of(|prediction| json!(prediction.standard_probabilities)),
        "robust_probs": of(|prediction| json!(prediction.robust_probabilities)),
        "robust_weight": of(|prediction| json!(prediction.robust_weight)),
        "config_revision": provenance.config_revision,
        "alpha": provenance.alpha,
    });
    let expected = setup.file("expected.json", expected.to_string().as_bytes());
    let address = address.to_string();
    run_script(script, &[&address, expected.to_str().unwrap()]);
}
