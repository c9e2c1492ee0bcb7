// SPDX-License-Identifier: MIT OR Apache-2.0

//! `rtnotify serve`: the device without the module, for several processes.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use anyhow::{Context as _, Result};
use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;
use sigrt::broker::{self, Limits, Server};

use crate::cli::Global;
use crate::{interrupt, show};

pub(crate) const EXAMPLES: &str = "\
Examples:
  rtnotify serve
  rtnotify serve --socket /run/rtnotify/socket --mode 0660 --quota-per-peer 64M
  rtnotify watch --create door --device /run/rtnotify/socket

With --json a line {\"serving\": PATH} says that it listens; it is null for a socket that was passed on.";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where to listen; a socket that systemd passes on (`ListenSequentialPacket=`) is used if this is not given.
    /// Default: `rtnotify.sock` in `$XDG_RUNTIME_DIR`, or in `/run` where that is not set.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Mode of the socket file, in octal: whoever may write may connect.
    #[arg(long, value_name = "MODE", default_value = "0660", value_parser = mode)]
    mode: u32,
    /// Connections at most, and so many of each user.
    #[arg(long, value_name = "N", default_value_t = default_clients())]
    max_clients: NonZeroUsize,
    /// Sources of each user at most.
    #[arg(long, value_name = "N", default_value_t = Limits::default().sources_per_user)]
    max_sources: usize,
    /// Bytes that the registrations of each user may hold, with K, M or G.
    #[arg(long, value_name = "BYTES", default_value = "512M", value_parser = bytes)]
    quota_per_peer: u64,
}

fn default_clients() -> NonZeroUsize {
    NonZeroUsize::new(Limits::default().clients_per_user).unwrap_or(NonZeroUsize::MIN)
}

fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("an octal number up to 0777".to_owned()),
    }
}

fn bytes(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.strip_suffix(['K', 'M', 'G']) {
        None => (text, 0),
        Some(digits) if text.ends_with('K') => (digits, 10),
        Some(digits) if text.ends_with('M') => (digits, 20),
        Some(digits) => (digits, 30),
    };
    let number = digits.parse::<u64>().ok();
    number
        .and_then(|n| n.checked_mul(1 << shift))
        .ok_or_else(|| "a number of bytes, with K, M or G".to_owned())
}

/// Serves until interrupted.
pub(crate) fn command(global: &Global, arguments: &Arguments) -> Result<bool> {
    let limits = Limits {
        clients: arguments.max_clients.get(),
        clients_per_user: arguments.max_clients.get(),
        sources_per_user: arguments.max_sources,
        bytes_per_user: arguments.quota_per_peer,
    };
    // Four descriptors for each client, with those that its agent and its event loop are told by. Without the right to have more, fewer are let in.
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        setrlimit(Resource::RLIMIT_NOFILE, most, most).ok();
    }
    let inherited = match &arguments.socket {
        None => Server::inherited(limits).context("cannot use the socket that was passed on")?,
        Some(_) => None,
    };
    let (mut server, place) = if let Some(server) = inherited {
        (server, None)
    } else {
        let path = arguments
            .socket
            .clone()
            .unwrap_or_else(broker::default_path);
        let server = Server::bind(&path, arguments.mode, limits)
            .with_context(|| format!("cannot serve {}", path.display()))?;
        (server, Some(path.display().to_string()))
    };
    let interrupted = interrupt::channel()?;
    let stopper = server.stopper();
    thread::spawn(move || {
        // Nothing is sent: the end is the message.
        interrupted.recv().ok();
        stopper.stop();
    });
    if global.json {
        show::json(&json!({ "serving": place }))?;
    } else {
        let place = place.as_deref().unwrap_or("a socket that was passed on");
        show::line(&format!("serving {place}"))?;
    }
    server.run().context("cannot go on serving")?;
    Ok(true)
}
