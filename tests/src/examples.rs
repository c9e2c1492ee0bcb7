// SPDX-License-Identifier: MIT OR Apache-2.0

//! The C examples in `notify-kmod/examples/c`: which there are, and building them as their users do.
//!
//! `make` decides what is to be done: what has been built natively is not built again in the guest.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the sources are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../notify-kmod/examples/c");

/// The names of all examples, sorted.
#[must_use]
pub fn all() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// A compiler that every example must build with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// GCC.
    Gcc,
    /// Clang.
    Clang,
}

impl Compiler {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Gcc, Self::Clang];

    /// Its command; Debian's packages of a certain version have it in their names.
    fn command(self) -> String {
        let runs = |name: &String| Command::new(name).arg("--version").output().is_ok();
        match self {
            Self::Gcc => "gcc".to_owned(),
            Self::Clang => std::iter::once("clang".to_owned())
                .chain((11..40).rev().map(|version| format!("clang-{version}")))
                .find(runs)
                .expect("clang, which this test needs; `cargo xtask test` provides it"),
        }
    }

    /// The directory below Cargo's for temporary files that its programs go to.
    fn directory(self, temporary: &str) -> PathBuf {
        Path::new(temporary).join(match self {
            Self::Gcc => "c-examples-gcc",
            Self::Clang => "c-examples-clang",
        })
    }

    /// Builds one example, or all with "all"; returns the path of the one. `temporary` is `CARGO_TARGET_TMPDIR`.
    #[must_use]
    pub fn build(self, example: &str, temporary: &str) -> PathBuf {
        let directory = self.directory(temporary);
        let program = directory.join(example);
        let output = Command::new("make")
            .arg("-C")
            .arg(FOLDER)
            .arg(format!("CC={}", self.command()))
            .arg(format!("O={}", directory.display()))
            .arg(match example {
                "all" => "all".as_ref(),
                _ => program.as_os_str(),
            })
            .env_remove("MAKEFLAGS")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{example} does not build with {self:?}:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        program
    }
}
