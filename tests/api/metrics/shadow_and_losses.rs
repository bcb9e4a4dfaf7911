//! Metrics that are read from elsewhere when somebody asks: what other alphas would have answered, and what is lost on the way to
//! those who watch.

use std::net::TcpListener;
use std::time::Instant;

use certimix::rpc::proto::{GetShadowReportRequest, GetShadowReportResponse};

use crate::support::Setup;
use crate::support::editable_server::EditableServer;
use crate::support::messages::{CLEAR_INPUT, floats, predict_request};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::process::UnreadServerProcess;
use crate::support::scrape::Scrape;
use crate::support::server::{TEST_TIMEOUT, connect};

async fn report(server: &EditableServer) -> GetShadowReportResponse {
    let request = GetShadowReportRequest {};
    let answer = server.client().await.get_shadow_report(request).await;
    answer.unwrap().into_inner()
}

fn whole(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shadow_alphas_are_exported_as_they_are_reported() {
    const INPUTS: usize = 200;
    let server =
        EditableServer::start(Setup::pair("linear_g", "linear_h").with("mixture.shadow_alphas", "[0.55, 0.9]"));
    let mut random = fastrand::Rng::with_seed(11);
    let mut client = server.client().await;
    for _ in 0..INPUTS / 10 {
        let row = |_| std::array::from_fn(|_| random.f32() * 2.0 - 1.0);
        let rows: Vec<[f32; 4]> = (0..10).map(row).collect();
        client.predict(predict_request(floats(&rows))).await.unwrap();
    }
    let judged = |found: &Scrape| found.sum("certimix_shadow_inputs_total", "alpha=\"0.9\"");
    let dropped = |found: &Scrape| found.value("certimix_shadow_dropped_total");
    let found = Scrape::poll_until(server.metrics, |found| {
        judged(found) + dropped(found) >= whole(INPUTS as u64)
    });
    let report = report(&server).await;
    assert_eq!(report.candidates.len(), 2);
    for row in &report.candidates {
        let of = |name: &str| found.value(&format!("certimix_shadow_{name}{{alpha=\"{}\"}}", row.alpha));
        for (name, expected) in [
            ("inputs_total", row.inputs),
            ("agreements_total", row.agreements),
            ("certified_total", row.certified),
            ("open_total", row.open),
            ("radius_count", row.certified),
        ] {
            assert_eq!(of(name), whole(expected), "{name} of {}", row.alpha);
        }
        assert!((of("radius_sum") - row.radius_sum).abs() < 1e-9);
        let mut so_far = 0;
        for (bound, more) in report.radius_bounds.iter().zip(&row.radii) {
            so_far += more;
            let bucket = format!(
                "certimix_shadow_radius_bucket{{alpha=\"{}\",le=\"{bound}\"}}",
                row.alpha
            );
            assert_eq!(found.value(&bucket), whole(so_far), "{bucket}");
        }
        assert!(
            row.certified > 0 && row.agreements > 0,
            "the test shows little: {row:?}"
        );
    }
    // Others are exported in their place, and begin anew; none is exported if there are none.
    server.set("mixture.shadow_alphas", "[0.8]");
    let found = server.scrape();
    let alphas = |found: &Scrape| {
        let ids = found
            .series
            .keys()
            .filter(|id| id.starts_with("certimix_shadow_inputs_total"));
        ids.cloned().collect::<Vec<_>>()
    };
    assert_eq!(alphas(&found), [r#"certimix_shadow_inputs_total{alpha="0.8"}"#]);
    assert_eq!(found.sum("certimix_shadow_inputs_total", ""), 0.0);
    server.set("mixture.shadow_alphas", "[]");
    let found = server.scrape();
    assert!(
        !found.series.keys().any(|id| id.starts_with("certimix_shadow_")),
        "{:#?}",
        found.series
    );
}

/// The receiver's port is nobody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_that_are_lost_are_counted() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", port.local_addr().unwrap());
    drop(port);
    let setup = Setup::pair("linear_g", "linear_h")
        .text("traces.endpoint", &endpoint)
        .with("traces.sample_ratio", 1.0);
    let server = EditableServer::start(setup);
    let lost = |found: &Scrape| found.value("certimix_trace_spans_lost_total");
    assert_eq!(lost(&server.scrape()), 0.0);
    server
        .client()
        .await
        .predict(predict_request(floats(&[CLEAR_INPUT])))
        .await
        .unwrap();
    // A request and its four stages.
    Scrape::poll_until(server.metrics, |found| lost(found) == 5.0);
}

/// A line for each request, and nobody who reads them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_the_log_that_are_lost_are_counted() {
    let setup = Setup::pair("linear_g", "linear_h")
        .text("log.filter", "debug")
        .text("metrics.listen", "127.0.0.1:0");
    let (_unread, ready, lines) = UnreadServerProcess::ready(&setup.write(), "certimix is ready on ");
    let after = |text: &str| {
        let (_, rest) = ready.split_once(text).unwrap();
        rest.split([',', ' ', '\n']).next().unwrap().to_owned()
    };
    let metrics = after("metrics on ").parse().unwrap();
    let lost = |found: &Scrape| found.value("certimix_log_lines_dropped_total");
    assert_eq!(lost(&Scrape::fetch(metrics)), 0.0);
    let client = connect(format!("http://{}", after("certimix is ready on "))).await;
    let mut stream = PredictStreamClient::open(client).await;
    let began = Instant::now();
    while lost(&Scrape::fetch(metrics)) == 0.0 {
        assert!(began.elapsed() < TEST_TIMEOUT, "no line is lost");
        (0..500).for_each(|_| stream.send(predict_request(floats(&[CLEAR_INPUT]))));
        for _ in 0..500 {
            stream.next_response().await;
        }
    }
    drop(lines);
}
