//! The modules of a crate, read from its files.

use std::collections::BTreeMap;

use super::module::{Module, ModulePath};
use super::visitor;
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
                unread.push((declared, file));
            }
        }
        tree
    }
}

/// Finds the file of the module `declared`, which the module `parent` in `file` declares as `mod
/// name;`.
fn find_file(files: &SourceFiles, file: &str, root: &str, parent: &ModulePath, declared: &ModulePath) -> String {
    let folder = if file == root || file.ends_with("/mod.rs") {
        file.rsplit_once('/').unwrap().0
    } else {
        file.trim_end_matches(".rs")
    };
    // A declaration inside an inline module looks in a folder of that name.
    let below = declared[parent.len()..].join("/");
    let candidates = [format!("{folder}/{below}.rs"), format!("{folder}/{below}/mod.rs")];
    let found = candidates.iter().find(|candidate| files.contains_key(*candidate));
    found
        .unwrap_or_else(|| panic!("{file} declares a module that has none of the files {candidates:?}"))
        .clone()
}
