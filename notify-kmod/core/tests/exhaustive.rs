// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every interleaving of a small world, not a sample: breadth first, one visit per distinct state.
//!
//! Two runs that leave the machine, the pending signals and the readers in the same state have the same
//! future, so only the first is followed. What tells states apart is taken from the machine's `Debug` form,
//! with event numbers replaced by places in the queue. A machine cannot be copied: a state is its shortest
//! path, walked again.
//!
//! In every state: the accounting identity, the window, and that whatever is queued has a doorbell pending or
//! taken that leads to it; and from every state a run in which the target acts on all its signals, after
//! which the queue must be empty.

mod common;

use common::{pump, Heap, Pending, Shape, Target};
use rtnotify_core::{
    machine::{Claim, Consumer, Event, Machine, Mode, SubscriptionId},
    slots::HandleError,
};
use std::{collections::HashSet, fmt::Write as _};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Post,
    /// The target takes a signal.
    Take,
    /// It acts on the oldest one that it has taken: `pread` of that handle, or a drain.
    Act,
    /// Somebody reads one record, whatever was announced.
    ReadOne,
    ReadAll,
    /// Signals cannot be queued any more, or can again.
    Refuse,
    /// Another reader claims the next record, and later consumes it or puts it back.
    Hold,
    Consume,
    Unclaim,
    /// Somebody else sends the signal.
    Foreign,
}

const PLAIN: &[Op] = &[
    Op::Post,
    Op::Take,
    Op::Act,
    Op::ReadOne,
    Op::ReadAll,
    Op::Refuse,
];
const READERS: &[Op] = &[
    Op::Post,
    Op::Take,
    Op::Act,
    Op::ReadAll,
    Op::Refuse,
    Op::Hold,
    Op::Consume,
    Op::Unclaim,
    Op::Foreign,
];

struct World {
    shape: Shape,
    machine: Machine<Heap>,
    id: SubscriptionId,
    target: Target,
    taken: Vec<Pending>,
    held: Option<Claim>,
    posted: u64,
}

impl World {
    fn new(shape: Shape) -> Self {
        let mut machine = shape.machine();
        let id = machine.subscribe(0, 0, None).unwrap();
        Self {
            shape,
            machine,
            id,
            target: Target::new(8),
            taken: Vec::new(),
            held: None,
            posted: 0,
        }
    }

    fn pump(&mut self) {
        pump(&mut self.machine, &mut self.target);
        let window = self.shape.window as usize;
        assert!(
            self.target.handles() <= window,
            "more signals than the window"
        );
    }

    fn consume(&mut self, claim: Claim, consumer: Consumer) {
        self.machine.consume(claim, consumer);
        self.pump();
    }

    fn drain(&mut self) {
        while let Some(claim) = self.machine.claim() {
            self.consume(claim, Consumer::Read);
        }
    }

    fn act(&mut self, signal: Pending) {
        match (self.shape.mode, signal) {
            (Mode::PerEvent, Pending::Handle(handle)) => match self.machine.claim_handle(handle) {
                Ok((claim, _)) => self.consume(claim, Consumer::Handle),
                Err(HandleError::Busy) => {}
                Err(_) => self.drain(),
            },
            _ => self.drain(),
        }
    }

    /// Whether `op` can happen here.
    fn allows(&self, op: Op) -> bool {
        match op {
            Op::Take => self.target.is_pending() && self.taken.len() < 2,
            Op::Act => !self.taken.is_empty(),
            Op::ReadOne | Op::ReadAll => !self.machine.is_empty(),
            Op::Hold => self.held.is_none() && !self.machine.is_empty(),
            Op::Consume | Op::Unclaim => self.held.is_some(),
            Op::Foreign => !self.target.is_pending(),
            Op::Post | Op::Refuse => true,
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Post => {
                self.posted += 1;
                let event = Event {
                    source_seq: self.posted,
                    kind: 0,
                    time_ns: 0,
                    value: None,
                    payload: &[],
                };
                let _ = self.machine.post(self.id, &event, |_| {});
            }
            Op::Take => self.taken.extend(self.target.take()),
            Op::Act => {
                let signal = self.taken.remove(0);
                self.act(signal);
            }
            Op::ReadOne => {
                if let Some(claim) = self.machine.claim() {
                    self.consume(claim, Consumer::Read);
                }
            }
            Op::ReadAll => self.drain(),
            Op::Refuse => self.target.limit = 8 - self.target.limit,
            Op::Hold => self.held = self.machine.claim(),
            Op::Consume => {
                if let Some(claim) = self.held.take() {
                    self.consume(claim, Consumer::Read);
                }
            }
            Op::Unclaim => {
                if let Some(claim) = self.held.take() {
                    self.machine.unclaim(claim);
                }
            }
            Op::Foreign => self.target.send_foreign(),
        }
        self.pump();
        self.check();
    }

    fn check(&self) {
        let c = self.machine.counters();
        assert_eq!(c.posted, self.posted);
        assert_eq!(
            c.posted,
            c.consumed + self.machine.queued() + c.lost_queue_full
        );
        let led_to = self.target.is_pending() || !self.taken.is_empty() || self.held.is_some();
        assert!(self.machine.is_empty() || led_to, "lost wake-up");
    }

