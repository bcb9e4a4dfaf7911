//! Who may know what: the server's secret, and the key of one request.

use std::fmt;

use super::chacha::KeyStream;

/// The key from which all noise of one request is drawn.
///
/// It is secret until the request has been answered, since whoever knows it beforehand knows the noise; afterwards it
/// goes out with the certificate. `Debug` does not show it, so that it reaches no log by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct NoiseKey([u8; 32]);

impl NoiseKey {
    /// A key read back from a certificate, for a replay. A server derives its keys: [`NoiseSecret::derive`].
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes to be put into the certificate.
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
/// It cannot be read back, copied or logged. Draw its 32 bytes from the operating system at start; two processes
/// must not share one, since their request numbers would meet.
pub struct NoiseSecret([u8; 32]);

impl NoiseSecret {
    /// A secret of 32 bytes that come from outside, uniformly random and known to nobody.
    #[must_use]
    pub const fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// The key of request `request_number`. Each request must have its own number: the same number gives the same
    /// noise, and votes drawn twice are not independent.
    ///
    /// The key is the first 32 bytes of ChaCha20's stream `request_number` under the secret. ChaCha20's block function
    /// is a pseudo-random function of (stream, block): its outputs under one key cannot be told from independent
    /// uniform bytes, however many of them are shown. So a revealed key says nothing about the secret (that would
    /// tell the outputs from uniform) nor about any other request's key (another output of the same function). The
    /// secret is used for nothing else, and a request's number only as a label: a client that knows or even chooses it
    /// can steer nothing, so long as no number is used twice.
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
