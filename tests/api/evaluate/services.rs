//! `certimix evaluate --endpoint` on running servers.

use std::collections::HashSet;
use std::path::Path;
use std::process::Output;

use certimix::certificate::noise::NoiseKey;
use certimix::classifier::OutputWorker;
use certimix::domain::{Input, RobustOutput};
use certimix::evaluation::{EvaluationHeader, EvaluationRecord};

use super::{evaluate, output_path, records, write_csv};
use crate::support::{Setup, TestServer, process};

const COUNT: usize = 120;

fn inputs() -> Vec<[f32; 4]> {
    let value = |index: usize, step: usize| ((index * step) % 41) as f32 / 20.5 - 1.0;
    (0..COUNT)
        .map(|index| [value(index, 7), value(index, 11), value(index, 3), value(index, 5)])
        .collect()
}

fn lipschitz() -> Setup {
    Setup::pair("linear_g", "linear_h")
        .with("mixture.alpha", 0.76)
        .with("mixture.fallback_alpha", 0.1)
        .batch_size(4)
}

fn smoothed() -> Setup {
    Setup::pair("steep_g", "half_space")
        .with("mixture.alpha", 0.76)
        .with("certificate.predict_votes", 64)
        .with("certificate.selection_votes", 16)
        .batch_size(16)
}

/// Runs the command on `servers`. The command is another process, so the servers go on meanwhile.
async fn evaluate_on(setup: &Setup, data: &Path, servers: &[&TestServer], more: &[&str]) -> Output {
    let addresses: Vec<String> = servers.iter().map(|server| server.address.to_string()).collect();
    let mut arguments: Vec<String> = ["evaluate", data.to_str().unwrap(), "--out"]
        .map(str::to_owned)
        .to_vec();
    arguments.push(output_path(setup).to_str().unwrap().to_owned());
    for address in addresses {
        arguments.extend(["--endpoint".to_owned(), address]);
    }
    arguments.extend(more.iter().map(|&word| word.to_owned()));
    tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        process::run(&arguments, &[])
    })
    .await
    .unwrap()
}

fn without_run(header: &EvaluationHeader) -> EvaluationHeader {
    EvaluationHeader {
        created: String::new(),
        ..header.clone()
    }
}

fn without_times(records: Vec<EvaluationRecord>) -> Vec<EvaluationRecord> {
    let without_time = |record| EvaluationRecord { seconds: 0.0, ..record };
    records.into_iter().map(without_time).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_services_return_the_rows_of_a_run_here() {
    let setup = lipschitz();
    let data = write_csv(&setup, &inputs());
    let output = evaluate(&setup, &data, &[]);
    assert!(output.status.success(), "{output:?}");
    let (header, here) = records(&setup);
    // Another alpha changes no record.
    let (first, second) = (
        TestServer::start(lipschitz()).await,
        TestServer::start(lipschitz().with("mixture.alpha", 0.9)).await,
    );
    let output = evaluate_on(&setup, &data, &[&first, &second], &["--overwrite"]).await;
    assert!(output.status.success(), "{output:?}");
    let (header_of_services, there) = records(&setup);
    assert_eq!(without_run(&header_of_services), without_run(&header));
    assert_eq!(there.len(), COUNT);
    assert_eq!(without_times(there), without_times(here));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_votes_of_a_service_can_be_drawn_again() {
    let setup = smoothed();
    let data = write_csv(&setup, &inputs());
    let server = TestServer::start(smoothed()).await;
    let output = evaluate_on(&setup, &data, &[&server], &["--votes", "100"]).await;
    assert!(output.status.success(), "{output:?}");
    let (header, records) = records(&setup);
    let sampling = header.sampling.as_ref().unwrap();
    assert_eq!(
        (
            sampling.selection_votes,
            sampling.estimation_votes,
            sampling.noise_secret
        ),
        (16, 100, None)
    );
    let (conditions, mut workers) = OutputWorker::load(&setup.settings()).unwrap();
    assert_eq!(Some(sampling.total_variation), conditions.total_variation);
    assert_eq!(
        (header.guarantee, header.input),
        (conditions.models.robust.guarantee, conditions.spec)
    );
    let keys: HashSet<_> = records.iter().map(|record| record.noise_key).collect();
    assert_eq!((records.len(), keys.len()), (COUNT, COUNT));
    for (record, values) in records.iter().zip(inputs()) {
        let key = NoiseKey::from_bytes(record.noise_key.unwrap());
        let (drawn, _) = workers[0].draw_votes(&Input::from_floats(&values), &key, 116).unwrap();
        assert_eq!(record.robust, RobustOutput::Votes(drawn.votes));
        assert_eq!(record.snapping_loss, drawn.snapping_loss);
    }
}

/// Nothing can be certified at this alpha, and the votes are drawn all the same: they serve every
/// other alpha.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_certifies_nothing_draws_every_vote() {
    let setup = smoothed();
    let data = write_csv(&setup, &inputs()[..10]);
    let server = TestServer::start(smoothed().with("mixture.alpha", 0.5)).await;
    let output = evaluate_on(&setup, &data, &[&server], &["--votes", "5000"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(records(&setup).1.len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_with_different_models_are_refused() {
    let setup = lipschitz();
    let data = write_csv(&setup, &inputs());
    let (first, second) = (
        TestServer::start(lipschitz()).await,
        TestServer::start(smoothed()).await,
    );
    let output = evaluate_on(&setup, &data, &[&first, &second], &[]).await;
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("differs from"), "{text}");
    assert!(
        text.contains(&second.address.to_string()) && text.contains("model"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_votes_than_a_service_allows_are_refused() {
    let setup = smoothed();
    let data = write_csv(&setup, &inputs());
    let server = TestServer::start(
        smoothed()
            .with("certificate.max_votes", 500)
            .with("certificate.certify_votes", 400),
    )
    .await;
    let output = evaluate_on(&setup, &data, &[&server], &["--votes", "501"]).await;
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("at most 500 votes"), "{text}");
}
