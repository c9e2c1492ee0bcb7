// SPDX-License-Identifier: GPL-2.0

//! Memory whose size a process has asked for: queues, arenas, what it writes.
//!
//! It is charged to the process's memory cgroup, and where it cannot be had the process gets `ENOMEM`; the
//! kernel's own allocators would have a process of that cgroup killed. Process context; may sleep.

use core::{alloc::Layout, ptr::NonNull};
use kernel::{
    alloc::{flags::__GFP_ZERO, AllocError, Allocator, Flags, NumaNode, Vec},
    ffi::c_void,
    prelude::*,
};

mod c {
    use super::c_void;

    extern "C" {
        pub(super) fn rtnotify_realloc(old: *mut c_void, size: usize, zero: bool) -> *mut c_void;
        pub(super) fn rtnotify_free(memory: *mut c_void);
        pub(super) fn rtnotify_pages(size: usize) -> *mut c_void;
        pub(super) fn rtnotify_free_pages(pages: *mut c_void);
    }
}

/// Whole pages of it, which can be mapped; zero at first.
///
/// # Invariants
///
/// `start` comes from `rtnotify_pages` and is freed exactly once, in `drop`.
pub(crate) struct Pages {
    start: NonNull<u8>,
}

// SAFETY: It is memory and nothing else: what is done with it is up to the owner.
unsafe impl Send for Pages {}
// SAFETY: As above.
unsafe impl Sync for Pages {}

impl Pages {
    /// `size` bytes, a multiple of the page size and not 0.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(size: usize) -> Result<Self> {
        // SAFETY: Just an FFI call, in process context.
        let start = unsafe { c::rtnotify_pages(size) };
        // INVARIANT: It was just got.
        Ok(Self {
            start: NonNull::new(start.cast()).ok_or(ENOMEM)?,
        })
    }

    /// The first byte.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: By the invariant; nobody uses it after this.
        unsafe { c::rtnotify_free_pages(self.start.as_ptr().cast()) }
    }
}

/// A vector in such memory.
pub(crate) type Memory<T> = Vec<T, Charged>;

/// The allocator.
pub(crate) struct Charged;

// SAFETY: `kvrealloc` gives memory of at least the size asked for, which stays until it is freed or moved by
// it; an alignment that it does not promise is refused, and nothing is handed out for no bytes.
unsafe impl Allocator for Charged {
    // What `kvrealloc` promises on every architecture (include/linux/slab.h).
    const MIN_ALIGN: usize = align_of::<u64>();

    /// Of `flags` only `__GFP_ZERO` counts, and of `nid` nothing.
    unsafe fn realloc(
        ptr: Option<NonNull<u8>>,
        layout: Layout,
        old_layout: Layout,
        flags: Flags,
        _nid: NumaNode,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // A pointer to no bytes was never allocated.
        let old = match ptr {
            Some(ptr) if old_layout.size() > 0 => ptr.as_ptr().cast(),
            _ => core::ptr::null_mut(),
        };
        let new = if layout.size() == 0 {
            // SAFETY: `old` is null or was allocated below, and the caller does not use it again.
            unsafe { c::rtnotify_free(old) };
            core::ptr::without_provenance_mut(layout.align())
        } else if layout.align() > Self::MIN_ALIGN {
            return Err(AllocError);
        } else {
            let zero = flags.contains(__GFP_ZERO);
            // SAFETY: As above.
            unsafe { c::rtnotify_realloc(old, layout.size(), zero) }.cast()
        };
        let new = NonNull::new(new).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(new, layout.size()))
    }
}
