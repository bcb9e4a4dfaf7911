//! A `mod.rs` is the table of contents of its folder: documentation, `mod` lines and re-exports.

use syn::Item;

use crate::sources;

/// Returns what `text` defines besides modules and imports: the kind and name of each such item.
fn definitions(text: &str) -> Vec<String> {
    let file = syn::parse_file(text).unwrap();
    let definition = |item: &Item| match item {
        Item::Mod(module) if module.content.is_none() => None,
        Item::Use(_) => None,
        Item::Const(item) => Some(format!("const {}", item.ident)),
        Item::Enum(item) => Some(format!("enum {}", item.ident)),
        Item::Fn(item) => Some(format!("fn {}", item.sig.ident)),
        Item::Mod(item) => Some(format!("mod {} {{ … }}", item.ident)),
        Item::Static(item) => Some(format!("static {}", item.ident)),
        Item::Struct(item) => Some(format!("struct {}", item.ident)),
        Item::Trait(item) => Some(format!("trait {}", item.ident)),
        Item::Type(item) => Some(format!("type {}", item.ident)),
        _ => Some("an impl block or a macro".to_owned()),
    };
    file.items.iter().filter_map(definition).collect()
}

/// Test modules are exempt: a `tests/mod.rs` holds what its test files share.
#[test]
fn mod_files_declare_modules_and_define_nothing() {
    let mut wrong = Vec::new();
    for folder in ["src", "benches/serving"] {
        for (path, text) in sources::read(folder) {
            if path.ends_with("/mod.rs") && !path.ends_with("/tests/mod.rs") {
                wrong.extend(definitions(&text).iter().map(|found| format!("{path}: {found}")));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "move these into files named for what they do, and re-export them from mod.rs: {wrong:#?}"
    );
}

#[test]
fn definitions_are_found_in_a_mod_file() {
    let table_of_contents = "//! A folder.\n#[cfg(test)]\nmod tests;\npub mod a;\npub use a::A;\n";
    assert!(definitions(table_of_contents).is_empty());
    let logic = "mod a;\nconst LIMIT: u8 = 1;\npub fn run() {}\nmod inline {}\nimpl a::A {}\n";
    assert_eq!(
        definitions(logic),
        ["const LIMIT", "fn run", "mod inline { … }", "an impl block or a macro"]
    );
}
