//! What a request is called, in logs, traces and the caller's own records.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a name, at most: a UUID in any of its spellings fits.
const MOST: usize = 64;

/// The name of a request: the caller's, or ours. It is no label of any metric.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    // In place: the path of a request allocates nothing for it.
    bytes: [u8; MOST],
    length: u8,
}

impl RequestId {
    /// The caller's, if it is 1 to 64 visible ASCII characters: whatever else it is, it would have to be escaped in logs.
    #[must_use]
    pub fn from_caller(id: &[u8]) -> Option<Self> {
        let sane = !id.is_empty() && id.iter().all(u8::is_ascii_graphic);
        let mut bytes = [0; MOST];
        bytes.get_mut(..id.len()).filter(|_| sane)?.copy_from_slice(id);
        Some(Self {
            bytes,
            length: u8::try_from(id.len()).ok()?,
        })
    }

    /// Its characters.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// Its characters.
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

/// Makes names: 128 bits, of which one half is this process's and the other never comes twice.
#[derive(Debug)]
pub struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        // The standard library's source of randomness will do: a name must be unlike others, not a secret.
        let random = || RandomState::new().build_hasher().finish();
        Self {
            process: random(),
            next: AtomicU64::new(random()),
        }
    }
}

impl RequestIds {
    /// The next name: 32 hexadecimal digits.
    #[must_use]
    pub fn next(&self) -> RequestId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let halves = (u128::from(self.process) << 64) | u128::from(mixed(number));
        let mut bytes = [0; MOST];
        for (place, digit) in bytes.iter_mut().take(32).enumerate() {
            let nibble = (halves >> (124 - 4 * place)) & 0xf;
            *digit = b"0123456789abcdef"
                .get(usize::try_from(nibble).unwrap_or(0))
                .copied()
                .unwrap_or(b'0');
        }
        Self::named(bytes)
    }

    fn named(bytes: [u8; MOST]) -> RequestId {
        RequestId { bytes, length: 32 }
    }
}

/// One to one, so that no name comes twice; and without order, so that names do not tell how many requests there were. (SplitMix64.)
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_callers_name_is_taken_if_it_is_sane() {
        let longest = "x".repeat(MOST);
        for sane in ["a", "4bf92f3577b34da6a3ce929d0e0e4736", "loop-7/step:12", &longest] {
            assert_eq!(RequestId::from_caller(sane.as_bytes()).unwrap().as_str(), sane);
        }
        let too_long = "x".repeat(MOST + 1);
        for strange in ["", "two words", "line\nbreak", "é", &too_long] {
            assert_eq!(RequestId::from_caller(strange.as_bytes()), None, "{strange:?}");
        }
    }

    #[test]
    fn names_of_ours_are_unlike() {
        let (ids, others) = (RequestIds::default(), RequestIds::default());
        let names = (0..1000).flat_map(|_| [ids.next(), others.next()]);
        let names: HashSet<String> = names.map(|id| id.to_string()).collect();
        assert_eq!(names.len(), 2000);
        assert!(names.iter().all(|name| name.len() == 32));
    }
}
