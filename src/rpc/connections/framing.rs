//! Where messages begin and end in the bytes of a stream.

/// A byte that tells compression, and four that tell the length.
const PREFIX: usize = 5;

/// Follows the messages of a stream, without keeping them.
#[derive(Debug, Default)]
pub(super) struct Framing {
    prefix: [u8; PREFIX],
    /// Bytes of the prefix that have come.
    have: usize,
    /// Bytes of the message that have not.
    left: usize,
}

impl Framing {
    /// Takes the next bytes; whether a message ended in them.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> bool {
        let mut has_ended = false;
        while let Some((&first, rest)) = bytes.split_first() {
            if self.left == 0 {
                if let Some(slot) = self.prefix.get_mut(self.have) {
                    *slot = first;
                }
                self.have += 1;
                bytes = rest;
                if self.have < PREFIX {
                    continue;
                }
                let [_, length @ ..] = self.prefix;
                self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            } else {
                let taken = self.left.min(bytes.len());
                self.left -= taken;
                bytes = bytes.get(taken..).unwrap_or_default();
            }
            if self.left == 0 {
                self.have = 0;
                has_ended = true;
            }
        }
        has_ended
    }

    /// Whether a message has begun and not ended.
    pub(super) fn is_within(&self) -> bool {
        self.have > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_followed_however_they_are_cut() {
        let bytes = [&[0, 0, 0, 0, 3, 7, 7, 7][..], &[0, 0, 0, 0, 0], &[1, 0, 0, 0, 1, 9]].concat();
        let ends = [8, 13, 19];
        for piece in 1..=bytes.len() {
            let mut framing = Framing::default();
            let mut at = 0;
            for bytes in bytes.chunks(piece) {
                let before = at;
                at += bytes.len();
                let ended = framing.take(bytes);
                assert_eq!(
                    ended,
                    ends.iter().any(|end| (before + 1..=at).contains(end)),
                    "{piece} {at}"
                );
                assert_eq!(framing.is_within(), !ends.contains(&at), "{piece} {at}");
            }
        }
    }
}
