// SPDX-License-Identifier: MIT OR Apache-2.0

//! The C interface: `app_shim.h` says what each function does.
//!
//! Every function checks its pointers for null, writes outputs only on success, and lets no panic out. For all
//! that get pointers the caller must keep to C's rules: they are null or valid for what is named. Those that
//! service routines may call allocate nothing on any path on which they succeed.

mod controller;
mod pins;
mod services;
mod tasks;
mod types;
mod vectors;

use std::cell::RefCell;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::controller::Controller;
use crate::error::{Error, Failure, Result};
use crate::handler::signal;
use crate::sem::Timeout;

/// What functions return: 0, or an error's number.
type Code = i32;

/// The controller of the process; once made, it stays.
static CONTROLLER: AtomicPtr<Controller> = AtomicPtr::new(ptr::null_mut());

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

fn the_controller() -> Option<&'static Controller> {
    // SAFETY: null, or from `install`, which gives it away for good.
    unsafe { CONTROLLER.load(Ordering::Acquire).as_ref() }
}

fn controller() -> Result<&'static Controller> {
    the_controller().ok_or(Error::NotStarted)
}

fn install(controller: Controller) -> Result<&'static Controller> {
    let new = Box::into_raw(Box::new(controller));
    if CONTROLLER
        .compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire)
        .is_err()
    {
        // SAFETY: it came from a box and nobody else has seen it.
        drop(unsafe { Box::from_raw(new) });
        return Err(Error::Busy);
    }
    // SAFETY: it has just been made, and nobody frees it.
    Ok(unsafe { &*new })
}

/// Runs `body` and makes a code of its result; a panic becomes one, too.
fn guarded(body: impl FnOnce() -> Result<()>) -> Code {
    match guarded_or(Err(Error::Panic), body) {
        Ok(()) => 0,
        Err(error) => error.code(),
    }
}

/// The same for what returns something else; `otherwise` after a panic.
///
/// What the program has in `errno` is its own: results are codes, and systems whose calls these stand for leave it
/// alone when they succeed.
fn guarded_or<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    signal::keeping_errno(|| caught_or(otherwise, body))
}

/// The same for what leaves `errno` alone by itself, and is called so often that looking at it would show.
fn caught_or<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

/// Keeps a failure's text for `app_shim_last_error`.
fn tell(done: Result<(), Failure>) -> Result<()> {
    done.map_err(|failure| {
        LAST.with_borrow_mut(|last| last.clone_from(&failure.text));
        failure.error
    })
}

/// A pointer that something is written to.
fn output<T>(pointer: *mut T) -> Result<Output<T>> {
    if pointer.is_null() {
        Err(Error::Null)
    } else {
        Ok(Output(pointer))
    }
}

/// Not null, so by C's rules valid.
struct Output<T>(*mut T);

impl<T> Output<T> {
    fn put(self, value: T) {
        // SAFETY: not null, so the caller of the C interface says that it can be written.
        unsafe { self.0.write(value) };
    }

    fn put_if_wanted(pointer: *mut T, value: T) {
        if let Ok(output) = output(pointer) {
            output.put(value);
        }
    }
}

/// What a pointer points to.
fn input<T: Copy>(pointer: *const T) -> Result<T> {
    if pointer.is_null() {
        return Err(Error::Null);
    }
    // SAFETY: not null, so the caller of the C interface says that it can be read.
    Ok(unsafe { pointer.read() })
}

/// Bytes that are read; null is allowed where there are none.
fn bytes<'a>(start: *const u8, len: usize) -> Result<&'a [u8]> {
    if len == 0 {
        return Ok(&[]);
    }
    if start.is_null() {
        return Err(Error::Null);
    }
    // SAFETY: the caller of the C interface says that so many can be read, and leaves them alone during the call.
    Ok(unsafe { std::slice::from_raw_parts(start, len) })
}

/// Bytes that are written; null is allowed where there are none.
fn buffer<'a>(start: *mut u8, len: usize) -> Result<&'a mut [u8]> {
    if len == 0 {
        return Ok(&mut []);
    }
    if start.is_null() {
        return Err(Error::Null);
    }
    // SAFETY: the caller of the C interface says that so many can be written, and leaves them alone during the call.
    Ok(unsafe { std::slice::from_raw_parts_mut(start, len) })
}

/// A C string.
fn text<'a>(start: *const c_char) -> Result<&'a CStr> {
    if start.is_null() {
        return Err(Error::Null);
    }
    // SAFETY: the caller of the C interface says that it ends with a zero byte.
    Ok(unsafe { CStr::from_ptr(start) })
}

/// Copies text into a C buffer, cut to fit and ended by a zero byte.
fn put_text(text: &str, to: *mut c_char, size: usize) -> Result<()> {
    if size == 0 {
        return Err(Error::Invalid);
    }
    let to = buffer(to.cast(), size)?;
    let mut len = text.len().min(size - 1);
    while !text.is_char_boundary(len) {
        len -= 1;
    }
    let (text_place, rest) = to.split_at_mut(len);
    text_place.copy_from_slice(text.as_bytes().get(..len).unwrap_or_default());
    if let Some(end) = rest.first_mut() {
        *end = 0;
    }
    Ok(())
}

fn timeout(ns: i64) -> Timeout {
    match u64::try_from(ns) {
        Err(_) => Timeout::Forever,
        Ok(0) => Timeout::None,
        Ok(ns) => Timeout::Nanos(ns),
    }
}

/// The member of `all` with this number.
fn numbered<T: Copy>(all: &[T], number: u32) -> Result<T> {
    all.get(number as usize).copied().ok_or(Error::Invalid)
}
