// SPDX-License-Identifier: MIT OR Apache-2.0

//! The facade for Arduino: its headers alone, what sketches usually do, and whole sketches.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{
    Compiler, LIMIT, compilers, headers, home, library_folder, must, program, run, run_with,
};

const MODES: [&str; 2] = ["thread", "preempt"];

fn include() -> PathBuf {
    home().join("include/compat/arduino")
}

/// Builds a sketch as its users do: with the script that is there for that.
#[track_caller]
fn build(compiler: &Compiler, standard: &str, sketch: &Path, more: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("arduino")
        .join(&compiler.cxx);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(sketch.file_stem().unwrap());
    must(
        Command::new(include().join("ino"))
            .env("CC", &compiler.c)
            .env("CXX", &compiler.cxx)
            .env("STD", standard)
            .env("APP_SHIM_LIB", library_folder().join("libapp_shim.a"))
            .arg("-o")
            .arg(&path)
            .args(["-Wall", "-Wextra", "-Werror"])
            .args(more)
            .arg(sketch),
    );
    path
}

/// Every compiler with a dialect of its own.
fn dialects() -> Vec<(Compiler, &'static str)> {
    compilers()
        .into_iter()
        .zip(["gnu++11", "gnu++17"])
        .collect()
}

/// Runs a sketch that reads `input`; what it wrote, without the carriage returns.
#[track_caller]
fn said(path: &Path, mode: &str, variables: &[(&str, &OsStr)], input: &str) -> String {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_bytes()).unwrap();
    file.rewind().unwrap();
    let output = run_with(
        program(path)
            .env("APP_SHIM_MODE", mode)
            .envs(variables.iter().copied()),
        Stdio::from(file),
        LIMIT,
    );
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    assert!(
        output.status.success(),
        "{} {mode} {variables:?}: {}\n{text}{}",
        path.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

fn own(name: &str) -> PathBuf {
    home().join("tests/c").join(name)
}

const VIRTUAL: (&str, &str) = ("APP_SHIM_TIME", "virtual");

fn variable<'a>((name, value): (&'a str, &'a str)) -> (&'a str, &'a OsStr) {
    (name, OsStr::new(value))
}

