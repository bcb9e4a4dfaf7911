//! Environment variables set every key with the type of the key, and the config revision covers the
//! keys that decide answers.

use super::*;

/// A key, the text of its variable, the effective value, and the variables that the value needs beside
/// it.
type KeyValue = (&'static str, &'static str, &'static str, &'static [Variable]);
/// A key and the text of its variable.
type Variable = (&'static str, &'static str);

/// A value of each key that is not its default.
const VALUES: [KeyValue; 69] = [
    ("server.listen", "127.0.0.1:7", "127.0.0.1:7", &[]),
    ("server.unix_socket", "/tmp/7", "/tmp/7", &[]),
    ("server.unix_socket_mode", "0640", "0640", &[]),
    ("server.accept_before_ready", "false", "false", &[]),
    ("server.threads", "3", "3", &[]),
    ("server.max_request_time", "7s", "7s", &[]),
    ("server.max_message_bytes", "2048", "2048", &[]),
    ("server.accept_gzip", "false", "false", &[]),
    ("server.request_memory_bytes", "1_099_511_627_775", "1099511627775", &[]),
    ("server.max_inputs", "7", "7", &[]),
    ("server.stream_window", "7", "7", &[]),
    ("server.drain_delay", "7ms", "7ms", &[]),
    ("server.drain_timeout", "7s", "7s", &[]),
    ("server.max_connections", "7", "7", &[]),
    ("server.max_connections_per_peer", "7", "7", &[]),
    ("server.max_connection_age", "7m", "7m", &[]),
    ("server.max_concurrent_streams", "7", "7", &[]),
    ("server.max_header_bytes", "2048", "2048", &[]),
    ("server.handshake_timeout", "7s", "7s", &[]),
    ("server.idle_timeout", "7s", "7s", &[]),
    ("server.keepalive_interval", "7s", "7s", &[]),
    ("server.keepalive_timeout", "7s", "7s", &[]),
    ("server.max_connection_age_grace", "7s", "7s", &[]),
    ("server.bearer_token_file", "7", "7", &[]),
    ("server.allow_plaintext", "TRUE", "true", &[]),
    ("tls.certificate", "true", "true", &[("tls.key", "k")]),
    ("tls.key", "1.0", "1.0", &[("tls.certificate", "c")]),
    (
        "tls.client_ca",
        "007",
        "007",
        &[("tls.certificate", "c"), ("tls.key", "k")],
    ),
    ("models.standard", "007", "007", &[]),
    ("models.robust", "false", "false", &[]),
    ("mixture.alpha", "1", "1", &[]),
    ("mixture.fallback_alpha", "0.5", "0.5", &[]),
    ("mixture.alpha_min", "0.25", "0.25", &[]),
    ("mixture.alpha_max", "0.875", "0.875", &[]),
    ("mixture.robust_temperature", "1e-3", "0.001", &[]),
    ("mixture.alpha_ramp", "7s", "7s", &[]),
    ("mixture.shadow_alphas", "[0.5, 1]", "[0.5, 1.0]", &[]),
    (
        "mixture.shadow_candidates",
        "[{ alpha = 0.5 }, { alpha = 0.75, fallback_alpha = 0 }]",
        "[{ alpha = 0.5 }, { alpha = 0.75, fallback_alpha = 0.0 }]",
        &[],
    ),
    ("certificate.failure_probability", "1e-7", "0.0000001", &[]),
    ("certificate.min_failure_probability", "1e-9", "0.000000001", &[]),
    ("certificate.radius", "theorem2", "theorem2", &[]),
    ("certificate.bound", "clopper_pearson", "clopper_pearson", &[]),
    ("certificate.max_votes", "200000", "200000", &[]),
    ("certificate.selection_votes", "7", "7", &[]),
    ("certificate.predict_votes", "700", "700", &[]),
    ("certificate.predict_target_radius", "0.5", "0.5", &[]),
    ("certificate.certify_votes", "7", "7", &[]),
    ("certificate.interactive_votes", "7", "7", &[]),
    ("certificate.allow_inexact_runtime", "true", "true", &[]),
    ("certificate.proof_keys", "[]", "[]", &[]),
    ("runtime.library", "007", "007", &[]),
    ("runtime.provider", "cpu", "cpu", &[]),
    ("runtime.executors", "7", "7", &[]),
    ("runtime.pin_executors", "never", "never", &[]),
    ("runtime.standard_batch_size", "7", "7", &[]),
    ("runtime.robust_batch_size", "7", "7", &[]),
    ("runtime.max_batch_time", "7ms", "7ms", &[]),
    ("runtime.require_row_independence", "true", "true", &[]),
    ("scheduler.queue_rows", "7000", "7000", &[]),
    ("scheduler.max_queue_delay", "7ms", "7ms", &[]),
    (
        "scheduler.callers",
        r#"[{"name": "7", "address": "10.0.0.7", "weight": 2}]"#,
        r#"[{ name = "7", address = "10.0.0.7", weight = 2.0, max_share = 1.0 }]"#,
        &[],
    ),
    ("open_inference.enabled", "false", "false", &[]),
    ("open_inference.model_name", "007", "007", &[]),
    ("log.format", "json", "json", &[]),
    ("log.filter", "warn", "warn", &[]),
    ("metrics.listen", "127.0.0.1:7", "127.0.0.1:7", &[]),
    ("traces.endpoint", "http://127.0.0.1:7", "http://127.0.0.1:7", &[]),
    ("traces.sample_ratio", "1", "1", &[]),
    ("traces.service_name", "007", "007", &[]),
];

