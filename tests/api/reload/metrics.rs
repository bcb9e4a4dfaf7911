//! The metrics of the real binary report the result of each configuration change.

use std::time::Instant;

use certimix::rpc::proto::GetModelInfoRequest;

use crate::support::Setup;
use crate::support::editable_server::{APPLIED, EditableServer};
use crate::support::scrape::Scrape;
use crate::support::server::TEST_TIMEOUT;

const REJECTED: &str = r#"certimix_config_reloads_total{result="rejected"}"#;
const UNCHANGED: &str = r#"certimix_config_reloads_total{result="unchanged"}"#;
const PENDING: &str = "certimix_config_pending";

/// The series of the alpha in force and of its target.
const ALPHAS: [&str; 2] = ["certimix_config_alpha", "certimix_config_target_alpha"];

/// Returns the values of the applied, unchanged, rejected and pending series.
fn counts(found: &Scrape) -> [f64; 4] {
    [APPLIED, UNCHANGED, REJECTED, PENDING].map(|series| found.value(series))
}

/// Returns the series of the revision. There is exactly one at any time.
fn revision(found: &Scrape) -> String {
    let mut infos = found.series.keys().filter(|id| id.starts_with("certimix_config_info{"));
    let one = infos.next().expect("a revision").clone();
    assert_eq!(infos.next(), None);
    one
}

#[test]
fn each_change_is_counted_by_its_result_and_a_rejected_one_is_pending() {
    let server = EditableServer::start(Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.6));
    let poll_counts = |expected: [f64; 4]| Scrape::poll_until(server.metrics, |found| counts(found) == expected);
    let first = poll_counts([0.0; 4]);
    server.write("mixture.alpha", 0.7);
    let second = poll_counts([1.0, 0.0, 0.0, 0.0]);
    assert_ne!(revision(&first), revision(&second));
    assert_eq!(ALPHAS.map(|alpha| second.value(alpha)), [0.7; 2]);

    server.write("mixture.alpha", 7);
    let refused = poll_counts([1.0, 0.0, 1.0, 1.0]);
    assert_eq!(revision(&refused), revision(&second));
    assert_eq!(ALPHAS.map(|alpha| refused.value(alpha)), [0.7; 2]);
    server.process.signal("HUP");
    poll_counts([1.0, 0.0, 2.0, 1.0]);

    server.write("mixture.alpha", 0.7);
    let corrected = poll_counts([2.0, 0.0, 2.0, 0.0]);
    assert_eq!(revision(&corrected), revision(&second));
    server.process.signal("HUP");
    poll_counts([2.0, 1.0, 2.0, 0.0]);
    server.process.line_with("config unchanged");
}

/// Without a ramp the alpha always equals its target.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alpha_and_its_target_are_reported_as_of_one_moment() {
    let server = EditableServer::start(Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.6));
    let mut client = server.client().await;
    for step in 1..=20 {
        let began = Instant::now();
        let target = 0.6 + f64::from(step) / 100.0;
        server.write("mixture.alpha", target);
        loop {
            let found = server.scrape();
            let scraped = ALPHAS.map(|alpha| found.value(alpha));
            assert_eq!(scraped[0], scraped[1]);
            let info = client
                .get_model_info(GetModelInfoRequest {})
                .await
                .unwrap()
                .into_inner();
            let reported = info.provenance.unwrap().alpha;
            assert_eq!(reported, info.config.unwrap().target_alpha);
            if (reported, scraped[0]) == (target, target) {
                break;
            }
            assert!(began.elapsed() < TEST_TIMEOUT, "alpha stays {reported}");
        }
    }
}

#[test]
fn the_target_of_a_ramp_is_exported_before_its_end() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 0.5)
        .text("mixture.alpha_ramp", "3s");
    let server = EditableServer::start(setup);
    server.set("mixture.alpha", 0.9);
    let alpha = |found: &Scrape| found.value("certimix_config_alpha");
    let ramping = Scrape::poll_until(server.metrics, |found| alpha(found) > 0.5);
    assert!(alpha(&ramping) < 0.9, "{}", alpha(&ramping));
    assert_eq!(ramping.value("certimix_config_target_alpha"), 0.9);
    // Where the settings do not name it, fallback_alpha follows alpha.
    assert_eq!(ramping.value("certimix_config_fallback_alpha"), alpha(&ramping));
    assert_eq!(ramping.value("certimix_config_target_fallback_alpha"), 0.9);
    let arrived = Scrape::poll_until(server.metrics, |found| alpha(found) == 0.9);
    // The steps of the ramp are not counted as configuration changes.
    assert_eq!(arrived.value(APPLIED), 1.0);
    revision(&arrived);
}
