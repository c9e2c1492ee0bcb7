// SPDX-License-Identifier: MIT OR Apache-2.0

//! Standard signals as a source of events: a handler counts them and wakes the thread that raises the vector. The system
//! keeps one of a number at a time; realtime signals, which queue, are taken by `sigrt::realtime`.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use nix::errno::Errno;
use nix::sys::eventfd::EventFd;

const SIGNALS: usize = 65;

static COUNTS: [AtomicU64; SIGNALS] = [const { AtomicU64::new(0) }; SIGNALS];
/// Descriptor to write to for each signal.
static WAKES: [AtomicI32; SIGNALS] = [const { AtomicI32::new(-1) }; SIGNALS];

extern "C" fn on_signal(signo: i32) {
    let index = signo as usize;
    let (Some(count), Some(fd)) = (COUNTS.get(index), WAKES.get(index)) else {
        return;
    };
    count.fetch_add(1, Ordering::SeqCst);
    let errno = super::signal::errno();
    let one = 1_u64;
    // SAFETY: eight bytes of our own; a descriptor that is gone gives an error, which means that nobody waits.
    unsafe {
        libc::write(
            fd.load(Ordering::SeqCst),
            ptr::from_ref(&one).cast(),
            size_of_val(&one),
        )
    };
    super::signal::set_errno(errno);
}

/// Has a signal counted and `event` written for each. The event must be kept for good, and is.
pub(crate) fn install(signo: i32, event: &Arc<EventFd>) -> Result<(), Errno> {
    let wake = WAKES.get(signo as usize).ok_or(Errno::EINVAL)?;
    // A handler may be in the middle of writing to it whenever it is closed; so it never is.
    let kept: &'static Arc<EventFd> = Box::leak(Box::new(Arc::clone(event)));
    wake.store(kept.as_raw_fd(), Ordering::SeqCst);
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: zeroed is a valid sigaction.
    let action = unsafe { action.assume_init_mut() };
    action.sa_sigaction = on_signal as extern "C" fn(i32) as usize;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the action is initialised, and its handler does only what a handler may.
    let done = unsafe { libc::sigaction(signo, action, ptr::null_mut()) };
    Errno::result(done).map(drop)
}

/// How often a signal has come.
pub(crate) fn count(signo: i32) -> u64 {
    COUNTS
        .get(signo as usize)
        .map_or(0, |count| count.load(Ordering::SeqCst))
}

/// Shows a descriptor that the program has named by its number, if it is open.
pub(crate) fn with_descriptor<R>(
    fd: i32,
    show: impl FnOnce(BorrowedFd<'_>) -> R,
) -> Result<R, Errno> {
    // SAFETY: only asks whether it is open.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
    // SAFETY: it is open; the program that names it keeps it so during the call, or gets an error.
    Ok(show(unsafe { BorrowedFd::borrow_raw(fd) }))
}