/// The settings with `variables`, which are named by their keys, and the minimal file.
fn with(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let named: Vec<(String, &str)> = variables
        .iter()
        .map(|(key, text)| (variable_of_key(key), *text))
        .collect();
    let variables: Vec<(&str, &str)> = named.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    read(MINIMAL, &variables)
}

#[test]
fn every_key_can_be_set_by_a_variable() {
    let mut keys: Vec<&str> = described_keys().iter().map(|key| key.name).collect();
    let mut listed: Vec<&str> = VALUES.iter().map(|(key, ..)| *key).collect();
    keys.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, keys, "list a value for each key");
    for (key, text, effective, needed) in VALUES {
        let before = with(needed).map_or_else(|_| String::new(), |settings| settings.effective[key].clone());
        assert_ne!(before, effective, "{key}: list another value than the default");
        let settings = with(&[needed, &[(key, text)]].concat()).unwrap();
        assert_eq!(settings.effective[key], effective, "{key}");
        assert!(
            matches!(&settings.origins[key], ValueOrigin::Environment { variable, .. } if *variable == variable_of_key(key)),
            "{key}"
        );
    }
}

#[test]
fn the_config_revision_covers_the_keys_that_decide_answers() {
    for (key, text, effective, needed) in VALUES {
        let scope = described_keys().iter().find(|found| found.name == key).unwrap().scope;
        let variables = [needed, &[(key, text)]].concat();
        let settings = with(&variables).unwrap();
        let found = settings.answer_values().find(|(name, _)| *name == key);
        let expected = (scope == KeyScope::Answers).then_some((key, effective));
        assert_eq!(found, expected, "{key}");
    }
    // Replicas may differ in these.
    for key in [
        "server.listen",
        "server.request_memory_bytes",
        "runtime.executors",
        "runtime.library",
        "models.robust",
        "log.filter",
        "mixture.shadow_alphas",
    ] {
        assert!(
            !with(&[]).unwrap().answer_values().any(|(name, _)| name == key),
            "{key}"
        );
    }
}

#[test]
fn a_wrong_variable_is_named_with_what_was_expected() {
    for (key, text, expected) in [
        (
            "server.max_inputs",
            "many",
            "a whole number from 1 to 65536, found a string",
        ),
        (
            "server.max_inputs",
            "1.5",
            "a whole number from 1 to 65536, found \"1.5\"",
        ),
        (
            "server.max_inputs",
            "",
            "a whole number from 1 to 65536, found a string",
        ),
        (
            "mixture.alpha",
            "true",
            "a number from 0 to 1, the weight of the robust model, found \"true\"",
        ),
        ("server.accept_gzip", "1", "true or false, found \"1\""),
        (
            "server.drain_timeout",
            "10",
            "such as \"250ms\" or \"10s\", found \"10\"",
        ),
        ("mixture.shadow_alphas", "0.6,0.9", "such as [0.6, 0.9], found a string"),
        ("mixture.shadow_alphas", "[0.6, 2]", "such as [0.6, 0.9], found a list"),
        (
            "scheduler.callers",
            "[{\"name\": \"a\"}]",
            "weight = 2 }], found a list",
        ),
        ("runtime.provider", "7", "\"auto\" or \"cpu\" or \"cuda\", found \"7\""),
    ] {
        let error = with(&[(key, text)]).unwrap_err().to_string();
        let variable = format!("(environment variable {})", variable_of_key(key));
        assert!(
            error.contains(expected) && error.contains(&variable),
            "{key}={text}: {error}"
        );
    }
}

#[test]
fn a_variable_replaces_a_list_and_an_array_of_tables() {
    let text = format!(
        "mixture.shadow_alphas = [0.9]\n[[scheduler.callers]]\nname = \"a\"\naddress = \"10.0.0.1\"\n{MINIMAL}"
    );
    assert_eq!(read(&text, &[]).unwrap().callers.len(), 1);
    let variables = [
        ("CERTIMIX__MIXTURE__SHADOW_ALPHAS", "[]"),
        ("CERTIMIX__SCHEDULER__CALLERS", "[]"),
    ];
    let settings = read(&text, &variables).unwrap();
    assert!(settings.callers.is_empty() && settings.shadow_candidates.is_empty());
    let overridden: Vec<&String> = settings.overridden.keys().collect();
    assert_eq!(overridden, ["mixture.shadow_alphas", "scheduler.callers"]);
}
