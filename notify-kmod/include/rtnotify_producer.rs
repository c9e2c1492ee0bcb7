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
type CallFunction =
    unsafe extern "C" fn(*mut c_void, u64, u16, u64, *const c_void, usize, usize) -> c_int;

#[repr(C)]
struct RawOps {
    write: Option<WriteFunction>,
    call: Option<CallFunction>,
    flags: u32,
    /// Not for Rust: what a process may be writing cannot be a slice. There is a copy instead.
    write_shared: Option<WriteFunction>,
    call_shared: Option<CallFunction>,
}

impl RawOps {
    const NONE: Self = Self {
        write: None,
        call: None,
        flags: 0,
        write_shared: None,
        call_shared: None,
    };
}

/// `struct rtnotify_reservation`.
#[repr(C)]
struct RawReservation {
    data: *mut c_void,
    source: *mut RawSource,
    to: *mut c_void,
    len: usize,
    value: u64,
    small: u64,
    place: u32,
    kind: u16,
    has_value: bool,
}

/// The payloads are a stream of bytes, whose division into events means nothing.
#[allow(dead_code)]
pub(crate) const STREAM: u32 = 1 << 2;

extern "C" {
    fn rtnotify_source_register_ops(
        name: *const c_char,
        max_payload: usize,
        ops: *const RawOps,
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
    fn rtnotify_post_wait(
        source: *mut RawSource,
        kind: u16,
        value: *const u64,
        data: *const c_void,
        len: usize,
        time_ns: u64,
        timeout_ns: u64,
    ) -> c_int;
    fn rtnotify_reserve(
        source: *mut RawSource,
        kind: u16,
        value: *const u64,
        len: usize,
        reservation: *mut RawReservation,
    ) -> c_int;
    fn rtnotify_commit(reservation: *mut RawReservation, len: usize, time_ns: u64) -> c_int;
    fn rtnotify_cancel(reservation: *mut RawReservation);
    fn rtnotify_complete(
        source: *mut RawSource,
        token: u64,
        data: *const c_void,
        len: usize,
    ) -> c_int;
    fn rtnotify_complete_error(source: *mut RawSource, token: u64, error: c_int) -> c_int;
    fn rtnotify_complete_all(source: *mut RawSource, data: *const c_void, len: usize);
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

/// Names a call to [`Source::complete`]; never 0, and never used again for the same source.
#[allow(dead_code)]
pub(crate) type Token = u64;

/// Takes what processes call a source for.
#[allow(dead_code)]
pub(crate) trait Callee: Sync {
    /// A process called with `message` and has room for an answer of `room` bytes; it sleeps until
    /// [`Source::complete`]. Process context; calls of this and of [`Writer::write`] for one source do not
    /// overlap, so it must not wait for the answer.
    ///
    /// # Errors
    ///
    /// The caller gets it; `EAGAIN` if there is no room for the request now.
    fn call(&self, token: Token, kind: u16, value: u64, message: &[u8], room: usize) -> Result;
}

/// A source; dropping it unregisters it, which waits for a running [`Writer::write`] or [`Callee::call`].
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
        // SAFETY: `name` is a C string; without functions the context is not used.
        unsafe { Self::register(name, max_payload, &RawOps::NONE, core::ptr::null_mut()) }
    }

    /// Registers a source that takes no writes and posts a stream of bytes.
    ///
    /// # Errors
    ///
    /// As for [`Source::new`].
    #[allow(dead_code)]
    pub(crate) fn new_stream(name: &CStr, max_payload: usize) -> Result<Self> {
        let ops = RawOps {
            flags: STREAM,
            ..RawOps::NONE
        };
        // SAFETY: `name` is a C string; without functions the context is not used.
        unsafe { Self::register(name, max_payload, &ops, core::ptr::null_mut()) }
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
        let ops = RawOps {
            write: Some(write_trampoline::<W>),
            ..RawOps::NONE
        };
        // SAFETY: `name` is a C string; the caller keeps `writer` valid for `write_trampoline::<W>`.
        unsafe { Self::register(name, max_payload, &ops, writer.cast_mut().cast()) }
    }

    /// Registers a source whose writes and calls go to `server`.
    ///
    /// # Safety
    ///
    /// `server` must stay valid until the source is dropped.
    ///
    /// # Errors
    ///
    /// As for [`Source::new`].
    #[allow(dead_code)]
    pub(crate) unsafe fn with_server<S: Writer + Callee>(
        name: &CStr,
        max_payload: usize,
        server: *const S,
    ) -> Result<Self> {
        let ops = RawOps {
            write: Some(write_trampoline::<S>),
            call: Some(call_trampoline::<S>),
            ..RawOps::NONE
        };
        // SAFETY: `name` is a C string; the caller keeps `server` valid for both trampolines.
        unsafe { Self::register(name, max_payload, &ops, server.cast_mut().cast()) }
    }

    /// # Safety
    ///
    /// The functions of `ops` may be called with `context` until the source is dropped.
    unsafe fn register(
        name: &CStr,
        max_payload: usize,
        ops: &RawOps,
        context: *mut c_void,
    ) -> Result<Self> {
        // SAFETY: `name` is a C string, `ops` is copied; the rest is the caller's promise.
        let raw = from_err_ptr(unsafe {
            rtnotify_source_register_ops(name.as_char_ptr(), max_payload, ops, context)
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

    /// Posts an event whose payload of at most `len` bytes, not 0, `fill` writes to where the first subscriber
    /// reads it, latched now; `fill` returns how many bytes it has written, and must not sleep. It is given nothing
    /// if nobody has room or needs the payload. Any context but NMI. Returns how many subscribers refused it.
    ///
    /// What `fill` does not write is what lay there before, which the subscriber may have seen already.
    ///
    /// # Errors
    ///
    /// What `fill` returns, and nothing is posted; as for [`Source::post`]; `EBUSY`: too many are being written.
    #[allow(dead_code)]
    pub(crate) fn post_with(
        &self,
        kind: u16,
        value: Option<u64>,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize>,
    ) -> Result<u32> {
        let value = value
            .as_ref()
            .map_or(core::ptr::null(), core::ptr::from_ref);
        let mut raw = core::mem::MaybeUninit::<RawReservation>::uninit();
        // SAFETY: `raw` is registered by the invariant; `value` and the reservation are valid for the call.
        kernel::error::to_result(unsafe {
            rtnotify_reserve(self.raw.as_ptr(), kind, value, len, raw.as_mut_ptr())
        })?;
        let raw = raw.as_mut_ptr();
        // SAFETY: It has just been initialised.
        let data = unsafe { (*raw).data };
        let filled = if data.is_null() {
            fill(&mut [])
        } else {
            // SAFETY: That many initialised bytes are reserved for this caller alone.
            fill(unsafe { core::slice::from_raw_parts_mut(data.cast(), len) })
        };
        let ret = match filled {
            // SAFETY: The reservation is in force; it ends here.
            Ok(used) => unsafe { rtnotify_commit(raw, used.min(len), 0) },
            Err(e) => {
                // SAFETY: As above.
                unsafe { rtnotify_cancel(raw) };
                return Err(e);
            }
        };
        u32::try_from(ret).map_err(|_| Error::from_errno(ret))
    }

    /// Posts an event when every subscriber that asked to be waited for has room; waits for `timeout_ns` at
    /// most, 0: without end. Process context. Returns how many of the other subscribers refused it.
    ///
    /// # Errors
    ///
    /// As for [`Source::post`]; `EAGAIN`: no room in time; `ERESTARTSYS`: a signal came. Nobody has got it then.
    #[allow(dead_code)]
    pub(crate) fn post_wait(
        &self,
        kind: u16,
        value: Option<u64>,
        data: &[u8],
        timeout_ns: u64,
    ) -> Result<u32> {
        let value = value
            .as_ref()
            .map_or(core::ptr::null(), core::ptr::from_ref);
        // SAFETY: `raw` is registered by the invariant; `value` and `data` are valid for the call.
        let ret = unsafe {
            rtnotify_post_wait(
                self.raw.as_ptr(),
                kind,
                value,
                data.as_ptr().cast(),
                data.len(),
                0,
                timeout_ns,
            )
        };
        u32::try_from(ret).map_err(|_| Error::from_errno(ret))
    }

    /// Answers the call `token`. Any context but NMI.
    ///
    /// # Errors
    ///
    /// `ESTALE`: the caller has given up, or has been answered. `EMSGSIZE`: longer than the caller has room
    /// for, who gets it too. Neither needs anything done.
    #[allow(dead_code)]
    pub(crate) fn complete(&self, token: Token, answer: Result<&[u8]>) -> Result {
        let raw = self.raw.as_ptr();
        let ret = match answer {
            // SAFETY: `raw` is registered by the invariant; the answer is valid for the call.
            Ok(answer) => unsafe {
                rtnotify_complete(raw, token, answer.as_ptr().cast(), answer.len())
            },
            // SAFETY: `raw` is registered by the invariant.
            Err(e) => unsafe { rtnotify_complete_error(raw, token, e.to_errno()) },
        };
        kernel::error::to_result(ret)
    }

    /// Answers every call that waits. Any context but NMI.
    #[allow(dead_code)]
    pub(crate) fn complete_all(&self, answer: &[u8]) {
        // SAFETY: `raw` is registered by the invariant; the answer is valid for the call.
        unsafe {
            rtnotify_complete_all(self.raw.as_ptr(), answer.as_ptr().cast(), answer.len());
        }
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

/// # Safety
///
/// As for [`write_trampoline`].
#[allow(dead_code)]
unsafe extern "C" fn call_trampoline<C: Callee>(
    context: *mut c_void,
    token: Token,
    kind: u16,
    value: u64,
    data: *const c_void,
    len: usize,
    room: usize,
) -> c_int {
    // SAFETY: Promised by the caller.
    let (callee, message) = unsafe {
        (
            &*context.cast::<C>(),
            core::slice::from_raw_parts(data.cast::<u8>(), len),
        )
    };
    match callee.call(token, kind, value, message, room) {
        Ok(()) => 0,
        Err(e) => e.to_errno(),
    }
}
