// SPDX-License-Identifier: MIT OR Apache-2.0

//! A published lane under random interleavings: what is put into the ring is what was posted, in order, each event
//! once or in a gap; nothing that is still in the ring is overwritten; no wake-up is lost.

mod common;

use common::{pump, Heap, Shape, Target};
use proptest::prelude::*;
use rtnotify_core::{
    abi::Record,
    machine::{Event, Machine, Mode, SubscriptionId},
    published::PublishError,
    slots::HandleError,
};
use std::collections::VecDeque;

#[derive(Clone, Debug)]
enum Op {
    Post(usize),
    /// The other side is done with so many.
    Advance(u32),
    /// It takes a doorbell, and drains.
    Act,
    Arm,
    Gone,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => (0usize..300).prop_map(Op::Post),
        6 => (0u32..5).prop_map(Op::Advance),
        4 => Just(Op::Act),
        2 => Just(Op::Arm),
        1 => Just(Op::Gone),
    ]
}

struct World {
    machine: Machine<Heap>,
    arena: Vec<u8>,
    id: SubscriptionId,
    target: Target,
    /// What the ring shows, with where the payload lies and what it is.
    ring: VecDeque<(Record, usize, Vec<u8>)>,
    posted: u64,
    gone: bool,
    /// Last number seen by the other side.
    seen: u64,
    delivered: u64,
    lost: u64,
    payloads: Vec<Vec<u8>>,
}

impl World {
    fn publish(&mut self) {
        while let Some((record, offset)) = self.machine.publish(0) {
            let payload = if record.trailing_len() > 0 {
                let payload = self.payloads[record.source_seq as usize - 1].clone();
                assert_eq!(self.arena[offset..offset + payload.len()], payload);
                payload
            } else {
                Vec::new()
            };
            self.ring.push_back((record, offset, payload));
        }
        pump(&mut self.machine, &mut self.target);
    }

    fn advance(&mut self, count: u32) {
        let there = self.ring.len() as u32;
        assert_eq!(self.machine.advance(0, count), count.min(there));
        for _ in 0..count.min(there) {
            let (record, offset, payload) = self.ring.pop_front().unwrap();
            assert_eq!(
                self.arena[offset..offset + payload.len()],
                payload,
                "overwritten"
            );
            if record.is_gap() {
                assert_eq!(record.source_seq, self.seen + 1);
                self.seen = record.value;
                self.lost += u64::from(record.payload_len);
            } else if record.is_event() {
                assert_eq!(record.source_seq, self.seen + 1);
                self.seen = record.source_seq;
                self.delivered += 1;
            } else {
                assert_eq!((record.source_seq, self.gone), (self.seen, true));
            }
        }
        self.publish();
    }

    fn drain(&mut self) {
        while !self.ring.is_empty() {
            self.advance(u32::MAX);
        }
        assert_eq!(self.machine.arm(0), Ok(()));
    }

    fn step(&mut self, op: &Op) {
        match *op {
            Op::Post(len) if !self.gone => {
                self.posted += 1;
                let payload: Vec<u8> = (0..len)
                    .map(|i| (i as u64 * 3 + self.posted) as u8)
                    .collect();
                self.payloads.push(payload.clone());
                let event = Event {
                    source_seq: self.posted,
                    kind: 0,
                    time_ns: 0,
                    value: None,
                    payload: &payload,
                };
                let arena = &mut self.arena;
                let fill = |place: std::ops::Range<usize>| arena[place].copy_from_slice(&payload);
                let _ = self.machine.post(self.id, &event, fill);
            }
            Op::Advance(count) => self.advance(count),
            Op::Act => {
                if self.target.take().is_some() {
                    self.drain();
                }
            }
            Op::Arm => {
                let armed = self.machine.arm(0);
                assert_eq!(armed.is_ok(), self.ring.is_empty());
            }
            Op::Gone => {
                self.gone = true;
                self.machine.source_gone(0, self.posted, 0);
            }
            Op::Post(_) => {}
        }
        self.publish();
        self.check();
    }

    fn check(&mut self) {
        let c = *self.machine.counters();
        let lost = c.lost_queue_full + c.lost_quota + c.lost_too_large;
        assert_eq!(c.posted, c.consumed + self.machine.queued() + lost);
        assert_eq!(c.consumed, self.delivered);
        assert!(self.machine.claim().is_none() && !self.machine.is_readable());
        if let Some((record, ..)) = self.ring.front() {
            let claimed = self.machine.claim_handle(record.handle);
            assert_eq!(claimed.err(), Some(HandleError::Published));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("RTNOTIFY_CASES").ok().and_then(|v| v.parse().ok()).unwrap_or(1000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn ring_shows_everything_once(
        window in any::<bool>(),
        queue_len in 1u32..12,
        units in 0usize..40,
        ops in prop::collection::vec(op(), 1..150),
    ) {
        let mode = if window { Mode::Window } else { Mode::Coalesced };
        let shape = Shape { units, ..Shape::new(mode, 2, queue_len) };
        let mut machine = shape.machine();
        let id = machine.subscribe(0, 0, None).unwrap();
        assert_eq!(machine.start_publishing(0), Ok(()));
        assert_eq!(machine.start_publishing(0), Err(PublishError::Busy));
        let mut world = World {
            machine,
            arena: shape.arena(),
            id,
            target: Target::new(1000),
            ring: VecDeque::new(),
            posted: 0,
            gone: false,
            seen: 0,
            delivered: 0,
            lost: 0,
            payloads: Vec::new(),
        };
        for op in &ops {
            world.step(op);
        }
        // Nothing but doorbells tells the other side to come.
        while world.target.take().is_some() {
            world.drain();
        }
        assert!(world.ring.is_empty() && world.machine.is_empty(), "lost wake-up");
        assert_eq!(world.delivered + world.lost, world.posted);
        assert_eq!(world.seen, world.posted);
        assert_eq!(world.machine.quota_used(), 0);
    }
}

/// What cannot be shown for good, or is there already, is not published.
#[test]
fn only_some_lanes_can_be_published() {
    use rtnotify_core::machine::Policy;
    let mut per_event = Shape::new(Mode::PerEvent, 1, 4).machine();
    assert_eq!(per_event.start_publishing(0), Err(PublishError::Impossible));
    let dropping = Shape {
        policy: Policy::DropOldest,
        ..Shape::new(Mode::Window, 1, 4)
    };
    let mut dropping = dropping.machine();
    assert_eq!(dropping.start_publishing(0), Err(PublishError::Impossible));
    assert_eq!(dropping.start_publishing(1), Err(PublishError::Impossible));
    // Producers are waited for where arming says that there is room.
    for (mode, possible) in [
        (Mode::PerEvent, false),
        (Mode::Window, false),
        (Mode::Coalesced, true),
    ] {
        let mut waited_for = Shape {
            policy: Policy::Block,
            ..Shape::new(mode, 1, 4)
        }
        .machine();
        assert_eq!(waited_for.publishes_in(0, mode), possible);
        assert_eq!(waited_for.start_publishing(0).is_ok(), possible);
        assert_eq!(waited_for.is_published(0), possible);
    }
}
