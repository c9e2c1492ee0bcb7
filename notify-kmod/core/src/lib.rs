// SPDX-License-Identifier: MIT OR Apache-2.0

//! The heart of rtnotify: ABI, handles, slots, payload pool and the delivery state machine.
//!
//! The kernel module and the userspace loopback run this very code; each supplies its own lock, memory,
//! clock and way of sending a signal. The files are also mounted one by one by the kernel build, which has no
//! notion of a crate from outside the tree; so they refer to each other only through `super::` and `core::`,
//! carry no inner attributes, and use neither `std` nor `alloc`.
//!
//! - [`abi`]: what crosses the kernel boundary. [`plain`]: how it becomes bytes.
//! - [`handle`]: names of payloads. [`slots`]: the queue. [`pool`]: where payloads lie.
//! - [`machine`]: the state machine of one registration; [`lane`], [`subscription`]: what it consists of;
//!   `overflow`: losses, gaps and policies; [`published`]: lanes with a ring.

#![no_std]
#![forbid(unsafe_code)]
// Slot, unit and record counts are bounded far below 2^32 by the constants of `abi`.
// A block or claim is given back by value so that it cannot be used again.
#![allow(
    clippy::needless_pass_by_value,
    reason = "ownership ends there on purpose"
)]
#![expect(
    clippy::cast_possible_truncation,
    reason = "indices are bounded by MAX_QUEUE and MAX_QUOTA"
)]

pub mod abi;
pub mod handle;
pub mod lane;
pub mod machine;
mod overflow;
pub mod plain;
pub mod pool;
pub mod published;
pub mod slots;
pub mod subscription;
