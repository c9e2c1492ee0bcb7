// SPDX-License-Identifier: MIT OR Apache-2.0

//! Compiles the models that facades stand on, so that a program needs one library whatever it was written for.
//!
//! They are members of `libapp_shim.a` of which a program gets those that it refers to. The shared library has the C
//! interface alone: a model starts before `main`, and defines what the program expects of its machine.

use std::path::{Path, PathBuf};

fn main() {
    let models = Path::new("models");
    let mut sources = Vec::new();
    for folder in [models.to_owned(), models.join("avr"), models.join("dos")] {
        println!("cargo:rerun-if-changed={}", folder.display());
        sources.extend(c_files(&folder));
    }
    println!("cargo:rerun-if-changed=include");
    sources.sort();
    cc::Build::new()
        .files(sources)
        .include("include")
        .include("include/compat/vxworks")
        .std("gnu11")
        .warnings(true)
        .extra_warnings(true)
        .compile("app_shim_models");
}

fn c_files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .collect()
}
