// SPDX-License-Identifier: MIT OR Apache-2.0

//! A descriptor that is readable while there is something to read: what the device's own descriptor is to `poll`.
//!
//! Only used under the broker's lock.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

#[derive(Debug)]
pub(super) struct Readable {
    descriptor: EventFd,
    is_set: AtomicBool,
}

impl Readable {
    pub(super) fn new() -> Result<Self, Errno> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self {
            descriptor: EventFd::from_value_and_flags(0, flags)?,
            is_set: AtomicBool::new(false),
        })
    }

    /// Makes it readable, or no longer.
    pub(super) fn set(&self, readable: bool) {
        if self.is_set.swap(readable, Ordering::Relaxed) == readable {
            return;
        }
        // Neither can fail: the counter is 0 or 1, and nobody else reads it.
        if readable {
            self.descriptor.write(1).ok();
        } else {
            self.descriptor.read().ok();
        }
    }
}

impl AsFd for Readable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
