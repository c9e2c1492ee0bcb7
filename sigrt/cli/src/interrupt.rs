// SPDX-License-Identifier: MIT OR Apache-2.0

//! Ctrl-C and `kill` as a channel, so that a command can finish what it is doing and give its account.

use std::thread;

use anyhow::{Context as _, Result};
use crossbeam_channel::{Receiver, TryRecvError, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// A channel that is disconnected at the first SIGINT, SIGTERM or SIGHUP. A second one ends the process.
pub(crate) fn channel() -> Result<Receiver<()>> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot handle Ctrl-C")?;
    let (sender, receiver) = bounded(0);
    thread::spawn(move || {
        let mut sender = Some(sender);
        for signal in signals.forever() {
            if sender.take().is_none() {
                // Only fails for numbers that have no default action.
                signal_hook::low_level::emulate_default_handler(signal).ok();
            }
        }
    });
    Ok(receiver)
}

/// Whether the signal has come.
pub(crate) fn is_over(stop: &Receiver<()>) -> bool {
    matches!(stop.try_recv(), Err(TryRecvError::Disconnected))
}
