// SPDX-License-Identifier: GPL-2.0

//! Tracepoints; `trace.h` says what each one records. Any context but NMI, any lock held.

use super::{abi::Record, machine::Loss};

mod c {
    extern "C" {
        pub(super) fn rtnotify_trace_post(
            source: u32,
            seq: u64,
            kind: u16,
            len: u32,
            subscribers: u32,
            refused: u32,
        );
        pub(super) fn rtnotify_trace_refuse(client: u64, source: u32, seq: u64, reason: u16);
        pub(super) fn rtnotify_trace_read(client: u64, handle: u64, records: u32, bytes: u64);
        pub(super) fn rtnotify_trace_lost(
            client: u64,
            source: u32,
            first: u64,
            last: u64,
            count: u64,
            reason: u16,
        );
    }
}

/// An event has been offered to every subscriber of its source.
pub(crate) fn post(source: u32, seq: u64, kind: u16, len: usize, subscribers: usize, refused: u32) {
    // SAFETY: All arguments are plain numbers.
    unsafe {
        c::rtnotify_trace_post(source, seq, kind, len as u32, subscribers as u32, refused);
    }
}

/// The subscriber `client` had no room for an event.
pub(crate) fn refuse(client: u64, source: u32, seq: u64, loss: Loss) {
    // SAFETY: All arguments are plain numbers.
    unsafe { c::rtnotify_trace_refuse(client, source, seq, loss.reason()) }
}

/// `client` has taken records: by `handle`, or with `read` (0).
pub(crate) fn read(client: u64, handle: u64, records: usize, bytes: usize) {
    // SAFETY: All arguments are plain numbers.
    unsafe { c::rtnotify_trace_read(client, handle, records as u32, bytes as u64) }
}

/// `client` has taken `record`: if that is a gap, it now knows what was lost.
pub(crate) fn taken(client: u64, record: &Record) {
    if record.is_gap() {
        let (first, last) = (record.source_seq, record.value);
        let (count, reason) = (record.payload_len.into(), record.reason);
        // SAFETY: All arguments are plain numbers.
        unsafe { c::rtnotify_trace_lost(client, record.source, first, last, count, reason) }
    }
}

/// The registration of `client` has ended with `count` events queued.
pub(crate) fn discarded(client: u64, count: u64) {
    if count > 0 {
        // SAFETY: All arguments are plain numbers.
        unsafe { c::rtnotify_trace_lost(client, 0, 0, 0, count, 0) }
    }
}
