//! `certimix alpha get` and `set`, against a server of the same binary.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::Setup;
use crate::support::model_info_poller::ModelInfoPoller;
use crate::support::process::{self, ServerProcess};

fn start_server(setup: &Setup) -> (ModelInfoPoller, String, String) {
    let file = setup.write();
    let server = ModelInfoPoller::new(ServerProcess::spawn(&file));
    let address = server.address.to_string();
    (server, file.to_str().unwrap().to_owned(), address)
}

fn setup() -> Setup {
    Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", "0.6 # chosen in June")
        .with("mixture.alpha_min", 0.4)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_returns_when_the_new_alpha_is_in_force() {
    let setup = setup();
    let (server, file, address) = start_server(&setup);
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
async fn set_changes_the_fallback_weight_too() {
    let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.6);
    let (server, file, address) = start_server(&setup);
    let set = |alpha, weight| {
        let arguments = [
            "alpha",
            "set",
            alpha,
            "--fallback-alpha",
            weight,
            "--config",
            &file,
            "--address",
            &address,
        ];
        process::run(&arguments, &[])
    };
    for (alpha, weight, expected) in [("0.9", "0.25", 0.25), ("0.9", "0", 0.0)] {
        let output = set(alpha, weight);
        assert!(output.status.success(), "{output:?}");
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(
            !shown.contains("unchanged") && shown.contains(&format!("fallback_alpha {weight}")),
            "{shown}"
        );
        let provenance = server.info().await.provenance.unwrap();
        assert_eq!((provenance.alpha, provenance.fallback_alpha), (0.9, Some(expected)));
    }
    let refused = set("0.5", "0.6");
    assert!(!refused.status.success());
    assert!(
        String::from_utf8(refused.stderr)
            .unwrap()
            .contains("mixture.fallback_alpha")
    );
    assert_eq!(server.info().await.provenance.unwrap().alpha, 0.9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_waits_for_the_end_of_a_ramp() {
    let setup = setup().text("mixture.alpha_ramp", "1s");
    let (server, file, address) = start_server(&setup);
    let output = process::run(&["alpha", "set", "0.8", "--config", &file, "--address", &address], &[]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(server.info().await.provenance.unwrap().alpha, 0.8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_alpha_does_not_change_the_file() {
    let setup = setup();
    let (server, file, address) = start_server(&setup);
    let before = fs::read_to_string(&file).unwrap();
    let set = |alpha| process::fails(&["alpha", "set", alpha, "--config", &file, "--address", &address], &[]);
    assert!(set("0.3").contains("mixture.alpha_min = 0.4"));
    assert!(set("1.5").contains("1.5"));
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    // Only the server detects that a file it needs is missing.
    let broken = before.replace("linear_h.toml", "missing.toml");
    fs::write(&file, &broken).unwrap();
    server
        .wait_for(|info| info.config.as_ref().unwrap().pending_error.is_some())
        .await;
    let message = set("0.7");
    assert!(
        message.contains("rejects") && message.contains("missing.toml"),
        "{message}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), broken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_does_not_edit_the_file_of_another_server() {
    let (setup, other) = (setup(), setup().with("server.max_inputs", 3));
    let (_operator, _, address) = start_server(&setup);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_shows_the_change_and_what_it_does_to_the_largest_radius() {
    let setup = Setup::pair("steep_g", "half_space").with("mixture.alpha", 0.76);
    let (server, file, address) = start_server(&setup);
    let before = server.info().await.largest_possible_radius;
    let output = process::run(&["alpha", "set", "0.9", "--config", &file, "--address", &address], &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let after = server.info().await.largest_possible_radius;
    assert!(before > 0.0 && after > before, "{before} {after}");
    let rounded_down = |radius: f64| format!("{:.4}", (radius * 1e4).floor() / 1e4);
    assert!(text.starts_with("alpha 0.76 → 0.9, config "), "{text}");
    let radii = format!("largest radius {} → {} (l2)", rounded_down(before), rounded_down(after));
    assert!(text.contains(&radii), "{radii} is not in {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_override_is_found_before_the_file_changes() {
    let setup = setup();
    let path = setup.write();
    let variables = [("CERTIMIX__MIXTURE__ALPHA", "0.9")];
    let server = ModelInfoPoller::new(ServerProcess::spawn_with(&path, &variables));
    let before = fs::read_to_string(&path).unwrap();
    let (file, address) = (path.to_str().unwrap(), server.address.to_string());
    let message = process::fails(&["alpha", "set", "0.7", "--config", file, "--address", &address], &[]);
    assert!(
        message.contains("CERTIMIX__MIXTURE__ALPHA overrides mixture.alpha"),
        "{message}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
}

/// A second command replaces the file while the first one waits for a ramp. The first one learns it
/// at once, long before its timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_superseded_command_fails() {
    let setup = setup().text("mixture.alpha_ramp", "1h");
    let (server, file, address) = start_server(&setup);
    let set = |alpha: &str, timeout: &str| {
        let options = ["--config", &file, "--address", &address, "--timeout", timeout];
        process::spawn(&[&["alpha", "set", alpha][..], &options[..]].concat())
    };
    let first = set("0.8", "1h");
    server
        .wait_for(|info| info.config.as_ref().unwrap().target_alpha == 0.8)
        .await;
    // The ramp outlives the timeout of the second command, which is no error.
    let second = process::output(set("0.9", "1m"));
    let text = String::from_utf8(second.stdout).unwrap();
    let notes = String::from_utf8(second.stderr).unwrap();
    assert!(text.contains("(ramping to 0.9)"), "{text}{notes}");
    assert!(
        notes.contains("is under way") && notes.contains("alpha_ramp is 1h"),
        "{notes}"
    );
    let first = process::output(first);
    let message = String::from_utf8(first.stderr).unwrap();
    assert_eq!(first.status.code(), Some(1), "{message}");
    assert!(message.contains("another process has changed"), "{message}");
    // The message states the change that has won.
    assert!(
        message.contains("so alpha 0.8 is lost: the file has alpha 0.9 now")
            && message.contains("the server uses alpha"),
        "{message}"
    );
    assert!(fs::read_to_string(&file).unwrap().contains("mixture.alpha = 0.9"));
}

/// The file that the command wrote is still there, but the name of the settings leads to another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_learns_that_a_symlink_leads_to_another_file() {
    let setup = setup().text("mixture.alpha_ramp", "1h");
    let text = fs::read_to_string(setup.write()).unwrap();
    let path = |name: &str| setup.folder().join(name);
    fs::write(path("one.toml"), &text).unwrap();
    fs::write(
        path("two.toml"),
        text.replace("mixture.alpha = 0.6", "mixture.alpha = 0.7"),
    )
    .unwrap();
    std::os::unix::fs::symlink("one.toml", path("link.toml")).unwrap();
    let server = ModelInfoPoller::new(ServerProcess::spawn(&path("link.toml")));
    let (link, address) = (
        path("link.toml").to_str().unwrap().to_owned(),
        server.address.to_string(),
    );
    let command = process::spawn(&[
        "alpha",
        "set",
        "0.8",
        "--config",
        &link,
        "--address",
        &address,
        "--timeout",
        "1h",
    ]);
    server
        .wait_for(|info| info.config.as_ref().unwrap().target_alpha == 0.8)
        .await;
    std::os::unix::fs::symlink("two.toml", path("new.toml")).unwrap();
    fs::rename(path("new.toml"), path("link.toml")).unwrap();
    let output = process::output(command);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("the file has alpha 0.7 now"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_file_is_reported_before_the_server_is_asked() {
    let setup = setup();
    let path = setup.write();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let file = path.to_str().unwrap();
    let message = process::fails(
        &["alpha", "set", "0.7", "--config", file, "--address", "127.0.0.1:1"],
        &[],
    );
    assert!(message.contains("is read-only"), "{message}");
}
