//! The digest of the contents of a data set.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::domain::hex;

/// Adds the contents of the file at `path` to `hash`. Calls `progress` with the bytes of each part.
pub(super) fn add_file(hash: &mut Sha256, path: &Path, progress: &mut dyn FnMut(u64)) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        hash.update(&buffer[..read]);
        progress(read as u64);
    }
}

/// The SHA-256 of the names of several files, and of the SHA-256 of each. A file that cannot be read
/// counts by its name.
pub(super) fn digest_of_files<'a>(
    root: &Path,
    files: impl Iterator<Item = &'a Path>,
    progress: &mut dyn FnMut(u64),
) -> String {
    let mut all = Sha256::new();
    for file in files {
        let mut hash = Sha256::new();
        let is_read = add_file(&mut hash, &root.join(file), progress).is_ok();
        all.update(file.as_os_str().as_encoded_bytes());
        all.update([u8::from(!is_read)]);
        if is_read {
            all.update(hash.finalize());
        }
    }
    hex(&all.finalize())
}

/// The SHA-256 of the file at `path`.
pub(super) fn digest_of_file(path: &Path, progress: &mut dyn FnMut(u64)) -> io::Result<String> {
    let mut hash = Sha256::new();
    add_file(&mut hash, path, progress)?;
    Ok(hex(&hash.finalize()))
}
