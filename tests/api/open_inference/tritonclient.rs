//! NVIDIA's own client, unmodified, against the real binary. What it does is in `tests/tritonclient/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use certimix::rpc::open_inference::proto::DESCRIPTORS;
use certimix::rpc::proto::{CertificateStatus, Prediction};
use serde_json::json;
use tonic::transport::Endpoint;

use crate::support::process::{self, ServerProcess};
use crate::support::server::Client;
use crate::support::{Setup, messages};

/// Two certified inputs, and one that no model tells apart.
const INPUTS: [[f32; 4]; 3] = [messages::CLEAR_INPUT, [-0.2, 0.9, -0.7, 1.0], [0.1, 0.1, 0.1, 0.1]];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a script of `tests/tritonclient/`, and fails with what it says.
fn check(script: &str, arguments: &[&str]) {
    let packages = repository().join(".runtime/python");
    assert!(
        packages.join("installed").is_file(),
        "NVIDIA's client is not in {}: run `make python-packages`",
        packages.display()
    );
    let child = Command::new("python3")
        // No package of the user's own may stand in for one of these.
        .args(["-s", "-B"])
        .arg(repository().join("tests/tritonclient").join(script))
        .args(arguments)
        .env("PYTHONPATH", &packages)
        // The address is this machine's.
        .env("no_proxy", "127.0.0.1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3, which `make python-packages` needs too");
    let Output { status, stdout, stderr } = process::output(child);
    let said = [stdout, stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    assert!(status.success(), "{script}: {status}\n{said}");
}

#[test]
fn names_numbers_and_types_are_those_of_nvidias_client() {
    let setup = Setup::pair("linear_g", "linear_h");
    let descriptors: PathBuf = setup.file("descriptors.bin", DESCRIPTORS);
    check("check_wire.py", &[descriptors.to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn it_is_answered_as_predict_answers() {
    let setup = Setup::pair("linear_g", "linear_h");
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address();
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut client = Client::new(channel.connect().await.unwrap());
    let request = messages::predict_request(messages::floats(&INPUTS));
    let answer = client.predict(request).await.unwrap().into_inner();
    let provenance = answer.provenance.unwrap();
    let predictions = &answer.predictions;
    let of = |value: fn(&Prediction) -> serde_json::Value| predictions.iter().map(value).collect::<Vec<_>>();
    let expected = json!({
        "inputs": INPUTS,
        "log_probs": of(|prediction| json!(prediction.mixed_logits)),
        "class": of(|prediction| json!(prediction.class_index)),
        "radius": of(|prediction| json!(messages::certificate(prediction).radius)),
        "certified": of(|prediction| json!(messages::certificate(prediction).status() == CertificateStatus::Certified)),
        "standard_probs": of(|prediction| json!(prediction.standard_probabilities)),
        "robust_probs": of(|prediction| json!(prediction.robust_probabilities)),
        "config_revision": provenance.config_revision,
        "alpha": provenance.alpha,
    });
    let expected = setup.file("expected.json", expected.to_string().as_bytes());
    let address = address.to_string();
    check("check_answers.py", &[&address, expected.to_str().unwrap()]);
}
