//! The shadow report of a candidate matches the results of a server with that alpha.

use certimix::rpc::proto::{BoundMethod, CertifyRequest, GetShadowReportResponse, Prediction, Priority, ShadowRow};

use super::report_client::{connect, evaluated_or_dropped, expected_row, inputs, predict_all, report_for, report_when};
use crate::support::messages::{certify_request, certify_with_votes, floats, predict_request};
use crate::support::process::ServerProcess;
use crate::support::{Setup, TestServer};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn candidates_without_votes_match_a_server_with_their_alpha() {
    let rows = inputs(620);
    let candidates = [0.3, 0.6, 0.76, 0.9, 0.99];
    let setup = |alpha: f64| Setup::pair("linear_g", "linear_h").with("mixture.alpha", alpha);
    let shadowed = setup(0.76).with("mixture.shadow_alphas", format!("{candidates:?}"));
    let server = ServerProcess::spawn(&shadowed.write());
    let mut client = connect(&server).await;
    let responses = predict_all(&client, &rows).await;
    let report = report_for(&mut client, rows.len()).await;

    let serving = report.serving.clone().unwrap();
    assert_eq!(
        serving,
        expected_row(0.76, &responses, &responses, &report.radius_bounds)
    );
    assert_eq!(report.candidates.len(), candidates.len());
    for (candidate, alpha) in report.candidates.iter().zip(candidates) {
        let other = setup(alpha);
        let other = ServerProcess::spawn(&other.write());
        let others = predict_all(&connect(&other).await, &rows).await;
        assert_eq!(
            *candidate,
            expected_row(alpha, &others, &responses, &report.radius_bounds)
        );
        assert_eq!(
            candidate.certified,
            serving.certified + candidate.gained - candidate.lost
        );
        if alpha < 0.5 {
            assert_eq!(candidate.certified, 0);
        }
    }
    // The fixture gives different results for the candidates.
    let certified: Vec<u64> = report.candidates.iter().map(|row| row.certified).collect();
    assert!(certified.is_sorted_by(|a, b| a < b), "{certified:?}");
    let same: Vec<u64> = report.candidates.iter().map(|row| row.agreements).collect();
    assert!(same[2] == 620 && same[0] < 620 && same[4] < 620, "{same:?}");
    assert!(!report.draws_votes && report.since_revision == report.provenance.unwrap().config_revision);
}

/// Returns for each bucket the number of inputs with a radius in that bucket or a higher one.
fn cumulative_from_top(row: &ShadowRow) -> Vec<u64> {
    (0..row.radii.len())
        .map(|bucket| row.radii[bucket..].iter().sum())
        .collect()
}

fn smoothed_setup(alpha: f64) -> Setup {
    Setup::pair("linear_g", "two_borders")
        .with("mixture.alpha", alpha)
        // A fixed batch size gives the same number of votes between evaluations on every machine.
        .batch_size(64)
        .with("certificate.predict_votes", 1000)
        .with("certificate.predict_target_radius", 0.2)
}

const ALPHAS: [f64; 6] = [0.3, 0.55, 0.7, 0.76, 0.85, 0.95];

