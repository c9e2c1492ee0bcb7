// SPDX-License-Identifier: MIT OR Apache-2.0

//! The state machine against a plain model, under random interleavings.
//!
//! After every step the counters, the queue and the signals are compared with the model's. At the end of every
//! case the target takes its signals and does with each what the contract asks of it, nothing more; then
//! nothing may be left in the queue: that is what "no lost wake-up" means here.

mod common;

use common::{pump, Heap, Pending, Shape, Target, COOKIE, SIGNO};
use proptest::prelude::*;
use rtnotify_core::{
    abi::{self, Record},
    machine::{
        Claim, Consumer, Event, Loss, Machine, Make, Mode, Policy, SubscribeError, SubscriptionId,
    },
    pool::UNIT,
    slots::HandleError,
};
use std::{collections::BTreeMap, ops::Range};

const SOURCES: u32 = 3;

#[derive(Clone, Debug)]
enum Op {
    Post {
        source: u32,
        len: usize,
        value: Option<u64>,
        kind: u16,
    },
    Subscribe(u32, Option<u64>),
    Unsubscribe(u32),
    /// The target takes a signal, and will act on it later.
    Take,
    /// It acts on the oldest one taken.
    Act,
    /// Any reader reads one record.
    Read,
    /// Any reader reads until nothing is left.
    Drain,
    /// Any reader finds nothing or claims the next record, and keeps it.
    Hold,
    /// By a handle seen before: current, stale, or early; consumed if it can be.
    ByHandle(prop::sample::Index, usize),
    /// By a handle seen before, and kept.
    HoldHandle(prop::sample::Index),
    Forge(u64),
    Near(prop::sample::Index, i64),
    ConsumeHeld(prop::sample::Index),
    UnclaimHeld(prop::sample::Index),
    Limit(usize),
    Foreign,
    TargetGone,
    TargetNew,
    Discard,
}

fn op() -> impl Strategy<Value = Op> {
    use prop::sample::Index;
    let len = prop_oneof![
        3 => 0usize..=8,
        4 => 9usize..300,
        1 => Just(64),
        1 => 300usize..5000,
        1 => Just(abi::MAX_PAYLOAD + 1),
    ];
    let kind = prop_oneof![8 => 0u16..4, 1 => abi::FIRST_RESERVED_KIND..=abi::KIND_GAP];
    prop_oneof![
        20 => (0..SOURCES, len, any::<Option<u64>>(), kind)
            .prop_map(|(source, len, value, kind)| Op::Post { source, len, value, kind }),
        4 => (0..SOURCES, any::<Option<u64>>()).prop_map(|(s, c)| Op::Subscribe(s, c)),
        2 => (0..SOURCES).prop_map(Op::Unsubscribe),
        8 => Just(Op::Take),
        8 => Just(Op::Act),
        5 => Just(Op::Read),
        2 => Just(Op::Drain),
        3 => Just(Op::Hold),
        3 => (any::<Index>(), 0usize..4).prop_map(|(i, o)| Op::ByHandle(i, o)),
        2 => any::<Index>().prop_map(Op::HoldHandle),
        1 => any::<u64>().prop_map(Op::Forge),
        1 => (any::<Index>(), -40i64..40).prop_map(|(i, d)| Op::Near(i, d)),
        3 => any::<Index>().prop_map(Op::ConsumeHeld),
        3 => any::<Index>().prop_map(Op::UnclaimHeld),
        3 => prop_oneof![Just(0usize), 1usize..6, Just(1000)].prop_map(Op::Limit),
        1 => Just(Op::Foreign),
        1 => Just(Op::TargetGone),
        1 => Just(Op::TargetNew),
        1 => Just(Op::Discard),
    ]
}

fn shape() -> impl Strategy<Value = Shape> {
    let base = prop_oneof![
        any::<u64>(),
        Just(0),
        (0u64..64).prop_map(|d| (1 << 42) - d),
        (0u64..64).prop_map(|d| 0u64.wrapping_sub(d)),
    ];
    (
        prop_oneof![
            Just(Mode::PerEvent),
            Just(Mode::Window),
            Just(Mode::Coalesced)
        ],
        1u32..=8,
        1u32..=16,
        0usize..24,
        1usize..5,
        base,
    )
        .prop_map(
            |(mode, window, queue_len, units, subscriptions, base)| Shape {
                mode,
                window,
                queue_len,
                policy: Policy::RejectNewest,
                units,
                subscriptions,
                base,
            },
        )
}

