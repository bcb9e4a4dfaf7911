//! The server's secret, and the noise key of one request.

use std::fmt;

use super::chacha::KeyStream;

/// The key from which all noise of one request is drawn.
///
/// The key is secret until the server has answered the request, because it determines the noise.
/// Afterwards the certificate carries it. `Debug` does not print it, so that no log contains it by
/// accident.
#[derive(Clone, PartialEq, Eq)]
pub struct NoiseKey([u8; 32]);

impl NoiseKey {
    /// A key from a certificate, for a replay. A server derives its keys with
    /// [`NoiseSecret::derive`].
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes for the certificate.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for NoiseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoiseKey(redacted)")
    }
}

/// The secret of one server process, from which the key of every request is derived.
///
/// It cannot be read, copied or logged. The process draws its 32 bytes from the operating system at
/// start. Two processes must not share a secret, because their request numbers would coincide.
pub struct NoiseSecret([u8; 32]);

impl NoiseSecret {
    /// A secret of 32 bytes that are uniformly random and not known outside the process.
    #[must_use]
    pub const fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// The key of request `request_number`. Each request must have its own number: the same number
    /// gives the same noise, and two draws of the same votes are not independent.
    ///
    /// The key is the first 32 bytes of ChaCha20's stream `request_number` under the secret.
    /// ChaCha20's block function is a pseudo-random function of (stream, block): its outputs under
    /// one key cannot be distinguished from independent uniform bytes, even if many of them are
    /// public. So a public key reveals nothing about the secret, which would distinguish the
    /// outputs from uniform bytes. It also reveals nothing about any other request's key, which is
    /// another output of the same function. The secret has no other use, and a request's number is
    /// only a label: a client that knows or even chooses the number cannot influence the noise, as
    /// long as no number is used twice.
    #[must_use]
    pub fn derive(&self, request_number: u64) -> NoiseKey {
        let mut key = [0; 32];
        KeyStream::new(self.0, request_number).fill_bytes(&mut key);
        NoiseKey(key)
    }
}

impl fmt::Debug for NoiseSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoiseSecret(redacted)")
    }
}
