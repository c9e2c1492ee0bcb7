// SPDX-License-Identifier: MIT OR Apache-2.0

//! What happens when there is no room: losses, gaps, and the policies that withdraw queued events.
//!
//! A loss at the end of the stream (the new event finds no room) is kept with the subscription and becomes a
//! gap record as soon as there is room for it. A loss at the front (a queued event is withdrawn) leaves its gap
//! in the event's own place, so both kinds come out in the order of their source.

use super::{
    abi::{self, Record},
    machine::{Consumer, Event, Loss, Machine, Policy, Storage},
    slots::NONE,
    subscription::{Gap, Gone, Posting},
};

impl<S: Storage> Machine<S> {
    /// Withdraws what the policy of the lane gives up for a new event of `sub` before that is looked at.
    pub(super) fn supersede(&mut self, sub: &Posting) {
        let Some(lane) = &self.lanes[sub.lane as usize] else {
            return;
        };
        if lane.config.policy != Policy::LatestOnly {
            return;
        }
        let mut slot = lane.list.head;
        while slot != NONE {
            let next = self.slots.next(slot);
            let s = self.slots.get(slot);
            if !s.claimed && s.record.is_event() && s.record.source == sub.source {
                self.withdraw(sub.lane as usize, slot, Loss::Superseded);
            }
            slot = next;
        }
    }

    /// Withdraws the oldest event of a lane whose policy that is. Returns whether there was one.
    pub(super) fn withdraw_oldest(&mut self, index: usize) -> bool {
        let Some(lane) = &self.lanes[index] else {
            return false;
        };
        if lane.config.policy != Policy::DropOldest {
            return false;
        }
        let mut slot = lane.list.head;
        while slot != NONE {
            let s = self.slots.get(slot);
            if !s.claimed && s.record.is_event() {
                self.withdraw(index, slot, Loss::Oldest);
                return true;
            }
            slot = self.slots.next(slot);
        }
        false
    }

    /// Turns a queued event that nobody holds into part of a gap: of the one before it if that is of the same
    /// source with nothing of the source between, else of a new one in its place.
    fn withdraw(&mut self, index: usize, slot: u32, loss: Loss) {
        let record = self.slots.get(slot).record;
        self.count_loss(loss);
        let mut gap = NONE;
        let mut before = self.lanes[index].map_or(NONE, |lane| lane.list.head);
        while before != slot && before != NONE {
            let s = self.slots.get(before);
            if s.record.source == record.source {
                gap = if s.record.is_gap() && !s.claimed {
                    before
                } else {
                    NONE
                };
            }
            before = self.slots.next(before);
        }
        if gap == NONE {
            let s = self.slots.get_mut(slot);
            s.record = Record {
                kind: abi::KIND_GAP,
                flags: 0,
                value: record.source_seq,
                payload_len: 1,
                reason: loss.reason(),
                ..record
            };
            let block = s.block.take();
            if let Some(block) = block {
                self.pool.free(block);
            }
            if let Some(lane) = &mut self.lanes[index] {
                lane.notes += 1;
            }
            self.counters.gaps += 1;
        } else {
            let gap = &mut self.slots.get_mut(gap).record;
            gap.value = record.source_seq;
            gap.payload_len = gap.payload_len.saturating_add(1);
            gap.reason |= loss.reason();
            self.remove(slot, Consumer::Read);
        }
    }

    fn count_loss(&mut self, loss: Loss) {
        let counters = &mut self.counters;
        *match loss {
            Loss::QueueFull => &mut counters.lost_queue_full,
            Loss::Quota => &mut counters.lost_quota,
            Loss::TooLarge => &mut counters.lost_too_large,
            Loss::Oldest => &mut counters.lost_oldest,
            Loss::Superseded => &mut counters.lost_superseded,
        } += 1;
    }

    /// The new event is lost.
    pub(super) fn lose(&mut self, id: usize, event: &Event<'_>, loss: Loss) {
        self.count_loss(loss);
        let sub = &mut self.subscriptions[id];
        if let Some(gap) = &mut sub.gap {
            gap.last = event.source_seq;
            gap.count = gap.count.saturating_add(1);
            gap.reason |= loss.reason();
        } else {
            sub.gap = Some(Gap {
                first: event.source_seq,
                last: event.source_seq,
                count: 1,
                reason: loss.reason(),
                time_ns: event.time_ns,
            });
            if let Some(lane) = &mut self.lanes[sub.lane as usize] {
                lane.pending_notes += 1;
            }
        }
        // With nothing queued, no consumption will come to put the gap out.
        self.flush_notes_of(id);
    }

