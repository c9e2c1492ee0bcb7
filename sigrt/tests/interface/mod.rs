// SPDX-License-Identifier: MIT OR Apache-2.0

//! What of the crate can be reached from outside, taken from its sources: for the tests that look at that.

use std::fs;
use std::path::{Path, PathBuf};

use quote::ToTokens;
use syn::{Attribute, Item, ItemImpl, ItemMod, PathSegment, Type, UseTree, Visibility};

pub(crate) const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// Tokens as one would write them, nearly.
pub(crate) fn text(tokens: impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (from, to) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" ::", "::"),
        (" < ", "<"),
        (" > ", "> "),
        (" >", ">"),
        ("< ", "<"),
        ("& ", "&"),
        (" ,", ","),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        (" : ", ": "),
        (" ;", ";"),
        ("> (", ">("),
        (" '", " '"),
        ("- >", "->"),
        ("->", "-> "),
        ("  ", " "),
    ] {
        text = text.replace(from, to);
    }
    text.trim().to_owned()
}

pub(crate) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|a| a.path().is_ident("cfg") && text(a).contains("test"))
}

/// One source file, or a module in one.
pub(crate) struct Module {
    /// Where it can be reached, or nothing.
    pub(crate) public: Option<String>,
    pub(crate) name: String,
    pub(crate) items: Vec<Item>,
}

fn read(path: &Path) -> Vec<Item> {
    let source = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    syn::parse_file(&source)
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        .items
}

/// Collects a module and all below it; `directory` is where its children's files are.
fn collect(
    items: Vec<Item>,
    name: &str,
    public: Option<String>,
    directory: &Path,
    all: &mut Vec<Module>,
) {
    for item in &items {
        let Item::Mod(ItemMod {
            attrs,
            vis,
            ident,
            content,
            ..
        }) = item
        else {
            continue;
        };
        if is_for_tests(attrs) {
            continue;
        }
        let child = ident.to_string();
        let reached = public
            .as_ref()
            .filter(|_| is_public(vis))
            .map(|p| format!("{p}::{child}"));
        let below = directory.join(&child);
        let inner = if let Some((_, items)) = content {
            items.clone()
        } else {
            let files: [PathBuf; 2] = [directory.join(format!("{child}.rs")), below.join("mod.rs")];
            read(files.iter().find(|f| f.is_file()).unwrap())
        };
        collect(inner, &child, reached, &below, all);
    }
    all.push(Module {
        public,
        name: name.to_owned(),
        items,
    });
}

fn uses(tree: &UseTree, from: &str, found: &mut Vec<(String, String)>) {
    match tree {
        UseTree::Path(path) if from.is_empty() => uses(&path.tree, &path.ident.to_string(), found),
        UseTree::Path(path) => uses(&path.tree, &format!("{from}::{}", path.ident), found),
        UseTree::Name(name) => found.push((from.to_owned(), name.ident.to_string())),
        UseTree::Rename(name) => found.push((from.to_owned(), name.ident.to_string())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| uses(tree, from, found)),
        UseTree::Glob(_) => panic!("a glob hides what is promised"),
    }
}

/// Name and visibility of what can be used from elsewhere.
pub(crate) fn named(item: &Item) -> Option<(String, &Visibility)> {
    Some(match item {
        Item::Struct(i) => (i.ident.to_string(), &i.vis),
        Item::Enum(i) => (i.ident.to_string(), &i.vis),
        Item::Fn(i) => (i.sig.ident.to_string(), &i.vis),
        Item::Const(i) => (i.ident.to_string(), &i.vis),
        Item::Type(i) => (i.ident.to_string(), &i.vis),
        Item::Trait(i) => (i.ident.to_string(), &i.vis),
        _ => return None,
    })
}

/// The type that something is implemented for, without its reference.
pub(crate) fn implementer(i: &ItemImpl) -> Option<&PathSegment> {
    let mut of = &*i.self_ty;
    if let Type::Reference(reference) = of {
        of = &reference.elem;
    }
    match of {
        Type::Path(of) => of.path.segments.last(),
        _ => None,
    }
}

/// The whole crate.
pub(crate) fn modules() -> Vec<Module> {
    let source = Path::new(CRATE).join("src");
    let mut modules = Vec::new();
    collect(
        read(&source.join("lib.rs")),
        "sigrt",
        Some("sigrt".to_owned()),
        &source,
        &mut modules,
    );
    modules
}

/// What can be reached from outside.
pub(crate) enum Reached<'a> {
    /// An item of `home`, in the public module `at`.
    Item {
        at: &'a str,
        home: &'a Module,
        item: &'a Item,
    },
    /// Something of another crate.
    #[allow(
        dead_code,
        reason = "one of the two tests that share this does not look at it"
    )]
    Foreign {
        at: &'a str,
        from: String,
        name: String,
    },
}

/// Everything that can be reached, but for methods.
pub(crate) fn reachable(modules: &[Module]) -> Vec<Reached<'_>> {
    let mut all = Vec::new();
    for module in modules {
        let Some(at) = module.public.as_deref() else {
            continue;
        };
        for item in &module.items {
            if named(item).is_some_and(|(_, visibility)| is_public(visibility)) {
                let home = module;
                all.push(Reached::Item { at, home, item });
            }
            let Item::Use(reexport) = item else { continue };
            if !is_public(&reexport.vis) {
                continue;
            }
            let mut found = Vec::new();
            uses(&reexport.tree, "", &mut found);
            for (from, name) in found {
                let last = from.rsplit("::").next().unwrap_or_default();
                // One that another module of the same name, or one below it, defines.
                let home = modules.iter().find_map(|m| {
                    let item = m
                        .items
                        .iter()
                        .find(|i| named(i).is_some_and(|(n, v)| n == name && is_public(v)))?;
                    (m.name == last || from == "streams").then_some((m, item))
                });
                all.push(match home {
                    Some((home, item)) => Reached::Item { at, home, item },
                    None => Reached::Foreign { at, from, name },
                });
            }
        }
    }
    all
}
