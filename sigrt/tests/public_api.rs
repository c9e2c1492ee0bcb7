// SPDX-License-Identifier: MIT OR Apache-2.0

//! The public interface is what `public-api.txt` lists. `RTNOTIFY_BLESS=1` writes that.
//!
//! The listing is made from the sources: a line for each public item, method, variant, field and implementation that can
//! be reached from the crate's root. It needs no nightly compiler, and sees nothing that macros make.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

mod interface;

use interface::{CRATE, Reached, is_for_tests, is_public, modules, named, reachable, text};
use syn::{Attribute, Fields, ImplItem, Item, ItemImpl, TraitItem};

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

fn implementation(
    i: &ItemImpl,
    module: &str,
    paths: &BTreeMap<(String, String), String>,
    lines: &mut BTreeSet<String>,
) {
    let Some(last) = interface::implementer(i) else {
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
    let modules = modules();
    let mut lines = BTreeSet::new();
    // Where each type can be reached, by its module and name.
    let mut paths = BTreeMap::new();
    for public in modules.iter().filter_map(|m| m.public.as_ref()) {
        lines.insert(format!("mod {public}"));
    }
    for reached in reachable(&modules) {
        match reached {
            Reached::Item { at, home, item } => {
                list(item, at, &mut lines);
                if let Some((name, _)) = named(item) {
                    paths.insert((home.name.clone(), name.clone()), format!("{at}::{name}"));
                }
            }
            Reached::Foreign { at, from, name } => {
                lines.insert(format!("use {at}::{name} = {from}::{name}"));
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
