// SPDX-License-Identifier: GPL-2.0

//! The thread that a registration signals, and the process that registered it.

use super::{
    ffi,
    machine::{Outcome, Signal},
};
use core::ptr::NonNull;
use kernel::{bindings, error::from_err_ptr, ffi::c_void, prelude::*};

/// A thread of the registering process, with references on its task and pid.
///
/// # Invariants
///
/// `raw` comes from `rtnotify_target_get` and is put exactly once, in `drop`.
pub(crate) struct Target {
    raw: NonNull<ffi::RawTarget>,
}

// SAFETY: The C side holds references and takes the locks it needs; any thread may use or put a target.
unsafe impl Send for Target {}
// SAFETY: As above: every function that takes a shared target may run concurrently with itself.
unsafe impl Sync for Target {}

/// What sending came to.
pub(crate) enum Sent {
    /// Tell the state machine this.
    Outcome(Outcome),
    /// The thread is exiting; its failover may take over.
    Exited,
    /// The process executes another program; nothing may be sent any more.
    Exec,
    /// The thread would be killed by the signal; it was not sent.
    Unhandled,
}

impl Target {
    /// The thread `tid` of the calling process; 0 is the calling thread.
    ///
    /// # Errors
    ///
    /// `ESRCH`: no such thread in this process. `EINVAL`: it neither blocks nor handles `signo`.
    pub(crate) fn get(tid: i32, signo: u16) -> Result<Self> {
        // SAFETY: Both arguments are plain numbers, checked by the callee.
        let raw = from_err_ptr(unsafe { ffi::rtnotify_target_get(tid, signo.into()) })?;
        // INVARIANT: It was just got.
        Ok(Self {
            raw: NonNull::new(raw).ok_or(ENOMEM)?,
        })
    }

    /// Calls `exited(context)` from interrupt or workqueue context when the thread exits.
    ///
    /// # Safety
    ///
    /// `context` must stay valid for `exited` until this target is dropped.
    pub(crate) unsafe fn watch(
        &mut self,
        exited: unsafe extern "C" fn(*mut c_void),
        context: *mut c_void,
    ) {
        // SAFETY: `raw` is valid by the invariant; `context` by the caller's promise, because dropping waits
        // for a callback that is running.
        unsafe { ffi::rtnotify_target_watch(self.raw.as_ptr(), exited, context) }
    }

    /// The thread's number in the calling process's pid namespace; 0: none there.
    pub(crate) fn tid(&self) -> i32 {
        // SAFETY: `raw` is valid by the invariant.
        unsafe { ffi::rtnotify_target_tid(self.raw.as_ptr()) }
    }

    /// Whether `signo` is pending for the thread.
    pub(crate) fn is_pending(&self, signo: u16) -> bool {
        // SAFETY: `raw` is valid by the invariant.
        unsafe { ffi::rtnotify_target_pending(self.raw.as_ptr(), signo.into()) }
    }

    /// Whether the thread is exiting or gone.
    pub(crate) fn has_exited(&self) -> bool {
        // SAFETY: `raw` is valid by the invariant.
        unsafe { ffi::rtnotify_target_exited(self.raw.as_ptr()) }
    }

    /// Looks again in a while whether the thread has exited, if its exit would wake nobody.
    pub(crate) fn recheck_later(&self) {
        // SAFETY: `raw` is valid by the invariant.
        unsafe { ffi::rtnotify_target_recheck(self.raw.as_ptr()) }
    }

    /// Sends `signal`.
    pub(crate) fn send(&self, signo: u16, signal: Signal) -> Sent {
        let (handle, fallback) = match signal {
            Signal::Queued { handle } => (handle, false),
            Signal::Fallback => (0, true),
        };
        // SAFETY: `raw` is valid by the invariant.
        let ret =
            unsafe { ffi::rtnotify_target_send(self.raw.as_ptr(), signo.into(), handle, fallback) };
        match -ret as u32 {
            0 => Sent::Outcome(Outcome::Sent),
            bindings::EAGAIN => Sent::Outcome(Outcome::Refused),
            bindings::ENOEXEC => Sent::Exec,
            bindings::EINVAL => Sent::Unhandled,
            _ => Sent::Exited,
        }
    }

    /// Takes what the thread has pending of `signo` off its queue. May sleep.
    ///
    /// # Safety
    ///
    /// `file` must be an open file of this module.
    pub(crate) unsafe fn take_pending(&self, signo: u16, file: *mut bindings::file) {
        // SAFETY: `raw` is valid by the invariant, `file` by the caller's promise.
        unsafe { ffi::rtnotify_target_take_pending(self.raw.as_ptr(), signo.into(), file) }
    }
}

impl Drop for Target {
    /// May sleep: waits for a running exit callback.
    fn drop(&mut self) {
        // SAFETY: `raw` is valid by the invariant and not used after this.
        unsafe { ffi::rtnotify_target_put(self.raw.as_ptr()) }
    }
}

/// A process, by a reference on its thread-group pid: never confused with a later one of the same number.
///
/// # Invariants
///
/// `raw` carries a reference.
pub(crate) struct Process {
    raw: NonNull<bindings::pid>,
}

// SAFETY: `struct pid` is reference-counted and may be used from any thread.
unsafe impl Send for Process {}
// SAFETY: Comparing with the calling process only reads the pointer.
unsafe impl Sync for Process {}

impl Process {
    /// The calling process.
    pub(crate) fn current() -> Result<Self> {
        // SAFETY: Only called in process context.
        let raw = unsafe { ffi::rtnotify_process_get() };
        // INVARIANT: The reference was just taken.
        Ok(Self {
            raw: NonNull::new(raw).ok_or(ESRCH)?,
        })
    }

    /// The process's number in the calling process's pid namespace; 0: none there.
    pub(crate) fn number(&self) -> i32 {
        // SAFETY: `raw` is valid by the invariant.
        unsafe { ffi::rtnotify_process_number(self.raw.as_ptr()) }
    }

    /// Whether this is the calling process.
    pub(crate) fn is_current(&self) -> bool {
        // SAFETY: `raw` is valid by the invariant.
        unsafe { ffi::rtnotify_process_is_current(self.raw.as_ptr()) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SAFETY: The reference is ours by the invariant.
        unsafe { ffi::rtnotify_process_put(self.raw.as_ptr()) }
    }
}
