//! The Unix socket offers the same services as TCP. Its file exists while the server serves, and
//! the server never touches a file of another process.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use certimix::rpc::proto::GetModelInfoRequest;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::messages::{CLEAR_INPUT, certify_with_votes, floats};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::process::{ServerProcess, fails, run};
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::{Setup, TestServer, messages};

/// Settings with a socket beside the settings file, by a relative path.
fn setup() -> (Setup, PathBuf) {
    let setup = Setup::pair("linear_g", "linear_h").text("server.unix_socket", "certimix.sock");
    let path = setup.folder().join("certimix.sock");
    (setup, path)
}

/// Settings with a socket in a folder that outlives the settings of the server.
fn with_socket_in_own_folder(setup: Setup) -> (Setup, PathBuf, TempDir) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("certimix.sock");
    (setup.path("server.unix_socket", &path), path, folder)
}

async fn connect(path: &Path) -> Channel {
    let address = format!("unix:{}", path.display());
    Endpoint::from_shared(address)
        .unwrap()
        .timeout(TEST_TIMEOUT)
        .connect()
        .await
        .unwrap()
}

fn mode(path: &Path) -> u32 {
    let found = fs::symlink_metadata(path).unwrap();
    assert!(found.file_type().is_socket());
    found.permissions().mode() & 0o7777
}

