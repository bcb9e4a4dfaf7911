//! `[open_inference]`: the second protocol.

use crate::settings::reader::Reader;

/// Bytes of a name, at most: it comes back with every answer.
const LONGEST_NAME: usize = 128;

/// `[open_inference]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenInferenceSettings {
    /// Answer `inference.GRPCInferenceService` at all.
    pub enabled: bool,
    /// What callers name the model.
    pub model_name: String,
}

pub(in crate::settings) fn read(reader: &mut Reader) -> OpenInferenceSettings {
    OpenInferenceSettings {
        enabled: reader.flag("open_inference.enabled", true),
        model_name: reader.text(
            "open_inference.model_name",
            "certimix".to_owned(),
            "a name of 1 to 128 letters, digits, '_', '-', '.' or '/'",
            |name| is_name(name).then(|| name.to_owned()),
        ),
    }
}

/// What a client can put into a URL or a command line as it is.
fn is_name(name: &str) -> bool {
    let usual = |letter: u8| letter.is_ascii_alphanumeric() || b"_-./".contains(&letter);
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_need_no_quotes() {
        for name in ["certimix", "cifar-10_v2.1", "vision/cifar10", "1"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "two words", "ümlaut", "a\n", &"x".repeat(LONGEST_NAME + 1)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
