// SPDX-License-Identifier: MIT OR Apache-2.0

//! The facade for the AVR: what programs in its style usually do, and whole programs.

mod common;
#[path = "common/facade.rs"]
mod facade;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;

use common::{LIMIT, compilers, home, program, run};
use facade::{Facade, legacy, said};

const AVR: Facade = Facade {
    name: "avr",
    dialect: "gnu99",
    // See `models/avr/trap.c`.
    modes: &["preempt"],
};
const PREEMPT: (&str, &str) = ("APP_SHIM_MODE", "preempt");

fn variable<'a>((name, value): (&'a str, &'a str)) -> (&'a str, &'a OsStr) {
    (name, OsStr::new(value))
}

#[test]
fn every_header_compiles_alone() {
    AVR.headers_compile_alone();
}

#[test]
fn usual_idioms_work() {
    AVR.programs_say(
        &["avr_idioms.c", "avr_idioms.cpp"],
        &["real"],
        "printf 42 %\r\ndone\r\n",
    );
}

#[test]
fn clocks_flags_and_one_shot_timers_agree() {
    AVR.programs_say(&["avr_clock.c"], &["real", "virtual"], "done\r\n");
}

#[test]
fn thread_mode_is_refused() {
    let path = AVR.build(&compilers()[0], &home().join("tests/c/avr_clock.c"), "-O2");
    let output = run(program(&path).env("APP_SHIM_MODE", "thread"), LIMIT);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "the model of the AVR needs APP_SHIM_MODE=preempt\n"
    );
}

#[test]
fn a_stepper_nests_interrupts() {
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
    AVR.always_says("avr_stepper", &more, "", &expected);
}

const SESSION: &str = "l\rl\rr 5\rw 5 0x7f\rr 5\rt\rc hello\rp\rz\rq\r";
const ANSWERS: &str = "monitor 1.2, boot 2a\r\n> l\r\non\r\n> l\r\noff\r\n> r 5\r\nff\r\n> w 5 0x7f\r\nok\r\n\
    > r 5\r\n7f\r\n> t\r\nticking\r\n> c hello\r\n34f6\r\n> p\r\n0\r\n> z\r\n?\r\n> q\r\nbye\r\n";

#[test]
fn an_interpreter_answers_on_its_serial_line() {
    AVR.always_says("avr_interpreter", &[], SESSION, ANSWERS);
}

#[test]
fn an_interpreter_answers_to_a_source_of_a_map() {
    let path = AVR.build(&compilers()[0], &legacy("avr_interpreter.c"), "-O2");
    let mut bytes = tempfile::NamedTempFile::new().unwrap();
    bytes.write_all(SESSION.as_bytes()).unwrap();
    let map = format!("file:{} vector 146", bytes.path().display());
    let variables = [
        variable(PREEMPT),
        ("APP_SHIM_MAP", OsStr::new(&map)),
        ("APP_SHIM_AVR_SERIAL", OsStr::new("out")),
    ];
    assert_eq!(said(&path, &variables, ""), ANSWERS);
}

#[test]
fn every_pulse_of_a_pin_is_counted() {
    let path = AVR.build(&compilers()[0], &legacy("avr_interpreter.c"), "-O2");
    // Pulses from before the program has enabled the interrupt are not counted: in real time it needs a while.
    for (time, start) in [("real", 1_000_000), ("virtual", 5000)] {
        let mut events = tempfile::NamedTempFile::new().unwrap();
        for pulse in 0..400 {
            let at = start + 20 * pulse;
            writeln!(events, "{at} pin 19 1\n{} pin 19 0", at + 10).unwrap();
        }
        writeln!(events, "{} serial \"p\\rq\\r\"", start + 15_000).unwrap();
        let variables = [
            variable(PREEMPT),
            ("APP_SHIM_TIME", OsStr::new(time)),
            ("APP_SHIM_REPLAY", events.path().as_os_str()),
        ];
        let expected = "monitor 1.2, boot 2a\r\n> p\r\n190\r\n> q\r\nbye\r\n";
        assert_eq!(said(&path, &variables, ""), expected, "{time}");
    }
}

#[test]
fn eeprom_outlives_the_program() {
    let path = AVR.build(&compilers()[0], &legacy("avr_interpreter.c"), "-O2");
    let folder = tempfile::tempdir().unwrap();
    let cells = folder.path().join("eeprom");
    for boot in ["2a", "2b"] {
        let variables = [
            variable(PREEMPT),
            ("APP_SHIM_AVR_EEPROM", cells.as_os_str()),
        ];
        let text = said(&path, &variables, "q\r");
        assert_eq!(text, format!("monitor 1.2, boot {boot}\r\n> q\r\nbye\r\n"));
    }
    assert_eq!(fs::read(cells).unwrap()[0], 0x2b);
}
