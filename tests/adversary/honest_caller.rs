//! A caller that sends one request after the other beside an attack.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tonic::Code;
use tonic::transport::Endpoint;

use crate::support::messages::{CLEAR_INPUT, floats, predict_request};
use crate::support::server::{Client, TEST_TIMEOUT};

/// The deadline of each request. An attack that the server does not bear costs many seconds.
const DEADLINE: Duration = Duration::from_secs(5);

/// A caller with a connection of its own.
pub struct HonestCaller {
    stopped: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    requests: JoinHandle<HonestResults>,
}

/// The results of an honest caller.
#[derive(Debug, Default)]
pub struct HonestResults {
    /// The requests that were answered.
    pub answered: usize,
    /// The codes of the requests that were not.
    pub failures: Vec<Code>,
    /// The time that each answer took.
    latencies: Vec<Duration>,
}

impl HonestResults {
    /// The time that `share` of the answers did not exceed. No test asserts it.
    pub fn latency(&self, share: f64) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        let rank = (last as f64 * share).round() as usize;
        sorted.get(rank).copied().unwrap_or_default()
    }
}

impl HonestCaller {
    /// Connects, and sends requests until [`HonestCaller::stop`].
    pub async fn start(address: SocketAddr) -> Self {
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let mut client = Client::new(channel.connect().await.unwrap());
        let stopped = Arc::new(AtomicBool::new(false));
        let is_stopped = Arc::clone(&stopped);
        let answered = Arc::new(AtomicUsize::new(0));
        let total = Arc::clone(&answered);
        let requests = tokio::spawn(async move {
            let mut results = HonestResults::default();
            while !is_stopped.load(Ordering::Relaxed) {
                let mut request = tonic::Request::new(predict_request(floats(&[CLEAR_INPUT])));
                request.set_timeout(DEADLINE);
                let sent_at = Instant::now();
                match client.predict(request).await {
                    Ok(_) => {
                        results.answered += 1;
                        total.store(results.answered, Ordering::Relaxed);
                        results.latencies.push(sent_at.elapsed());
                    }
                    Err(status) => {
                        results.failures.push(status.code());
                        // A connection to a server that is gone fails at once, without a wait in which a failed
                        // test could end this task.
                        tokio::task::yield_now().await;
                    }
                }
            }
            results
        });
        Self {
            stopped,
            answered,
            requests,
        }
    }

    /// Waits until `requests` more have been answered, or the caller has failed.
    pub async fn wait_for_answers(&self, requests: usize) {
        let target = self.answered.load(Ordering::Relaxed) + requests;
        let answered = async {
            while self.answered.load(Ordering::Relaxed) < target {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let result = tokio::time::timeout(TEST_TIMEOUT, answered).await;
        result.expect("the honest caller is not answered");
    }

    /// Stops, and returns the results.
    pub async fn stop(self) -> HonestResults {
        self.stopped.store(true, Ordering::Relaxed);
        self.requests.await.unwrap()
    }

    /// Stops. Every request must have been answered.
    pub async fn assert_unharmed(self) {
        let results = self.stop().await;
        assert!(results.answered > 0, "{results:?}");
        assert!(results.failures.is_empty(), "{results:?}");
    }
}
