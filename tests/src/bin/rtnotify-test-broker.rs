// SPDX-License-Identifier: MIT OR Apache-2.0

//! A broker for tests, in a process of its own: `rtnotify-test-broker SOCKET [CLIENTS SOURCES BYTES]`, the limits per
//! user. It says `ready` when it listens and ends when its standard input does, which it does with the test, however
//! that ends; then it removes the socket's directory.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::thread;

use sigrt::broker::{Limits, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("no socket")?;
    let mut limits = Limits::default();
    if let Some(clients) = arguments.next() {
        limits.clients_per_user = clients.parse()?;
        limits.sources_per_user = arguments.next().ok_or("no number of sources")?.parse()?;
        limits.bytes_per_user = arguments.next().ok_or("no number of bytes")?.parse()?;
    }
    let mut server = Server::bind(&path, 0o600, limits)?;
    let stopper = server.stopper();
    thread::spawn(move || {
        io::stdin().read_to_end(&mut Vec::new()).ok();
        stopper.stop();
    });
    println!("ready");
    server.run()?;
    drop(server);
    // With the lock, which a broker leaves where it is for the next one.
    fs::remove_file(format!("{path}.lock"))?;
    if let Some(directory) = Path::new(&path).parent() {
        // Unless something else lies there.
        fs::remove_dir(directory).ok();
    }
    Ok(())
}
