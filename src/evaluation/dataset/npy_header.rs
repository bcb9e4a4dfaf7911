//! The header of a `.npy` array, and small arrays of integers.
//!
//! The crate npyz parses the header, but it reserves memory for a header of any length and for an
//! array of any shape. So the length is checked here, and rows are read one at a time.

use std::io::{self, Read};

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};

const MAGIC: &[u8] = b"\x93NUMPY";
/// The longest accepted header, in bytes. A header is one line with a type and a shape.
pub const MAX_NPY_HEADER_BYTES: usize = 64 << 10;
/// The most bytes after the last value that are read.
const MAX_REST: u64 = 1 << 20;
/// The most integers of an array of labels, a gibibyte of them.
const MAX_INTEGERS: u64 = 1 << 27;

/// The values of an array that a data set may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueType {
    UInt8,
    Float32,
    Float64,
    /// Integers of this many bytes, which only labels have.
    Integer {
        bytes: usize,
        is_signed: bool,
    },
}

impl ValueType {
    pub(super) fn width(self) -> usize {
        match self {
            Self::UInt8 => 1,
            Self::Float32 => 4,
            Self::Float64 => 8,
            Self::Integer { bytes, .. } => bytes,
        }
    }
}

/// The type and shape of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArrayHeader {
    pub(super) value_type: ValueType,
    pub(super) shape: Vec<u64>,
}

impl ArrayHeader {
    /// Reads the header, and leaves `reader` at the first value.
    pub(super) fn read(reader: &mut impl Read) -> Result<Self, String> {
        let bytes = header_bytes(reader)?;
        let header =
            NpyHeader::from_reader(bytes.as_slice()).map_err(|error| format!("is not a NumPy array: {error}"))?;
        let shape = header.shape().to_vec();
        let value_type = value_type(&header.dtype())?;
        let values = shape.iter().try_fold(1_u64, |values, &side| values.checked_mul(side));
        if values.and_then(|values| values.checked_mul(8)).is_none() {
            return Err(format!("has the shape {shape:?}, which no file can hold"));
        }
        if header.order() != Order::C && shape.len() > 1 {
            return Err("has its columns first: save it with np.ascontiguousarray".to_owned());
        }
        Ok(Self { value_type, shape })
    }

    /// The number of rows.
    pub(super) fn rows(&self) -> u64 {
        self.shape.first().copied().unwrap_or(1)
    }
}

/// Whether content that begins with `bytes` is a `.npy` array.
#[must_use]
pub fn is_npy(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// The shape in the text of a header, as it is written there, if the product of its sides has no
/// 64-bit number; `None` for any other text. npyz multiplies the sides without a check.
#[must_use]
pub fn overflowing_npy_shape(header: &str) -> Option<&str> {
    let shape = header.split_once("shape").map_or("", |(_, shape)| shape);
    let shape = shape.split_once([')', ']']).map_or(shape, |(shape, _)| shape);
    let mut sides = shape
        .split(|letter: char| !letter.is_ascii_digit())
        .filter(|side| !side.is_empty())
        .map(|side| side.parse::<u64>().ok());
    let values = sides.try_fold(1_u64, |values, side| values.checked_mul(side?));
    values.is_none().then_some(shape)
}

/// Reads the magic, the version, the length and the text of a header.
fn header_bytes(reader: &mut impl Read) -> Result<Vec<u8>, String> {
    let cut_short = |error: std::io::Error| format!("is not a NumPy array: {error}");
    let mut bytes = vec![0; 10];
    reader.read_exact(&mut bytes).map_err(cut_short)?;
    if !is_npy(&bytes) {
        return Err("is not a NumPy array".to_owned());
    }
    let mut length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    if bytes[6] > 1 {
        // Since version 2 the length has four bytes.
        let mut high = [0; 2];
        reader.read_exact(&mut high).map_err(cut_short)?;
        bytes.extend(high);
        length |= usize::from(u16::from_le_bytes(high)) << 16;
    }
    if length > MAX_NPY_HEADER_BYTES {
        return Err(format!(
            "is not a NumPy array: its header would have {length} bytes, expected at most {MAX_NPY_HEADER_BYTES}"
        ));
    }
    let start = bytes.len();
    bytes.resize(start + length, 0);
    reader.read_exact(&mut bytes[start..]).map_err(cut_short)?;
    if overflowing_npy_shape(&String::from_utf8_lossy(&bytes[start..])).is_some() {
        return Err("is not a NumPy array: its shape holds more values than a file can".to_owned());
    }
    Ok(bytes)
}

fn value_type(dtype: &DType) -> Result<ValueType, String> {
    if let DType::Plain(plain) = dtype {
        let is_native = plain.endianness() != Endianness::Big;
        match (plain.type_char(), plain.num_bytes()) {
            (TypeChar::Uint, Some(1)) => return Ok(ValueType::UInt8),
            (TypeChar::Float, Some(4)) if is_native => return Ok(ValueType::Float32),
            (TypeChar::Float, Some(8)) if is_native => return Ok(ValueType::Float64),
            (kind @ (TypeChar::Int | TypeChar::Uint), Some(bytes @ (1 | 2 | 4 | 8))) if is_native => {
                return Ok(ValueType::Integer {
                    bytes,
                    is_signed: kind == TypeChar::Int,
                });
            }
            _ => {}
        }
    }
    Err(format!(
        "holds {}, expected uint8, float32 or float64 for inputs, and integers for labels",
        dtype.descr()
    ))
}

/// Reads on after the last value of an array. An archive compares its checksum there.
///
/// # Errors
/// A message if the values that were read are not those that were written.
pub(super) fn read_end(reader: &mut impl Read) -> Result<(), String> {
    let rest = io::copy(&mut reader.take(MAX_REST), &mut io::sink());
    rest.map(|_| ()).map_err(|error| format!("is damaged: {error}"))
}

/// Reads an array of integers of the shape `[N]` or `[N, 1]`, to its end. With `rows`, N must be this
/// number.
pub(super) fn read_integers(reader: &mut impl Read, rows: Option<u64>) -> Result<Vec<i64>, String> {
    let header = ArrayHeader::read(reader)?;
    let (bytes, is_signed) = match header.value_type {
        ValueType::UInt8 => (1, false),
        ValueType::Integer { bytes, is_signed } => (bytes, is_signed),
        ValueType::Float32 | ValueType::Float64 => return Err("holds floats, expected integers".to_owned()),
    };
    if let Some(rows) = rows.filter(|&rows| rows != header.rows()) {
        return Err(format!("has {} labels, but there are {rows} rows", header.rows()));
    }
    let is_column = matches!(header.shape.as_slice(), [_] | [_, 1]);
    if !is_column || header.rows() > MAX_INTEGERS {
        return Err(format!(
            "has the shape {:?}, expected one label for each row, [N]",
            header.shape
        ));
    }
    let mut integers = Vec::new();
    let mut word = [0; 8];
    for row in 0..header.rows() {
        reader
            .read_exact(&mut word[..bytes])
            .map_err(|_| format!("is cut short: it ends before label {row} of {}", header.rows()))?;
        let is_negative = is_signed && word[bytes - 1] >= 0x80;
        word[bytes..].fill(if is_negative { 0xff } else { 0 });
        integers.push(i64::from_le_bytes(word));
    }
    read_end(reader)?;
    Ok(integers)
}
