// SPDX-License-Identifier: MIT OR Apache-2.0

//! Handles: 64-bit names of payloads, which double as file offsets.
//!
//! ```text
//!  63 62                                    21 20                    0
//! +--+----------------------------------------+-----------------------+
//! | 0|              event number              |      byte offset      |
//! +--+----------------------------------------+-----------------------+
//! ```
//!
//! The event number is `(generation << k | slot) + base` modulo 2^42: `k` bits name a slot of the
//! registration, the generation counts the uses of that slot, and `base` is random per registration, so that
//! one client's handles mean nothing to another. Slots are reused in the order in which they were freed, so a
//! number comes back only after about 2^42 events. Numbers 0 and 2^42 - 1 are skipped: a handle is never 0,
//! and a handle plus an offset plus a length never overflows a file offset.
//!
//! ```
//! use rtnotify_core::handle::{pack, unpack, Parts};
//!
//! let handle = pack(7);
//! // An offset is added, as to any position in a file.
//! assert_eq!(unpack(handle + 100), Some(Parts { number: 7, offset: 100 }));
//! assert_eq!(unpack(0), None);
//! assert_eq!(unpack(1 << 63), None);
//! ```

/// Bits of byte offset.
pub const OFFSET_BITS: u32 = 21;
/// Bits of event number.
pub const NUMBER_BITS: u32 = 42;

const OFFSET_MASK: u64 = (1 << OFFSET_BITS) - 1;
const NUMBER_MASK: u64 = (1 << NUMBER_BITS) - 1;

/// A handle taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Event number, 1 to 2^42 - 2.
    pub number: u64,
    /// Byte offset into what the handle names.
    pub offset: usize,
}

/// Puts an event number into a handle with offset 0.
#[must_use]
pub const fn pack(number: u64) -> u64 {
    (number & NUMBER_MASK) << OFFSET_BITS
}

/// Takes a handle apart; `None` for one that can never have been issued.
#[must_use]
pub const fn unpack(handle: u64) -> Option<Parts> {
    let number = handle >> OFFSET_BITS;
    if !is_usable(number) {
        return None;
    }
    Some(Parts {
        number,
        offset: (handle & OFFSET_MASK) as usize,
    })
}

const fn is_usable(number: u64) -> bool {
    number != 0 && number < NUMBER_MASK
}

/// Turns slots and generations into event numbers and back.
#[derive(Clone, Copy, Debug)]
pub struct Numbering {
    base: u64,
    slot_bits: u32,
}

impl Numbering {
    /// Numbering for `slots` slots from a random `base`.
    #[must_use]
    pub const fn new(slots: usize, base: u64) -> Self {
        let slot_bits = slots.next_power_of_two().trailing_zeros();
        Self {
            base: base & NUMBER_MASK,
            slot_bits,
        }
    }

    /// The event number of this use of `slot`, or `None` if that number is one of the skipped ones.
    #[must_use]
    pub const fn number(&self, slot: u32, generation: u64) -> Option<u64> {
        let raw = (generation << self.slot_bits) | slot as u64;
        let number = raw.wrapping_add(self.base) & NUMBER_MASK;
        if is_usable(number) {
            Some(number)
        } else {
            None
        }
    }

    /// The slot that would have issued `number`; it may be out of range.
    #[must_use]
    pub const fn slot(&self, number: u64) -> u32 {
        let raw = number.wrapping_sub(self.base) & NUMBER_MASK;
        (raw & ((1 << self.slot_bits) - 1)) as u32
    }
}
