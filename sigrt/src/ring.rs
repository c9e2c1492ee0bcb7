// SPDX-License-Identifier: MIT OR Apache-2.0

//! A lane as a ring in shared memory: no system call for an event while there are more.
//!
//! The kernel writes records and payloads, the program reads them where they are and says how far it has come. In
//! coalesced mode a doorbell rings when there is something again after the ring was found empty.
//! [`crate::MappedSubscription`] does all of that.

#[cfg(test)]
mod model;

use std::fmt;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use rtnotify_core::abi::Record;

use crate::sys::RingPages;

/// The two indices that are shared, and nothing else: so that `ring/model.rs` can try every interleaving of
/// [`Cursor`] with what the kernel does.
pub(crate) trait Indices {
    /// Records published so far. What is in them is seen after this.
    fn tail(&self) -> u64;
    /// Gives back all records before number `head`. They are not looked at after this.
    fn give_back(&self, head: u64);
}

impl Indices for RingPages {
    fn tail(&self) -> u64 {
        self.tail()
    }

    fn give_back(&self, head: u64) {
        self.give_back(head);
    }
}

/// How far a ring has been read.
pub(crate) struct Cursor<I> {
    pub(crate) pages: I,
    head: u64,
}

impl<I: Indices> Cursor<I> {
    pub(crate) fn new(pages: I) -> Self {
        Self { pages, head: 0 }
    }

    /// Numbers of the records that there are.
    pub(crate) fn published(&self) -> std::ops::Range<u64> {
        self.head..self.pages.tail()
    }

    /// Gives back what comes before number `tail`.
    pub(crate) fn give_back(&mut self, tail: u64) {
        if self.head != tail {
            self.head = tail;
            self.pages.give_back(tail);
        }
    }
}

/// A mapped ring; see [`crate::client::Client::map_ring`].
pub struct Ring {
    cursor: Cursor<RingPages>,
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("published", &self.cursor.published())
            .finish_non_exhaustive()
    }
}

impl Ring {
    pub(crate) fn new(fd: BorrowedFd<'_>, signo: u32) -> Result<Self, Errno> {
        Ok(Self {
            cursor: Cursor::new(RingPages::new(fd, signo)?),
        })
    }

    /// Shows every record that there is, with its payload where the kernel has put it, and then gives all of them
    /// back. Makes no system call. Returns how many there were.
    ///
    /// The payload of an event with [`crate::abi::RECORD_INLINE`] is in the record's value. If `look` panics,
    /// nothing is given back, and everything is shown again.
    pub fn drain(&mut self, mut look: impl FnMut(&Record, &[u8])) -> usize {
        let published = self.published();
        for n in published.clone() {
            if let Some((record, payload)) = self.get(n) {
                look(&Record::from_bytes(record), payload);
            }
        }
        self.give_back(published.end);
        (published.end - published.start) as usize
    }

    pub(crate) fn published(&self) -> std::ops::Range<u64> {
        self.cursor.published()
    }

    /// The bytes of a published record, and of its payload.
    pub(crate) fn get(&self, n: u64) -> Option<(&[u8; Record::BYTES], &[u8])> {
        let bytes = self.cursor.pages.record(n)?;
        let payload = self.cursor.pages.payload(&Record::from_bytes(bytes));
        Some((bytes, payload))
    }

    pub(crate) fn give_back(&mut self, tail: u64) {
        self.cursor.give_back(tail);
    }

    /// Whether there is nothing to drain now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.published().is_empty()
    }

    /// Whether the registration has ended: what is there may be drained, and no more will come.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.cursor.pages.has_ended()
    }
}