    /// The target acts on everything; then nothing is left, and every number came exactly once.
    fn settle(&mut self) {
        self.step_if_held();
        loop {
            self.taken.extend(self.target.take());
            if self.taken.is_empty() {
                break;
            }
            self.step(Op::Act);
        }
        assert!(self.machine.is_empty(), "lost wake-up");
        assert!(!self.machine.is_refused());
        let c = self.machine.counters();
        assert_eq!(c.posted, c.consumed + c.lost_queue_full);
    }

    fn step_if_held(&mut self) {
        if self.held.is_some() {
            self.step(Op::Unclaim);
        }
    }

    /// What the future depends on, and nothing else.
    fn key(&self) -> String {
        let text = format!("{:?}", self.machine);
        let mut slots: Vec<_> = text
            .split("Slot { number: ")
            .skip(1)
            .enumerate()
            .map(|(index, slot)| (number(slot, "seq: "), index, slot))
            .filter(|(_, _, slot)| !slot.starts_with("0,"))
            .collect();
        slots.sort_unstable();
        let mut key = String::new();
        let mut handles = Vec::new();
        for (_, _, slot) in &slots {
            handles.push(number(slot, "handle: "));
            for flag in [
                "kind: 65535",
                "signalled: true",
                "claimed: true",
                "taken: true",
            ] {
                key.push(if slot.contains(flag) { '1' } else { '0' });
            }
            key.push(' ');
        }
        let lane = &text[text.find("Lane {").unwrap()..];
        let unsignalled = number(lane, "unsignalled: ");
        let first = slots.iter().position(|s| s.1 as u64 == unsignalled);
        let flags = &lane[lane.find("outstanding").unwrap()..lane.find("})").unwrap()];
        let place = |p: &Pending| match p {
            Pending::Handle(h) => handles.iter().position(|x| x == h).map_or(9, |i| i as u8),
            Pending::Bare => 10,
            Pending::Foreign => 11,
        };
        let queue: Vec<_> = self.target.queue.iter().map(place).collect();
        let taken: Vec<_> = self.taken.iter().map(place).collect();
        let held = self
            .held
            .as_ref()
            .map(|c| place(&Pending::Handle(c.record.handle)));
        let (bit, limit) = (self.target.bit, self.target.limit);
        write!(
            key,
            "{first:?} {flags} {queue:?} {bit} {limit} {taken:?} {held:?}"
        )
        .unwrap();
        key
    }
}

fn number(text: &str, name: &str) -> u64 {
    let rest = &text[text.find(name).unwrap() + name.len()..];
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
    rest[..end].parse().unwrap()
}

fn walk(shape: Shape, path: &[Op]) -> World {
    let mut world = World::new(shape);
    for &op in path {
        world.step(op);
    }
    world
}

/// Visits every state within `depth` steps. Returns how many there are, and whether that is all of them.
fn explore(shape: Shape, ops: &[Op], depth: usize) -> (usize, bool) {
    let mut seen = HashSet::from([World::new(shape).key()]);
    let mut frontier = vec![Vec::new()];
    for _ in 0..depth {
        let mut next = Vec::new();
        for path in &frontier {
            let here = walk(shape, path);
            for &op in ops.iter().filter(|&&op| here.allows(op)) {
                let path: Vec<Op> = path.iter().copied().chain([op]).collect();
                let result = std::panic::catch_unwind(|| {
                    let mut world = walk(shape, &path);
                    let key = world.key();
                    let new = !seen.contains(&key);
                    if new {
                        world.settle();
                    }
                    (key, new)
                });
                let Ok((key, new)) = result else {
                    panic!("{shape:?}: {path:?}");
                };
                if new {
                    seen.insert(key);
                    next.push(path);
                }
            }
        }
        frontier = next;
        if frontier.is_empty() {
            return (seen.len(), true);
        }
    }
    (seen.len(), false)
}

/// Explores up to `depth`, or everything with `RTNOTIFY_EXHAUSTIVE` set.
fn run(ops: &[Op], depth: usize) {
    let depth = match std::env::var_os("RTNOTIFY_EXHAUSTIVE") {
        Some(_) => usize::MAX,
        None => depth,
    };
    for mode in [Mode::PerEvent, Mode::Window, Mode::Coalesced] {
        for window in [1, 2] {
            let shape = Shape {
                units: 0,
                subscriptions: 1,
                ..Shape::new(mode, window, 2)
            };
            let start = std::time::Instant::now();
            let (states, all) = explore(shape, ops, depth);
            println!(
                "{mode:?} window {window}: {states} states, all: {all}, {:?}",
                start.elapsed()
            );
        }
    }
}

/// All of it, however deep.
#[test]
fn one_reader() {
    run(PLAIN, usize::MAX);
}

/// To this depth; all of it takes half a minute with optimization: `RTNOTIFY_EXHAUSTIVE=1`, `--release`.
#[test]
fn readers_that_hold_and_foreign_signals() {
    run(READERS, 8);
}
