//! The fuzz target of compressed messages.

use std::convert::Infallible;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::gzip::{PREFIX_BYTES, UnpackError, unpack, unpacked_bytes};

/// The bit of the first byte that compresses the other bytes before they are unpacked.
const PACKS: u8 = 1;

/// Unpacks the bytes after the first, within a limit that the first byte states.
///
/// No more than the limit is reserved or unpacked, and what was compressed unpacks to itself.
pub(crate) fn compressed_messages(data: &[u8]) {
    let Some((&options, content)) = data.split_first() else {
        return;
    };
    let longest = 1_usize << (options >> 4);
    let packed = match options & PACKS {
        0 => content.to_vec(),
        _ => pack(content),
    };
    let mut largest = 0;
    let grow = |capacity: usize| {
        assert!(capacity > largest, "{capacity} bytes after {largest}");
        largest = capacity;
        Ok::<_, Infallible>(())
    };
    let unpacked = unpack(&packed, longest, grow, || false);
    assert!(largest <= PREFIX_BYTES + longest, "{largest} bytes for {longest}");
    match unpacked {
        Ok(message) => {
            let length = message.len() - PREFIX_BYTES;
            assert!(length <= longest && Some(length) == unpacked_bytes(&packed));
            assert!(options & PACKS == 0 || message.get(PREFIX_BYTES..) == Some(content));
        }
        Err(UnpackError::TooLong(bytes)) => assert!(bytes > longest && largest == 0),
        Err(error) => assert!(options & PACKS == 0, "{error}"),
    }
}

/// Compresses `content` to one member of gzip.
pub(super) fn pack(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}
