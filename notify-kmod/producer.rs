// SPDX-License-Identifier: GPL-2.0

//! The producer interface: what other kernel modules call. `include/rtnotify_producer.h` is its
//! documentation; `exports.c` exports the symbols, which call the functions here.

use super::{
    abi, call,
    source::{self, CallFunction, Description, Driver, Source, WriteFunction},
};
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
/// `name` is a C string; `write` and `call`, if given, may be called with `context` from process context until
/// the source is unregistered; `out` is valid for writing.
#[no_mangle]
unsafe extern "C" fn rtnotify_rs_source_register(
    name: *const c_char,
    max_payload: usize,
    write: Option<WriteFunction>,
    call: Option<CallFunction>,
    flags: u32,
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
        if flags & !abi::SOURCE_STREAM != 0 {
            return Err(EINVAL);
        }
        let source = Source::register(Description {
            name: padded,
            source_type: abi::SOURCE_DRIVER,
            max_payload,
            period_ns: 0,
            flags,
            driver: (write.is_some() || call.is_some()).then_some(Driver {
                write,
                call,
                context,
            }),
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
