//! An edit of a key that an environment variable overrides is reported, and not counted as applied.

use crate::support::Setup;
use crate::support::config_edit::{replace_file, with_value};
use crate::support::editable_server::APPLIED;
use crate::support::model_info_poller::ModelInfoPoller;
use crate::support::process::{self, ServerProcess};
use crate::support::scrape::Scrape;

const OVERRIDDEN: &str = r#"certimix_config_reloads_total{result="overridden"}"#;
const VARIABLE: &str = "CERTIMIX__MIXTURE__ALPHA";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_under_a_variable_is_reported_with_its_variable() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 0.6)
        .with("server.max_inputs", 8)
        .text("metrics.listen", "127.0.0.1:0");
    let file = setup.write();
    let process = ServerProcess::spawn_with(&file, &[(VARIABLE, "0.9"), ("CERTIMIX__LOG__FILTER", "info")]);
    let (address, metrics) = process.addresses();
    let metrics = metrics.unwrap();

    replace_file(&file, |text| with_value(text, "mixture.alpha", "0.7"));
    let found = Scrape::poll_until(metrics, |found| found.value(OVERRIDDEN) == 1.0);
    assert_eq!((found.value(APPLIED), found.value("certimix_config_alpha")), (0.0, 0.9));
    let line = process.line_with("the edit of a key has no effect");
    assert!(line.contains("mixture.alpha") && line.contains(VARIABLE), "{line}");

    // An edit of another key applies, and the overridden one is named again.
    replace_file(&file, |text| {
        with_value(&with_value(text, "mixture.alpha", "0.8"), "server.max_inputs", "4")
    });
    let found = Scrape::poll_until(metrics, |found| found.value(APPLIED) == 1.0);
    assert_eq!(found.value(OVERRIDDEN), 1.0);
    let lines = process.lines_to("config reloaded");
    assert!(lines.iter().any(|line| line.contains(VARIABLE)), "{lines:#?}");
    let reloaded = lines.last().unwrap();
    assert!(reloaded.contains("server.max_inputs: 8 -> 4"), "{reloaded}");

    // The command finds it before it edits the file.
    let before = std::fs::read_to_string(&file).unwrap();
    let address = address.to_string();
    let arguments = [
        "alpha",
        "set",
        "0.75",
        "--config",
        file.to_str().unwrap(),
        "--address",
        &address,
    ];
    let message = process::fails(&arguments, &[]);
    assert!(message.contains(VARIABLE), "{message}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);

    let server = ModelInfoPoller {
        process,
        address: address.parse().unwrap(),
    };
    let config = server.info().await.config.unwrap();
    // The file does not set the filter, so the variable hides nothing there.
    let overridden: Vec<_> = config
        .overridden_keys
        .iter()
        .map(|key| (&*key.key, &*key.variable))
        .collect();
    assert_eq!(overridden, [("mixture.alpha", VARIABLE)]);
    assert_eq!(config.reloads, 1);
    let info = process::run(&["info", "--address", &server.address.to_string()], &[]);
    let shown = String::from_utf8(info.stdout).unwrap();
    assert!(
        shown.contains("overridden by variables") && shown.contains(VARIABLE),
        "{shown}"
    );
}
