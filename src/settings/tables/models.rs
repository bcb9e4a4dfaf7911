//! `[models]`: the manifests of the two models.

use std::path::PathBuf;

use crate::settings::reader::Reader;
use crate::settings::setting_key::{KeyScope, SettingKey};

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
        standard: reader.path(SettingKey::live(
            "models.standard",
            KeyScope::Operation,
            "[Manifest](manifests.md) of the standard model `g`, which is accurate.",
        )),
        robust: reader.path(SettingKey::live(
            "models.robust",
            KeyScope::Operation,
            "[Manifest](manifests.md) of the robust model `h`, which has the guarantee.",
        )),
    }
}
