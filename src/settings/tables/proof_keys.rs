//! `certificate.proof_keys`: whose records of proofs are believed.

use std::fmt;

use config::ValueKind;

use crate::domain::ProofKey;
use crate::settings::reader::Reader;

/// The project's own key, which signs the records of the bundled models. Its secret half is not in the repository: a model that is
/// trained anew is signed with a new key, whose public half takes this one's place.
pub const PROJECT_KEY: &str = "9480057cb4f78fbf4b220f81353f17592880d8eb1cf0b49673386eb9ebf845da";

/// Keys, at most.
const MOST: usize = 16;

/// Shown as TOML writes it.
#[derive(Default)]
struct Keys(Vec<ProofKey>);

impl fmt::Display for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ProofKey::to_string).collect();
        write!(formatter, "{texts:?}")
    }
}

pub(in crate::settings) fn read(reader: &mut Reader) -> Vec<ProofKey> {
    let expected = "a list of at most 16 Ed25519 public keys of 64 hexadecimal digits each";
    let default = ProofKey::parse(PROJECT_KEY).into_iter().collect();
    let Keys(keys) = reader.list("certificate.proof_keys", Keys(default), |values| {
        let keys: Option<Vec<ProofKey>> = values
            .iter()
            .map(|value| match &value.kind {
                ValueKind::String(text) => ProofKey::parse(text),
                _ => None,
            })
            .collect();
        keys.filter(|keys| keys.len() <= MOST)
            .map(Keys)
            .ok_or_else(|| expected.to_owned())
    });
    keys
}
