// SPDX-License-Identifier: MIT OR Apache-2.0

//! What each thread knows about itself, without locks: read and written by the thread and by handlers that
//! interrupt it, each time as one machine word.
//!
//! All of it is constant-initialised and has no destructor, so the first access allocates nothing.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{Ordering, compiler_fence};

use crate::event::Frame;

/// A thread's own state.
///
/// # Invariants
///
/// `current` is null or points to a frame further up on this thread's stack, which stays there until the code
/// that set it has put back the old value.
pub(crate) struct Local {
    tid: Cell<i32>,
    /// Number of the controller that the rest is about; 0: none yet.
    pub(crate) core: Cell<u64>,
    /// The interrupt level.
    pub(crate) level: Cell<u32>,
    /// How many kernel locks the thread is in; handlers defer while there is one.
    pub(crate) critical: Cell<u32>,
    /// Service routines on this stack.
    pub(crate) depth: Cell<u32>,
    /// Place in the table of tasks, plus 1; 0: none.
    pub(crate) task: Cell<u32>,
    /// Depth, plus 1, of the loop that serves what is ready and is not inside a routine; see `Core::serve_ready`.
    pub(crate) looping: Cell<u32>,
    /// The checker is at work.
    pub(crate) checking: Cell<bool>,
    current: Cell<*const Frame>,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            tid: Cell::new(0),
            core: Cell::new(0),
            level: Cell::new(0),
            critical: Cell::new(0),
            depth: Cell::new(0),
            task: Cell::new(0),
            looping: Cell::new(0),
            checking: Cell::new(false),
            current: Cell::new(ptr::null()),
        }
    };
}

/// Looks at the calling thread's state.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&Local) -> R) -> R {
    LOCAL.with(f)
}

/// The calling thread's number.
#[inline]
pub(crate) fn tid() -> i32 {
    with(|l| match l.tid.get() {
        0 => {
            let tid = sigrt::sys::gettid();
            l.tid.set(tid);
            tid
        }
        tid => tid,
    })
}

/// Keeps the compiler from moving accesses across; the processor need not be told, since handlers run on the
/// same thread.
#[inline]
pub(crate) fn fence() {
    compiler_fence(Ordering::SeqCst);
}

/// Makes `frame` the current one while `run` runs.
pub(crate) fn with_frame<R>(frame: &Frame, run: impl FnOnce() -> R) -> R {
    let old = with(|l| l.current.replace(frame));
    let result = run();
    // INVARIANT: `frame` outlived `run`, and the old value is back before it goes.
    with(|l| l.current.set(old));
    result
}

/// Shows the frame of the event that this thread serves.
pub(crate) fn current<R>(look: impl FnOnce(Option<&Frame>) -> R) -> R {
    let frame = with(|l| l.current.get());
    // SAFETY: by the invariant it is null or a frame that lives at least until the calling code returns.
    look(unsafe { frame.as_ref() })
}
