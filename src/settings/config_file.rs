//! The only reader of configuration files. A read is bounded in size and in time.
//!
//! An operator may name any path. A read of a pipe waits for a writer, a device may never end, and a
//! file may grow while it is read. The reader therefore opens without waiting, accepts regular files
//! only, and stops at the limits of the kind of file.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use thiserror::Error;

/// The size of one read.
const CHUNK_BYTES: usize = 1 << 18;
/// How often a file that changes while it is read is read again.
const MAX_ATTEMPTS: usize = 3;
/// The pause before such a file is read again.
const PAUSE: Duration = Duration::from_millis(20);

/// A kind of configuration file. It determines the limits of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigFileKind {
    /// The settings file.
    Settings,
    /// The manifest of a model.
    Manifest,
    /// An ONNX file.
    Model,
    /// The proof record beside an ONNX file.
    ProofRecord,
    /// Certificates, a private key or tokens.
    Credentials,
}

impl ConfigFileKind {
    /// As a log line names it.
    fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Manifest => "manifest",
            Self::Model => "model",
            Self::ProofRecord => "proof record",
            Self::Credentials => "credentials",
        }
    }

    /// The largest accepted file, in bytes.
    #[must_use]
    pub fn max_bytes(self) -> u64 {
        match self {
            Self::Settings | Self::Credentials => 1 << 20,
            // A manifest lists every label.
            Self::Manifest => 16 << 20,
            // Protobuf allows no larger message.
            Self::Model => (2 << 30) - 1,
            Self::ProofRecord => 64 << 10,
        }
    }

    /// The longest time that a read may take.
    fn max_time(self) -> Duration {
        match self {
            Self::Model => Duration::from_secs(300),
            _ => Duration::from_secs(10),
        }
    }
}

/// Why a configuration file cannot be read. No message shows the contents of the file.
#[derive(Debug, Error)]
pub enum ConfigFileError {
    /// The operating system reports an error.
    #[error("{0}")]
    System(#[from] io::Error),
    /// The path does not name a regular file.
    #[error("expected a regular file, found {found}")]
    NotRegular {
        /// The type of the file.
        found: &'static str,
    },
    /// The file is too large.
    #[error("the file is larger than {max_bytes} bytes")]
    TooLarge {
        /// The limit.
        max_bytes: u64,
    },
    /// The file system delivers the file too slowly.
    #[error("the read takes longer than {} s", max_time.as_secs())]
    TooSlow {
        /// The limit.
        max_time: Duration,
    },
    /// A writer is at work.
    #[error("the file changes while it is read")]
    Changing,
    /// The file is not text.
    #[error("expected text in UTF-8; byte {position} is none")]
    NotUtf8 {
        /// The position of the first invalid byte, counted from 1.
        position: usize,
    },
}

impl ConfigFileError {
    /// Whether there is no such file.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::System(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// The identity and the state of a file. It changes with every write to the file and with every
/// replacement, unless both happen within one tick of the file system's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileStamp {
    device_and_inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device_and_inode: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The stamp of the regular file at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, ConfigFileError> {
        Ok(Self::of(&regular(std::fs::metadata(path)?)?))
    }
}

/// Reads the file at `path` whole. This blocks, for at most the time of its kind.
///
/// # Errors
/// If the path names no regular file, or the file is too large, too slow or not readable.
pub fn read_config_file(kind: ConfigFileKind, path: &Path) -> Result<Vec<u8>, ConfigFileError> {
    let mut contents = Vec::new();
    read_stable(kind, path, &mut |chunk| match chunk {
        Some(bytes) => contents.extend_from_slice(bytes),
        None => contents.clear(),
    })?;
    Ok(contents)
}

/// Reads the text in the file at `path`, as [`read_config_file`] does.
///
/// # Errors
/// As [`read_config_file`], and if the file is not UTF-8.
pub fn read_config_text(kind: ConfigFileKind, path: &Path) -> Result<String, ConfigFileError> {
    String::from_utf8(read_config_file(kind, path)?).map_err(|error| ConfigFileError::NotUtf8 {
        position: error.utf8_error().valid_up_to() + 1,
    })
}

/// Logs a path. A test compares the files that are read with those that are watched. A path of
/// credentials that names no file may be a secret, and is not logged.
pub fn trace_path(kind: ConfigFileKind, path: &Path, message: &str) {
    if kind != ConfigFileKind::Credentials || std::fs::symlink_metadata(path).is_ok() {
        tracing::trace!(path = %path.display(), kind = kind.name(), "{message}");
    }
}

/// Reads the file at `path` in chunks. A call with `None` starts the file anew. Returns the stamp of
/// the file that was read.
pub(super) fn read_stable(
    kind: ConfigFileKind,
    path: &Path,
    consume: &mut dyn FnMut(Option<&[u8]>),
) -> Result<FileStamp, ConfigFileError> {
    trace_path(kind, path, "config file read");
    let mut result = Err(ConfigFileError::Changing);
    for attempt in 0..MAX_ATTEMPTS {
        if attempt > 0 {
            std::thread::sleep(PAUSE);
        }
        consume(None);
        result = read_once(kind, path, consume);
        if !matches!(result, Err(ConfigFileError::Changing)) {
            break;
        }
    }
    result
}

fn read_once(
    kind: ConfigFileKind,
    path: &Path,
    consume: &mut dyn FnMut(Option<&[u8]>),
) -> Result<FileStamp, ConfigFileError> {
    let began = Instant::now();
    // The opening of a device may have an effect, so the type is checked before it, and again on what
    // was opened.
    regular(std::fs::metadata(path)?)?;
    let mut file = open_without_waiting(path)?;
    let before = regular(file.metadata()?)?;
    let (max_bytes, max_time) = (kind.max_bytes(), kind.max_time());
    if before.len() > max_bytes {
        return Err(ConfigFileError::TooLarge { max_bytes });
    }
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut total = 0_u64;
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        total = total.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        if total > max_bytes {
            return Err(ConfigFileError::TooLarge { max_bytes });
        }
        // A writer that never rests must not keep the reader. (Files of /proc have the size 0.)
        if before.len() > 0 && total > before.len() {
            return Err(ConfigFileError::Changing);
        }
        if began.elapsed() > max_time {
            return Err(ConfigFileError::TooSlow { max_time });
        }
        consume(buffer.get(..count));
    }
    let (before, after) = (FileStamp::of(&before), FileStamp::of(&file.metadata()?));
    // The time of the last change of the inode also follows a rename, which does not touch contents.
    if (before.size, before.modified) != (after.size, after.modified) {
        return Err(ConfigFileError::Changing);
    }
    Ok(before)
}

