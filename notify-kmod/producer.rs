// SPDX-License-Identifier: GPL-2.0

//! The producer interface: what other kernel modules call. `include/rtnotify_producer.h` is its
//! documentation; `exports.c` exports the symbols, which call the functions here.

use super::{
    abi, call,
    machine::Outline,
    posting::Reservation,
    source::{self, Description, Driver, Ops, Source},
};
use core::ptr::NonNull;
use kernel::{
    error::from_result,
    ffi::{c_char, c_int, c_void},
    prelude::*,
    str::CStr,
    sync::Arc,
    types::ForeignOwnable,
};

/// # Safety
///
/// `name` is a C string; the functions of `ops` may be called with `context` from process context until the source
/// is unregistered; `out` is valid for writing.
#[no_mangle]
unsafe extern "C" fn rtnotify_rs_source_register(
    name: *const c_char,
    max_payload: usize,
    ops: *const Ops,
    context: *mut c_void,
    out: *mut *mut c_void,
) -> c_int {
    from_result(|| {
        // SAFETY: Promised by the caller.
        let name = unsafe { CStr::from_char_ptr(name) }.to_bytes();
        let mut padded = [0; abi::NAME_LEN];
        padded
            .get_mut(..name.len())
            .ok_or(EINVAL)?
            .copy_from_slice(name);
        // SAFETY: Promised by the caller.
        let ops = unsafe { *ops };
        if ops.flags & !abi::SOURCE_STREAM != 0 {
            return Err(EINVAL);
        }
        let source = Source::register(Description {
            name: padded,
            source_type: abi::SOURCE_DRIVER,
            max_payload,
            period_ns: 0,
            flags: ops.flags,
            driver: (ops.takes_writes() || ops.takes_calls()).then_some(Driver { ops, context }),
        })?;
        // SAFETY: Promised by the caller.
        unsafe { *out = source.into_foreign() };
        Ok(0)
    })
}

/// # Safety
///
/// `source` comes from `rtnotify_rs_source_register` and is not used again.
#[no_mangle]
unsafe extern "C" fn rtnotify_rs_source_unregister(source: *mut c_void) {
    // SAFETY: Promised by the caller.
    let source: Arc<Source> = unsafe { Arc::from_foreign(source) };
    source.unregister();
}

/// The bytes that a producer gives.
///
/// # Safety
///
/// `data` points to `len` bytes that are readable as long as the result is used.
unsafe fn bytes<'a>(data: *const c_void, len: usize) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: Promised by the caller.
    unsafe { core::slice::from_raw_parts(data.cast(), len) }
}

/// # Safety
///
/// `source` is registered; `data` points to `len` readable bytes; `value` is null or points to a number.
#[no_mangle]
unsafe extern "C" fn rtnotify_rs_post(
    source: *mut c_void,
    kind: u16,
    value: *const u64,
    data: *const c_void,
    len: usize,
    time_ns: u64,
) -> c_int {
    // SAFETY: Promised by the caller.
    let source = unsafe { <Arc<Source>>::borrow(source) };
    // SAFETY: Promised by the caller.
    let payload = unsafe { bytes(data, len) };
    // SAFETY: Promised by the caller.
    let value = unsafe { value.as_ref() }.copied();
    let time_ns = if time_ns == 0 { source::now() } else { time_ns };
    from_result(|| {
        let refused = source.post(kind, value, payload, time_ns)?;
        Ok(refused as c_int)
    })
}

/// What a driver said of an event when it reserved room for it.
///
/// # Safety
///
/// `value` is null or points to a number.
unsafe fn outline(kind: u16, value: *const u64, len: usize) -> Outline {
    Outline {
        kind,
        // SAFETY: Promised by the caller.
        value: unsafe { value.as_ref() }.copied(),
        len,
    }
}

