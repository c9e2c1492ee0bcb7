// SPDX-License-Identifier: GPL-2.0

//! The producer interface: what other kernel modules call. `include/rtnotify_producer.h` is its
//! documentation; `exports.c` exports the symbols, which call the functions here.

use super::{
    abi,
    source::{self, Description, DriverWrite, Source},
};
use kernel::{
    error::from_result,
    ffi::{c_char, c_int, c_void},
    prelude::*,
    str::CStr,
    sync::Arc,
    types::ForeignOwnable,
};

type WriteFunction = unsafe extern "C" fn(*mut c_void, u16, u64, *const c_void, usize) -> c_int;

/// # Safety
///
/// `name` is a C string; `write`, if given, may be called with `context` from process context until the
/// source is unregistered; `out` is valid for writing.
#[no_mangle]
unsafe extern "C" fn rtnotify_rs_source_register(
    name: *const c_char,
    max_payload: usize,
    write: Option<WriteFunction>,
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
        let source = Source::register(Description {
            name: padded,
            source_type: abi::SOURCE_DRIVER,
            max_payload,
            period_ns: 0,
            driver: write.map(|function| DriverWrite { function, context }),
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
    let payload: &[u8] = if len == 0 {
        &[]
    } else {
        // SAFETY: Promised by the caller.
        unsafe { core::slice::from_raw_parts(data.cast(), len) }
    };
    // SAFETY: Promised by the caller.
    let value = unsafe { value.as_ref() }.copied();
    let time_ns = if time_ns == 0 { source::now() } else { time_ns };
    from_result(|| {
        let refused = source.post(kind, value, payload, time_ns)?;
        Ok(refused as c_int)
    })
}
