//! The files that `certimix init` writes. They get their names once all of them pass the checks of
//! `certimix check-config`.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use tempfile::NamedTempFile;
use tokio::runtime::Builder;

use super::arguments::InitArgs;
use crate::app::{self, ConfigCheck};
use crate::domain::{PerRole, Role, Violation, Violations};
use crate::settings::{SettingsSource, environment_variables};

/// Where the files belong. Every folder exists, and its path is absolute.
#[derive(Debug)]
pub(super) struct OutputPaths {
    /// The ONNX files.
    pub(super) models: PerRole<PathBuf>,
    /// The manifests.
    pub(super) manifests: PerRole<PathBuf>,
    /// The settings file.
    pub(super) config: PathBuf,
}

impl OutputPaths {
    /// The paths that `args` name.
    ///
    /// # Errors
    /// If a folder or an ONNX file does not exist, or a file exists and `--force` is not given.
    pub(super) fn new(args: &InitArgs) -> anyhow::Result<Self> {
        let models = PerRole {
            standard: resolved(&args.standard)?,
            robust: resolved(&args.robust)?,
        };
        let folder = args.out.as_deref().map(existing_folder).transpose()?;
        let manifest = |model: &Path, suffix: &str| {
            let stem = model.file_stem().unwrap_or_default().to_string_lossy();
            let folder = folder.as_deref().or(model.parent()).unwrap_or(Path::new(""));
            folder.join(format!("{stem}{suffix}.toml"))
        };
        let mut manifests = PerRole::of(|role| manifest(&models[role], ""));
        // One file may play both roles: a smoothed model, and the same model without noise.
        if manifests.standard == manifests.robust {
            manifests = PerRole::of(|role| manifest(&models[role], &format!("-{}", role.name())));
        }
        let paths = Self {
            models,
            manifests,
            config: resolved(&args.config)?,
        };
        for role in Role::ALL {
            let model = &paths.models[role];
            if !model.is_file() {
                bail!("--{}: there is no file {}", role.name(), model.display());
            }
        }
        let targets = [&paths.manifests.standard, &paths.manifests.robust, &paths.config];
        if paths.config == paths.manifests.standard || paths.config == paths.manifests.robust {
            bail!("--config: {} is the name of a manifest", paths.config.display());
        }
        let existing: Vec<String> = targets
            .into_iter()
            .filter(|path| path.symlink_metadata().is_ok())
            .map(|path| path.display().to_string())
            .collect();
        if !existing.is_empty() && !args.force {
            bail!(
                "these files exist, and --force is not given to replace them: {}",
                existing.join(", ")
            );
        }
        Ok(paths)
    }

    /// The ONNX file of `role` as its manifest names it.
    pub(super) fn model_in_manifest(&self, role: Role) -> String {
        relative(&self.models[role], &self.manifests[role])
    }
}

/// The absolute path of a file whose folder exists. A link to the file stays.
fn resolved(file: &Path) -> anyhow::Result<PathBuf> {
    let name = file
        .file_name()
        .ok_or_else(|| anyhow!("{} names no file", file.display()))?;
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    Ok(existing_folder(folder)?.join(name))
}

fn existing_folder(folder: &Path) -> anyhow::Result<PathBuf> {
    fs::canonicalize(folder).with_context(|| format!("there is no folder {}", folder.display()))
}

/// The path of `file` relative to the folder of the file `from`; both are absolute.
fn relative(file: &Path, from: &Path) -> String {
    let path = from.parent().and_then(|folder| pathdiff::diff_paths(file, folder));
    path.as_deref().unwrap_or(file).to_string_lossy().into_owned()
}

/// Files with their contents, which do not have their names yet.
pub(super) struct PreparedFiles {
    paths: OutputPaths,
    manifests: PerRole<NamedTempFile>,
}

impl PreparedFiles {
    /// Writes the manifests beside their places.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(super) fn new(paths: OutputPaths, manifests: &PerRole<String>) -> anyhow::Result<Self> {
        let prepared = PerRole {
            standard: prepared_file(&paths.manifests.standard, &manifests.standard)?,
            robust: prepared_file(&paths.manifests.robust, &manifests.robust)?,
        };
        Ok(Self {
            paths,
            manifests: prepared,
        })
    }

    /// Checks the settings that `config` writes for manifests at the paths that it is given, as
    /// `certimix check-config` does.
    ///
    /// # Errors
    /// With every violation, if the server would refuse the settings.
    pub(super) fn check(&self, config: impl Fn(PerRole<&str>) -> String) -> anyhow::Result<ConfigCheck> {
        let text = self.config_text(config, |role| self.manifests[role].path());
        let source = SettingsSource::new(&self.paths.config, environment_variables());
        let read = source.read_values(&text)?;
        let mut violations = read.violations;
        let mut check = ConfigCheck::default();
        if violations.0.is_empty()
            && let Some(settings) = &read.settings
        {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            check = app::check_config(settings, &runtime);
            violations = std::mem::take(&mut check.violations);
        }
        if violations.0.is_empty() {
            check.warnings = self.with_final_names(check.warnings);
            return Ok(check);
        }
        bail!(
            "nothing is written, because the server would refuse these models:\n{}",
            self.with_final_names(violations)
        )
    }

    /// The violations, with the names that the files will have.
    fn with_final_names(&self, violations: Violations) -> Violations {
        let renamed = |text: String| {
            Role::ALL.into_iter().fold(text, |text, role| {
                let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                text.replace(&name(self.manifests[role].path()), &name(&self.paths.manifests[role]))
            })
        };
        let violations = violations.0.into_iter().map(|Violation { field, message }| Violation {
            field,
            message: renamed(message),
        });
        Violations(violations.collect())
    }

    fn config_text<'a>(&self, config: impl Fn(PerRole<&str>) -> String, manifest: impl Fn(Role) -> &'a Path) -> String {
        let names = PerRole {
            standard: relative(manifest(Role::Standard), &self.paths.config),
            robust: relative(manifest(Role::Robust), &self.paths.config),
        };
        config(PerRole {
            standard: &names.standard,
            robust: &names.robust,
        })
    }

    /// Gives the files their names. Replaces files that exist only if `force` is set.
    ///
    /// # Errors
    /// If a file cannot be written, or exists.
    pub(super) fn publish(self, force: bool, config: impl Fn(PerRole<&str>) -> String) -> anyhow::Result<OutputPaths> {
        let text = self.config_text(config, |role| &self.paths.manifests[role]);
        let config = prepared_file(&self.paths.config, &text)?;
        let Self { paths, manifests } = self;
        let named = [
            (manifests.standard, &paths.manifests.standard),
            (manifests.robust, &paths.manifests.robust),
            (config, &paths.config),
        ];
        for (file, path) in named {
            let result = if force {
                file.persist(path)
            } else {
                file.persist_noclobber(path)
            };
            result
                .map_err(|error| error.error)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(paths)
    }
}

/// Writes `text` beside `target`, readable for everybody: the server may run as another user.
fn prepared_file(target: &Path, text: &str) -> anyhow::Result<NamedTempFile> {
    let write = || -> std::io::Result<NamedTempFile> {
        let mut file = tempfile::Builder::new()
            .prefix(".certimix-init-")
            .suffix(".toml")
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(target.parent().unwrap_or(Path::new("")))?;
        file.write_all(text.as_bytes())?;
        Ok(file)
    };
    write().with_context(|| format!("cannot write {}", target.display()))
}
