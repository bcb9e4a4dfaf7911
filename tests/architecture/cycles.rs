//! No two files use each other, neither directly nor through other files.
//!
//! A file that can be read without its users is easier to change and to test. A cycle through a
//! re-export in `mod.rs` is a cycle all the same.

use std::collections::BTreeMap;

use crate::imports::FileGraph;
use crate::sources::{self, SourceFiles};

const HOW_TO_FIX: &str = "To break a cycle, move what both files need into a file below them, or pass the data that a \
    function needs instead of the object that owns it.";

#[track_caller]
fn assert_no_cycles(files: &SourceFiles, root: &str) {
    let cycles = FileGraph::build(files, root).cycles();
    let reports: Vec<String> = cycles
        .iter()
        .map(|cycle| {
            format!(
                "import cycle of {} files:\n  {}",
                cycle.files.len(),
                cycle.edges.join("\n  ")
            )
        })
        .collect();
    assert!(reports.is_empty(), "{}\n{HOW_TO_FIX}", reports.join("\n"));
}

#[test]
fn the_library_has_no_import_cycles() {
    assert_no_cycles(&sources::read("src"), "src/lib.rs");
}

/// The benchmarks share the attacks, whose frames the tests encode.
#[test]
fn the_benchmarks_have_no_import_cycles() {
    let files = sources::read_all(&["benches", "tests/adversary"]);
    for benchmark in ["benches/serving", "benches/soak"] {
        assert_no_cycles(&files, &format!("{benchmark}/main.rs"));
    }
}

#[test]
fn the_tests_have_no_import_cycles() {
    let files = sources::read_all(&["tests/adversary", "tests/api", "tests/architecture"]);
    for binary in ["tests/adversary", "tests/api", "tests/architecture"] {
        assert_no_cycles(&files, &format!("{binary}/main.rs"));
    }
}

/// Makes a crate of these files. `lib.rs` declares the module `folder`, whose `mod.rs` is the first
/// text.
fn planted(mod_file: &str, files: &[(&str, &str)]) -> SourceFiles {
    let mut sources = BTreeMap::from([
        ("src/lib.rs".to_owned(), "pub mod folder;".to_owned()),
        ("src/folder/mod.rs".to_owned(), mod_file.to_owned()),
    ]);
    for (name, text) in files {
        sources.insert(format!("src/folder/{name}.rs"), (*text).to_owned());
    }
    sources
}

/// Returns the files of each cycle, without the folder that all of them are in.
fn cycles(sources: &SourceFiles) -> Vec<Vec<String>> {
    let short = |path: String| path.trim_start_matches("src/folder/").to_owned();
    FileGraph::build(sources, "src/lib.rs")
        .cycles()
        .into_iter()
        .map(|cycle| cycle.files.into_iter().map(short).collect())
        .collect()
}

#[track_caller]
fn assert_cycle(sources: &SourceFiles) {
    assert_eq!(cycles(sources), [["a.rs", "b.rs"]]);
}

#[track_caller]
fn assert_clean(sources: &SourceFiles) {
    assert_eq!(cycles(sources), Vec::<Vec<String>>::new());
}

#[test]
fn a_direct_cycle_is_found() {
    let a = "use super::b::B; pub struct A(B);";
    let b = "use crate::folder::a::A; pub struct B(Box<A>);";
    assert_cycle(&planted("mod a; mod b;", &[("a", a), ("b", b)]));
}

#[test]
fn a_cycle_through_reexports_is_found() {
    let a = "use super::B; pub struct A(B);";
    let b = "use crate::folder::{self, Renamed as Other}; pub struct B(Box<Other>);";
    let mod_file = "mod a; mod b; pub use self::{a::A as Renamed, b::{B}};";
    assert_cycle(&planted(mod_file, &[("a", a), ("b", b)]));
}

#[test]
fn a_cycle_through_a_glob_is_found() {
    let a = "use super::*; pub struct A(B);";
    let b = "use crate::folder::A; pub struct B(Box<A>);";
    let mod_file = "mod a; mod b; pub use a::*; pub use b::*;";
    assert_cycle(&planted(mod_file, &[("a", a), ("b", b)]));
}

#[test]
fn a_cycle_through_inline_paths_is_found() {
    let a = "pub fn a() { super::b::run() }";
    let b = "pub fn run() { let value = crate::folder::A::new(); } pub struct A; impl A { fn new() {} }";
    let direct = "pub fn run() { let value = crate::folder::a::a; }";
    assert_clean(&planted("mod a; mod b; pub use b::A;", &[("a", a), ("b", b)]));
    assert_cycle(&planted("mod a; mod b;", &[("a", a), ("b", direct)]));
}

#[test]
fn a_cycle_through_a_module_import_is_found() {
    let a = "use super::b; pub fn a() { b::run() }";
    let b = "use crate::folder; pub fn run() { folder::a::a() }";
    assert_cycle(&planted("mod a; mod b;", &[("a", a), ("b", b)]));
}

#[test]
fn a_cycle_in_the_arguments_of_a_macro_is_found() {
    let a = "pub fn a() { println!(\"{}\", { super::b::run() }) }";
    let b = "use super::a; pub fn run() { vec![x.field, Some { value: a::a() }]; }";
    assert_cycle(&planted("mod a; mod b;", &[("a", a), ("b", b)]));
}

