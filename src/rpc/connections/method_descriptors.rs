//! Reads the services, the streaming methods and the messages from protobuf descriptors.

use prost::{DecodeError, Message as _};
use prost_types::FileDescriptorSet;

use crate::rpc::memory::{MessageSchemas, RequestSchema};

/// The one method with an endless response.
const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";

/// The services whose requests name nothing but a service.
const HEALTH_SERVICE: &str = "/grpc.health.v1.Health/";

/// The services of server reflection, of every version. Their one method is a stream.
const REFLECTION_SERVICES: &str = "/grpc.reflection.";

/// The methods whose requests hold tensors. `server.max_message_bytes` limits them.
const TENSOR_METHODS: [&str; 6] = [
    "/certimix.v1.MixedClassifier/Predict",
    "/certimix.v1.MixedClassifier/PredictStream",
    "/certimix.v1.MixedClassifier/Certify",
    "/certimix.v1.MixedClassifier/CertifyStream",
    "/inference.GRPCInferenceService/ModelInfer",
    "/inference.GRPCInferenceService/ModelStreamInfer",
];

/// The most bytes in a request of the health service.
pub(super) const MAX_HEALTH_MESSAGE_BYTES: usize = 1024;

/// The most bytes in a request that holds no tensor.
pub(super) const MAX_SMALL_MESSAGE_BYTES: usize = 4096;

/// The limits on the messages of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestLimits {
    /// The most bytes in one message.
    pub(super) message_bytes: usize,
    /// The setting that holds the limit; `None` for a fixed limit.
    pub(super) setting: Option<&'static str>,
    /// The fields of the messages; `None` for an unknown method.
    schema: Option<RequestSchema>,
}

/// The services and the client-streaming methods of a set of descriptors.
#[derive(Debug, Default)]
pub(in crate::rpc) struct MethodDescriptors {
    /// The paths of the methods with a request stream.
    client_streaming: Vec<String>,
    services: Vec<String>,
    schemas: MessageSchemas,
}

impl MethodDescriptors {
    /// Reads `descriptors`, each an encoded `FileDescriptorSet`.
    ///
    /// # Errors
    /// One of them is not an encoded `FileDescriptorSet`.
    pub(in crate::rpc) fn read(descriptors: &[&[u8]]) -> Result<Self, DecodeError> {
        let mut methods = Self::default();
        for &descriptors in descriptors {
            let set = FileDescriptorSet::decode(descriptors)?;
            methods.schemas.add(&set);
            for file in set.file {
                for service in &file.service {
                    let name = match file.package() {
                        "" => service.name().to_owned(),
                        package => format!("{package}.{}", service.name()),
                    };
                    let streaming = service.method.iter().filter(|method| method.client_streaming());
                    let paths = streaming.map(|method| format!("/{name}/{}", method.name()));
                    methods.client_streaming.extend(paths);
                    methods.services.push(name);
                }
            }
        }
        Ok(methods)
    }

    /// The full names of the services.
    pub(in crate::rpc) fn services(&self) -> &[String] {
        &self.services
    }

    /// Whether the method at `path` has a request stream.
    pub(super) fn is_client_streaming(&self, path: &str) -> bool {
        self.client_streaming.iter().any(|streaming| streaming == path)
    }

    /// The limits on the messages of the method at `path`. `max_message_bytes` is the setting.
    pub(super) fn limits(&self, path: &str, max_message_bytes: usize) -> RequestLimits {
        let (message_bytes, setting) = if TENSOR_METHODS.contains(&path) {
            (max_message_bytes, Some("server.max_message_bytes"))
        } else if path.starts_with(HEALTH_SERVICE) {
            (MAX_HEALTH_MESSAGE_BYTES, None)
        } else {
            (MAX_SMALL_MESSAGE_BYTES, None)
        };
        RequestLimits {
            message_bytes,
            setting,
            schema: self.schemas.request(path),
        }
    }

    /// An upper bound of the memory that `message` takes when it is decoded, beside its own bytes.
    pub(super) fn decoded_bytes(&self, limits: RequestLimits, message: &[u8], enough: usize) -> usize {
        self.schemas.decoded_bytes(limits.schema, message, enough)
    }

    /// Whether the method at `path` opens a stream that no model works for.
    pub(super) fn is_auxiliary_stream(path: &str) -> bool {
        Self::has_endless_response(path) || path.starts_with(REFLECTION_SERVICES)
    }

    /// Whether the response of the method at `path` ends only with its connection.
    pub(super) fn has_endless_response(path: &str) -> bool {
        path == HEALTH_WATCH
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::mixed_classifier::proto::DESCRIPTORS;

    #[test]
    fn client_streaming_methods_are_recognized() {
        let reflection = tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET;
        let methods = MethodDescriptors::read(&[DESCRIPTORS, reflection]).unwrap();
        assert!(methods.is_client_streaming("/certimix.v1.MixedClassifier/PredictStream"));
        assert!(methods.is_client_streaming("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
        assert!(!methods.is_client_streaming("/certimix.v1.MixedClassifier/CertifyStream"));
        assert!(methods.services().contains(&"certimix.v1.MixedClassifier".to_owned()));
    }

    /// The list of methods with tensors agrees with the descriptors: only the requests of
    /// inference hold tensors.
    #[test]
    fn every_method_without_a_tensor_has_a_small_limit() {
        const MAX_MESSAGE_BYTES: usize = 5_000_000;
        let mixed = crate::rpc::mixed_classifier::proto::DESCRIPTORS;
        let open = crate::rpc::open_inference::proto::DESCRIPTORS;
        let health = tonic_health::pb::FILE_DESCRIPTOR_SET;
        let reflection = tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET;
        let sets = [mixed, open, health, reflection];
        let methods = MethodDescriptors::read(&sets).unwrap();
        let mut tensor_methods = 0;
        for set in sets {
            for file in FileDescriptorSet::decode(set).unwrap().file {
                for service in &file.service {
                    for method in &service.method {
                        let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                        let limits = methods.limits(&path, MAX_MESSAGE_BYTES);
                        let holds_tensors = ["Predict", "Certify", "ModelInfer"].iter().any(|name| {
                            let request = method.input_type();
                            request.ends_with(&format!(".{name}Request")) || request.ends_with(".PredictStreamRequest")
                        });
                        let expected = match (holds_tensors, service.name()) {
                            (true, _) => MAX_MESSAGE_BYTES,
                            (false, "Health") => 1024,
                            (false, _) => 4096,
                        };
                        assert_eq!(limits.message_bytes, expected, "{path}");
                        assert!(limits.schema.is_some(), "{path}");
                        tensor_methods += usize::from(holds_tensors);
                    }
                }
            }
        }
        assert_eq!(tensor_methods, TENSOR_METHODS.len());
    }
}
