// SPDX-License-Identifier: MIT OR Apache-2.0

//! The public interface is what `public-api.txt` lists. `RTNOTIFY_BLESS=1` writes that.
//!
//! The listing is made from the sources: a line for each public item, method, variant, field and implementation that can
//! be reached from the crate's root. It needs no nightly compiler, and sees nothing that macros make.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use quote::ToTokens;
use syn::{
    Attribute, Fields, ImplItem, Item, ItemImpl, ItemMod, TraitItem, Type, UseTree, Visibility,
};

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// Tokens as one would write them, nearly.
fn text(tokens: impl ToTokens) -> String {
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

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The attributes that are part of a promise.
fn promises(attributes: &[Attribute]) -> String {
    attributes
        .iter()
        .filter(|a| {
            ["derive", "non_exhaustive", "must_use", "cfg", "default"]
                .iter()
                .any(|n| a.path().is_ident(n))
        })
        .map(|a| format!("{} ", text(a)))
        .collect()
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|a| a.path().is_ident("cfg") && text(a).contains("test"))
}

/// One source file, or a module in one.
struct Module {
    /// Where it can be reached, or nothing.
    public: Option<String>,
    name: String,
    items: Vec<Item>,
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

fn fields(path: &str, all: &Fields, within_enum: bool, lines: &mut BTreeSet<String>) {
    for (index, field) in all.iter().enumerate() {
        if within_enum || is_public(&field.vis) {
            let name = field
                .ident
                .as_ref()
                .map_or(index.to_string(), ToString::to_string);
            lines.insert(format!("{path}.{name}: {}", text(&field.ty)));
        }
    }
}

/// The lines of one item, as `path::name`.
fn list(item: &Item, path: &str, lines: &mut BTreeSet<String>) {
    match item {
        Item::Struct(i) => {
            let name = format!("{path}::{}", i.ident);
            lines.insert(format!(
                "{}struct {name}{}",
                promises(&i.attrs),
                text(&i.generics)
            ));
            fields(&name, &i.fields, false, lines);
        }
        Item::Enum(i) => {
            let name = format!("{path}::{}", i.ident);
            lines.insert(format!(
                "{}enum {name}{}",
                promises(&i.attrs),
                text(&i.generics)
            ));
            for variant in &i.variants {
                let variant_name = format!("{name}::{}", variant.ident);
                lines.insert(format!(
                    "{}variant {variant_name}",
                    promises(&variant.attrs)
                ));
                fields(&variant_name, &variant.fields, true, lines);
            }
        }
        Item::Fn(i) => {
            lines.insert(format!("{}{path}: {}", promises(&i.attrs), text(&i.sig)));
        }
        Item::Const(i) => {
            lines.insert(format!("const {path}::{}: {}", i.ident, text(&i.ty)));
        }
        Item::Type(i) => {
            lines.insert(format!(
                "type {path}::{}{} = {}",
                i.ident,
                text(&i.generics),
                text(&i.ty)
            ));
        }
        Item::Trait(i) => {
            lines.insert(format!("trait {path}::{}", i.ident));
            for item in &i.items {
                if let TraitItem::Fn(function) = item {
                    lines.insert(format!("{path}::{}: {}", i.ident, text(&function.sig)));
                }
            }
        }
        _ => {}
    }
}

/// Name and visibility of what can be used from elsewhere.
fn named(item: &Item) -> Option<(String, &Visibility)> {
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

fn implementation(
    i: &ItemImpl,
    module: &str,
    paths: &BTreeMap<(String, String), String>,
    lines: &mut BTreeSet<String>,
) {
    let mut of = &*i.self_ty;
    if let Type::Reference(reference) = of {
        of = &reference.elem;
    }
    let Type::Path(of) = of else { return };
    let Some(last) = of.path.segments.last() else {
        return;
    };
    // In its own module, or the only one of that name that can be reached.
    let name = last.ident.to_string();
    let own = paths.get(&(module.to_owned(), name.clone()));
    let anywhere = || {
        paths
            .iter()
            .find(|((_, n), _)| *n == name)
            .map(|(_, path)| path)
    };
    let Some(path) = own.or_else(anywhere) else {
        return;
    };
    let limits = i
        .generics
        .where_clause
        .as_ref()
        .map(text)
        .unwrap_or_default();
    if let Some((_, of_trait, _)) = &i.trait_ {
        let generics = text(&i.generics);
        lines.insert(
            format!(
                "{}impl{generics} {} for {} ({path}) {limits}",
                promises(&i.attrs),
                text(of_trait),
                text(&i.self_ty)
            )
            .trim()
            .to_owned(),
        );
        return;
    }
    for item in &i.items {
        let ImplItem::Fn(function) = item else {
            continue;
        };
        if is_public(&function.vis) {
            let which = text(&last.arguments);
            lines.insert(format!(
                "{}{path}{which}: {}",
                promises(&function.attrs),
                text(&function.sig)
            ));
        }
    }
}

fn listing() -> String {
    let source = Path::new(CRATE).join("src");
    let mut modules = Vec::new();
    collect(
        read(&source.join("lib.rs")),
        "sigrt",
        Some("sigrt".to_owned()),
        &source,
        &mut modules,
    );
    let mut lines = BTreeSet::new();
    // Where each type can be reached, by its module and name.
    let mut paths = BTreeMap::new();
    for module in &modules {
        let Some(public) = &module.public else {
            continue;
        };
        lines.insert(format!("mod {public}"));
        for item in &module.items {
            if let Some((name, visibility)) = named(item)
                && is_public(visibility)
            {
                list(item, public, &mut lines);
                paths.insert(
                    (module.name.clone(), name.clone()),
                    format!("{public}::{name}"),
                );
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
                match home {
                    Some((home, item)) => {
                        list(item, public, &mut lines);
                        paths.insert(
                            (home.name.clone(), name.clone()),
                            format!("{public}::{name}"),
                        );
                    }
                    None => drop(lines.insert(format!("use {public}::{name} = {from}::{name}"))),
                }
            }
        }
    }
    for module in &modules {
        for item in &module.items {
            if let Item::Impl(i) = item
                && !is_for_tests(&i.attrs)
            {
                implementation(i, &module.name, &paths, &mut lines);
            }
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

#[test]
fn public_interface_is_the_listed_one() {
    let path = Path::new(CRATE).join("public-api.txt");
    let now = listing();
    if std::env::var_os("RTNOTIFY_BLESS").is_some() {
        fs::write(&path, &now).unwrap();
    }
    let listed = fs::read_to_string(&path).unwrap();
    let (before, after): (BTreeSet<_>, BTreeSet<_>) =
        (listed.lines().collect(), now.lines().collect());
    let gone: Vec<_> = before
        .difference(&after)
        .map(|l| format!("- {l}"))
        .collect();
    let new: Vec<_> = after
        .difference(&before)
        .map(|l| format!("+ {l}"))
        .collect();
    assert!(
        listed == now,
        "the interface has changed; RTNOTIFY_BLESS=1 lists it anew:\n{}\n{}",
        gone.join("\n"),
        new.join("\n")
    );
}

/// What everybody uses is in the listing: it would be worth nothing otherwise.
#[test]
fn listing_knows_the_main_things() {
    let now = listing();
    for line in [
        "mod sigrt::realtime",
        "variant sigrt::Delivery::Gap",
        "sigrt::Event.payload: P",
        "sigrt::realtime: fn send(pid: u32, signo: i32, value: u64)",
        "use sigrt::abi = rtnotify_core::abi",
    ] {
        assert!(now.contains(line), "{line} is not in\n{now}");
    }
    for method in [
        "fn shutdown(mut self)",
        "fn lazy_payloads(self)",
        "fn into_tokio(self)",
        "fn payload_as",
    ] {
        assert!(now.contains(method), "{method} is not in\n{now}");
    }
    for private in ["HandOver", "Outstanding", "Worker", "WakerSlot"] {
        assert!(!now.contains(private), "{private} is not public");
    }
}
