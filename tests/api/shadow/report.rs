//! Shadow alphas: what the report says of a candidate is what a server with that alpha answers.

use std::fs;
use std::time::{Duration, Instant};

use certimix::rpc::proto::mixed_classifier_client::MixedClassifierClient;
use certimix::rpc::proto::{
    BoundMethod, CertificateStatus, CertifyRequest, GetShadowReportRequest, GetShadowReportResponse, Prediction,
    Priority, ShadowRow,
};
use serde_json::Value;

use crate::support::messages::{certificate, certify_request, certify_with_votes, floats, predict_request};
use crate::support::predict_stream::PredictStreamClient;
use crate::support::process::{self, ServerProcess};
use crate::support::server::{Client, TEST_TIMEOUT};
use crate::support::{Setup, TestServer};

/// Rows in the models' range, and many near the borders between their classes.
fn inputs(count: usize) -> Vec<[f32; 4]> {
    let mut random = fastrand::Rng::with_seed(6);
    let row = |_| std::array::from_fn(|_| (random.i32(-4096..=4096) as f32) / 4096.0);
    (0..count).map(row).collect()
}

async fn connect(server: &ServerProcess) -> Client {
    let endpoint = format!("http://{}", server.address());
    MixedClassifierClient::connect(endpoint).await.unwrap()
}

async fn report(client: &mut Client) -> GetShadowReportResponse {
    client
        .get_shadow_report(GetShadowReportRequest {})
        .await
        .unwrap()
        .into_inner()
}

