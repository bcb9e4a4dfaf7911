//! A burst of Predicts that are in flight at the same time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use certimix::rpc::proto::PredictResponse;
use tokio::task::JoinHandle;
use tonic::{Response, Status};

use super::messages::{floats, predict_request};
use super::scrape::Scrape;
use super::server::{Client, TEST_TIMEOUT};

/// Requests of which each is answered or admitted.
pub struct RequestBurst {
    /// The calls, in the order in which they were sent.
    pub calls: Vec<JoinHandle<Result<Response<PredictResponse>, Status>>>,
    /// The requests that were not answered yet when the last one had arrived.
    pub in_flight: usize,
}

impl RequestBurst {
    /// Sends `requests` requests with the input `x`, spread evenly over `clients`. Returns once the
    /// server has answered or admitted each of them, as its `metrics` report.
    pub async fn send(clients: Vec<Client>, requests: usize, x: [f32; 4], metrics: SocketAddr) -> Self {
        let answered = Arc::new(AtomicUsize::new(0));
        let mut calls = Vec::new();
        let requests_per_client = requests / clients.len();
        for client in clients {
            for _ in 0..requests_per_client {
                let (mut client, answered) = (client.clone(), Arc::clone(&answered));
                calls.push(tokio::spawn(async move {
                    let response = client.predict(predict_request(floats(&[x]))).await;
                    answered.fetch_add(1, Ordering::Relaxed);
                    response
                }));
            }
        }
        let all_arrived = async {
            loop {
                let answered_before = answered.load(Ordering::Relaxed);
                if answered_before + admitted_rows(metrics) >= requests {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(TEST_TIMEOUT, all_arrived)
            .await
            .expect("some requests did not arrive");
        let in_flight = requests - answered.load(Ordering::Relaxed);
        Self { calls, in_flight }
    }
}

/// Returns the number of admitted rows.
fn admitted_rows(metrics: SocketAddr) -> usize {
    let found = Scrape::fetch(metrics).value(r#"certimix_admitted_rows{model="robust"}"#);
    // A small whole number.
    found as usize
}
