// SPDX-License-Identifier: MIT OR Apache-2.0

//! Waiting for a word to change, as the kernel offers it (`futex(2)`). Any context.
//!
//! `errno` is the program's: it is put back at once, since others may look at that of a task that waits.

use std::ptr;
use std::sync::atomic::AtomicU32;

use super::signal::{errno, set_errno};

/// Waits while `word` is `expected`, at most until `deadline` (nanoseconds of `CLOCK_MONOTONIC`).
///
/// Returns false when the deadline has passed; true may mean anything else, so callers look again.
pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: Option<u64>) -> bool {
    let limit = deadline.map(|ns| libc::timespec {
        tv_sec: (ns / 1_000_000_000) as libc::time_t,
        tv_nsec: (ns % 1_000_000_000) as libc::c_long,
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    let before = errno();
    // SAFETY: the word and the limit live across the call, which writes neither.
    let done = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG,
            expected,
            limit,
            ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        )
    };
    let after = errno();
    set_errno(before);
    done == 0 || after != libc::ETIMEDOUT
}

/// Wakes so many who wait for `word`.
pub(crate) fn wake(word: &AtomicU32, how_many: i32) {
    // SAFETY: the kernel uses the word's address only.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            how_many,
        )
    };
}

/// Takes a priority-inheriting lock that the calling thread found taken; false where it has it already.
pub(crate) fn lock_pi(word: &AtomicU32) -> bool {
    let before = errno();
    loop {
        // SAFETY: the word lives across the call; the kernel changes it as the protocol says.
        let done = unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                libc::FUTEX_LOCK_PI | libc::FUTEX_PRIVATE_FLAG,
                0,
                ptr::null::<libc::timespec>(),
            )
        };
        let after = errno();
        set_errno(before);
        if done == 0 {
            return true;
        }
        if after == libc::EDEADLK {
            return false;
        }
        // EINTR and EAGAIN (the owner is exiting) are tried again, as futex(2) says.
    }
}

/// Lets go of a priority-inheriting lock for which somebody waits.
pub(crate) fn unlock_pi(word: &AtomicU32) {
    // SAFETY: as for `lock_pi`.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_UNLOCK_PI | libc::FUTEX_PRIVATE_FLAG,
        )
    };
}
