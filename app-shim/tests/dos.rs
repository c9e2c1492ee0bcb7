// SPDX-License-Identifier: MIT OR Apache-2.0

//! The facade for DOS: what programs in its style usually do, and whole programs.

mod common;
#[path = "common/facade.rs"]
mod facade;

use std::ffi::OsStr;
use std::io::Write;

use common::{compilers, home};
use facade::{Facade, legacy, said};

const DOS: Facade = Facade {
    name: "dos",
    dialect: "gnu89",
    modes: &["thread", "preempt"],
};

#[test]
fn every_header_compiles_alone() {
    DOS.headers_compile_alone();
}

#[test]
fn usual_idioms_work() {
    DOS.programs_say(
        &["dos_idioms.c", "dos_idioms.cpp"],
        &["real"],
        "string\r\ndone\r\n",
    );
}

#[test]
fn a_terminal_chains_a_vector() {
    let events = legacy("dos_terminal.events");
    let more = [
        ("APP_SHIM_TIME", OsStr::new("virtual")),
        ("APP_SHIM_REPLAY", events.as_os_str()),
        ("APP_SHIM_DOS_COM1", OsStr::new("out")),
    ];
    let expected = "port 03f8\n80 columns\r\nlogin: guest\rhello\r\n[no carrier]\r\n[carrier]\r\nbye\r\n\
        [17 in, 2 carrier]\r\nclosed\r\n20 ticks, BIOS 20\r\n";
    DOS.always_says("dos_terminal", &more, "", expected);
}

#[test]
fn a_terminal_listens_to_a_source_of_a_map() {
    let path = DOS.build(&compilers()[0], &legacy("dos_terminal.c"), "-O2");
    let mut bytes = tempfile::NamedTempFile::new().unwrap();
    bytes.write_all(b"hello\r").unwrap();
    let map = format!("file:{} vector 241", bytes.path().display());
    for &mode in DOS.modes {
        let variables = [
            ("APP_SHIM_MODE", OsStr::new(mode)),
            ("APP_SHIM_MAP", OsStr::new(&map)),
        ];
        // It leaves when the line has been silent and Escape was pressed: keys come after what the line said.
        let text = said(&path, &variables, "\x1b");
        assert!(
            text.starts_with("port 03f8\n80 columns\r\n"),
            "{mode}: {text}"
        );
        assert!(text.contains("closed\r\n"), "{mode}: {text}");
    }
}

#[test]
fn a_game_sees_keys_that_are_down() {
    let events = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(events.path(), "50000 key \"www\"\n60000 key \"\\e\"\n").unwrap();
    for compiler in compilers() {
        let path = DOS.build(&compiler, &home().join("tests/c/dos_game.c"), "-O2");
        for &mode in DOS.modes {
            let variables = [
                ("APP_SHIM_MODE", OsStr::new(mode)),
                ("APP_SHIM_TIME", OsStr::new("virtual")),
                ("APP_SHIM_REPLAY", events.path().as_os_str()),
            ];
            assert_eq!(said(&path, &variables, ""), "3 steps, 8 codes\n", "{mode}");
        }
    }
}
