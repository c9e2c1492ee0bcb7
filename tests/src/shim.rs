// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the benchmark calls of the C interface of `app-shim`, as a C program would.

use std::ffi::c_void;

// The crate has to be linked for its symbols.
use app_shim as _;

unsafe extern "C" {
    fn app_shim_config_init(config: *mut c_void) -> i32;
    fn app_shim_init(config: *const c_void) -> i32;
    fn app_shim_start() -> i32;
    fn app_shim_stop() -> i32;
    fn app_shim_int_lock() -> i32;
    fn app_shim_int_unlock(key: i32);
}

const MODE_PREEMPT: u32 = 1;

/// Makes the process's controller, and has it preempt the calling thread.
///
/// # Panics
///
/// If there is one already.
pub fn start_preemptive() {
    // Longer than the structure, whose first two fields are its size and the mode.
    let mut config = [0_u64; 64];
    let config = config.as_mut_ptr().cast::<u32>();
    // SAFETY: it is aligned, and has room for the structure.
    assert_eq!(unsafe { app_shim_config_init(config.cast()) }, 0);
    let mode = config.wrapping_add(1);
    // SAFETY: the second of its 128 words.
    unsafe { mode.write(MODE_PREEMPT) };
    // SAFETY: as its own function has filled it in.
    assert_eq!(unsafe { app_shim_init(config.cast()) }, 0);
    // SAFETY: it has no requirements.
    assert_eq!(unsafe { app_shim_start() }, 0);
}

/// Ends service.
///
/// # Panics
///
/// If it had not begun.
pub fn stop() {
    // SAFETY: it has no requirements.
    assert_eq!(unsafe { app_shim_stop() }, 0);
}

/// Masks everything.
#[must_use]
pub fn int_lock() -> i32 {
    // SAFETY: it has no requirements.
    unsafe { app_shim_int_lock() }
}

/// Puts the level back.
pub fn int_unlock(key: i32) {
    // SAFETY: it has no requirements.
    unsafe { app_shim_int_unlock(key) };
}
