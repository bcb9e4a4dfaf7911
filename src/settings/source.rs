//! The sources of settings, in rising priority: defaults, the file, the environment.

use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::all_tables::{self, ReadSettings, Settings};
use super::config_file::{ConfigFileKind, read_config_text};
use super::parse_error::toml_error_text;
use super::reader::Reader;
use super::value_origin::{ValueSources, overrides_key};
use crate::domain::{Violations, hex};

/// The reason why settings could not be loaded.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The file does not exist, or is not TOML.
    #[error("cannot read the settings file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system or of the TOML parser, without the text of the file.
        reason: String,
    },
    /// Values are not valid.
    #[error("invalid settings in {}:\n{violations}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Every violation, each with its key.
        violations: Violations,
    },
}

impl SettingsError {
    /// Every violation. An unreadable file is one violation of the field `file`.
    #[must_use]
    pub fn violations(&self) -> Violations {
        match self {
            Self::Invalid { violations, .. } => violations.clone(),
            Self::Unreadable { reason, .. } => Violations::one("file", reason.clone()),
        }
    }
}

/// Reads and validates the settings in `path`, overridden by `variables` (as from
/// [`environment_variables`]).
///
/// # Errors
/// If the file cannot be read or parsed, or with every violation of its values.
pub fn load(path: &Path, variables: impl IntoIterator<Item = (String, String)>) -> Result<Settings, SettingsError> {
    let source = SettingsSource::new(path, variables);
    source.parse(&source.read()?)
}

/// The environment variables of this process that override keys. A value that is not UTF-8 has the
/// replacement character in place of each invalid byte, so that its key reports it.
#[must_use]
pub fn environment_variables() -> Vec<(String, String)> {
    // `std::env::vars` panics at a variable that is not UTF-8, and shows it.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .filter(|(name, _)| overrides_key(name))
        .collect()
}

/// A settings file and the environment variables that override it.
#[derive(Debug, Clone)]
pub struct SettingsSource {
    path: PathBuf,
    /// The variables as they were when the process started.
    variables: Vec<(String, String)>,
}

impl SettingsSource {
    /// The file at `path`, overridden by `variables` (as from [`environment_variables`]).
    #[must_use]
    pub fn new(path: &Path, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            path: path.to_path_buf(),
            variables: variables.into_iter().collect(),
        }
    }

    /// The settings file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn unreadable(&self, reason: String) -> SettingsError {
        SettingsError::Unreadable {
            path: self.path.clone(),
            reason,
        }
    }

    /// The current text of the file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self) -> Result<String, SettingsError> {
        read_config_text(ConfigFileKind::Settings, &self.path).map_err(|error| self.unreadable(error.to_string()))
    }

    /// Validates `text`, which was read from the file, together with the variables.
    ///
    /// # Errors
    /// If it cannot be parsed, or with every violation of its values.
    pub fn parse(&self, text: &str) -> Result<Settings, SettingsError> {
        let read = self.read_values(text)?;
        read.into_valid().map_err(|violations| SettingsError::Invalid {
            path: self.path.clone(),
            violations,
        })
    }

    /// Reads `text` as [`SettingsSource::parse`] does, and returns violations beside the settings: a
    /// check of the configuration goes on to what the valid values name.
    ///
    /// # Errors
    /// If it cannot be parsed.
    pub fn read_values(&self, text: &str) -> Result<ReadSettings, SettingsError> {
        // The `config` crate quotes the document in its errors.
        toml::de::DeTable::parse(text).map_err(|error| self.unreadable(toml_error_text(text, &error)))?;
        let environment = Environment::with_prefix("CERTIMIX")
            .prefix_separator("__")
            .separator("__")
            .source(Some(self.variables.iter().cloned().collect()));
        let tree = Config::builder()
            .add_source(File::from_str(text, FileFormat::Toml))
            .add_source(environment)
            .build()
            .map(|config| config.cache)
            .map_err(|_| self.unreadable("a number in it does not fit 64 bits".to_owned()))?;
        let base_folder = self.path.parent().unwrap_or(Path::new(""));
        let sources = ValueSources::new(text, &self.variables);
        Ok(all_tables::read(Reader::new(tree, base_folder, sources), sha256(text)))
    }
}

/// SHA-256 of the text of a settings file, hexadecimal.
#[must_use]
pub fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}
