// SPDX-License-Identifier: MIT OR Apache-2.0

//! A lane as a ring in shared memory: no system call for an event while there are more.
//!
//! The kernel writes records and payloads, the program reads them where they are and says how far it has come. In
//! coalesced mode a doorbell rings when there is something again after the ring was found empty.

use std::fmt;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use rtnotify_core::abi::Record;

use crate::sys::RingPages;

/// A mapped ring; see [`crate::client::Client::map_ring`].
pub struct Ring {
    pages: RingPages,
    head: u64,
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("head", &self.head)
            .field("tail", &self.pages.tail())
            .finish_non_exhaustive()
    }
}

impl Ring {
    pub(crate) fn new(fd: BorrowedFd<'_>, signo: u32) -> Result<Self, Errno> {
        let pages = RingPages::new(fd, signo)?;
        Ok(Self { pages, head: 0 })
    }

    /// Shows every record that there is, with its payload where the kernel has put it, and then gives all of them
    /// back. Makes no system call. Returns how many there were.
    ///
    /// The payload of an event with [`crate::abi::RECORD_INLINE`] is in the record's value. If `look` panics,
    /// nothing is given back, and everything is shown again.
    pub fn drain(&mut self, mut look: impl FnMut(&Record, &[u8])) -> usize {
        let tail = self.pages.tail();
        let count = tail.wrapping_sub(self.head);
        for n in 0..count {
            let record = self.pages.record(self.head.wrapping_add(n));
            look(&record, self.pages.payload(&record));
        }
        if count > 0 {
            self.head = tail;
            self.pages.give_back(tail);
        }
        count as usize
    }

    /// Whether there is nothing to drain now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pages.tail() == self.head
    }

    /// Whether the registration has ended: what is there may be drained, and no more will come.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.pages.has_ended()
    }
}
