// SPDX-License-Identifier: GPL-2.0

//! `O_ASYNC`: the files that want `SIGIO`, or the signal of `F_SETSIG`, when something becomes readable.
//!
//! The kernel keeps the list, finds the owner (`F_SETOWN`) and fills in `si_fd` and `si_band`
//! (`fs/fcntl.c`). Changing the list may sleep; raising is possible in any context but NMI, under any lock of
//! this module: it takes read locks that disable interrupts, then siglock.

use core::ptr;
use kernel::{bindings, error::to_result, ffi::c_int, prelude::*, types::Opaque};

/// The list of one client: empty, or its one file.
///
/// # Invariants
///
/// The pointer is null or was put there by `fasync_helper`, and is only used by `fasync_helper` and
/// `kill_fasync`, which synchronise with each other.
pub(crate) struct SigIo {
    list: Opaque<*mut bindings::fasync_struct>,
}

// SAFETY: `fasync_helper` changes the list under a lock of its own and `kill_fasync` reads it under RCU.
unsafe impl Send for SigIo {}
// SAFETY: As above.
unsafe impl Sync for SigIo {}

impl SigIo {
    /// An empty list.
    pub(crate) fn new() -> Self {
        // INVARIANT: Null.
        Self {
            list: Opaque::new(ptr::null_mut()),
        }
    }

    /// Puts `file` on the list or takes it off. May sleep.
    ///
    /// The kernel itself takes it off when `O_ASYNC` is cleared, and before the file is released.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// # Safety
    ///
    /// `file` is the file that owns this list, and the arguments are those of the file operation `fasync`.
    pub(crate) unsafe fn change(&self, fd: c_int, file: *mut bindings::file, on: c_int) -> Result {
        // SAFETY: `file` is open by the caller's promise, the list lives as long as `self`; the file is off the
        // list before its client goes, since the kernel takes it off before it calls `release`.
        let ret = unsafe { bindings::fasync_helper(fd, file, on, self.list.get()) };
        // 1 says that the list has changed.
        to_result(ret.min(0))
    }

    /// Tells the owner that something has become readable. Any context but NMI.
    pub(crate) fn raise(&self) {
        // SAFETY: The list is valid by the invariant.
        unsafe {
            bindings::kill_fasync(
                self.list.get(),
                bindings::SIGIO as c_int,
                bindings::POLL_IN as c_int,
            )
        };
    }
}
