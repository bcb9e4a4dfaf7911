//! Walks over a structure of Thrift's compact protocol, in which Parquet writes its metadata.
//!
//! The parser of the crate parquet is private, and builds what it reads. This one only visits numbers.

/// The kind of a 32-bit number.
pub(super) const I32: u8 = 5;
/// The kind of a list.
pub(super) const LIST: u8 = 9;
/// The kind of a structure.
pub(super) const STRUCT: u8 = 12;

/// The deepest nesting of values that are skipped.
const MAX_DEPTH: u8 = 64;

/// A position in the bytes of a structure. Each method returns `None` where the bytes end or are not
/// Thrift.
pub(super) struct ThriftReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> ThriftReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// The bytes that were read.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Passes the number and the kind of each field to `visit`, which returns whether it has read the
    /// value. Other values are skipped.
    pub(super) fn fields(&mut self, mut visit: impl FnMut(&mut Self, i16, u8) -> Option<bool>) -> Option<()> {
        let mut number = 0_i16;
        loop {
            let header = self.byte()?;
            let (delta, kind) = (header >> 4, header & 0x0f);
            if kind == 0 {
                return Some(());
            }
            number = match delta {
                0 => i16::try_from(self.zigzag()?).ok()?,
                delta => number.checked_add(i16::from(delta))?,
            };
            if !visit(self, number, kind)? {
                self.skip(kind, MAX_DEPTH)?;
            }
        }
    }

    /// Reads the header of a list: the number of elements, and their kind.
    pub(super) fn list_header(&mut self) -> Option<(u64, u8)> {
        let header = self.byte()?;
        let count = match header >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        Some((count, header & 0x0f))
    }

    /// Reads a signed number.
    pub(super) fn zigzag(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.position)?;
        self.position += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn advance(&mut self, bytes: u64) -> Option<()> {
        let end = self.position.checked_add(usize::try_from(bytes).ok()?)?;
        self.position = (end <= self.bytes.len()).then_some(end)?;
        Some(())
    }

    fn skip(&mut self, kind: u8, depth: u8) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            // A truth value is in the header of its field.
            1 | 2 => Some(()),
            3 => self.advance(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.advance(8),
            8 => {
                let length = self.varint()?;
                self.advance(length)
            }
            LIST | 10 => {
                let (count, kind) = self.list_header()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth))
            }
            11 => {
                let count = self.varint()?;
                let kinds = if count > 0 { self.byte()? } else { 0 };
                (0..count).try_for_each(|_| {
                    self.skip_element(kinds >> 4, depth)?;
                    self.skip_element(kinds & 0x0f, depth)
                })
            }
            STRUCT => loop {
                let header = self.byte()?;
                if header & 0x0f == 0 {
                    return Some(());
                }
                if header >> 4 == 0 {
                    self.varint()?;
                }
                self.skip(header & 0x0f, depth)?;
            },
            _ => None,
        }
    }

    /// Skips an element of a list or a map, where a truth value has a byte of its own.
    fn skip_element(&mut self, kind: u8, depth: u8) -> Option<()> {
        match kind {
            1 | 2 => self.advance(1),
            kind => self.skip(kind, depth),
        }
    }
}