/// A record that the model expects in the queue.
#[derive(Clone, Debug)]
struct Expected {
    /// All but the handle.
    record: Record,
    /// Where the payload lies, and what it is.
    place: Range<usize>,
    payload: Vec<u8>,
    held: bool,
    /// The registration ended while it was held.
    orphan: bool,
}

#[derive(Clone, Debug, Default)]
struct Place {
    source: u32,
    cookie: u64,
    in_use: bool,
    /// Lost numbers, each with its reason and time, not yet in the stream.
    lost: Vec<(u64, Loss, u64)>,
}

struct World {
    shape: Shape,
    /// The lane is asked for signals after a whole drain, not after every record.
    lazy: bool,
    machine: Machine<Heap>,
    arena: Vec<u8>,
    target: Target,
    /// Signals taken and not yet acted upon.
    taken: Vec<Pending>,
    held: Vec<Claim>,
    handles: Vec<u64>,
    ids: BTreeMap<u32, SubscriptionId>,
    /// Handles consumed although their signal had not been taken: each may take the number of pending
    /// signals one above the window.
    early: usize,

    queue: Vec<Expected>,
    places: Vec<Place>,
    next_seq: u64,
    source_seq: [u64; SOURCES as usize],
    /// Last number of each source that went into the queue.
    order: [u64; SOURCES as usize],
    gone: Vec<u64>,
    posted: u64,
    consumed: u64,
    discarded: u64,
    lost: [u64; 3],
    gaps: u64,
    stale: u64,
    /// Discarded, and not subscribed to anything since.
    ended: bool,
}

fn reason_bit(loss: Loss) -> u16 {
    match loss {
        Loss::QueueFull => abi::LOST_QUEUE_FULL,
        Loss::Quota => abi::LOST_QUOTA,
        Loss::TooLarge => abi::LOST_TOO_LARGE,
        Loss::Oldest | Loss::Superseded => unreachable!("policies have a test of their own"),
    }
}

impl World {
    fn new(shape: Shape, lazy: bool) -> Self {
        Self {
            shape,
            lazy,
            machine: shape.machine(),
            arena: shape.arena(),
            target: Target::new(1000),
            taken: Vec::new(),
            held: Vec::new(),
            handles: Vec::new(),
            ids: BTreeMap::new(),
            early: 0,
            queue: Vec::new(),
            places: vec![Place::default(); shape.subscriptions],
            next_seq: 1,
            source_seq: [0; SOURCES as usize],
            order: [0; SOURCES as usize],
            gone: Vec::new(),
            posted: 0,
            consumed: 0,
            discarded: 0,
            lost: [0; 3],
            gaps: 0,
            stale: 0,
            ended: false,
        }
    }

    // What the model expects.

    fn room(&self) -> usize {
        self.shape.queue_len as usize - self.queue.len()
    }

    fn expect(&mut self, record: Record, place: Range<usize>, payload: Vec<u8>) {
        let last = &mut self.order[record.source as usize];
        assert!(record.source_seq > *last, "the order of a source is broken");
        *last = if record.is_gap() {
            record.value
        } else {
            record.source_seq
        };
        self.next_seq += 1;
        self.queue.push(Expected {
            record,
            place,
            payload,
            held: false,
            orphan: false,
        });
    }

    fn flush_gap(&mut self, id: usize) {
        let place = self.places[id].clone();
        let Some(&(first, _, time_ns)) = place.lost.first() else {
            return;
        };
        let older = |p: &Place| {
            p.source == place.source && p.lost.first().is_some_and(|&(f, _, _)| f < first)
        };
        if (self.room() < 2 && !self.queue.is_empty()) || self.places.iter().any(older) {
            return;
        }
        let last = place.lost[place.lost.len() - 1].0;
        assert_eq!(
            last - first + 1,
            place.lost.len() as u64,
            "a gap with a hole"
        );
        let record = Record {
            seq: self.next_seq,
            source_seq: first,
            source: place.source,
            kind: abi::KIND_GAP,
            flags: 0,
            time_ns,
            value: last,
            handle: 0,
            cookie: place.cookie,
            payload_len: place.lost.len() as u32,
            signo: SIGNO,
            reason: place.lost.iter().fold(0, |r, l| r | reason_bit(l.1)),
        };
        self.expect(record, 0..0, Vec::new());
        self.places[id].lost.clear();
        self.gaps += 1;
    }

