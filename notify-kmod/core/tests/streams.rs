// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a reader sees, whatever the policies, lanes, filters and modes: of each source, every number that passes
//! the filter exactly once, in order, as an event or inside a gap; then the end of the source, if it has ended.
//!
//! The model here is only that: it does not say which events are lost, but that those that are not are right,
//! that those that are are named, and that a policy keeps what it promises to keep.

mod common;

use common::{Heap, Pending, Target};
use proptest::prelude::*;
use rtnotify_core::{
    abi::{self, Record},
    machine::{
        Claim, Consumer, Counters, Event, LaneConfig, LaneError, Loss, Machine, Make, Mode,
        Outline, Policy, Room, Signal, SubscriptionId,
    },
    pool::{Pin, Unit, UNIT},
    slots::Slot,
    subscription::Filter,
};
use std::{collections::BTreeMap, ops::Range};

const SOURCES: u32 = 4;

#[derive(Clone, Debug)]
enum Op {
    Post(u32, u16, Option<u64>, usize),
    /// Keep room for an event and write its payload; post the oldest such event, or give its room back.
    Reserve(u32, u16, Option<u64>, usize),
    Commit,
    Cancel,
    /// Read one record, of any lane or of one.
    Read(Option<usize>),
    Drain,
    /// The target takes a signal and does what the contract asks for.
    Act,
    Hold,
    Release(bool),
    /// Keeps the payload of the next record in its place, and gives one up.
    Pin,
    Unpin,
    Gone(u32),
    SetMode(usize, Mode, u32),
    Limit(usize),
    TargetNew(usize),
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        Just(Mode::PerEvent),
        Just(Mode::Window),
        Just(Mode::Coalesced)
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(Policy::RejectNewest),
        Just(Policy::DropOldest),
        Just(Policy::LatestOnly)
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let len = prop_oneof![3 => 0usize..=8, 3 => 9usize..300, 1 => 300usize..2000];
    let event = (0..SOURCES, 0u16..4, any::<Option<u64>>(), len);
    prop_oneof![
        30 => event.clone().prop_map(|(s, k, v, l)| Op::Post(s, k, v, l)),
        8 => event.prop_map(|(s, k, v, l)| Op::Reserve(s, k, v, l)),
        7 => Just(Op::Commit),
        1 => Just(Op::Cancel),
        6 => prop::option::of(0usize..3).prop_map(Op::Read),
        2 => Just(Op::Drain),
        8 => Just(Op::Act),
        4 => Just(Op::Hold),
        4 => any::<bool>().prop_map(Op::Release),
        3 => Just(Op::Pin),
        2 => Just(Op::Unpin),
        1 => (0..SOURCES).prop_map(Op::Gone),
        1 => (0usize..3, mode(), 1u32..4).prop_map(|(l, m, w)| Op::SetMode(l, m, w)),
        2 => prop_oneof![Just(0usize), 1usize..4, Just(1000)].prop_map(Op::Limit),
        1 => (0usize..3).prop_map(Op::TargetNew),
    ]
}

fn lane(signo: u16) -> impl Strategy<Value = LaneConfig> {
    (mode(), policy(), 1u32..4, 2u32..10).prop_map(move |(mode, policy, window, queue_len)| {
        LaneConfig {
            signo,
            mode,
            window,
            queue_len,
            policy,
        }
    })
}

/// Whether the filter of the test lets an event pass.
fn passes(filter: &Filter, kind: u16, value: Option<u64>) -> bool {
    let kind = kind >= filter.kind_first && kind <= filter.kind_last;
    kind && value.unwrap_or(0) & filter.value_mask == filter.value_match
}

struct Source {
    id: Option<SubscriptionId>,
    lane: usize,
    filter: Filter,
    seq: u64,
    /// What passed the filter and has been neither delivered nor named in a gap, with its payload.
    due: BTreeMap<u64, Vec<u8>>,
    ended: bool,
    end_seen: bool,
}

/// An event between [`Machine::reserve`] and [`Machine::post_into`].
struct Reserved {
    source: u32,
    id: SubscriptionId,
    outline: Outline,
    room: Result<Room, Loss>,
    payload: Vec<u8>,
}

