// SPDX-License-Identifier: GPL-2.0

//! A spin lock that can be taken from hard-interrupt context.
//!
//! Lock order in this module, outermost first: a client's reader mutex; a source's writer mutex; the table of
//! clients; a client's sources; the registry mutex; the table of users; a source's state; a client's state;
//! then, outside this module, wait queue and siglock. The last two of ours are [`IrqLock`]s, and so is a source's
//! table of calls, which is taken with none of the others.

use super::ffi;
use kernel::{
    bindings,
    ffi::{c_char, c_ulong},
    sync::lock::{Backend, Lock},
};

/// Lock backend: `spin_lock_irqsave`.
pub(crate) struct IrqSpin;

/// A spin lock that disables interrupts of this CPU while held.
pub(crate) type IrqLock<T> = Lock<T, IrqSpin>;

// SAFETY: A `spinlock_t` excludes every other holder, and no interrupt handler of this CPU can run meanwhile.
// `relock` is the default, which takes the lock again.
unsafe impl Backend for IrqSpin {
    type State = bindings::spinlock_t;
    type GuardState = c_ulong;

    unsafe fn init(ptr: *mut Self::State, name: *const c_char, key: *mut bindings::lock_class_key) {
        // SAFETY: The caller promises a valid `ptr` and that `name` and `key` live on.
        unsafe { bindings::__spin_lock_init(ptr, name, key) }
    }

    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
        // SAFETY: The caller promises that the lock is initialised.
        unsafe { ffi::rtnotify_lock(ptr) }
    }

    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
        let mut flags = 0;
        // SAFETY: The caller promises that the lock is initialised; `flags` is ours.
        unsafe { ffi::rtnotify_trylock(ptr, &mut flags) }.then_some(flags)
    }

    unsafe fn unlock(ptr: *mut Self::State, flags: &Self::GuardState) {
        // SAFETY: The caller owns the lock; `flags` come from taking it.
        unsafe { ffi::rtnotify_unlock(ptr, *flags) }
    }

    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: The caller promises that the lock is initialised.
        unsafe { bindings::spin_assert_is_held(ptr) }
    }
}

/// Initialiser for an [`IrqLock`] with a lock class of its own.
macro_rules! new_irq_lock {
    ($inner:expr, $name:literal) => {
        kernel::sync::lock::Lock::<_, $crate::irq_lock::IrqSpin>::new(
            $inner,
            kernel::optional_name!($name),
            kernel::static_lock_class!(),
        )
    };
}
pub(crate) use new_irq_lock;
