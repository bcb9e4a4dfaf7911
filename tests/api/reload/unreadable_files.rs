//! A pipe, a socket, a folder, a device, a loop of symlinks, a huge file or a file without permission
//! in place of a configuration file is reported, at the start and in a reload. Nothing waits for it.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::Setup;
use crate::support::editable_server::EditableServer;
use crate::support::process::fails;
use crate::support::scrape::Scrape;

/// Puts something in place of a file. Returns what must stay alive meanwhile.
type Replacement = fn(&Path) -> Option<UnixListener>;

/// Each replacement with a part of the reason that is reported.
const REPLACEMENTS: [(&str, Replacement); 8] = [
    ("found a pipe", |path| {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        None
    }),
    ("found a socket", |path| Some(UnixListener::bind(path).unwrap())),
    ("found a folder", |path| {
        fs::create_dir(path).unwrap();
        None
    }),
    ("found a device", |path| {
        symlink("/dev/zero", path).unwrap();
        None
    }),
    ("Too many levels of symbolic links", |path| {
        symlink(path.file_name().unwrap(), path).unwrap();
        None
    }),
    ("No such file", |path| {
        symlink("absent", path).unwrap();
        None
    }),
    ("is larger than", |path| {
        // Sparse.
        fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
        None
    }),
    // Not UTF-8, not PEM, not JSON, not ONNX.
    ("", |path| {
        fs::write(path, b"\xff\xfe\0hunter2\0").unwrap();
        None
    }),
];

fn remove(path: &Path) {
    fs::remove_file(path).or_else(|_| fs::remove_dir(path)).unwrap();
}

fn setup() -> Setup {
    let setup = Setup::pair("linear_g", "linear_h")
        .copied("models.robust", "linear_h")
        .text("server.bearer_token_file", "tokens");
    setup.file("tokens", b"0123456789abcdef\n");
    setup
}

/// The files of the settings, the settings file among them.
fn files(setup: &Setup) -> Vec<PathBuf> {
    [
        "certimix.toml",
        "tokens",
        "linear_h.toml",
        "linear_h.onnx",
        "linear_h.proof.json",
    ]
    .map(|name| setup.folder().join(name))
    .to_vec()
}

#[test]
fn a_start_reports_what_is_no_file() {
    let setup = setup();
    setup.write();
    for path in files(&setup) {
        let before = fs::read(&path).ok();
        for (expected, replace) in REPLACEMENTS {
            // An absent proof record is none.
            if path.ends_with("linear_h.proof.json") && expected == "No such file" {
                continue;
            }
            if before.is_some() {
                fs::rename(&path, path.with_extension("kept")).unwrap();
            }
            let _alive = replace(&path);
            let settings = setup.folder().join("certimix.toml");
            // The server and the check read with the same code, so one file is enough for both.
            let commands: &[&str] = match path == settings {
                true => &["serve", "check-config"],
                false => &["check-config"],
            };
            for command in commands.iter().copied() {
                let message = fails(&[command, settings.to_str().unwrap()], &[]);
                assert!(message.contains(expected), "{command} {}: {message}", path.display());
                assert!(!message.contains("hunter2"), "{message}");
            }
            remove(&path);
            if before.is_some() {
                fs::rename(path.with_extension("kept"), &path).unwrap();
            }
        }
    }
}

#[test]
fn a_reload_reports_what_is_no_file_and_recovers() {
    let server = EditableServer::start(setup());
    for path in files(&server.setup) {
        let before = fs::read(&path).ok();
        for (expected, replace) in REPLACEMENTS {
            if path.ends_with("linear_h.proof.json") && expected == "No such file" {
                continue;
            }
            if before.is_some() {
                fs::rename(&path, path.with_extension("kept")).unwrap();
            }
            let _alive = replace(&path);
            let is_pending = |wanted: f64| move |found: &Scrape| found.value("certimix_config_pending") == wanted;
            server.process.signal("HUP");
            Scrape::poll_until(server.metrics, is_pending(1.0));
            let reported = if expected.is_empty() {
                "rejected; the previous"
            } else {
                expected
            };
            let lines = server.process.lines_to(reported);
            assert!(!lines.concat().contains("hunter2"), "{lines:?}");
            remove(&path);
            if before.is_some() {
                fs::rename(path.with_extension("kept"), &path).unwrap();
            }
            server.process.signal("HUP");
            Scrape::poll_until(server.metrics, is_pending(0.0));
        }
    }
}
