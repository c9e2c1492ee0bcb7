// SPDX-License-Identifier: GPL-2.0

//! The memory that the payloads of a registration lie in.
//!
//! The pool of the state machine says who may touch which place. A poster writes a place that it was given,
//! under the client's state lock, before anybody can see it; a reader that has claimed the event, or a mapping
//! that pins its block, reads it without the lock. Nobody else touches it meanwhile, so the memory itself needs
//! no lock. It is whole pages, zero at first, and lives until the last mapping is gone.

use super::{limits::Charge, memory::Pages};
use core::{ops::Range, ptr::NonNull};
use kernel::{bindings, ffi::c_void, prelude::*};

/// Bytes in a page.
pub(crate) const PAGE: usize = bindings::PAGE_SIZE;

/// Pages, and how many bytes they have.
///
/// # Invariants
///
/// `pages` has `len` initialised bytes.
pub(crate) struct Arena {
    pages: Pages,
    len: usize,
    /// Charged to the user who asked for it, as long as it exists.
    _charge: Charge,
}

impl Arena {
    /// `len` zero bytes, in whole pages, as part of what `charge` accounts for.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(len: usize, charge: Charge) -> Result<Self> {
        let len = len.div_ceil(PAGE).max(1) * PAGE;
        // INVARIANT: They are zero.
        Ok(Self {
            pages: Pages::new(len)?,
            len,
            _charge: charge,
        })
    }

    /// Bytes in it, at least as many as were asked for.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Copies `payload` to a place of its length.
    ///
    /// # Safety
    ///
    /// The pool has just handed out the place, and nobody has been told of it.
    pub(crate) unsafe fn write(&self, place: Range<usize>, payload: &[u8]) {
        if place.len() != payload.len() || place.end > self.len {
            return;
        }
        // SAFETY: The place lies in the memory.
        let to = unsafe { self.pages.start().as_ptr().add(place.start) };
        // SAFETY: Both are valid for that length; the caller promises that nobody else looks there.
        unsafe { core::ptr::copy_nonoverlapping(payload.as_ptr(), to, payload.len()) };
    }

    /// The first byte of a place, for writing the payload there while only the caller knows of it.
    pub(crate) fn start_of(&self, place: Range<usize>) -> Option<NonNull<u8>> {
        if place.start > place.end || place.end > self.len {
            return None;
        }
        // SAFETY: The place lies in the memory.
        Some(unsafe { self.pages.start().add(place.start) })
    }

    /// Clears a place.
    ///
    /// # Safety
    ///
    /// It belongs to a block of the caller's, behind the payload, where nobody reads.
    pub(crate) unsafe fn clear(&self, place: Range<usize>) {
        if place.start > place.end || place.end > self.len {
            return;
        }
        // SAFETY: The place lies in the memory.
        let to = unsafe { self.pages.start().as_ptr().add(place.start) };
        // SAFETY: It is valid for that length; the caller promises that nobody reads there.
        unsafe { core::ptr::write_bytes(to, 0, place.len()) };
    }

    /// The bytes of a place.
    ///
    /// # Safety
    ///
    /// It is claimed or pinned, so that nobody writes there, for as long as the result is used.
    pub(crate) unsafe fn bytes(&self, place: Range<usize>) -> &[u8] {
        if place.start > place.end || place.end > self.len {
            return &[];
        }
        // SAFETY: The place lies in the memory.
        let from = unsafe { self.pages.start().as_ptr().add(place.start) };
        // SAFETY: It is valid for that length and initialised; the caller promises that nobody writes there.
        unsafe { core::slice::from_raw_parts(from, place.len()) }
    }

    /// The address of a 64-bit word, for atomic access only; the offset is a small constant.
    pub(crate) fn word(&self, offset: usize) -> *mut u64 {
        self.pages.start().as_ptr().wrapping_add(offset).cast()
    }

    /// The address of a byte, for mapping the pages from there on.
    pub(crate) fn address(&self, offset: usize) -> *const c_void {
        // The result is only handed on; it points into the memory for every offset of a block.
        self.pages.start().as_ptr().wrapping_add(offset).cast()
    }
}