struct World {
    machine: Machine<Heap>,
    arena: Vec<u8>,
    targets: Vec<Target>,
    sources: Vec<Source>,
    held: Vec<Claim>,
    reserved: Vec<Reserved>,
    /// With what must stay at their places.
    pinned: Vec<(Pin, Range<usize>, Vec<u8>)>,
    last_seq: Vec<u64>,
    delivered: u64,
    named: u64,
}

impl World {
    fn new(lanes: &[LaneConfig], filters: &[Filter], units: usize) -> Self {
        fn many<T: Default>(n: usize) -> Vec<T> {
            std::iter::repeat_with(T::default).take(n).collect()
        }
        let capacity: u32 = lanes.iter().map(|lane| lane.queue_len).sum();
        let mut machine = Machine::<Heap>::new(
            many::<Slot>(capacity as usize),
            many::<Unit>(units),
            many(SOURCES as usize),
            lanes[0],
            0,
            77,
        );
        for (index, lane) in lanes.iter().enumerate().skip(1) {
            assert_eq!(machine.add_lane(*lane), Ok(index));
            assert_eq!(machine.add_lane(*lane), Err(LaneError::Exists));
        }
        let more = LaneConfig {
            signo: 63,
            ..lanes[0]
        };
        assert_eq!(machine.add_lane(more), Err(LaneError::Capacity));
        let sources = (0..SOURCES)
            .map(|number| {
                let lane = number as usize % lanes.len();
                let filter = filters[number as usize % filters.len()];
                let id = machine.subscribe_filtered(number, lane, None, filter);
                Source {
                    id: Some(id.unwrap()),
                    lane,
                    filter,
                    seq: 0,
                    due: BTreeMap::new(),
                    ended: false,
                    end_seen: false,
                }
            })
            .collect();
        Self {
            machine,
            arena: vec![0; units * UNIT],
            targets: lanes.iter().map(|_| Target::new(1000)).collect(),
            sources,
            held: Vec::new(),
            reserved: Vec::new(),
            pinned: Vec::new(),
            last_seq: vec![0; lanes.len()],
            delivered: 0,
            named: 0,
        }
    }

    fn pump(&mut self) {
        for index in 0..self.targets.len() {
            for round in 0.. {
                assert!(round < 10_000, "the lane never stops asking");
                let target = &mut self.targets[index];
                let pending = target.is_pending() == self.machine.needs_pending(index);
                let Some(signal) = self.machine.next_signal(index, pending) else {
                    break;
                };
                if signal == Signal::Fallback {
                    assert!(!target.is_pending(), "a doorbell beside a pending one");
                }
                let outcome = target.send(signal);
                if !self.machine.signal_result(index, signal, outcome) {
                    break;
                }
            }
            // A changed mode may leave those of the mode before.
            assert!(self.targets[index].handles() <= 8, "without bound");
        }
    }

    fn post(&mut self, number: u32, kind: u16, value: Option<u64>, len: usize) {
        let source = &mut self.sources[number as usize];
        let Some(id) = source.id else { return };
        source.seq += 1;
        let seq = source.seq;
        let payload: Vec<u8> = (0..len)
            .map(|i| (i as u64 + seq * 7 + u64::from(number)) as u8)
            .collect();
        if passes(&source.filter, kind, value) {
            source.due.insert(seq, payload.clone());
        }
        let index = source.lane;
        let event = Event {
            source_seq: seq,
            kind,
            time_ns: seq,
            value,
            payload: &payload,
        };
        let before = *self.machine.counters();
        let arena = &mut self.arena;
        let (lane, result) = self
            .machine
            .post(id, &event, |place| arena[place].copy_from_slice(&payload));
        assert_eq!(lane, index);
        let after = *self.machine.counters();
        let config = self.machine.lane_config(index).unwrap();
        if config.policy == Policy::RejectNewest {
            assert_eq!(
                (after.lost_oldest, after.lost_superseded),
                (before.lost_oldest, before.lost_superseded)
            );
        } else if self.held.is_empty()
            && self.reserved.is_empty()
            && result.is_err()
            && len.div_ceil(UNIT).next_power_of_two() * UNIT <= self.arena.len()
            && config.policy == Policy::DropOldest
        {
            // Only notes and other lanes' payloads are in its way.
            let mut notes = 0;
            while let Some(claim) = self.claim(Some(index)) {
                assert!(!claim.record.is_event(), "an older event was kept");
                notes += 1;
                self.release(claim, true);
            }
            assert!(notes > 0 || self.machine.quota_used() > 0);
        }
    }

