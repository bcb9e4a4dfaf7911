//! The id of a request in logs, traces and the records of the caller.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The longest id, in bytes. Every spelling of a UUID fits.
const MAX_BYTES: usize = 64;

/// The id of a request, chosen by the caller or by the server. It is never a metric label.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    // Inline, so that the path of a request allocates nothing for it.
    bytes: [u8; MAX_BYTES],
    length: u8,
}

impl RequestId {
    /// The id that the caller sent, if it has 1 to 64 visible ASCII characters. Other characters would
    /// need escapes in logs.
    #[must_use]
    pub fn from_caller(id: &[u8]) -> Option<Self> {
        let valid = !id.is_empty() && id.iter().all(u8::is_ascii_graphic);
        let mut bytes = [0; MAX_BYTES];
        bytes.get_mut(..id.len()).filter(|_| valid)?.copy_from_slice(id);
        Some(Self {
            bytes,
            length: u8::try_from(id.len()).ok()?,
        })
    }

    /// The id as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Generates ids of 128 bits: one half identifies the process, and the other half never repeats.
#[derive(Debug)]
pub struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        // The randomness of the standard library suffices: an id must be unique, not secret.
        let random = || RandomState::new().build_hasher().finish();
        Self {
            process: random(),
            next: AtomicU64::new(random()),
        }
    }
}

impl RequestIds {
    /// The next id: 32 hexadecimal digits.
    #[must_use]
    pub fn next(&self) -> RequestId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let halves = (u128::from(self.process) << 64) | u128::from(bijection(number));
        let mut bytes = [0; MAX_BYTES];
        for (place, digit) in bytes.iter_mut().take(32).enumerate() {
            let nibble = (halves >> (124 - 4 * place)) & 0xf;
            *digit = b"0123456789abcdef"
                .get(usize::try_from(nibble).unwrap_or(0))
                .copied()
                .unwrap_or(b'0');
        }
        RequestId { bytes, length: 32 }
    }
}

/// The bijection of SplitMix64: no id repeats, and ids do not reveal the number of requests.
fn bijection(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_valid_id_of_the_caller_is_accepted() {
        let longest = "x".repeat(MAX_BYTES);
        for valid in ["a", "4bf92f3577b34da6a3ce929d0e0e4736", "loop-7/step:12", &longest] {
            assert_eq!(RequestId::from_caller(valid.as_bytes()).unwrap().as_str(), valid);
        }
        let too_long = "x".repeat(MAX_BYTES + 1);
        for invalid in ["", "two words", "line\nbreak", "é", &too_long] {
            assert_eq!(RequestId::from_caller(invalid.as_bytes()), None, "{invalid:?}");
        }
    }

    #[test]
    fn generated_ids_are_unique() {
        let (ids, others) = (RequestIds::default(), RequestIds::default());
        let names = (0..1000).flat_map(|_| [ids.next(), others.next()]);
        let names: HashSet<String> = names.map(|id| id.to_string()).collect();
        assert_eq!(names.len(), 2000);
        assert!(names.iter().all(|name| name.len() == 32));
    }
}
