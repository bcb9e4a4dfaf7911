//! Follows a path through modules, imports and re-exports to the items that it names.

use super::module::{ImportName, ModulePath};
use super::module_tree::ModuleTree;

/// What a path names. A module and a function may share a name, so a path can have two definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Definition {
    Module(ModulePath),
    Item { file: String },
}

/// Imports that are being followed, each by its module and its number. An import is followed once,
/// so that two globs of each other end.
type Followed = Vec<(ModulePath, usize)>;

pub struct Resolver<'a> {
    tree: &'a ModuleTree,
}

impl<'a> Resolver<'a> {
    pub fn new(tree: &'a ModuleTree) -> Self {
        Self { tree }
    }

    /// Returns the files that define the items which `path` names in the module `from`. A path to a
    /// module or into another crate has none.
    pub fn defining_files(&self, from: &ModulePath, path: &[String]) -> Vec<String> {
        self.resolve(from, path, &mut Followed::new())
            .into_iter()
            .filter_map(|definition| match definition {
                Definition::Item { file } => Some(file),
                Definition::Module(_) => None,
            })
            .collect()
    }

    fn resolve(&self, from: &ModulePath, path: &[String], followed: &mut Followed) -> Vec<Definition> {
        let mut start = from.clone();
        let mut rest = path;
        let mut is_relative = false;
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "crate" => start.clear(),
                "self" => {}
                "super" => drop(start.pop()),
                _ => break,
            }
            (rest, is_relative) = (others, true);
        }
        match rest.split_first() {
            Some((first, others)) => {
                let found = self.look_up(&start, first, followed);
                self.descend(found, others, followed)
            }
            None if is_relative => vec![Definition::Module(start)],
            None => Vec::new(),
        }
    }

    /// Goes on from `definitions` along the names of `rest`. Whatever follows an item is part of
    /// it: a method, a variant.
    fn descend(&self, definitions: Vec<Definition>, rest: &[String], followed: &mut Followed) -> Vec<Definition> {
        let Some((next, others)) = rest.split_first() else {
            return definitions;
        };
        let mut found = Vec::new();
        for definition in definitions {
            match definition {
                Definition::Module(module) => {
                    let next = self.look_up(&module, next, followed);
                    found.extend(self.descend(next, others, followed));
                }
                item @ Definition::Item { .. } => found.push(item),
            }
        }
        found
    }

    /// Returns what `name` means in a module: a child, an item, an import, or a name that a glob
    /// imports.
    fn look_up(&self, path: &ModulePath, name: &str, followed: &mut Followed) -> Vec<Definition> {
        let Some(module) = self.tree.modules.get(path) else {
            return Vec::new();
        };
        let item = Definition::Item {
            file: module.file.clone(),
        };
        let mut found = Vec::new();
        if module.children.contains(name) {
            let child = path.iter().cloned().chain([name.to_owned()]).collect();
            found.push(Definition::Module(child));
        }
        if module.items.contains(name) {
            found.push(item.clone());
        }
        for (number, import) in module.imports.iter().enumerate() {
            if matches!(&import.name, ImportName::Name(bound) if bound == name) {
                found.extend(self.follow(path, number, followed));
            }
        }
        if found.is_empty() {
            for (number, import) in module.imports.iter().enumerate() {
                if import.name == ImportName::Glob {
                    let globbed = self.follow(path, number, followed);
                    found.extend(self.look_up_in_glob(path, number, globbed, name, followed));
                }
            }
        }
        if found.is_empty() && module.has_generated_items {
            found.push(item);
        }
        found
    }

    /// Resolves the path of an import.
    fn follow(&self, path: &ModulePath, number: usize, followed: &mut Followed) -> Vec<Definition> {
        self.while_following(path, number, followed, |followed| {
            self.resolve(path, &self.tree.modules[path].imports[number].path, followed)
        })
    }

    /// Looks `name` up in the modules that a glob import names. The variants of an enum are part of
    /// the enum, whose file is an edge already.
    fn look_up_in_glob(
        &self,
        path: &ModulePath,
        number: usize,
        globbed: Vec<Definition>,
        name: &str,
        followed: &mut Followed,
    ) -> Vec<Definition> {
        self.while_following(path, number, followed, |followed| {
            let mut found = Vec::new();
            for definition in globbed {
                if let Definition::Module(module) = definition {
                    found.extend(self.look_up(&module, name, followed));
                }
            }
            found
        })
    }

    /// Runs `search` with one import marked as followed. Returns nothing if it is marked already.
    fn while_following(
        &self,
        path: &ModulePath,
        number: usize,
        followed: &mut Followed,
        search: impl FnOnce(&mut Followed) -> Vec<Definition>,
    ) -> Vec<Definition> {
        if followed
            .iter()
            .any(|(module, import)| module == path && *import == number)
        {
            return Vec::new();
        }
        followed.push((path.clone(), number));
        let found = search(followed);
        followed.pop();
        found
    }
}
