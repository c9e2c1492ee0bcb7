// SPDX-License-Identifier: MIT OR Apache-2.0

//! Vectors: their routines, their queues, and which event is next. Under the kernel lock.

use std::collections::VecDeque;

use crate::error::{Error, Result};
use crate::event::{Frame, Payload, Record};
use crate::handler::routine::{Owned, Routine};

/// Vectors of a program.
pub const VECTORS: usize = 256;
/// Highest priority, and the level that masks all.
pub const PRIORITY_MAX: u32 = 63;

/// Vectors of the controller's own, behind those of the program.
pub(crate) const SYSTEM_CLOCK: usize = VECTORS;
pub(crate) const AUX_CLOCK: usize = VECTORS + 1;
pub(crate) const WATCHDOGS: usize = VECTORS + 2;
pub(crate) const ALL: usize = VECTORS + 3;

const WORDS: usize = ALL.div_ceil(64);

/// Payloads with memory of their own, in queues or waiting to be freed, at most.
const MAX_BOXED: usize = 4096;

/// Whether priorities in `mask` are above `level`.
#[inline]
pub(crate) fn above(mask: u64, level: u32) -> bool {
    // Bit p is priority p, 1 to 63. Level 63 shifts all out.
    mask >> level > 1
}

pub(crate) struct Vector {
    pub(crate) routine: Option<Routine>,
    pub(crate) owner: Option<Box<dyn Owned>>,
    pub(crate) priority: u32,
    pub(crate) enabled: bool,
    /// Something has been connected at some time; the queue has its room.
    pub(crate) known: bool,
    pub(crate) queue: VecDeque<Record>,
    /// Calls of the routine that have not returned.
    pub(crate) running: u32,
    /// Lost since the last event that found room.
    missed: u64,
    pub(crate) counters: Counters,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) raised: u64,
    pub(crate) served: u64,
    pub(crate) filtered: u64,
    pub(crate) missed: u64,
    pub(crate) cleared: u64,
    pub(crate) unhandled: u64,
    pub(crate) source_lost: u64,
    pub(crate) longest: u64,
}

pub(crate) struct Vectors {
    all: Vec<Vector>,
    room: usize,
    /// For each priority, the vectors that have something to serve and may.
    ready: [[u64; WORDS]; PRIORITY_MAX as usize + 1],
    mask: u64,
    sequence: u64,
    pub(crate) spurious: u64,
    boxed: usize,
    /// Payloads to be freed outside of service routines.
    spent: Vec<Box<[u8]>>,
}

impl Vectors {
    pub(crate) fn new(room: usize) -> Self {
        Self {
            all: (0..ALL)
                .map(|_| Vector {
                    routine: None,
                    owner: None,
                    priority: 1,
                    enabled: true,
                    known: false,
                    queue: VecDeque::new(),
                    running: 0,
                    missed: 0,
                    counters: Counters::default(),
                })
                .collect(),
            room,
            ready: [[0; WORDS]; PRIORITY_MAX as usize + 1],
            mask: 0,
            sequence: 0,
            spurious: 0,
            boxed: 0,
            spent: Vec::with_capacity(MAX_BOXED),
        }
    }

    /// Bit p: something of priority p is ready to be served.
    pub(crate) fn mask(&self) -> u64 {
        self.mask
    }

