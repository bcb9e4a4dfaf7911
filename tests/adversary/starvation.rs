//! One caller cannot take the models from the others.
//!
//! A row of the slow models takes about 20 ms, and there is one executor, so that one request of many
//! inputs is seconds of work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use certimix::rpc::proto::{CertifyRequest, PredictRequest};
use tokio::task::JoinHandle;
use tonic::{Code, Request, Status};

use crate::support::messages::{CLEAR_INPUT, certify_with_votes, floats, predict_request};
use crate::support::process::ServerProcess;
use crate::support::scrape::Scrape;
use crate::support::server::{Client, connect};
use crate::support::{Setup, TestServer};

const GREEDY_CALLERS: usize = 8;
const HONEST_REQUESTS: usize = 12;

fn slow_votes() -> Setup {
    Setup::pair("linear_g", "slow_smoothed")
        .batch_size(1)
        .with("certificate.selection_votes", 1)
        .with("certificate.max_votes", 1_000_000)
        .with("certificate.predict_votes", 4)
        .with("certificate.failure_probability", 0.4)
        .text("server.max_request_time", "1m")
}

fn slow_rows() -> Setup {
    Setup::pair("slow_g", "slow_h").batch_size(1)
}

fn within<T>(message: T, deadline: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}

fn inputs(count: usize) -> PredictRequest {
    predict_request(floats(&vec![CLEAR_INPUT; count]))
}

fn votes(votes: u64) -> CertifyRequest {
    CertifyRequest {
        failure_probability: Some(0.4),
        ..certify_with_votes(floats(&[CLEAR_INPUT]), votes)
    }
}

/// Callers, each on a connection of its own, that send one request after the other.
struct Greedy {
    stopped: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    callers: Vec<JoinHandle<()>>,
}