/// # Safety
///
/// `source` is registered; `value` is null or points to a number; `small`, `out` and `place` are valid for writing,
/// `small` until the reservation ends.
#[no_mangle]
unsafe extern "C" fn rtnotify_rs_reserve(
    source: *mut c_void,
    kind: u16,
    value: *const u64,
    len: usize,
    small: *mut u64,
    out: *mut *mut c_void,
    place: *mut u32,
) -> c_int {
    // SAFETY: Promised by the caller.
    let source = unsafe { <Arc<Source>>::borrow(source) };
    // SAFETY: Promised by the caller.
    let outline = unsafe { outline(kind, value, len) };
    from_result(|| {
        let reservation = source.reserve(outline)?;
        let to = if outline.is_inline() {
            small.cast()
        } else {
            reservation
                .to()
                .map_or(core::ptr::null_mut(), |to| to.as_ptr().cast())
        };
        // SAFETY: Promised by the caller.
        unsafe { *place = reservation.place() };
        // SAFETY: Promised by the caller.
        unsafe { *out = to };
        Ok(0)
    })
}

/// # Safety
///
/// `source` is registered, and all but `used` is what `rtnotify_rs_reserve` has been given and has returned;
/// `time_ns` is 0 for now.
#[no_mangle]
unsafe extern "C" fn rtnotify_rs_commit(
    source: *mut c_void,
    place: u32,
    kind: u16,
    value: *const u64,
    to: *mut c_void,
    len: usize,
    used: usize,
    time_ns: u64,
) -> c_int {
    // SAFETY: Promised by the caller.
    let source = unsafe { <Arc<Source>>::borrow(source) };
    // SAFETY: Promised by the caller.
    let outline = unsafe { outline(kind, value, len) };
    let time_ns = if time_ns == 0 { source::now() } else { time_ns };
    from_result(|| {
        let reservation = Reservation::named(place, outline, NonNull::new(to.cast()))?;
        // SAFETY: Promised by the caller.
        let refused = unsafe { source.commit(reservation, used, time_ns) }?;
        Ok(refused as c_int)
    })
}

/// # Safety
///
/// As for `rtnotify_rs_commit`.
#[no_mangle]
unsafe extern "C" fn rtnotify_rs_cancel(source: *mut c_void, place: u32) {
    // SAFETY: Promised by the caller.
    let source = unsafe { <Arc<Source>>::borrow(source) };
    // What was to be posted does not matter any more.
    // SAFETY: There is no value.
    let outline = unsafe { outline(0, core::ptr::null(), 0) };
    if let Ok(reservation) = Reservation::named(place, outline, None) {
        source.cancel(reservation);
    }
}

/// # Safety
///
/// As for `rtnotify_rs_post`, in process context.
#[no_mangle]
unsafe extern "C" fn rtnotify_rs_post_wait(
    source: *mut c_void,
    kind: u16,
    value: *const u64,
    data: *const c_void,
    len: usize,
    time_ns: u64,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: Promised by the caller.
    let source = unsafe { <Arc<Source>>::borrow(source) };
    // SAFETY: Promised by the caller.
    let payload = unsafe { bytes(data, len) };
    // SAFETY: Promised by the caller.
    let value = unsafe { value.as_ref() }.copied();
    let time_ns = (time_ns != 0).then_some(time_ns);
    from_result(|| {
        let deadline = call::deadline(timeout_ns);
        let refused = source.post_wait(kind, value, payload, time_ns, deadline)?;
        Ok(refused as c_int)
    })
}

/// # Safety
///
/// `source` is registered; `data` points to `len` readable bytes.
#[no_mangle]
unsafe extern "C" fn rtnotify_rs_complete(
    source: *mut c_void,
    token: u64,
    error: c_int,
    data: *const c_void,
    len: usize,
) -> c_int {
    // SAFETY: Promised by the caller.
    let source = unsafe { <Arc<Source>>::borrow(source) };
    // SAFETY: Promised by the caller.
    let answer = unsafe { bytes(data, len) };
    from_result(|| {
        source.complete(token, kernel::error::to_result(error).map(|()| answer))?;
        Ok(0)
    })
}

/// # Safety
///
/// `source` is registered; `data` points to `len` readable bytes.
#[no_mangle]
unsafe extern "C" fn rtnotify_rs_complete_all(
    source: *mut c_void,
    data: *const c_void,
    len: usize,
) {
    // SAFETY: Promised by the caller.
    let source = unsafe { <Arc<Source>>::borrow(source) };
    // SAFETY: Promised by the caller.
    source.complete_all(unsafe { bytes(data, len) });
}
