//! Every file that the server reads is watched, and a change of each one is seen.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::support::Setup;
use crate::support::editable_server::{APPLIED, EditableServer};
use crate::support::scrape::Scrape;
use crate::support::tls_authority::{CertificateAuthority, VALID_NOW, with_tls};

/// The paths in the lines with `text`, which the server logs at the level trace.
fn paths(lines: &[String], text: &str) -> BTreeSet<PathBuf> {
    let path = |line: &String| {
        let (_, fields) = line.split_once(text)?;
        let (_, path) = fields.split_once("path=")?;
        Some(PathBuf::from(path.split(" kind=").next()?.trim()))
    };
    lines.iter().filter_map(path).collect()
}

/// A registry instead of a list: the server logs each file that it reads through its only reader, and
/// each file that it watches. A file that is read and not watched fails this test.
#[test]
fn every_file_that_is_read_is_watched_and_its_change_is_seen() {
    let authority = CertificateAuthority::new();
    let setup = with_tls(Setup::pair("linear_g", "linear_h"), &authority.sign(VALID_NOW))
        .copied("models.standard", "linear_g")
        .copied("models.robust", "linear_h")
        .text("tls.client_ca", "clients.pem")
        .text("server.bearer_token_file", "tokens")
        .text("log.filter", "certimix::settings=trace,certimix::live=trace,info");
    setup.file("clients.pem", authority.pem.as_bytes());
    setup.file("tokens", b"0123456789abcdef\n");
    let server = EditableServer::start(setup);
    // The log begins after the settings file is read, so a reload reads it again.
    server.process.signal("HUP");
    let lines = server.process.lines_to("config unchanged");
    let (read, mut watched) = (paths(&lines, "config file read"), paths(&lines, "config file watched"));
    watched.insert(server.file.clone());
    assert_eq!(read, watched);
    let expected = 1 + 2 * 3 + 4;
    assert_eq!(read.len(), expected, "{read:?}");

    let pending = |wanted: f64| {
        Scrape::poll_until(server.metrics, |found| found.value("certimix_config_pending") == wanted);
    };
    for path in read {
        let kept = path.with_extension("kept");
        let existed = path.exists();
        if existed {
            fs::rename(&path, &kept).unwrap();
        }
        fs::write(&path, "neither TOML nor PEM").unwrap();
        pending(1.0);
        match existed {
            true => fs::rename(&kept, &path).unwrap(),
            false => fs::remove_file(&path).unwrap(),
        }
        pending(0.0);
    }
}

/// A symlink in the middle of a chain changes, of which no watched folder reports an event: as on a
/// file system without events, the poll sees it.
#[test]
fn a_change_without_an_event_is_seen_by_the_poll() {
    let setup = Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.6);
    let text = fs::read_to_string(setup.write()).unwrap();
    let folder = setup.folder().to_path_buf();
    for (name, alpha) in [("one", "0.6"), ("two", "0.7")] {
        fs::create_dir(folder.join(name)).unwrap();
        let text = text.replace("mixture.alpha = 0.6", &format!("mixture.alpha = {alpha}"));
        let text = format!("{text}metrics.listen = \"127.0.0.1:0\"\n").replacen("metrics.listen = \"\"\n", "", 1);
        fs::write(folder.join(name).join("certimix.toml"), text).unwrap();
    }
    fs::create_dir(folder.join("middle")).unwrap();
    fs::create_dir(folder.join("outer")).unwrap();
    let link = |target: &Path, path: &Path| {
        let new = path.with_extension("new");
        symlink(target, &new).unwrap();
        fs::rename(&new, path).unwrap();
    };
    let middle = folder.join("middle/link.toml");
    link(&folder.join("one/certimix.toml"), &middle);
    link(&middle, &folder.join("outer/certimix.toml"));
    let process = crate::support::process::ServerProcess::spawn(&folder.join("outer/certimix.toml"));
    let (_, metrics) = process.addresses();
    let metrics = metrics.unwrap();
    link(&folder.join("two/certimix.toml"), &middle);
    let found = Scrape::poll_until(metrics, |found| found.value("certimix_config_alpha") == 0.7);
    assert_eq!(found.value(APPLIED), 1.0);
    // The first poll comes at once. This one is the second or a later one.
    link(&folder.join("one/certimix.toml"), &middle);
    Scrape::poll_until(metrics, |found| found.value("certimix_config_alpha") == 0.6);
}

/// The folder of the settings is deleted, and created again, with everything in it.
#[test]
fn a_folder_that_is_created_again_is_followed() {
    let server = EditableServer::start(Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.6));
    let folder = server.setup.folder().to_path_buf();
    let text = fs::read_to_string(&server.file).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    Scrape::poll_until(server.metrics, |found| found.value("certimix_config_pending") == 1.0);
    for alpha in [0.7, 0.8] {
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            &server.file,
            text.replace("mixture.alpha = 0.6", &format!("mixture.alpha = {alpha}")),
        )
        .unwrap();
        Scrape::poll_until(server.metrics, |found| found.value("certimix_config_alpha") == alpha);
    }
}