    /// The source has ended after event number `last`: its subscription ends, and a record will say so after
    /// everything of the source. Returns the lane, for [`Machine::next_signal`], if there was a subscription.
    pub fn source_gone(&mut self, source: u32, last: u64, time_ns: u64) -> Option<usize> {
        let id = self
            .subscriptions
            .iter()
            .position(|s| s.in_use && s.source == source)?;
        let sub = &mut self.subscriptions[id];
        sub.in_use = false;
        sub.gone = Some(Gone { last, time_ns });
        let index = sub.lane as usize;
        if let Some(lane) = &mut self.lanes[index] {
            lane.pending_notes += 1;
        }
        self.flush_notes_of(id);
        Some(index)
    }

    /// Whether losses of this source wait for their place in this lane; later events must not pass them. They
    /// may be those of an earlier subscription that has ended meanwhile.
    pub(super) fn has_pending_gap(&self, sub: &Posting) -> bool {
        self.lanes[sub.lane as usize]
            .as_ref()
            .is_some_and(|lane| lane.pending_notes > 0)
            && self
                .subscriptions
                .iter()
                .any(|s| s.source == sub.source && s.lane == sub.lane && s.gap.is_some())
    }

    fn has_older_gap(&self, sub: &Posting, gap: &Gap) -> bool {
        self.subscriptions.iter().any(|s| {
            s.source == sub.source
                && s.lane == sub.lane
                && s.gap.is_some_and(|g| g.first < gap.first)
        })
    }

    /// Puts the gaps and ends that wait into a lane, as far as there is room.
    pub(super) fn flush_notes(&mut self, index: usize) {
        if self.lanes[index]
            .as_ref()
            .is_some_and(|lane| lane.pending_notes > 0)
        {
            for id in 0..self.subscriptions.len() {
                if self.subscriptions[id].lane as usize == index {
                    self.flush_notes_of(id);
                }
            }
        }
    }

    /// Puts a subscription's gap, and then its end, into the stream if there is room.
    ///
    /// One place is kept for the event after a gap, unless the lane is empty: otherwise a full queue would
    /// alternate between gaps and single events. Room that is kept for others is not taken. A gap of the same source that an earlier subscription left
    /// behind goes first.
    pub(super) fn flush_notes_of(&mut self, id: usize) {
        if !self.subscriptions[id].has_note() {
            return;
        }
        let sub = self.subscriptions[id];
        let Some(lane) = &self.lanes[sub.lane as usize] else {
            return;
        };
        let record = Record {
            seq: self.next_seq,
            source: sub.source,
            cookie: sub.cookie,
            signo: lane.config.signo,
            ..Record::zeroed()
        };
        if let Some(gap) = sub.gap {
            let wanted = if sub.gone.is_some() { 1 } else { 2 };
            if (lane.room() < wanted && (lane.list.len > 0 || lane.room() == 0))
                || self.has_older_gap(&sub.posting(), &gap)
            {
                return;
            }
            let record = Record {
                source_seq: gap.first,
                kind: abi::KIND_GAP,
                time_ns: gap.time_ns,
                value: gap.last,
                payload_len: gap.count,
                reason: gap.reason,
                ..record
            };
            if self.push_note(sub.lane, record) {
                self.subscriptions[id].gap = None;
                // The end comes next, if there is one.
                self.flush_notes_of(id);
            }
        } else if let Some(gone) = sub.gone {
            if lane.room() == 0 || self.has_pending_gap(&sub.posting()) {
                return;
            }
            let record = Record {
                source_seq: gone.last,
                kind: abi::KIND_GONE,
                time_ns: gone.time_ns,
                ..record
            };
            if self.push_note(sub.lane, record) {
                self.subscriptions[id].gone = None;
            }
        }
    }

    fn push_note(&mut self, lane: u8, record: Record) -> bool {
        let pushed = self.push(lane, &record, None).is_ok();
        if pushed {
            if let Some(lane) = &mut self.lanes[lane as usize] {
                lane.pending_notes -= 1;
            }
        }
        pushed
    }
}
