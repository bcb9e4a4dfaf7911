//! Opens a Parquet file.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::metadata_check::{check_compression, check_metadata};
use super::parser_panics::call_parser;
use super::schema_size::check_schema_size;

/// The bytes behind the metadata: their length, and the mark of the format.
const FOOTER_BYTES: u64 = 8;
/// The largest accepted metadata.
const MAX_METADATA_BYTES: u64 = 256 << 20;

/// Opens the file at `path`, and checks its metadata.
///
/// # Errors
/// A message if it cannot be read, is not complete, or its metadata is damaged.
pub(in crate::evaluation) fn open_parquet(path: &Path) -> Result<SerializedFileReader<File>, String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let file_bytes = file.metadata().map_err(|error| error.to_string())?.len();
    let incomplete = |reason: String| {
        format!("is not a complete Parquet file, perhaps because its writer was interrupted: {reason}")
    };
    if let Some(metadata) = metadata_bytes(&mut file, file_bytes).map_err(|error| error.to_string())? {
        check_schema_size(&metadata).map_err(incomplete)?;
    }
    let reader = call_parser(|| SerializedFileReader::new(file)).map_err(incomplete)?;
    check_metadata(reader.metadata(), file_bytes)?;
    check_compression(reader.metadata())?;
    Ok(reader)
}

/// The metadata at the end of the file. `None` if there is none, which the parser finds too.
fn metadata_bytes(file: &mut File, file_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    if file_bytes < FOOTER_BYTES {
        return Ok(None);
    }
    let mut footer = [0; 8];
    file.seek(SeekFrom::Start(file_bytes - FOOTER_BYTES))?;
    file.read_exact(&mut footer)?;
    let [a, b, c, d, mark @ ..] = footer;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    let start = file_bytes.checked_sub(FOOTER_BYTES + length);
    let Some(start) = start.filter(|_| mark == *b"PAR1" && length <= MAX_METADATA_BYTES) else {
        return Ok(None);
    };
    let mut metadata = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(length).read_to_end(&mut metadata)?;
    Ok(Some(metadata))
}
