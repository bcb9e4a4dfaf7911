//! The exported metrics of shadow candidates match the shadow report.

use certimix::rpc::proto::{GetShadowReportRequest, GetShadowReportResponse};

use crate::support::Setup;
use crate::support::editable_server::EditableServer;
use crate::support::messages::{floats, predict_request};
use crate::support::scrape::Scrape;

async fn report(server: &EditableServer) -> GetShadowReportResponse {
    let request = GetShadowReportRequest {};
    let response = server.client().await.get_shadow_report(request).await;
    response.unwrap().into_inner()
}

fn as_f64(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exported_shadow_metrics_match_the_report() {
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
    let evaluated = |found: &Scrape| found.sum("certimix_shadow_inputs_total", "alpha=\"0.9\"");
    let dropped = |found: &Scrape| found.value("certimix_shadow_dropped_total");
    let found = Scrape::poll_until(server.metrics, |found| {
        evaluated(found) + dropped(found) >= as_f64(INPUTS as u64)
    });
    let report = report(&server).await;
    assert_eq!(report.candidates.len(), 2);
    for row in &report.candidates {
        let alpha = row.alpha;
        let mixture = format!("alpha=\"{alpha}\",fallback_alpha=\"{alpha}\",robust_temperature=\"1\"");
        let of = |name: &str| found.value(&format!("certimix_shadow_{name}{{{mixture}}}"));
        for (name, expected) in [
            ("inputs_total", row.inputs),
            ("agreements_total", row.agreements),
            ("certified_total", row.certified),
            ("open_total", row.open),
            ("radius_count", row.certified),
        ] {
            assert_eq!(of(name), as_f64(expected), "{name} of {}", row.alpha);
        }
        assert!((of("radius_sum") - row.radius_sum).abs() < 1e-9);
        let mut cumulative = 0;
        for (bound, more) in report.radius_bounds.iter().zip(&row.radii) {
            cumulative += more;
            let bucket = format!("certimix_shadow_radius_bucket{{{mixture},le=\"{bound}\"}}");
            assert_eq!(found.value(&bucket), as_f64(cumulative), "{bucket}");
        }
        assert!(row.certified > 0 && row.agreements > 0, "this tests little: {row:?}");
    }
    // New candidates replace the old ones and start from zero. Without candidates there is no
    // series.
    server.set("mixture.shadow_alphas", "[0.8]");
    let found = server.scrape();
    let alphas = |found: &Scrape| {
        let ids = found
            .series
            .keys()
            .filter(|id| id.starts_with("certimix_shadow_inputs_total"));
        ids.cloned().collect::<Vec<_>>()
    };
    assert_eq!(
        alphas(&found),
        [r#"certimix_shadow_inputs_total{alpha="0.8",fallback_alpha="0.8",robust_temperature="1"}"#]
    );
    assert_eq!(found.sum("certimix_shadow_inputs_total", ""), 0.0);
    server.set("mixture.shadow_alphas", "[]");
    let found = server.scrape();
    assert!(
        !found.series.keys().any(|id| id.starts_with("certimix_shadow_")),
        "{:#?}",
        found.series
    );
}