/// The report once it `is` what is waited for: counting is nobody's hurry.
async fn report_when(client: &mut Client, is: impl Fn(&GetShadowReportResponse) -> bool) -> GetShadowReportResponse {
    let started = Instant::now();
    loop {
        let report = report(client).await;
        if is(&report) {
            return report;
        }
        assert!(started.elapsed() < TEST_TIMEOUT, "not in time: {report:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn seen(report: &GetShadowReportResponse) -> u64 {
    report.dropped + report.serving.as_ref().map_or(0, |row| row.inputs)
}

async fn report_of(client: &mut Client, inputs: usize) -> GetShadowReportResponse {
    let report = report_when(client, |report| seen(report) >= inputs as u64).await;
    assert_eq!((seen(&report), report.dropped), (inputs as u64, 0), "{report:?}");
    report
}

fn radius(prediction: &Prediction) -> f64 {
    let certificate = certificate(prediction);
    match certificate.status() {
        CertificateStatus::Certified => certificate.radius,
        _ => 0.0,
    }
}

/// The row that these answers, given in place of what was `served`, must make; without votes.
fn expected(alpha: f64, answers: &[Prediction], baseline: &[Prediction], bounds: &[f64]) -> ShadowRow {
    let count = |is: &dyn Fn(&Prediction, &Prediction) -> bool| {
        answers
            .iter()
            .zip(baseline)
            .filter(|(answer, was)| is(answer, was))
            .count() as u64
    };
    let mut radii = vec![0; bounds.len() + 1];
    let certified: Vec<f64> = answers.iter().map(radius).filter(|&radius| radius > 0.0).collect();
    for radius in &certified {
        radii[bounds.iter().filter(|&bound| bound < radius).count()] += 1;
    }
    ShadowRow {
        alpha,
        inputs: answers.len() as u64,
        agreements: count(&|answer, was| answer.class_index == was.class_index),
        standard_agreements: count(&|answer, was| answer.class_index == was.standard_class_index),
        certified: certified.len() as u64,
        gained: count(&|answer, was| radius(answer) > 0.0 && radius(was) <= 0.0),
        lost: count(&|answer, was| radius(answer) <= 0.0 && radius(was) > 0.0),
        unfinished: 0,
        open: 0,
        likely: 0,
        votes: 0,
        radii,
        radius_sum: certified.iter().sum(),
    }
}

async fn predict_all(client: &Client, rows: &[[f32; 4]]) -> Vec<Prediction> {
    let mut answers = Vec::new();
    let mut client = client.clone();
    let (by_call, by_stream) = rows.split_at(rows.len() - 20);
    for rows in by_call.chunks(40) {
        let answer = client.predict(predict_request(floats(rows))).await.unwrap();
        answers.extend(answer.into_inner().predictions);
    }
    let mut predict_stream = PredictStreamClient::open(client).await;
    for rows in by_stream.chunks(4) {
        predict_stream.send(predict_request(floats(rows)));
        answers.extend(predict_stream.next_response().await.predictions);
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_row_candidates_are_exactly_what_a_server_with_their_alpha_answers() {
    let rows = inputs(620);
    let candidates = [0.3, 0.6, 0.76, 0.9, 0.99];
    let setup = |alpha: f64| Setup::pair("linear_g", "linear_h").with("mixture.alpha", alpha);
    let shadowed = setup(0.76).with("mixture.shadow_alphas", format!("{candidates:?}"));
    let server = ServerProcess::spawn(&shadowed.write());
    let mut client = connect(&server).await;
    let answers = predict_all(&client, &rows).await;
    let report = report_of(&mut client, rows.len()).await;

    let serving = report.serving.clone().unwrap();
    assert_eq!(serving, expected(0.76, &answers, &answers, &report.radius_bounds));
    assert_eq!(report.candidates.len(), candidates.len());
    for (candidate, alpha) in report.candidates.iter().zip(candidates) {
        let other = setup(alpha);
        let other = ServerProcess::spawn(&other.write());
        let others = predict_all(&connect(&other).await, &rows).await;
        assert_eq!(*candidate, expected(alpha, &others, &answers, &report.radius_bounds));
        assert_eq!(
            candidate.certified,
            serving.certified + candidate.gained - candidate.lost
        );
        if alpha < 0.5 {
            assert_eq!(candidate.certified, 0);
        }
    }
    // The fixture tells the candidates apart.
    let certified: Vec<u64> = report.candidates.iter().map(|row| row.certified).collect();
    assert!(certified.is_sorted_by(|a, b| a < b), "{certified:?}");
    let same: Vec<u64> = report.candidates.iter().map(|row| row.agreements).collect();
    assert!(same[2] == 620 && same[0] < 620 && same[4] < 620, "{same:?}");
    assert!(!report.draws_votes && report.since_revision == report.provenance.unwrap().config_revision);
}

/// Inputs for which the least radius in a bucket, or more, was certified: one number a bucket.
fn at_least(row: &ShadowRow) -> Vec<u64> {
    (0..row.radii.len())
        .map(|bucket| row.radii[bucket..].iter().sum())
        .collect()
}

fn by_votes(alpha: f64) -> Setup {
    Setup::pair("linear_g", "two_borders")
        .with("mixture.alpha", alpha)
        // As many votes to each look on every machine.
        .batch_size(64)
        .with("certificate.predict_votes", 1000)
        .with("certificate.predict_target_radius", 0.2)
}

const ALPHAS: [f64; 6] = [0.3, 0.55, 0.7, 0.76, 0.85, 0.95];

/// The reports of two servers with the same noise: one with all candidates, the other with `alpha`.
async fn voted(
    alpha: f64,
    rows: &[[f32; 4]],
    request: impl Fn([f32; 4]) -> CertifyRequest,
) -> (GetShadowReportResponse, Vec<Prediction>) {
    let setup = by_votes(alpha).with("mixture.shadow_alphas", format!("{ALPHAS:?}"));
    let server = TestServer::start(setup).await;
    let mut client = server.client().await;
    let mut answers = Vec::new();
    for &row in rows {
        let answer = client.certify(request(row)).await.unwrap().into_inner();
        answers.extend(answer.predictions);
    }
    (report_of(&mut client, rows.len()).await, answers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_candidate_never_claims_more_than_its_own_run_proves_on_the_same_votes() {
    let rows = inputs(60);
    let request = |row| CertifyRequest {
        target_radius: Some(0.2),
        ..certify_with_votes(floats(&[row]), 1000)
    };
    let (report, answers) = voted(0.76, &rows, request).await;
    let (serving, bounds) = (report.serving.clone().unwrap(), &report.radius_bounds);
    assert_eq!(
        report.candidates[3], serving,
        "the serving alpha, judged as a candidate"
    );
    let (mut open, mut stopped_earlier) = (0, 0);
    for (candidate, alpha) in report.candidates.iter().zip(ALPHAS) {
        let (own, own_answers) = voted(alpha, &rows, request).await;
        let own_serving = own.serving.unwrap();
        let pairs = at_least(candidate).into_iter().zip(at_least(&own_serving));
        assert!(
            pairs.clone().all(|(claimed, proven)| claimed <= proven),
            "{candidate:?} claims more than {own_serving:?}"
        );
        assert!(candidate.radius_sum <= own_serving.radius_sum + 1e-9);
        assert!(own_serving.certified <= candidate.certified + candidate.open);
        assert!(candidate.votes <= own_serving.votes && candidate.votes <= serving.votes);
        assert!(candidate.likely <= candidate.open && candidate.open <= candidate.unfinished);
        if candidate.unfinished == 0 {
            let exact = expected(alpha, &own_answers, &answers, bounds);
            let likewise = ShadowRow {
                votes: candidate.votes,
                // Of a candidate that is not certified the class is read off all votes.
                agreements: candidate.agreements,
                standard_agreements: candidate.standard_agreements,
                ..exact
            };
            assert_eq!(*candidate, likewise);
            assert_eq!(candidate.votes, own_serving.votes);
        }
        open += candidate.open;
        stopped_earlier += u64::from(candidate.votes < serving.votes);
    }
    assert!(open > 0 && stopped_earlier > 0, "the votes decide nothing: {report:?}");
    assert!(report.draws_votes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_fixed_number_of_votes_leaves_nothing_open() {
    let rows = inputs(20);
    let request = |row| CertifyRequest {
        bound: BoundMethod::ClopperPearson.into(),
        ..certify_with_votes(floats(&[row]), 200)
    };
    let (report, answers) = voted(0.76, &rows, request).await;
    for (candidate, alpha) in report.candidates.iter().zip(ALPHAS) {
        let (_, own_answers) = voted(alpha, &rows, request).await;
        let exact = expected(alpha, &own_answers, &answers, &report.radius_bounds);
        assert_eq!(
            *candidate,
            ShadowRow {
                votes: 20 * 200,
                ..exact
            }
        );
    }
    assert!(report.candidates[5].certified > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_is_counted_once() {
    let setup = by_votes(0.76).with("mixture.shadow_alphas", "[0.9]");
    let server = TestServer::start(setup).await;
    let mut client = server.client().await;
    let stream = client
        .certify_stream(certify_request(floats(&[[0.5; 4]])))
        .await
        .unwrap();
    let mut messages = stream.into_inner();
    let mut count = 0;
    while messages.message().await.unwrap().is_some() {
        count += 1;
    }
    assert!(count > 1);
    let report = report_of(&mut client, 1).await;
    assert_eq!((report.candidates.len(), report.candidates[0].inputs), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn candidates_are_reloaded_and_counts_compare_like_with_like() {
    let setup = |shadows: &str| {
        Setup::pair("linear_g", "linear_h")
            .with("mixture.alpha", 0.76)
            .with("mixture.shadow_alphas", shadows)
    };
    let first = setup("[]");
    let path = first.write();
    let server = ServerProcess::spawn(&path);
    let mut client = connect(&server).await;
    let rewrite = |setup: Setup| {
        fs::copy(setup.write(), &path).unwrap();
    };
    let rows = inputs(30);
    let asking = client.clone();
    let ask = || async { drop(predict_all(&asking, &rows).await) };

    ask().await;
    let none = report(&mut client.clone()).await;
    assert!(none.serving.is_none() && none.candidates.is_empty() && none.since_revision.is_empty());
    assert!(none.provenance.is_some());

    let alphas = |report: &GetShadowReportResponse| report.candidates.iter().map(|row| row.alpha).collect::<Vec<_>>();
    rewrite(setup("[0.9, 0.6]"));
    let began = report_when(&mut client, |report| alphas(report) == [0.6, 0.9]).await;
    assert_eq!(seen(&began), 0);
    ask().await;
    report_of(&mut client, 30).await;

    // What changes no answer leaves the counts as they are, under a new revision.
    rewrite(setup("[0.9, 0.6]").text("log.filter", "warn"));
    let revision = |report: &GetShadowReportResponse| report.provenance.clone().unwrap().config_revision;
    let goes_on = report_when(&mut client, |report| revision(report) != revision(&began)).await;
    assert_eq!(
        (seen(&goes_on), &goes_on.since_revision, goes_on.since_unix_ms),
        (30, &revision(&began), began.since_unix_ms)
    );
    ask().await;
    report_of(&mut client, 60).await;

    // Another alpha begins anew, and so do other candidates and another temperature.
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
        rewrite(next);
        let anew = report_when(&mut client, |report| {
            report.since_revision == revision(report) && seen(report) == 0
        });
        let anew = anew.await;
        assert_eq!(anew.serving.as_ref().unwrap().alpha, 0.8, "{what}");
        ask().await;
        report_of(&mut client, 30).await;
    }
    rewrite(setup("[]"));
    report_when(&mut client, |report| report.serving.is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn on_the_way_to_another_alpha_counts_go_on_and_begin_anew_when_it_arrives() {
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
    report_of(&mut client, 30).await;

    fs::copy(setup(0.9, "1h").write(), &path).unwrap();
    let way = report_when(&mut client, |report| report.on_the_way).await;
    assert_eq!(seen(&way), 0);
    predict_all(&client, &rows).await;
    let serving = |report: &GetShadowReportResponse| report.serving.as_ref().unwrap().alpha;
    let moved = report_when(&mut client, |report| serving(report) > serving(&way)).await;
    assert!(
        moved.on_the_way && moved.since_revision == way.since_revision,
        "{moved:?}"
    );
    predict_all(&client, &rows).await;
    assert!(report_of(&mut client, 60).await.on_the_way);

    fs::copy(setup(0.9, "0s").write(), &path).unwrap();
    let arrived = report_when(&mut client, |report| !report.on_the_way).await;
    assert_eq!((seen(&arrived), serving(&arrived)), (0, 0.9));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn under_load_every_answer_is_judged_or_counted_as_dropped() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with(
            "mixture.shadow_alphas",
            format!("{:?}", (1..=16).map(|i| f64::from(i) / 16.0).collect::<Vec<_>>()),
        )
        .with("server.max_inputs", 1024);
    let server = ServerProcess::spawn(&setup.write());
    let mut client = connect(&server).await;
    // The thread that judges has the lowest priority: on a machine whose processors others want, it is slow.
    let rows = inputs(500);
    let calls = (0..8).map(|_| {
        let (mut client, rows) = (client.clone(), rows.clone());
        tokio::spawn(async move {
            let mut answered = 0;
            for _ in 0..3 {
                let mut request = predict_request(floats(&rows));
                request.priority = Priority::Bulk.into();
                if let Ok(answer) = client.predict(request).await {
                    answered += answer.into_inner().predictions.len() as u64;
                }
            }
            answered
        })
    });
    let calls: Vec<_> = calls.collect();
    let mut answered = 0;
    for call in calls {
        answered += call.await.unwrap();
    }
    let report = report_when(&mut client, |report| seen(report) >= answered).await;
    assert_eq!(seen(&report), answered);
    assert!(answered > 0);
}

fn shadow(address: &str, more: &[&str]) -> std::process::Output {
    process::run(&[&["shadow", "--address", address], more].concat(), &[])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_shows_the_report_of_a_server_under_traffic() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 0.76)
        .with("mixture.shadow_alphas", "[0.9, 0.6]");
    let server = ServerProcess::spawn(&setup.write());
    let address = server.address().to_string();
    let mut client = MixedClassifierClient::connect(format!("http://{address}"))
        .await
        .unwrap();

    // Before there is traffic it says so.
    let quiet = shadow(&address, &["--once"]);
    let text = String::from_utf8(quiet.stdout).unwrap() + &String::from_utf8(quiet.stderr).unwrap();
    assert!(quiet.status.success() && text.contains("no traffic"), "{text}");

    predict_all(&client, &inputs(100)).await;
    let report = report_of(&mut client, 100).await;
    let output = shadow(&address, &["--once", "--json"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let json: Value = serde_json::from_str(&text).unwrap();
    let row = &json["candidates"][1];
    let wire = &report.candidates[1];
    assert_eq!(
        (row["alpha"].as_f64(), row["inputs"].as_u64(), row["certified"].as_u64()),
        (Some(0.9), Some(100), Some(wire.certified))
    );
    assert_eq!(row["radii"], serde_json::json!(wire.radii));
    assert_eq!(json["serving"]["alpha"], 0.76);
    assert_eq!(json["provenance"]["config_revision"], report.since_revision.as_str());

    // Without a terminal the table is printed once.
    let output = shadow(&address, &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.contains("0.76") && text.contains("100.0 %"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_tells_which_key_is_missing() {
    let setup = Setup::pair("linear_g", "linear_h");
    let server = ServerProcess::spawn(&setup.write());
    let message = process::fails(&["shadow", "--once", "--address", &server.address().to_string()], &[]);
    assert!(message.contains("mixture.shadow_alphas"), "{message}");
}