/// Opens a file without waiting for the writer of a pipe, and without making a terminal the
/// controlling one.
fn open_without_waiting(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let flags = i32::try_from(flags).map_err(io::Error::other)?;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Rejects anything but a regular file.
fn regular(metadata: Metadata) -> Result<Metadata, ConfigFileError> {
    let file_type = metadata.file_type();
    let found = if file_type.is_file() {
        return Ok(metadata);
    } else if file_type.is_dir() {
        "a folder"
    } else if file_type.is_fifo() {
        "a pipe"
    } else if file_type.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(ConfigFileError::NotRegular { found })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn error(kind: ConfigFileKind, path: &Path) -> String {
        read_config_text(kind, path).unwrap_err().to_string()
    }

    #[test]
    fn only_a_regular_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), rustix::fs::Mode::RUSR).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        symlink("loop", path("loop")).unwrap();
        symlink("pipe", path("link")).unwrap();
        for (name, expected) in [
            ("pipe", "found a pipe"),
            ("link", "found a pipe"),
            ("socket", "found a socket"),
            ("", "found a folder"),
            ("loop", "Too many levels of symbolic links"),
            ("absent", "No such file"),
        ] {
            let found = error(ConfigFileKind::Settings, &path(name));
            assert!(found.contains(expected), "{name}: {found}");
        }
        for device in ["/dev/zero", "/dev/null"] {
            assert!(error(ConfigFileKind::Credentials, Path::new(device)).contains("found a device"));
        }
    }

    #[test]
    fn a_file_is_bounded_by_its_kind_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        // Sparse: a read of it would take memory for each byte.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        for kind in [
            ConfigFileKind::Settings,
            ConfigFileKind::Manifest,
            ConfigFileKind::Model,
            ConfigFileKind::ProofRecord,
            ConfigFileKind::Credentials,
        ] {
            let expected = format!("larger than {} bytes", kind.max_bytes());
            assert!(error(kind, &path).contains(&expected), "{kind:?}");
        }
    }

    #[test]
    fn text_is_utf8() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"ab\xffhunter2").unwrap();
        assert_eq!(
            error(ConfigFileKind::Settings, &path),
            "expected text in UTF-8; byte 3 is none"
        );
        std::fs::write(&path, "a\0b").unwrap();
        assert_eq!(read_config_text(ConfigFileKind::Settings, &path).unwrap(), "a\0b");
    }

    /// A writer that never rests must not keep the reader.
    #[test]
    fn a_file_that_grows_is_reported_as_changing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![b'x'; 3 * CHUNK_BYTES]).unwrap();
        let mut writer = OpenOptions::new().append(true).open(&path).unwrap();
        let mut starts = 0;
        let result = read_stable(ConfigFileKind::Model, &path, &mut |chunk| match chunk {
            None => starts += 1,
            Some(_) => writer.write_all(b"more").unwrap(),
        });
        assert!(matches!(result, Err(ConfigFileError::Changing)), "{result:?}");
        assert_eq!(starts, MAX_ATTEMPTS);
        // Once the writer rests, the file is read whole.
        let size = std::fs::metadata(&path).unwrap().len();
        let bytes = read_config_file(ConfigFileKind::Model, &path).unwrap();
        assert_eq!(u64::try_from(bytes.len()).unwrap(), size);
    }
}
