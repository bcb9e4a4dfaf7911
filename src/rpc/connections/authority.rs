//! Makes the authority of each request one that the HTTP library accepts.
//!
//! gRPC's C core sends the target of a channel as `:authority`: a percent-encoded path for a Unix
//! socket, and a list of addresses for `ipv4:a,b`. The `http` crate accepts neither, and h2 then resets
//! the stream, before any code of this server sees the request. The server reads no authority. So the
//! characters of each authority that a host name does not have are replaced on the way to h2, byte by
//! byte: the length stays, and so do the sizes of the entries in the tables of HPACK.
//!
//! An authority in Huffman code stays as it is. gRPC's C core sends none.

use super::frame_headers::{FrameHeader, FrameHeaderReader, FrameKind, Piece};

const AUTHORITY: &[u8] = b":authority";
/// The index of `:authority` in the static table of HPACK (RFC 7541, appendix A).
const AUTHORITY_INDEX: usize = 1;
/// Bytes of the priority at the beginning of headers.
const PRIORITY_BYTES: usize = 5;
/// The largest shift of a byte of an integer. Larger integers are no lengths of headers.
const MAX_SHIFT: u32 = 21;

/// Rewrites the bytes that a client sends.
#[derive(Debug)]
pub(super) struct AuthorityRewriter {
    frames: FrameHeaderReader,
    /// Whether the next byte of the payload is the length of its padding.
    expects_padding_length: bool,
    /// Bytes of the payload before its header fields.
    prefix: usize,
    /// Bytes of header fields in the rest of the payload.
    field_bytes: usize,
    fields: FieldReader,
}

impl AuthorityRewriter {
    /// A rewriter of a new connection.
    pub(super) fn new() -> Self {
        Self {
            frames: FrameHeaderReader::of_client(),
            expects_padding_length: false,
            prefix: 0,
            field_bytes: 0,
            fields: FieldReader::new(),
        }
    }

    /// Rewrites the next bytes of the connection. They may end anywhere.
    pub(super) fn rewrite(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let (length, piece) = self.frames.read_piece(bytes);
            let Some((piece_bytes, rest)) = bytes.split_at_mut_checked(length) else {
                return;
            };
            match piece {
                Piece::Payload => self.rewrite_payload(piece_bytes),
                Piece::Header(Some(frame)) => self.begin_payload(frame),
                Piece::Header(None) => {}
            }
            bytes = rest;
        }
    }

    fn begin_payload(&mut self, frame: FrameHeader) {
        if frame.kind == FrameKind::Headers {
            self.fields = FieldReader::new();
        }
        let has_fields = matches!(frame.kind, FrameKind::Headers | FrameKind::Continuation);
        self.expects_padding_length = has_fields && frame.is_padded();
        self.prefix = if frame.has_priority() { PRIORITY_BYTES } else { 0 };
        let before_fields = self.prefix + usize::from(self.expects_padding_length);
        self.field_bytes = if has_fields {
            frame.length.saturating_sub(before_fields)
        } else {
            0
        };
    }

    fn rewrite_payload(&mut self, bytes: &mut [u8]) {
        if self.field_bytes == 0 {
            return;
        }
        for byte in bytes {
            if self.expects_padding_length {
                self.expects_padding_length = false;
                self.field_bytes = self.field_bytes.saturating_sub(usize::from(*byte));
            } else if self.prefix > 0 {
                self.prefix -= 1;
            } else if self.field_bytes > 0 {
                self.field_bytes -= 1;
                self.fields.rewrite(byte);
            }
        }
    }
}

/// Reads the header fields of one block (RFC 7541, section 6), as far as an authority needs it.
#[derive(Debug)]
struct FieldReader {
    state: FieldState,
    /// Whether the field in progress is the authority, as far as its name has come.
    is_authority: bool,
}

/// What the next byte is.
#[derive(Debug, Clone, Copy)]
enum FieldState {
    /// The first byte of a field.
    Field,
    /// Another byte of an integer.
    Integer {
        value: usize,
        shift: u32,
        meaning: IntegerMeaning,
    },
    /// The first byte of the length of a name.
    NameLength,
    /// The first byte of the length of a value.
    ValueLength,
    /// A byte of a name of `length` bytes, of which `remaining` have not come.
    Name { length: usize, remaining: usize },
    /// A byte of a value. Huffman code is not rewritten.
    Value { remaining: usize, is_huffman: bool },
    /// Any byte: the block is malformed, and h2 ends the connection.
    Malformed,
}

