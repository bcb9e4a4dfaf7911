//! What a guarantee rests on: a proof that the server has checked, or somebody's word.

use std::fmt;

use super::hex;

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
pub struct Grounds {
    /// Proven or claimed.
    pub basis: Basis,
    /// The theorem or the key for a proof; for a claim, what is missing.
    pub why: String,
}

impl Grounds {
    /// A proof, and by what.
    #[must_use]
    pub fn proven(why: impl Into<String>) -> Self {
        Self {
            basis: Basis::Proven,
            why: why.into(),
        }
    }

    /// A claim, and what it lacks.
    #[must_use]
    pub fn claimed(why: impl Into<String>) -> Self {
        Self {
            basis: Basis::Claimed,
            why: why.into(),
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

/// `N` bytes from their `2 N` hexadecimal digits.
#[must_use]
pub fn bytes_of_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        // Not from_str_radix alone, which takes a sign.
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        *byte = u8::try_from(16 * digit(0)? + digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_and_nothing_else() {
        assert_eq!(bytes_of_hex("00fFa1"), Some([0, 255, 161]));
        for wrong in ["00ff", "00ffa1b2", "+0ffa1", "00 fa1", "00fg11", "ü0ff1"] {
            assert_eq!(bytes_of_hex::<3>(wrong), None, "{wrong}");
        }
        let key = ProofKey::parse(&"0A".repeat(32)).unwrap();
        assert_eq!(key.to_string(), "0a".repeat(32));
    }
}
