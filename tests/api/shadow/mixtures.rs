//! The shadow report of a candidate mixture matches what the server serves after a reload to it.

use std::fs;

use certimix::rpc::proto::{GetShadowReportResponse, ShadowRow};

use super::report_client::{connect, expected_row, inputs, predict_all, report_for, report_when};
use crate::support::Setup;
use crate::support::process::ServerProcess;

/// alpha, fallback_alpha and temperature, in the order of the report.
type Mixture = [f64; 3];

/// Both rules at two temperatures, and another alpha.
const CANDIDATES: [Mixture; 5] = [
    [0.7, 0.0, 0.25],
    [0.7, 0.0, 1.0],
    [0.7, 0.7, 0.25],
    [0.7, 0.7, 1.0],
    [0.9, 0.3, 0.5],
];

/// A server that serves `mixture`.
fn setup([alpha, fallback_alpha, temperature]: Mixture) -> Setup {
    let candidates = CANDIDATES.map(|[alpha, fallback_alpha, temperature]| {
        format!("{{ alpha = {alpha}, fallback_alpha = {fallback_alpha}, robust_temperature = {temperature} }}")
    });
    Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", alpha)
        .with("mixture.fallback_alpha", fallback_alpha)
        .with("mixture.robust_temperature", temperature)
        .with("mixture.shadow_candidates", format!("[{}]", candidates.join(", ")))
}

fn mixture(row: &ShadowRow) -> Mixture {
    [row.alpha, row.fallback_alpha.unwrap(), row.robust_temperature]
}

fn served_mixture(report: &GetShadowReportResponse) -> Option<Mixture> {
    report.serving.as_ref().map(mixture)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_candidate_counts_what_the_server_serves_after_a_reload_to_it() {
    let rows = inputs(400);
    let first = setup([0.8, 0.4, 1.0]);
    let path = first.write();
    let server = ServerProcess::spawn(&path);
    let mut client = connect(&server).await;
    let responses = predict_all(&client, &rows).await;
    let report = report_for(&mut client, rows.len()).await;
    assert_eq!(report.candidates.iter().map(mixture).collect::<Vec<_>>(), CANDIDATES);

    for (row, candidate) in report.candidates.iter().zip(CANDIDATES) {
        fs::copy(setup(candidate).write(), &path).unwrap();
        report_when(&mut client, |report| served_mixture(report) == Some(candidate)).await;
        let served = predict_all(&client, &rows).await;
        let expected = expected_row(candidate[0], &served, &responses, &report.radius_bounds);
        let expected = ShadowRow {
            fallback_alpha: Some(candidate[1]),
            robust_temperature: candidate[2],
            ..expected
        };
        assert_eq!(*row, expected);
    }

    // Each part of a mixture changes the counts, and a radius depends on no fallback_alpha.
    let [gated_cool, gated, paper_cool, paper, _] = &report.candidates[..] else {
        panic!("{report:?}");
    };
    for (gated, paper) in [(gated_cool, paper_cool), (gated, paper)] {
        assert_eq!((gated.certified, &gated.radii), (paper.certified, &paper.radii));
        assert!(
            gated.standard_agreements > paper.standard_agreements,
            "{gated:?} {paper:?}"
        );
    }
    assert!(
        gated_cool.certified > gated.certified && gated.certified > 0,
        "{gated:?}"
    );
}