#[test]
fn every_header_compiles_alone() {
    let headers = headers(&include());
    assert!(headers.len() > 15, "{headers:?}");
    for (compiler, standard) in dialects() {
        for (command, language, standard) in
            [(&compiler.c, "c", "c11"), (&compiler.cxx, "c++", standard)]
        {
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
fn interrupts_are_as_sketches_know_them() {
    for (compiler, standard) in dialects() {
        let path = build(&compiler, standard, &own("ino_interrupts.cpp"), &[]);
        for mode in MODES {
            assert_eq!(said(&path, mode, &[variable(VIRTUAL)], ""), "done\n");
        }
    }
}

#[test]
fn names_of_the_c_library_are_free() {
    for (compiler, standard) in dialects() {
        let path = build(&compiler, standard, &own("ino_names.ino"), &[]);
        let expected = "time and index\nbc652043027 time\n";
        assert_eq!(said(&path, "thread", &[variable(VIRTUAL)], "A"), expected);
    }
}

#[test]
fn vectors_of_pins_are_served_by_registers() {
    for (compiler, standard) in dialects() {
        let path = build(&compiler, standard, &own("ino_vectors.cpp"), &[]);
        for mode in MODES {
            assert_eq!(said(&path, mode, &[variable(VIRTUAL)], ""), "done\n");
        }
    }
}

/// A routine that nothing would ever call is refused, not forgotten.
#[test]
fn vectors_of_other_peripherals_do_not_compile() {
    for compiler in compilers() {
        let build = |vector: &str| {
            let mut source = tempfile::Builder::new().suffix(".cpp").tempfile().unwrap();
            writeln!(source, "#include <Arduino.h>\nISR({vector}) {{}}").unwrap();
            let output = run(
                Command::new(&compiler.cxx)
                    .args(["-fsyntax-only", "-std=gnu++11", "-I"])
                    .arg(include())
                    .arg(source.path()),
                LIMIT,
            );
            (
                output.status.success(),
                String::from_utf8(output.stderr).unwrap(),
            )
        };
        assert!(build("PCINT0_vect").0);
        let (built, errors) = build("TIMER1_COMPA_vect");
        assert!(!built && errors.contains("TIMER1_COMPA_vect"), "{errors}");
    }
}

#[test]
fn pins_registers_and_time_are_as_sketches_know_them() {
    for (compiler, standard) in dialects() {
        let path = build(&compiler, standard, &own("ino_pins.cpp"), &[]);
        for mode in MODES {
            let variables = [
                variable(VIRTUAL),
                variable(("APP_SHIM_ARDUINO_ANALOG", "A0=512,A3=17")),
                variable(("APP_SHIM_ARDUINO_END", "3s")),
            ];
            assert_eq!(said(&path, mode, &variables, ""), "done\nloop\n");
        }
    }
}

#[test]
fn text_goes_in_and_out_and_the_eeprom_keeps() {
    let input = "go -17, 2.5 key=value\none,two stop\n";
    let expected = "early \n42\n-42\nFF\n101\nFFFFFFFF\nc\n4294967295\n3.14\n-2.001\n2.00\nnan\novf\n2\n1\n\
        flash\nstring 1\n(1,2)\n255\nwxy123 format-7\n";
    for (compiler, standard) in dialects() {
        let path = build(&compiler, standard, &own("ino_text.cpp"), &[]);
        let folder = tempfile::tempdir().unwrap();
        let cells = folder.path().join("eeprom");
        let kept = [("APP_SHIM_ARDUINO_EEPROM", cells.as_os_str())];
        for (mode, memory) in MODES.into_iter().zip(["new", "2"]) {
            let text = said(&path, mode, &kept, input);
            assert_eq!(text, format!("{expected}{memory}\n[isr]\ndone\n"), "{mode}");
        }
        let bytes = fs::read(cells).unwrap();
        assert_eq!((bytes[0], bytes[1], bytes[2], bytes[40]), (2, 2, 0xff, 4));
    }
}

/// A sketch of `examples/arduino` says that, in every mode and by every compiler.
#[track_caller]
fn example_says(name: &str, end: &str, expected: &str) {
    let folder = home().join("examples/arduino");
    let events = folder.join(format!("{name}.events"));
    for (compiler, standard) in dialects() {
        let sketch = folder.join(format!("{name}.ino"));
        let path = build(&compiler, standard, &sketch, &[]);
        for mode in MODES {
            let variables = [
                variable(VIRTUAL),
                ("APP_SHIM_REPLAY", events.as_os_str()),
                variable(("APP_SHIM_ARDUINO_END", end)),
            ];
            assert_eq!(said(&path, mode, &variables, ""), expected, "{mode}");
        }
    }
}

#[test]
fn a_sketch_decodes_pulse_widths() {
    let expected = "waiting for thermometers\nthermometer 42: 21.5 C (27 pulses)\n\
        thermometer 7: -3.2 C (25 pulses)\ndamaged message\nthermometer 42: 21.7 C (51 pulses)\n\
        lost so far: 25%\n";
    example_says("pulse_width", "4s", expected);
}

#[test]
fn a_sketch_follows_a_quadrature_encoder() {
    let expected = "volume 50\nvolume 58, position 232, 0 errors\nvolume 38, position 152, 0 errors\n\
        volume 38, position 153, 0 errors\n";
    example_says("quadrature", "2s", expected);
}

#[test]
fn a_serial_line_can_be_two_files() {
    let [gcc, _] = compilers().try_into().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sketch = folder.path().join("echo.ino");
    fs::write(
        &sketch,
        "void setup() { Serial.begin(9600); }\n\
         void loop() { while (Serial.available()) answer(Serial.read()); }\n\
         void answer(int c) { Serial.write(toupper(c)); if (c == '.') exit(0); }\n",
    )
    .unwrap();
    let path = build(&gcc, "gnu++11", &sketch, &[]);
    let (from, to) = (folder.path().join("in"), folder.path().join("out"));
    fs::write(&from, "every word.").unwrap();
    let files = format!("file:{},{}", from.display(), to.display());
    let variables = [("APP_SHIM_ARDUINO_SERIAL", OsStr::new(&files))];
    assert_eq!(said(&path, "thread", &variables, "unread"), "");
    assert_eq!(fs::read_to_string(to).unwrap(), "EVERY WORD.");
}

#[test]
fn what_is_wrong_in_the_environment_is_said() {
    let [gcc, _] = compilers().try_into().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sketch = folder.path().join("nothing.ino");
    fs::write(
        &sketch,
        "void setup() { Serial.println(1); exit(0); } void loop() {}\n",
    )
    .unwrap();
    let path = build(&gcc, "gnu++11", &sketch, &[]);
    assert_eq!(said(&path, "thread", &[], ""), "1\n");
    for (name, value, why) in [
        ("APP_SHIM_MAP", "device:x nowhere 1", "means nothing"),
        ("APP_SHIM_MODE", "fast", "fast"),
        ("APP_SHIM_ARDUINO_END", "3h", "3h"),
        ("APP_SHIM_ARDUINO_ANALOG", "A99=1", "A99"),
        ("APP_SHIM_ARDUINO_SERIAL", "modem", "modem"),
    ] {
        let output = run(program(&path).env(name, value), LIMIT);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{name}: {text}");
        assert!(text.contains(why), "{name}: {text}");
    }
}
