// SPDX-License-Identifier: MIT OR Apache-2.0

//! The headers of the VxWorks facade compile alone, in every C and C++ that programs use, without a warning.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{compilers, home};

/// All headers below a folder.
fn headers(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(headers(&path));
        } else if path.extension().is_some_and(|e| e == "h") {
            found.push(path);
        }
    }
    found
}

#[track_caller]
fn compiles_alone(compiler: &str, language: &str, standard: &str, folder: &Path, header: &Path) {
    let output = Command::new(compiler)
        .args([
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fsyntax-only",
            "-x",
            language,
        ])
        .arg(format!("-std={standard}"))
        .arg("-I")
        .arg(folder)
        .arg("-I")
        .arg(home().join("include"))
        .arg("-include")
        .arg(header)
        .arg("/dev/null")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{compiler} -std={standard} {}:\n{}",
        header.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_vxworks_header_compiles_alone() {
    let folder = home().join("include/compat/vxworks");
    let headers = headers(&folder);
    assert!(headers.len() > 20, "{headers:?}");
    for compiler in compilers() {
        for header in &headers {
            for standard in ["gnu89", "c11", "gnu17"] {
                compiles_alone(&compiler.c, "c", standard, &folder, header);
            }
            for standard in ["c++11", "gnu++17"] {
                compiles_alone(&compiler.cxx, "c++", standard, &folder, header);
            }
        }
    }
}
