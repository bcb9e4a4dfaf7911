//! Finds where messages begin and end in the bytes of a stream.

/// The length of the prefix of a message: one byte for compression and four for the length.
const PREFIX_BYTES: usize = 5;

/// Tracks the message boundaries of a stream. It keeps no message.
#[derive(Debug, Default)]
pub(super) struct MessageFraming {
    prefix: [u8; PREFIX_BYTES],
    /// The received bytes of the prefix.
    prefix_received: usize,
    /// The bytes of the message that have not arrived.
    remaining: usize,
}

impl MessageFraming {
    /// Processes the next bytes. Returns whether a message ends in them.
    pub(super) fn advance(&mut self, mut bytes: &[u8]) -> bool {
        let mut has_ended = false;
        while let Some((&first, rest)) = bytes.split_first() {
            if self.remaining == 0 {
                if let Some(slot) = self.prefix.get_mut(self.prefix_received) {
                    *slot = first;
                }
                self.prefix_received += 1;
                bytes = rest;
                if self.prefix_received < PREFIX_BYTES {
                    continue;
                }
                let [_, length @ ..] = self.prefix;
                self.remaining = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            } else {
                let consumed = self.remaining.min(bytes.len());
                self.remaining -= consumed;
                bytes = bytes.get(consumed..).unwrap_or_default();
            }
            if self.remaining == 0 {
                self.prefix_received = 0;
                has_ended = true;
            }
        }
        has_ended
    }

    /// Whether a message has begun and has not ended.
    pub(super) fn is_within_message(&self) -> bool {
        self.prefix_received > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_are_found_however_the_bytes_are_split() {
        let bytes = [&[0, 0, 0, 0, 3, 7, 7, 7][..], &[0, 0, 0, 0, 0], &[1, 0, 0, 0, 1, 9]].concat();
        let ends = [8, 13, 19];
        for piece in 1..=bytes.len() {
            let mut framing = MessageFraming::default();
            let mut at = 0;
            for bytes in bytes.chunks(piece) {
                let before = at;
                at += bytes.len();
                let ended = framing.advance(bytes);
                assert_eq!(
                    ended,
                    ends.iter().any(|end| (before + 1..=at).contains(end)),
                    "{piece} {at}"
                );
                assert_eq!(framing.is_within_message(), !ends.contains(&at), "{piece} {at}");
            }
        }
    }
}
