//! Checks the sizes in the headers of the pages of a column.
//!
//! The parser reserves memory for the size that the header of a page states, and fills it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use super::thrift_reader::{I32, ThriftReader};

/// The bytes that are read for a header at first, and at most.
const HEADER_BYTES: [usize; 2] = [4 << 10, 1 << 20];
/// Snappy expands no text more than this: it writes 64 bytes for 3.
const MAX_EXPANSION: i64 = 22;
/// The room for the header of a compressed text.
const EXPANSION_MARGIN: i64 = 64;

/// Checks the pages in `bytes` of `file`.
///
/// # Errors
/// A message if a page has no header there, or its contents are larger than its compressed bytes allow.
pub(super) fn check_page_headers(file: &File, bytes: Range<u64>) -> Result<(), String> {
    let mut start = bytes.start;
    while start < bytes.end {
        let header = page_header(file, start)?;
        let end = start
            .checked_add(header.length)
            .and_then(|end| end.checked_add(header.compressed));
        let end = end.filter(|&end| end <= bytes.end);
        start = end.ok_or_else(|| format!("the page at byte {start} is cut short"))?;
    }
    Ok(())
}

struct PageHeader {
    /// The bytes of the header itself.
    length: u64,
    /// The bytes of the page behind it.
    compressed: u64,
}

fn page_header(file: &File, start: u64) -> Result<PageHeader, String> {
    for bytes in HEADER_BYTES {
        let mut buffer = vec![0; bytes];
        let read = read_at_most(file, start, &mut buffer).map_err(|error| error.to_string())?;
        let (mut uncompressed, mut compressed) = (-1, -1);
        let mut reader = ThriftReader::new(&buffer[..read]);
        let walked = reader.fields(|reader, number, kind| match (number, kind) {
            (2, I32) => {
                uncompressed = reader.zigzag()?;
                Some(true)
            }
            (3, I32) => {
                compressed = reader.zigzag()?;
                Some(true)
            }
            _ => Some(false),
        });
        if walked.is_none() {
            continue;
        }
        let largest = compressed
            .saturating_mul(MAX_EXPANSION)
            .saturating_add(EXPANSION_MARGIN);
        if compressed < 0 || !(0..=largest).contains(&uncompressed) {
            return Err(format!(
                "the page at byte {start} states {uncompressed} bytes in {compressed} compressed ones"
            ));
        }
        return Ok(PageHeader {
            length: reader.position() as u64,
            compressed: compressed.unsigned_abs(),
        });
    }
    Err(format!("the page at byte {start} has no header"))
}

/// Fills `buffer` from the byte `start` of `file` on, as far as the file goes.
fn read_at_most(file: &File, start: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], start + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
