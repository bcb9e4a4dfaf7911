//! Finds the headers of HTTP/2 frames in the bytes of one direction of a connection.

/// The length of a frame's header.
const HEADER_BYTES: usize = 9;
/// The length of the client's preface before its first frame.
const PREFACE_BYTES: usize = 24;

/// The type of a frame, as far as the accounts tell types apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameKind {
    Data,
    Headers,
    ResetStream,
    Settings,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    /// PRIORITY, PUSH_PROMISE, and types that HTTP/2 does not define.
    Other,
}

impl FrameKind {
    fn of(code: u8) -> Self {
        match code {
            0 => Self::Data,
            1 => Self::Headers,
            3 => Self::ResetStream,
            4 => Self::Settings,
            6 => Self::Ping,
            7 => Self::GoAway,
            8 => Self::WindowUpdate,
            9 => Self::Continuation,
            _ => Self::Other,
        }
    }

    /// Where the error code begins in the payload.
    fn error_offset(self) -> Option<usize> {
        match self {
            Self::ResetStream => Some(0),
            Self::GoAway => Some(4),
            _ => None,
        }
    }
}

/// One frame, without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) kind: FrameKind,
    pub(super) flags: u8,
    /// The stream; 0 for the connection.
    pub(super) stream: u32,
    /// Bytes of the payload.
    pub(super) length: usize,
    /// The error code of RST_STREAM and GOAWAY, and 0 in other frames.
    pub(super) error: u32,
}

impl FrameHeader {
    const END_STREAM: u8 = 1;
    const ACK: u8 = 1;
    const END_HEADERS: u8 = 4;
    const PADDED: u8 = 8;
    const PRIORITY: u8 = 32;

    /// Whether the frame ends its side of the stream.
    pub(super) fn ends_stream(&self) -> bool {
        matches!(self.kind, FrameKind::Data | FrameKind::Headers) && self.flags & Self::END_STREAM != 0
    }

    /// Whether the frame ends the headers of its request.
    fn ends_headers(&self) -> bool {
        self.flags & Self::END_HEADERS != 0
    }

    /// Whether the payload begins with the length of the padding at its end.
    pub(super) fn is_padded(&self) -> bool {
        matches!(self.kind, FrameKind::Data | FrameKind::Headers) && self.flags & Self::PADDED != 0
    }

    /// Whether the payload of headers begins with a priority, after the length of the padding.
    pub(super) fn has_priority(&self) -> bool {
        self.kind == FrameKind::Headers && self.flags & Self::PRIORITY != 0
    }

    /// Whether the frame acknowledges another one.
    pub(super) fn is_acknowledgement(&self) -> bool {
        matches!(self.kind, FrameKind::Settings | FrameKind::Ping) && self.flags & Self::ACK != 0
    }
}

/// A piece of the bytes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// Bytes of the preface or of a payload.
    Payload,
    /// Bytes of a header, and the frame if they complete it.
    Header(Option<FrameHeader>),
}

/// Reads the headers of frames from bytes that come in pieces of any size. It keeps no payload.
#[derive(Debug)]
pub(super) struct FrameHeaderReader {
    /// The bytes to skip before the next header: the preface, or the rest of a payload.
    skip: usize,
    /// The header, followed by the payload as far as an error code needs it.
    head: [u8; HEADER_BYTES + 8],
    received: usize,
    needed: usize,
    /// Whether the last frame leaves the headers of its request open.
    expects_continuation: bool,
    /// Whether the payload in progress holds headers of a request.
    is_header_payload: bool,
}

impl FrameHeaderReader {
    /// A reader of the frames that a client sends, after the preface.
    pub(super) fn of_client() -> Self {
        Self {
            skip: PREFACE_BYTES,
            ..Self::of_server()
        }
    }

    /// A reader of the frames that a server sends.
    pub(super) fn of_server() -> Self {
        Self {
            skip: 0,
            head: [0; HEADER_BYTES + 8],
            received: 0,
            needed: HEADER_BYTES,
            expects_continuation: false,
            is_header_payload: false,
        }
    }

    /// The bytes of the current payload that have not come, or 0 within a header.
    pub(super) fn remaining_payload(&self) -> usize {
        self.skip
    }

    /// Whether the bytes so far end with a whole frame.
    pub(super) fn is_between_frames(&self) -> bool {
        self.skip == 0 && self.received == 0
    }

    /// Whether the bytes so far end within the headers of a request, or within those of a frame.
    pub(super) fn is_within_headers(&self) -> bool {
        self.received > 0 || self.expects_continuation || (self.is_header_payload && self.skip > 0)
    }

    /// Reads the next bytes, and passes each header that is complete to `on_frame`.
    pub(super) fn advance(&mut self, mut bytes: &[u8], mut on_frame: impl FnMut(FrameHeader)) {
        while !bytes.is_empty() {
            let (length, piece) = self.read_piece(bytes);
            bytes = bytes.get(length..).unwrap_or_default();
            if let Piece::Header(Some(frame)) = piece {
                on_frame(frame);
            }
        }
    }

