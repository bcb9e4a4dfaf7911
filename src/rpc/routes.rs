//! Combines the gRPC services of the server: both protocols, health and reflection.

use std::sync::Arc;

use tonic::service::Routes;

use super::common::handler_context::HandlerContext;
use super::common::message_size_limit::MessageSizeLimit;
use super::connections::MethodDescriptors;
use super::health::HealthReporter;
use super::mixed_classifier::MixedClassifierService;
use super::mixed_classifier::proto::mixed_classifier_server::MixedClassifierServer;
use super::open_inference::OpenInferenceService;
use super::open_inference::proto::grpc_inference_service_server::GrpcInferenceServiceServer;
use super::{mixed_classifier, open_inference};
use crate::settings::OpenInferenceSettings;

/// The services of one server.
pub(super) struct ServerRoutes {
    pub(super) routes: Routes,
    /// The methods of all services.
    pub(super) methods: MethodDescriptors,
    pub(super) health: HealthReporter,
}

impl ServerRoutes {
    /// Builds the services. Their health starts as NOT_SERVING.
    ///
    /// # Errors
    /// The descriptors of a service are invalid.
    pub(super) async fn build(
        context: HandlerContext,
        settings: &OpenInferenceSettings,
    ) -> Result<Self, tonic_reflection::server::Error> {
        let mut classifier_descriptors = vec![mixed_classifier::proto::DESCRIPTORS];
        classifier_descriptors.extend(settings.enabled.then_some(open_inference::proto::DESCRIPTORS));
        let classifier_services = MethodDescriptors::read(&classifier_descriptors)?;
        let (health, health_service) = HealthReporter::new(classifier_services.services()).await;

        let mut reflected_descriptors = classifier_descriptors;
        reflected_descriptors.push(tonic_health::pb::FILE_DESCRIPTOR_SET);
        let reflection = || {
            let builder = tonic_reflection::server::Builder::configure();
            reflected_descriptors.iter().fold(builder, |builder, set| {
                builder.register_encoded_file_descriptor_set(set)
            })
        };
        let mut routes = Routes::new(health_service)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?)
            .add_service(mixed_classifier_server(context.clone()));
        if settings.enabled {
            let service = OpenInferenceService::new(context.clone(), health.clone(), settings.model_name.clone());
            routes = routes.add_service(open_inference_server(service, &context));
        }

        let mut all_descriptors = reflected_descriptors;
        all_descriptors.extend([
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ]);
        let methods = MethodDescriptors::read(&all_descriptors)?;
        let routes = routes.prepare();
        Ok(Self {
            routes,
            methods,
            health,
        })
    }
}

fn mixed_classifier_server(context: HandlerContext) -> MessageSizeLimit<MixedClassifierServer<MixedClassifierService>> {
    let live = Arc::clone(&context.live);
    let server = MixedClassifierServer::new(MixedClassifierService::new(context));
    MessageSizeLimit::new(server, live, |server, max_request, max_response| {
        server
            .max_decoding_message_size(max_request)
            .max_encoding_message_size(max_response)
    })
}

fn open_inference_server(
    service: OpenInferenceService,
    context: &HandlerContext,
) -> MessageSizeLimit<GrpcInferenceServiceServer<OpenInferenceService>> {
    let live = Arc::clone(&context.live);
    let server = GrpcInferenceServiceServer::new(service);
    MessageSizeLimit::new(server, live, |server, max_request, max_response| {
        server
            .max_decoding_message_size(max_request)
            .max_encoding_message_size(max_response)
    })
}
