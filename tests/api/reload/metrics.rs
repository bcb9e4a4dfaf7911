//! What becomes of changes of the configuration, in the metrics of the real binary.

use std::time::Instant;

use certimix::rpc::proto::GetModelInfoRequest;

use crate::support::Setup;
use crate::support::editable_server::{APPLIED, EditableServer};
use crate::support::scrape::Scrape;
use crate::support::server::TEST_TIMEOUT;

const REJECTED: &str = r#"certimix_config_reloads_total{result="rejected"}"#;
const UNCHANGED: &str = r#"certimix_config_reloads_total{result="unchanged"}"#;
const PENDING: &str = "certimix_config_pending";

/// In force, and asked for.
const ALPHAS: [&str; 2] = ["certimix_config_alpha", "certimix_config_target_alpha"];

/// Applied, unchanged, rejected, pending.
fn counts(found: &Scrape) -> [f64; 4] {
    [APPLIED, UNCHANGED, REJECTED, PENDING].map(|series| found.value(series))
}

/// There is one at any time.
fn revision(found: &Scrape) -> String {
    let mut infos = found.series.keys().filter(|id| id.starts_with("certimix_config_info{"));
    let one = infos.next().expect("a revision").clone();
    assert_eq!(infos.next(), None);
    one
}

#[test]
fn what_becomes_of_a_change_is_counted_and_what_is_refused_is_seen() {
    let server = EditableServer::start(Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.6));
    let until = |expected: [f64; 4]| Scrape::poll_until(server.metrics, |found| counts(found) == expected);
    let first = until([0.0; 4]);
    server.write("mixture.alpha", 0.7);
    let second = until([1.0, 0.0, 0.0, 0.0]);
    assert_ne!(revision(&first), revision(&second));
    assert_eq!(ALPHAS.map(|alpha| second.value(alpha)), [0.7; 2]);

    server.write("mixture.alpha", 7);
    let refused = until([1.0, 0.0, 1.0, 1.0]);
    assert_eq!(revision(&refused), revision(&second));
    assert_eq!(ALPHAS.map(|alpha| refused.value(alpha)), [0.7; 2]);
    server.process.signal("HUP");
    until([1.0, 0.0, 2.0, 1.0]);

    server.write("mixture.alpha", 0.7);
    let mended = until([2.0, 0.0, 2.0, 0.0]);
    assert_eq!(revision(&mended), revision(&second));
    server.process.signal("HUP");
    until([2.0, 1.0, 2.0, 0.0]);
    server.process.line_with("config unchanged");
}

/// Without a ramp nothing is on its way at any moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alpha_and_what_is_asked_for_are_told_as_of_one_moment() {
    let server = EditableServer::start(Setup::pair("linear_g", "linear_h").with("mixture.alpha", 0.6));
    let mut client = server.client().await;
    for step in 1..=20 {
        let began = Instant::now();
        let asked = 0.6 + f64::from(step) / 100.0;
        server.write("mixture.alpha", asked);
        loop {
            let found = server.scrape();
            let scraped = ALPHAS.map(|alpha| found.value(alpha));
            assert_eq!(scraped[0], scraped[1]);
            let info = client
                .get_model_info(GetModelInfoRequest {})
                .await
                .unwrap()
                .into_inner();
            let told = info.provenance.unwrap().alpha;
            assert_eq!(told, info.config.unwrap().target_alpha);
            if (told, scraped[0]) == (asked, asked) {
                break;
            }
            assert!(began.elapsed() < TEST_TIMEOUT, "{told} stays");
        }
    }
}

#[test]
fn where_alpha_is_going_is_seen_before_it_arrives() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 0.5)
        .text("mixture.alpha_ramp", "3s");
    let server = EditableServer::start(setup);
    server.set("mixture.alpha", 0.9);
    let alpha = |found: &Scrape| found.value("certimix_config_alpha");
    let on_the_way = Scrape::poll_until(server.metrics, |found| alpha(found) > 0.5);
    assert!(alpha(&on_the_way) < 0.9, "{}", alpha(&on_the_way));
    assert_eq!(on_the_way.value("certimix_config_target_alpha"), 0.9);
    let arrived = Scrape::poll_until(server.metrics, |found| alpha(found) == 0.9);
    // The steps on the way are no changes of the configuration.
    assert_eq!(arrived.value(APPLIED), 1.0);
    revision(&arrived);
}
