//! The bearer token of calls.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tonic::metadata::{Ascii, MetadataValue};

use crate::Error;

/// The longest token file.
const MAX_BYTES: u64 = 1 << 20;

/// A file with a token, which is read for each call, so that the token can be replaced.
///
/// While the file cannot be read, because it is being replaced, the last token stays in force: a missing file must not end a
/// control loop.
#[derive(Debug)]
pub(crate) struct TokenFile {
    path: PathBuf,
    last: Mutex<MetadataValue<Ascii>>,
}

impl TokenFile {
    /// Reads the token for the first time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if there is no token.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let found = read(path).map_err(|error| {
            let description = format!("expected a token in the first line of {}: {error}", path.display());
            Error::invalid("token_file", description).with_source(error)
        })?;
        Ok(Self {
            path: path.to_owned(),
            last: Mutex::new(found),
        })
    }

    /// The `authorization` header with the token of the file, or with the last one.
    pub(crate) async fn authorization(self: &Arc<Self>) -> MetadataValue<Ascii> {
        let file = Arc::clone(self);
        // A file system may hang, so a thread for blocking calls reads. The deadline of the call bounds the wait.
        let read = tokio::task::spawn_blocking(move || read(&file.path)).await;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(Ok(token)) = read {
            *last = token;
        }
        last.clone()
    }
}

/// The header with the first line that is neither empty nor a comment.
fn read(path: &Path) -> io::Result<MetadataValue<Ascii>> {
    let mut text = Vec::new();
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut text)?;
    let mut lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let token = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"));
    let printable = token.filter(|token| token.iter().all(u8::is_ascii_graphic));
    let header = printable
        .and_then(|token| str::from_utf8(token).ok())
        .and_then(|token| MetadataValue::try_from(format!("Bearer {token}")).ok());
    let mut header = header.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no printable ASCII"))?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_replaced_token_is_used_and_a_missing_file_keeps_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "# rotated\n\n  first \nolder\n").unwrap();
        let file = Arc::new(TokenFile::open(&path).unwrap());
        assert_eq!(file.authorization().await, "Bearer first");
        fs::write(&path, "second\r\n").unwrap();
        assert_eq!(file.authorization().await, "Bearer second");
        fs::write(&path, "with space\n").unwrap();
        assert_eq!(file.authorization().await, "Bearer second");
        fs::remove_file(&path).unwrap();
        assert_eq!(file.authorization().await, "Bearer second");
        assert!(file.authorization().await.is_sensitive());
    }

    #[test]
    fn a_file_without_a_token_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for text in ["", "# nothing\n\n", "caf\u{e9}\n", "two words\n"] {
            fs::write(&path, text).unwrap();
            let error = TokenFile::open(&path).unwrap_err();
            assert_eq!(error.violations()[0].field, "token_file");
            assert!(error.message().contains(path.to_str().unwrap()), "{error}");
        }
        fs::remove_file(&path).unwrap();
        assert!(TokenFile::open(&path).is_err());
    }
}
