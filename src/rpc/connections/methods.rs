//! What the descriptors tell of services and methods.

use prost::{DecodeError, Message as _};
use prost_types::FileDescriptorSet;

/// The one method whose answer has no end.
const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// Methods that are not asked once and answered once.
#[derive(Debug, Default)]
pub(in crate::rpc) struct Methods {
    /// Paths of those to which the caller streams.
    streamed_to: Vec<String>,
    services: Vec<String>,
}

impl Methods {
    /// Reads `descriptors`, each an encoded `FileDescriptorSet`.
    ///
    /// # Errors
    /// If one is none.
    pub(in crate::rpc) fn read(descriptors: &[&[u8]]) -> Result<Self, DecodeError> {
        let mut methods = Self::default();
        for &descriptors in descriptors {
            for file in FileDescriptorSet::decode(descriptors)?.file {
                for service in &file.service {
                    let name = match file.package() {
                        "" => service.name().to_owned(),
                        package => format!("{package}.{}", service.name()),
                    };
                    let streamed_to = service.method.iter().filter(|method| method.client_streaming());
                    let path = streamed_to.map(|method| format!("/{name}/{}", method.name()));
                    methods.streamed_to.extend(path);
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

    /// Whether the caller of `path` streams.
    pub(super) fn is_streamed_to(&self, path: &str) -> bool {
        self.streamed_to.iter().any(|streamed| streamed == path)
    }

    /// Whether the answer of `path` ends only when its connection does.
    pub(super) fn is_endless(path: &str) -> bool {
        path == WATCH
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::mixed_classifier::proto::DESCRIPTORS;

    #[test]
    fn streams_are_told_from_single_requests() {
        let reflection = tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET;
        let methods = Methods::read(&[DESCRIPTORS, reflection]).unwrap();
        assert!(methods.is_streamed_to("/certimix.v1.MixedClassifier/PredictStream"));
        assert!(methods.is_streamed_to("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
        assert!(!methods.is_streamed_to("/certimix.v1.MixedClassifier/CertifyStream"));
        assert!(methods.services().contains(&"certimix.v1.MixedClassifier".to_owned()));
    }
}
