//! `[open_inference]`: the Open Inference Protocol (KServe v2).

use crate::settings::reader::Reader;
use crate::settings::setting_key::{KeyScope, SettingKey};

/// Longest model name in bytes. Every response carries the name.
const MAX_NAME_LENGTH: usize = 128;

/// `[open_inference]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenInferenceSettings {
    /// Serves `inference.GRPCInferenceService`.
    pub enabled: bool,
    /// The name by which callers address the model.
    pub model_name: String,
}

pub(in crate::settings) fn read(reader: &mut Reader) -> OpenInferenceSettings {
    OpenInferenceSettings {
        enabled: reader.flag(
            SettingKey::restart_only(
                "open_inference.enabled",
                KeyScope::Operation,
                "Serves the Open Inference Protocol, `inference.GRPCInferenceService`.",
            ),
            true,
        ),
        model_name: reader.text(
            SettingKey::restart_only(
                "open_inference.model_name",
                KeyScope::Operation,
                "The name by which callers of the Open Inference Protocol address the model.",
            ),
            "certimix".to_owned(),
            "a name of 1 to 128 letters, digits, '_', '-', '.' or '/'",
            |name| is_model_name(name).then(|| name.to_owned()),
        ),
    }
}

/// Whether a client can write the name into a URL or a command line without quoting.
fn is_model_name(name: &str) -> bool {
    let is_unreserved = |letter: u8| letter.is_ascii_alphanumeric() || b"_-./".contains(&letter);
    (1..=MAX_NAME_LENGTH).contains(&name.len()) && name.bytes().all(is_unreserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_names_need_no_quoting() {
        for name in ["certimix", "cifar-10_v2.1", "vision/cifar10", "1"] {
            assert!(is_model_name(name), "{name}");
        }
        for name in ["", "two words", "ümlaut", "a\n", &"x".repeat(MAX_NAME_LENGTH + 1)] {
            assert!(!is_model_name(name), "{name}");
        }
    }
}
