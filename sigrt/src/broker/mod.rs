// SPDX-License-Identifier: MIT OR Apache-2.0

//! The device without the module, for several processes: `rtnotify serve`, and those who connect to it.
//!
//! A [`Server`] runs the state machine that the kernel module runs and speaks the device's own records and structures over
//! a Unix `SOCK_SEQPACKET` socket; [`crate::Device::connect`] is the other end. `docs/broker.md` describes the messages,
//! who may connect, and why no wake-up is lost.
//!
//! # What differs from the module
//!
//! - All that differs for [`crate::loopback`] differs here, but for the sentence about one process.
//! - Posting is a request to another process, and so is reading; a `write` waits for the doorbells that it causes, but
//!   only those of its own user, and at most a second.
//! - A thread in the subscriber's process rings them, the *agent*, one for each registration. While it is stopped, nobody
//!   is rung there; the events are kept.
//! - Whoever may connect may subscribe and post: connecting to a socket file needs the permission to write.
//! - The broker can vanish. All that was registered or created is gone then, every call gives `ECONNRESET`, which is
//!   [`crate::Error::BrokerGone`] one layer higher, and targets are rung once more so that they look. Connect anew.
//! - A descriptor that is polled may say once that there is something to read after another thread has taken it.
//! - A descriptor that was passed to another process or inherited by a forked one keeps nothing alive: what was made by a
//!   process goes when that exits.
//! - A broker that is stopped (`SIGSTOP`) makes its clients wait, as a kernel would.
//!
//! # Threads
//!
//! The server is one thread; descriptors that a peer has passed and nobody wants are closed by others, at most one for
//! each user, which exist as long as that takes. A client's calls may come from several; whoever waits reads for all.

mod agent;
mod bulk;
mod closer;
mod connection;
mod link;
mod listen;
#[cfg(test)]
mod model;
mod peers;
mod protocol;
pub(crate) mod remote;
mod requests;
mod server;

use std::env;
use std::path::PathBuf;

pub(crate) use connection::Connection;
pub use peers::Limits;
pub use server::{Server, Stopper};

/// Where a broker is looked for: `rtnotify.sock` in `$XDG_RUNTIME_DIR`, or in `/run` where that is not set.
///
/// # Examples
///
/// ```
/// assert_eq!(sigrt::broker::default_path().file_name().unwrap(), "rtnotify.sock");
/// ```
#[must_use]
pub fn default_path() -> PathBuf {
    let directory = env::var_os("XDG_RUNTIME_DIR").unwrap_or_else(|| "/run".into());
    PathBuf::from(directory).join("rtnotify.sock")
}