    /// The places that a block of `len` bytes could have.
    fn free_places(&self, len: usize) -> Vec<usize> {
        let size = len.div_ceil(UNIT).next_power_of_two() * UNIT;
        let blocks: Vec<_> = self
            .queue
            .iter()
            .filter(|e| !e.place.is_empty())
            .map(|e| {
                let size = e.place.len().div_ceil(UNIT).next_power_of_two() * UNIT;
                e.place.start..e.place.start + size
            })
            .collect();
        (0..self.arena.len() / size)
            .map(|i| i * size)
            .filter(|&start| {
                blocks
                    .iter()
                    .all(|b| b.end <= start || start + size <= b.start)
            })
            .collect()
    }

    fn expect_loss(&self, source: u32, len: usize, inline: bool) -> Option<Loss> {
        let waiting = |p: &Place| p.source == source && !p.lost.is_empty();
        if self.room() == 0 || self.places.iter().any(waiting) {
            return Some(Loss::QueueFull);
        }
        if len > abi::MAX_PAYLOAD {
            return Some(Loss::TooLarge);
        }
        if inline || len == 0 {
            return None;
        }
        if len.div_ceil(UNIT).next_power_of_two() > self.shape.units {
            Some(Loss::TooLarge)
        } else if self.free_places(len).is_empty() {
            Some(Loss::Quota)
        } else {
            None
        }
    }

    fn post(&mut self, source: u32, len: usize, value: Option<u64>, kind: u16) {
        // A source counts on, whether anybody listens or not; a subscriber sees only its own time.
        self.source_seq[source as usize] += 1;
        let Some(&id) = self.ids.get(&source) else {
            return;
        };
        let index = self
            .places
            .iter()
            .position(|p| p.in_use && p.source == source)
            .unwrap();
        let source_seq = self.source_seq[source as usize];
        let payload: Vec<u8> = (0..len.min(1 << 16))
            .map(|i| (source_seq as usize * 31 + i * 7 + source as usize) as u8)
            .collect();
        // One that is refused for its length is not looked at.
        let payload = if len > abi::MAX_PAYLOAD {
            vec![0; len]
        } else {
            payload
        };
        let event = Event {
            source_seq,
            kind,
            time_ns: 1000 * source_seq + u64::from(source),
            value,
            payload: &payload,
        };

        self.posted += 1;
        self.flush_gap(index);
        let inline = value.is_none() && len <= abi::INLINE_PAYLOAD;
        let loss = self.expect_loss(source, len, inline);
        let free = self.free_places(len.min(self.arena.len() + 1));

        // Room can be kept exactly if the event would not be lost, and what is kept is not given twice.
        let outline = event.outline();
        let room = self.machine.reserve(id, &outline, Make::Nothing);
        assert_eq!(room.as_ref().err(), loss.as_ref(), "room for {len} bytes");
        if let Ok(room) = room {
            let second = self.machine.reserve(id, &outline, Make::Nothing);
            if self.room() == 1 {
                assert!(second.is_err(), "the only place is kept twice");
            }
            self.machine.release(room);
            if let Ok(second) = second {
                self.machine.release(second);
            }
        }

        let arena = &mut self.arena;
        let mut place = 0..0;
        let (lane, result) = self.machine.post(id, &event, |p| {
            arena[p.clone()].copy_from_slice(&payload);
            place = p;
        });
        assert_eq!(lane, 0);
        assert_eq!(result.err(), loss, "post of {len} bytes");

        match loss {
            None => {
                let mut bytes = [0; 8];
                if inline {
                    bytes[..len].copy_from_slice(&payload);
                }
                let mut flags = if inline { abi::RECORD_INLINE } else { 0 };
                if value.is_some() {
                    flags |= abi::RECORD_VALUE;
                }
                if !inline && len > 0 {
                    assert_eq!(place.len(), len);
                    assert!(free.contains(&place.start), "the block is not free");
                } else {
                    assert!(place.is_empty());
                }
                let record = Record {
                    seq: self.next_seq,
                    source_seq,
                    source,
                    kind: if kind < abi::FIRST_RESERVED_KIND {
                        kind
                    } else {
                        0
                    },
                    flags,
                    time_ns: event.time_ns,
                    value: value.unwrap_or(u64::from_ne_bytes(bytes)),
                    handle: 0,
                    cookie: self.places[index].cookie,
                    payload_len: len as u32,
                    signo: SIGNO,
                    reason: 0,
                };
                let payload = if inline { Vec::new() } else { payload };
                self.expect(record, place, payload);
            }
            Some(loss) => {
                assert!(place.is_empty(), "filled and lost");
                self.lost[loss as usize] += 1;
                self.places[index]
                    .lost
                    .push((source_seq, loss, event.time_ns));
                self.flush_gap(index);
            }
        }
    }

