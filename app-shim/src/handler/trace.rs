// SPDX-License-Identifier: MIT OR Apache-2.0

//! Backtraces, in the context of a handler.

use std::ffi::c_void;

unsafe extern "C" {
    // Declared here because the libc crate does not have them for every target; see backtrace(3).
    fn backtrace(buffer: *mut *mut c_void, size: i32) -> i32;
    fn backtrace_symbols_fd(buffer: *const *mut c_void, size: i32, fd: i32);
}

const DEPTH: usize = 32;

/// Loads what the first backtrace needs, which allocates: before anything can be interrupted.
pub(crate) fn prepare() {
    let mut frames = [std::ptr::null_mut(); 2];
    // SAFETY: the buffer has room for as many as are asked for.
    unsafe { backtrace(frames.as_mut_ptr(), frames.len() as i32) };
}

/// Writes the calling thread's stack to a descriptor, one line for each function.
pub(crate) fn write_backtrace(fd: i32) {
    let mut frames = [std::ptr::null_mut(); DEPTH];
    // SAFETY: as above. Once prepared it neither allocates nor locks but for the loader's own list.
    let depth = unsafe { backtrace(frames.as_mut_ptr(), DEPTH as i32) };
    // SAFETY: so many were written.
    unsafe { backtrace_symbols_fd(frames.as_ptr(), depth, fd) };
}
