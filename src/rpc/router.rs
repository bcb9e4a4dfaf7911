//! Puts the services together and serves them until it is told to stop.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

use super::answering::{Service, Stop};
use super::call::Calls;
use super::early_errors;
use super::listeners::Listeners;
use super::proto::DESCRIPTORS;
use super::proto::mixed_classifier_server::{MixedClassifierServer, SERVICE_NAME};
use crate::live::Live;
use crate::settings::ServerSettings;
use crate::telemetry::call::Observers;

/// Bytes that one stream may have sent and nobody read,
const STREAM_WINDOW: u32 = 256 << 10;
/// and all streams of one connection.
const CONNECTION_WINDOW: u32 = 32 << 20;

/// What health checks are told. Starts as not serving.
#[derive(Clone)]
pub struct Health {
    reporter: HealthReporter,
    serving: Arc<AtomicBool>,
}

impl Health {
    /// Tells every service's health at once, the overall one included.
    pub async fn set_serving(&self, serving: bool) {
        self.serving.store(serving, Ordering::Relaxed);
        let status = if serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for service in ["", SERVICE_NAME] {
            self.reporter.set_service_status(service, status).await;
        }
    }

    /// What it was told last.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Relaxed)
    }
}

/// A server that runs, and its health.
pub struct Serving<F> {
    /// Ends when the listeners are closed and every connection is done.
    pub done: F,
    /// Not serving until told otherwise.
    pub health: Health,
}

/// Serves on `listeners` until `stop` comes; then closes them and waits for the connections. `observers` are told of every call.
///
/// # Errors
/// If the services cannot be put together.
pub async fn serve(
    listeners: Listeners,
    live: Arc<Live>,
    settings: ServerSettings,
    observers: Observers,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<Serving<impl Future<Output = Result<(), tonic::transport::Error>>>, tonic_reflection::server::Error> {
    let (reporter, health_service) = health_reporter();
    let health = Health {
        reporter,
        serving: Arc::default(),
    };
    health.set_serving(false).await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let stop: Stop = stop.boxed().shared();
    let max_message_bytes = settings.max_message_bytes;
    let calls = Calls::new(observers);
    let service = Service {
        live,
        server: Arc::new(settings),
        calls: calls.clone(),
        stop: stop.clone(),
    };
    let classifier = MixedClassifierServer::new(service)
        .max_decoding_message_size(max_message_bytes)
        .max_encoding_message_size(max_message_bytes.max(4 << 20));
    let router = Server::builder()
        .layer(tower::util::MapResponseLayer::new(move |response| {
            early_errors::correct(response, &calls)
        }))
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .max_concurrent_streams(1024)
        // h2 ends a connection on which half of its window is taken by frames of a few bytes that nobody has read. With these windows
        // a stream of small requests that waits for its turn is held back by its own window long before.
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(16 << 10)
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(classifier);
    let (tcp, unix) = listeners.incoming();
    let tcp = router.clone().serve_with_incoming_shutdown(tcp, stop.clone());
    let unix = unix.map(|unix| router.serve_with_incoming_shutdown(unix, stop));
    // Boxed: two servers are too large a future to be passed around.
    let done = Box::pin(async {
        match unix {
            Some(unix) => tokio::try_join!(tcp, unix).map(|_| ()),
            None => tcp.await,
        }
    });
    Ok(Serving { done, health })
}
