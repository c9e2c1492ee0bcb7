// SPDX-License-Identifier: MIT OR Apache-2.0

//! The facade for programs that use wiringPi: its headers alone, its calls, and a whole program.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Compiler, LIMIT, compilers, headers, home, library_folder, must, program, run};

const MODES: [&str; 2] = ["thread", "preempt"];

fn include() -> PathBuf {
    home().join("include/compat/wiringpi")
}

/// Builds a program as its users do, with what replays events.
#[track_caller]
fn build(compiler: &Compiler, standard: &str, source: &Path) -> PathBuf {
    let cxx = source.extension() == Some(OsStr::new("cpp"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("wiringpi")
        .join(&compiler.c);
    fs::create_dir_all(&folder).unwrap();
    let name = source.file_name().unwrap().to_str().unwrap();
    let path = folder.join(name.replace('.', "-"));
    must(
        Command::new(if cxx { &compiler.cxx } else { &compiler.c })
            .arg(format!("-std={standard}"))
            .args(["-g", "-O1", "-Wall", "-Wextra", "-Werror", "-I"])
            .arg(include())
            .arg(source)
            .args(["-Wl,-u,replay_start", "-o"])
            .arg(&path)
            .arg(library_folder().join("libapp_shim.a"))
            .args(["-lpthread", "-ldl", "-lm"]),
    );
    path
}

fn own(name: &str) -> PathBuf {
    home().join("tests/c").join(name)
}

#[test]
fn every_header_compiles_alone() {
    let headers = headers(&include());
    assert!(headers.len() > 5, "{headers:?}");
    for compiler in compilers() {
        for (command, language, standard) in [
            (&compiler.c, "c", "gnu89"),
            (&compiler.c, "c", "c11"),
            (&compiler.cxx, "c++", "gnu++98"),
            (&compiler.cxx, "c++", "gnu++17"),
        ] {
            for header in &headers {
                must(
                    Command::new(command)
                        .args(["-x", language, &format!("-std={standard}")])
                        .args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"])
                        .arg(include())
                        .arg("-include")
                        .arg(header)
                        .arg("/dev/null"),
                );
            }
        }
    }
}

#[test]
fn calls_do_what_they_do_there() {
    let [gcc, clang] = compilers().try_into().unwrap();
    for (compiler, standard, source) in [
        (&gcc, "gnu99", "wpi_calls.c"),
        (&clang, "gnu11", "wpi_calls.c"),
        (&gcc, "gnu++17", "wpi_calls.cpp"),
        (&clang, "gnu++11", "wpi_calls.cpp"),
    ] {
        let path = build(compiler, standard, &own(source));
        for mode in MODES {
            let text = must(
                program(&path)
                    .env("APP_SHIM_MODE", mode)
                    .env("APP_SHIM_TIME", "virtual"),
            );
            assert_eq!(text, "done\n", "{source} {mode}");
        }
    }
}

#[test]
fn threads_and_routines_live_together() {
    for compiler in compilers() {
        let path = build(&compiler, "gnu11", &own("wpi_threads.c"));
        for (mode, said) in MODES
            .into_iter()
            .zip(["a routine prints\ndone\n", "done\n"])
        {
            let text = must(program(&path).env("APP_SHIM_MODE", mode));
            assert_eq!(text, said, "{mode} {compiler:?}");
        }
    }
}

#[test]
fn a_flow_meter_counts_what_is_delivered() {
    let folder = home().join("examples/wiringpi");
    let expected = "waiting for 3 deliveries\ndelivery 1: 250 litres, 39 bounces\n\
        delivery 2: 30 litres, 6 bounces\ndelivery 3: 400 litres, 60 bounces\ntotal 680 litres\n";
    for compiler in compilers() {
        let path = build(&compiler, "gnu99", &folder.join("flow_meter.c"));
        for mode in MODES {
            let text = must(
                program(&path)
                    .arg("3")
                    .env("APP_SHIM_MODE", mode)
                    .env("APP_SHIM_TIME", "virtual")
                    .env("APP_SHIM_REPLAY", folder.join("flow_meter.events")),
            );
            assert_eq!(text, expected, "{mode} {compiler:?}");
        }
    }
}

#[test]
fn a_program_that_never_ends_can_be_ended() {
    let [gcc, _] = compilers().try_into().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("blink.c");
    fs::write(
        &source,
        "#include <stdio.h>\n#include <wiringPi.h>\nint main(void)\n{\n\twiringPiSetup();\n\
         \tpinMode(0, OUTPUT);\n\tfor (;;) {\n\t\tdigitalWrite(0, HIGH);\n\t\tdelay(500);\n\
         \t\tdigitalWrite(0, LOW);\n\t\tdelay(500);\n\t\tputs(\"blink\");\n\t}\n}\n",
    )
    .unwrap();
    let path = build(&gcc, "gnu99", &source);
    for (end, blinks) in [("2200ms", 2), ("3s", 2), ("3001ms", 3)] {
        let text = must(
            program(&path)
                .env("APP_SHIM_TIME", "virtual")
                .env("APP_SHIM_WIRINGPI_END", end),
        );
        assert_eq!(text, "blink\n".repeat(blinks), "{end}");
    }
    let output = run(program(&path).env("APP_SHIM_WIRINGPI_END", "soon"), LIMIT);
    assert_eq!(output.status.code(), Some(2));
}
