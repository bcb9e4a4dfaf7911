//! The number of executors, and the reason for it.

use crate::domain::PerRole;
use crate::onnx::Manifest;
use crate::settings::{Settings, cpu_quota, memory_limit, processor_count};

/// The default number of executors on a GPU. One prepares its batch while the batch of the other
/// runs. Each holds both models in the memory of the GPU.
const GPU_EXECUTORS: usize = 2;
/// The sessions of an executor take about this many times the size of the ONNX files, because ONNX
/// Runtime keeps the weights of convolutions in a second layout (docs/reference/memory.md).
const SESSION_FACTOR: u64 = 2;
/// The default number of executors takes at most this part of the memory. A reload loads the new
/// models beside the old ones.
const MEMORY_PART: u64 = 2;
/// A machine with more processors than this is probably shared, and a container on it should have a
/// CPU limit.
const LARGE_MACHINE: usize = 16;

/// A number of executors, and the reason for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExecutorCount {
    pub(super) executors: usize,
    reason: CountReason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CountReason {
    Configured,
    Gpu,
    /// One for each processor.
    Processors,
    /// Fewer than there are processors, because the memory holds no more sessions.
    Memory,
}

impl CountReason {
    fn text(self) -> &'static str {
        match self {
            Self::Configured => "runtime.executors",
            Self::Gpu => "two on a GPU",
            Self::Processors => "one for each processor",
            Self::Memory => "as many as half of the memory holds",
        }
    }
}

impl ExecutorCount {
    /// The number for models of `model_bytes` bytes, on a GPU or on processors.
    pub(super) fn new(settings: &Settings, on_gpu: bool, model_bytes: u64) -> Self {
        if let Some(executors) = settings.runtime.executors {
            return Self {
                executors,
                reason: CountReason::Configured,
            };
        }
        if on_gpu {
            return Self {
                executors: GPU_EXECUTORS,
                reason: CountReason::Gpu,
            };
        }
        let memory = u64::try_from(memory_limit()).unwrap_or(u64::MAX);
        Self::on_processors(processor_count(), memory, model_bytes)
    }

    fn on_processors(processors: usize, memory: u64, model_bytes: u64) -> Self {
        let session_bytes = model_bytes.saturating_mul(SESSION_FACTOR).max(1);
        let fit = usize::try_from(memory / MEMORY_PART / session_bytes).unwrap_or(usize::MAX);
        let (executors, reason) = if fit < processors {
            (fit.max(1), CountReason::Memory)
        } else {
            (processors, CountReason::Processors)
        };
        Self { executors, reason }
    }

    /// Logs the number with its reason. It follows the machine if no CPU limit is set, so a large
    /// number is a warning then.
    pub(super) fn log(self) {
        let (executors, reason, processors) = (self.executors, self.reason.text(), processor_count());
        let cpu_limit = cpu_quota().map(|quota| quota.processors);
        tracing::info!(
            executors,
            reason,
            processors,
            cpu_limit,
            "executors: each has a session of both models"
        );
        let follows_machine = matches!(self.reason, CountReason::Processors | CountReason::Memory);
        if follows_machine && cpu_limit.is_none() && processors > LARGE_MACHINE {
            tracing::warn!(
                executors,
                processors,
                "no CPU limit is set, so the number of executors follows the processors of the machine; set a CPU limit or \
                 runtime.executors if others share the machine"
            );
        }
    }
}

/// The sizes of both ONNX files together; a file that cannot be read counts nothing.
pub(super) fn model_bytes(manifests: &PerRole<Option<Manifest>>) -> u64 {
    [&manifests.standard, &manifests.robust]
        .into_iter()
        .flatten()
        .filter_map(|manifest| std::fs::metadata(&manifest.file).ok())
        .map(|metadata| metadata.len())
        .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn there_is_an_executor_for_each_processor_if_the_memory_holds_them() {
        let count = |processors, memory, model| {
            let count = ExecutorCount::on_processors(processors, memory, model);
            (count.executors, count.reason)
        };
        assert_eq!(count(4, 4096 * MIB, 16 * MIB), (4, CountReason::Processors));
        // A pod with 4 GiB and no CPU limit on a node with 128 processors.
        assert_eq!(count(128, 4096 * MIB, 16 * MIB), (64, CountReason::Memory));
        assert_eq!(count(8, 1024 * MIB, 900 * MIB), (1, CountReason::Memory));
        assert_eq!(count(8, 1024 * MIB, 0), (8, CountReason::Processors));
    }
}
