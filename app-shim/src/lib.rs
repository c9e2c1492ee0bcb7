// SPDX-License-Identifier: MIT OR Apache-2.0

//! Runs the interrupt service routines of ported programs.
//!
//! # Goal
//!
//! A program was written for an RTOS or for bare metal: it connects interrupt service routines to vectors, locks
//! interrupts around what it shares with them, and waits for flags that they set. This crate lets such code run
//! unmodified: every interrupt is counted and served once, with the data, level and time that it had when it
//! happened, in the order of priorities, and, if asked, by really interrupting the program. C programs use
//! `include/app_shim.h`, facades of other systems are headers over that; Rust programs and tests use
//! [`Controller`].
//!
//! ```
//! use app_shim::{Config, Controller, Raise};
//! use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
//! use std::sync::Arc;
//!
//! let controller = Controller::new(Config {
//!     map: Some("loopback:uart vector 4 priority 5".to_owned()),
//!     ..Config::default()
//! })?;
//! let sum = Arc::new(AtomicU64::new(0));
//! let theirs = Arc::clone(&sum);
//! controller.connect(4, move |event| {
//!     theirs.fetch_add(event.payload[0].into(), Relaxed);
//! })?;
//! controller.start()?;
//!
//! let key = controller.int_lock();
//! controller.raise(&Raise::new(4).payload(&[1]))?; // the program's own
//! assert_eq!(sum.load(Relaxed), 0, "it waits for the unlocking");
//! controller.int_unlock(key);
//! assert_eq!(sum.load(Relaxed), 1);
//!
//! controller.loopback().source("uart")?.post(None, &[2])?; // a source's
//! while sum.load(Relaxed) < 3 {}
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Anatomy
//!
//! - **Vectors**, 256 of them, each with a routine, a priority (1 to 63) and a queue of events. What finds no room
//!   is missed, and the vector's next event says how many were. A disabled vector keeps what waits.
//! - **The level**: vectors of this priority and below wait. Locking interrupts sets it to 63. A routine starts at
//!   its own priority ([`Config::mask_all`]: at 63) and may set it lower; it is put back when the routine returns.
//! - **Service**: the highest priority first, then the oldest event. Whoever lowers a level serves what has become
//!   possible before going on.
//! - **One CPU**: tasks are threads, one of which at a time has the CPU. A task gives it away in calls that wait,
//!   and in any call while one of higher priority is ready, but nowhere else: it might hold a lock of the C library.
//! - **What routines call**: semaphores, message queues, byte rings, watchdogs, the log; nothing of it allocates.
//! - **Time**: in a routine, clocks and pins say what they said when its event happened. See [`Time`].
//! - **Feeds**: a map says which source raises which vector or pin: see [`Controller::map`].
//!
//! All state is under one lock (`core.rs`), which passes on priority. Who has it has service deferred on his thread,
//! so a handler never waits for its own thread; other threads hold it for bounded times. That is how a processor
//! protects its kernel from its interrupts, and it is why there are no lock-free queues here: routines may call every
//! service, in any combination, and see each whole. Feeders take events from the device or the loopback on threads of
//! their own, since reading there is nothing that a handler may do, and put them into the vectors' queues, which are the
//! truth; the signal only says "look".
//!
//! # Modes
//!
//! | | [`Mode::Thread`] | [`Mode::Preempt`] |
//! |---|---|---|
//! | routines run | on a dispatcher thread (`SCHED_FIFO` where allowed; [`Stats::realtime`] says) and, when a task unlocks or raises, on the task | in a signal handler on the thread that has the CPU; on the dispatcher while nobody has it |
//! | a higher priority | waits for the routine that runs, or for its lowering the level | interrupts it |
//! | the program meanwhile | goes on beside the routine, unless it has locked | stands still, as on hardware |
//! | routines may call | anything that does not wait for a task | what is async-signal-safe, and all that the C header marks `[isr]` |
//! | locking costs | one atomic exchange each way, and the dispatcher waits for the same lock, passing on its priority | two plain stores |
//!
//! Locking makes no system call in either, unless the dispatcher is in a routine or waits. What it costs:
//! `cargo xtask bench native`.
//!
//! A routine leaves `errno` as it was. In preemptive mode the kernel keeps the floating-point registers. With
//! [`Config::alternate_stack`] handlers have a stack of their own.
//!
//! # The checker
//!
//! `APP_SHIM_CHECK=1` in the environment reports on standard error, with a backtrace: calls of `malloc`, stdio, locks
//! and others from preemptive routines, before they can deadlock; waiting calls from routines and under a lock; routines
//! that take longer than `APP_SHIM_ISR_LIMIT_US` microseconds (1000); routines that return with a lock held; a program
//! that has had interrupts locked for a second while events wait. It sees the calls between loaded objects (so a
//! static C library's are not seen, nor those of objects that are loaded after the start), on x86-64.
//!
//! # Limitations
//!
//! - One controller of a process is preemptive, and it stays in memory. A thread uses one controller at a time.
//! - In thread mode a routine and the main program really run at once: code that relies on a routine's being atomic
//!   without locking wants preemptive mode.
//! - A task of higher priority waits for the holder's next call of the shim. A task that waits in a call of the system
//!   should put `app_shim_cpu_release` and `_acquire` around it. A busy loop without calls starves other tasks.
//! - Deleting a task ends it where it next calls the shim; its stack stays mapped.
//! - At most 256 tasks and threads call the shim, 8191 objects of each kind exist.
//! - Time that the main program reads may be a little behind an event that is about to be served;
//!   [`Time::Clamped`] keeps it from running backwards, [`Time::Virtual`] makes it exact.
//! - Timeouts are real time even in virtual time.
//! - After `fork` the child must not use the controller.
//!
//! # Race conditions
//!
//! - The signal (`SIGURG` by default) belongs to the controller: a program that handles it itself, or blocks it, must
//!   choose another with [`Config::signal`]. One sent by somebody else does no harm.
//! - Calls of the system that a handler interrupts are restarted where the system does that (`SA_RESTART`); `poll`,
//!   `nanosleep` and others give `EINTR` all the same (`signal(7)`).
//! - Locking from a thread that has not got the CPU keeps no routine away in preemptive mode: such threads should
//!   talk to routines through semaphores and queues.

#![deny(unsafe_code)]

mod bytering;
mod check;
mod clock;
mod config;
mod controller;
mod core;
mod error;
mod event;
mod feed;
#[expect(unsafe_code, reason = "pointers that C hands over")]
mod ffi;
mod gpio;
#[expect(unsafe_code, reason = "the signal handler, and what it stands on")]
mod handler;
mod log;
mod map;
mod msgq;
mod objects;
mod pins;
mod sem;
mod service;
mod tasks;
mod vectors;
mod watchdog;

pub use clock::Clock;
pub use config::{Config, Mode, Time};
pub use controller::{Controller, PinHook, Stats, VectorStats, in_isr};
pub use error::{Error, Failure, Result};
pub use event::{Event, Raise};
pub use pins::{Edge, PINS, PinMode};
pub use sem::{SemKind, Timeout};
pub use tasks::TaskOptions;
pub use vectors::{PRIORITY_MAX, VECTORS};
