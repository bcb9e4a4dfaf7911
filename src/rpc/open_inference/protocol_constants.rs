//! The names by which this protocol identifies the input, the version and the platform.

/// The name of the one input.
pub(super) const INPUT_NAME: &str = "input";
/// The one version of the model.
pub(super) const MODEL_VERSION: &str = "1";
/// The platform that runs the model.
pub(super) const PLATFORM: &str = "certimix_onnx_mixture";
