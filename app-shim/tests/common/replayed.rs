// SPDX-License-Identifier: MIT OR Apache-2.0

//! The legacy programs, fed by `rtnotify replay` through a device: each says what it says in virtual time. `says` of the
//! test program names the device.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{LIMIT, home, program, run};
use crate::says;

/// A program of `examples`, its map and trace, and what it says.
pub(crate) struct Case {
    /// Folder and name.
    name: &'static str,
    arguments: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    modes: &'static [&'static str],
    expected: Says,
}

/// What a program prints.
enum Says {
    All(&'static str),
    /// And then something that depends on how long it ran.
    First(&'static str),
    /// What comes before tells how often its main loop got round to looking.
    Last(&'static str),
}

const BOTH: &[&str] = &["thread", "preempt"];

const SERIAL_DRIVER: Case = Case {
    name: "vxworks/serial",
    arguments: &[],
    variables: &[],
    modes: BOTH,
    expected: Says::All(
        "OK\r\nOK\r\n1=20\r\n?\r\nsio: 5 characters discarded\nsum=42\r\n2=22\r\nBYE\r\n\
        51 characters, 1 errors, 0 overruns, 7 lines, 5 discarded\n",
    ),
};

const PULSE_WIDTH: Case = Case {
    name: "arduino/pulse_width",
    arguments: &[],
    variables: &[("APP_SHIM_ARDUINO_END", "10s")],
    modes: BOTH,
    expected: Says::All(
        "waiting for thermometers\r\nthermometer 42: 21.5 C (27 pulses)\r\n\
        thermometer 7: -3.2 C (25 pulses)\r\ndamaged message\r\nthermometer 42: 21.7 C (51 pulses)\r\n\
        lost so far: 25%\r\n",
    ),
};

const QUADRATURE: Case = Case {
    name: "arduino/quadrature",
    arguments: &[],
    variables: &[("APP_SHIM_ARDUINO_END", "7s")],
    modes: BOTH,
    expected: Says::All(
        "volume 50\r\nvolume 58, position 232, 0 errors\r\nvolume 38, position 152, 0 errors\r\n\
        volume 38, position 153, 0 errors\r\n",
    ),
};

const FLOW_METER: Case = Case {
    name: "wiringpi/flow_meter",
    arguments: &["3"],
    variables: &[],
    modes: BOTH,
    expected: Says::All(
        "waiting for 3 deliveries\ndelivery 1: 250 litres, 39 bounces\n\
        delivery 2: 30 litres, 6 bounces\ndelivery 3: 400 litres, 60 bounces\ntotal 680 litres\n",
    ),
};

const TERMINAL: Case = Case {
    name: "legacy/dos_terminal",
    arguments: &[],
    variables: &[("APP_SHIM_DOS_COM1", "out")],
    modes: BOTH,
    // Then come the ticks of the time that it took.
    expected: Says::First(
        "port 03f8\n80 columns\r\nlogin: guest\rhello\r\n[no carrier]\r\n[carrier]\r\nbye\r\n\
        [17 in, 2 carrier]\r\nclosed\r\n",
    ),
};

const STEPPER: Case = Case {
    name: "legacy/avr_stepper",
    arguments: &[],
    variables: &[],
    modes: &["preempt"],
    expected: Says::Last("limit at 8 after 24 steps, coils 0\r\n"),
};

/// Feeds the program of the folder `programs` through `device`, in each of its modes.
#[track_caller]
pub(crate) fn replayed(case: &Case, rtnotify: &Path, device: &Path, programs: &Path) {
    let example = home().join("examples").join(case.name);
    for mode in case.modes {
        let mut replay = Command::new(rtnotify)
            .args(["replay", "--stamp", "--wait", "1", "--delay", "2s"])
            .arg("--device")
            .arg(device)
            .arg(example.with_extension("rtn"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for_sources(rtnotify, device, &example.with_extension("map"));
        let output = run(
            program(&programs.join(example.file_name().unwrap()))
                .args(case.arguments)
                .envs(case.variables.iter().copied())
                .env("APP_SHIM_MODE", mode)
                .env("APP_SHIM_DEVICE", device)
                .env("APP_SHIM_MAP", example.with_extension("map")),
            LIMIT,
        );
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        let what = format!("{} {mode}: {}\n{said}{errors}", case.name, output.status);
        assert!(output.status.success(), "{what}");
        match case.expected {
            Says::All(all) => assert_eq!(said, all, "{what}"),
            Says::First(first) => assert!(said.starts_with(first), "{what}"),
            Says::Last(last) => assert!(said.ends_with(last), "{what}"),
        }
        let ended = replay.try_wait().unwrap();
        if ended.is_none() {
            // Whatever is left of the trace has nobody who listens.
            replay.kill().unwrap();
        }
        let replayed = replay.wait_with_output().unwrap();
        let replayed = String::from_utf8_lossy(&replayed.stderr).into_owned();
        assert!(ended.is_none_or(|status| status.success()), "{replayed}");
    }
}

/// Until `rtnotify replay` has created what the map names.
fn wait_for_sources(rtnotify: &Path, device: &Path, map: &Path) {
    let map = std::fs::read_to_string(map).unwrap();
    let names: Vec<&str> = map
        .lines()
        .filter_map(|line| line.strip_prefix("device:")?.split_whitespace().next())
        .collect();
    assert!(!names.is_empty());
    let deadline = Instant::now() + LIMIT;
    let there = || {
        let mut command = Command::new(rtnotify);
        command
            .arg("sources")
            .args(&names)
            .arg("--device")
            .arg(device);
        run(&mut command, LIMIT).status.success()
    };
    while !there() {
        assert!(Instant::now() < deadline, "no sources {names:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_serial_driver() {
    says(&SERIAL_DRIVER);
}

#[test]
fn a_pulse_width_decoder() {
    says(&PULSE_WIDTH);
}

#[test]
fn a_quadrature_encoder() {
    says(&QUADRATURE);
}

#[test]
fn a_flow_meter() {
    says(&FLOW_METER);
}

#[test]
fn a_serial_terminal() {
    says(&TERMINAL);
}

#[test]
fn a_stepper() {
    says(&STEPPER);
}
