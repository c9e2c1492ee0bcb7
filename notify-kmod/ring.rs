// SPDX-License-Identifier: GPL-2.0

//! A mapped ring: the records of a lane in pages that the process reads, and an index in a page that it writes.
//!
//! The index is hostile: it is read once each time, and only an advance within what has been published counts.
//! What goes into the ring is never read back. Guarded by the client's state lock.

use super::{
    abi::{self, Record},
    arena::{Arena, PAGE},
    ffi,
    limits::{Charge, Resource},
    machine::Machine,
    registration::KernelStorage,
};
use kernel::{prelude::*, sync::Arc};

/// Records consumed per turn of the state lock.
pub(crate) const TURN: u32 = 64;

/// The ring of one lane.
pub(crate) struct Ring {
    /// A page with the header, then the records.
    records: Arc<Arena>,
    /// A page with the index.
    control: Arc<Arena>,
    entries: u64,
    /// Published.
    tail: u64,
    /// Consumed: what of the other side's index has been accepted.
    head: u64,
    /// The last index read could not be right.
    pub(crate) is_bad: bool,
}

impl Ring {
    /// A ring for a lane of `queue_len` records.
    ///
    /// # Errors
    ///
    /// `EDQUOT`, `ENOMEM`.
    pub(crate) fn new(queue_len: u32) -> Result<Self> {
        let entries = queue_len.next_power_of_two() as usize;
        let arena = |len: usize| {
            let len = len.next_multiple_of(PAGE);
            let charge = Charge::new(Resource::Bytes, len as u64)?;
            Ok::<_, Error>(Arc::new(Arena::new(len, charge)?, GFP_KERNEL_ACCOUNT)?)
        };
        Ok(Self {
            records: arena(PAGE + entries * abi::Record::BYTES)?,
            control: arena(PAGE)?,
            entries: entries as u64,
            tail: 0,
            head: 0,
            is_bad: false,
        })
    }

    /// How many records fit, a power of two.
    pub(crate) fn entries(&self) -> u32 {
        self.entries as u32
    }

    /// The pages with the records.
    pub(crate) fn records(&self) -> &Arc<Arena> {
        &self.records
    }

    /// The page with the index.
    pub(crate) fn control(&self) -> &Arc<Arena> {
        &self.control
    }

    /// Puts in what the lane has to publish.
    pub(crate) fn publish(&mut self, machine: &mut Machine<KernelStorage>, lane: usize) {
        let before = self.tail;
        while let Some((record, offset)) = machine.publish(lane) {
            let record = Record {
                // Nobody can ask for it by handle; the payload is in the mapped pool.
                handle: if record.trailing_len() > 0 {
                    offset as u64
                } else {
                    0
                },
                ..record
            };
            let at = PAGE + (self.tail & (self.entries - 1)) as usize * abi::Record::BYTES;
            // SAFETY: The lane queues no more than there are entries, so this one has been consumed; nobody in
            // the kernel reads it.
            unsafe { self.records.write(at..at + abi::Record::BYTES, &record.to_bytes()) };
            self.tail = self.tail.wrapping_add(1);
        }
        if self.tail != before {
            // SAFETY: The header starts the pages, and is written only here.
            unsafe { ffi::rtnotify_store_release(self.records.word(0), self.tail) };
        }
    }

    /// The registration has ended: nothing will be published any more.
    pub(crate) fn end(&self) {
        // SAFETY: The second word of the header, written only here.
        unsafe { ffi::rtnotify_store_release(self.records.word(8), 1) };
    }

    /// Consumes what the other side is done with, at most [`TURN`] records. Returns whether there is more.
    pub(crate) fn sync(&mut self, machine: &mut Machine<KernelStorage>, lane: usize) -> bool {
        // SAFETY: The first word of the page.
        let said = unsafe { ffi::rtnotify_load_acquire(self.control.word(0)) };
        let ahead = said.wrapping_sub(self.head);
        self.is_bad = ahead > self.tail.wrapping_sub(self.head);
        if ahead == 0 || self.is_bad {
            return false;
        }
        let done = machine.advance(lane, ahead.min(u64::from(TURN)) as u32);
        self.head = self.head.wrapping_add(u64::from(done));
        ahead > u64::from(done)
    }
}
