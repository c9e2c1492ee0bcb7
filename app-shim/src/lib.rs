// SPDX-License-Identifier: MIT OR Apache-2.0

//! Runs the interrupt service routines of ported programs.

#![deny(unsafe_code)]

mod bytering;
mod check;
mod clock;
mod config;
mod controller;
mod core;
mod error;
mod event;
mod feed;
#[expect(unsafe_code, reason = "pointers that C hands over")]
mod ffi;
#[expect(unsafe_code, reason = "the signal handler, and what it stands on")]
mod handler;
mod log;
mod map;
mod msgq;
mod objects;
mod pins;
mod sem;
mod service;
mod tasks;
mod vectors;
mod watchdog;

pub use clock::Clock;
pub use config::{Config, Mode, Time};
pub use controller::{Controller, PinHook, Stats, VectorStats, in_isr};
pub use error::{Error, Failure, Result};
pub use event::{Event, Raise};
pub use pins::{Edge, PINS, PinMode};
pub use sem::{SemKind, Timeout};
pub use tasks::TaskOptions;
pub use vectors::{PRIORITY_MAX, VECTORS};
