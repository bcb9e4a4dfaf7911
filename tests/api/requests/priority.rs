//! Priority over the wire: what each RPC means without one, who may ask for what, and that it is obeyed.
//!
//! A queue of four rows has room for three bulk rows: a request of four tells its class by whether it is admitted.

use certimix::rpc::proto::{CertifyRequest, GetModelInfoRequest, PredictRequest, Priority};
use tonic::{Code, Status};

use crate::support::messages::{certify_request, certify_with_votes, floats, violated_fields};
use crate::support::server::Client;
use crate::support::{Setup, TestServer, messages};

fn four_rows() -> Setup {
    Setup::pair("linear_g", "linear_h")
        .with("server.max_inputs", 4)
        .with("scheduler.queue_rows", 4)
}

fn votes() -> Setup {
    Setup::pair("steep_g", "half_space")
        .with("certificate.predict_votes", 50)
        .with("certificate.certify_votes", 200)
        .with("certificate.max_votes", 500)
}

fn interactive(request: CertifyRequest) -> CertifyRequest {
    CertifyRequest {
        priority: Priority::Interactive.into(),
        ..request
    }
}

async fn predict(client: &mut Client, priority: i32) -> Result<(), Status> {
    let request = PredictRequest {
        priority,
        ..messages::predict_request(floats(&[[0.5; 4]; 4]))
    };
    client.predict(request).await.map(drop)
}

async fn certify_four(client: &mut Client, priority: i32) -> Result<(), Status> {
    let request = CertifyRequest {
        priority,
        ..certify_request(floats(&[[0.5; 4]; 4]))
    };
    client.certify(request).await.map(drop)
}

#[track_caller]
fn assert_bulk(outcome: Result<(), Status>) {
    let status = outcome.expect_err("a bulk request of four rows was admitted");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().contains("of 3 rows"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_class_is_the_callers_or_that_of_the_rpc() {
    let server = TestServer::start(four_rows()).await;
    let mut client = server.client().await;
    let (unspecified, bulk) = (Priority::Unspecified.into(), Priority::Bulk.into());
    let interactive = Priority::Interactive.into();
    predict(&mut client, unspecified).await.unwrap();
    predict(&mut client, interactive).await.unwrap();
    assert_bulk(predict(&mut client, bulk).await);
    assert_bulk(certify_four(&mut client, unspecified).await);
    assert_bulk(certify_four(&mut client, bulk).await);
    // No votes are drawn for this model, so there is no budget to limit.
    certify_four(&mut client, interactive).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn unknown_priorities_are_refused() {
    let server = TestServer::start(four_rows()).await;
    let mut client = server.client().await;
    for unknown in [3, -1, i32::MAX] {
        assert_eq!(
            violated_fields(&predict(&mut client, unknown).await.unwrap_err()),
            ["priority"]
        );
        assert_eq!(
            violated_fields(&certify_four(&mut client, unknown).await.unwrap_err()),
            ["priority"]
        );
    }
}

async fn assert_refused(client: &mut Client, request: CertifyRequest, told: &str) {
    let streamed = client.certify_stream(request.clone()).await.map(drop).unwrap_err();
    for status in [client.certify(request).await.map(drop).unwrap_err(), streamed] {
        assert_eq!(violated_fields(&status), ["priority"]);
        assert!(status.message().contains(told), "no \"{told}\" in {}", status.message());
    }
}

async fn assert_allowed(client: &mut Client, request: CertifyRequest) {
    client.certify(request.clone()).await.unwrap();
    let mut stream = client.certify_stream(request).await.unwrap().into_inner();
    while stream.message().await.unwrap().is_some() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_interactive_certify_keeps_to_the_operators_limit() {
    let inputs = || floats(&[[0.25; 4]]);
    // By default what Predict may draw.
    for (setup, limit) in [(votes(), 50), (votes().with("certificate.interactive_votes", 120), 120)] {
        let server = TestServer::start(setup).await;
        let mut client = server.client().await;
        assert_allowed(&mut client, interactive(certify_with_votes(inputs(), limit))).await;
        let told = format!("vote_budget of {limit} at most");
        assert_refused(&mut client, interactive(certify_with_votes(inputs(), limit + 1)), &told).await;
        // The default budget of 200 is the caller's too.
        assert_refused(&mut client, interactive(certify_request(inputs())), &told).await;
        assert_allowed(&mut client, certify_with_votes(inputs(), 500)).await;
        let info = client.get_model_info(GetModelInfoRequest {}).await.unwrap();
        assert_eq!(info.into_inner().certification.unwrap().interactive_votes, limit);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_operator_may_forbid_it() {
    let forbidden = "certificate.interactive_votes = 0";
    for setup in [votes(), four_rows()] {
        let server = TestServer::start(setup.with("certificate.interactive_votes", 0)).await;
        let mut client = server.client().await;
        let one = certify_with_votes(floats(&[[0.25; 4]]), 1);
        assert_refused(&mut client, interactive(one.clone()), forbidden).await;
        assert_allowed(&mut client, one).await;
        predict(&mut client, Priority::Interactive.into()).await.unwrap();
    }
}
