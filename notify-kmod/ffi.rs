// SPDX-License-Identifier: GPL-2.0

//! Declarations of the module's own C functions; `target.h` says what each one does.

use kernel::{bindings, ffi};

/// An opaque C `struct rtnotify_target`.
#[repr(C)]
pub(crate) struct RawTarget {
    _opaque: [u8; 0],
}

#[expect(
    improper_ctypes,
    reason = "pointers to kernel structures, some of which have empty members"
)]
extern "C" {
    pub(crate) fn rtnotify_target_get(tid: ffi::c_int, signo: ffi::c_int) -> *mut RawTarget;
    pub(crate) fn rtnotify_target_watch(
        target: *mut RawTarget,
        exited: unsafe extern "C" fn(*mut ffi::c_void),
        context: *mut ffi::c_void,
    );
    pub(crate) fn rtnotify_target_put(target: *mut RawTarget);
    pub(crate) fn rtnotify_target_send(
        target: *mut RawTarget,
        signo: ffi::c_int,
        handle: u64,
        fallback: bool,
    ) -> ffi::c_int;
    pub(crate) fn rtnotify_target_tid(target: *mut RawTarget) -> ffi::c_int;
    pub(crate) fn rtnotify_target_pending(target: *mut RawTarget, signo: ffi::c_int) -> bool;
    pub(crate) fn rtnotify_target_exited(target: *mut RawTarget) -> bool;
    pub(crate) fn rtnotify_target_recheck(target: *mut RawTarget);
    pub(crate) fn rtnotify_target_take_pending(
        target: *mut RawTarget,
        signo: ffi::c_int,
        file: *mut bindings::file,
    );
    pub(crate) fn rtnotify_process_get() -> *mut bindings::pid;
    pub(crate) fn rtnotify_process_put(process: *mut bindings::pid);
    pub(crate) fn rtnotify_process_number(process: *mut bindings::pid) -> ffi::c_int;
    pub(crate) fn rtnotify_process_is_current(process: *mut bindings::pid) -> bool;
    pub(crate) fn rtnotify_map_check(
        vma: *mut bindings::vm_area_struct,
        handle: *mut u64,
        len: *mut usize,
    ) -> ffi::c_int;
    pub(crate) fn rtnotify_map_read_only(vma: *mut bindings::vm_area_struct) -> ffi::c_int;
    pub(crate) fn rtnotify_map_uninherited(vma: *mut bindings::vm_area_struct) -> ffi::c_int;
    pub(crate) fn rtnotify_map_insert(
        vma: *mut bindings::vm_area_struct,
        memory: *const ffi::c_void,
    ) -> ffi::c_int;
    pub(crate) fn rtnotify_map_own(
        vma: *mut bindings::vm_area_struct,
        mapping: *mut ffi::c_void,
    );
    pub(crate) fn rtnotify_store_release(word: *mut u64, value: u64);
    pub(crate) fn rtnotify_load_acquire(word: *const u64) -> u64;
    pub(crate) fn rtnotify_copy_shared(
        to: *mut ffi::c_void,
        from: *const ffi::c_void,
        len: usize,
    );
    pub(crate) fn rtnotify_file_opened(file: *mut bindings::file);
    pub(crate) fn rtnotify_lock(lock: *mut bindings::spinlock_t) -> ffi::c_ulong;
    pub(crate) fn rtnotify_unlock(lock: *mut bindings::spinlock_t, flags: ffi::c_ulong);
    pub(crate) fn rtnotify_trylock(
        lock: *mut bindings::spinlock_t,
        flags: *mut ffi::c_ulong,
    ) -> bool;
}
