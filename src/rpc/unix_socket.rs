//! A listener on a Unix socket, and the file that it goes by.
//!
//! What is in the file's way is looked at before anything is removed: a socket that nobody listens on is left over from a
//! server that was killed, and is replaced; all else is somebody's, and an error.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio::net::{UnixListener, UnixSocket, UnixStream};

/// Connections that wait to be accepted, at most; as tokio has it for TCP.
const BACKLOG: u32 = 1024;

/// Why a Unix socket cannot be listened on.
#[derive(Debug, Error)]
pub(super) enum SocketError {
    #[error("another server listens there")]
    InUse,
    #[error("the file is there already and is no socket; remove it or name another")]
    AnotherFile,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A listener whose file is removed when it is dropped.
pub(super) struct Listener {
    // First: whoever comes while this is dropped finds no file, rather than one that refuses.
    file: SocketFile,
    pub(super) listener: UnixListener,
}

impl Listener {
    /// Listens at `path`, whose permissions are `mode` before the first connection can be made.
    pub(super) async fn bind(path: &Path, mode: u32) -> Result<Self, SocketError> {
        make_way(path).await?;
        let socket = UnixSocket::new_stream()?;
        socket.bind(path)?;
        let file = SocketFile::at(path)?;
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        // Until here every connection is refused, whoever may open the file.
        let listener = socket.listen(BACKLOG)?;
        Ok(Self { file, listener })
    }

    /// Where it listens.
    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }
}

/// Removes a socket that nobody listens on.
async fn make_way(path: &Path) -> Result<(), SocketError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(found) if !found.file_type().is_socket() => return Err(SocketError::AnotherFile),
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            tracing::info!(path = %path.display(), "replacing the socket of a server that is gone");
            Ok(fs::remove_file(path)?)
        }
        // Its queue is full: somebody listens, too busy to answer.
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error.into()),
        _ => Err(SocketError::InUse),
    }
}

/// The file of a socket that this process has bound.
struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_path_buf(),
            identity: identity(path)?,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another server may have taken the path meanwhile: its file is not ours to remove.
        if identity(&self.path).is_ok_and(|found| found == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the socket could not be removed");
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}