/// Certifies `rows` on a server with this alpha and all candidates. Every such server draws the
/// same noise. Returns the report and the predictions.
async fn certify_all(
    alpha: f64,
    rows: &[[f32; 4]],
    request: impl Fn([f32; 4]) -> CertifyRequest,
) -> (GetShadowReportResponse, Vec<Prediction>) {
    let setup = smoothed_setup(alpha).with("mixture.shadow_alphas", format!("{ALPHAS:?}"));
    let server = TestServer::start(setup).await;
    let mut client = server.client().await;
    let mut responses = Vec::new();
    for &row in rows {
        let response = client.certify(request(row)).await.unwrap().into_inner();
        responses.extend(response.predictions);
    }
    (report_for(&mut client, rows.len()).await, responses)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_candidate_never_claims_more_than_its_own_server_proves_on_the_same_votes() {
    let rows = inputs(60);
    let request = |row| CertifyRequest {
        target_radius: Some(0.2),
        ..certify_with_votes(floats(&[row]), 1000)
    };
    let (report, responses) = certify_all(0.76, &rows, request).await;
    let (serving, bounds) = (report.serving.clone().unwrap(), &report.radius_bounds);
    assert_eq!(
        report.candidates[3], serving,
        "the serving mixture, evaluated as a candidate"
    );
    let (mut open, mut stopped_earlier) = (0, 0);
    for (candidate, alpha) in report.candidates.iter().zip(ALPHAS) {
        let (own, own_answers) = certify_all(alpha, &rows, request).await;
        let own_serving = own.serving.unwrap();
        let pairs = cumulative_from_top(candidate)
            .into_iter()
            .zip(cumulative_from_top(&own_serving));
        assert!(
            pairs.clone().all(|(claimed, proven)| claimed <= proven),
            "{candidate:?} claims more than {own_serving:?}"
        );
        assert!(candidate.radius_sum <= own_serving.radius_sum + 1e-9);
        assert!(own_serving.certified <= candidate.certified + candidate.open);
        assert!(candidate.votes <= own_serving.votes && candidate.votes <= serving.votes);
        assert!(candidate.likely <= candidate.open && candidate.open <= candidate.unfinished);
        if candidate.unfinished == 0 {
            let exact = expected_row(alpha, &own_answers, &responses, bounds);
            let likewise = ShadowRow {
                votes: candidate.votes,
                predict_target_in_force: candidate.predict_target_in_force,
                // The class of a candidate without a certificate follows from all votes.
                agreements: candidate.agreements,
                standard_agreements: candidate.standard_agreements,
                ..exact
            };
            assert_eq!(*candidate, likewise);
            assert_eq!(candidate.votes, if alpha > 0.5 { own_serving.votes } else { 0 });
        }
        open += candidate.open;
        stopped_earlier += u64::from(candidate.votes < serving.votes);
    }
    assert!(
        open > 0 && stopped_earlier > 0,
        "the votes make no difference: {report:?}"
    );
    assert!(report.draws_votes);
}

/// The target of Predict has another cap at each alpha, and a candidate is evaluated with its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_candidate_is_evaluated_with_its_own_cap() {
    // Far from the border every vote is for one class.
    let rows = [[0.9; 4]; 10];
    let setup = |alpha| smoothed_setup(alpha).with("certificate.predict_target_radius", 0.8);
    let server = TestServer::start(setup(0.6).with("mixture.shadow_alphas", "[0.4, 0.9]")).await;
    let mut client = server.client().await;
    let served = client.predict(predict_request(floats(&rows))).await.unwrap();
    let served = served.into_inner().predictions;
    let report = report_for(&mut client, rows.len()).await;
    let (serving, never, candidate) = (report.serving.unwrap(), &report.candidates[0], &report.candidates[1]);

    let own = TestServer::start(setup(0.9)).await;
    let own_answers = own
        .client()
        .await
        .predict(predict_request(floats(&rows)))
        .await
        .unwrap();
    let own_answers = own_answers.into_inner().predictions;
    let expected = expected_row(0.9, &own_answers, &served, &report.radius_bounds);
    assert_eq!((candidate.certified, candidate.unfinished), (10, 0), "{candidate:?}");
    assert!(
        (candidate.radius_sum - expected.radius_sum).abs() < 1e-9,
        "{candidate:?} {expected:?}"
    );
    assert!(candidate.votes < serving.votes, "{candidate:?} {serving:?}");
    assert!(
        serving.predict_target_in_force > 0.1
            && candidate.predict_target_in_force > serving.predict_target_in_force
            && candidate.predict_target_in_force < 0.8,
        "{candidate:?} {serving:?}"
    );
    assert_eq!((never.predict_target_in_force, never.open), (0.0, 0), "{never:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_fixed_number_of_votes_leaves_no_candidate_open() {
    let rows = inputs(20);
    let request = |row| CertifyRequest {
        bound: BoundMethod::ClopperPearson.into(),
        ..certify_with_votes(floats(&[row]), 200)
    };
    let (report, responses) = certify_all(0.76, &rows, request).await;
    for (candidate, alpha) in report.candidates.iter().zip(ALPHAS) {
        let (_, own_answers) = certify_all(alpha, &rows, request).await;
        let exact = expected_row(alpha, &own_answers, &responses, &report.radius_bounds);
        assert_eq!(
            *candidate,
            ShadowRow {
                votes: if alpha > 0.5 { 20 * 200 } else { 0 },
                predict_target_in_force: candidate.predict_target_in_force,
                // The own server of an alpha that certifies nothing draws fewer votes for the class.
                agreements: if alpha > 0.5 {
                    exact.agreements
                } else {
                    candidate.agreements
                },
                standard_agreements: if alpha > 0.5 {
                    exact.standard_agreements
                } else {
                    candidate.standard_agreements
                },
                ..exact
            }
        );
    }
    assert!(report.candidates[5].certified > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_certify_stream_is_counted_once() {
    let setup = smoothed_setup(0.76).with("mixture.shadow_alphas", "[0.9]");
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
    let report = report_for(&mut client, 1).await;
    assert_eq!((report.candidates.len(), report.candidates[0].inputs), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn under_load_every_prediction_is_evaluated_or_counted_as_dropped() {
    let setup = Setup::pair("linear_g", "linear_h")
        .with(
            "mixture.shadow_alphas",
            format!("{:?}", (1..=16).map(|i| f64::from(i) / 16.0).collect::<Vec<_>>()),
        )
        .with("server.max_inputs", 1024);
    let server = ServerProcess::spawn(&setup.write());
    let mut client = connect(&server).await;
    // The evaluator thread has the lowest priority, so it is slow on a busy machine.
    let rows = inputs(500);
    let calls = (0..8).map(|_| {
        let (mut client, rows) = (client.clone(), rows.clone());
        tokio::spawn(async move {
            let mut answered = 0;
            for _ in 0..3 {
                let mut request = predict_request(floats(&rows));
                request.priority = Priority::Bulk.into();
                if let Ok(response) = client.predict(request).await {
                    answered += response.into_inner().predictions.len() as u64;
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
    let report = report_when(&mut client, |report| evaluated_or_dropped(report) >= answered).await;
    assert_eq!(evaluated_or_dropped(&report), answered);
    assert!(answered > 0);
}
