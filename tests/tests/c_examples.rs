// SPDX-License-Identifier: MIT OR Apache-2.0

//! The C examples compile without a warning. `vm_c_examples` runs them.

use rtnotify_tests::examples::{Compiler, all};

const TEMPORARY: &str = env!("CARGO_TARGET_TMPDIR");

fn check(compiler: Compiler) {
    let _ = compiler.build("all", TEMPORARY);
    for example in all() {
        assert!(compiler.build(&example, TEMPORARY).is_file(), "{example}");
    }
}

#[test]
fn gcc_builds_every_example() {
    check(Compiler::Gcc);
}

#[test]
fn clang_builds_every_example() {
    check(Compiler::Clang);
}
