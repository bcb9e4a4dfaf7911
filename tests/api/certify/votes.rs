//! Votes are exact: a row of NaN casts no vote, and a noise key reproduces its votes.

use std::collections::HashSet;

use certimix::certificate::noise::{InputGrid, NoiseKey, NoiseTable, fill_noisy_row};
use certimix::classifier::VoteReplayer;
use certimix::domain::Input;
use certimix::rpc::proto::{Certificate, CertificateStatus, CertifyRequest, Prediction};

use crate::support::messages::{certificate, certify_with_votes, floats};
use crate::support::{Setup, TestServer, fixture, messages, recompute};

const ALPHA: f64 = 0.76;

async fn certify(server: &TestServer, request: CertifyRequest) -> Vec<Prediction> {
    server
        .client()
        .await
        .certify(request)
        .await
        .unwrap()
        .into_inner()
        .predictions
}

fn key(certificate: &Certificate) -> [u8; 32] {
    certificate.noise_key.to_vec().try_into().unwrap()
}

/// Counts the votes of both kinds with a negative first coordinate, whose square root is NaN.
fn nan_votes(certificate: &Certificate, x: [f32; 4]) -> u64 {
    let grid = InputGrid::new(-1.0, 1.0, 8192).unwrap();
    let table = NoiseTable::new(grid.scale(0.25)).unwrap();
    let key = NoiseKey::from_bytes(key(certificate));
    let levels = x.map(|value| grid.snap(value).unwrap().0);
    let mut row = [0.0; 4];
    let negative = (0..certificate.selection_votes + certificate.votes).filter(|&vote| {
        fill_noisy_row(&table, &grid, &key, vote, &levels, &mut row).unwrap();
        row[0] < 0.0
    });
    negative.count() as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_row_of_nan_casts_no_vote() {
    let server = TestServer::start(Setup::pair("linear_g", "nan_h")).await;
    for x in [[0.25, 0.5, 0.5, 0.5], [0.0, 1.0, 1.0, 0.5], [0.75, 0.25, 0.5, 0.5]] {
        // Without a target both bounds serve the best evaluation of the loop, so the test reads the
        // counts served with it.
        let prediction = certify(&server, certify_with_votes(floats(&[x]), 1000)).await.remove(0);
        let found = certificate(&prediction);
        recompute::assert_certificate(found, ALPHA);
        let drawn = found.selection_votes + found.votes;
        #[expect(clippy::cast_precision_loss, reason = "1100 votes at most")]
        let votes = drawn as f64;
        let cast: f64 = prediction
            .robust_probabilities
            .iter()
            .map(|&share| f64::from(share) * votes)
            .sum();
        #[expect(clippy::cast_precision_loss, reason = "1100 votes at most")]
        let expected = (drawn - nan_votes(found, x)) as f64;
        assert!(
            (cast - expected).abs() < 0.01,
            "{cast} of {votes} votes were cast, not {expected}"
        );
        assert!(expected < votes || x[0] > 0.5, "no row was NaN, so this tests nothing");
    }
}

/// If every row is NaN, no vote is cast and the certificate abstains.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nan_in_every_row_gives_an_abstention() {
    let server = TestServer::start(Setup::pair("linear_g", "nan_h").with("certificate.selection_votes", 1)).await;
    let prediction = certify(&server, certify_with_votes(floats(&[[-1.0, 1.0, 1.0, 1.0]]), 100))
        .await
        .remove(0);
    let found = certificate(&prediction);
    assert_eq!(found.status(), CertificateStatus::Abstained);
    assert_eq!((found.votes, found.votes_for_runner_up), (100, 0));
    assert!(
        found.votes_for_class <= 1 && prediction.mixed_logits.iter().all(|f| f.is_finite()),
        "{prediction:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_noise_key_reproduces_its_votes() {
    for robust in ["two_borders", "nan_h"] {
        // The votes depend neither on the batch size nor on the number of sessions.
        let setup = Setup::pair("linear_g", robust)
            .with("runtime.executors", 2)
            .batch_size(7);
        let server = TestServer::start(setup).await;
        let inputs = [[0.25, 0.125, 0.0, 0.5], [0.1, 0.1, 0.1, 0.1], [-0.3, 0.0, 0.2, -0.6]];
        let predictions = certify(&server, certify_with_votes(floats(&inputs), 400)).await;
        let runtime = Setup::pair("linear_g", robust).settings().runtime;
        let mut counter = VoteReplayer::load(&fixture(robust), &runtime, 32).unwrap();
        for (prediction, x) in predictions.iter().zip(inputs) {
            let found = certificate(prediction);
            let input = Input::from_floats(&x);
            let (class, tally) = counter
                .count(&input, key(found), found.selection_votes, found.votes, |_| {})
                .unwrap();
            assert_eq!(
                (tally.votes_for_class, tally.votes_for_runner_up),
                (found.votes_for_class, found.votes_for_runner_up),
                "{found:?}"
            );
            if found.status() == CertificateStatus::Certified {
                assert_eq!(class, prediction.class_index as usize);
            }
        }
    }
}

/// Another key draws other votes, so the comparison of a replay can fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn another_noise_key_draws_other_votes() {
    let runtime = Setup::pair("steep_g", "half_space").settings().runtime;
    let mut counter = VoteReplayer::load(&fixture("half_space"), &runtime, 16).unwrap();
    let input = Input::from_floats(&[0.03125; 4]);
    let tallies: HashSet<_> = (0..8)
        .map(|key| counter.count(&input, [key; 32], 16, 2000, |_| {}).unwrap().1)
        .collect();
    assert!(tallies.len() > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn noise_keys_are_unique_and_follow_from_the_secret() {
    let mut keys = Vec::new();
    for secret in [[1; 32], [1; 32], [2; 32]] {
        let server = TestServer::start(Setup::pair("steep_g", "half_space").secret(secret)).await;
        let mut of_server = Vec::new();
        for _ in 0..3 {
            let request = messages::predict_request(floats(&[[0.25; 4], [0.25; 4]]));
            let response = server.client().await.predict(request).await.unwrap().into_inner();
            of_server.extend(
                response
                    .predictions
                    .iter()
                    .map(|prediction| key(certificate(prediction))),
            );
        }
        let distinct: HashSet<_> = of_server.iter().copied().collect();
        assert_eq!(distinct.len(), 6, "a key was used twice");
        keys.push(distinct);
    }
    assert_eq!(keys[0], keys[1]);
    assert!(keys[0].is_disjoint(&keys[2]));
}
