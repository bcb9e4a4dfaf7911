//! Execution providers: what was asked for, and what it came to.

use ort::ep::{CUDA, ExecutionProviderDispatch};

use super::OnnxError;
use crate::settings::Provider;

/// Where a model really runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderInUse {
    /// "cpu" or "cuda".
    pub name: &'static str,
    /// Why it is not what "auto" would rather have had; empty otherwise.
    pub note: String,
}

impl ProviderInUse {
    /// The processor, as asked for.
    pub(super) const CPU: Self = Self {
        name: "cpu",
        note: String::new(),
    };
    const CUDA: Self = Self {
        name: "cuda",
        note: String::new(),
    };

    /// Whether it runs on a GPU.
    #[must_use]
    pub fn is_cuda(&self) -> bool {
        *self == Self::CUDA
    }
}

/// Decides where to run, from what was asked for and what happens if CUDA is tried.
///
/// # Errors
/// If CUDA was asked for by name and does not load: the processor is never used in silence.
pub(super) fn choose(
    asked: Provider,
    try_cuda: impl FnOnce() -> Result<(), String>,
) -> Result<ProviderInUse, OnnxError> {
    match asked {
        Provider::Cpu => Ok(ProviderInUse::CPU),
        Provider::Cuda => try_cuda()
            .map(|()| ProviderInUse::CUDA)
            .map_err(|reason| OnnxError::Cuda { reason }),
        Provider::Auto => Ok(try_cuda().map_or_else(
            |reason| ProviderInUse {
                name: "cpu",
                note: format!("CUDA does not load: {}", reason.trim_end_matches('.')),
            },
            |()| ProviderInUse::CUDA,
        )),
    }
}

/// CUDA set up to compute one deterministic function: no TF32, no search among algorithms.
pub(super) fn cuda() -> ExecutionProviderDispatch {
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
        let error = choose(Provider::Cuda, || Err("no libcudnn.so.9".to_owned())).unwrap_err();
        assert!(error.to_string().contains("no libcudnn.so.9"));
    }

    #[test]
    fn auto_falls_back_and_says_why() {
        let in_use = choose(Provider::Auto, || Err("no driver".to_owned())).unwrap();
        assert_eq!(in_use.name, "cpu");
        assert!(in_use.note.contains("no driver"));
    }

    #[test]
    fn cpu_does_not_try_cuda() {
        let in_use = choose(Provider::Cpu, || unreachable!("CUDA was tried")).unwrap();
        assert_eq!(in_use, ProviderInUse::CPU);
    }
}
