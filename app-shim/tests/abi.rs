// SPDX-License-Identifier: MIT OR Apache-2.0

//! `app_shim.h` says what the Rust side says, and compilers of every kind that is promised take it.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use app_shim::{Edge, Error, Mode, PINS, PRIORITY_MAX, PinMode, SemKind, Time, VECTORS};
use common::{compilers, home, library_folder};

fn header() -> String {
    let text = fs::read_to_string(home().join("include/app_shim.h")).unwrap();
    without_comments(&text)
}

fn without_comments(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("/*") {
        out.push_str(&rest[..start]);
        out.push(' ');
        let end = rest[start..].find("*/").expect("comments end");
        rest = &rest[start + end + 2..];
    }
    out + rest
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Function name to "result (type name, type name)", as the header has them.
fn functions_of_header(header: &str) -> BTreeMap<String, String> {
    let flat = words(
        &header
            .lines()
            .filter(|l| !l.starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n"),
    );
    let mut all = BTreeMap::new();
    for statement in flat.split(';') {
        let statement = statement.trim().trim_start_matches("extern \"C\" {").trim();
        let Some((head, arguments)) = statement.split_once('(') else {
            continue;
        };
        let head = head.trim();
        if statement.starts_with("typedef") || head.contains('{') || head.contains('}') {
            continue;
        }
        let at = head
            .rfind("app_shim_")
            .unwrap_or_else(|| panic!("{statement}"));
        let (result, name) = head.split_at(at);
        let arguments = arguments.trim_end_matches(')').trim();
        all.insert(
            name.to_owned(),
            format!("{} ({arguments})", result.trim().replace(" *", "*")),
        );
    }
    all
}

/// How C calls a type of the Rust side.
fn c_type(rust: &str) -> String {
    let known = [
        ("u8", "uint8_t"),
        ("u32", "uint32_t"),
        ("i32", "int32_t"),
        ("u64", "uint64_t"),
        ("i64", "int64_t"),
        ("usize", "size_t"),
        ("c_long", "long"),
        ("c_char", "char"),
        ("c_void", "void"),
        ("Code", "app_shim_result"),
        ("Id", "app_shim_id"),
        ("Option<Handler>", "app_shim_handler"),
        ("Option<PinHook>", "app_shim_pin_hook"),
        ("AppShimConfig", "app_shim_config"),
        ("AppShimEvent", "app_shim_event"),
        ("AppShimRaiseArgs", "app_shim_raise_args"),
        ("AppShimTaskArgs", "app_shim_task_args"),
        ("AppShimStats", "app_shim_stats"),
        ("AppShimVectorStats", "app_shim_vector_stats"),
    ];
    if let Some(inner) = rust.strip_prefix("*mut ") {
        let inner = c_type(inner);
        let space = if inner.ends_with('*') { "" } else { " " };
        return format!("{inner}{space}*");
    }
    if let Some(inner) = rust.strip_prefix("*const ") {
        return format!("const {} *", c_type(inner));
    }
    known
        .iter()
        .find(|(name, _)| *name == rust)
        .unwrap_or_else(|| panic!("{rust} has no name in C"))
        .1
        .to_owned()
}

fn declaration(rust: &str, name: &str) -> String {
    let c = c_type(rust);
    let space = if c.ends_with('*') { "" } else { " " };
    format!("{c}{space}{name}")
}

fn rust_sources() -> Vec<String> {
    let folder = home().join("src/ffi");
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    all.sort();
    all.iter().map(|p| fs::read_to_string(p).unwrap()).collect()
}

fn functions_of_rust() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for source in rust_sources() {
        for part in source.split("#[unsafe(no_mangle)]").skip(1) {
            let signature = words(part.split('{').next().unwrap());
            let rest = signature
                .strip_prefix("extern \"C\" fn ")
                .unwrap_or_else(|| panic!("{signature}"));
            let (name, rest) = rest.split_once('(').unwrap();
            let (arguments, result) = rest.rsplit_once(')').unwrap();
            let arguments: Vec<String> = arguments
                .split(',')
                .map(str::trim)
                .filter(|a| !a.is_empty())
                .map(|a| {
                    let (name, rust) = a.split_once(": ").unwrap();
                    declaration(rust, name)
                })
                .collect();
            let arguments = if arguments.is_empty() {
                "void".to_owned()
            } else {
                arguments.join(", ")
            };
            let result = match result.trim().strip_prefix("-> ") {
                Some(result) => c_type(result).replace(" *", "*"),
                None => "void".to_owned(),
            };
            all.insert(name.to_owned(), format!("{result} ({arguments})"));
        }
    }
    all
}

#[test]
fn functions_are_the_same() {
    let (c, rust) = (functions_of_header(&header()), functions_of_rust());
    assert!(c.len() > 80, "the header was not understood");
    for (name, signature) in &rust {
        assert_eq!(c.get(name), Some(signature), "{name} in the header");
    }
    for name in c.keys() {
        assert!(rust.contains_key(name), "{name} is not in src/ffi");
    }
}

#[test]
fn structures_are_the_same() {
    let header = header();
    let sources = rust_sources().join("\n");
    let mut seen = 0;
    for part in sources.split("#[repr(C)]").skip(1) {
        let part = part.split_once("struct ").unwrap().1;
        let (name, rest) = part.split_once('{').unwrap();
        let c_name = c_type(name.trim());
        let fields: Vec<String> = rest
            .split('}')
            .next()
            .unwrap()
            .split(',')
            .map(str::trim)
            .filter(|f| !f.is_empty())
            .map(|f| {
                let field = f.trim_start_matches("pub(super) ");
                let (name, rust) = field.split_once(": ").unwrap();
                declaration(rust, name)
            })
            .collect();
        let start = format!("typedef struct {c_name} {{");
        let at = header.find(&start).unwrap_or_else(|| panic!("{c_name}"));
        let body = header[at + start.len()..].split('}').next().unwrap();
        let c_fields: Vec<String> = body
            .split(';')
            .map(words)
            .filter(|f| !f.is_empty())
            .flat_map(|f| match f.split_once(", ") {
                // Two of a type in one line.
                Some((first, second)) if !f.contains('(') => {
                    let c = first.rsplit_once(' ').unwrap().0;
                    vec![first.to_owned(), format!("{c} {second}")]
                }
                _ => vec![f],
            })
            .collect();
        assert_eq!(c_fields, fields, "{c_name}");
        seen += 1;
    }
    assert_eq!(seen, header.matches("typedef struct ").count());
    assert_eq!(seen, 6);
}

fn constants_of_header(header: &str) -> BTreeMap<String, i64> {
    header
        .lines()
        .filter_map(|line| line.strip_prefix("#define APP_SHIM_"))
        .filter_map(|rest| rest.split_once(' '))
        .map(|(name, value)| {
            let value = value.trim().trim_matches(['(', ')']);
            let number = match value.strip_prefix("0x") {
                Some(hex) => i64::from_str_radix(hex, 16),
                None => value.parse(),
            };
            (name.to_owned(), number.unwrap())
        })
        .collect()
}

#[test]
fn constants_are_the_same() {
    let mut wanted: BTreeMap<String, i64> = BTreeMap::new();
    let mut add = |name: &str, value: i64| {
        assert!(wanted.insert(name.to_owned(), value).is_none(), "{name}");
    };
    add("OK", 0);
    for error in Error::ALL {
        let name = error.c_name().to_str().unwrap();
        add(name.strip_prefix("APP_SHIM_").unwrap(), error.code().into());
    }
    add("VECTORS", VECTORS as i64);
    add("PINS", PINS as i64);
    add("PRIORITY_MAX", PRIORITY_MAX.into());
    add("PRIORITY_DEFAULT", 1);
    add("LEVEL_NONE", 0);
    add("LEVEL_ALL", PRIORITY_MAX.into());
    add("FOREVER", -1);
    add("NO_WAIT", 0);
    add("MODE_THREAD", Mode::Thread as i64);
    add("MODE_PREEMPT", Mode::Preempt as i64);
    add("TIME_REAL", Time::Real as i64);
    add("TIME_CLAMPED", Time::Clamped as i64);
    add("TIME_VIRTUAL", Time::Virtual as i64);
    add("EDGE_NONE", Edge::None as i64);
    add("EDGE_RISING", Edge::Rising as i64);
    add("EDGE_FALLING", Edge::Falling as i64);
    add("EDGE_CHANGE", Edge::Change as i64);
    add("EDGE_LOW", Edge::Low as i64);
    add("EDGE_HIGH", Edge::High as i64);
    add("PIN_INPUT", PinMode::Input as i64);
    add("PIN_OUTPUT", PinMode::Output as i64);
    add("PIN_PULLUP", PinMode::PullUp as i64);
    add("PIN_PULLDOWN", PinMode::PullDown as i64);
    add("SEM_BINARY", SemKind::Binary as i64);
    add("SEM_COUNTING", SemKind::Counting as i64);
    add("SEM_MUTEX", SemKind::Mutex as i64);
    add("CLOCK_SYSTEM", app_shim::Clock::System as i64);
    add("CLOCK_AUX", app_shim::Clock::Aux as i64);
    // The rest are constants of the interface's own.
    for line in rust_sources().join("\n").lines() {
        let Some(rest) = line.strip_prefix("pub(super) const ") else {
            continue;
        };
        let (name, value) = rest.split_once(": u32 = ").unwrap();
        let value = value.trim_end_matches(';');
        let number = match value.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16),
            None => value.parse(),
        };
        add(name, number.unwrap());
    }
    assert_eq!(constants_of_header(&header()), wanted);
}