/// Writes an array of four numbers in numpy's format.
fn write_array(setup: &Setup) -> PathBuf {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }";
    let header = format!("{header:<117}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    let values: Vec<u8> = CLEAR_INPUT.iter().flat_map(|value| value.to_le_bytes()).collect();
    let text = [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), &values].concat();
    setup.file("input.npy", &text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_service_is_served_over_tcp_and_the_socket() {
    let (setup, path) = setup();
    let server = TestServer::start(setup).await;
    let mut by_tcp = server.client().await;
    let channel = connect(&path).await;
    let mut by_socket = Client::new(channel.clone());
    let request = || messages::predict_request(floats(&[[0.5; 4]]));
    let response = by_socket.predict(request()).await.unwrap().into_inner();
    let of_tcp = by_tcp.predict(request()).await.unwrap().into_inner();
    assert_eq!(
        (&response.predictions, &response.provenance),
        (&of_tcp.predictions, &of_tcp.provenance)
    );
    assert_eq!(
        by_socket
            .get_model_info(GetModelInfoRequest {})
            .await
            .unwrap()
            .into_inner(),
        by_tcp
            .get_model_info(GetModelInfoRequest {})
            .await
            .unwrap()
            .into_inner()
    );
    let mut stream = PredictStreamClient::open(by_socket).await;
    stream.send(request());
    let of_stream = stream.next_response().await;
    assert_eq!(
        (of_stream.predictions, of_stream.provenance),
        (response.predictions, response.provenance)
    );
    let health = HealthClient::new(channel).check(HealthCheckRequest::default()).await;
    assert_eq!(health.unwrap().into_inner().status(), ServingStatus::Serving);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_socket_file_has_the_configured_permissions() {
    let (setup, path) = setup();
    let server = TestServer::start(setup).await;
    assert_eq!(mode(&path), 0o600);
    drop(server);
    for (text, expected) in [("0660", 0o660), ("777", 0o777)] {
        let (setup, path) = self::setup();
        let _server = TestServer::start(setup.text("server.unix_socket_mode", text)).await;
        assert_eq!(mode(&path), expected);
    }
}

#[test]
fn invalid_permissions_are_reported() {
    for wrong in ["\"0888\"", "\"rw\"", "\"+660\"", "\"1777\"", "\"\"", "true"] {
        let (setup, _) = setup();
        let message = fails(
            &[
                "check-config",
                setup.with("server.unix_socket_mode", wrong).write().to_str().unwrap(),
            ],
            &[],
        );
        assert!(
            message.contains("server.unix_socket_mode: expected octal"),
            "{wrong}: {message}"
        );
    }
    let (setup, _) = setup();
    let variables = [
        ("CERTIMIX__SERVER__UNIX_SOCKET_MODE", "0660"),
        ("CERTIMIX__SERVER__UNIX_SOCKET", ""),
    ];
    let shown = run(&["check-config", "--json", setup.write().to_str().unwrap()], &variables);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["settings"]["server.unix_socket_mode"]["value"], "0660");
    assert_eq!(shown["settings"]["server.unix_socket"]["value"], "");
}

/// TCP and the Unix socket each have a certificate in flight. One shutdown lets both finish, and
/// removes the socket file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_shutdown_drains_tcp_and_the_socket() {
    let setup = Setup::pair("linear_g", "slow_smoothed")
        .batch_size(1)
        .with("certificate.selection_votes", 1)
        .with("certificate.failure_probability", 0.4)
        .text("server.drain_timeout", "1h");
    let (setup, path, _folder) = with_socket_in_own_folder(setup);
    let mut server = TestServer::start(setup).await;
    let mut streams = Vec::new();
    for mut client in [server.client().await, Client::new(connect(&path).await)] {
        let request = certify_with_votes(floats(&[CLEAR_INPUT]), 60);
        let mut stream = client.certify_stream(request).await.unwrap().into_inner();
        assert!(!stream.message().await.unwrap().unwrap().r#final);
        streams.push(stream);
    }
    server.begin_stop();
    for stream in &mut streams {
        let mut is_final = false;
        while let Some(message) = stream.message().await.unwrap() {
            is_final = message.r#final;
        }
        assert!(is_final);
    }
    drop(streams);
    server.stop().await.unwrap();
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_socket_file_is_removed_while_the_server_drains() {
    let (setup, path, _folder) = with_socket_in_own_folder(Setup::pair("linear_g", "linear_h"));
    let mut server = TestServer::start(setup).await;
    // The client keeps this connection open during the drain.
    let silent = std::os::unix::net::UnixStream::connect(&path).unwrap();
    assert!(path.exists());
    server.begin_stop();
    let gone = async {
        while path.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(TEST_TIMEOUT, gone)
        .await
        .expect("the file is not removed");
    // Another server can now bind the path, and keeps its file.
    let successor = UnixListener::bind(&path).unwrap();
    drop(silent);
    server.stop().await.unwrap();
    assert!(path.exists());
    drop(successor);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_replaced_socket_file_is_kept() {
    let (setup, path, _folder) = with_socket_in_own_folder(Setup::pair("linear_g", "linear_h"));
    let server = TestServer::start(setup).await;
    fs::remove_file(&path).unwrap();
    let other_listener = UnixListener::bind(&path).unwrap();
    server.stop().await.unwrap();
    assert!(path.exists());
    drop(other_listener);
}

#[test]
fn the_socket_file_of_a_killed_server_is_replaced() {
    let (setup, path) = setup();
    let settings = setup.write();
    let mut killed = ServerProcess::spawn(&settings);
    killed.line_with("certimix is ready on ");
    killed.signal("KILL");
    killed.wait();
    assert!(path.exists(), "no file was left, so this tests nothing");
    let mut server = ServerProcess::spawn(&settings);
    let ready = server.line_with("certimix is ready on ");
    assert!(ready.contains(&format!(" and unix:{},", path.display())), "{ready}");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn files_of_other_processes_are_kept() {
    let refused = |setup: &Setup, expected: &str| {
        let message = fails(&["serve", setup.write().to_str().unwrap()], &[]);
        for text in ["cannot listen on", "certimix.sock", "server.unix_socket", expected] {
            assert!(message.contains(text), "no \"{text}\" in {message}");
        }
    };
    let (live, path) = setup();
    let listener = UnixListener::bind(&path).unwrap();
    refused(&live, "another server listens there");
    drop(listener.accept().expect("the connection that detects a listener"));
    assert!(path.exists());

    let (file, path) = setup();
    fs::write(&path, "precious").unwrap();
    refused(&file, "is no socket");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");

    let (linked, path) = setup();
    std::os::unix::fs::symlink("precious", &path).unwrap();
    refused(&linked, "is no socket");
    assert!(path.is_symlink());

    let (nowhere, _) = setup();
    refused(
        &nowhere.text("server.unix_socket", "absent/certimix.sock"),
        "No such file or directory",
    );
    // A path that is too long is reported with the other settings.
    let (long, _) = setup();
    let long = long.text("server.unix_socket", &format!("{}/certimix.sock", "long/".repeat(30)));
    let message = fails(&["serve", long.write().to_str().unwrap()], &[]);
    assert!(message.contains("server.unix_socket: expected the path"), "{message}");
}

#[test]
fn the_command_line_client_accepts_a_socket_address() {
    let (setup, path) = setup();
    let server = ServerProcess::spawn(&setup.write());
    server.line_with("certimix is ready on ");
    let (address, input) = (format!("unix:{}", path.display()), write_array(&setup));
    let json = |arguments: &[&str]| {
        let arguments = [arguments, &["--address", &address, "--json"]].concat();
        let output = run(&arguments, &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let input = input.to_str().unwrap();
    assert_eq!(json(&["info"])["input"]["shape"], serde_json::json!([4]));
    let mut plain = json(&["predict", input, "--priority", "bulk"]);
    let mut streamed = json(&["predict", input, "--stream"]);
    assert_eq!(plain["label"], "left");
    for record in [&mut plain, &mut streamed] {
        record["time_ms"] = serde_json::Value::Null;
    }
    assert_eq!(streamed, plain);
    let refused = fails(&["predict", input, "--address", "unix:/nowhere/certimix.sock"], &[]);
    assert!(
        refused.contains("cannot reach the server at unix:/nowhere"),
        "{refused}"
    );
}
