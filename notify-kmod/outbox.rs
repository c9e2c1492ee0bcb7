// SPDX-License-Identifier: GPL-2.0

//! The outbox of an open file: memory that a process writes, and from which drivers take what it sends by
//! reference.
//!
//! It stays mapped, so the process can change it at any time, while it is being read as well. So nothing here makes a
//! reference to it: it is handed on as an address, or copied once by C and then looked at. Whoever gets the address
//! has been told (`rtnotify_producer.h`).

use super::{
    abi,
    arena::{Arena, PAGE},
    ffi,
    limits::{Charge, Resource},
    memory::Memory,
};
use core::ptr::NonNull;
use kernel::{ffi::c_void, prelude::*, sync::Arc};

/// File offset of the outbox: below every handle, above every ring.
pub(crate) const OFFSET: u64 = 64 * PAGE as u64;

/// The outbox of a file.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Arena>);

impl Outbox {
    /// `len` zero bytes, in whole pages.
    ///
    /// # Errors
    ///
    /// `EINVAL`: no bytes, or too many. `EDQUOT`, `ENOMEM`.
    pub(crate) fn new(len: u64) -> Result<Self> {
        if !(1..=abi::MAX_OUTBOX).contains(&len) {
            return Err(EINVAL);
        }
        let len = (len as usize).next_multiple_of(PAGE);
        let charge = Charge::new(Resource::Bytes, len as u64)?;
        Ok(Self(Arc::new(
            Arena::new(len, charge)?,
            GFP_KERNEL_ACCOUNT,
        )?))
    }

    /// The memory, for mapping it.
    pub(crate) fn memory(&self) -> &Arc<Arena> {
        &self.0
    }

    /// `len` bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// `EINVAL`: they are not all in the outbox.
    pub(crate) fn part(&self, offset: u64, len: usize) -> Result<Part<'_>> {
        let start = usize::try_from(offset).map_err(|_| EINVAL)?;
        let end = start.checked_add(len).ok_or(EINVAL)?;
        let start = self.0.start_of(start..end).ok_or(EINVAL)?;
        Ok(Part {
            start,
            len,
            _outbox: self,
        })
    }
}

/// Part of an outbox, which lives at least as long.
///
/// # Invariants
///
/// `start` points to `len` bytes of the outbox.
pub(crate) struct Part<'a> {
    start: NonNull<u8>,
    len: usize,
    _outbox: &'a Outbox,
}

impl Part<'_> {
    /// How many bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The first of them. What lies there may change while it is read.
    pub(crate) fn start(&self) -> *const c_void {
        self.start.as_ptr().cast_const().cast()
    }

    /// Copies them to `to`.
    ///
    /// # Safety
    ///
    /// `to` is valid for as many bytes, which nobody else looks at.
    pub(crate) unsafe fn copy_to(&self, to: *mut u8) {
        // SAFETY: By the invariant and the caller's promise; C bears with what the process does meanwhile.
        unsafe { ffi::rtnotify_copy_shared(to.cast(), self.start(), self.len) }
    }

    /// A copy that the process cannot change.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn copied(&self) -> Result<Memory<u8>> {
        let mut copy = Memory::with_capacity(self.len, GFP_KERNEL_ACCOUNT)?;
        copy.resize(self.len, 0, GFP_KERNEL_ACCOUNT)?;
        // SAFETY: The copy is ours and as long.
        unsafe { self.copy_to(copy.as_mut_ptr()) };
        Ok(copy)
    }

    /// Puts `bytes` there, at most as many as there are.
    pub(crate) fn put(&self, bytes: &[u8]) {
        let len = bytes.len().min(self.len);
        // SAFETY: By the invariant there is room; C bears with a process that looks or writes meanwhile.
        unsafe {
            ffi::rtnotify_copy_shared(self.start.as_ptr().cast(), bytes.as_ptr().cast(), len);
        }
    }
}
