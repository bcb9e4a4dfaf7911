use std::path::PathBuf;

use super::*;
use crate::domain::BoundKind;

const MINIMAL: &str = "[models]\nstandard = \"g.toml\"\nrobust = \"h.toml\"\n[runtime]\nlibrary = \"/lib/ort.so\"\n";

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Settings, LoadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("certimix.toml");
    std::fs::write(&path, text).unwrap();
    load(
        &path,
        variables
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
    )
}

fn wrong_keys(text: &str) -> Vec<String> {
    match read(text, &[]) {
        Err(LoadError::Invalid { violations, .. }) => violations.0.into_iter().map(|found| found.field).collect(),
        other => panic!("expected violations, found {other:?}"),
    }
}

#[test]
fn defaults_fill_what_is_not_said() {
    let settings = read(MINIMAL, &[]).unwrap();
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:50051");
    assert_eq!(settings.mixture.alpha.get(), 0.76);
    assert_eq!(settings.certificate.bound, BoundKind::Anytime);
    assert!(settings.models.robust.ends_with("h.toml"));
    assert_eq!(settings.runtime.library, PathBuf::from("/lib/ort.so"));
    assert_eq!(settings.effective["certificate.max_votes"], "100000");
}

#[test]
fn every_violation_is_told_with_its_key() {
    let text = format!(
        "{MINIMAL}provider = \"gpu\"\n[mixture]\nalpha = 1.5\nalhpa = 0.7\n[server]\nmax_inputs = -3\nlisten = 50051\n\
         drain_timeout = \"soon\"\n[certificate]\npredict_votes = 200000\nallow_inexact_runtime = 1\n[colour]\nred = 1\n"
    );
    let mut keys = wrong_keys(&text);
    keys.sort();
    let expected = [
        "certificate.allow_inexact_runtime",
        "certificate.predict_votes",
        "colour.red",
        "mixture.alhpa",
        "mixture.alpha",
        "runtime.provider",
        "server.drain_timeout",
        "server.listen",
        "server.max_inputs",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn a_violation_says_what_was_found_and_what_was_meant() {
    let error = read(&format!("{MINIMAL}[mixture]\nalhpa = 0.7\nalpha = true\n"), &[])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("mixture.alhpa: unknown key; did you mean mixture.alpha?"),
        "{error}"
    );
    assert!(
        error.contains("mixture.alpha: expected a number from 0 to 1, the weight of the robust model, found true"),
        "{error}"
    );
}

#[test]
fn required_keys_are_required() {
    assert_eq!(
        wrong_keys("[mixture]\nalpha = 0.7\n"),
        ["models.standard", "models.robust", "runtime.library"]
    );
}

#[test]
fn nan_is_no_alpha() {
    assert_eq!(
        wrong_keys(&format!("{MINIMAL}[mixture]\nalpha = nan\n")),
        ["mixture.alpha"]
    );
}

#[test]
fn the_environment_overrides_the_file() {
    let text = format!("{MINIMAL}[mixture]\nalpha = 0.7\n");
    let variables = [
        ("CERTIMIX__MIXTURE__ALPHA", "0.9"),
        ("CERTIMIX__SERVER__MAX_INPUTS", "8"),
        ("CERTIMIX_CONFIG", "x"),
        ("HOME", "/"),
    ];
    let settings = read(&text, &variables).unwrap();
    assert_eq!(settings.mixture.alpha.get(), 0.9);
    assert_eq!(settings.server.max_inputs, 8);
}

#[test]
fn a_wrong_variable_is_told_like_a_wrong_key() {
    let variables = [("CERTIMIX__MIXTURE__ALFA", "0.9")];
    let error = read(MINIMAL, &variables).unwrap_err().to_string();
    assert!(error.contains("mixture.alfa: unknown key"), "{error}");
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    let error = read("[models\n", &[]).unwrap_err();
    assert!(matches!(error, LoadError::Unreadable { .. }));
    assert!(matches!(
        load(&PathBuf::from("/nowhere/certimix.toml"), []),
        Err(LoadError::Unreadable { .. })
    ));
}

#[test]
fn interactive_votes_are_those_of_predict_unless_said_otherwise() {
    let text = format!("{MINIMAL}[certificate]\npredict_votes = 70\n");
    assert_eq!(read(&text, &[]).unwrap().certificate.interactive_votes, 70);
    let text = format!("{MINIMAL}[certificate]\ninteractive_votes = 0\n");
    assert_eq!(read(&text, &[]).unwrap().certificate.interactive_votes, 0);
    let text = format!("{MINIMAL}[certificate]\ninteractive_votes = 200000\n");
    assert_eq!(wrong_keys(&text), ["certificate.interactive_votes"]);
}

#[test]
fn a_socket_is_named_from_the_settings_file_or_not_at_all() {
    assert_eq!(read(MINIMAL, &[]).unwrap().server.unix_socket, None);
    let text = format!("{MINIMAL}[server]\nunix_socket = \"c.sock\"\nunix_socket_mode = \"0640\"\n");
    let server = read(&text, &[]).unwrap().server;
    let path = server.unix_socket.unwrap();
    assert!(path.is_absolute() && path.ends_with("c.sock"), "{}", path.display());
    assert_eq!(server.unix_socket_mode, 0o640);
    assert_eq!(
        read(&text, &[("CERTIMIX__SERVER__UNIX_SOCKET", "")])
            .unwrap()
            .server
            .unix_socket,
        None
    );
}

#[test]
fn sockets_and_modes_that_are_easily_mistaken_are_refused() {
    let with = |line: &str| {
        read(&format!("{MINIMAL}[server]\n{line}\n"), &[])
            .unwrap_err()
            .to_string()
    };
    for line in [
        "unix_socket = \"unix:/tmp/certimix.sock\"",
        &format!("unix_socket = \"/{}\"", "x".repeat(107)),
        "unix_socket_mode = 0o660",
        "unix_socket_mode = 660",
    ] {
        let told = with(line);
        assert!(
            told.contains("server.unix_socket") && told.contains("expected"),
            "{line}: {told}"
        );
    }
    let mode = [("CERTIMIX__SERVER__UNIX_SOCKET_MODE", "0660")];
    assert_eq!(read(MINIMAL, &mode).unwrap().server.unix_socket_mode, 0o660);
}

#[test]
fn keys_of_the_first_version_name_their_successors() {
    for (old, now) in [
        ("max_batch_size", "runtime.robust_batch_size"),
        ("robust_sessions", "runtime.executors"),
    ] {
        let told = read(&format!("{MINIMAL}{old} = 4\n"), &[]).unwrap_err().to_string();
        assert!(told.contains(now), "{told}");
    }
}
