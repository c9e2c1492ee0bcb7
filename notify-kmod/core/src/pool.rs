// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where payloads lie: a binary buddy allocator over a fixed arena.
//!
//! The pool hands out *places*, never memory: the arena itself belongs to the caller, so the same code serves
//! kernel pages and a userspace buffer. Its own bookkeeping is one [`Unit`] per 64 bytes, allocated once; the
//! posting path allocates nothing. A block of 2^n units starts at a multiple of 2^n units, so a payload of a
//! page or more owns whole pages.
//!
//! Small blocks that come back are kept as they are for the next payload of their size, and grow together with
//! their neighbours only when something cannot be had otherwise: events of one source are mostly of one size,
//! and dividing a large block for each of them, and putting it together again, would cost more than all the rest
//! of posting.

/// Bytes per unit, the smallest block.
pub const UNIT: usize = 64;

const NONE: u32 = u32::MAX;
const ORDERS: usize = 23;
/// Orders of which blocks are kept apart: up to 4 KiB.
const KEPT_ORDERS: usize = 7;
/// Blocks of one order kept apart at most, so that putting them together is a bounded piece of work.
const MAX_KEPT: u32 = 128;

/// Bookkeeping of one unit; the first unit of a block speaks for the block.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    next: u32,
    prev: u32,
    order: u8,
    state: State,
    /// Mappings that show the block, on top of its owner.
    pins: u16,
}

impl Default for Unit {
    fn default() -> Self {
        Self {
            next: NONE,
            prev: NONE,
            order: 0,
            state: State::Inside,
            pins: 0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not the first unit of a block.
    Inside,
    /// First unit of a free block of `order`.
    Free,
    /// First unit of a free block of `order` that is kept apart.
    Kept,
    /// First unit of an allocated block of `order`.
    Used,
    /// As `Used`, but its owner has given it back: it is free when the last pin goes.
    Lingering,
}

/// Keeps a block from being handed out again, whatever its owner does. It is not `Copy`: giving it back takes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Pin {
    first: u32,
}

/// A block that the pool has handed out. It is not `Copy`: giving it back takes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    first: u32,
}

impl Block {
    /// Byte offset of the block in the arena.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.first as usize * UNIT
    }
}

/// Why there is no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolError {
    /// Nothing of that size is free now.
    Exhausted,
    /// Not even the empty pool could hold it.
    TooLarge,
}

/// The allocator.
///
/// # Invariants
///
/// Free, kept and used blocks partition the units. A free block is on the list of its order, and its buddy is
/// not a free block of the same order; a kept block is on the list of kept ones of its order.
#[derive(Debug)]
pub struct Pool<U> {
    units: U,
    free: [u32; ORDERS],
    /// Free blocks that have not grown together with their buddies, the latest first.
    kept: [Kept; KEPT_ORDERS],
    used: usize,
}

/// The blocks of one order that are kept apart.
#[derive(Clone, Copy, Debug)]
struct Kept {
    first: u32,
    len: u32,
}

impl<U: core::ops::DerefMut<Target = [Unit]>> Pool<U> {
    /// A pool over `units`, all free. The arena has `units.len() * UNIT` bytes.
    pub fn new(units: U) -> Self {
        let mut pool = Self {
            units,
            free: [NONE; ORDERS],
            kept: [Kept {
                first: NONE,
                len: 0,
            }; KEPT_ORDERS],
            used: 0,
        };
        let len = pool.units.len();
        let mut first = 0;
        while first < len {
            let aligned = if first == 0 {
                ORDERS - 1
            } else {
                first.trailing_zeros() as usize
            };
            let fits = (len - first).ilog2() as usize;
            let order = aligned.min(fits).min(ORDERS - 1);
            pool.link(first as u32, order);
            first += 1 << order;
        }
        pool
    }

