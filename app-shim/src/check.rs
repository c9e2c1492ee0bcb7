// SPDX-License-Identifier: MIT OR Apache-2.0

//! The checker: names what a service routine must not do.
//!
//! A report is a few lines on standard error, written without allocating, and counted. Each place is reported
//! once: reports are told apart by kind and name.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::Mode;
use crate::core::Core;
use crate::event::Frame;
use crate::handler::{local, thread, trace};

/// Kinds and names that were reported.
static REPORTED: [AtomicU64; 256] = [const { AtomicU64::new(0) }; 256];

/// Whether this is the first report of that kind, vector and name.
fn is_first(kind: &str, vector: u64, name: &str) -> bool {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in kind.bytes().chain(vector.to_ne_bytes()).chain(name.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let hash = hash.max(1);
    let start = hash as usize;
    for step in 0..REPORTED.len() {
        let Some(place) = REPORTED.get((start.wrapping_add(step)) % REPORTED.len()) else {
            return true;
        };
        match place.compare_exchange(0, hash, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => return true,
            Err(old) if old == hash => return false,
            Err(_) => {}
        }
    }
    // The table is full of other reports.
    false
}

/// A line that is put together without memory of its own.
struct Line {
    bytes: [u8; 320],
    len: usize,
}

impl Line {
    fn new() -> Self {
        Self {
            bytes: [0; 320],
            len: 0,
        }
    }

    fn text(mut self, text: &str) -> Self {
        for &byte in text.as_bytes() {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = byte;
                self.len += 1;
            }
        }
        self
    }

    fn number(self, number: u64) -> Self {
        let mut digits = [0; 20];
        let mut rest = number;
        let mut first = digits.len();
        loop {
            first -= 1;
            if let Some(digit) = digits.get_mut(first) {
                *digit = b'0' + (rest % 10) as u8;
            }
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let text = std::str::from_utf8(digits.get(first..).unwrap_or_default());
        self.text(text.unwrap_or_default())
    }

    fn write(self) {
        thread::write_all(2, self.bytes.get(..self.len).unwrap_or_default());
    }
}

fn report(
    core: &Core,
    kind: &str,
    vector: Option<u64>,
    name: &str,
    detail: impl FnOnce(Line) -> Line,
) {
    core.tally.findings.fetch_add(1, Ordering::Relaxed);
    if !is_first(kind, vector.unwrap_or(u64::MAX), name) {
        return;
    }
    let line = Line::new().text("app-shim check: ").text(kind).text(": ");
    let line = match vector {
        Some(vector) => line
            .text("the service routine of vector ")
            .number(vector)
            .text(" "),
        None => line.text("a task "),
    };
    detail(line).text("\n").write();
    trace::write_backtrace(2);
}

fn vector_here() -> Option<u64> {
    local::current(|frame| frame.map(|f| f.vector as u64))
}

/// A wrapper of a function that is not async-signal-safe has been called: whether that was reported.
pub(crate) fn unsafe_call(core: &Core, function: &str) -> bool {
    // Whether it has preempted this time or was run by an unlock is chance, and not asked.
    let preemptive = core.config.mode == Mode::Preempt && core.in_isr();
    if !core.config.check || !preemptive {
        return false;
    }
    report(core, "unsafe call", vector_here(), function, |line| {
        line.text("calls ")
            .text(function)
            .text(", which is not async-signal-safe")
    });
    true
}

/// A wrapper of a function that waits has been called: whether that was reported.
pub(crate) fn blocking_call(core: &Core, function: &str) -> bool {
    let (depth, level) = local::with(|l| (l.depth.get(), l.level.get()));
    if !core.config.check {
        return false;
    }
    if depth > 0 {
        report(core, "blocking call", vector_here(), function, |line| {
            line.text("calls ").text(function).text(", which waits")
        });
        return true;
    }
    if level > 0 && local::with(|l| l.critical.get()) == 0 {
        report(core, "locked", None, function, |line| {
            line.text("calls ")
                .text(function)
                .text(", which waits, with interrupts locked at level ")
                .number(level.into())
        });
        return true;
    }
    false
}

/// The calling task is about to wait in a call of the shim.
pub(crate) fn blocks(core: &Core) {
    let level = local::with(|l| l.level.get());
    if core.config.check && level > 0 && !core.in_isr() {
        report(core, "locked", None, "", |line| {
            line.text("waits with interrupts locked at level ")
                .number(level.into())
        });
    }
}

/// A service routine has returned.
pub(crate) fn routine_returned(core: &Core, frame: &Frame, entry_level: u32) {
    if !core.config.check {
        return;
    }
    let level = local::with(|l| l.level.get());
    let vector = frame.vector as u64;
    if level > entry_level {
        report(core, "unbalanced lock", Some(vector), "", |line| {
            line.text("returns at level ")
                .number(level.into())
                .text(", having begun at ")
                .number(entry_level.into())
        });
    }
    let took = thread::monotonic().saturating_sub(frame.started);
    if took > core.config.isr_limit {
        report(core, "long routine", Some(vector), "", |line| {
            line.text("took ")
                .number(took / 1000)
                .text(" us; the limit is ")
                .number(core.config.isr_limit / 1000)
                .text(" us")
        });
    }
}

/// A function has been called that is not async-signal-safe, or waits, or both.
pub(crate) fn interposed(core: &Core, function: &str, is_unsafe: bool, waits: bool) {
    let (depth, critical, core_here) =
        local::with(|l| (l.depth.get(), l.critical.get(), l.core.get()));
    // The shim's own calls are not the program's.
    if core_here != core.id || critical > 0 || local::with(|l| l.checking.get()) {
        return;
    }
    local::with(|l| l.checking.set(true));
    if !(is_unsafe && depth > 0 && unsafe_call(core, function)) && waits {
        blocking_call(core, function);
    }
    local::with(|l| l.checking.set(false));
}

/// A task has kept interrupts locked for long while others were ready: it may wait for what only they can do.
pub(crate) fn starved(core: &Core, level: u32) {
    report(core, "busy under lock", None, "", |line| {
        line.text("has had interrupts locked for a second while events wait, at level ")
            .number(level.into())
            .text(": what it waits for may need them")
    });
}