#[test]
fn a_cycle_through_a_type_argument_or_a_pattern_is_found() {
    let a = "pub enum A { One } pub fn a(x: Vec<super::b::B>) {}";
    let b = "pub struct B; fn run(x: u8) { match x { crate::folder::a::A::One => {} } }";
    assert_cycle(&planted("mod a; mod b;", &[("a", a), ("b", b)]));
}

/// An `impl` block in another file uses the file of its type, so that file must not call its
/// functions.
#[test]
fn a_cycle_through_an_impl_block_in_another_file_is_found() {
    let b = "use super::a::A; impl A { pub fn extra(&self) {} pub fn load() -> Self { A } }";
    for call in [
        "self.extra()",
        "Self::load()",
        "crate::folder::a::A::load()",
        "assert!(self.extra())",
    ] {
        let a = format!("pub struct A; impl A {{ pub fn run(&self) {{ {call}; }} }}");
        assert_cycle(&planted("mod a; mod b;", &[("a", &a), ("b", b)]));
    }
    for call in ["self.load()", "self.extra", "Other::load()"] {
        let a = format!("pub struct A; impl A {{ pub fn run(&self) {{ {call}; }} }}");
        assert_clean(&planted("mod a; mod b;", &[("a", &a), ("b", b)]));
    }
}

#[test]
fn a_cycle_of_three_files_is_reported_with_its_edges() {
    let a = "use super::b::B; use super::d::D; pub struct A(B, D);";
    let b = "use super::c::C; pub struct B(C);";
    let c = "use super::a::A; pub struct C(Box<A>);";
    let sources = planted(
        "mod a; mod b; mod c; mod d;",
        &[("a", a), ("b", b), ("c", c), ("d", "pub struct D;")],
    );
    let found = FileGraph::build(&sources, "src/lib.rs").cycles();
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].edges,
        [
            "src/folder/a.rs uses src/folder/b.rs: super::b::B",
            "src/folder/b.rs uses src/folder/c.rs: super::c::C",
            "src/folder/c.rs uses src/folder/a.rs: super::a::A",
        ]
    );
}

#[test]
fn a_cycle_between_a_file_and_its_subfolder_is_found() {
    let sources = BTreeMap::from([
        ("src/lib.rs".to_owned(), "mod a;".to_owned()),
        (
            "src/a.rs".to_owned(),
            "mod deep; pub const LIMIT: u8 = deep::most();".to_owned(),
        ),
        ("src/a/deep/mod.rs".to_owned(), "mod b; pub use b::most;".to_owned()),
        (
            "src/a/deep/b.rs".to_owned(),
            "pub const fn most() -> u8 { super::super::LIMIT }".to_owned(),
        ),
    ]);
    assert_eq!(cycles(&sources), [["src/a.rs", "src/a/deep/b.rs"]]);
}

#[test]
fn a_cycle_through_a_path_attribute_is_found() {
    let a = "use super::other::B; pub struct A(B);";
    let b = "use crate::folder::a::A; pub struct B(Box<A>);";
    let mod_file = "mod a; #[path = \"../folder/b.rs\"] mod other;";
    assert_cycle(&planted(mod_file, &[("a", a), ("b", b)]));
}

#[test]
fn a_diamond_is_clean() {
    let top = "use super::{left::Left, right::Right}; pub struct Top(Left, Right);";
    let left = "use super::bottom::Bottom; pub struct Left(Bottom);";
    let right = "use super::Bottom; pub struct Right(Bottom);";
    let files = [
        ("top", top),
        ("left", left),
        ("right", right),
        ("bottom", "pub struct Bottom;"),
    ];
    let mod_file = "mod bottom; mod left; mod right; mod top; pub use bottom::Bottom; pub use top::*;";
    assert_clean(&planted(mod_file, &files));
}

#[test]
fn test_code_and_comments_are_ignored() {
    let a = "use super::b::B; pub struct A(B);";
    let b = "//! See [`super::a::A`].\npub struct B;
        #[cfg(test)] mod tests { use super::super::a::A; }
        #[cfg(test)] mod more;
        #[cfg(test)] fn helper() -> super::a::A {}
        impl B { #[cfg(test)] fn a(self) -> super::a::A {} }";
    assert_clean(&planted("mod a; mod b;", &[("a", a), ("b", b)]));
}

#[test]
fn names_of_other_crates_are_ignored() {
    let a = "use super::b::B; use ::b::X; pub fn a() -> std::a::B { Vec::new() }";
    let b = "use a::Y; pub struct B(a::Y);";
    assert_clean(&planted("mod a; mod b;", &[("a", a), ("b", b)]));
}

/// A module and the function that it re-exports may have the same name.
#[test]
fn a_function_named_like_its_module_resolves_to_its_file() {
    let load = "use super::source::Source; pub fn load(source: Source) {}";
    let source = "pub struct Source; impl Source { fn open(self) { super::load(self) } }";
    let sources = planted(
        "mod load; mod source; pub use load::load;",
        &[("load", load), ("source", source)],
    );
    assert_eq!(cycles(&sources), [["load.rs", "source.rs"]]);
}
