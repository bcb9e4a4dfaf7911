//! Which RPC.

/// The RPCs that are recorded: a fixed set, whatever callers send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rpc {
    /// `certimix.v1.MixedClassifier/Predict`
    Predict,
    /// One request of `certimix.v1.MixedClassifier/PredictStream`
    PredictStream,
    /// `certimix.v1.MixedClassifier/Certify`
    Certify,
    /// `certimix.v1.MixedClassifier/CertifyStream`
    CertifyStream,
    /// `certimix.v1.MixedClassifier/GetModelInfo`
    GetModelInfo,
    /// `certimix.v1.MixedClassifier/GetShadowReport`
    GetShadowReport,
    /// `inference.GRPCInferenceService/ModelInfer`
    ModelInfer,
    /// Any other call of `inference.GRPCInferenceService`: what the model is, and whether it is ready.
    OpenInference,
    /// What no handler of ours has seen: bytes that are no message, messages over the limit, methods that are not there, and errors of
    /// health checks and reflection.
    Other,
}

impl Rpc {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Predict,
        Self::PredictStream,
        Self::Certify,
        Self::CertifyStream,
        Self::GetModelInfo,
        Self::GetShadowReport,
        Self::ModelInfer,
        Self::OpenInference,
        Self::Other,
    ];

    /// Its place among [`Rpc::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// As labels and logs call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Predict => "Predict",
            Self::PredictStream => "PredictStream",
            Self::Certify => "Certify",
            Self::CertifyStream => "CertifyStream",
            Self::GetModelInfo => "GetModelInfo",
            Self::GetShadowReport => "GetShadowReport",
            Self::ModelInfer => "ModelInfer",
            Self::OpenInference => "OpenInference",
            Self::Other => "other",
        }
    }

    /// As traces call it: the service and the method.
    #[must_use]
    pub fn full_name(self) -> &'static str {
        match self {
            Self::Predict => "certimix.v1.MixedClassifier/Predict",
            Self::PredictStream => "certimix.v1.MixedClassifier/PredictStream",
            Self::Certify => "certimix.v1.MixedClassifier/Certify",
            Self::CertifyStream => "certimix.v1.MixedClassifier/CertifyStream",
            Self::GetModelInfo => "certimix.v1.MixedClassifier/GetModelInfo",
            Self::GetShadowReport => "certimix.v1.MixedClassifier/GetShadowReport",
            Self::ModelInfer => "inference.GRPCInferenceService/ModelInfer",
            Self::OpenInference => "inference.GRPCInferenceService/OpenInference",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rpc_has_its_place() {
        for (index, rpc) in Rpc::ALL.into_iter().enumerate() {
            assert_eq!(rpc.index(), index);
            assert!(rpc.full_name().ends_with(rpc.name()));
        }
    }
}
