//! Which file uses which: the paths of a crate, parsed with `syn` and resolved to the files that
//! define the items.
//!
//! `module_tree` parses the files of a crate into `module`s, `visitor` collects the paths of one
//! module, `resolver` follows a path through re-exports to its definition, and `file_graph` joins
//! the results.
//!
//! The method is lexical: a method call on a value does not count as a use of the file that defines
//! the method, because its type is not written down there.

mod file_graph;
mod module;
mod module_tree;
mod resolver;
mod visitor;

pub use file_graph::FileGraph;