    pub(crate) fn get(&mut self, vector: usize) -> Result<&mut Vector> {
        self.all.get_mut(vector).ok_or(Error::Invalid)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Vector> {
        self.all.iter()
    }

    /// Room for a vector's queue, which is to be made outside of the lock.
    pub(crate) fn queue(room: usize) -> VecDeque<Record> {
        VecDeque::with_capacity(room)
    }

    /// Connects a routine, with a queue from [`Vectors::queue`], which is kept the first time.
    pub(crate) fn connect(
        &mut self,
        vector: usize,
        routine: Routine,
        owner: Option<Box<dyn Owned>>,
        queue: &mut VecDeque<Record>,
    ) -> Result<(), (Error, Option<Box<dyn Owned>>)> {
        let Some(v) = self.all.get_mut(vector) else {
            return Err((Error::Invalid, owner));
        };
        // A closure whose last call has not returned is still owned.
        if v.routine.is_some() || (v.owner.is_some() && owner.is_some()) {
            return Err((Error::Busy, owner));
        }
        v.routine = Some(routine);
        if owner.is_some() {
            v.owner = owner;
        }
        if !v.known {
            v.known = true;
            std::mem::swap(&mut v.queue, queue);
        }
        Ok(())
    }

    /// Makes a vector's queue, so that its events wait for a routine.
    pub(crate) fn know(&mut self, vector: usize, queue: &mut VecDeque<Record>) -> Result<()> {
        let v = self.get(vector)?;
        if !v.known {
            v.known = true;
            std::mem::swap(&mut v.queue, queue);
        }
        Ok(())
    }

    /// Keeps the set of ready vectors true after a change of `vector`.
    fn refresh(&mut self, vector: usize) {
        let (word, bit) = (vector / 64, 1_u64 << (vector % 64));
        let Some(v) = self.all.get(vector) else {
            return;
        };
        let wanted = v.enabled && !v.queue.is_empty();
        let Some(words) = self.ready.get_mut(v.priority as usize) else {
            return;
        };
        if let Some(w) = words.get_mut(word) {
            *w = if wanted { *w | bit } else { *w & !bit };
        }
        if words.iter().all(|&w| w == 0) {
            self.mask &= !(1 << v.priority);
        } else {
            self.mask |= 1 << v.priority;
        }
    }

    pub(crate) fn set_priority(&mut self, vector: usize, priority: u32) -> Result<()> {
        if !(1..=PRIORITY_MAX).contains(&priority) {
            return Err(Error::Invalid);
        }
        let v = self.get(vector)?;
        let (enabled, old) = (v.enabled, v.priority);
        if old != priority {
            // Out of the old priority's set, into the new one's.
            v.enabled = false;
            self.refresh(vector);
            let v = self.get(vector)?;
            v.priority = priority;
            v.enabled = enabled;
            self.refresh(vector);
        }
        Ok(())
    }

    pub(crate) fn set_enabled(&mut self, vector: usize, enabled: bool) -> Result<()> {
        self.get(vector)?.enabled = enabled;
        self.refresh(vector);
        Ok(())
    }

    /// Whether an event of this vector would find room.
    pub(crate) fn has_room(&mut self, vector: usize) -> Result<bool> {
        let room = self.room;
        Ok(self.get(vector)?.queue.len() < room)
    }

    /// Puts an event into its vector's queue.
    ///
    /// `make` is called with its number once there is room for it. What was lost at the source before it is added
    /// to what was lost here.
    pub(crate) fn push(
        &mut self,
        vector: usize,
        source_lost: u64,
        payload: Payload,
        make: impl FnOnce(Payload, u64, u64) -> Record,
    ) -> Result<()> {
        let room = self.room;
        let full = matches!(payload, Payload::Boxed(_)) && self.boxed >= MAX_BOXED;
        let v = self.all.get_mut(vector).ok_or(Error::Invalid)?;
        if !v.known {
            self.spurious += 1;
            self.discard(payload);
            return Err(Error::NotConnected);
        }
        v.counters.raised += 1;
        v.counters.source_lost += source_lost;
        v.missed += source_lost;
        if v.queue.len() >= room || full {
            v.missed += 1;
            v.counters.missed += 1;
            self.discard(payload);
            return Err(Error::Full);
        }
        self.sequence += 1;
        self.boxed += usize::from(matches!(payload, Payload::Boxed(_)));
        let missed = std::mem::take(&mut v.missed);
        v.queue.push_back(make(payload, missed, self.sequence));
        self.refresh(vector);
        Ok(())
    }

    /// What a source has lost of a vector's events; the next one says so.
    pub(crate) fn lost(&mut self, vector: usize, count: u64) {
        if let Ok(v) = self.get(vector) {
            v.counters.source_lost += count;
            v.missed += count;
        }
    }

    /// Keeps the memory of a payload that was not put into a queue for the next who may free it.
    fn discard(&mut self, payload: Payload) {
        if let Payload::Boxed(bytes) = payload {
            if self.spent.len() < self.spent.capacity() {
                self.spent.push(bytes);
            } else {
                // Only a flood of refused payloads gets here, from threads that allocate, and may free.
                drop(bytes);
            }
        }
    }

    /// Takes the vector's next event whose vector is above `level`: highest priority first, then oldest.
    pub(crate) fn next(&mut self, level: u32) -> Option<(usize, Record)> {
        if !above(self.mask, level) {
            return None;
        }
        let priority = self.mask.ilog2();
        let words = self.ready.get(priority as usize)?;
        let mut oldest: Option<(u64, usize)> = None;
        for (index, &word) in words.iter().enumerate() {
            let mut word = word;
            while word != 0 {
                let vector = index * 64 + word.trailing_zeros() as usize;
                word &= word - 1;
                if let Some(head) = self.all.get(vector).and_then(|v| v.queue.front()) {
                    let this = (head.sequence, vector);
                    if oldest.is_none_or(|o| this < o) {
                        oldest = Some(this);
                    }
                }
            }
        }
        let (_, vector) = oldest?;
        let record = self.all.get_mut(vector)?.queue.pop_front()?;
        self.refresh(vector);
        Some((vector, record))
    }

    /// An event's routine has returned, or there was none to call.
    pub(crate) fn release(&mut self, record: Record) {
        if let Payload::Boxed(bytes) = record.payload {
            self.boxed -= 1;
            // There is room for as many as there can be, so nothing is allocated; see MAX_BOXED.
            if self.spent.len() < self.spent.capacity() {
                self.spent.push(bytes);
            } else {
                std::mem::forget(bytes);
            }
        }
    }

    /// Payloads to be freed by the caller, who is in no service routine.
    pub(crate) fn spent(&mut self, into: &mut Vec<Box<[u8]>>) {
        std::mem::swap(&mut self.spent, into);
    }

    /// An empty vector for [`Vectors::spent`].
    pub(crate) fn room_for_spent() -> Vec<Box<[u8]>> {
        Vec::with_capacity(MAX_BOXED)
    }

    /// Whether it is worth calling [`Vectors::spent`].
    pub(crate) fn has_spent(&self) -> bool {
        self.spent.len() > MAX_BOXED / 8
    }

    /// Throws away what waits for a vector.
    pub(crate) fn clear(&mut self, vector: usize) -> Result<u32> {
        let mut count = 0;
        while let Some(record) = self.get(vector)?.queue.pop_front() {
            count += 1;
            self.release(record);
        }
        self.get(vector)?.counters.cleared += u64::from(count);
        self.refresh(vector);
        Ok(count)
    }

    /// The call of a frame's routine begins.
    pub(crate) fn begin(&mut self, frame: &Frame) {
        if let Ok(v) = self.get(frame.vector) {
            v.running += 1;
            v.counters.served += 1;
        }
    }

    /// It has returned.
    pub(crate) fn end(&mut self, frame: Frame, took: u64) {
        if let Ok(v) = self.get(frame.vector) {
            v.running -= 1;
            v.counters.longest = v.counters.longest.max(took);
        }
        self.release(frame.record);
    }
}