    fn subscribe(&mut self, source: u32, cookie: Option<u64>) {
        let result = self.machine.subscribe(source, 0, cookie);
        let free = self
            .places
            .iter()
            .position(|p| !p.in_use && p.lost.is_empty());
        if self.places.iter().any(|p| p.in_use && p.source == source) {
            assert_eq!(result, Err(SubscribeError::Exists));
        } else if let Some(index) = free {
            self.ids.insert(source, result.unwrap());
            self.ended = false;
            self.places[index] = Place {
                source,
                cookie: cookie.unwrap_or(COOKIE),
                in_use: true,
                lost: Vec::new(),
            };
        } else {
            assert_eq!(result, Err(SubscribeError::Full));
        }
    }

    fn unsubscribe(&mut self, source: u32) {
        let result = self.machine.unsubscribe(source);
        if self.ids.remove(&source).is_some() {
            assert_eq!(result, Ok(()));
            let place = self
                .places
                .iter_mut()
                .find(|p| p.in_use && p.source == source);
            place.unwrap().in_use = false;
        } else {
            assert_eq!(result, Err(SubscribeError::NotFound));
        }
    }

    /// What a claim shows is what was posted.
    fn check_claim(&mut self, claim: &Claim) {
        let index = self.index_of(claim);
        let expected = &mut self.queue[index];
        assert!(!expected.held, "claimed twice");
        expected.held = true;
        let handle = claim.record.handle;
        assert_eq!(
            Record {
                handle: 0,
                ..claim.record
            },
            expected.record
        );
        assert!(handle != 0 && handle >> 63 == 0 && handle.is_multiple_of(1 << 21));
        assert!(!self.gone.contains(&handle), "a stale handle resolves");
        assert_eq!(claim.place.len(), expected.payload.len());
        assert_eq!(self.arena[claim.place.clone()], expected.payload);
        self.handles.push(handle);
    }

    fn index_of(&self, claim: &Claim) -> usize {
        let seq = claim.record.seq;
        self.queue.iter().position(|e| e.record.seq == seq).unwrap()
    }

    /// Claims as `read` does; the oldest record that nobody holds comes first.
    fn claim(&mut self) -> Option<Claim> {
        let first = self.queue.iter().find(|e| !e.held).map(|e| e.record.seq);
        let claim = self.machine.claim();
        assert_eq!(claim.as_ref().map(|c| c.record.seq), first);
        if let Some(claim) = &claim {
            self.check_claim(claim);
        }
        claim
    }

    fn claim_handle(&mut self, handle: u64) -> Result<Claim, HandleError> {
        match self.machine.claim_handle(handle) {
            Ok((claim, offset)) => {
                assert_eq!(claim.record.handle + offset as u64, handle);
                self.check_claim(&claim);
                Ok(claim)
            }
            Err(error) => {
                self.stale += u64::from(error != HandleError::Busy);
                if error == HandleError::Busy {
                    assert!(self
                        .held
                        .iter()
                        .any(|c| c.record.handle == handle >> 21 << 21));
                }
                Err(error)
            }
        }
    }

    fn consume(&mut self, claim: Claim, consumer: Consumer) {
        let index = self.index_of(&claim);
        // Nobody wrote there while the reader held it.
        assert_eq!(self.arena[claim.place.clone()], self.queue[index].payload);
        let expected = self.queue.remove(index);
        assert!(expected.held);
        self.gone.push(claim.record.handle);
        self.consumed += u64::from(!expected.record.is_gap());
        assert_eq!(self.machine.consume(claim, consumer), 0);
        self.flush_gaps();
        if !self.lazy {
            self.pump();
        }
    }

    fn flush_gaps(&mut self) {
        for id in 0..self.places.len() {
            self.flush_gap(id);
        }
    }

