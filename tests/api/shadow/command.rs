//! The command `certimix shadow`.

use certimix::rpc::proto::mixed_classifier_client::MixedClassifierClient;
use serde_json::Value;

use super::report_client::{inputs, predict_all, report_for};
use crate::support::Setup;
use crate::support::process::{self, ServerProcess};

fn run_shadow_command(address: &str, more: &[&str]) -> std::process::Output {
    process::run(&[&["shadow", "--address", address], more].concat(), &[])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_shows_the_report() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 0.76)
        .with("mixture.shadow_alphas", "[0.9, 0.6]");
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address().to_string();
    let mut client = MixedClassifierClient::connect(format!("http://{address}"))
        .await
        .unwrap();

    // Without traffic the command reports that.
    let quiet = run_shadow_command(&address, &["--once"]);
    let text = String::from_utf8(quiet.stdout).unwrap() + &String::from_utf8(quiet.stderr).unwrap();
    assert!(quiet.status.success() && text.contains("no traffic"), "{text}");

    predict_all(&client, &inputs(100)).await;
    let report = report_for(&mut client, 100).await;
    let output = run_shadow_command(&address, &["--once", "--json"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let json: Value = serde_json::from_str(&text).unwrap();
    let row = &json["candidates"][1];
    let wire = &report.candidates[1];
    assert_eq!(
        (row["alpha"].as_f64(), row["inputs"].as_u64(), row["certified"].as_u64()),
        (Some(0.9), Some(100), Some(wire.certified))
    );
    assert_eq!(row["radii"], serde_json::json!(wire.radii));
    assert_eq!(json["serving"]["alpha"], 0.76);
    assert_eq!(json["provenance"]["config_revision"], report.since_revision.as_str());

    // Without a terminal the command prints the table once.
    let output = run_shadow_command(&address, &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.contains("0.76") && text.contains("100.0 %"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_reports_the_missing_key() {
    let setup = Setup::pair("linear_g", "linear_h");
    let server = ServerProcess::spawn(&setup.write());
    let message = process::fails(&["shadow", "--once", "--address", &server.address().to_string()], &[]);
    assert!(message.contains("mixture.shadow_candidates"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_shows_every_part_of_a_mixture_that_differs() {
    let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.76).with(
        "mixture.shadow_candidates",
        "[{ alpha = 0.9 }, { alpha = 0.8, fallback_alpha = 0.05, robust_temperature = 0.25 }]",
    );
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address().to_string();
    let output = run_shadow_command(&address, &["--once"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["fallback", " T ", "0.05", "0.25"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let output = run_shadow_command(&address, &["--once", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mixture = |row: &Value| {
        let part = |name: &str| row[name].as_f64().unwrap();
        [part("alpha"), part("fallback_alpha"), part("robust_temperature")]
    };
    assert_eq!(mixture(&json["serving"]), [0.76, 0.76, 1.0]);
    let candidates: Vec<_> = json["candidates"].as_array().unwrap().iter().map(mixture).collect();
    assert_eq!(candidates, [[0.8, 0.05, 0.25], [0.9, 0.9, 1.0]]);
}
