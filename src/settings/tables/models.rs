//! `[models]`: the manifests of the two models.

use std::path::PathBuf;

use crate::settings::key::Key;
use crate::settings::reader::Reader;

/// `[models]`: paths of manifests.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// Manifest of the standard model `g`.
    pub standard: PathBuf,
    /// Manifest of the robust model `h`.
    pub robust: PathBuf,
}

pub(in crate::settings) fn read(reader: &mut Reader) -> ModelSettings {
    ModelSettings {
        standard: reader.path(Key::live(
            "models.standard",
            "[Manifest](manifests.md) of the standard model `g`, which is accurate.",
        )),
        robust: reader.path(Key::live(
            "models.robust",
            "[Manifest](manifests.md) of the robust model `h`, which has the guarantee.",
        )),
    }
}