    fn unclaim(&mut self, claim: Claim) {
        let index = self.index_of(&claim);
        let queued = self.queue.len();
        self.queue[index].held = false;
        if self.queue[index].orphan {
            let orphan = self.queue.remove(index);
            self.gone.push(claim.record.handle);
            self.discarded += u64::from(!orphan.record.is_gap());
        }
        let orphan = self.queue.len() < queued;
        assert_eq!(self.machine.unclaim(claim), 0);
        if orphan {
            self.flush_gaps();
        }
        self.pump();
    }

    fn drain(&mut self) {
        while let Some(claim) = self.claim() {
            self.consume(claim, Consumer::Read);
        }
    }

    /// What a program that keeps the contract does with a signal, and not a bit more.
    fn act(&mut self, signal: Pending) {
        match (self.shape.mode, signal) {
            (Mode::PerEvent, Pending::Handle(handle)) => match self.claim_handle(handle) {
                Ok(claim) => self.consume(claim, Consumer::Handle),
                // Somebody else is at it.
                Err(HandleError::Busy) => {}
                Err(_) => self.drain(),
            },
            _ => self.drain(),
        }
    }

    fn pump(&mut self) {
        let sent = pump(&mut self.machine, &mut self.target);
        assert!(!self.ended || sent.is_empty(), "a signal after the end");
        for signal in sent {
            if let rtnotify_core::machine::Signal::Queued { handle } = signal {
                self.handles.push(handle);
            }
        }
        if !self.target.is_pending() {
            self.early = 0;
        }
        let most = self.shape.window as usize + self.early;
        assert!(
            self.target.handles() <= most,
            "more signals than the window"
        );
    }

    fn step(&mut self, op: &Op) {
        match *op {
            Op::Post {
                source,
                len,
                value,
                kind,
            } => self.post(source, len, value, kind),
            Op::Subscribe(source, cookie) => self.subscribe(source, cookie),
            Op::Unsubscribe(source) => self.unsubscribe(source),
            Op::Take => self.taken.extend(self.target.take()),
            Op::Act if !self.taken.is_empty() => {
                let signal = self.taken.remove(0);
                self.act(signal);
            }
            Op::Read => {
                if let Some(claim) = self.claim() {
                    self.consume(claim, Consumer::Read);
                }
            }
            Op::Drain => self.drain(),
            Op::Hold => {
                let claim = self.claim();
                self.held.extend(claim);
            }
            Op::ByHandle(index, offset) if !self.handles.is_empty() => {
                let handle = *index.get(&self.handles);
                if let Ok(claim) = self.claim_handle(handle + offset as u64) {
                    self.early += 1;
                    self.consume(claim, Consumer::Handle);
                }
            }
            Op::HoldHandle(index) if !self.handles.is_empty() => {
                let handle = *index.get(&self.handles);
                if let Ok(claim) = self.claim_handle(handle) {
                    self.early += 1;
                    self.held.push(claim);
                }
            }
            Op::Forge(handle) => {
                let result = self.claim_handle(handle);
                if handle >> 63 != 0 || handle < 1 << 21 || handle >> 21 == (1 << 42) - 1 {
                    assert_eq!(result.as_ref().err(), Some(&HandleError::Invalid));
                }
                // A guess may be right; then it is that very event.
                self.held.extend(result.ok());
            }
            Op::Near(index, delta) if !self.handles.is_empty() => {
                let near = index.get(&self.handles).wrapping_add_signed(delta << 21);
                if let Ok(claim) = self.claim_handle(near) {
                    self.unclaim(claim);
                }
            }
            Op::ConsumeHeld(index) if !self.held.is_empty() => {
                let claim = self.held.remove(index.index(self.held.len()));
                let early = self.early;
                self.consume(claim, Consumer::Handle);
                // It may have been claimed by `read`.
                self.early = early;
            }
            Op::UnclaimHeld(index) if !self.held.is_empty() => {
                let claim = self.held.remove(index.index(self.held.len()));
                self.unclaim(claim);
            }
            Op::Limit(limit) => self.target.limit = limit,
            Op::Foreign => self.target.send_foreign(),
            Op::TargetGone => {
                self.target.flush();
                self.taken.clear();
                self.target.alive = false;
            }
            Op::TargetNew => self.new_target(),
            Op::Discard => self.discard(),
            _ => {}
        }
        self.pump();
        self.check();
    }

