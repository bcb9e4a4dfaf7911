//! Messages that are compressed with gzip.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// The bytes of `content`, compressed.
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A gRPC message whose flag says that it is compressed, and whose content is `bytes`.
pub fn flagged_message(bytes: &[u8]) -> Vec<u8> {
    let mut message = vec![1];
    message.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    message.extend(bytes);
    message
}

/// A gRPC message with `content`, compressed.
pub fn gzip_message(content: &[u8]) -> Vec<u8> {
    flagged_message(&gzip(content))
}
