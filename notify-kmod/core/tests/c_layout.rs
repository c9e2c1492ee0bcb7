// SPDX-License-Identifier: MIT OR Apache-2.0

//! Has C and C++ compilers check the header: every size, offset and constant against the Rust side, and the
//! helper functions against their Rust twins.

#[path = "common/structs.rs"]
mod structs;

use rtnotify_core::abi::{self, Record};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Records whose frames tell mistakes apart.
fn records() -> Vec<Record> {
    let mut out = Vec::new();
    for kind in [abi::KIND_EVENT, 7, abi::KIND_GAP] {
        for flags in [0, abi::RECORD_VALUE, abi::RECORD_INLINE] {
            for payload_len in [0, 1, 7, 8, 9, 4096, abi::MAX_PAYLOAD as u32] {
                out.push(Record {
                    kind,
                    flags,
                    payload_len,
                    ..Record::zeroed()
                });
            }
        }
    }
    out
}

fn program() -> String {
    // A negative array size works as an assertion in every dialect.
    let mut out = "#include <stddef.h>\n#include <string.h>\n#include \"rtnotify.h\"\n\
                   #define CHECK(name, c) \\\n\
                   typedef char check_##name[(c) ? 1 : -1] __attribute__((unused))\n"
        .to_string();
    for (name, value, _) in abi::C_CONSTANTS {
        writeln!(out, "CHECK({name}, RTNOTIFY_{name} == {value}U);").unwrap();
    }
    for s in structs::all() {
        let name = s.name;
        writeln!(out, "CHECK({name}, sizeof(struct {name}) == {});", s.size).unwrap();
        for f in s.fields {
            let field = f.name;
            let id = format!("{name}_{field}");
            writeln!(
                out,
                "CHECK({id}_at, offsetof(struct {name}, {field}) == {});",
                f.offset
            )
            .unwrap();
            let of = format!("((struct {name} *)0)->{field}");
            writeln!(out, "CHECK({id}_size, sizeof({of}) == {});", f.size).unwrap();
            if f.c_array == 0 {
                // All ones is below zero in a signed type only.
                let signed = u8::from(f.c_type.starts_with("__s"));
                let ty = f.c_type;
                writeln!(out, "CHECK({id}_sign, (({ty})-1 < ({ty})1) == {signed});").unwrap();
            }
        }
    }
    out.push_str("int main(void)\n{\n\tstruct rtnotify_record r;\n\tmemset(&r, 0, sizeof(r));\n");
    out.push_str("\tif (strcmp(RTNOTIFY_DEVICE, \"/dev/rtnotify\")) return 1;\n");
    for r in records() {
        writeln!(
            out,
            "\tr.kind = {}; r.flags = {}; r.payload_len = {}U;\n\
             \tif (rtnotify_is_gap(&r) != {}) return 2;\n\
             \tif (rtnotify_trailing_len(&r) != {}U) return 3;\n\
             \tif (rtnotify_frame_len(&r) != {}U) return 4;\n\
             \tif (rtnotify_payload(&r) != (const void *)({})) return 5;",
            r.kind,
            r.flags,
            r.payload_len,
            u8::from(r.is_gap()),
            r.trailing_len(),
            r.frame_len(),
            if r.flags & abi::RECORD_INLINE == 0 {
                "&r + 1"
            } else {
                "&r.value"
            },
        )
        .unwrap();
    }
    out.push_str("\treturn 0;\n}\n");
    out
}

fn is_installed(compiler: &str) -> bool {
    Command::new(compiler).arg("--version").output().is_ok()
}

fn build_and_run(compiler: &str, standard: &str, language: &str) {
    let include = concat!(env!("CARGO_MANIFEST_DIR"), "/../include/uapi");
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let stem: PathBuf = dir.join(format!("layout-{compiler}-{standard}"));
    let source = stem.with_extension("src");
    fs::write(&source, program()).unwrap();
    let output = Command::new(compiler)
        .args(["-Wall", "-Wextra", "-Werror", "-Wpedantic", "-Wshadow"])
        .arg(format!("-std={standard}"))
        .args(["-I", include, "-x", language])
        .arg(&source)
        .arg("-o")
        .arg(&stem)
        .output()
        .unwrap_or_else(|e| panic!("{compiler}, which this test needs: {e}"));
    assert!(
        output.status.success(),
        "{compiler} -std={standard}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let run = Command::new(&stem).output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{compiler} -std={standard}");
    assert!(run.stdout.is_empty() && run.stderr.is_empty());
}

#[test]
fn c_compilers_agree() {
    for standard in ["gnu89", "c99", "c11"] {
        build_and_run("gcc", standard, "c");
    }
    if is_installed("clang") {
        for standard in ["gnu89", "c11"] {
            build_and_run("clang", standard, "c");
        }
    } else {
        println!("clang is not installed: checked with gcc alone");
    }
}

#[test]
fn cpp_compilers_agree() {
    for standard in ["c++11", "c++17"] {
        build_and_run("g++", standard, "c++");
    }
    if is_installed("clang++") {
        build_and_run("clang++", "c++17", "c++");
    } else {
        println!("clang++ is not installed: checked with g++ alone");
    }
}
