//! The graph of files: an edge from each file to the files whose items it uses.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use super::module_tree::ModuleTree;
use super::resolver::Resolver;
use crate::sources::SourceFiles;

pub struct FileGraph {
    /// The paths by which the first file uses the second.
    edges: BTreeMap<(String, String), BTreeSet<String>>,
}

/// Files that use each other, directly or through others of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Cycle {
    pub files: Vec<String>,
    /// Each edge between them, with the paths that make it.
    pub edges: Vec<String>,
}

impl FileGraph {
    /// Resolves every path of the crate whose root is the file `root`.
    ///
    /// A re-export is no use: it only gives an item a second path. A use of that path is an edge to
    /// the file that defines the item.
    pub fn build(files: &SourceFiles, root: &str) -> Self {
        let tree = ModuleTree::parse(files, root);
        let resolver = Resolver::new(&tree);
        let mut edges: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for (path, module) in &tree.modules {
            let imported = module.imports.iter().filter(|import| !import.is_reexport);
            let paths = imported.map(|import| &import.path).chain(&module.mentioned_paths);
            for used in paths {
                for file in resolver.defining_files(path, used) {
                    if file != module.file {
                        let edge = (module.file.clone(), file);
                        edges.entry(edge).or_default().insert(used.join("::"));
                    }
                }
            }
        }
        Self { edges }
    }

    /// Returns each edge: the file, the file that it uses, and the paths by which it does.
    pub fn edges(&self) -> impl Iterator<Item = (&str, &str, &BTreeSet<String>)> {
        self.edges
            .iter()
            .map(|((from, to), paths)| (from.as_str(), to.as_str(), paths))
    }

    /// Returns the strongly connected components of more than one file.
    pub fn cycles(&self) -> Vec<Cycle> {
        let graph: DiGraphMap<&str, ()> = self.edges().map(|(from, to, _)| (from, to)).collect();
        let components = tarjan_scc(&graph).into_iter().filter(|files| files.len() > 1);
        let mut cycles: Vec<Cycle> = components.map(|files| self.cycle(files)).collect();
        cycles.sort_by(|one, other| one.files.cmp(&other.files));
        cycles
    }

    fn cycle(&self, mut files: Vec<&str>) -> Cycle {
        files.sort_unstable();
        let inside = self
            .edges()
            .filter(|(from, to, _)| files.contains(from) && files.contains(to));
        Cycle {
            edges: inside
                .map(|(from, to, paths)| format!("{from} uses {to}: {}", summary(paths)))
                .collect(),
            files: files.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// Joins the paths that lead out of the file. An imported name adds nothing to the path of its
/// import.
fn summary(paths: &BTreeSet<String>) -> String {
    let leads_out = |path: &&str| path.starts_with("crate::") || path.starts_with("super::");
    let all = paths.iter().map(String::as_str);
    let mut shown: Vec<&str> = all.clone().filter(leads_out).collect();
    if shown.is_empty() {
        shown = all.collect();
    }
    shown.join(", ")
}
