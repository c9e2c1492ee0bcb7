// SPDX-License-Identifier: MIT OR Apache-2.0

//! Instead of `SIGIO`: which descriptor is ready comes with the signal, for each of several sockets.

use std::collections::HashMap;
use std::error::Error;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use sigrt::realtime::{Cause, Signals};

/// Sockets that are listened to.
const SOCKETS: usize = 5;

/// Has the kernel queue `signo`, with the descriptor, whenever there is something to read.
fn announce(fd: BorrowedFd<'_>, signo: i32) -> nix::Result<()> {
    // nix has no safe form of these two, and neither takes a pointer: `F_SETOWN` and `F_SETSIG` of fcntl(2).
    sigrt::sys::announce_readiness(fd, signo)?;
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_ASYNC | OFlag::O_NONBLOCK))?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let signo = sigrt::sys::sigrtmin() + 2;
    let signals = Signals::start(&[signo])?;
    let mut near = HashMap::new();
    let mut far = Vec::new();
    for _ in 0..SOCKETS {
        let (ours, theirs) = UnixStream::pair()?;
        announce(std::os::fd::AsFd::as_fd(&ours), signo)?;
        near.insert(ours.as_raw_fd(), ours);
        far.push(theirs);
    }
    for (n, socket) in far.iter_mut().enumerate() {
        write!(socket, "message {n}")?;
    }
    let mut messages = Vec::new();
    while messages.len() < SOCKETS {
        // A signal may come once more for what has been read already.
        let Cause::Io { fd, .. } = signals.recv()?.cause else {
            continue;
        };
        let mut buffer = [0; 64];
        match near.get_mut(&fd).map(|socket| socket.read(&mut buffer)) {
            Some(Ok(len)) => messages.push(String::from_utf8_lossy(&buffer[..len]).into_owned()),
            Some(Err(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err("a descriptor that nobody asked for".into()),
        }
    }
    messages.sort();
    println!("sigio: {}", messages.join(", "));
    Ok(())
}
