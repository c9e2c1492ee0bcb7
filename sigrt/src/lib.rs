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
//! Realtime signals that others send (`sigqueue`, timers, message queues) need no device: [`realtime`] receives each of
//! them exactly once.
//!
//! # Anatomy
//!
//! - [`Device`], [`Source`], [`SubscriptionBuilder`]: what there is, and what is wanted of it. A subscription starts as
//!
//! | Started with | Is | Whose thread | Payloads |
//! |---|---|---|---|
//! | [`start`](SubscriptionBuilder::start) | [`Subscription`]: a channel for `select!`, `for`, timeouts; a `Stream` | a [`Dispatcher`], its own or shared | `Bytes` |
//! | [`lazy_payloads`](SubscriptionBuilder::lazy_payloads) and `start` | the same | the same | in the device, by handle: [`LazyPayload`] |
//! | [`handler`](SubscriptionBuilder::handler) and `start` | the same | signals interrupt the caller, a dispatcher does the rest | either |
//! | [`start_with`](SubscriptionBuilder::start_with) | [`Listener`]: a function that is called | a dispatcher | `Bytes` |
//! | [`start_polled`](SubscriptionBuilder::start_polled) | [`PolledSubscription`]: a descriptor for event loops; a `Stream` on tokio's and async-io's | the caller's | `Bytes` |
//! | [`start_mapped`](SubscriptionBuilder::start_mapped) | [`MappedSubscription`]: batches that are borrowed where they lie | the caller's | `&[u8]` |
//!
//! All of them give the same deliveries in the same order.
//!
//! - A dispatcher takes the signals with `sigtimedwait`, so no code of yours or ours runs in a signal handler. It fetches
//!   the data through the device, by the handle that the signal carries ([`Mode::PerEvent`]) or in batches
//!   ([`Mode::Window`], [`Mode::Coalesced`]), and fills a bounded channel.
//! - [`client`]: the device's own interface as safe operations, over the kernel module or over [`loopback`],
//!   a broker in the process that runs the module's state machine and sends the same signals. [`ring`] is a lane in
//!   shared memory.
//! - [`sys`]: system calls, and what runs in handlers; the only module with `unsafe`.
//!
//! The queue in the device is the truth and the signal a doorbell: a signal that the limit on queued signals
//! refuses (`RLIMIT_SIGPENDING`) is replaced by one that cannot be refused, and no event depends on it.
//!
//! # Features
//!
//! None is on by default. `stream`: [`Subscription`] and [`realtime::Signals`] are a `futures_core::Stream`, on any
//! executor. `tokio`, `async-io`: streams on those event loops, without a thread. `zerocopy`: payloads as values of types,
//! where they lie.
//!
//! # Limitations
//!
//! - 64-bit Linux only.
//! - The loopback serves one process, a [`broker`] several; each lists its other differences. Their mapped payloads are
//!   copies.
//! - What is in a channel is first in, first out, whatever the priorities; see
//!   [`subscribe_at`](SubscriptionBuilder::subscribe_at). Polled and mapped subscriptions have one priority.
//! - A subscription that is dropped discards what nobody has received; [`Subscription::shutdown`] gives it back.
//! - A handler, once installed, stays for good, for others may rely on it; nothing is done in it any more.
//!
//! # Race conditions
//!
//! - Signals are directed at the dispatcher thread. A realtime signal that somebody else sends to the
//!   *process* (`kill`, `sigqueue`) while no other thread blocks or handles that number has its default
//!   action, which ends the process; that is so with or without this crate.
//! - While a dispatcher waits it also accepts a `SIGURG` sent to the process. Programs that use `SIGURG` for
//!   out-of-band data should block it in no thread, or handle it through `signalfd` elsewhere: the
//!   dispatcher may win.
//! - After `fork`, the child's copies of [`Device`], [`Source`] and of every subscription answer
//!   [`Error::Forked`], and their destructors do nothing. The child may open the device anew.
//! - A program that starts another need do nothing: descriptors are close-on-exec, and dispatchers end with the old
//!   program. One that replaces *itself* with `exec` must first drop what the loopback rings in the thread that does it:
//!   mapped subscriptions, and those with a handler. What is pending for that thread survives into the new program, and
//!   the loopback cannot take it back as the module does.

#![deny(unsafe_code)]

pub mod broker;
pub mod client;
pub mod loopback;
pub mod outbox;
pub mod realtime;
pub mod ring;
#[expect(unsafe_code, reason = "the one place for system calls")]
pub mod sys;
pub mod trace;

mod builder;
mod delivery;
mod device;
mod dispatcher;
mod error;
mod handover;
mod lazy;
mod mapped;
mod polled;
mod signal;
mod sink;
#[cfg(any(feature = "tokio", feature = "async-io"))]
mod streams;
mod subscription;
#[cfg(feature = "zerocopy")]
mod typed;
#[cfg(feature = "stream")]
mod wake;

pub use builder::{Lane, SubscriptionBuilder};
pub use delivery::{Delivery, Event, Gap, Gone, LossReason, parse_frames};
pub use device::{
    Batch, DEFAULT_PATH, Device, Source, SourceInfo, SourceOptions, SourceRef, SourceType,
};
pub use dispatcher::Dispatcher;
pub use error::{Error, Result};
pub use lazy::LazyPayload;
pub use mapped::{MappedBatch, MappedSubscription};
pub use polled::PolledSubscription;
pub use rtnotify_core::abi;
#[cfg(feature = "async-io")]
pub use streams::AsyncIoStream;
#[cfg(feature = "tokio")]
pub use streams::TokioStream;
pub use subscription::{Filter, Listener, Mode, Overflow, Shutdown, Stats, Subscription};

/// The code in `docs/cookbook.md` runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../docs/cookbook.md")]
struct Cookbook;
