// SPDX-License-Identifier: MIT OR Apache-2.0

//! Service routines: a C function with an argument, or a closure behind one.

use std::ffi::c_void;

use super::local;
use crate::event::Event;

/// A service routine as C has it.
pub(crate) type Entry = extern "C" fn(*mut c_void);

/// What a vector calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Routine {
    pub(crate) entry: Entry,
    pub(crate) argument: *mut c_void,
}

// SAFETY: the argument is only handed back to its owner's routine, who is told on which threads that runs.
unsafe impl Send for Routine {}

impl Routine {
    /// Calls it. Whoever connected it vouches for entry and argument.
    ///
    /// `errno` afterwards is what it was: a task that unlocks or raises does not expect it to change, either.
    pub(crate) fn call(self) {
        super::signal::keeping_errno(|| (self.entry)(self.argument));
    }
}

/// The allocation behind a routine that calls a closure.
pub(crate) trait Owned: Send {}

impl<F: Send> Owned for F {}

/// A routine that calls `closure` with the current event, and the closure's owner, which must be kept until the
/// routine is not called any more.
pub(crate) fn of_closure<F>(closure: F) -> (Routine, Box<dyn Owned>)
where
    F: Fn(&Event<'_>) + Send + Sync + 'static,
{
    extern "C" fn entry<F: Fn(&Event<'_>)>(argument: *mut c_void) {
        // SAFETY: `of_closure` made the argument from a box of F, whose owner keeps it until after the last call.
        let closure = unsafe { &*argument.cast::<F>() };
        local::current(|frame| {
            if let Some(frame) = frame {
                closure(&frame.event());
            }
        });
    }
    let closure = Box::new(closure);
    let argument = std::ptr::from_ref::<F>(&closure).cast_mut().cast();
    (
        Routine {
            entry: entry::<F>,
            argument,
        },
        closure,
    )
}
