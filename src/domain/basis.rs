//! The basis of a guarantee: a proof that the server has checked, or an unchecked claim.

use std::fmt;

use super::hex::{bytes_of_hex, hex};

/// Whether the property of the robust model behind a radius is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// A theorem for any model proves it, or a signed record about exactly this file does.
    Proven,
    /// The manifest claims it, and no key that the operator trusts has signed it.
    Claimed,
}

impl fmt::Display for Basis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Proven => "proven",
            Self::Claimed => "claimed",
        })
    }
}

/// A basis and the reason for it, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JustifiedBasis {
    /// Proven or claimed.
    pub basis: Basis,
    /// For a proof, the theorem or the key. For a claim, the missing part.
    pub reason: String,
}

impl JustifiedBasis {
    /// A proof, with its theorem or key.
    #[must_use]
    pub fn proven(reason: impl Into<String>) -> Self {
        Self {
            basis: Basis::Proven,
            reason: reason.into(),
        }
    }

    /// A claim, with the part that is missing.
    #[must_use]
    pub fn claimed(reason: impl Into<String>) -> Self {
        Self {
            basis: Basis::Claimed,
            reason: reason.into(),
        }
    }
}

/// An Ed25519 public key whose signed proof records the operator trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProofKey(pub [u8; 32]);

impl ProofKey {
    /// Parses 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        bytes_of_hex(text).map(Self)
    }
}

impl fmt::Display for ProofKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_key_round_trips_through_text() {
        let key = ProofKey::parse(&"0A".repeat(32)).unwrap();
        assert_eq!(key.to_string(), "0a".repeat(32));
    }
}
