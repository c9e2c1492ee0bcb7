// SPDX-License-Identifier: MIT OR Apache-2.0

//! The slot table: what is queued, in which order, under which event number.
//!
//! Slots live in one array allocated at registration. Free slots form a FIFO, so that a number is reused as
//! late as possible; queued slots form one doubly linked list per lane, so that an event can be consumed by
//! handle from the middle in constant time.

use super::{
    abi::Record,
    handle::{self, Numbering},
    pool::Block,
};

/// End of a list.
pub const NONE: u32 = u32::MAX;

/// One queued record.
#[derive(Debug)]
pub struct Slot {
    /// Event number of this use; 0 while free. A slot answers only to this number.
    number: u64,
    generation: u64,
    next: u32,
    prev: u32,
    pub(super) record: Record,
    pub(super) block: Option<Block>,
    pub(super) lane: u8,
    /// A queued signal carries this slot's handle (per-event mode).
    pub(super) signalled: bool,
    /// A reader is copying it; only that reader may consume it.
    pub(super) claimed: bool,
    /// It was claimed by handle, after the signal that carries the handle had been sent.
    pub(super) taken: bool,
    /// The registration ended while it was claimed: it must not be queued again.
    pub(super) discarded: bool,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            number: 0,
            generation: 0,
            next: NONE,
            prev: NONE,
            record: Record::zeroed(),
            block: None,
            lane: 0,
            signalled: false,
            claimed: false,
            taken: false,
            discarded: false,
        }
    }
}

/// Ends of a list threaded through the table.
#[derive(Clone, Copy, Debug)]
pub struct List {
    pub(super) head: u32,
    pub(super) tail: u32,
    pub(super) len: u32,
}

impl Default for List {
    fn default() -> Self {
        Self {
            head: NONE,
            tail: NONE,
            len: 0,
        }
    }
}

/// Why a handle names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleError {
    /// It can never have been a handle of this registration.
    Invalid,
    /// It named an event that is no longer queued, or belongs to someone else.
    Stale,
    /// Another reader is copying this very event.
    Busy,
    /// Its lane is published to a ring.
    Published,
}

/// The table.
///
/// # Invariants
///
/// Every slot is on exactly one list: the free FIFO (`number == 0`) or the list of its lane.
#[derive(Debug)]
pub struct SlotTable<S> {
    slots: S,
    free: List,
    numbering: Numbering,
}

impl<S: core::ops::DerefMut<Target = [Slot]>> SlotTable<S> {
    /// A table over `slots`, all free, with handles based on the random `base`.
    pub fn new(slots: S, base: u64) -> Self {
        let len = slots.len();
        let mut table = Self {
            slots,
            free: List::default(),
            numbering: Numbering::new(len, base),
        };
        for slot in 0..len as u32 {
            table.slots[slot as usize] = Slot::default();
            table.push_free(slot);
        }
        table
    }

    /// Records that the table can hold.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn get(&self, slot: u32) -> &Slot {
        &self.slots[slot as usize]
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut Slot {
        &mut self.slots[slot as usize]
    }

    pub(super) fn next(&self, slot: u32) -> u32 {
        self.slots[slot as usize].next
    }

    /// Slots that are not free.
    pub(super) fn used(&self) -> u32 {
        self.slots.len() as u32 - self.free.len
    }

    /// Appends `record` to `list`, filling in its handle; gives the block back if no slot is free.
    pub(super) fn push(
        &mut self,
        list: &mut List,
        lane: u8,
        record: &Record,
        block: Option<Block>,
    ) -> Result<u32, Option<Block>> {
        let slot = self.free.head;
        if slot == NONE {
            return Err(block);
        }
        let s = &mut self.slots[slot as usize];
        self.free.head = s.next;
        if self.free.head == NONE {
            self.free.tail = NONE;
        }
        self.free.len -= 1;

        // Only two numbers in 2^42 are not usable, so this ends after at most three rounds.
        let number = loop {
            match self.numbering.number(slot, s.generation) {
                Some(number) => break number,
                None => s.generation = s.generation.wrapping_add(1),
            }
        };
        s.number = number;
        s.next = NONE;
        s.prev = list.tail;
        s.record = *record;
        s.record.handle = handle::pack(number);
        s.block = block;
        s.lane = lane;
        s.signalled = false;
        s.claimed = false;
        s.taken = false;
        s.discarded = false;
        if list.tail == NONE {
            list.head = slot;
        } else {
            self.slots[list.tail as usize].next = slot;
        }
        list.tail = slot;
        list.len += 1;
        Ok(slot)
    }

    /// Takes `slot` off `list` and frees it; its block is the caller's again.
    pub(super) fn remove(&mut self, list: &mut List, slot: u32) -> Option<Block> {
        let (prev, next) = {
            let s = &self.slots[slot as usize];
            (s.prev, s.next)
        };
        if prev == NONE {
            list.head = next;
        } else {
            self.slots[prev as usize].next = next;
        }
        if next == NONE {
            list.tail = prev;
        } else {
            self.slots[next as usize].prev = prev;
        }
        list.len -= 1;

        let s = &mut self.slots[slot as usize];
        let block = s.block.take();
        s.number = 0;
        s.generation = s.generation.wrapping_add(1);
        self.push_free(slot);
        block
    }

    fn push_free(&mut self, slot: u32) {
        let s = &mut self.slots[slot as usize];
        s.next = NONE;
        s.prev = NONE;
        if self.free.tail == NONE {
            self.free.head = slot;
        } else {
            self.slots[self.free.tail as usize].next = slot;
        }
        self.free.tail = slot;
        self.free.len += 1;
    }

    /// The slot and the byte offset that `handle` names.
    ///
    /// # Errors
    ///
    /// See [`HandleError`].
    pub fn resolve(&self, handle: u64) -> Result<(u32, usize), HandleError> {
        let parts = handle::unpack(handle).ok_or(HandleError::Invalid)?;
        let slot = self.numbering.slot(parts.number);
        match self.slots.get(slot as usize) {
            Some(s) if s.number == parts.number => Ok((slot, parts.offset)),
            _ => Err(HandleError::Stale),
        }
    }
}
