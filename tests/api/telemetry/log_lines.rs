//! Every line of a run shows values for people: no `Some(…)`, no paths of the machine that compiled the
//! binary. In normal operation there is no warning.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use crate::support::Setup;
use crate::support::process::ServerProcess;
use crate::support::server::TEST_TIMEOUT;
use crate::support::tls_authority::{CertificateAuthority, VALID_NOW, with_tls};

/// Replaces the files of a mounted ConfigMap as the kubelet does: a new folder, a symlink that is moved
/// over the old one, and no old folder any more.
fn update_mount(mount: &Path, old: &str, new: &str, change: impl FnOnce(&str) -> String) {
    let text = fs::read_to_string(mount.join("..data/certimix.toml")).unwrap();
    fs::create_dir(mount.join(new)).unwrap();
    fs::write(mount.join(new).join("certimix.toml"), change(&text)).unwrap();
    symlink(new, mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    fs::remove_dir_all(mount.join(old)).unwrap();
}

fn alpha(text: &str, value: &str) -> String {
    let line = text.lines().find(|line| line.starts_with("mixture.alpha = ")).unwrap();
    text.replace(line, &format!("mixture.alpha = {value}"))
}

#[track_caller]
fn check_line(line: &str) -> Value {
    for forbidden in ["Some(", "registry/src", ".cargo", "\"None\""] {
        assert!(!line.contains(forbidden), "\"{forbidden}\" in {line}");
    }
    let object: Value = serde_json::from_str(line).unwrap();
    let names = object.as_object().unwrap().keys();
    let place = names.into_iter().find(|name| name.starts_with("log."));
    assert!(place.is_none(), "{line}");
    object
}

#[test]
fn a_run_with_updates_of_a_config_map_writes_plain_lines() {
    let authority = CertificateAuthority::new();
    let setup = with_tls(Setup::pair("linear_g", "linear_h"), &authority.sign(VALID_NOW))
        .copied("models.standard", "linear_g")
        .copied("models.robust", "linear_h")
        .with("mixture.alpha", 0.6)
        .text("log.format", "json")
        .text("log.filter", "certimix=debug,info");
    // The settings are alone in the mount, so their paths are absolute.
    let text = fs::read_to_string(setup.write()).unwrap();
    let folder = setup.folder().to_str().unwrap();
    let text: String = text
        .lines()
        .map(|line| match line.split_once(" = \"") {
            Some((key, file))
                if setup.folder().join(file.trim_end_matches('"')).is_file() && !file.starts_with('/') =>
            {
                format!("{key} = \"{folder}/{file}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let mount = setup.folder().join("mount");
    fs::create_dir_all(mount.join("..1")).unwrap();
    fs::write(mount.join("..1/certimix.toml"), text).unwrap();
    symlink("..1", mount.join("..data")).unwrap();
    symlink("..data/certimix.toml", mount.join("certimix.toml")).unwrap();

    let mut server = ServerProcess::spawn(&mount.join("certimix.toml"));
    let mut lines = server.lines_to("\"ready\"");
    let ready = check_line(lines.last().unwrap());
    let address = ready["address"].as_str().unwrap().to_owned();
    for number in 2..6 {
        let (old, new) = (format!("..{}", number - 1), format!("..{number}"));
        update_mount(&mount, &old, &new, |text| alpha(text, &format!("0.6{number}")));
        lines.extend(server.lines_to("config reloaded"));
    }
    for line in &lines {
        let object = check_line(line);
        let level = object["level"].as_str().unwrap();
        // The fixture has no record of a proof, which is worth a warning.
        let is_claim = line.contains("radii rest on a claim");
        assert!(["DEBUG", "INFO"].contains(&level) || is_claim, "{line}");
    }

    // Faults of the operator and of peers are logged plainly too.
    update_mount(&mount, "..5", "..6", |text| alpha(text, "2"));
    check_line(&server.line_with("config change rejected"));
    let mut plaintext = TcpStream::connect(&address).unwrap();
    plaintext.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    plaintext.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let failed = check_line(&server.line_with("TLS handshake failed"));
    let peer = failed["peer"].as_str().unwrap().to_owned();
    assert_eq!(peer, plaintext.local_addr().unwrap().to_string());
    // The server closes the connection.
    let _ = plaintext.read_to_end(&mut Vec::new());
    server.signal("TERM");
    assert!(server.wait().success());
    for line in server.rest() {
        check_line(&line);
    }
}
