// SPDX-License-Identifier: MIT OR Apache-2.0

//! The facade for `VxWorks`: its headers alone, what programs usually do, and a serial driver with its task and its
//! interrupt half.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use common::{Compiler, compilers, headers, home, library_folder, must, program};

const MODES: [&str; 2] = ["thread", "preempt"];

fn include() -> PathBuf {
    home().join("include/compat/vxworks")
}

fn checks(compiler: &str, language: &str, standard: &str) -> Command {
    let mut command = Command::new(compiler);
    command
        .args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only"])
        .args(["-x", language])
        .arg(format!("-std={standard}"))
        .arg("-I")
        .arg(include())
        .arg("-I")
        .arg(home().join("include"));
    command
}

#[test]
fn every_header_compiles_alone() {
    let headers = headers(&include());
    assert!(headers.len() > 20, "{headers:?}");
    thread::scope(|scope| {
        for compiler in compilers() {
            let headers = &headers;
            scope.spawn(move || {
                for (command, language, standard) in [
                    (&compiler.c, "c", "gnu89"),
                    (&compiler.c, "c", "c11"),
                    (&compiler.cxx, "c++", "c++17"),
                ] {
                    for header in headers {
                        let mut check = checks(command, language, standard);
                        must(check.arg("-include").arg(header).arg("/dev/null"));
                    }
                }
            });
        }
    });
}

/// Builds a program as its users do.
#[track_caller]
fn build(compiler: &Compiler, name: &str, sources: &[PathBuf]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("vxworks")
        .join(&compiler.c);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    must(
        Command::new(&compiler.c)
            .args(["-std=gnu89", "-g", "-O1", "-Wall", "-Werror", "-no-pie"])
            .arg("-I")
            .arg(include())
            .arg("-I")
            .arg(home().join("include"))
            .args(sources)
            .arg("-o")
            .arg(&path)
            .arg(library_folder().join("libapp_shim.a"))
            .args(["-lpthread", "-ldl", "-lm"]),
    );
    path
}

#[track_caller]
fn no_failures(name: &str) -> String {
    let source = home().join(format!("tests/c/{name}.c"));
    let map = "signal:USR1 vector 16 priority 1; signal:USR2 vector 17 priority 5";
    let mut last = String::new();
    for compiler in compilers() {
        let path = build(&compiler, name, std::slice::from_ref(&source));
        for mode in MODES {
            let mut command = program(&path);
            command.env("APP_SHIM_MODE", mode).env("APP_SHIM_MAP", map);
            last = must(&mut command);
            assert!(last.ends_with("0 failures\n"), "{name} {mode}: {last}");
        }
        // The same in C++, where function types are stricter.
        must(
            checks(&compiler.cxx, "c++", "gnu++11")
                .args(["-Wno-write-strings", "-Wno-cast-function-type"])
                .arg("-Wno-unknown-warning-option")
                .arg(&source),
        );
    }
    last
}

#[test]
fn interrupts_levels_clocks_watchdogs_and_what_routines_may_call() {
    let said = no_failures("vx_interrupts");
    assert!(said.contains("from 16 with text\n"), "{said}");
}

#[test]
fn tasks_semaphores_queues_and_rings() {
    no_failures("vx_tasks");
}

/// Functions that a program calls without their headers are in the library.
#[test]
fn functions_need_no_header_and_hooks_run_at_the_end() {
    let source = home().join("tests/c/vx_undeclared.c");
    for compiler in compilers() {
        let path = build(&compiler, "vx_undeclared", std::slice::from_ref(&source));
        for mode in MODES {
            let said = must(program(&path).env("APP_SHIM_MODE", mode));
            let expected =
                "rate 60\nconnect 0\nbus -1\nlevel 0\ndelay 0\nhook 0\nhook 0\nend 2\nand 2\n";
            assert_eq!(said, expected, "{mode}");
        }
    }
}

/// A driver as it was written, and its board ported: lines in pieces, an error of the line, a line that never ends.
#[test]
fn a_serial_driver_with_its_task_and_its_interrupt_half() {
    let folder = home().join("examples/vxworks");
    let expected = "OK\r\nOK\r\n1=20\r\n?\r\nsio: 5 characters discarded\nsum=42\r\n2=22\r\nBYE\r\n\
        51 characters, 1 errors, 0 overruns, 7 lines, 5 discarded\n";
    for compiler in compilers() {
        let sources = ["serial.c", "sio_board.c"].map(|name| folder.join(name));
        let path = build(&compiler, "serial", &sources);
        for mode in MODES {
            let mut command = program(&path);
            command
                .env("APP_SHIM_MODE", mode)
                .env("APP_SHIM_TIME", "virtual")
                .env("APP_SHIM_REPLAY", folder.join("serial.events"));
            for round in 0..3 {
                assert_eq!(must(&mut command), expected, "{mode} {round}");
            }
        }
    }
}
