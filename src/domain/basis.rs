//! What a guarantee rests on: a proof that the server has checked, or somebody's word.

use std::fmt;

use super::hex::{bytes_of_hex, hex};

/// Whether the property of the robust model that a radius rests on is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// By a theorem for any model, or by a signed record about exactly this file.
    Proven,
    /// The manifest says so, and nobody the operator trusts has signed it.
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

/// A basis, and in one sentence why it is that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JustifiedBasis {
    /// Proven or claimed.
    pub basis: Basis,
    /// The theorem or the key for a proof; for a claim, what is missing.
    pub reason: String,
}

impl JustifiedBasis {
    /// A proof, and by what.
    #[must_use]
    pub fn proven(reason: impl Into<String>) -> Self {
        Self {
            basis: Basis::Proven,
            reason: reason.into(),
        }
    }

    /// A claim, and what it lacks.
    #[must_use]
    pub fn claimed(reason: impl Into<String>) -> Self {
        Self {
            basis: Basis::Claimed,
            reason: reason.into(),
        }
    }
}

/// An Ed25519 public key whose records of proofs are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProofKey(pub [u8; 32]);

impl ProofKey {
    /// Reads 64 hexadecimal digits.
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
    fn a_key_is_written_as_it_is_read() {
        let key = ProofKey::parse(&"0A".repeat(32)).unwrap();
        assert_eq!(key.to_string(), "0a".repeat(32));
    }
}
