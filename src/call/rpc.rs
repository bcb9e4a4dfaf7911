//! The RPCs that are recorded.

/// The RPCs that are recorded. The set is fixed and does not depend on what callers send.
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
    /// Any other call of `inference.GRPCInferenceService`: metadata and readiness.
    OpenInference,
    /// Calls that reach no handler of ours: invalid or oversized messages, unknown methods, and errors
    /// of health checks and reflection.
    Other,
}

impl Rpc {
    /// Every RPC.
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

    /// The index in [`Rpc::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name in metric labels and logs.
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

    /// The name in traces: the service and the method.
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
    fn every_rpc_has_its_index() {
        for (index, rpc) in Rpc::ALL.into_iter().enumerate() {
            assert_eq!(rpc.index(), index);
            assert!(rpc.full_name().ends_with(rpc.name()));
        }
    }
}
