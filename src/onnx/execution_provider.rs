//! Execution providers: the configured one, and the one that is used.

use ort::ep::{CUDA, ExecutionProviderDispatch};

use super::OnnxError;
use crate::settings::Provider;

/// The execution provider that a model runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveProvider {
    /// "cpu" or "cuda".
    pub name: &'static str,
    /// The reason why "auto" did not select CUDA; empty otherwise.
    pub note: String,
}

impl ActiveProvider {
    /// The CPU, as configured.
    pub(super) const CPU: Self = Self {
        name: "cpu",
        note: String::new(),
    };
    const CUDA: Self = Self {
        name: "cuda",
        note: String::new(),
    };

    /// Returns whether the model runs on a GPU.
    #[must_use]
    pub fn is_cuda(&self) -> bool {
        *self == Self::CUDA
    }
}

/// Selects the provider from the configured one and the result of `try_cuda`.
///
/// # Errors
/// If the settings name CUDA and it does not load. The CPU never replaces it silently.
pub(super) fn select_provider(
    configured: Provider,
    try_cuda: impl FnOnce() -> Result<(), String>,
) -> Result<ActiveProvider, OnnxError> {
    match configured {
        Provider::Cpu => Ok(ActiveProvider::CPU),
        Provider::Cuda => try_cuda()
            .map(|()| ActiveProvider::CUDA)
            .map_err(|reason| OnnxError::CudaUnavailable { reason }),
        Provider::Auto => Ok(try_cuda().map_or_else(
            |reason| ActiveProvider {
                name: "cpu",
                note: format!("CUDA does not load: {}", reason.trim_end_matches('.')),
            },
            |()| ActiveProvider::CUDA,
        )),
    }
}

/// Configures CUDA to compute one deterministic function: no TF32, and no search among algorithms.
pub(super) fn cuda_provider() -> ExecutionProviderDispatch {
    CUDA::default()
        .with_tf32(false)
        .with_conv_algorithm_search(ort::ep::cuda::ConvAlgorithmSearch::Default)
        .build()
        .error_on_failure()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuda_by_name_never_falls_back() {
        let error = select_provider(Provider::Cuda, || Err("no libcudnn.so.9".to_owned())).unwrap_err();
        assert!(error.to_string().contains("no libcudnn.so.9"));
    }

    #[test]
    fn auto_falls_back_and_records_the_reason() {
        let active = select_provider(Provider::Auto, || Err("no driver".to_owned())).unwrap();
        assert_eq!(active.name, "cpu");
        assert!(active.note.contains("no driver"));
    }

    #[test]
    fn cpu_does_not_try_cuda() {
        let active = select_provider(Provider::Cpu, || unreachable!("CUDA was tried")).unwrap();
        assert_eq!(active, ActiveProvider::CPU);
    }
}
