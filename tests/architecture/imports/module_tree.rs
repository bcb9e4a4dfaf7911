//! The modules of a crate, read from its files.

use std::collections::BTreeMap;

use super::module::{Module, ModulePath};
use super::visitor::{self, Declaration};
use crate::sources::SourceFiles;

#[derive(Debug, Default)]
pub struct ModuleTree {
    pub modules: BTreeMap<ModulePath, Module>,
}

impl ModuleTree {
    /// Parses the file `root` and every file that it declares. Modules under `#[cfg(test)]` are
    /// left out.
    pub fn parse(files: &SourceFiles, root: &str) -> Self {
        let mut tree = Self::default();
        let mut unread = vec![(ModulePath::new(), root.to_owned())];
        while let Some((path, file)) = unread.pop() {
            let text = &files[&file];
            let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
            let found = visitor::visit_file(&path, &file, &parsed);
            tree.modules.extend(found.modules);
            for declared in found.declared {
                let file = find_file(files, &file, root, &path, &declared);
                unread.push((declared.module, file));
            }
        }
        tree
    }
}

/// Finds the file of the module `declared`, which the module `parent` in `file` declares.
fn find_file(files: &SourceFiles, file: &str, root: &str, parent: &ModulePath, declared: &Declaration) -> String {
    if let Some(relative) = &declared.path_attribute {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let found = without_parents(&format!("{folder}/{relative}"));
        assert!(
            files.contains_key(&found),
            "{file} declares {found}, which was not read"
        );
        return found;
    }
    let folder = if file == root || file.ends_with("/mod.rs") {
        file.rsplit_once('/').unwrap().0
    } else {
        file.trim_end_matches(".rs")
    };
    // A declaration inside an inline module looks in a folder of that name.
    let below = declared.module[parent.len()..].join("/");
    let candidates = [format!("{folder}/{below}.rs"), format!("{folder}/{below}/mod.rs")];
    let found = candidates.iter().find(|candidate| files.contains_key(*candidate));
    found
        .unwrap_or_else(|| panic!("{file} declares a module that has none of the files {candidates:?}"))
        .clone()
}

/// Resolves each `..` of a path.
fn without_parents(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}
