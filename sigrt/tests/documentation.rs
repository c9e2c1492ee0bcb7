// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every public function, method, type, constant and alias has an example that runs, or says whose example shows it;
//! whatever can fail says how.

mod interface;

use std::collections::BTreeMap;

use interface::{Reached, implementer, is_for_tests, is_public, modules, named, reachable, text};
use syn::{Attribute, Expr, ImplItem, Item, Lit, Meta, ReturnType, Signature};

/// Something that needs documentation.
struct Documented {
    /// Without the crate: `realtime::Signal::code`.
    path: String,
    docs: String,
    is_function: bool,
    /// It returns a `Result`.
    fallible: bool,
}

impl Documented {
    fn new(path: &str, attributes: &[Attribute], signature: Option<&Signature>) -> Self {
        let returned = signature.map(|signature| match &signature.output {
            ReturnType::Default => String::new(),
            ReturnType::Type(_, returned) => text(returned),
        });
        Self {
            path: path.trim_start_matches("sigrt::").to_owned(),
            docs: docs(attributes),
            is_function: signature.is_some(),
            fallible: returned.is_some_and(|returned| {
                returned.starts_with("Result") || returned.starts_with("io::Result")
            }),
        }
    }

    fn name(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or_default()
    }

    /// Examples that run: lines of code blocks that `cargo test --doc` does not only look at.
    fn examples(&self) -> String {
        let mut examples = String::new();
        let mut block = None;
        for line in self.docs.lines() {
            if let Some(mark) = line.trim_start().strip_prefix("```") {
                block = match block {
                    Some(_) => None,
                    None => Some(matches!(mark.trim(), "" | "rust")),
                };
            } else if block == Some(true) {
                examples += line;
                examples.push('\n');
            }
        }
        examples
    }

    /// Whose example shows it: what stands in ``See [`…`].`` under a heading of its own.
    fn shown_by(&self) -> Option<&str> {
        let (_, section) = self.docs.split_once("# Examples")?;
        let link = section.trim().strip_prefix("See [`")?;
        link.split_once("`]").map(|(path, _)| path)
    }
}

fn docs(attributes: &[Attribute]) -> String {
    let mut docs = String::new();
    for attribute in attributes {
        if attribute.path().is_ident("doc")
            && let Meta::NameValue(pair) = &attribute.meta
            && let Expr::Lit(literal) = &pair.value
            && let Lit::Str(line) = &literal.lit
        {
            let line = line.value();
            docs += line.strip_prefix(' ').unwrap_or(&line);
            docs.push('\n');
        }
    }
    docs
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Struct(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Const(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        _ => &[],
    }
}

/// Everything public, methods included.
fn everything() -> Vec<Documented> {
    let modules = modules();
    let mut all = Vec::new();
    let mut paths = BTreeMap::new();
    for reached in reachable(&modules) {
        let Reached::Item { at, home, item } = reached else {
            continue;
        };
        let Some((name, _)) = named(item) else {
            continue;
        };
        let path = format!("{at}::{name}");
        let signature = match item {
            Item::Fn(function) => Some(&function.sig),
            _ => None,
        };
        all.push(Documented::new(&path, attributes(item), signature));
        paths.insert((home.name.clone(), name), path);
    }
    for module in &modules {
        for item in &module.items {
            let Item::Impl(i) = item else { continue };
            if i.trait_.is_some() || is_for_tests(&i.attrs) {
                continue;
            }
            let Some(of) = implementer(i).map(|of| of.ident.to_string()) else {
                continue;
            };
            // In its own module, or the only one of that name that can be reached.
            let own = paths.get(&(module.name.clone(), of.clone()));
            let other = || paths.iter().find(|((_, n), _)| *n == of);
            let Some(path) = own.or_else(|| other().map(|(_, path)| path)) else {
                continue;
            };
            for item in &i.items {
                if let ImplItem::Fn(method) = item
                    && is_public(&method.vis)
                {
                    let path = format!("{path}::{}", method.sig.ident);
                    all.push(Documented::new(&path, &method.attrs, Some(&method.sig)));
                }
            }
        }
    }
    all
}

/// Whether `name` is used as a word of its own.
fn mentions(code: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        !code[..at].ends_with(is_part) && !code[at + name.len()..].starts_with(is_part)
    })
}

/// What is missing at one item, if anything.
fn complaint(item: &Documented, all: &[Documented]) -> Option<String> {
    let own = item.examples();
    if !own.is_empty() {
        // A value of a type need not say what it is; a function is called by its name.
        return (item.is_function && !mentions(&own, item.name()))
            .then(|| "its example does not call it".to_owned());
    }
    let Some(link) = item.shown_by() else {
        return Some("it has no example that runs".to_owned());
    };
    let link = link.trim_start_matches("crate::");
    // The nearest of that name: of the same module first.
    let module = item.path.rsplit_once("::").map_or("", |(module, _)| module);
    let found: Vec<_> = all
        .iter()
        .filter(|other| other.path == link || other.path.ends_with(&format!("::{link}")))
        .collect();
    let near = found.iter().find(|other| {
        let parent = other
            .path
            .rsplit_once("::")
            .map_or("", |(parent, _)| parent);
        module.starts_with(parent)
    });
    let Some(shown) = near.or(found.first()) else {
        return Some(format!("{link} is nothing public"));
    };
    (!mentions(&shown.examples(), item.name()))
        .then(|| format!("the example of {} does not show it", shown.path))
}

#[test]
fn everything_has_an_example_that_runs() {
    let all = everything();
    assert!(all.len() > 200, "only {} items were found", all.len());
    let missing: Vec<_> = all
        .iter()
        .filter_map(|item| Some(format!("{}: {}", item.path, complaint(item, &all)?)))
        .collect();
    assert!(
        missing.is_empty(),
        "{} of {}:\n{}",
        missing.len(),
        all.len(),
        missing.join("\n")
    );
}

#[test]
fn everything_fallible_says_how() {
    let silent: Vec<_> = everything()
        .into_iter()
        .filter(|item| item.fallible && !item.docs.contains("# Errors"))
        .map(|item| item.path)
        .collect();
    assert!(silent.is_empty(), "no `# Errors`:\n{}", silent.join("\n"));
}

/// The checks above would notice what they are there for.
#[test]
fn what_is_missing_is_noticed() {
    let item = |path: &str, docs: &str| Documented {
        path: path.to_owned(),
        docs: docs.to_owned(),
        is_function: path.contains("::"),
        fallible: false,
    };
    let all = [
        item("Thing", "A thing.\n\n```\nThing::new().size();\n```\n"),
        item("Thing::size", "Its size.\n\n# Examples\n\nSee [`Thing`].\n"),
        item("Thing::name", "Its name.\n\n# Examples\n\nSee [`Thing`].\n"),
        item("Thing::age", "Its age.\n"),
        item("Thing::run", "Runs.\n\n```no_run\nThing::run();\n```\n"),
        item("Thing::stop", "Stops.\n\n```ignore\nThing::stop();\n```\n"),
        item("Thing::go", "Goes.\n\n```\nThing::going();\n```\n"),
        item("Thing::by", "Is by.\n\n# Examples\n\nSee [`Nothing`].\n"),
    ];
    let noticed: Vec<_> = all
        .iter()
        .filter(|item| complaint(item, &all).is_some())
        .map(Documented::name)
        .collect();
    assert_eq!(noticed, ["name", "age", "run", "stop", "go", "by"]);
}
