// SPDX-License-Identifier: MIT OR Apache-2.0

//! The facades for AVR and DOS: their headers alone, what programs in these styles usually do, and whole programs.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use common::{Compiler, LIMIT, compilers, home, library_folder, program, run, run_with};

/// A facade: folder of its headers and model, and the dialect of its programs.
struct Facade {
    name: &'static str,
    dialect: &'static str,
}

const AVR: Facade = Facade {
    name: "avr",
    dialect: "gnu99",
};
const DOS: Facade = Facade {
    name: "dos",
    dialect: "gnu89",
};

const MODES: &[&str] = &["thread", "preempt"];

/// The model of the AVR knows this one alone: see `models/avr/trap.c`.
const PREEMPT: &[&str] = &["preempt"];

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = run(command, LIMIT);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

impl Facade {
    fn include(&self) -> PathBuf {
        home().join("include/compat").join(self.name)
    }

    /// All headers, as programs name them.
    fn headers(&self) -> Vec<String> {
        let root = self.include();
        let mut folders = vec![root.clone()];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension() == Some(OsStr::new("h")) {
                    let name = path.strip_prefix(&root).unwrap();
                    found.push(name.to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }

    /// The model's objects, built once by each compiler.
    fn model(&self, compiler: &Compiler) -> Vec<PathBuf> {
        static BUILT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(&compiler.c)
            .join(format!("model-{}", self.name));
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        let models = home().join("models");
        let mut sources = vec![models.join("line.c"), models.join("replay.c")];
        for entry in fs::read_dir(models.join(self.name)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension() == Some(OsStr::new("c")) {
                sources.push(path);
            }
        }
        let object = |source: &PathBuf| {
            let name = source.file_name().unwrap();
            folder.join(name).with_extension("o")
        };
        let objects = sources.iter().map(object).collect();
        if !built.contains(&folder) {
            fs::create_dir_all(&folder).unwrap();
            for source in &sources {
                succeeds(
                    Command::new(&compiler.c)
                        .args(["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror"])
                        .arg("-I")
                        .arg(home().join("include"))
                        .arg("-c")
                        .arg(source)
                        .arg("-o")
                        .arg(object(source)),
                );
            }
            built.push(folder.clone());
        }
        objects
    }

    /// Builds a program with its model, as a user would.
    fn build(&self, compiler: &Compiler, source: &Path, optimise: &str) -> PathBuf {
        let cxx = source.extension() == Some(OsStr::new("cpp"));
        let stem = source.file_stem().unwrap().to_str().unwrap();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(&compiler.c)
            .join(format!("{stem}-{}{optimise}", self.name));
        let objects = self.model(compiler);
        succeeds(
            Command::new(if cxx { &compiler.cxx } else { &compiler.c })
                .arg(if cxx {
                    "-std=gnu++11".to_owned()
                } else {
                    format!("-std={}", self.dialect)
                })
                .args(["-g", optimise, "-Wall", "-Werror", "-Wno-unused-result"])
                .arg("-I")
                .arg(self.include())
                .arg(source)
                .arg("-o")
                .arg(&path)
                .args(objects)
                .arg(library_folder().join("libapp_shim.a"))
                .args(["-lpthread", "-ldl", "-lm"]),
        );
        path
    }
}

/// Runs a program that reads `input`; what it wrote.
#[track_caller]
fn said(path: &Path, variables: &[(&str, &OsStr)], input: &str) -> String {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_bytes()).unwrap();
    file.rewind().unwrap();
    let output = run_with(
        program(path).envs(variables.iter().copied()),
        Stdio::from(file),
        LIMIT,
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{path:?} {variables:?}: {}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

fn legacy(name: &str) -> PathBuf {
    home().join("examples/legacy").join(name)
}

/// In every mode, by every compiler, with and without optimisation, it says that.
#[track_caller]
fn always_says(
    facade: &Facade,
    name: &str,
    modes: &[&str],
    more: &[(&str, &OsStr)],
    input: &str,
    expected: &str,
) {
    for compiler in compilers() {
        for optimise in ["-O0", "-O2"] {
            let path = facade.build(&compiler, &legacy(&format!("{name}.c")), optimise);
            for &mode in modes {
                let mut variables = vec![("APP_SHIM_MODE", OsStr::new(mode))];
                variables.extend_from_slice(more);
                assert_eq!(
                    said(&path, &variables, input),
                    expected,
                    "{name} {mode} {} {optimise}",
                    compiler.c
                );
            }
        }
    }
}

#[test]
fn every_header_compiles_alone() {
    for facade in [AVR, DOS] {
        let headers = facade.headers();
        assert!(headers.len() >= 4, "{headers:?}");
        for compiler in compilers() {
            let dialects = [
                (&compiler.c, "c", facade.dialect),
                (&compiler.c, "c", "gnu11"),
                (&compiler.cxx, "c++", "gnu++98"),
                (&compiler.cxx, "c++", "gnu++17"),
            ];
            for (command, language, dialect) in dialects {
                for header in &headers {
                    // A unit that is empty but for the header, named as programs name it.
                    succeeds(
                        Command::new(command)
                            .args(["-x", language, &format!("-std={dialect}")])
                            .args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only"])
                            .args(["-DF_CPU=16000000UL", "-DBAUD=9600", "-I"])
                            .arg(facade.include())
                            .args(["-include", header, "/dev/null"]),
                    );
                }
            }
        }
    }
}

#[test]
fn an_avr_stepper_nests_interrupts() {
    let events = legacy("avr_stepper.events");
    let positions = [0x01, 0x03, 0x02, 0x06, 0x04, 0x0c, 0x08, 0x09];
    let mut expected = String::from("stepper ready\r\n");
    for at in (1..=16).chain((4..16).rev()) {
        expected += &format!("at {at} {}\r\n", positions[at & 7]);
    }
    expected += "limit at 4 after 28 steps, coils 0\r\n";
    let more = [
        ("APP_SHIM_TIME", OsStr::new("virtual")),
        ("APP_SHIM_REPLAY", events.as_os_str()),
    ];
    always_says(&AVR, "avr_stepper", PREEMPT, &more, "", &expected);
}

#[test]
fn an_avr_interpreter_answers_on_its_serial_line() {
    let input = "l\rl\rr 5\rw 5 0x7f\rr 5\rt\rc hello\rp\rz\rq\r";
    let expected = "monitor 1.2, boot 2a\r\n> l\r\non\r\n> l\r\noff\r\n> r 5\r\nff\r\n> w 5 0x7f\r\nok\r\n\
        > r 5\r\n7f\r\n> t\r\nticking\r\n> c hello\r\n34f6\r\n> p\r\n0\r\n> z\r\n?\r\n> q\r\nbye\r\n";
    always_says(&AVR, "avr_interpreter", PREEMPT, &[], input, expected);
}

#[test]
fn every_pulse_of_an_avr_pin_is_counted() {
    let [gcc, _] = compilers().try_into().unwrap();
    let path = AVR.build(&gcc, &legacy("avr_interpreter.c"), "-O2");
    let mut events = tempfile::NamedTempFile::new().unwrap();
    for pulse in 0..400 {
        let at = 5000 + 20 * pulse;
        writeln!(events, "{at} pin 19 1\n{} pin 19 0", at + 10).unwrap();
    }
    writeln!(events, "20000 serial \"p\\rq\\r\"").unwrap();
    for &mode in PREEMPT {
        for time in ["real", "virtual"] {
            let variables = [
                ("APP_SHIM_MODE", OsStr::new(mode)),
                ("APP_SHIM_TIME", OsStr::new(time)),
                ("APP_SHIM_REPLAY", events.path().as_os_str()),
            ];
            let expected = "monitor 1.2, boot 2a\r\n> p\r\n190\r\n> q\r\nbye\r\n";
            assert_eq!(said(&path, &variables, ""), expected, "{mode} {time}");
        }
    }
}

#[test]
fn avr_eeprom_outlives_the_program() {
    let [gcc, _] = compilers().try_into().unwrap();
    let path = AVR.build(&gcc, &legacy("avr_interpreter.c"), "-O2");
    let folder = tempfile::tempdir().unwrap();
    let cells = folder.path().join("eeprom");
    for boot in ["2a", "2b"] {
        let text = said(
            &path,
            &[
                ("APP_SHIM_MODE", OsStr::new("preempt")),
                ("APP_SHIM_AVR_EEPROM", cells.as_os_str()),
            ],
            "q\r",
        );
        assert_eq!(text, format!("monitor 1.2, boot {boot}\r\n> q\r\nbye\r\n"));
    }
    assert_eq!(fs::read(cells).unwrap()[0], 0x2b);
}

#[test]
fn a_dos_terminal_chains_a_vector() {
    let events = legacy("dos_terminal.events");
    let more = [
        ("APP_SHIM_TIME", OsStr::new("virtual")),
        ("APP_SHIM_REPLAY", events.as_os_str()),
        ("APP_SHIM_DOS_COM1", OsStr::new("out")),
    ];
    let expected = "port 03f8\n80 columns\r\nlogin: guest\rhello\r\n[no carrier]\r\n[carrier]\r\nbye\r\n\
        [17 in, 2 carrier]\r\nclosed\r\n20 ticks, BIOS 20\r\n";
    always_says(&DOS, "dos_terminal", MODES, &more, "", expected);
}

#[test]
fn usual_idioms_of_avr_programs_work() {
    for compiler in compilers() {
        for source in ["avr_idioms.c", "avr_idioms.cpp"] {
            for optimise in ["-O0", "-O2"] {
                let path = AVR.build(&compiler, &home().join("tests/c").join(source), optimise);
                for &mode in PREEMPT {
                    let text = said(&path, &[("APP_SHIM_MODE", OsStr::new(mode))], "");
                    assert_eq!(
                        text, "printf 42 %\r\ndone\r\n",
                        "{source} {mode} {compiler:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn usual_idioms_of_dos_programs_work() {
    for compiler in compilers() {
        for source in ["dos_idioms.c", "dos_idioms.cpp"] {
            let path = DOS.build(&compiler, &home().join("tests/c").join(source), "-O2");
            for &mode in MODES {
                let text = said(&path, &[("APP_SHIM_MODE", OsStr::new(mode))], "");
                assert_eq!(text, "string\r\ndone\r\n", "{source} {mode} {compiler:?}");
            }
        }
    }
}