    fn reserve(&mut self, number: u32, kind: u16, value: Option<u64>, len: usize) {
        let Some(id) = self.sources[number as usize].id else {
            return;
        };
        let outline = Outline { kind, value, len };
        let before = *self.machine.counters();
        let waiting = self.reserved.len() % 2 == 1;
        let make = if waiting { Make::Nothing } else { Make::Room };
        let room = self.machine.reserve(id, &outline, make);
        let after = *self.machine.counters();
        assert_eq!(after.posted, before.posted, "nothing has been posted");
        if waiting {
            let withdrawn = |c: &Counters| (c.lost_oldest, c.lost_superseded);
            assert_eq!(withdrawn(&after), withdrawn(&before));
            if room.is_err() {
                return;
            }
        }
        let payload: Vec<u8> = (0..len)
            .map(|i| (i * 3 + self.reserved.len()) as u8)
            .collect();
        if let Ok(room) = &room {
            if let Some(place) = room.place(len) {
                self.arena[place].copy_from_slice(&payload);
            }
        }
        self.reserved.push(Reserved {
            source: number,
            id,
            outline,
            room,
            payload,
        });
    }

    fn commit(&mut self) {
        if self.reserved.is_empty() {
            return;
        }
        let Reserved {
            source: number,
            id,
            outline,
            room,
            payload,
        } = self.reserved.remove(0);
        let source = &mut self.sources[number as usize];
        if source.id.is_none() {
            // The end is in the stream: nothing can come after it.
            if let Ok(room) = room {
                self.machine.release(room);
            }
            return;
        }
        source.seq += 1;
        let seq = source.seq;
        if passes(&source.filter, outline.kind, outline.value) {
            source.due.insert(seq, payload.clone());
        }
        let event = Event {
            source_seq: seq,
            kind: outline.kind,
            time_ns: seq,
            value: outline.value,
            payload: &payload,
        };
        match room {
            Ok(room) => {
                if let Some(place) = room.place(outline.len) {
                    assert_eq!(self.arena[place], payload, "somebody wrote into kept room");
                }
                let (lane, _) = self.machine.post_into(id, &event, room);
                assert_eq!(lane, source.lane);
            }
            Err(loss) => {
                let lane = self.machine.post_refused(id, &event, loss);
                assert_eq!(lane, source.lane);
            }
        }
    }

    fn cancel(&mut self) {
        if let Some(reserved) = self.reserved.pop() {
            if let Ok(room) = reserved.room {
                self.machine.release(room);
            }
        }
    }

    /// What a reader sees is right.
    fn see(&mut self, record: &Record, payload: &[u8]) {
        let source = &mut self.sources[record.source as usize];
        assert!(!source.end_seen, "something after the end");
        if record.kind == abi::KIND_GONE {
            assert!(source.ended && source.due.is_empty(), "the end came early");
            assert_eq!(record.source_seq, source.seq);
            source.end_seen = true;
        } else if record.is_gap() {
            let range = record.source_seq..=record.value;
            let named: Vec<u64> = source.due.range(range.clone()).map(|(n, _)| *n).collect();
            assert_eq!(named.len(), record.payload_len as usize, "{record:?}");
            assert_eq!(named.first(), Some(range.start()));
            assert_eq!(named.last(), Some(range.end()));
            assert_eq!(
                source.due.first_key_value().map(|(n, _)| *n),
                named.first().copied()
            );
            assert_ne!(record.reason, 0);
            for number in named {
                source.due.remove(&number);
            }
            self.named += u64::from(record.payload_len);
        } else {
            let (number, expected) = source.due.pop_first().unwrap();
            assert_eq!(
                record.source_seq, number,
                "out of order, twice, or never lost"
            );
            if record.flags & abi::RECORD_INLINE == 0 {
                assert_eq!(payload, expected);
            } else {
                assert_eq!(record.value.to_ne_bytes()[..expected.len()], expected);
            }
            self.delivered += 1;
        }
    }

