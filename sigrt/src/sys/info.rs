// SPDX-License-Identifier: MIT OR Apache-2.0

//! `siginfo_t`: taken whole, sent with a value, and sent on to another thread of the process.

use core::mem::MaybeUninit;
use core::time::Duration;

use nix::errno::Errno;

use super::{QueuedInfo, SignalSet, Tid, gettid, process_id};

/// `si_code` of what [`forward`] sends: negative, so that a process may send it to its own threads, and used by
/// neither kernel nor C library. The code that it had is in `si_errno`.
const FORWARDED: i32 = -0x5254;

/// What the kernel says about a signal. Where two or three members of `siginfo_t` share a place, so they do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Info {
    pub(crate) signo: i32,
    pub(crate) code: i32,
    /// `si_pid` or `si_timerid`.
    pub(crate) first: i32,
    /// `si_uid` or `si_overrun`.
    pub(crate) second: u32,
    /// `si_value` or, in its low half, `si_fd`.
    pub(crate) value: u64,
}

impl Info {
    fn decode(info: &libc::siginfo_t) -> Self {
        // SAFETY: both are plain memory of the same size, as is asserted where the other is defined, the alignment
        // of siginfo_t is no smaller, and every bit pattern is a value.
        let info = unsafe { &*core::ptr::from_ref(info).cast::<QueuedInfo>() };
        let code = if info.code == FORWARDED {
            info.errno
        } else {
            info.code
        };
        Self {
            signo: info.signo,
            code,
            first: info.pid,
            second: info.uid,
            value: info.value,
        }
    }
}

/// [`super::take_signal`], with all that is known about the signal.
///
/// # Errors
///
/// `EAGAIN` (timeout), `EINTR` (a handler for another signal ran).
pub(crate) fn take(set: &SignalSet, timeout: Option<Duration>) -> Result<Info, Errno> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let limit = timeout.map(|t| libc::timespec {
        tv_sec: t.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(t.subsec_nanos() as i32),
    });
    let limit = limit
        .as_ref()
        .map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: the set is initialised, the info is writable, the limit is null or points to a live timespec.
    if unsafe { libc::sigtimedwait(&raw const set.0, info.as_mut_ptr(), limit) } < 0 {
        return Err(Errno::last());
    }
    // SAFETY: zeroed is a valid siginfo_t, and the kernel has only made it more so.
    Ok(Info::decode(unsafe { info.assume_init_ref() }))
}

/// Sends on, to a thread of this process, a signal that a handler was called with. Async-signal-safe.
///
/// # Errors
///
/// `EAGAIN` where the limit on queued signals is used up, `ESRCH` for no such thread.
pub(crate) fn forward(info: &libc::siginfo_t, tid: Tid) -> Result<(), Errno> {
    let info = Info::decode(info);
    let queued = QueuedInfo {
        signo: info.signo,
        errno: info.code,
        code: FORWARDED,
        pad0: 0,
        pid: info.first,
        uid: info.second,
        value: info.value,
        pad: [0; 12],
    };
    queue(process_id() as i32, tid, info.signo, &queued)
}

/// Queues `signo` with `value` to a process, or to one of its threads unless `tid` is 0.
///
/// # Errors
///
/// `EAGAIN` where the limit on queued signals is used up, `ESRCH`, `EPERM`, `EINVAL` (no such signal).
pub(crate) fn send(pid: i32, tid: Tid, signo: i32, value: u64) -> Result<(), Errno> {
    if tid == 0 {
        let value = libc::sigval {
            sival_ptr: value as *mut libc::c_void,
        };
        // SAFETY: no memory is involved; the value is never followed.
        let done = unsafe { libc::sigqueue(pid, signo, value) };
        return Errno::result(done).map(drop);
    }
    // SAFETY: no memory is involved and the call cannot fail.
    let uid = unsafe { libc::getuid() };
    let queued = QueuedInfo {
        signo,
        errno: 0,
        code: libc::SI_QUEUE,
        pad0: 0,
        pid: process_id() as i32,
        uid,
        value,
        pad: [0; 12],
    };
    queue(pid, tid, signo, &queued)
}

fn queue(pid: i32, tid: Tid, signo: i32, info: &QueuedInfo) -> Result<(), Errno> {
    // SAFETY: the info is as large as the kernel reads and lives across the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            pid,
            tid,
            signo,
            core::ptr::from_ref(info),
        )
    };
    Errno::result(done).map(drop)
}

/// Whether the calling thread is `tid`. Async-signal-safe.
pub(crate) fn is_current(tid: Tid) -> bool {
    gettid() == tid
}