    /// Bytes in allocated blocks.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used * UNIT
    }

    /// Allocates a block of at least `len` bytes, `len` > 0.
    ///
    /// # Errors
    ///
    /// [`PoolError::TooLarge`] if it could not be had from the empty pool, else [`PoolError::Exhausted`].
    pub fn alloc(&mut self, len: usize) -> Result<Block, PoolError> {
        let wanted = len.div_ceil(UNIT).next_power_of_two().trailing_zeros() as usize;
        if wanted >= ORDERS || self.units.len() >> wanted == 0 {
            return Err(PoolError::TooLarge);
        }
        let first = match self.take_kept(wanted) {
            Some(first) => first,
            None => match self.divide(wanted) {
                Some(first) => first,
                None if self.merge_kept() => self.divide(wanted).ok_or(PoolError::Exhausted)?,
                None => return Err(PoolError::Exhausted),
            },
        };
        let unit = &mut self.units[first as usize];
        unit.order = wanted as u8;
        unit.state = State::Used;
        self.used += 1 << wanted;
        Ok(Block { first })
    }

    /// The latest block kept of that very order.
    fn take_kept(&mut self, order: usize) -> Option<u32> {
        let kept = self.kept.get_mut(order)?;
        let first = kept.first;
        if first == NONE {
            return None;
        }
        kept.first = self.units[first as usize].next;
        kept.len -= 1;
        Some(first)
    }

    /// A block of that order, from the smallest free one that is large enough.
    fn divide(&mut self, wanted: usize) -> Option<u32> {
        let order = (wanted..ORDERS).find(|&o| self.free[o] != NONE)?;
        let first = self.free[order];
        self.unlink(first);
        // Give back the upper halves until the size is right.
        for smaller in (wanted..order).rev() {
            self.link(first + (1 << smaller), smaller);
        }
        Some(first)
    }

    /// Lets every kept block grow together with its neighbours. Returns whether there was one.
    fn merge_kept(&mut self) -> bool {
        let mut any = false;
        for order in 0..KEPT_ORDERS {
            while let Some(first) = self.take_kept(order) {
                self.merge(first, order);
                any = true;
            }
        }
        any
    }

    /// Pins a block; `None` if it is pinned too often.
    pub fn pin(&mut self, block: &Block) -> Option<Pin> {
        let unit = &mut self.units[block.first as usize];
        unit.pins = unit.pins.checked_add(1)?;
        Some(Pin { first: block.first })
    }

    /// Takes a pin back; the block is free then if its owner has given it back and no other pin is left.
    pub fn unpin(&mut self, pin: Pin) {
        let unit = &mut self.units[pin.first as usize];
        unit.pins -= 1;
        if unit.pins == 0 && unit.state == State::Lingering {
            unit.state = State::Used;
            self.free(Block { first: pin.first });
        }
    }

    /// Takes a block back; it counts as used as long as it is pinned.
    pub fn free(&mut self, block: Block) {
        let Block { first } = block;
        let unit = self.units[first as usize];
        debug_assert_eq!(unit.state, State::Used);
        if unit.pins > 0 {
            self.units[first as usize].state = State::Lingering;
            return;
        }
        let order = unit.order as usize;
        self.used -= 1 << order;
        match self.kept.get_mut(order) {
            Some(kept) if kept.len < MAX_KEPT => {
                let unit = &mut self.units[first as usize];
                unit.next = kept.first;
                unit.state = State::Kept;
                kept.first = first;
                kept.len += 1;
            }
            _ => self.merge(first, order),
        }
    }

    /// Makes a block free, and one with its buddy as long as that is free and whole.
    fn merge(&mut self, mut first: u32, mut order: usize) {
        self.units[first as usize].state = State::Inside;
        while order + 1 < ORDERS {
            let buddy = first ^ (1 << order);
            match self.units.get(buddy as usize) {
                Some(unit) if unit.state == State::Free && unit.order as usize == order => {
                    self.unlink(buddy);
                    first = first.min(buddy);
                    order += 1;
                }
                _ => break,
            }
        }
        self.link(first, order);
    }

    fn link(&mut self, first: u32, order: usize) {
        let head = self.free[order];
        self.units[first as usize] = Unit {
            next: head,
            prev: NONE,
            order: order as u8,
            state: State::Free,
            pins: 0,
        };
        if head != NONE {
            self.units[head as usize].prev = first;
        }
        self.free[order] = first;
    }

    fn unlink(&mut self, first: u32) {
        let unit = self.units[first as usize];
        if unit.prev == NONE {
            self.free[unit.order as usize] = unit.next;
        } else {
            self.units[unit.prev as usize].next = unit.next;
        }
        if unit.next != NONE {
            self.units[unit.next as usize].prev = unit.prev;
        }
        self.units[first as usize] = Unit::default();
    }
}
