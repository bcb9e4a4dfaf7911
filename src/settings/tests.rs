mod callers;
mod mixture;
mod variables;

use std::path::PathBuf;

use super::*;
use crate::domain::BoundKind;

const MINIMAL: &str = "[models]\nstandard = \"g.toml\"\nrobust = \"h.toml\"\n[runtime]\nlibrary = \"/lib/ort.so\"\n";

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
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

fn violated_keys(text: &str) -> Vec<String> {
    match read(text, &[]) {
        Err(SettingsError::Invalid { violations, .. }) => violations.0.into_iter().map(|found| found.field).collect(),
        other => panic!("expected violations, found {other:?}"),
    }
}

#[test]
fn absent_keys_have_defaults() {
    let settings = read(MINIMAL, &[]).unwrap();
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:50051");
    assert_eq!(settings.mixture.weights.alpha().get(), 0.76);
    assert_eq!(settings.certificate.bound, BoundKind::Anytime);
    assert!(settings.models.robust.ends_with("h.toml"));
    assert_eq!(settings.runtime.library, PathBuf::from("/lib/ort.so"));
    assert_eq!(settings.effective["certificate.max_votes"], "100000");
}

#[test]
fn every_violation_has_its_key() {
    let text = format!(
        "{MINIMAL}provider = \"gpu\"\n[mixture]\nalpha = 1.5\nalhpa = 0.7\n[server]\nmax_inputs = -3\nlisten = 50051\n\
         drain_timeout = \"soon\"\n[certificate]\npredict_votes = 200000\nallow_inexact_runtime = 1\n[colour]\nred = 1\n"
    );
    let mut keys = violated_keys(&text);
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
fn a_violation_has_the_value_and_a_suggestion() {
    let error = read(&format!("{MINIMAL}[mixture]\nalhpa = 0.7\nalpha = true\n"), &[])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("mixture.alhpa: unknown key (line 7); did you mean mixture.alpha?"),
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
        violated_keys("[mixture]\nalpha = 0.7\n"),
        ["models.standard", "models.robust", "runtime.library"]
    );
}

#[test]
fn nan_is_not_an_alpha() {
    assert_eq!(
        violated_keys(&format!("{MINIMAL}[mixture]\nalpha = nan\n")),
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
    assert_eq!(settings.mixture.weights.alpha().get(), 0.9);
    assert_eq!(settings.server.max_inputs, 8);
}

#[test]
fn a_variable_with_an_unknown_key_is_a_violation() {
    let variables = [("CERTIMIX__MIXTURE__ALFA", "0.9")];
    let error = read(MINIMAL, &variables).unwrap_err().to_string();
    assert!(error.contains("mixture.alfa: unknown key"), "{error}");
}

#[test]
fn a_file_that_is_not_toml_is_unreadable() {
    let error = read("[models\n", &[]).unwrap_err();
    assert!(matches!(error, SettingsError::Unreadable { .. }));
    assert!(matches!(
        load(&PathBuf::from("/nowhere/certimix.toml"), []),
        Err(SettingsError::Unreadable { .. })
    ));
}

#[test]
fn interactive_votes_default_to_predict_votes() {
    let text = format!("{MINIMAL}[certificate]\npredict_votes = 70\n");
    assert_eq!(read(&text, &[]).unwrap().certificate.interactive_votes, 70);
    let text = format!("{MINIMAL}[certificate]\ninteractive_votes = 0\n");
    assert_eq!(read(&text, &[]).unwrap().certificate.interactive_votes, 0);
    let text = format!("{MINIMAL}[certificate]\ninteractive_votes = 200000\n");
    assert_eq!(violated_keys(&text), ["certificate.interactive_votes"]);
}

#[test]
fn a_socket_path_starts_from_the_settings_file() {
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
fn ambiguous_sockets_and_modes_are_rejected() {
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
        let message = with(line);
        assert!(
            message.contains("server.unix_socket") && message.contains("expected"),
            "{line}: {message}"
        );
    }
    let mode = [("CERTIMIX__SERVER__UNIX_SOCKET_MODE", "0660")];
    assert_eq!(read(MINIMAL, &mode).unwrap().server.unix_socket_mode, 0o660);
}

#[test]
fn a_renamed_key_names_its_replacement() {
    for (old, replacement) in [
        ("max_batch_size", "runtime.robust_batch_size"),
        ("robust_sessions", "runtime.executors"),
    ] {
        let message = read(&format!("{MINIMAL}{old} = 4\n"), &[]).unwrap_err().to_string();
        assert!(message.contains(replacement), "{message}");
    }
}

#[test]
fn every_key_is_described_once() {
    let keys = described_keys();
    let mut names: Vec<&str> = keys.iter().map(|key| key.name).collect();
    assert!(keys.iter().all(|key| !key.help.is_empty()), "{keys:?}");
    let settings = read(MINIMAL, &[]).unwrap();
    let effective: Vec<&str> = settings.effective.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, effective);
}

#[test]
fn documented_defaults_are_effective_defaults() {
    let settings = read(MINIMAL, &[]).unwrap();
    for key in described_keys() {
        let constant = key
            .default
            .filter(|default| default.matches('`').count() == 2 && default.starts_with('`'));
        let Some(default) = constant.map(|default| default.trim_matches('`').to_owned()) else {
            continue;
        };
        let effective = &settings.effective[key.name];
        let same_number = default
            .parse::<f64>()
            .ok()
            .is_some_and(|number| effective.parse() == Ok(number));
        let is_reference = settings.effective.get(&default) == Some(effective);
        let same_text = default.trim_matches('"') == effective;
        assert!(
            same_number || same_text || is_reference,
            "{}: {default} is not {effective}",
            key.name
        );
    }
}

#[test]
fn every_count_has_a_unit() {
    for key in described_keys() {
        assert_eq!(
            key.value_type == "integer",
            key.unit.is_some() && key.value_type != "float",
            "{}",
            key.name
        );
    }
}

#[test]
fn a_violation_names_the_line_or_the_variable() {
    let text = format!("{MINIMAL}[mixture]\nalpha = 2\nalhpa = 1\n");
    let error = read(&text, &[("CERTIMIX__SERVER__MAX_INPUTS", "0")])
        .unwrap_err()
        .to_string();
    for expected in [
        "found 2 (line 7)",
        "unknown key (line 8)",
        "found 0 (environment variable CERTIMIX__SERVER__MAX_INPUTS)",
    ] {
        assert!(error.contains(expected), "{expected} is not in {error}");
    }
}

#[test]
fn settings_with_violations_keep_the_other_values() {
    let source = SettingsSource::new(&PathBuf::from("certimix.toml"), []);
    let text = format!("{MINIMAL}[mixture]\nalpha = 2\nrobust_temperature = 3.0\nalhpa = 1\n");
    let read = source.read_values(&text).unwrap();
    assert_eq!(read.violations.0.len(), 2);
    let settings = read.settings.unwrap();
    assert_eq!(settings.mixture.robust_temperature.get(), 3.0);
    assert_eq!(
        settings.origins["mixture.robust_temperature"],
        ValueOrigin::File { line: 8 }
    );
    assert_eq!(settings.origins["mixture.alpha"], ValueOrigin::File { line: 7 });
    assert_eq!(settings.origins["mixture.alhpa"], ValueOrigin::File { line: 9 });
    assert_eq!(settings.origins["log.filter"], ValueOrigin::Default);
}
