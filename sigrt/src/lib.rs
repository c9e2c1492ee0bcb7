// SPDX-License-Identifier: MIT OR Apache-2.0

//! Queued realtime signals as a safe channel of events.
//!
//! # Goal
//!
//! A kernel driver, a timer or another thread posts events; this crate hands them to a program as values on
//! a [`crossbeam_channel`] that works in `select!`. Each event comes with the time, level and data that were
//! latched when it happened. Nothing is lost silently: what the program was too slow for arrives as a
//! [`Gap`] with first and last lost number, and the counters always balance.
//!
//! ```
//! use sigrt::{Delivery, Device, SourceOptions};
//!
//! let device = Device::loopback(); // or Device::auto(), with the module's device if it is there
//! let adc = device.create_source(SourceOptions::new("adc"))?;
//! let subscription = device.subscription().subscribe("adc").start()?;
//!
//! adc.post(Some(512), b"channel 3")?;
//!
//! match subscription.recv()? {
//!     Delivery::Event(event) => {
//!         assert_eq!(event.value, Some(512));
//!         assert_eq!(event.payload, "channel 3");
//!     }
//!     Delivery::Gap(gap) => eprintln!("{gap}"),
//!     Delivery::Gone(gone) => eprintln!("{gone}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Anatomy
//!
//! - [`sys`]: system calls; the only module with `unsafe`.
//! - [`client`]: the device's own interface as safe operations, over the kernel module or over [`loopback`],
//!   a broker in the process that runs the module's state machine and sends the same signals.
//! - [`Device`], [`Source`], [`SubscriptionBuilder`], [`Subscription`]: what programs use.
//! - A dispatcher thread per subscription takes the signals with `sigtimedwait`, so no code of yours or ours
//!   runs in a signal handler. It fetches the data through the device, by the handle that the signal carries
//!   ([`Mode::PerEvent`]) or in batches ([`Mode::Window`]), and fills a bounded channel.
//!
//! The queue in the device is the truth and the signal a doorbell: a signal that the limit on queued signals
//! refuses (`RLIMIT_SIGPENDING`) is replaced by one that cannot be refused, and no event depends on it.
//!
//! # Limitations
//!
//! - 64-bit Linux only.
//! - One way to receive so far: the dispatcher thread. There is no delivery in a real signal handler and no
//!   `Stream` yet, payloads are copied rather than mapped, and there is one lane (signal number) per
//!   subscription. The layer below has several lanes, maps payloads by their handles, and maps a lane as a
//!   [`ring`]: see [`client::Client`].
//! - The loopback serves one process, a [`broker`] several; each lists its other differences.
//! - A subscription drops what nobody has received when it is dropped itself.
//!
//! # Race conditions
//!
//! - Signals are directed at the dispatcher thread. A realtime signal that somebody else sends to the
//!   *process* (`kill`, `sigqueue`) while no other thread blocks or handles that number has its default
//!   action, which ends the process; that is so with or without this crate.
//! - While a dispatcher waits it also accepts a `SIGURG` sent to the process. Programs that use `SIGURG` for
//!   out-of-band data should block it in no thread, or handle it through `signalfd` elsewhere: the
//!   dispatcher may win.
//! - After `fork`, the child's copies of [`Device`], [`Source`] and [`Subscription`] answer
//!   [`Error::Forked`], and their destructors do nothing. The child may open the device anew.
//! - A program that starts another with `exec` need do nothing: descriptors are close-on-exec, and the
//!   dispatcher ends with the old program.

#![deny(unsafe_code)]

pub mod broker;
pub mod client;
pub mod loopback;
#[expect(unsafe_code, reason = "the one place for system calls")]
pub mod sys;

mod delivery;
mod device;
mod dispatcher;
mod error;
pub mod ring;
mod signal;
mod subscription;

pub use delivery::{Delivery, Event, Gap, Gone, LossReason, parse_frames};
pub use device::{
    Batch, DEFAULT_PATH, Device, Source, SourceInfo, SourceOptions, SourceRef, SourceType,
};
pub use error::{Error, Result};
pub use rtnotify_core::abi;
pub use subscription::{Filter, Mode, Overflow, Stats, Subscription, SubscriptionBuilder};