    fn claim(&mut self, lane: Option<usize>) -> Option<Claim> {
        match lane {
            Some(index) => self.machine.claim_from(index),
            None => self.machine.claim(),
        }
    }

    /// Consumes or puts back what was claimed.
    fn release(&mut self, claim: Claim, consume: bool) {
        if consume {
            let payload = self.arena[claim.place.clone()].to_vec();
            self.see(&claim.record.clone(), &payload);
            self.machine.consume(claim, Consumer::Read);
        } else {
            self.machine.unclaim(claim);
        }
        self.pump();
    }

    fn read(&mut self, lane: Option<usize>) -> bool {
        // A reader that holds something earlier of the source would break its order, not the machine.
        if !self.held.is_empty() {
            return false;
        }
        let Some(claim) = self.claim(lane) else {
            return false;
        };
        let index = self.machine.lane_of(u32::from(claim.record.signo)).unwrap();
        assert!(lane.is_none_or(|lane| lane == index));
        assert!(claim.record.seq > self.last_seq[index], "a lane is a FIFO");
        self.last_seq[index] = claim.record.seq;
        if lane.is_none() {
            // Nothing is queued in a lane that goes before.
            for other in 0..self.targets.len() {
                let signo = self.machine.lane_config(other).unwrap().signo;
                if signo < claim.record.signo {
                    assert!(self.machine.claim_from(other).is_none());
                }
            }
        }
        self.release(claim, true);
        true
    }

    /// Takes one signal of a lane and does what its mode asks for.
    fn act(&mut self, index: usize) -> bool {
        let Some(signal) = self.targets[index].take() else {
            return false;
        };
        let mode = self.machine.lane_config(index).unwrap().mode;
        if let (Mode::PerEvent, Pending::Handle(handle)) = (mode, signal) {
            if let Ok((claim, _)) = self.machine.claim_handle(handle) {
                // Out of order it would be if the lane has something older: put it back and drain.
                self.machine.unclaim(claim);
            }
        }
        while self.read(Some(index)) {}
        self.pump();
        true
    }

    fn step(&mut self, op: &Op) {
        let lanes = self.targets.len();
        match *op {
            Op::Post(source, kind, value, len) => self.post(source, kind, value, len),
            Op::Reserve(source, kind, value, len) => self.reserve(source, kind, value, len),
            Op::Commit => self.commit(),
            Op::Cancel => self.cancel(),
            Op::Read(lane) => {
                self.read(lane.map(|lane| lane % lanes));
            }
            Op::Drain => while self.read(None) {},
            Op::Act => {
                for index in 0..lanes {
                    if self.held.is_empty() {
                        self.act(index);
                    }
                }
            }
            Op::Hold => {
                if self.held.len() < 2 {
                    let claim = self.machine.claim();
                    self.held.extend(claim);
                }
            }
            Op::Release(consume) => {
                // The oldest first when it is consumed, so that the oracle sees the order.
                if !self.held.is_empty() {
                    let claim = if consume {
                        self.held.remove(0)
                    } else {
                        self.held.pop().unwrap()
                    };
                    self.last_seq.fill(0);
                    self.release(claim, consume);
                }
            }
            Op::Pin => {
                if let Some(claim) = self.machine.claim() {
                    let place = claim.place.clone();
                    if let Some(pin) = self.machine.pin(&claim) {
                        let bytes = self.arena[place.clone()].to_vec();
                        self.pinned.push((pin, place, bytes));
                    } else {
                        assert!(place.is_empty());
                    }
                    self.machine.unclaim(claim);
                }
            }
            Op::Unpin => {
                if !self.pinned.is_empty() {
                    let (pin, ..) = self.pinned.remove(0);
                    self.machine.unpin(pin);
                }
            }
            Op::Gone(number) => {
                let source = &mut self.sources[number as usize];
                if source.id.take().is_some() {
                    source.ended = true;
                    let (seq, lane) = (source.seq, source.lane);
                    assert_eq!(self.machine.source_gone(number, seq, seq), Some(lane));
                }
                assert_eq!(self.machine.source_gone(number, 0, 0), None);
            }
            Op::SetMode(lane, mode, window) => self.machine.set_mode(lane % lanes, mode, window),
            Op::Limit(limit) => self.targets.iter_mut().for_each(|t| t.limit = limit),
            Op::TargetNew(lane) => {
                self.targets[lane % lanes].flush();
                self.machine.reset_signals(lane % lanes);
            }
        }
        self.pump();
        self.check();
    }