/// The comparisons above must be able to fail.
#[test]
fn a_header_that_says_something_else_is_noticed() {
    let header = header();
    let other = header.replace(
        "app_shim_raise(uint32_t vector",
        "app_shim_raise(uint64_t vector",
    );
    assert_ne!(header, other);
    let (c, rust) = (functions_of_header(&other), functions_of_rust());
    assert_ne!(c.get("app_shim_raise"), rust.get("app_shim_raise"));
    let other = header.replace("APP_SHIM_FULL 6", "APP_SHIM_FULL 7");
    assert_eq!(constants_of_header(&other)["FULL"], 7);
}

/// The header alone, in every language that it is for; and every function is in both libraries.
#[test]
fn compilers_take_the_header_and_link_every_function() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let list: String = functions_of_rust()
        .keys()
        .map(|name| format!("\t(function){name},\n"))
        .collect();
    let source = format!(
        "#include \"app_shim.h\"\n#include \"app_shim.h\"\ntypedef void (*function)(void);\n\
         static function all[] = {{\n{list}\t0\n}};\n\
         int main(void)\n{{\n\tint n = 0;\n\twhile (all[n])\n\t\tn++;\n\treturn n < 80;\n}}\n"
    );
    let file = folder.join("every.c");
    fs::write(&file, source).unwrap();
    let libraries = library_folder();
    for compiler in compilers() {
        for (command, language) in [
            (&compiler.c, "-std=gnu89"),
            (&compiler.c, "-std=c11"),
            (&compiler.cxx, "-std=c++17"),
        ] {
            for library in ["libapp_shim.a", "libapp_shim.so"] {
                let program = folder.join(format!("every-{command}{language}-{library}"));
                let mut build = Command::new(command);
                build.args([
                    language,
                    "-Wall",
                    "-Wextra",
                    "-Werror",
                    "-Wno-cast-function-type",
                ]);
                if language.contains("++") {
                    build.args(["-x", "c++"]);
                }
                let output = build
                    .arg("-I")
                    .arg(home().join("include"))
                    .arg(&file)
                    .args(["-x", "none"])
                    .arg(libraries.join(library))
                    .args(["-lpthread", "-ldl", "-lm", "-o"])
                    .arg(&program)
                    .output()
                    .unwrap();
                assert!(
                    output.status.success(),
                    "{build:?}:\n{}",
                    String::from_utf8_lossy(&output.stderr)
                );
                let status = Command::new(&program)
                    .env("LD_LIBRARY_PATH", libraries)
                    .status()
                    .unwrap();
                assert!(status.success(), "{program:?}");
            }
        }
    }
}
