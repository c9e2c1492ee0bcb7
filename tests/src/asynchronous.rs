// SPDX-License-Identifier: MIT OR Apache-2.0

//! `O_ASYNC`: asking for `SIGIO`, and taking it.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use sigrt::sys::Tid;

/// `fcntl(2)`; not in the `libc` crate for this C library.
const F_SETSIG: libc::c_int = 10;
/// As above.
const F_SETOWN_EX: libc::c_int = 15;

/// Who gets the signal.
#[derive(Clone, Copy, Debug)]
pub enum Owner {
    /// This process.
    Process,
    /// One thread of it.
    Thread(Tid),
}

/// `struct f_owner_ex` of `fcntl(2)`.
#[repr(C)]
struct OwnerEx {
    kind: libc::c_int,
    pid: libc::pid_t,
}

/// Sets the owner, the signal (0: plain `SIGIO`), and `O_ASYNC`.
///
/// # Errors
///
/// What the system says.
pub fn ask(fd: BorrowedFd<'_>, owner: Owner, signo: i32) -> Result<(), Errno> {
    let owner = match owner {
        // F_OWNER_PID
        Owner::Process => OwnerEx {
            kind: 1,
            pid: std::process::id() as i32,
        },
        // F_OWNER_TID
        Owner::Thread(tid) => OwnerEx { kind: 0, pid: tid },
    };
    // SAFETY: the structure is what the command reads, and lives across the call.
    let done = unsafe { libc::fcntl(fd.as_raw_fd(), F_SETOWN_EX, &raw const owner) };
    Errno::result(done)?;
    // SAFETY: no memory is involved.
    let done = unsafe { libc::fcntl(fd.as_raw_fd(), F_SETSIG, signo) };
    Errno::result(done)?;
    set(fd, true)
}

/// Sets or clears `O_ASYNC`.
///
/// # Errors
///
/// What the system says.
pub fn set(fd: BorrowedFd<'_>, on: bool) -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    let flags = Errno::result(flags)?;
    let flags = if on {
        flags | libc::O_ASYNC
    } else {
        flags & !libc::O_ASYNC
    };
    // SAFETY: no memory is involved.
    let done = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) };
    Errno::result(done).map(drop)
}

/// What came with a signal of `O_ASYNC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// `POLL_IN`, or `SI_KERNEL` of a plain `SIGIO`, which says nothing else.
    pub code: i32,
    /// The descriptor.
    pub fd: i32,
    /// `POLLIN` and more.
    pub band: i64,
}

/// Layout of `siginfo_t` for `SIGPOLL` on 64-bit Linux (`include/uapi/asm-generic/siginfo.h`).
#[repr(C)]
struct PollInfo {
    signo: i32,
    errno: i32,
    code: i32,
    pad: i32,
    band: i64,
    fd: i32,
    rest: [i32; 25],
}
const _: () = assert!(size_of::<PollInfo>() == size_of::<libc::siginfo_t>());

/// Takes `signo`, which the calling thread blocks.
///
/// # Errors
///
/// `EAGAIN` if none is pending for so long.
pub fn take(signo: i32, timeout: Duration) -> Result<Ready, Errno> {
    let limit = libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: timeout.subsec_nanos().into(),
    };
    let mut set = nix::sys::signal::SigSet::empty().as_ref().to_owned();
    // SAFETY: the set is initialised; a bad number is only refused.
    unsafe { libc::sigaddset(&raw mut set, signo) };
    let mut info = PollInfo {
        signo: 0,
        errno: 0,
        code: 0,
        pad: 0,
        band: 0,
        fd: 0,
        rest: [0; 25],
    };
    // SAFETY: the structure is as large as the system writes, and every bit pattern is a value of it.
    let taken =
        unsafe { libc::sigtimedwait(&raw const set, (&raw mut info).cast(), &raw const limit) };
    Errno::result(taken)?;
    Ok(Ready {
        code: info.code,
        fd: info.fd,
        band: info.band,
    })
}