    fn check(&mut self) {
        let c = *self.machine.counters();
        let lost = c.lost_queue_full
            + c.lost_quota
            + c.lost_too_large
            + c.lost_discarded
            + c.lost_oldest
            + c.lost_superseded;
        assert_eq!(c.posted, c.consumed + self.machine.queued() + lost);
        assert_eq!(c.consumed, self.delivered);
        for (_, place, bytes) in &self.pinned {
            assert_eq!(
                self.arena[place.clone()],
                *bytes,
                "a pinned payload changed"
            );
        }
        // A lane that has something has somebody who will come for it.
        if self.held.is_empty() {
            for index in 0..self.targets.len() {
                if let Some(claim) = self.machine.claim_from(index) {
                    self.machine.unclaim(claim);
                    self.pump();
                    assert!(self.targets[index].is_pending(), "lost wake-up");
                }
            }
        }
    }

    fn finish(mut self) {
        while let Some(claim) = self.held.pop() {
            self.release(claim, false);
        }
        while !self.reserved.is_empty() {
            self.commit();
            self.pump();
        }
        self.last_seq.fill(0);
        // Nothing but signals tells the reader to come.
        for index in 0..self.targets.len() {
            for round in 0.. {
                assert!(round < 1000, "doorbells without end");
                if !self.act(index) {
                    break;
                }
            }
        }
        self.check();
        assert!(self.machine.is_empty());
        while let Some((pin, ..)) = self.pinned.pop() {
            assert!(self.machine.quota_used() > 0, "pinned blocks count");
            self.machine.unpin(pin);
        }
        assert_eq!(self.machine.quota_used(), 0);
        for source in &self.sources {
            assert!(
                source.due.is_empty(),
                "neither delivered nor lost: {:?}",
                source.due.keys()
            );
            assert_eq!(source.ended, source.end_seen);
        }
    }
}

fn filters() -> impl Strategy<Value = Vec<Filter>> {
    let filter = prop_oneof![
        3 => Just(Filter::default()),
        1 => Just(Filter { kind_first: 1, kind_last: 2, ..Filter::default() }),
        1 => Just(Filter { value_mask: 1, value_match: 1, ..Filter::default() }),
        1 => Just(Filter { kind_first: 2, kind_last: 1, ..Filter::default() }),
    ];
    prop::collection::vec(filter, 1..=SOURCES as usize)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("RTNOTIFY_CASES").ok().and_then(|v| v.parse().ok()).unwrap_or(1000),
        max_shrink_iters: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_event_is_delivered_or_named(
        first in lane(40),
        second in prop::option::of(lane(38)),
        third in prop::option::of(lane(42)),
        filters in filters(),
        units in 0usize..40,
        ops in prop::collection::vec(op(), 1..150),
    ) {
        let lanes: Vec<_> = [Some(first), second, third].into_iter().flatten().collect();
        let mut world = World::new(&lanes, &filters, units);
        for op in &ops {
            world.step(op);
        }
        world.finish();
    }
}

/// A gap ends before an event that a reader holds, though the reader may still be the slower one.
#[test]
fn gap_does_not_reach_over_what_a_reader_holds() {
    let lane = LaneConfig {
        signo: 40,
        mode: Mode::Window,
        window: 1,
        queue_len: 4,
        policy: Policy::DropOldest,
    };
    let mut world = World::new(&[lane], &[Filter::default()], 0);
    for _ in 0..6 {
        world.post(0, 0, None, 0);
    }
    let gap = world.machine.claim().unwrap();
    let four = world.machine.claim().unwrap();
    assert!(gap.record.is_gap() && four.record.source_seq == 4);
    world.machine.unclaim(gap);
    world.post(0, 0, None, 0);
    world.machine.unclaim(four);
    let mut seen = Vec::new();
    while let Some(claim) = world.machine.claim() {
        let record = claim.record;
        seen.push((record.source_seq, record.is_gap().then_some(record.value)));
        world.release(claim, true);
    }
    assert_eq!(seen, [(1, Some(3)), (4, None), (5, Some(6)), (7, None)]);
}
