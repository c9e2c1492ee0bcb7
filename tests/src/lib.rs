// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tests of the device's contract, run over the loopback and over the kernel module.
//!
//! - [`mod@conformance`]: the suite, written once. `tests/loopback.rs` runs it natively, `tests/vm_conformance.rs`
//!   in the test guest, over `/dev/rtnotify`.
//! - [`harness`]: what is tested, watchdogs, tests in processes of their own.
//! - [`rig`]: a subscriber at the level of the device's own interface.
//! - [`ledger`]: accounts for every event.
//! - [`raw`]: system calls that tests need and programs do not; [`asynchronous`]: those of `O_ASYNC`; [`tracer`]:
//!   counting a child's system calls; [`senders`]: who sends realtime signals;
//!   [`shim`]: functions of `app-shim` in C. The only modules with `unsafe`.
//! - [`examples`]: builds the C examples.
//! - [`served`]: brokers in processes of their own.
//! - [`locks`]: what it costs to keep service routines away, for the benchmark.
//! - [`guest`]: what only the test guest has: other users, module parameters, `fdinfo`.

#![deny(unsafe_code)]
#![expect(clippy::missing_panics_doc, reason = "a test that fails panics")]

#[expect(unsafe_code, reason = "system calls")]
pub mod asynchronous;
pub mod conformance;
pub mod examples;
pub mod guest;
pub mod harness;
pub mod ledger;
pub mod locks;
#[expect(unsafe_code, reason = "the one place for system calls")]
pub mod raw;
pub mod rig;
#[expect(unsafe_code, reason = "system calls")]
pub mod senders;
pub mod served;
#[expect(unsafe_code, reason = "functions in C")]
pub mod shim;
#[expect(unsafe_code, reason = "system calls")]
pub mod tracer;
