// SPDX-License-Identifier: GPL-2.0

//! rtnotify for kernel drivers in Rust.
//!
//! Mount this file with `#[path = "…/rtnotify_producer.rs"] mod rtnotify_producer;`: a module cannot use a
//! crate of another one. `rtnotify_producer.h` documents the same interface for C.

use core::ptr::NonNull;
use kernel::{
    error::from_err_ptr,
    ffi::{c_char, c_int, c_void},
    prelude::*,
    str::CStr,
};

#[repr(C)]
struct RawSource {
    _opaque: [u8; 0],
}

type WriteFunction = unsafe extern "C" fn(*mut c_void, u16, u64, *const c_void, usize) -> c_int;

extern "C" {
    fn rtnotify_source_register(
        name: *const c_char,
        max_payload: usize,
        write: Option<WriteFunction>,
        context: *mut c_void,
    ) -> *mut RawSource;
    fn rtnotify_source_unregister(source: *mut RawSource);
    fn rtnotify_post(
        source: *mut RawSource,
        kind: u16,
        value: *const u64,
        data: *const c_void,
        len: usize,
    ) -> c_int;
}

/// Takes what processes write to a source.
pub(crate) trait Writer: Sync {
    /// A process wrote `message`. Process context; calls for one source do not overlap.
    ///
    /// # Errors
    ///
    /// The writer gets it; `EAGAIN` if there is no room now.
    fn write(&self, kind: u16, value: u64, message: &[u8]) -> Result;
}

/// A source; dropping it unregisters it, which waits for a running [`Writer::write`].
///
/// # Invariants
///
/// `raw` is registered until `drop`.
pub(crate) struct Source {
    raw: NonNull<RawSource>,
}

// SAFETY: The interface may be called from any thread.
unsafe impl Send for Source {}
// SAFETY: As above, and concurrently: posting takes the source's lock.
unsafe impl Sync for Source {}

impl Source {
    /// Registers a source that takes no writes.
    ///
    /// # Errors
    ///
    /// `EINVAL`, `EEXIST` (the name is taken), `ENOSPC`, `ENOMEM`.
    #[allow(dead_code)]
    pub(crate) fn new(name: &CStr, max_payload: usize) -> Result<Self> {
        // SAFETY: `name` is a C string; without a write function the context is not used.
        unsafe { Self::register(name, max_payload, None, core::ptr::null_mut()) }
    }

    /// Registers a source whose writes go to `writer`.
    ///
    /// # Safety
    ///
    /// `writer` must stay valid until the source is dropped.
    ///
    /// # Errors
    ///
    /// As for [`Source::new`].
    #[allow(dead_code)]
    pub(crate) unsafe fn with_writer<W: Writer>(
        name: &CStr,
        max_payload: usize,
        writer: *const W,
    ) -> Result<Self> {
        // SAFETY: `name` is a C string; the caller keeps `writer` valid for `write_trampoline::<W>`.
        unsafe {
            Self::register(
                name,
                max_payload,
                Some(write_trampoline::<W>),
                writer.cast_mut().cast(),
            )
        }
    }

    /// # Safety
    ///
    /// `write` may be called with `context` until the source is dropped.
    unsafe fn register(
        name: &CStr,
        max_payload: usize,
        write: Option<WriteFunction>,
        context: *mut c_void,
    ) -> Result<Self> {
        // SAFETY: `name` is a C string; the rest is the caller's promise.
        let raw = from_err_ptr(unsafe {
            rtnotify_source_register(name.as_char_ptr(), max_payload, write, context)
        })?;
        // INVARIANT: It was just registered.
        Ok(Self {
            raw: NonNull::new(raw).ok_or(ENOMEM)?,
        })
    }

    /// Posts an event, latched now. Any context but NMI. Returns how many subscribers refused it.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE`: longer than announced. `EINVAL`: reserved kind.
    pub(crate) fn post(&self, kind: u16, value: Option<u64>, data: &[u8]) -> Result<u32> {
        let value = value
            .as_ref()
            .map_or(core::ptr::null(), core::ptr::from_ref);
        // SAFETY: `raw` is registered by the invariant; `value` and `data` are valid for the call.
        let ret = unsafe {
            rtnotify_post(
                self.raw.as_ptr(),
                kind,
                value,
                data.as_ptr().cast(),
                data.len(),
            )
        };
        u32::try_from(ret).map_err(|_| Error::from_errno(ret))
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // SAFETY: `raw` is registered by the invariant and not used after this.
        unsafe { rtnotify_source_unregister(self.raw.as_ptr()) };
    }
}

/// # Safety
///
/// `context` is a valid `W`; `data` points to `len` readable bytes.
unsafe extern "C" fn write_trampoline<W: Writer>(
    context: *mut c_void,
    kind: u16,
    value: u64,
    data: *const c_void,
    len: usize,
) -> c_int {
    // SAFETY: Promised by the caller.
    let (writer, message) = unsafe {
        (
            &*context.cast::<W>(),
            core::slice::from_raw_parts(data.cast::<u8>(), len),
        )
    };
    match writer.write(kind, value, message) {
        Ok(()) => 0,
        Err(e) => e.to_errno(),
    }
}