impl Greedy {
    async fn start<F, R>(server: &TestServer, callers: usize, send: F) -> Self
    where
        F: Fn(Client) -> R + Copy + Send + 'static,
        R: Future<Output = Result<(), Status>> + Send,
    {
        let (stopped, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut handles = Vec::new();
        for _ in 0..callers {
            let client = server.client().await;
            let (stopped, sent) = (Arc::clone(&stopped), Arc::clone(&sent));
            handles.push(tokio::spawn(async move {
                while !stopped.load(Ordering::Relaxed) {
                    let refused = send(client.clone()).await.is_err();
                    sent.fetch_add(1, Ordering::Relaxed);
                    if refused {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                }
            }));
        }
        Self {
            stopped,
            sent,
            callers: handles,
        }
    }

    /// Ends the callers with their requests. Returns how many requests they sent.
    fn stop(self) -> usize {
        self.stopped.store(true, Ordering::Relaxed);
        for caller in &self.callers {
            caller.abort();
        }
        self.sent.load(Ordering::Relaxed)
    }
}

/// Sends honest Predicts one after the other, and returns how many are answered.
async fn honest_predicts(server: &TestServer, deadline: Duration) -> usize {
    let mut client = server.client().await;
    let mut answered = 0;
    for _ in 0..HONEST_REQUESTS {
        match client.predict(within(inputs(1), deadline)).await {
            Ok(_) => answered += 1,
            Err(status) => eprintln!("honest: {status:?}"),
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn predicts_that_cannot_meet_their_deadline_do_not_delay_others() {
    let server = TestServer::start(slow_rows()).await;
    // 64 inputs take at least 2.5 s.
    let impossible = |mut client: Client| async move {
        let status = client
            .predict(within(inputs(64), Duration::from_millis(800)))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
        Err(status)
    };
    let refused = server
        .client()
        .await
        .predict(within(inputs(64), Duration::from_millis(800)))
        .await;
    let message = refused.unwrap_err().message().to_owned();
    assert!(message.contains("by themselves"), "the idle server tries it: {message}");
    let greedy = Greedy::start(&server, 2, impossible).await;
    let answered = honest_predicts(&server, Duration::from_millis(1000)).await;
    assert!(greedy.stop() > 2);
    assert_eq!(answered, HONEST_REQUESTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_greedy_callers_leave_an_honest_one_its_share() {
    let server = TestServer::start(slow_rows()).await;
    let many = |mut client: Client| async move {
        let request = within(inputs(16), Duration::from_secs(20));
        client.predict(request).await.map(drop)
    };
    let greedy = Greedy::start(&server, GREEDY_CALLERS, many).await;
    // They fill the queue: 16 inputs of each take seconds.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let answered = honest_predicts(&server, Duration::from_millis(2500)).await;
    assert!(greedy.stop() >= 1);
    assert_eq!(answered, HONEST_REQUESTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certification_with_a_huge_budget_leaves_room_for_another_one() {
    let server = TestServer::start(slow_votes()).await;
    let huge = |mut client: Client| async move {
        let request = within(votes(1_000_000), Duration::from_secs(50));
        client.certify(request).await.map(drop)
    };
    let greedy = Greedy::start(&server, 1, huge).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut client = server.client().await;
    for _ in 0..3 {
        let response = client.certify(within(votes(3), Duration::from_secs(5))).await.unwrap();
        let prediction = &response.get_ref().predictions[0];
        assert!(prediction.certificate.as_ref().unwrap().votes_drawn >= 3);
    }
    greedy.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn predicts_of_many_inputs_do_not_shut_out_certifications() {
    let server = TestServer::start(slow_votes()).await;
    // 64 inputs with four votes each and more are 5 s of work.
    let many = |mut client: Client| async move {
        let request = within(inputs(64), Duration::from_secs(50));
        client.predict(request).await.map(drop)
    };
    let greedy = Greedy::start(&server, 2, many).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut client = server.client().await;
    let response = client.certify(within(votes(2), Duration::from_secs(4))).await.unwrap();
    let prediction = &response.get_ref().predictions[0];
    assert!(prediction.certificate.as_ref().unwrap().votes_drawn >= 2);
    greedy.stop();
}

/// The operator names a caller by the name of its token, and bounds its part of the queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_named_caller_is_bounded_and_counted_by_its_name() {
    const TOKEN: &str = "0123456789abcdef";
    let entry = "[{ name = \"planner\", token = \"planner-key\", max_share = 0.25 }]";
    let setup = slow_rows()
        .text("server.bearer_token_file", "tokens")
        .text("metrics.listen", "127.0.0.1:0")
        .with("scheduler.queue_rows", 64)
        .with("scheduler.callers", entry);
    setup.file("tokens", format!("planner-key {TOKEN}\n").as_bytes());
    let server = ServerProcess::spawn(&setup.write());
    let (address, metrics) = server.addresses();
    let metrics = metrics.unwrap();
    let client = connect(format!("http://{address}")).await;
    let send = |count| {
        let mut client = client.clone();
        let mut request = Request::new(inputs(count));
        let value = format!("Bearer {TOKEN}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        tokio::spawn(async move { client.predict(request).await })
    };
    let first = send(40);
    let admissions = "certimix_caller_admissions_total{caller=\"planner\"}";
    Scrape::poll_until(metrics, |scrape| scrape.series.get(admissions) == Some(&1.0));
    let refused = send(1).await.unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    assert!(
        refused
            .message()
            .contains("the caller's share of the queue is exhausted"),
        "{refused:?}"
    );
    first.await.unwrap().unwrap();
    let scrape = Scrape::fetch(metrics);
    for (series, expected) in [
        (
            "certimix_caller_refusals_total{caller=\"planner\",reason=\"share_exhausted\"}",
            1.0,
        ),
        ("certimix_caller_rows_total{caller=\"planner\",model=\"robust\"}", 40.0),
        ("certimix_caller_rows_total{caller=\"other\",model=\"robust\"}", 0.0),
    ] {
        assert_eq!(scrape.series.get(series), Some(&expected), "{series}");
    }
}
