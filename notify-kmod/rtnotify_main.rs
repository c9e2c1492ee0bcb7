// SPDX-License-Identifier: GPL-2.0

//! rtnotify: queued realtime signals with payload handles, and the character device behind them.
//!
//! One event, from top to bottom: a driver or a process posts to a [`source`]; that delivers it to each
//! subscribed [`client`]; the client's [`registration`] runs the state machine ([`machine`]), which says what
//! to queue, what is lost and which signal to send; [`target`] sends it. The process reads through [`file`].
//!
//! The files below `core/` are the crate `rtnotify-core`, the same as the userspace loopback runs.

use kernel::prelude::*;

#[path = "core/src/abi.rs"]
#[allow(dead_code, unreachable_pub)]
mod abi;
#[path = "core/src/handle.rs"]
#[allow(dead_code, unreachable_pub)]
mod handle;
#[path = "core/src/lane.rs"]
#[allow(dead_code, unreachable_pub)]
mod lane;
#[path = "core/src/machine.rs"]
#[allow(dead_code, unreachable_pub)]
mod machine;
#[path = "core/src/overflow.rs"]
#[allow(dead_code, unreachable_pub)]
mod overflow;
#[path = "core/src/plain.rs"]
#[allow(dead_code, unreachable_pub)]
mod plain;
#[path = "core/src/pool.rs"]
#[allow(dead_code, unreachable_pub)]
mod pool;
#[path = "core/src/published.rs"]
#[allow(dead_code, unreachable_pub)]
mod published;
#[path = "core/src/slots.rs"]
#[allow(dead_code, unreachable_pub)]
mod slots;
#[path = "core/src/subscription.rs"]
#[allow(dead_code, unreachable_pub)]
mod subscription;

mod arena;
mod call;
mod client;
mod error;
mod ffi;
mod file;
mod inspect;
mod ioctl;
mod irq_lock;
mod limits;
mod mapping;
mod memory;
mod outbox;
mod posting;
mod producer;
mod registration;
mod ring;
mod sigio;
mod source;
mod target;
mod timer;
mod trace;

module! {
    type: Rtnotify,
    name: "rtnotify",
    authors: ["The rtnotify authors"],
    description: "Signal-driven asynchronous notification with payload handles",
    license: "GPL v2",
}

#[pin_data]
struct Rtnotify {
    /// Dropped in this order.
    #[pin]
    device: file::Device,
    debugfs: inspect::Debugfs,
    tables: Tables,
}

/// The tables, which live in statics: dropping this frees their memory.
struct Tables;

impl Tables {
    /// Initialises them.
    ///
    /// # Safety
    ///
    /// Called exactly once, before anything else in the module.
    unsafe fn new() -> Self {
        // SAFETY: Promised by the caller.
        unsafe { limits::init() };
        // SAFETY: Promised by the caller.
        unsafe { source::init() };
        // SAFETY: Promised by the caller.
        unsafe { inspect::init() };
        Self
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        inspect::exit();
        source::exit();
        limits::exit();
    }
}

impl kernel::InPlaceModule for Rtnotify {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        // SAFETY: The module is initialised once, and nothing can use it before the device is registered and
        // the initialiser has returned.
        let tables = unsafe { Tables::new() };
        try_pin_init!(Self {
            debugfs: inspect::Debugfs::new(),
            tables,
            device <- file::Device::register(),
        })
    }
}
