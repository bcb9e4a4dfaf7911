//! Execution providers: the configured one, and the one that is used.

use std::path::Path;

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
    /// Whether "auto" selected the CPU although the machine has an NVIDIA GPU.
    pub ignores_gpu: bool,
}

/// Devices that exist where a process can reach an NVIDIA GPU: the driver, on Linux, on Windows'
/// subsystem for Linux and on Jetson.
const GPU_DEVICES: [&str; 3] = ["/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-gpu"];

impl ActiveProvider {
    /// The CPU, as configured.
    pub(super) const CPU: Self = Self {
        name: "cpu",
        note: String::new(),
        ignores_gpu: false,
    };
    const CUDA: Self = Self {
        name: "cuda",
        note: String::new(),
        ignores_gpu: false,
    };

    /// Returns whether the model runs on a GPU.
    #[must_use]
    pub fn is_cuda(&self) -> bool {
        *self == Self::CUDA
    }
}

/// Returns whether the machine has an NVIDIA GPU that this process may use.
pub(super) fn has_gpu() -> bool {
    GPU_DEVICES.iter().any(|device| Path::new(device).exists())
}

/// Selects the provider from the configured one and the result of `try_cuda`. `has_gpu` decides
/// only how a fallback of "auto" is reported.
///
/// # Errors
/// If the settings name CUDA and it does not load. The CPU never replaces it silently.
pub(super) fn select_provider(
    configured: Provider,
    has_gpu: bool,
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
                note: match has_gpu {
                    true => format!("CUDA does not load: {}", reason.trim_end_matches('.')),
                    false => "no NVIDIA GPU was found".to_owned(),
                },
                ignores_gpu: has_gpu,
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
        let error = select_provider(Provider::Cuda, true, || Err("no libcudnn.so.9".to_owned())).unwrap_err();
        assert!(error.to_string().contains("no libcudnn.so.9"));
    }

    #[test]
    fn auto_falls_back_and_records_the_reason() {
        let fallback = |has_gpu| select_provider(Provider::Auto, has_gpu, || Err("no driver".to_owned())).unwrap();
        let active = fallback(true);
        assert_eq!((active.name, active.ignores_gpu), ("cpu", true));
        assert!(active.note.contains("no driver"));
        let active = fallback(false);
        assert_eq!((active.name, active.ignores_gpu), ("cpu", false));
        assert_eq!(active.note, "no NVIDIA GPU was found");
    }

    #[test]
    fn cpu_does_not_try_cuda() {
        let active = select_provider(Provider::Cpu, true, || unreachable!("CUDA was tried")).unwrap();
        assert_eq!(active, ActiveProvider::CPU);
    }
}
