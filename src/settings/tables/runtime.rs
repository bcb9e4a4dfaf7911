//! `[runtime]`: ONNX Runtime, the executors, and the batches.

use std::path::PathBuf;
use std::time::Duration;

use crate::settings::reader::Reader;
use crate::settings::setting_key::{KeyScope, SettingKey};

/// Largest batch that an operator may set, in rows.
pub const MAX_BATCH_SIZE: usize = 4096;

const MAX_EXECUTORS: usize = 256;

/// `[runtime]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeSettings {
    /// Shared library of ONNX Runtime.
    pub library: PathBuf,
    /// The configured execution provider.
    pub provider: Provider,
    /// Threads that run models, each with a session of both; `None` for one per processor as far as
    /// the memory holds them, or two on a GPU.
    pub executors: Option<usize>,
    /// Pins each executor to one processor; `None` to do so where there are as many executors as
    /// processors.
    pub pin_executors: Option<bool>,
    /// Largest batch of the standard model in rows; `None` to measure it at start.
    pub standard_batch_size: Option<usize>,
    /// Largest batch of the robust model in rows, and the fixed batch shape of a smoothed model;
    /// `None` to measure it at start.
    pub robust_batch_size: Option<usize>,
    /// Longest run of a batch whose size is measured. An interactive row may have to wait this
    /// long.
    pub max_batch_time: Duration,
    /// Refuses a model that is not proven to answer each row by itself. Otherwise the server runs
    /// such a model one row at a time.
    pub require_row_independence: bool,
}

/// The execution provider, as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU. The start fails if CUDA does not load.
    Cuda,
    /// CUDA if it loads, else the processor with a warning.
    Auto,
}

pub(in crate::settings) fn read(reader: &mut Reader) -> RuntimeSettings {
    let library = reader.path(SettingKey::restart_only(
        "runtime.library",
        KeyScope::Operation,
        "Shared library of ONNX Runtime.",
    ));
    let provider = reader.choice(
        SettingKey::live(
            "runtime.provider", KeyScope::Answers,
            "Where the models run. `cuda` fails to start without CUDA; `auto` falls back to the processor, with a warning if the machine has a GPU.",
        ),
        ("auto", Provider::Auto),
        &[("cpu", Provider::Cpu), ("cuda", Provider::Cuda)],
    );
    let executors = optional_size(
        reader,
        SettingKey::live(
            "runtime.executors",
            KeyScope::Operation,
            "Threads that run models, each with a session of both. 0 means one per processor of the CPU limit, as far as half of the memory holds them, or two on a GPU.",
        )
        .in_unit("threads"),
        MAX_EXECUTORS,
    );
    let pin_executors = reader.choice(
        SettingKey::live(
            "runtime.pin_executors",
            KeyScope::Operation,
            "Pins each executor to one processor. `auto` does so where there are as many executors as processors.",
        ),
        ("auto", None),
        &[("always", Some(true)), ("never", Some(false))],
    );
    let standard_batch_size = optional_size(
        reader,
        SettingKey::live(
            "runtime.standard_batch_size",
            KeyScope::Answers,
            "Largest batch of the standard model in rows. 0 measures it at start.",
        )
        .in_unit("rows"),
        MAX_BATCH_SIZE,
    );
    let robust_batch_size = optional_size(
        reader,
        SettingKey::live(
            "runtime.robust_batch_size", KeyScope::Answers,
            "Largest batch of the robust model in rows, and the fixed batch shape of a smoothed model. 0 measures it at start.",
        ).in_unit("rows"),
        MAX_BATCH_SIZE,
    );
    RuntimeSettings {
        library,
        provider,
        executors,
        pin_executors,
        standard_batch_size,
        robust_batch_size,
        max_batch_time: reader.duration(
            SettingKey::live(
                "runtime.max_batch_time", KeyScope::Operation,
                "Longest run of a batch whose size is measured. An interactive row may have to wait this long.",
            ),
            Duration::from_millis(3),
            Duration::from_micros(1)..=Duration::from_secs(10),
        ),
        require_row_independence: reader.flag(
            SettingKey::live(
                "runtime.require_row_independence", KeyScope::Operation,
                "Refuses a model that is not proven to answer each row by itself. Otherwise the server runs such a model one row at a time.",
            ),
            false,
        ),
    }
}

/// A size for which the default 0 means that the server chooses.
fn optional_size(reader: &mut Reader, key: SettingKey, max: usize) -> Option<usize> {
    Some(reader.size(key, 0, 0..=max)).filter(|&size| size > 0)
}
