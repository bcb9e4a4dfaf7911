//! Puts the services together and serves them until it is told to stop.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use super::access::AccessControl;
use super::common::call_tracker::Calls;
use super::common::classify::{Service, Stop};
use super::common::message_size::Limited;
use super::connections::{ConnectionCounts, Methods, Server, accept};
use super::health::Health;
use super::listeners::Listeners;
use super::mixed_classifier::proto::DESCRIPTORS;
use super::mixed_classifier::proto::mixed_classifier_server::MixedClassifierServer;
use super::open_inference::proto::grpc_inference_service_server::GrpcInferenceServiceServer;
use super::open_inference::{self, OpenInference};
use crate::call::Observers;
use crate::live::Live;
use crate::settings::OpenInferenceSettings;

/// A server that runs, and its health.
pub struct Serving<F> {
    /// Ends when the listeners are closed and every connection is done. Dropped before that, it cuts whatever is open.
    pub done: F,
    /// Not serving until told otherwise.
    pub health: Health,
    /// What became of its connections.
    pub connections: Arc<ConnectionCounts>,
}

/// Serves on `listeners` whoever `access` lets in, until `stop` comes; then closes them, asks every connection to end, and waits for
/// the requests that are in flight. Who has none is closed at once, or after a second if it does not go. `observers` are told of
/// every call.
///
/// # Errors
/// If the services cannot be put together.
pub async fn serve(
    listeners: Listeners,
    live: Arc<Live>,
    open_inference: &OpenInferenceSettings,
    access: Arc<AccessControl>,
    observers: Observers,
    stop: BoxFuture<'static, ()>,
) -> Result<Serving<impl Future<Output = Result<(), Infallible>> + use<>>, tonic_reflection::server::Error> {
    let mut own = vec![DESCRIPTORS];
    own.extend(open_inference.enabled.then_some(open_inference::proto::DESCRIPTORS));
    let described = own.iter().copied().chain([tonic_health::pb::FILE_DESCRIPTOR_SET]);
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure();
        described.clone().fold(builder, |builder, set| {
            builder.register_encoded_file_descriptor_set(set)
        })
    };
    let every = described.clone().chain([
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ]);
    let methods = Methods::read(&every.collect::<Vec<_>>())?;
    let (health, health_service) = Health::new(Methods::read(&own)?.services()).await;
    let stop: Stop = stop.shared();
    let calls = Calls::new(observers);
    let service = Service {
        live: Arc::clone(&live),
        calls: calls.clone(),
        stop: stop.clone(),
    };
    let open_inference = open_inference.enabled.then(|| {
        let name = open_inference.model_name.clone();
        let service = OpenInference::new(service.clone(), health.clone(), name);
        Limited::new(
            GrpcInferenceServiceServer::new(service),
            Arc::clone(&live),
            |server, request, answer| {
                server
                    .max_decoding_message_size(request)
                    .max_encoding_message_size(answer)
            },
        )
    });
    let classifier = Limited::new(
        MixedClassifierServer::new(service),
        Arc::clone(&live),
        |server, request, answer| {
            server
                .max_decoding_message_size(request)
                .max_encoding_message_size(answer)
        },
    );
    let mut routes = Routes::new(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(classifier);
    if let Some(open_inference) = open_inference {
        routes = routes.add_service(open_inference);
    }
    let routes = routes.prepare();
    let (tell_stopping, stopping) = watch::channel(false);
    let connections = Arc::new(ConnectionCounts::default());
    let counts = Arc::clone(&connections);
    let server = Arc::new(Server::new(routes, methods, live, calls, access, counts, stopping));
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
