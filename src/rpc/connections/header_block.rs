//! Detects headers that have begun and not ended, which no request counts yet.

/// The length of the client's preface before its first frame.
const PREFACE_BYTES: usize = 24;
/// The length of a frame's header.
const HEADER_BYTES: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Follows the frames that a client sends, in pieces of any size. It keeps no payload.
#[derive(Debug)]
pub(super) struct HeaderBlock {
    /// The bytes to skip before the next frame: the preface, or the rest of a payload.
    skip: usize,
    head: [u8; HEADER_BYTES],
    received: usize,
    /// Whether the frame in progress, or the last one, leaves its header block open.
    expects_continuation: bool,
    /// Whether the payload in progress belongs to a header block.
    is_header_payload: bool,
}

impl HeaderBlock {
    pub(super) fn new() -> Self {
        Self {
            skip: PREFACE_BYTES,
            head: [0; HEADER_BYTES],
            received: 0,
            expects_continuation: false,
            is_header_payload: false,
        }
    }

    /// Whether the bytes so far end within headers, or within the header of a frame.
    pub(super) fn is_open(&self) -> bool {
        self.received > 0 || self.expects_continuation || (self.is_header_payload && self.skip > 0)
    }

    /// Reads the next bytes.
    pub(super) fn advance(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let (head, rest) = bytes.split_at(bytes.len().min(HEADER_BYTES - self.received));
            if let Some(slots) = self.head.get_mut(self.received..self.received + head.len()) {
                slots.copy_from_slice(head);
            }
            self.received += head.len();
            bytes = rest;
            if self.received == HEADER_BYTES {
                self.received = 0;
                let [l2, l1, l0, kind, flags, ..] = self.head;
                self.skip = usize::try_from(u32::from_be_bytes([0, l2, l1, l0])).unwrap_or(usize::MAX);
                self.is_header_payload = matches!(kind, HEADERS | CONTINUATION);
                // Between the frames of a block HTTP/2 allows no other frame.
                if self.is_header_payload {
                    self.expects_continuation = flags & END_HEADERS == 0;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![0, 0, u8::try_from(payload).unwrap(), kind, flags, 0, 0, 0, 1];
        bytes.resize(HEADER_BYTES + payload, 7);
        bytes
    }

    /// Whether a block is open after each of `pieces`.
    fn open_after(pieces: &[Vec<u8>]) -> Vec<bool> {
        let mut block = HeaderBlock::new();
        block.advance(&[b'P'; PREFACE_BYTES]);
        let after = |piece: &Vec<u8>| {
            block.advance(piece);
            block.is_open()
        };
        pieces.iter().map(after).collect()
    }

    #[test]
    fn headers_are_open_until_their_last_byte() {
        let headers = frame(HEADERS, END_HEADERS, 20);
        let (begin, end) = headers.split_at(12);
        assert_eq!(open_after(&[begin.to_vec(), end.to_vec()]), [true, false]);
        // The header of a frame alone.
        assert_eq!(open_after(&[headers[..3].to_vec()]), [true]);
        let continued = [
            frame(HEADERS, 0, 5),
            frame(CONTINUATION, 0, 0),
            frame(CONTINUATION, END_HEADERS, 9),
        ];
        assert_eq!(open_after(&continued), [true, true, false]);
        // A body that does not come is not part of the headers.
        let body = frame(0, 0, 30);
        assert_eq!(open_after(&[body[..15].to_vec(), body[15..].to_vec()]), [false, false]);
        assert_eq!(open_after(&[frame(4, 0, 0), frame(6, 0, 8)]), [false, false]);
    }

    #[test]
    fn the_split_of_the_bytes_does_not_matter() {
        let whole = [
            vec![b'P'; PREFACE_BYTES],
            frame(4, 0, 0),
            frame(HEADERS, 0, 5),
            frame(CONTINUATION, END_HEADERS, 9),
            frame(0, 1, 40),
        ]
        .concat();
        for size in 1..whole.len() {
            let mut block = HeaderBlock::new();
            whole.chunks(size).for_each(|piece| block.advance(piece));
            assert!(!block.is_open(), "{size}");
        }
    }
}
