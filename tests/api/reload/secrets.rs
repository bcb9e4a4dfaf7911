//! A secret in the wrong place is shown nowhere: not in the log, not by GetModelInfo, not in the
//! metrics, and not by `check-config`.

use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::process::{Command, Stdio};

use certimix::rpc::proto::GetModelInfoRequest;

use crate::support::Setup;
use crate::support::editable_server::EditableServer;
use crate::support::process::{fails, run};
use crate::support::scrape::{Scrape, http_get};

const CANARY: &str = "hunter2";

/// What the file `name` becomes, where the canary is planted.
type Planted = (&'static str, fn(&str) -> String);

const PLANTED: [Planted; 26] = [
    ("certimix.toml", |text| format!("{text}server.password = \"hunter2\"\n")),
    ("certimix.toml", |text| {
        format!("{text}[database]\npassword = \"hunter2\"\n")
    }),
    ("certimix.toml", |text| {
        format!("{text}server.bearer_tokens = [\"hunter2\"]\n")
    }),
    ("certimix.toml", |text| format!("{text}password hunter2\n")),
    ("certimix.toml", |text| format!("{text}password = hunter2\n")),
    ("certimix.toml", |text| format!("{text}password = \"hunter2\n")),
    ("certimix.toml", |text| format!("{text}mixture.alpha = \"hunter2\"\n")),
    ("certimix.toml", |text| {
        format!("{text}mixture.shadow_alphas = [\"hunter2\"]\n")
    }),
    ("certimix.toml", |text| {
        format!("{text}certificate.proof_keys = [\"hunter2\"]\n")
    }),
    ("certimix.toml", |text| {
        format!("{text}traces.endpoint = \"http://user:hunter2@collector:4317\"\n")
    }),
    ("certimix.toml", |text| text.replace("\"tokens\"", "[\"hunter2\"]")),
    ("certimix.toml", |text| {
        text.replace("\"tokens\"", "{ secret = \"hunter2\" }")
    }),
    // The token in place of the name of its file.
    ("certimix.toml", |text| {
        text.replace("\"tokens\"", "\"hunter2hunter2hunter2\"")
    }),
    ("certimix.toml", |text| {
        format!("{text}tls.certificate = \"c.pem\"\ntls.key = \"-----BEGIN hunter2\"\n")
    }),
    ("tokens", |_| "hunter2\n".to_owned()),
    ("tokens", |_| "token: hunter2hunter2hunter2\n".to_owned()),
    ("c.pem", |_| "-----BEGIN hunter2\nhunter2\n".to_owned()),
    ("c.pem", |_| {
        "-----BEGIN CERTIFICATE-----\nhunter2!\n-----END hunter2-----\n".to_owned()
    }),
    ("c.key", |_| "-----BEGIN hunter2\nhunter2\n".to_owned()),
    ("linear_h.toml", |text| format!("{text}\npassword = \"hunter2\"\n")),
    ("linear_h.toml", |text| format!("{text}\npassword hunter2\n")),
    ("linear_h.toml", |text| {
        text.replace("manifest_version = 1", "manifest_version = \"hunter2\"")
    }),
    ("linear_h.toml", |text| {
        text.replace("sha256 = \"", "sha256 = \"hunter2")
    }),
    ("linear_h.toml", |text| {
        text.replace("kind = \"logits\"", "kind = \"hunter2\"")
    }),
    ("linear_h.proof.json", |_| "{\"statement\": [\"hunter2\"]}".to_owned()),
    ("linear_h.proof.json", |_| "hunter2".to_owned()),
];

/// Settings with every file in which the canary is planted. TLS is on while `tls` holds.
fn setup(tls: bool) -> Setup {
    let setup = Setup::pair("linear_g", "linear_h")
        .copied("models.robust", "linear_h")
        .text("server.bearer_token_file", "tokens");
    setup.file("tokens", b"0123456789abcdef\n");
    if !tls {
        return setup;
    }
    let authority = crate::support::tls_authority::CertificateAuthority::new();
    authority
        .sign(crate::support::tls_authority::VALID_NOW)
        .write(&setup, "c");
    setup.text("tls.certificate", "c.pem").text("tls.key", "c.key")
}

fn without_canary(text: &str, place: &str, file: &str) {
    assert!(!text.contains(CANARY), "{place} shows {file}: {text}");
}

#[test]
fn a_start_and_a_check_show_no_secret() {
    for (name, plant) in PLANTED {
        let setup = setup(name.starts_with("c."));
        let settings = setup.write();
        let path = setup.folder().join(name);
        let planted = plant(&fs::read_to_string(&path).unwrap_or_default());
        assert!(planted.contains(CANARY), "{name}");
        fs::write(&path, &planted).unwrap();
        let file = settings.to_str().unwrap();
        without_canary(&fails(&["serve", file], &[]), "serve", &planted);
        without_canary(&fails(&["check-config", file], &[]), "check-config", &planted);
        let json = run(&["check-config", "--json", file], &[]).stdout;
        let shown: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(shown["valid"], false, "{planted}");
        without_canary(&shown["violations"].to_string(), "check-config --json", &planted);
    }
}

#[test]
fn a_variable_shows_no_secret() {
    let setup = setup(false).text("traces.endpoint", "http://127.0.0.1:1");
    let settings = setup.write();
    let file = settings.to_str().unwrap();
    for (name, value) in [
        ("CERTIMIX__SERVER__PASSWORD", CANARY),
        ("CERTIMIX__SERVER", CANARY),
        ("CERTIMIX__MIXTURE__ALPHA", CANARY),
        ("CERTIMIX__TRACES__ENDPOINT", "http://user:hunter2@collector:4317"),
        ("CERTIMIX__SERVER__BEARER_TOKEN_FILE", "hunter2hunter2hunter2"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", CANARY),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", CANARY),
    ] {
        for command in ["serve", "check-config"] {
            // A variable of OpenTelemetry may be ignored; then the server would run.
            let is_ignored = command == "serve" && name.starts_with("OTEL");
            if is_ignored {
                continue;
            }
            let output = run(&[command, file], &[(name, value)]);
            let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            without_canary(&text, command, name);
        }
    }
    // The standard library panics at a variable that is not UTF-8, and shows it.
    let value = std::ffi::OsString::from_vec(b"hunter2\xff".to_vec());
    let output = Command::new(env!("CARGO_BIN_EXE_certimix"))
        .args(["check-config", file])
        .env("CERTIMIX__MIXTURE__ALPHA", &value)
        .env("UNRELATED", &value)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("mixture.alpha"), "{text}");
    without_canary(&text, "check-config", "a variable that is not UTF-8");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_shows_no_secret() {
    let server = EditableServer::start(setup(false).text("log.filter", "certimix=trace,info"));
    let mut client = server.client().await;
    let mut logged = String::new();
    for (name, plant) in PLANTED {
        // TLS is off, so a certificate is not read.
        if name.starts_with("c.") {
            continue;
        }
        let path = server.setup.folder().join(name);
        let before = fs::read_to_string(&path).ok();
        let planted = plant(before.as_deref().unwrap_or_default());
        let new = path.with_extension("new");
        fs::write(&new, &planted).unwrap();
        fs::rename(&new, &path).unwrap();
        let is_pending = |wanted: f64| move |found: &Scrape| found.value("certimix_config_pending") == wanted;
        Scrape::poll_until(server.metrics, is_pending(1.0));
        let mut request = tonic::Request::new(GetModelInfoRequest {});
        request
            .metadata_mut()
            .insert("authorization", "Bearer 0123456789abcdef".parse().unwrap());
        let info = client.get_model_info(request).await.unwrap();
        without_canary(&format!("{info:?}"), "GetModelInfo", &planted);
        without_canary(&http_get(server.metrics, "/metrics").2, "/metrics", &planted);
        match before {
            Some(text) => {
                fs::write(&new, text).unwrap();
                fs::rename(&new, &path).unwrap();
            }
            None => fs::remove_file(&path).unwrap(),
        }
        Scrape::poll_until(server.metrics, is_pending(0.0));
        logged.push_str(&server.process.lines_to("rejected; the previous").concat());
    }
    // The value of a secret key is not shown in a change that is applied, either.
    server.setup.file("other", b"0123456789abcdef\n");
    server.set_text("server.bearer_token_file", "other");
    let line = server.process.line_with("server.bearer_token_file: changed");
    assert!(line.contains("config reloaded"), "{line}");
    without_canary(&logged, "the log", "some file");
}