    fn new_target(&mut self) {
        self.target.flush();
        self.taken.clear();
        self.target.alive = true;
        self.machine.reset_signals(0);
    }

    fn discard(&mut self) {
        let mut lost = 0;
        for e in &mut self.queue {
            if e.held {
                e.orphan = true;
            } else {
                lost += u64::from(!e.record.is_gap());
            }
        }
        self.queue.retain(|e| e.held);
        self.discarded += lost;
        self.ids.clear();
        self.ended = true;
        self.places.fill(Place::default());
        assert_eq!(self.machine.discard(), lost);
        // The module takes back what was still pending.
        self.target.flush();
        self.taken.clear();
    }

    fn check(&self) {
        let m = &self.machine;
        let c = *m.counters();
        let events = self.queue.iter().filter(|e| !e.record.is_gap()).count() as u64;
        assert_eq!(m.queued(), events);
        assert_eq!(m.is_empty(), self.queue.is_empty());
        assert_eq!(m.subscription_count() as usize, self.ids.len());
        assert_eq!(
            (c.posted, c.consumed, c.lost_discarded, c.gaps, c.stale),
            (
                self.posted,
                self.consumed,
                self.discarded,
                self.gaps,
                self.stale
            )
        );
        assert_eq!(
            [c.lost_queue_full, c.lost_quota, c.lost_too_large],
            self.lost
        );
        assert_eq!(
            c.posted,
            c.consumed
                + m.queued()
                + c.lost_queue_full
                + c.lost_quota
                + c.lost_too_large
                + c.lost_discarded
        );
        let used: usize = self
            .queue
            .iter()
            .filter(|e| !e.place.is_empty())
            .map(|e| e.place.len().div_ceil(UNIT).next_power_of_two() * UNIT)
            .sum();
        assert_eq!(m.quota_used(), used);
        for (i, e) in self.queue.iter().enumerate() {
            assert!(i == 0 || e.record.seq > self.queue[i - 1].record.seq);
        }
        assert!(!self.ended || !m.is_refused());
        self.check_wake_up();
    }

    /// Whether a reader keeps a place of the window: with one signal per event, it is free again only when that
    /// reader has done with its event.
    fn is_window_held(&self) -> bool {
        self.shape.mode == Mode::PerEvent && !self.held.is_empty()
    }

    /// Whatever is queued, and is not being read, has a signal pending or taken that leads to it.
    fn check_wake_up(&self) {
        let waiting = self.queue.iter().any(|e| !e.held);
        if waiting && self.target.alive && !self.is_window_held() {
            assert!(
                self.target.is_pending() || !self.taken.is_empty(),
                "lost wake-up: {:?}",
                self.machine
            );
        }
    }

    /// The target takes every signal and acts on it. Then nothing but held records is left.
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 1000, "doorbells without end");
            self.taken.extend(self.target.take());
            if self.taken.is_empty() {
                break;
            }
            let signal = self.taken.remove(0);
            self.act(signal);
            self.pump();
            self.check();
        }
        assert!(
            self.queue.iter().all(|e| e.held) || self.is_window_held(),
            "lost wake-up: {:?}",
            self.machine
        );
    }

    fn finish(mut self, consume: bool) {
        if !self.target.alive {
            self.new_target();
            self.pump();
        }
        self.settle();
        while let Some(claim) = self.held.pop() {
            if consume {
                self.consume(claim, Consumer::Read);
            } else {
                self.unclaim(claim);
            }
            self.pump();
            self.settle();
        }
        self.check();
        assert!(self.queue.is_empty());
        assert!(
            self.places.iter().all(|p| p.lost.is_empty()),
            "a gap never came out"
        );
        assert_eq!(self.machine.quota_used(), 0);
        for handle in std::mem::take(&mut self.gone) {
            assert!(self.claim_handle(handle).is_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("RTNOTIFY_CASES").ok().and_then(|v| v.parse().ok()).unwrap_or(1000),
        max_shrink_iters: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_interleavings(
        shape in shape(),
        ops in prop::collection::vec(op(), 1..120),
        consume: bool,
        lazy: bool,
    ) {
        let mut world = World::new(shape, lazy);
        world.subscribe(0, None);
        for op in ops {
            world.step(&op);
        }
        world.finish(consume);
    }
}
