//! Carries bytes between the command and the frames on the virtio port.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rtnotify_vm_init::frame::{self, Kind};
use rustix::termios::Winsize;

/// The sending side of the port, shared by the output threads.
pub(crate) type Sender = Arc<Mutex<File>>;

/// Sends one frame. A host that is gone cannot be told, so errors end nothing.
pub(crate) fn send(port: &Sender, kind: Kind, body: &[u8]) {
    let mut port = port.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = frame::write(&mut *port, kind, body);
}

/// Copies all that `from` yields into frames of `kind`, until its end. The error
/// with which a terminal reports that no process has it open counts as the end.
pub(crate) fn outward(mut from: File, kind: Kind, port: Sender) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = vec![0; frame::MAX];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => send(&port, kind, &buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    })
}

/// Serves the frames that arrive: input for the command, terminal sizes, and the
/// host's farewell, at which it returns.
pub(crate) fn inward(mut port: File, stdin: OwnedFd, terminal: bool) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut stdin = Some(File::from(stdin));
        while let Ok(Some((kind, body))) = frame::read(&mut port) {
            match kind {
                Kind::Stdin => {
                    // A command that does not read its input is no error.
                    if let Some(file) = &mut stdin
                        && file.write_all(&body).is_err()
                        && !terminal
                    {
                        stdin = None;
                    }
                }
                Kind::StdinEnd if terminal => {}
                Kind::StdinEnd => stdin = None,
                Kind::Resize => {
                    if let (Some(file), [r0, r1, c0, c1]) = (&stdin, &body[..]) {
                        let size = Winsize {
                            ws_row: u16::from_le_bytes([*r0, *r1]),
                            ws_col: u16::from_le_bytes([*c0, *c1]),
                            ws_xpixel: 0,
                            ws_ypixel: 0,
                        };
                        let _ = rustix::termios::tcsetwinsize(file.as_fd(), size);
                    }
                }
                Kind::Bye => break,
                Kind::Stdout | Kind::Stderr | Kind::Exit => {}
            }
        }
    })
}
