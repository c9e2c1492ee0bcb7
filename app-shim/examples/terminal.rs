// SPDX-License-Identifier: MIT OR Apache-2.0

//! The serial terminal of `legacy/dos_terminal.c`, ported: what its two interrupt routines did, a channel does.
//!
//! `docs/porting.md` tells how one became the other. The far end is whoever posts to the source `com1` and listens to
//! `com1-out`; `com1-lines` has the modem's lines. To try it on the loopback, where there is nobody else, each line that
//! is typed is answered by an echo; with the module's device or a broker's socket use `rtnotify post` and `watch`.
//!
//! ```text
//! cargo run -p app-shim --example terminal [DEVICE]
//! ```

use std::io::{self, BufRead, Write};
use std::thread;

use crossbeam_channel::{Receiver, bounded, select};
use sigrt::{Delivery, Device, Event, Lane, Result, Source, SourceOptions, Subscription};

/// The modem's lines, as the far end's events have them in their values.
pub(crate) const CARRIER: u64 = 0x80;
/// The key that shows the statistics, and the one that ends the program.
pub(crate) const F1: &str = "\0\x3b";
pub(crate) const ESCAPE: &str = "\x1b";

/// A carrier that goes is more urgent than what was received before it.
const LINES: u8 = 0;
const BYTES: u8 = 1;

pub(crate) struct Terminal {
    /// To the far end.
    out: Source,
    bytes: Source,
    lines: Source,
    port: Subscription,
    received: usize,
    carrier_changes: u32,
}

impl Terminal {
    pub(crate) fn open(device: &Device) -> Result<Self> {
        let source = |name: &str| -> Result<Source> {
            // A driver's, or our own.
            match device.source(name) {
                Ok(source) => Ok(source),
                Err(_) => device.create_source(SourceOptions::new(name)),
            }
        };
        let (bytes, lines, out) = (source("com1")?, source("com1-lines")?, source("com1-out")?);
        let port = device
            .subscription()
            .lane(LINES, Lane::new().queue_len(16))
            .subscribe_at(LINES, &lines)
            .subscribe_at(BYTES, &bytes)
            .start()?;
        Ok(Self {
            out,
            bytes,
            lines,
            port,
            received: 0,
            carrier_changes: 0,
        })
    }

    /// The main loop: what is received is shown, what is typed is sent, until Escape.
    pub(crate) fn run(
        &mut self,
        keys: &Receiver<String>,
        screen: &mut impl Write,
    ) -> io::Result<()> {
        loop {
            select! {
                recv(self.port.receiver()) -> delivery => match delivery {
                    Ok(Delivery::Event(event)) => self.received(&event, screen)?,
                    // The old program lost bytes in silence when its buffer was full.
                    Ok(Delivery::Gap(gap)) => write!(screen, "[{} lost]\r\n", gap.count)?,
                    Ok(_) | Err(_) => return write!(screen, "[the port is gone]\r\n"),
                },
                recv(keys) -> key => match key.as_deref() {
                    Ok(F1) => {
                        let (n, carrier) = (self.received, self.carrier_changes);
                        write!(screen, "[{n} in, {carrier} carrier]\r\n")?;
                    }
                    Ok(ESCAPE) | Err(_) => return write!(screen, "closed\r\n"),
                    Ok(text) => self.out.post(None, text.as_bytes()).map_err(io::Error::other)?,
                },
            }
        }
    }

    /// What `port_isr` did.
    fn received(&mut self, event: &Event, screen: &mut impl Write) -> io::Result<()> {
        if event.source == self.lines.number() {
            self.carrier_changes += 1;
            let carrier = event.value.unwrap_or_default() & CARRIER != 0;
            let text = if carrier {
                "[carrier]\r\n"
            } else {
                "[no carrier]\r\n"
            };
            return screen.write_all(text.as_bytes());
        }
        debug_assert_eq!(event.source, self.bytes.number());
        self.received += event.payload.len();
        for &byte in &event.payload[..] {
            screen.write_all(if byte == b'\r' {
                b"\r\n"
            } else {
                std::slice::from_ref(&byte)
            })?;
        }
        screen.flush()
    }
}

/// Lines that are typed, each as one key.
fn typed() -> Receiver<String> {
    let (keys, typed) = bounded(16);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(io::Result::ok) {
            if keys.send(line + "\r").is_err() {
                return;
            }
        }
    });
    typed
}

/// The far end, where there is nobody else.
fn echo(device: &Device) -> Result<()> {
    let heard = device.subscription().subscribe("com1-out").start()?;
    let answer = device.source("com1")?;
    thread::spawn(move || {
        for event in heard.iter().filter_map(Delivery::event) {
            answer.post(None, &event.payload).ok();
        }
    });
    Ok(())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let device = match std::env::args_os().nth(1) {
        Some(path) => Device::open(path)?,
        None => Device::loopback(),
    };
    let mut terminal = Terminal::open(&device)?;
    if !device.is_kernel() {
        echo(&device)?;
    }
    terminal.run(&typed(), &mut io::stdout().lock())?;
    Ok(())
}
