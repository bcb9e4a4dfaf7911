//! Reports the health of the server to gRPC health checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::health_reporter;

/// The service name for liveness probes. Its status is always SERVING.
const LIVENESS: &str = "liveness";

/// Sets the status that health checks return.
///
/// The status of each service is the server's readiness. The status of `liveness` is SERVING as long as
/// the server runs.
#[derive(Clone)]
pub struct HealthReporter {
    reporter: tonic_health::server::HealthReporter,
    is_serving: Arc<AtomicBool>,
    services: Vec<String>,
}

impl HealthReporter {
    /// A reporter and its gRPC service. The status of `services` and of the whole server (`""`) starts
    /// as NOT_SERVING.
    pub(super) async fn new(services: &[String]) -> (Self, HealthServer<impl Health>) {
        let (reporter, service) = health_reporter();
        let whole_server = std::iter::once(String::new());
        let health = Self {
            reporter,
            is_serving: Arc::default(),
            services: whole_server.chain(services.iter().cloned()).collect(),
        };
        health.set_serving(false).await;
        health
            .reporter
            .set_service_status(LIVENESS, ServingStatus::Serving)
            .await;
        (health, service)
    }

    /// Sets the readiness of every service and of the whole server.
    pub async fn set_serving(&self, is_serving: bool) {
        self.is_serving.store(is_serving, Ordering::Relaxed);
        let status = if is_serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for service in &self.services {
            self.reporter.set_service_status(service, status).await;
        }
    }

    /// The readiness that was set last.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.is_serving.load(Ordering::Relaxed)
    }
}
