//! Calls to functions of `impl` blocks that are in other files than their types.
//!
//! A call `Type::function()` counts in every file. A call `value.method()` counts only in the file
//! of the type, because the type of a value is not in the text.

use std::collections::BTreeSet;

use super::module::{InherentImpl, Module};
use super::module_tree::ModuleTree;
use super::resolver::Resolver;

pub struct Call {
    /// The calling file.
    pub from: String,
    /// The file of the `impl` block.
    pub to: String,
    pub function: String,
}

/// An `impl` block, and where it and its type are.
struct DistantImpl<'a> {
    block: &'a InherentImpl,
    file: &'a str,
    type_file: String,
    type_name: &'a str,
}

pub fn calls(tree: &ModuleTree, resolver: &Resolver<'_>) -> Vec<Call> {
    let mut calls = Vec::new();
    for distant in distant_impls(tree, resolver) {
        let methods_at_type = methods_of_file(tree, &distant.type_file);
        for (path, module) in &tree.modules {
            let is_type_file = module.file == distant.type_file;
            let named = module.mentioned_paths.iter().filter_map(|mentioned| {
                let [before @ .., owner, function] = mentioned.as_slice() else {
                    return None;
                };
                let names_type = if owner == "Self" {
                    is_type_file
                } else {
                    let to_type: Vec<String> = before.iter().chain([owner]).cloned().collect();
                    owner == distant.type_name && resolver.defining_files(path, &to_type).contains(&distant.type_file)
                };
                (names_type && distant.block.functions.contains(function)).then_some(function)
            });
            let methods = module.method_calls.iter().filter(|method| {
                is_type_file && distant.block.methods.contains(*method) && !methods_at_type.contains(method)
            });
            calls.extend(named.chain(methods).map(|function| Call {
                from: module.file.clone(),
                to: distant.file.to_owned(),
                function: function.clone(),
            }));
        }
    }
    calls.retain(|call| call.from != call.to);
    calls
}

fn distant_impls<'a>(tree: &'a ModuleTree, resolver: &Resolver<'_>) -> Vec<DistantImpl<'a>> {
    let mut found = Vec::new();
    for (path, module) in &tree.modules {
        for block in &module.impls {
            let Some(type_name) = block.type_path.last() else {
                continue;
            };
            let type_files = resolver.defining_files(path, &block.type_path);
            let others = type_files.into_iter().filter(|file| *file != module.file);
            found.extend(others.map(|type_file| DistantImpl {
                block,
                file: &module.file,
                type_file,
                type_name,
            }));
        }
    }
    found
}

/// Returns the methods of the `impl` blocks in `file`. They take precedence over those of other
/// files.
fn methods_of_file<'a>(tree: &'a ModuleTree, file: &str) -> BTreeSet<&'a String> {
    let is_in_file = |module: &&Module| module.file == file;
    let blocks = tree
        .modules
        .values()
        .filter(is_in_file)
        .flat_map(|module| &module.impls);
    blocks.flat_map(|block| &block.methods).collect()
}
