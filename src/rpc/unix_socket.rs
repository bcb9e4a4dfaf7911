//! A listener on a Unix socket, which creates and removes its socket file.
//!
//! Before it binds, the listener checks the file at its path. A socket without a listener remains
//! from a server that was killed, and the new listener replaces it. Anything else at the path is an
//! error.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio::net::{UnixListener, UnixSocket, UnixStream};

/// The most connections that wait to be accepted. tokio uses the same number for TCP.
const BACKLOG: u32 = 1024;

/// The Unix socket cannot be bound.
#[derive(Debug, Error)]
pub(super) enum UnixSocketError {
    #[error("another server listens there")]
    InUse,
    #[error("the file exists and is no socket; remove it or name another")]
    NotASocket,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A listener on a Unix socket. Dropping it removes the socket file.
pub(super) struct UnixSocketListener {
    // The file is dropped first. A client that connects during the drop then finds no file, rather
    // than a socket that refuses.
    file: SocketFile,
    pub(super) listener: UnixListener,
}

impl UnixSocketListener {
    /// Listens at `path`. Its permissions are `mode` before it accepts the first connection.
    pub(super) async fn bind(path: &Path, mode: u32) -> Result<Self, UnixSocketError> {
        remove_stale_socket(path).await?;
        let socket = UnixSocket::new_stream()?;
        socket.bind(path)?;
        let file = SocketFile::at(path)?;
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        // Before this call the socket refuses every connection, whatever the permissions of the
        // file.
        let listener = socket.listen(BACKLOG)?;
        Ok(Self { file, listener })
    }

    /// The path of the socket file.
    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }
}

/// Checks that a socket at `path` could be bound, without binding it.
pub(super) async fn check(path: &Path) -> Result<(), UnixSocketError> {
    is_stale_socket(path).await?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // A file without a name: it vanishes at once.
    tempfile::tempfile_in(folder.unwrap_or(Path::new(".")))?;
    Ok(())
}

/// Removes a socket at `path` that has no listener.
async fn remove_stale_socket(path: &Path) -> Result<(), UnixSocketError> {
    if is_stale_socket(path).await? {
        tracing::info!(path = %path.display(), "removing stale unix socket");
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Whether there is a socket at `path` that has no listener. Fails if the path is taken.
async fn is_stale_socket(path: &Path) -> Result<bool, UnixSocketError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
        Ok(found) if !found.file_type().is_socket() => return Err(UnixSocketError::NotASocket),
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(true),
        // WouldBlock means that its queue is full, so a busy server listens.
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error.into()),
        _ => Err(UnixSocketError::InUse),
    }
}

/// The socket file that this process has created.
struct SocketFile {
    path: PathBuf,
    /// The device and inode of the file.
    file_id: (u64, u64),
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_path_buf(),
            file_id: file_id(path)?,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // If another server has taken the path since, its file stays.
        if file_id(&self.path).is_ok_and(|found| found == self.file_id)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "unix socket removal failed");
        }
    }
}

fn file_id(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}
