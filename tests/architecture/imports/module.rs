//! One module: its file, its items, its imports and the paths that its code mentions.

use std::collections::BTreeSet;

/// Names from the crate root to a module. The root is empty.
pub type ModulePath = Vec<String>;

#[derive(Debug, Default)]
pub struct Module {
    /// The file that holds the module. An inline module has the file of its parent.
    pub file: String,
    pub children: BTreeSet<String>,
    pub items: BTreeSet<String>,
    pub imports: Vec<Import>,
    /// Every path in the code, except those of imports.
    pub mentioned_paths: BTreeSet<Vec<String>>,
    /// Whether a macro defines items here, whose names are not in the text.
    pub has_generated_items: bool,
}

/// One name, or one glob, of a `use` declaration.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// Whether other modules can reach it: `pub use`, `pub(crate) use` and the like.
    pub is_reexport: bool,
    pub path: Vec<String>,
    pub name: ImportName,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImportName {
    /// The name that the import binds.
    Name(String),
    /// Every name of the module: `use path::*`.
    Glob,
}
