//! Reads a file of certificates, of a key or of tokens, with a limit on its size.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The largest file, in bytes. It holds several hundred certificates.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads the file at `path` whole.
///
/// # Errors
/// The file cannot be read, or is larger than `MAX_FILE_BYTES`.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(unreadable)?.take(MAX_FILE_BYTES + 1);
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!(
            "{} is larger than {MAX_FILE_BYTES} bytes; expected a PEM file, or a file of tokens",
            path.display()
        ));
    }
    Ok(bytes)
}
