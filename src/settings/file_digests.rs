//! Digests of configuration files, with a cache for the large ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::config_file::{ConfigFileError, ConfigFileKind, FileStamp, read_stable};
use crate::domain::hex;

/// A configuration file: its kind and its path.
pub type ConfigFile = (ConfigFileKind, PathBuf);

/// Two writes within one tick of the file system's clock leave the same stamp. A digest is final once
/// the file has had its stamp for this time, which is much longer than a tick.
const STAMP_SETTLES: Duration = Duration::from_secs(2);

/// The digests of configuration files.
///
/// A small file is read each time. A model is read only if its stamp (size, times, inode) has
/// changed, because a model may have gigabytes.
#[derive(Debug, Default)]
pub struct FileDigests {
    models: Mutex<BTreeMap<PathBuf, CachedDigest>>,
}

#[derive(Debug, Clone)]
struct CachedDigest {
    stamp: FileStamp,
    /// When the stamp was first seen, by the monotonic clock: the wall clock may jump.
    seen: Instant,
    /// When the digest was computed.
    computed: Instant,
    sha256: String,
}

impl FileDigests {
    /// The SHA-256 of the file at `path`, hexadecimal. This blocks.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn sha256(&self, kind: ConfigFileKind, path: &Path) -> Result<String, ConfigFileError> {
        if kind != ConfigFileKind::Model {
            return sha256_and_stamp(kind, path).map(|(sha256, _)| sha256);
        }
        let now = Instant::now();
        let cached = self.lock().get(path).cloned();
        let stamp = FileStamp::read(path);
        if let (Some(cached), Ok(stamp)) = (&cached, &stamp)
            && cached.stamp == *stamp
            && cached.is_final()
        {
            return Ok(cached.sha256.clone());
        }
        let (sha256, stamp) = match stamp.and_then(|_| sha256_and_stamp(kind, path)) {
            Ok(computed) => computed,
            Err(error) => {
                self.lock().remove(path);
                return Err(error);
            }
        };
        let seen = cached
            .filter(|cached| cached.stamp == stamp)
            .map_or(now, |cached| cached.seen);
        let entry = CachedDigest {
            stamp,
            seen,
            computed: now,
            sha256: sha256.clone(),
        };
        self.lock().insert(path.to_path_buf(), entry);
        Ok(sha256)
    }

    /// One digest of the paths and the contents of `files`. A file that cannot be read counts by the
    /// reason.
    pub fn combined(&self, files: &[ConfigFile]) -> String {
        let mut hash = Sha256::new();
        for (kind, path) in files {
            let contents = self.sha256(*kind, path).unwrap_or_else(|error| error.to_string());
            for part in [path.as_os_str().as_encoded_bytes(), contents.as_bytes()] {
                hash.update(part.len().to_le_bytes());
                hash.update(part);
            }
        }
        hex(&hash.finalize())
    }

    /// Forgets the digests of every file but `files`.
    pub fn retain(&self, files: &[ConfigFile]) {
        self.lock()
            .retain(|path, _| files.iter().any(|(_, other)| other == path));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, CachedDigest>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CachedDigest {
    fn is_final(&self) -> bool {
        self.computed.saturating_duration_since(self.seen) >= STAMP_SETTLES
    }
}

fn sha256_and_stamp(kind: ConfigFileKind, path: &Path) -> Result<(String, FileStamp), ConfigFileError> {
    let mut hash = Sha256::new();
    let stamp = read_stable(kind, path, &mut |chunk| match chunk {
        Some(bytes) => hash.update(bytes),
        None => hash = Sha256::new(),
    })?;
    Ok((hex(&hash.finalize()), stamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: ConfigFileKind = ConfigFileKind::Model;

    fn cached(digests: &FileDigests, path: &Path) -> CachedDigest {
        digests.lock()[path].clone()
    }

    #[test]
    fn a_model_is_read_again_until_its_stamp_has_settled_and_then_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.onnx");
        std::fs::write(&path, "one").unwrap();
        let digests = FileDigests::default();
        let first = digests.sha256(MODEL, &path).unwrap();
        assert_eq!(first, hex(&Sha256::digest("one")));
        // The stamp is young: a second write in the same tick would have left it.
        assert!(!cached(&digests, &path).is_final());
        let earlier = Instant::now().checked_sub(2 * STAMP_SETTLES).unwrap();
        digests.lock().get_mut(&path).unwrap().seen = earlier;
        digests.sha256(MODEL, &path).unwrap();
        assert!(cached(&digests, &path).is_final());
        let computed = cached(&digests, &path).computed;
        assert_eq!(digests.sha256(MODEL, &path).unwrap(), first);
        assert_eq!(cached(&digests, &path).computed, computed, "it was read again");
    }

    #[test]
    fn every_way_to_change_a_settled_model_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("m.onnx"), folder.path().join("n.onnx"));
        let digests = FileDigests::default();
        let settle = || {
            std::fs::write(&path, "one").unwrap();
            digests.sha256(MODEL, &path).unwrap();
            let earlier = Instant::now().checked_sub(2 * STAMP_SETTLES).unwrap();
            digests.lock().get_mut(&path).unwrap().seen = earlier;
            assert_eq!(digests.sha256(MODEL, &path).unwrap(), hex(&Sha256::digest("one")));
            // The clock of the file system ticks.
            std::thread::sleep(Duration::from_millis(20));
        };
        settle();
        std::fs::write(&path, "two").unwrap();
        assert_eq!(digests.sha256(MODEL, &path).unwrap(), hex(&Sha256::digest("two")));
        settle();
        // Same size, and an old modification time, as `cp -p` leaves it.
        std::fs::write(&other, "six").unwrap();
        let old = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::fs::File::options()
            .write(true)
            .open(&other)
            .unwrap()
            .set_modified(old)
            .unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(digests.sha256(MODEL, &path).unwrap(), hex(&Sha256::digest("six")));
        settle();
        std::fs::remove_file(&path).unwrap();
        assert!(digests.sha256(MODEL, &path).unwrap_err().is_absent());
    }

    #[test]
    fn the_combined_digest_tells_absence_from_emptiness_and_one_file_from_another() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| (ConfigFileKind::Credentials, folder.path().join(name));
        let digests = FileDigests::default();
        let of = |names: &[&str]| digests.combined(&names.iter().map(|name| file(name)).collect::<Vec<_>>());
        let absent = of(&["a"]);
        std::fs::write(folder.path().join("a"), "").unwrap();
        let empty = of(&["a"]);
        std::fs::write(folder.path().join("b"), "").unwrap();
        assert!(absent != empty && of(&["b"]) != empty && of(&["a", "b"]) != of(&["b", "a"]));
    }
}
