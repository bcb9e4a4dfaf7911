//! `certimix alpha get` and `set`, on the real binary against a server of the real binary.

use std::fs;

use crate::support::Setup;
use crate::support::model_info_poller::ModelInfoPoller;
use crate::support::process::{self, ServerProcess};

fn server(setup: &Setup) -> (ModelInfoPoller, String, String) {
    let file = setup.write();
    let server = ModelInfoPoller::of(ServerProcess::spawn(&file));
    let address = server.address.to_string();
    (server, file.to_str().unwrap().to_owned(), address)
}

fn setup() -> Setup {
    Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", "0.6 # chosen in June")
        .with("mixture.alpha_min", 0.4)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_returns_when_the_server_answers_with_it() {
    let setup = setup();
    let (server, file, address) = server(&setup);
    let set = [
        "alpha",
        "set",
        "0.9",
        "--config",
        &file,
        "--address",
        &address,
        "--json",
    ];
    let output = process::run(&set, &[]);
    assert!(output.status.success(), "{output:?}");
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let provenance = server.info().await.provenance.unwrap();
    assert_eq!(provenance.alpha, 0.9);
    assert_eq!(shown["alpha"], 0.9);
    assert_eq!(shown["config_revision"], provenance.config_revision);
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("mixture.alpha = 0.9 # chosen in June")
    );
    let get = process::run(&["alpha", "get", "--address", &address], &[]);
    assert!(String::from_utf8(get.stdout).unwrap().starts_with("alpha 0.9, config "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_waits_for_the_end_of_a_ramp() {
    let setup = setup().text("mixture.alpha_ramp", "1s");
    let (server, file, address) = server(&setup);
    let output = process::run(&["alpha", "set", "0.8", "--config", &file, "--address", &address], &[]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(server.info().await.provenance.unwrap().alpha, 0.8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_leaves_the_file_as_it_was() {
    let setup = setup();
    let (server, file, address) = server(&setup);
    let before = fs::read_to_string(&file).unwrap();
    let set = |alpha| process::fails(&["alpha", "set", alpha, "--config", &file, "--address", &address], &[]);
    assert!(set("0.3").contains("mixture.alpha_min = 0.4"));
    assert!(set("1.5").contains("1.5"));
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    // The server alone knows that a file it needs is gone.
    let broken = before.replace("linear_h.toml", "missing.toml");
    fs::write(&file, &broken).unwrap();
    server
        .wait_for(|info| info.config.as_ref().unwrap().pending_error.is_some())
        .await;
    let message = set("0.7");
    assert!(
        message.contains("refuses") && message.contains("missing.toml"),
        "{message}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), broken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_another_server_is_not_edited() {
    let (setup, other) = (setup(), setup().with("server.max_inputs", 3));
    let (_operator, _, address) = server(&setup);
    let file = other.write();
    let before = fs::read_to_string(&file).unwrap();
    let file = file.to_str().unwrap();
    let message = process::fails(&["alpha", "set", "0.7", "--config", file, "--address", &address], &[]);
    assert!(message.contains("does not run with"), "{message}");
    assert_eq!(fs::read_to_string(file).unwrap(), before);
    let output = process::run(&["alpha", "set", "0.7", "--config", file, "--no-wait"], &[]);
    assert!(output.status.success());
    assert!(
        fs::read_to_string(file)
            .unwrap()
            .contains("mixture.alpha = 0.7 # chosen in June")
    );
}
