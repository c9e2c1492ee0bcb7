// SPDX-License-Identifier: MIT OR Apache-2.0

//! The thread that doorbells are rung for, and what `/proc` says about its signals.
//!
//! The module looks into the task itself; userspace reads `/proc/self/task/TID/status`. The file is opened
//! once, at registration: it stays bound to that very thread, so a number used again is not mistaken for it.
//! Runs under the broker's lock and never blocks, but for [`Target::promises`] and [`Target::settle`], which run without it.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::sys::{self, SIGURG, Tid};

/// Signals of a thread at one moment, as sets with bit `signo - 1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signals {
    pub(crate) pending: u64,
    pub(crate) blocked: u64,
    pub(crate) caught: u64,
}

impl Signals {
    /// Whether a signal would be queued or handled, rather than ignored or deadly.
    pub(crate) fn accepts(&self, signo: i32) -> bool {
        (self.blocked | self.caught) & bit(signo) != 0
    }

    pub(crate) fn is_pending(&self, signo: i32) -> bool {
        self.pending & bit(signo) != 0
    }
}

/// What can be seen of a thread's way with a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepts {
    Yes,
    No,
    /// It neither blocks nor handles it at this moment, which may be one within a system call that takes it.
    Unknown,
}

/// Longest time to wait for a thread to be seen at rest.
const PATIENCE: Duration = Duration::from_millis(100);

fn bit(signo: i32) -> u64 {
    1 << (signo - 1)
}

/// A thread of this process.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) tid: Tid,
    status: File,
    /// Readable when the thread has exited; `None` on kernels that cannot say.
    pub(crate) exit: Option<Arc<OwnedFd>>,
}

impl Target {
    /// `ESRCH` if this process has no such thread.
    pub(crate) fn open(tid: Tid) -> Result<Self, Errno> {
        let status =
            File::open(format!("/proc/self/task/{tid}/status")).map_err(|_| Errno::ESRCH)?;
        Ok(Self {
            tid,
            status,
            exit: sys::thread_descriptor(tid).ok().map(Arc::new),
        })
    }

    /// What is pending, blocked and handled now; `ESRCH` when the thread has exited.
    pub(crate) fn signals(&self) -> Result<Signals, Errno> {
        // The file is about 1.5 KB, more only for a user in hundreds of groups.
        let mut text = [0; 8192];
        let len = self
            .status
            .read_at(&mut text, 0)
            .map_err(|_| Errno::ESRCH)?;
        parse(&text[..len]).ok_or(Errno::ESRCH)
    }

    /// Whether `signo` would be queued or handled, rather than ignored or deadly, as far as can be seen now;
    /// `ESRCH` when the thread has exited.
    ///
    /// While a thread waits in `sigtimedwait`, the kernel does not count the signals that it waits for among
    /// the blocked ones (`real_blocked`, `kernel/signal.c`); then only the system call gives it away, and
    /// once it has been woken not even that. The module knows better.
    fn look(&self, signo: i32) -> Result<Accepts, Errno> {
        let path = format!("/proc/self/task/{}/syscall", self.tid);
        // It may return from that call between the two looks; it then blocks the signal again.
        for _ in 0..4 {
            let signals = self.signals()?;
            if signals.accepts(signo) {
                return Ok(Accepts::Yes);
            }
            // What is pending, not blocked and not handled is about to be taken by `sigtimedwait`.
            if signals.is_pending(signo) || signals.is_pending(SIGURG) {
                return Ok(Accepts::Yes);
            }
            match std::fs::read_to_string(&path) {
                Ok(text) => match text.split(' ').next().map(str::parse) {
                    Some(Ok(libc::SYS_rt_sigtimedwait)) => return Ok(Accepts::Yes),
                    // Another call, so what was seen is what counts.
                    Some(Ok(_)) => return Ok(Accepts::No),
                    // It runs.
                    _ => {}
                },
                // A kernel without that file.
                Err(_) => return Ok(Accepts::Unknown),
            }
        }
        Ok(Accepts::Unknown)
    }

    /// Whether `signo` may be sent; `ESRCH` when the thread has exited.
    ///
    /// A thread of which that cannot be seen is taken at its word, given when it was registered: a waiting
    /// consumer must not miss its doorbell.
    pub(crate) fn accepts(&self, signo: i32) -> Result<bool, Errno> {
        Ok(self.look(signo)? != Accepts::No)
    }

    /// Whether the thread may be registered for `signo`; `ESRCH` when it has exited. Blocks, for
    /// [`PATIENCE`] at most, until it can be seen: a thread that is only on its way out of `sigtimedwait` blocks
    /// its signals again in a moment, one that does not block them never does.
    pub(crate) fn promises(&self, signo: i32) -> Result<bool, Errno> {
        Ok(self.wait_until_seen(signo)? == Accepts::Yes)
    }

    /// Waits, for [`PATIENCE`] at most, until it can be seen what the thread does with `signo`.
    fn wait_until_seen(&self, signo: i32) -> Result<Accepts, Errno> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.look(signo)? {
                Accepts::Unknown if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(1));
                }
                seen => return Ok(seen),
            }
        }
    }

    /// Before [`Target::accepts`], for who may block: fewer threads are then taken at their word.
    pub(crate) fn settle(&self, signo: i32) {
        self.wait_until_seen(signo).ok();
    }

    /// Whether the thread still runs, for kernels without [`Target::exit`].
    pub(crate) fn is_alive(&self) -> bool {
        self.signals().is_ok()
    }
}

fn parse(status: &[u8]) -> Option<Signals> {
    let mut found = Signals::default();
    let mut seen = 0;
    for line in status.split(|&b| b == b'\n') {
        let field = match line.get(..7) {
            Some(b"SigPnd:") => &mut found.pending,
            Some(b"SigBlk:") => &mut found.blocked,
            Some(b"SigCgt:") => &mut found.caught,
            // A thread between its exit and its end.
            Some(b"State:\t") if matches!(line.get(7), Some(b'Z' | b'X')) => return None,
            _ => continue,
        };
        let digits = str::from_utf8(line[7..].trim_ascii()).ok()?;
        *field = u64::from_str_radix(digits, 16).ok()?;
        seen += 1;
    }
    (seen == 3).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_understood() {
        let text = b"Name:\tx\nState:\tS (sleeping)\nSigQ:\t2/9\nSigPnd:\t0000000200000000\n\
            ShdPnd:\t0000000000000001\nSigBlk:\t0000000000400000\nSigIgn:\t0\nSigCgt:\t0000000000000001\n";
        let signals = parse(text).unwrap();
        assert!(signals.is_pending(34) && !signals.is_pending(35));
        assert!(signals.accepts(23) && signals.accepts(1) && !signals.accepts(34));
        assert_eq!(parse(b"State:\tZ (zombie)\nSigPnd:\t0\n"), None);
        assert_eq!(parse(b"SigPnd:\t0\n"), None);
    }

    #[test]
    fn own_thread_is_there_and_nonsense_is_not() {
        let me = Target::open(sys::gettid()).unwrap();
        assert!(me.is_alive());
        let guard = sys::block(&sys::SignalSet::of(&[SIGURG]));
        assert_eq!(me.accepts(SIGURG), Ok(true));
        assert_eq!(me.promises(SIGURG), Ok(true));
        drop(guard);
        assert_eq!(me.accepts(SIGURG), Ok(false));
        assert_eq!(me.promises(SIGURG), Ok(false));
        assert_eq!(Target::open(i32::MAX).unwrap_err(), Errno::ESRCH);
        assert_eq!(Target::open(1).unwrap_err(), Errno::ESRCH);
    }
}
