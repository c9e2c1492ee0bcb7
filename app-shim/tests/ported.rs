// SPDX-License-Identifier: MIT OR Apache-2.0

//! The ported terminal says what the old one says (`dos.rs`), on the same events, but for what the old one asks its BIOS.

#[path = "../examples/terminal.rs"]
#[expect(dead_code, reason = "its main function")]
mod terminal;

use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::bounded;
use sigrt::{Device, SourceOptions};
use terminal::{CARRIER, ESCAPE, F1, Terminal};

const LIMIT: Duration = Duration::from_mins(2);

struct Screen(mpsc::Sender<Vec<u8>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_ported_terminal_says_what_the_old_one_says() {
    let device = Device::loopback();
    let source = |name| device.create_source(SourceOptions::new(name)).unwrap();
    let (bytes, lines, out) = (source("com1"), source("com1-lines"), source("com1-out"));
    let host = device.subscription().subscribe(&out).start().unwrap();
    let mut terminal = Terminal::open(&device).unwrap();
    let (keys, typed) = bounded(0);
    let (screen, shown) = mpsc::channel();
    let running = thread::spawn(move || terminal.run(&typed, &mut Screen(screen)));
    let expect = |wanted: &str| {
        let mut seen = String::new();
        while seen.len() < wanted.len() {
            let bytes = shown.recv_timeout(LIMIT).unwrap();
            seen += std::str::from_utf8(&bytes).unwrap();
        }
        assert_eq!(seen, wanted);
    };
    // As in legacy/dos_terminal.events: what follows waits for what came before.
    bytes.post(None, b"login: ").unwrap();
    expect("login: ");
    keys.send("guest\r".to_owned()).unwrap();
    let sent = host.recv_timeout(LIMIT).unwrap().event().unwrap();
    assert_eq!(sent.payload, "guest\r");
    bytes.post(None, b"hello\r").unwrap();
    expect("hello\r\n");
    lines.post(Some(0x30), b"").unwrap();
    expect("[no carrier]\r\n");
    lines.post(Some(0x30 | CARRIER), b"").unwrap();
    expect("[carrier]\r\n");
    bytes.post(None, b"bye\r").unwrap();
    expect("bye\r\n");
    keys.send(F1.to_owned()).unwrap();
    expect("[17 in, 2 carrier]\r\n");
    keys.send(ESCAPE.to_owned()).unwrap();
    expect("closed\r\n");
    running.join().unwrap().unwrap();
}
