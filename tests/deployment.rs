//! The files under `deploy/` agree with the server. `make check-deploy` checks them with the real tools.
//!
//! `UPDATE_DEPLOY=1 cargo test --test deployment` writes the generated manifest again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The time after the drain in which the server sends its last spans and log lines.
const AFTER_DRAIN_SECONDS: u32 = 5;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn pod_settings() -> toml::Table {
    text("deploy/kubernetes/settings/certimix.toml").parse().unwrap()
}

/// The value of the only line of `text` that starts with `key`, after white space.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let mut values = text.lines().filter_map(|line| line.trim_start().strip_prefix(key));
    let value = values.next().unwrap_or_else(|| panic!("no line starts with {key}"));
    assert_eq!(values.next(), None, "{key}");
    value.trim()
}

fn seconds(value: &str) -> u32 {
    value
        .strip_suffix('s')
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{value} is no number of seconds"))
}

/// The PrometheusRule that holds the groups of `alerts`.
fn prometheus_rule(alerts: &str) -> String {
    let groups = &alerts[alerts.find("groups:").unwrap()..];
    let indented = groups.lines().map(|line| match line {
        "" => "\n".to_owned(),
        line => format!("  {line}\n"),
    });
    let header = "\
# Generated from deploy/prometheus/alerts.yml, the one source of the rules: UPDATE_DEPLOY=1 cargo test --test deployment
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: certimix
spec:
";
    std::iter::once(header.to_owned()).chain(indented).collect()
}

#[test]
fn the_prometheus_rule_holds_the_alerts() {
    let path = "deploy/kubernetes/components/monitoring/prometheus-rule.yaml";
    let rendered = prometheus_rule(&text("deploy/prometheus/alerts.yml"));
    if std::env::var_os("UPDATE_DEPLOY").is_some() {
        fs::write(repository(path), rendered).unwrap();
        return;
    }
    assert!(
        text(path) == rendered,
        "{path} is out of date: run `UPDATE_DEPLOY=1 cargo test --test deployment`"
    );
}

#[test]
fn the_server_accepts_the_settings_of_the_pods() {
    let settings = repository("deploy/kubernetes/settings/certimix.toml");
    let output = Command::new(env!("CARGO_BIN_EXE_certimix"))
        .args(["check-config", "--offline", "--json"])
        .arg(settings)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_grace_periods_cover_the_drain() {
    let server = &pod_settings()["server"];
    let drain = |key: &str| seconds(server[key].as_str().unwrap());
    let pod = drain("drain_delay") + drain("drain_timeout") + AFTER_DRAIN_SECONDS;
    for path in [
        "deploy/kubernetes/base/deployment.yaml",
        "deploy/kubernetes/overlays/kserve/inference-service.yaml",
    ] {
        assert_eq!(
            value(&text(path), "terminationGracePeriodSeconds:"),
            pod.to_string(),
            "{path}"
        );
    }
    // The unit serves with the default drain, which the reference states.
    let reference = text("docs/reference/settings.md");
    let default = |key: &str| {
        let row = value(&reference, &format!("| `server.{key}` |"));
        seconds(row.split('|').nth(2).unwrap().trim().trim_matches(['`', '"']))
    };
    let unit = default("drain_delay") + default("drain_timeout") + AFTER_DRAIN_SECONDS;
    assert_eq!(
        value(&text("deploy/systemd/certimix.service"), "TimeoutStopSec="),
        unit.to_string()
    );
}

#[test]
fn the_ports_of_the_pods_are_those_of_their_settings() {
    let settings = pod_settings();
    let port = |table: &str| {
        let listen = settings[table]["listen"].as_str().unwrap();
        listen.strip_prefix("0.0.0.0:").unwrap().to_owned()
    };
    let deployment = text("deploy/kubernetes/base/deployment.yaml");
    let runtime = text("deploy/kubernetes/overlays/kserve/serving-runtime.yaml");
    for (manifest, name, table) in [
        (&deployment, "grpc", "server"),
        (&deployment, "metrics", "metrics"),
        (&runtime, "h2c", "server"),
        (&runtime, "metrics", "metrics"),
    ] {
        let entry = value(manifest, &format!("- {{name: {name}, containerPort:"));
        assert_eq!(entry.split([',', '}']).next().unwrap().trim(), port(table), "{name}");
    }
}
