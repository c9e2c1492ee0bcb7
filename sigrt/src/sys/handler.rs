// SPDX-License-Identifier: MIT OR Apache-2.0

//! What runs in signal handlers. Nothing here allocates, locks, or can panic.
//!
//! Handlers are installed and called by `signal-hook-registry`, so they get along with those of everybody else
//! who uses it, and with what was installed before. It keeps `errno`, and it waits for a handler that runs
//! before it lets go of an action.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use signal_hook_registry::SigId;

use super::{SIGURG, Tid, info, process_id, signal_thread};
use crate::handover::{HandOver, LOOK, Parking, Word};

/// What is done for a signal in its handler, until dropped.
///
/// The handler itself stays for good, since others may have come to rely on it; a signal without an action is
/// ignored.
#[derive(Debug)]
pub(crate) struct Action {
    id: SigId,
    pid: u32,
}

impl Drop for Action {
    fn drop(&mut self) {
        // In a forked child the registry may be locked for ever.
        if process_id() == self.pid {
            signal_hook_registry::unregister(self.id);
        }
    }
}

impl Action {
    fn new(
        signo: i32,
        action: impl Fn(&libc::siginfo_t) + Sync + Send + 'static,
    ) -> io::Result<Self> {
        let pid = process_id();
        let action = move |info: &libc::siginfo_t| {
            // A child of a fork has the handler, and neither threads nor device.
            if process_id() == pid {
                action(info);
            }
        };
        // SAFETY: the callers are the functions below; what their actions do is async-signal-safe.
        let id = unsafe { signal_hook_registry::register_sigaction(signo, action) }?;
        Ok(Self { id, pid })
    }
}

/// Has every doorbell that a thread is interrupted by handed over.
///
/// # Errors
///
/// What `sigaction` says.
pub(crate) fn hand_over(signo: i32, to: Arc<HandOver>) -> io::Result<Action> {
    Action::new(signo, move |info| {
        let taken = super::Taken::decode(info);
        let queued = taken.code == libc::SI_QUEUE && taken.signo != SIGURG;
        to.ring(if queued { taken.value } else { LOOK });
    })
}

/// To whom signals go that interrupt another thread, and what was refused on the way.
#[derive(Debug)]
pub(crate) struct Forward {
    /// The thread; it blocks them.
    tid: AtomicI32,
    /// How many could not be sent on, for each number.
    refused: [AtomicU32; NUMBERS],
}

/// Signal numbers, and 0.
const NUMBERS: usize = 65;

impl Default for Forward {
    fn default() -> Self {
        Self {
            tid: AtomicI32::new(0),
            refused: [const { AtomicU32::new(0) }; NUMBERS],
        }
    }
}

impl Forward {
    pub(crate) fn set_thread(&self, tid: Tid) {
        self.tid.store(tid, Ordering::Release);
    }

    pub(crate) fn thread(&self) -> Tid {
        self.tid.load(Ordering::Acquire)
    }

    /// How many of a number could not be sent on since this was asked last.
    pub(crate) fn take_refused(&self, signo: i32) -> u32 {
        match self.refused.get(signo as usize) {
            Some(count) => count.swap(0, Ordering::Acquire),
            None => 0,
        }
    }
}

/// Has every signal of that number that interrupts a thread sent on to another.
///
/// What the limit on queued signals refuses is counted, and the thread told with `SIGURG`, which is not refused.
///
/// # Errors
///
/// What `sigaction` says.
pub(crate) fn forward(signo: i32, to: Arc<Forward>) -> io::Result<Action> {
    Action::new(signo, move |info| {
        let tid = to.thread();
        if info::is_current(tid) || info::forward(info, tid).is_ok() {
            return;
        }
        if let Some(count) = to.refused.get(signo as usize) {
            count.fetch_add(1, Ordering::Release);
            // It is there as long as the action is.
            signal_thread(tid, SIGURG).ok();
        }
    })
}

impl Word for AtomicU64 {
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    fn compare_exchange(&self, current: u64, new: u64, ok: Ordering, failed: Ordering) -> bool {
        self.compare_exchange(current, new, ok, failed).is_ok()
    }

    fn swap(&self, value: u64, order: Ordering) -> u64 {
        self.swap(value, order)
    }
}

/// A word that a thread can sleep on: `futex(2)`.
#[derive(Debug)]
pub(crate) struct Futex(AtomicU32);

impl Parking for Futex {
    fn new(value: u32) -> Self {
        Self(AtomicU32::new(value))
    }

    fn load(&self, order: Ordering) -> u32 {
        self.0.load(order)
    }

    fn compare_exchange(&self, current: u32, new: u32, ok: Ordering, failed: Ordering) -> bool {
        self.0.compare_exchange(current, new, ok, failed).is_ok()
    }

    fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.0.swap(value, order)
    }

    fn sleep(&self, expected: u32, timeout: Option<Duration>) -> bool {
        let limit = timeout.map(|t| libc::timespec {
            tv_sec: t.as_secs() as libc::time_t,
            tv_nsec: libc::c_long::from(t.subsec_nanos() as i32),
        });
        let limit = limit
            .as_ref()
            .map_or(core::ptr::null(), core::ptr::from_ref);
        // SAFETY: the word lives as long as `self`; the limit is null or points to a live timespec.
        let done = unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                expected,
                limit,
            )
        };
        !(done < 0 && Errno::last() == Errno::ETIMEDOUT)
    }

    fn wake(&self) {
        // SAFETY: as above; with FUTEX_WAKE the kernel looks at the address only.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                1,
            )
        };
    }
}
