// SPDX-License-Identifier: MIT OR Apache-2.0

//! Locks that pass on priority and make no system call while nobody else wants them.
//!
//! Lock order, outermost first: the gate (one service routine at a time, thread mode), the kernel lock.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{futex, local};

/// A priority-inheriting mutual exclusion without data: 0, or the owner's thread number.
#[derive(Debug, Default)]
pub(crate) struct PiLock(AtomicU32);

impl PiLock {
    /// Waits for it. False, without taking it, where the caller has it already.
    pub(crate) fn lock(&self) -> bool {
        let me = local::tid() as u32;
        match self
            .0
            .compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed)
        {
            Ok(_) => true,
            Err(_) => futex::lock_pi(&self.0),
        }
    }

    /// Lets go of it; the caller has it.
    pub(crate) fn unlock(&self) {
        let me = local::tid() as u32;
        if self
            .0
            .compare_exchange(me, 0, Ordering::Release, Ordering::Relaxed)
            .is_err()
        {
            futex::unlock_pi(&self.0);
        }
    }

    /// Whether the calling thread has it.
    pub(crate) fn is_mine(&self) -> bool {
        self.0.load(Ordering::Relaxed) & libc::FUTEX_TID_MASK == local::tid() as u32
    }
}

/// Data that is used by one thread at a time, with service routines deferred on that thread.
#[derive(Debug, Default)]
pub(crate) struct KernelLock<T> {
    lock: PiLock,
    data: UnsafeCell<T>,
}

// SAFETY: the lock lets one thread at a time reach the data, and only through a guard.
unsafe impl<T: Send> Sync for KernelLock<T> {}

impl<T> KernelLock<T> {
    pub(crate) fn new(data: T) -> Self {
        Self {
            lock: PiLock::default(),
            data: UnsafeCell::new(data),
        }
    }

    /// Waits for the lock.
    ///
    /// While the guard lives, handlers on this thread defer. Whoever drops it looks whether one did: see
    /// `Core::leave`.
    pub(crate) fn enter(&self) -> Guard<'_, T> {
        local::with(|l| l.critical.set(l.critical.get() + 1));
        local::fence();
        if !self.lock.lock() {
            // Only a defect of the shim can lead here: going on would corrupt what the lock protects.
            std::process::abort();
        }
        Guard { of: self }
    }
}

/// See [`KernelLock::enter`].
#[derive(Debug)]
pub(crate) struct Guard<'a, T> {
    of: &'a KernelLock<T>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard exists, so this thread has the lock, and the guard is borrowed for as long.
        unsafe { &*self.of.data.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and mutably borrowed.
        unsafe { &mut *self.of.data.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.of.lock.unlock();
        local::fence();
        local::with(|l| l.critical.set(l.critical.get() - 1));
    }
}