#[derive(Debug, Clone, Copy)]
enum IntegerMeaning {
    /// The whole field: its index in a table, or the size of the table.
    WholeField,
    /// The index of a name; 0 if the name follows.
    NameIndex,
    NameLength {
        is_huffman: bool,
    },
    ValueLength {
        is_huffman: bool,
    },
}

impl FieldReader {
    fn new() -> Self {
        Self {
            state: FieldState::Field,
            is_authority: false,
        }
    }

    /// Reads the next byte of the block, and replaces it if it must be replaced.
    fn rewrite(&mut self, byte: &mut u8) {
        let found = *byte;
        let is_huffman = found & 0x80 != 0;
        self.state = match self.state {
            FieldState::Field => {
                self.is_authority = false;
                match found {
                    0x80.. => self.begin_integer(found, 7, IntegerMeaning::WholeField),
                    0x40.. => self.begin_integer(found, 6, IntegerMeaning::NameIndex),
                    0x20.. => self.begin_integer(found, 5, IntegerMeaning::WholeField),
                    _ => self.begin_integer(found, 4, IntegerMeaning::NameIndex),
                }
            }
            FieldState::Integer { shift, .. } if shift > MAX_SHIFT => FieldState::Malformed,
            FieldState::Integer { value, shift, meaning } => {
                let value = value.saturating_add(usize::from(found & 0x7f) << shift);
                match found & 0x80 {
                    0 => self.end_integer(value, meaning),
                    _ => FieldState::Integer {
                        value,
                        shift: shift + 7,
                        meaning,
                    },
                }
            }
            FieldState::NameLength => self.begin_integer(found, 7, IntegerMeaning::NameLength { is_huffman }),
            FieldState::ValueLength => self.begin_integer(found, 7, IntegerMeaning::ValueLength { is_huffman }),
            FieldState::Name { length, remaining } => {
                self.is_authority &= AUTHORITY.get(length - remaining) == Some(&found);
                match remaining - 1 {
                    0 => FieldState::ValueLength,
                    remaining => FieldState::Name { length, remaining },
                }
            }
            FieldState::Value { remaining, is_huffman } => {
                if self.is_authority && !is_huffman {
                    *byte = accepted(found);
                }
                value_state(remaining - 1, is_huffman)
            }
            FieldState::Malformed => FieldState::Malformed,
        };
    }

    /// Begins an integer in the last `bits` bits of `byte` (RFC 7541, section 5.1).
    fn begin_integer(&mut self, byte: u8, bits: u32, meaning: IntegerMeaning) -> FieldState {
        let largest = (1_u8 << bits) - 1;
        let value = usize::from(byte & largest);
        if byte & largest < largest {
            return self.end_integer(value, meaning);
        }
        FieldState::Integer {
            value,
            shift: 0,
            meaning,
        }
    }

    fn end_integer(&mut self, value: usize, meaning: IntegerMeaning) -> FieldState {
        match meaning {
            IntegerMeaning::WholeField => FieldState::Field,
            IntegerMeaning::NameIndex if value == 0 => FieldState::NameLength,
            IntegerMeaning::NameIndex => {
                self.is_authority = value == AUTHORITY_INDEX;
                FieldState::ValueLength
            }
            IntegerMeaning::NameLength { .. } if value == 0 => FieldState::ValueLength,
            IntegerMeaning::NameLength { is_huffman } => {
                self.is_authority = !is_huffman && value == AUTHORITY.len();
                FieldState::Name {
                    length: value,
                    remaining: value,
                }
            }
            IntegerMeaning::ValueLength { is_huffman } => value_state(value, is_huffman),
        }
    }
}

fn value_state(remaining: usize, is_huffman: bool) -> FieldState {
    match remaining {
        0 => FieldState::Field,
        _ => FieldState::Value { remaining, is_huffman },
    }
}

/// The character of a host name for the character `byte` of an authority.
fn accepted(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' => byte,
        _ => b'-',
    }
}

#[cfg(test)]
mod tests;
