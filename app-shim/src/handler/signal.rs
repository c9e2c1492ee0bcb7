// SPDX-License-Identifier: MIT OR Apache-2.0

//! The signal that makes a service routine preempt the thread that has the CPU.
//!
//! There is one such handler in a process and one controller that it serves: a signal's disposition belongs to
//! the process. The signal carries nothing. It may be coalesced, forged or late: it only says "look".

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal};

use crate::core::Core;

/// The controller in preemptive mode; once set, it is never freed.
static CORE: AtomicPtr<Core> = AtomicPtr::new(ptr::null_mut());

/// The calling thread's `errno`.
pub(crate) fn errno() -> i32 {
    Errno::last_raw()
}

pub(crate) fn set_errno(value: i32) {
    Errno::set_raw(value);
}

/// Runs `body`, and leaves the calling thread's `errno` as it was.
pub(crate) fn keeping_errno<T>(body: impl FnOnce() -> T) -> T {
    let before = errno();
    let done = body();
    set_errno(before);
    done
}

extern "C" fn on_signal(_signo: i32) {
    keeping_errno(|| {
        // SAFETY: null, or made by `serve` from a reference that is kept for good.
        if let Some(core) = unsafe { CORE.load(Ordering::Acquire).as_ref() } {
            core.signalled();
        }
    });
}

/// Has the handler serve this controller; false where it serves another one.
pub(crate) fn serve(core: &'static Core) -> bool {
    let core = ptr::from_ref(core).cast_mut();
    match CORE.compare_exchange(ptr::null_mut(), core, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => true,
        Err(old) => old == core,
    }
}

/// Installs the handler.
///
/// It does not block its own signal: a service routine is interrupted by those of higher priority.
pub(crate) fn install(signo: i32, alternate_stack: bool) -> Result<(), Errno> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zeroed is a valid sigaction.
    let action = unsafe { action.assume_init_mut() };
    action.sa_sigaction = on_signal as extern "C" fn(i32) as usize;
    action.sa_flags = libc::SA_RESTART | libc::SA_NODEFER;
    if alternate_stack {
        action.sa_flags |= libc::SA_ONSTACK;
    }
    // SAFETY: the action is initialised, and its handler does only what a handler may.
    let done = unsafe { libc::sigaction(signo, action, ptr::null_mut()) };
    Errno::result(done).map(drop)
}

/// Ignores the signal from now on: one that is still on its way then harms nobody.
pub(crate) fn ignore(signo: i32) {
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    if let Ok(signal) = Signal::try_from(signo) {
        // SAFETY: ignoring runs no code.
        unsafe { nix::sys::signal::sigaction(signal, &ignore) }.ok();
    } else {
        // A realtime signal, which nix does not name.
        // SAFETY: as above.
        unsafe { libc::signal(signo, libc::SIG_IGN) };
    }
}

/// Gives the calling thread a stack for handlers of so many bytes, with an unmapped page below it.
pub(crate) fn alternate_stack(bytes: usize) -> Result<(), Errno> {
    const PAGE: usize = 4096;
    let bytes = bytes.next_multiple_of(PAGE);
    // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
    let base = unsafe {
        libc::mmap(
            ptr::null_mut(),
            bytes + PAGE,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return Err(Errno::last());
    }
    let start = base.wrapping_byte_add(PAGE);
    // SAFETY: it lies in the mapping that was just made.
    let done = unsafe { libc::mprotect(start, bytes, libc::PROT_READ | libc::PROT_WRITE) };
    Errno::result(done)?;
    let stack = libc::stack_t {
        ss_sp: start,
        ss_flags: 0,
        ss_size: bytes,
    };
    // SAFETY: the mapping is the thread's own and stays as long as the process.
    let done = unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) };
    Errno::result(done).map(drop)
}
