// SPDX-License-Identifier: MIT OR Apache-2.0

//! The signal handler, and what else needs `unsafe`: locks, thread state, system calls.
//!
//! Nothing here allocates, prints, or takes a lock that an interrupted thread may hold. The handler's rule is
//! that of an interrupt on one processor: whoever is inside the kernel lock has interrupts deferred
//! ([`local::Local::critical`]), so a handler that finds its thread there leaves at once, and one that does not
//! can take the lock and never finds its own thread holding it. Other threads hold it for bounded times, and
//! waiting for them is a system call, which a handler may make. The processor's floating-point state is saved
//! and restored by the kernel around every handler (`signal(7)`, `arch/x86/kernel/fpu/signal.c`); `errno` is by
//! [`signal`].

pub(crate) mod futex;
pub(crate) mod interpose;
pub(crate) mod local;
pub(crate) mod lock;
pub(crate) mod relay;
pub(crate) mod routine;
pub(crate) mod signal;
pub(crate) mod thread;
pub(crate) mod trace;
