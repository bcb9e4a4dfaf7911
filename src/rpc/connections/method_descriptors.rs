//! Reads the services and the streaming methods from protobuf descriptors.

use prost::{DecodeError, Message as _};
use prost_types::FileDescriptorSet;

/// The one method with an endless response.
const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";

/// The services and the client-streaming methods of a set of descriptors.
#[derive(Debug, Default)]
pub(in crate::rpc) struct MethodDescriptors {
    /// The paths of the methods with a request stream.
    client_streaming: Vec<String>,
    services: Vec<String>,
}

impl MethodDescriptors {
    /// Reads `descriptors`, each an encoded `FileDescriptorSet`.
    ///
    /// # Errors
    /// One of them is not an encoded `FileDescriptorSet`.
    pub(in crate::rpc) fn read(descriptors: &[&[u8]]) -> Result<Self, DecodeError> {
        let mut methods = Self::default();
        for &descriptors in descriptors {
            for file in FileDescriptorSet::decode(descriptors)?.file {
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
}
