//! What health checks are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthRpc, HealthServer};
use tonic_health::server::{HealthReporter, health_reporter};

/// The name under which a server tells that it lives, whatever it can serve: for liveness probes.
const LIVENESS: &str = "liveness";

/// What health checks are told: of every service, readiness; of `liveness`, that the server lives.
#[derive(Clone)]
pub struct Health {
    reporter: HealthReporter,
    serving: Arc<AtomicBool>,
    services: Vec<String>,
}

impl Health {
    /// Not serving yet, but living; and the service that says so. `services` are told of beside the whole (`""`).
    pub(super) async fn new(services: &[String]) -> (Self, HealthServer<impl HealthRpc>) {
        let (reporter, service) = health_reporter();
        let whole = std::iter::once(String::new());
        let health = Self {
            reporter,
            serving: Arc::default(),
            services: whole.chain(services.iter().cloned()).collect(),
        };
        health.set_serving(false).await;
        let lives = ServingStatus::Serving;
        health.reporter.set_service_status(LIVENESS, lives).await;
        (health, service)
    }

    /// Tells every service's readiness at once, that of the whole included.
    pub async fn set_serving(&self, serving: bool) {
        self.serving.store(serving, Ordering::Relaxed);
        let status = if serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for service in &self.services {
            self.reporter.set_service_status(service, status).await;
        }
    }

    /// What it was told last.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Relaxed)
    }
}
