// SPDX-License-Identifier: MIT OR Apache-2.0

//! From a signal handler to a thread, in two words.
//!
//! A handler cannot allocate, wait or lock, so whatever it hands over through has an end, and what is handed over
//! faster than it is taken does not fit. Here that costs nothing: the queue in the device is the truth. One
//! doorbell is handed over with its handle; when there are more, all that is left of them is "look", and the
//! thread drains the device. So nothing can be lost, and the order is that of the device.
//!
//! The thread sleeps on the second word. Both words are generic, so that the model in `handover/model.rs` can try
//! every interleaving of this very code.

#[cfg(test)]
mod model;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sys::handler::Futex;

/// A doorbell that names no event, or several. No handle looks like this: their highest bit is clear.
pub(crate) const LOOK: u64 = u64::MAX;
/// There is no doorbell. No handle is 0.
const NONE: u64 = 0;

/// The thread is awake and has seen everything.
const SEEN: u32 = 0;
/// Something has been handed over since it looked.
const NEWS: u32 = 1;
/// It sleeps, or is about to.
const ASLEEP: u32 = 2;

/// An atomic word.
pub(crate) trait Word {
    fn new(value: u64) -> Self;
    fn compare_exchange(&self, current: u64, new: u64, ok: Ordering, failed: Ordering) -> bool;
    fn swap(&self, value: u64, order: Ordering) -> u64;
}

/// An atomic word to sleep on.
pub(crate) trait Parking {
    fn new(value: u32) -> Self;
    fn load(&self, order: Ordering) -> u32;
    fn compare_exchange(&self, current: u32, new: u32, ok: Ordering, failed: Ordering) -> bool;
    fn swap(&self, value: u32, order: Ordering) -> u32;
    /// Sleeps unless the word is another than `expected`; may wake for no reason. False: the time is up.
    fn sleep(&self, expected: u32, timeout: Option<Duration>) -> bool;
    /// Wakes the thread that sleeps.
    fn wake(&self);
}

/// Where handlers, on any thread, leave doorbells for one thread.
pub(crate) struct HandOver<W = AtomicU64, P = Futex> {
    doorbell: W,
    state: P,
}

impl<W, P> fmt::Debug for HandOver<W, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandOver").finish_non_exhaustive()
    }
}

impl<W: Word, P: Parking> HandOver<W, P> {
    pub(crate) fn new() -> Self {
        Self {
            doorbell: W::new(NONE),
            state: P::new(SEEN),
        }
    }

    /// Leaves a doorbell: the handle that it came with, or [`LOOK`]. Async-signal-safe.
    pub(crate) fn ring(&self, handle: u64) {
        // A forged doorbell may come with anything.
        let handle = if handle == NONE { LOOK } else { handle };
        let only =
            self.doorbell
                .compare_exchange(NONE, handle, Ordering::Release, Ordering::Relaxed);
        if !only {
            // Whatever is there, or has been taken meanwhile: looking finds both.
            self.doorbell.swap(LOOK, Ordering::Release);
        }
        // Who says that there is news says it after the doorbell, and who sees it takes the doorbell after it.
        if self.state.swap(NEWS, Ordering::AcqRel) == ASLEEP {
            self.state.wake();
        }
    }

    /// Waits for a doorbell and takes it. `None`: the time is up, or it was for nothing.
    ///
    /// Only one thread may wait.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Option<u64> {
        let deadline = timeout.and_then(|t| Instant::now().checked_add(t));
        if self.state.swap(SEEN, Ordering::AcqRel) != NEWS
            && self
                .state
                .compare_exchange(SEEN, ASLEEP, Ordering::AcqRel, Ordering::Acquire)
        {
            while self.state.load(Ordering::Acquire) == ASLEEP {
                let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
                if !self.state.sleep(ASLEEP, left) {
                    break;
                }
            }
            self.state.swap(SEEN, Ordering::AcqRel);
        }
        match self.doorbell.swap(NONE, Ordering::Acquire) {
            NONE => None,
            doorbell => Some(doorbell),
        }
    }
}
