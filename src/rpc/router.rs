//! Puts the services together and serves them until it is told to stop.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use super::access::Gate;
use super::answering::{Service, Stop};
use super::connections::{ConnectionCounts, Methods, Server, accept};
use super::health::Health;
use super::listeners::Listeners;
use super::proto::DESCRIPTORS;
use super::proto::mixed_classifier_server::MixedClassifierServer;
use crate::live::Live;
use crate::settings::ServerSettings;

/// A server that runs, and its health.
pub struct Serving<F> {
    /// Ends when the listeners are closed and every connection is done. Dropped before that, it cuts whatever is open.
    pub done: F,
    /// Not serving until told otherwise.
    pub health: Health,
    /// What became of its connections.
    pub connections: Arc<ConnectionCounts>,
}

/// Serves on `listeners` whoever `gate` lets in, until `stop` comes; then closes them, asks every connection to end, and waits for
/// the requests that are in flight. Who has none is closed at once, or after a second if it does not go.
///
/// # Errors
/// If the services cannot be put together.
pub async fn serve(
    listeners: Listeners,
    live: Arc<Live>,
    settings: ServerSettings,
    gate: Arc<Gate>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<Serving<impl Future<Output = Result<(), Infallible>>>, tonic_reflection::server::Error> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let methods = Methods::read(&[
        DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ])?;
    let (health, health_service) = Health::new(Methods::read(&[DESCRIPTORS])?.services()).await;
    let stop: Stop = stop.boxed().shared();
    let max_message_bytes = settings.max_message_bytes;
    let service = Service {
        live,
        server: Arc::new(settings.clone()),
        stop: stop.clone(),
    };
    let classifier = MixedClassifierServer::new(service)
        .max_decoding_message_size(max_message_bytes)
        .max_encoding_message_size(max_message_bytes.max(4 << 20));
    let routes = Routes::new(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(classifier)
        .prepare();
    let (tell_stopping, stopping) = watch::channel(false);
    let connections = Arc::new(ConnectionCounts::default());
    let counts = Arc::clone(&connections);
    let server = Arc::new(Server::new(routes, methods, settings, gate, counts, stopping));
    // Boxed: the loops are too large a future to be passed around.
    let done = Box::pin(async move {
        let tasks = TaskTracker::new();
        let (tcp, unix) = listeners.into_parts();
        let tcp = accept(tcp, Arc::clone(&server), tasks.clone());
        let unix = unix.map(|unix| accept(unix, server, tasks.clone()));
        let stopped = async {
            stop.await;
            tell_stopping.send_replace(true);
        };
        let unix = async {
            if let Some(unix) = unix {
                unix.await;
            }
        };
        tokio::join!(stopped, tcp, unix);
        tasks.close();
        tasks.wait().await;
        Ok(())
    });
    Ok(Serving {
        done,
        health,
        connections,
    })
}
