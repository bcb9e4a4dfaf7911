//! The files that the arguments of a command name: files, directories and stdin.

use std::path::{Path, PathBuf};

use anyhow::bail;
use walkdir::WalkDir;

use super::files::is_input_file;
use crate::cli::output::error_text;

/// Stands for stdin on the command line.
const STDIN_ARGUMENT: &str = "-";

/// One place from which inputs are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::client) enum InputSource {
    /// A file.
    File(PathBuf),
    /// Stdin, read to its end.
    Stdin,
    /// A directory, or a part of it, that gives no inputs, and why.
    Unreadable {
        /// The directory.
        name: String,
        /// The reason.
        reason: String,
    },
}

/// The sources in the order of the arguments. A directory stands for its images and arrays and for
/// those of its subdirectories, sorted by path. Hidden files and directories are left out, and so are
/// pipes and devices, which may never end. Symbolic links to directories are not followed.
///
/// # Errors
/// When stdin is named twice.
pub(in crate::cli::client) fn find_sources(arguments: &[PathBuf]) -> anyhow::Result<Vec<InputSource>> {
    let is_stdin = |argument: &&PathBuf| argument.as_os_str() == STDIN_ARGUMENT;
    if arguments.iter().filter(is_stdin).count() > 1 {
        bail!("{STDIN_ARGUMENT} stands for stdin, which can be read once: expected it at most once");
    }
    let mut sources = Vec::new();
    for argument in arguments {
        if is_stdin(&argument) {
            sources.push(InputSource::Stdin);
        } else if argument.is_dir() {
            sources.extend(files_of_directory(argument));
        } else {
            sources.push(InputSource::File(argument.clone()));
        }
    }
    Ok(sources)
}

fn files_of_directory(directory: &Path) -> Vec<InputSource> {
    let is_visible = |entry: &walkdir::DirEntry| entry.depth() == 0 || !is_hidden(entry.path());
    let mut sources = Vec::new();
    for entry in WalkDir::new(directory)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(is_visible)
    {
        match entry {
            Ok(entry) if entry.path().is_file() && is_input_file(entry.path()) => {
                sources.push(InputSource::File(entry.into_path()));
            }
            Ok(_) => {}
            Err(error) => {
                let name = error.path().unwrap_or(directory).display().to_string();
                let reason = error.into_io_error().map_or_else(
                    || "symbolic links lead back to a directory above".to_owned(),
                    |error| error_text(&error.into()),
                );
                sources.push(InputSource::Unreadable { name, reason });
            }
        }
    }
    if sources.is_empty() {
        sources.push(InputSource::Unreadable {
            name: directory.display().to_string(),
            reason: "has no PNG, JPEG, WebP, BMP or .npy file".to_owned(),
        });
    }
    sources
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_stands_for_its_inputs_in_order() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        for name in [
            "b.png",
            "a/2.JPG",
            "a/1.webp",
            "a/notes.txt",
            ".hidden/x.png",
            ".x.png",
            "empty/readme",
        ] {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap())?;
            std::fs::write(path, b"")?;
        }
        std::os::unix::fs::symlink(root, root.join("a/loop"))?;
        std::os::unix::fs::symlink("/dev/zero", root.join("a/endless.png"))?;
        let found = find_sources(&[root.join("b.png"), root.to_path_buf(), "-".into(), "missing.png".into()])?;
        let file = |name: &str| InputSource::File(root.join(name));
        assert_eq!(
            found,
            [
                file("b.png"),
                file("a/1.webp"),
                file("a/2.JPG"),
                file("b.png"),
                InputSource::Stdin,
                InputSource::File("missing.png".into()),
            ]
        );
        let empty = find_sources(&[root.join("empty")])?;
        assert!(
            matches!(empty.as_slice(), [InputSource::Unreadable { name, reason }]
                if name.ends_with("empty") && reason.starts_with("has no PNG")),
            "{empty:?}"
        );
        Ok(())
    }

    #[test]
    fn stdin_is_read_once() {
        assert!(find_sources(&["-".into(), "-".into()]).is_err());
        assert_eq!(find_sources(&["-".into()]).unwrap(), [InputSource::Stdin]);
    }
}
