//! Collects items, imports and paths from the syntax tree of one file.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Expr, ExprMethodCall, ImplItem, Item, ItemImpl, ItemMod, ItemUse, Lit, Macro, Meta, Type, UseTree,
    Visibility,
};

use super::module::{Import, ImportName, InherentImpl, Module, ModulePath};

/// The modules of one file.
#[derive(Default)]
pub struct FileModules {
    /// The module of the file and its inline modules.
    pub modules: Vec<(ModulePath, Module)>,
    /// The modules that it declares as `mod name;`, which have files of their own.
    pub declared: Vec<Declaration>,
}

/// A declaration `mod name;`.
pub struct Declaration {
    pub module: ModulePath,
    /// The value of its `#[path = "…"]`, relative to the folder of the declaring file.
    pub path_attribute: Option<String>,
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}

/// Reads the syntax tree of `file`, which holds the module at `path`.
pub fn visit_file(path: &ModulePath, file: &str, parsed: &syn::File) -> FileModules {
    let mut found = FileModules::default();
    visit_module(path, file, &parsed.items, &mut found);
    found
}

fn visit_module(path: &ModulePath, file: &str, items: &[Item], found: &mut FileModules) {
    let mut visitor = PathVisitor {
        module: Module {
            file: file.to_owned(),
            ..Module::default()
        },
    };
    for item in items.iter().filter(|item| !is_test_only(attributes(item))) {
        if let Some(name) = item_name(item) {
            visitor.module.items.insert(name);
        }
        match item {
            Item::Mod(child) => {
                let name = child.ident.to_string();
                let child_path: ModulePath = path.iter().cloned().chain([name.clone()]).collect();
                visitor.module.children.insert(name);
                match &child.content {
                    Some((_, items)) => visit_module(&child_path, file, items, found),
                    None => found.declared.push(Declaration {
                        module: child_path,
                        path_attribute: path_attribute(&child.attrs),
                    }),
                }
            }
            Item::Macro(call) if call.ident.is_none() => {
                visitor.module.has_generated_items = true;
                visitor.visit_item(item);
            }
            _ => visitor.visit_item(item),
        }
    }
    found.modules.push((path.clone(), visitor.module));
}

/// Returns the name that an item defines in its module. A module is no item here.
fn item_name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Returns whether `#[cfg(test)]` is among the attributes.
fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Ident>()
                .is_ok_and(|option| option == "test")
    })
}

fn names(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

struct PathVisitor {
    module: Module,
}

impl PathVisitor {
    fn mention(&mut self, path: Vec<String>) {
        if !path.is_empty() {
            self.module.mentioned_paths.insert(path);
        }
    }

    fn import(&mut self, tree: &UseTree, prefix: &[String], is_reexport: bool) {
        let extended = |name: &syn::Ident| prefix.iter().cloned().chain([name.to_string()]).collect::<Vec<_>>();
        let (path, name) = match tree {
            UseTree::Path(path) => return self.import(&path.tree, &extended(&path.ident), is_reexport),
            UseTree::Group(group) => {
                return group
                    .items
                    .iter()
                    .for_each(|tree| self.import(tree, prefix, is_reexport));
            }
            // `use path::{self}` binds the last name of the path.
            UseTree::Name(name) if name.ident == "self" => {
                let Some(last) = prefix.last() else { return };
                (prefix.to_vec(), ImportName::Name(last.clone()))
            }
            UseTree::Rename(name) if name.ident == "self" => {
                (prefix.to_vec(), ImportName::Name(name.rename.to_string()))
            }
            UseTree::Name(name) => (extended(&name.ident), ImportName::Name(name.ident.to_string())),
            UseTree::Rename(name) => (extended(&name.ident), ImportName::Name(name.rename.to_string())),
            UseTree::Glob(_) => (prefix.to_vec(), ImportName::Glob),
        };
        self.module.imports.push(Import {
            is_reexport,
            path,
            name,
        });
    }

    /// Collects the paths in the arguments of a macro, which `syn` does not parse.
    fn mention_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        let mut is_after_dot = false;
        for token in tokens {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Ident(name) => {
                    let continues = colons == 2 && !path.is_empty();
                    if !continues {
                        self.mention(std::mem::take(&mut path));
                    }
                    if is_after_dot {
                        self.module.method_calls.insert(name.to_string());
                    }
                    // A name after a dot is a field or a method. A path that starts with `::` is of
                    // another crate.
                    if continues || colons != 2 && !is_after_dot {
                        path.push(name.to_string());
                    }
                    (colons, is_after_dot) = (0, false);
                }
                other => {
                    self.mention(std::mem::take(&mut path));
                    (colons, is_after_dot) = (0, false);
                    match other {
                        TokenTree::Punct(mark) => is_after_dot = mark.as_char() == '.',
                        TokenTree::Group(group) => self.mention_tokens(group.stream()),
                        _ => {}
                    }
                }
            }
        }
        self.mention(path);
    }
}

impl<'ast> Visit<'ast> for PathVisitor {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test_only(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_impl(&mut self, block: &'ast ItemImpl) {
        if let (None, Type::Path(path)) = (&block.trait_, &*block.self_ty) {
            let signatures = block.items.iter().filter_map(|item| match item {
                ImplItem::Fn(function) if !is_test_only(&function.attrs) => Some(&function.sig),
                _ => None,
            });
            let methods = signatures.clone().filter(|signature| signature.receiver().is_some());
            self.module.impls.push(InherentImpl {
                type_path: names(&path.path),
                functions: signatures
                    .clone()
                    .map(|signature| signature.ident.to_string())
                    .collect(),
                methods: methods.map(|signature| signature.ident.to_string()).collect(),
            });
        }
        visit::visit_item_impl(self, block);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.module.method_calls.insert(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            _ => return visit::visit_impl_item(self, item),
        };
        if !is_test_only(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    /// A module inside a function body is not supported, and there is none.
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        panic!("the module {} is inside another item", item.ident);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            self.import(&item.tree, &[], !matches!(item.vis, Visibility::Inherited));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.mention(names(path));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.mention_tokens(call.tokens.clone());
    }

    /// The path of `pub(in path)` uses nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    /// Attributes name macros and lints of other crates.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}
