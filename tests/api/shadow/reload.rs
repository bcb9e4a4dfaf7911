//! Reloads keep or reset the counts of the shadow report.

use std::fs;

use certimix::rpc::proto::GetShadowReportResponse;

use super::report_client::{connect, evaluated_or_dropped, inputs, predict_all, report, report_for, report_when};
use crate::support::Setup;
use crate::support::process::ServerProcess;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reload_that_changes_results_resets_the_counts() {
    let setup = |shadows: &str| {
        Setup::pair("linear_g", "linear_h")
            .with("mixture.alpha", 0.76)
            .with("mixture.shadow_alphas", shadows)
    };
    let first = setup("[]");
    let path = first.write();
    let server = ServerProcess::spawn(&path);
    let mut client = connect(&server).await;
    let write_settings = |setup: Setup| {
        fs::copy(setup.write(), &path).unwrap();
    };
    let rows = inputs(30);
    let traffic_client = client.clone();
    let send_traffic = || async { drop(predict_all(&traffic_client, &rows).await) };

    send_traffic().await;
    let none = report(&mut client.clone()).await;
    assert!(none.serving.is_none() && none.candidates.is_empty() && none.since_revision.is_empty());
    assert!(none.provenance.is_some());

    let alphas = |report: &GetShadowReportResponse| report.candidates.iter().map(|row| row.alpha).collect::<Vec<_>>();
    write_settings(setup("[0.9, 0.6]"));
    let first_report = report_when(&mut client, |report| alphas(report) == [0.6, 0.9]).await;
    assert_eq!(evaluated_or_dropped(&first_report), 0);
    send_traffic().await;
    report_for(&mut client, 30).await;

    // A change that affects no count keeps the counts, under a new revision.
    write_settings(setup("[0.9, 0.6]").text("server.max_request_time", "29s"));
    let revision = |report: &GetShadowReportResponse| report.provenance.clone().unwrap().config_revision;
    let continued = report_when(&mut client, |report| revision(report) != revision(&first_report)).await;
    assert_eq!(
        (
            evaluated_or_dropped(&continued),
            &continued.since_revision,
            continued.since_unix_ms
        ),
        (30, &revision(&first_report), first_report.since_unix_ms)
    );
    send_traffic().await;
    report_for(&mut client, 60).await;

    // Another alpha, other candidates and another temperature each reset the counts.
    let steps: [(&str, Setup); 3] = [
        ("alpha", setup("[0.9, 0.6]").with("mixture.alpha", 0.8)),
        ("candidates", setup("[0.9, 0.7]").with("mixture.alpha", 0.8)),
        (
            "temperature",
            setup("[0.9, 0.7]")
                .with("mixture.alpha", 0.8)
                .with("mixture.robust_temperature", 0.5),
        ),
    ];
    for (what, next) in steps {
        write_settings(next);
        let reset = report_when(&mut client, |report| {
            report.since_revision == revision(report) && evaluated_or_dropped(report) == 0
        });
        let reset = reset.await;
        assert_eq!(reset.serving.as_ref().unwrap().alpha, 0.8, "{what}");
        send_traffic().await;
        report_for(&mut client, 30).await;
    }
    write_settings(setup("[]"));
    report_when(&mut client, |report| report.serving.is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn counts_continue_during_an_alpha_ramp_and_reset_at_its_end() {
    let setup = |alpha: f64, ramp: &str| {
        Setup::pair("linear_g", "linear_h")
            .with("mixture.alpha", alpha)
            .text("mixture.alpha_ramp", ramp)
            .with("mixture.shadow_alphas", "[0.6]")
    };
    let first = setup(0.7, "0s");
    let path = first.write();
    let server = ServerProcess::spawn(&path);
    let mut client = connect(&server).await;
    let rows = inputs(30);
    predict_all(&client, &rows).await;
    report_for(&mut client, 30).await;

    fs::copy(setup(0.9, "1h").write(), &path).unwrap();
    let ramping = report_when(&mut client, |report| report.on_the_way).await;
    assert_eq!(evaluated_or_dropped(&ramping), 0);
    predict_all(&client, &rows).await;
    let serving = |report: &GetShadowReportResponse| report.serving.as_ref().unwrap().alpha;
    let moved = report_when(&mut client, |report| serving(report) > serving(&ramping)).await;
    assert!(
        moved.on_the_way && moved.since_revision == ramping.since_revision,
        "{moved:?}"
    );
    predict_all(&client, &rows).await;
    assert!(report_for(&mut client, 60).await.on_the_way);

    fs::copy(setup(0.9, "0s").write(), &path).unwrap();
    let arrived = report_when(&mut client, |report| !report.on_the_way).await;
    assert_eq!((evaluated_or_dropped(&arrived), serving(&arrived)), (0, 0.9));
}