    /// Reads the first piece of `bytes`, and returns its length: at least 1 unless `bytes` is empty.
    pub(super) fn read_piece(&mut self, bytes: &[u8]) -> (usize, Piece) {
        if self.skip > 0 {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            return (skipped, Piece::Payload);
        }
        let missing = self.needed - self.received;
        let taken = bytes.get(..missing).unwrap_or(bytes);
        if let Some(slots) = self.head.get_mut(self.received..self.received + taken.len()) {
            slots.copy_from_slice(taken);
        }
        self.received += taken.len();
        if self.received == HEADER_BYTES && self.needed == HEADER_BYTES {
            self.needed += self.error_bytes();
        }
        if self.received < self.needed {
            return (taken.len(), Piece::Header(None));
        }
        let frame = self.frame();
        self.skip = (HEADER_BYTES + frame.length).saturating_sub(self.needed);
        self.received = 0;
        self.needed = HEADER_BYTES;
        self.is_header_payload = matches!(frame.kind, FrameKind::Headers | FrameKind::Continuation);
        // Between the frames of one request's headers HTTP/2 allows no other frame.
        if self.is_header_payload {
            self.expects_continuation = !frame.ends_headers();
        }
        (taken.len(), Piece::Header(Some(frame)))
    }

    /// The bytes of the payload up to the end of its error code. A frame that is too short for one
    /// has none.
    fn error_bytes(&self) -> usize {
        let frame = self.frame();
        let end = frame.kind.error_offset().map_or(0, |offset| offset + 4);
        if frame.length >= end { end } else { 0 }
    }

    fn frame(&self) -> FrameHeader {
        let [l2, l1, l0, kind, flags, s3, s2, s1, s0, payload @ ..] = self.head;
        let kind = FrameKind::of(kind);
        let length = u32::from_be_bytes([0, l2, l1, l0]);
        let error = kind
            .error_offset()
            .filter(|_| self.needed > HEADER_BYTES)
            .and_then(|offset| payload.get(offset..)?.first_chunk())
            .map_or(0, |code| u32::from_be_bytes(*code));
        FrameHeader {
            kind,
            flags,
            // The first bit is reserved.
            stream: u32::from_be_bytes([s3, s2, s1, s0]) & 0x7fff_ffff,
            length: usize::try_from(length).unwrap_or(usize::MAX),
            error,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(code: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[code, flags], &stream.to_be_bytes(), payload].concat()
    }

    fn read(reader: &mut FrameHeaderReader, bytes: &[u8]) -> Vec<FrameHeader> {
        let mut frames = Vec::new();
        reader.advance(bytes, |frame| frames.push(frame));
        frames
    }

    #[test]
    fn an_error_code_is_read_from_its_place() {
        let reset = encode(3, 0, 7, &[0, 0, 0, 8]);
        let goaway = encode(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 11, b'x']);
        let too_short = encode(3, 0, 7, &[1, 2]);
        let frames = read(
            &mut FrameHeaderReader::of_server(),
            &[reset, goaway, too_short].concat(),
        );
        let found: Vec<_> = frames.iter().map(|frame| (frame.kind, frame.error)).collect();
        let expected = [
            (FrameKind::ResetStream, 8),
            (FrameKind::GoAway, 11),
            (FrameKind::ResetStream, 0),
        ];
        assert_eq!(found, expected);
    }

    /// Whether the reader is within headers after each of `pieces`.
    fn within_headers_after(pieces: &[Vec<u8>]) -> Vec<bool> {
        let mut reader = FrameHeaderReader::of_client();
        read(&mut reader, &[b'P'; PREFACE_BYTES]);
        let after = |piece: &Vec<u8>| {
            read(&mut reader, piece);
            reader.is_within_headers()
        };
        pieces.iter().map(after).collect()
    }

    #[test]
    fn headers_are_open_until_their_last_byte() {
        let headers = encode(1, 4, 1, &[7; 20]);
        let (begin, end) = headers.split_at(12);
        assert_eq!(within_headers_after(&[begin.to_vec(), end.to_vec()]), [true, false]);
        // The header of a frame alone.
        assert_eq!(within_headers_after(&[headers[..3].to_vec()]), [true]);
        let continued = [encode(1, 0, 1, &[7; 5]), encode(9, 0, 1, &[]), encode(9, 4, 1, &[7; 9])];
        assert_eq!(within_headers_after(&continued), [true, true, false]);
        // A body that does not come is not part of the headers.
        let body = encode(0, 0, 1, &[7; 30]);
        let halves = [body[..15].to_vec(), body[15..].to_vec()];
        assert_eq!(within_headers_after(&halves), [false, false]);
        assert_eq!(
            within_headers_after(&[encode(4, 0, 0, &[]), encode(6, 0, 0, &[7; 8])]),
            [false, false]
        );
    }

    proptest! {
        #[test]
        fn frames_are_found_however_the_bytes_are_split(
            frames in prop::collection::vec(
                (0_u8..=12, any::<u8>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..40)),
                1..20,
            ),
            piece in 1_usize..64,
        ) {
            let mut bytes = vec![b'P'; PREFACE_BYTES];
            for (code, flags, stream, payload) in &frames {
                bytes.extend(encode(*code, *flags, *stream, payload));
            }
            let mut reader = FrameHeaderReader::of_client();
            let mut found = Vec::new();
            for bytes in bytes.chunks(piece) {
                found.extend(read(&mut reader, bytes));
            }
            prop_assert!(reader.is_between_frames());
            prop_assert_eq!(found.len(), frames.len());
            for (found, (code, flags, stream, payload)) in found.iter().zip(&frames) {
                prop_assert_eq!(found.kind, FrameKind::of(*code));
                prop_assert_eq!(found.flags, *flags);
                prop_assert_eq!(found.stream, stream & 0x7fff_ffff);
                prop_assert_eq!(found.length, payload.len());
            }
        }
    }
}
