// SPDX-License-Identifier: MIT OR Apache-2.0

//! An account of what a subscriber received: every number of a source exactly once, in order, as an event or
//! inside a gap.

use std::collections::BTreeMap;

use sigrt::{Delivery, Event, Stats, abi};

/// Payload of event `n` of a source, `len` bytes that depend on both: pseudo-random, so that nothing passes
/// for anything else.
#[must_use]
pub fn payload(n: u64, len: usize) -> Vec<u8> {
    let mut state = n ^ (len as u64) << 48 ^ 0x9e37_79b9_7f4a_7c15;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(state ^ state >> 29).to_ne_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// The account of one subscriber.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Last number of the subscription.
    seq: u64,
    /// Last number of each source.
    sources: BTreeMap<u32, u64>,
    /// Events received.
    pub events: u64,
    /// Events that gaps report.
    pub lost: u64,
    /// Gaps received.
    pub gaps: u64,
    /// Sources that have ended.
    pub ended: u64,
    /// All reasons of all gaps.
    pub reasons: u16,
}

impl Ledger {
    /// Books one delivery; gives the event back for further checks.
    ///
    /// # Panics
    ///
    /// If it is not what comes next.
    #[track_caller]
    pub fn book(&mut self, delivery: Delivery) -> Option<Event> {
        let source = delivery.source();
        let last = self.sources.entry(source).or_default();
        match delivery {
            Delivery::Event(event) => {
                assert_eq!(event.seq, self.seq + 1, "order of the subscription");
                assert_eq!(event.source_seq, *last + 1, "order of source {source}");
                self.seq = event.seq;
                *last = event.source_seq;
                self.events += 1;
                Some(event)
            }
            Delivery::Gap(gap) => {
                assert_eq!(gap.seq, self.seq + 1, "order of the subscription");
                assert_eq!(gap.first, *last + 1, "start of a gap of source {source}");
                assert!(gap.last >= gap.first, "{gap}");
                assert_eq!(u64::from(gap.count), gap.last - gap.first + 1, "{gap}");
                assert_ne!(gap.reason.bits(), 0, "a gap has a reason");
                self.seq = gap.seq;
                *last = gap.last;
                self.gaps += 1;
                self.lost += u64::from(gap.count);
                self.reasons |= gap.reason.bits();
                None
            }
            Delivery::Gone(gone) => {
                assert_eq!(gone.seq, self.seq + 1, "order of the subscription");
                assert_eq!(gone.last, *last, "end of source {source}");
                self.seq = gone.seq;
                self.ended += 1;
                None
            }
        }
    }

    /// Books all frames that a `read` returned.
    #[track_caller]
    pub fn book_all(&mut self, frames: &[u8]) -> Vec<Event> {
        sigrt::parse_frames(frames)
            .filter_map(|delivery| self.book(delivery))
            .collect()
    }

    /// Starts to count a source after number `last`: it existed before the subscription.
    pub fn start_after(&mut self, source: u32, last: u64) {
        self.sources.insert(source, last);
    }

    /// Compares with the device's counters, when nothing is queued any more.
    ///
    /// # Panics
    ///
    /// If they disagree.
    #[track_caller]
    pub fn compare(&self, stats: &abi::Stats) {
        balanced(stats);
        assert_eq!(stats.queued, 0, "everything was received");
        assert_eq!(stats.consumed, self.events, "consumed");
        assert_eq!(Stats(*stats).lost(), self.lost, "lost");
        assert_eq!(stats.gaps, self.gaps, "gaps");
        assert_eq!(stats.posted, self.events + self.lost, "posted");
        assert_eq!(stats.quota_used, 0, "no payload is left");
    }
}

/// The accounting identity.
///
/// # Panics
///
/// If it does not hold.
#[track_caller]
pub fn balanced(stats: &abi::Stats) {
    assert!(Stats(*stats).is_balanced(), "{stats:?}");
}
