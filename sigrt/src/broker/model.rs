// SPDX-License-Identifier: MIT OR Apache-2.0

//! Broker, agent and target as a model: the real state machine and the real bell, with everything that can happen
//! between them in any order.
//!
//! What is checked: however it went, when all orders are carried out, all answers taken and all doorbells acted on,
//! nothing is left in the queue. That must hold with the rule that the broker reads nothing while an answer is owed; and
//! the same search must find that it does not hold without.

use std::collections::VecDeque;
use std::sync::Arc;

use nix::errno::Errno;
use rtnotify_core::abi;
use rtnotify_core::machine::Signal;

use super::remote::{Answer, Found, Order, Remote, SharedDesk, Task};
use crate::client::post_head;
use crate::loopback::bell::Bell;
use crate::loopback::registration::Registration;
use crate::loopback::state::State;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    /// Somebody posts.
    Post,
    /// The agent carries out an order.
    Agent,
    /// The broker takes an answer.
    Answer,
    /// The target takes a signal.
    Take,
    /// The broker serves the target's request, if it may.
    Serve,
    /// Another thread of the subscriber reads once, if it may.
    Read,
    /// Signals cannot be queued any more, or can again.
    Refuse,
    /// Somebody else sends the signal.
    Forge,
    /// The target exits, and its failover thread takes over.
    Exit,
}

const PLAIN: &[Op] = &[
    Op::Post,
    Op::Agent,
    Op::Answer,
    Op::Take,
    Op::Serve,
    Op::Read,
];
const ALL: &[Op] = &[
    Op::Post,
    Op::Agent,
    Op::Answer,
    Op::Take,
    Op::Serve,
    Op::Read,
    Op::Refuse,
    Op::Forge,
    Op::Exit,
];

/// What the target does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Waits,
    Drains,
    Fetches(u64),
}

struct World {
    mode: u32,
    /// Whether the broker keeps to the rule.
    strict: bool,
    state: State,
    desk: SharedDesk,
    client: u64,
    source: u32,
    orders: VecDeque<Order>,
    answers: VecDeque<Answer>,
    /// Signals pending for the target; without a handle those that are forged or rung instead.
    pending: VecDeque<Option<u64>>,
    refuses: bool,
    target: Target,
}

impl World {
    fn new(mode: u32, window: u32, strict: bool) -> Self {
        let mut state = State::new();
        let desk = SharedDesk::default();
        let (client, producer) = (state.add_client(), state.add_client());
        let mut source = abi::CreateSource {
            source_type: abi::SOURCE_USER,
            ..abi::CreateSource::zeroed()
        };
        source.name[0] = b's';
        let timer = state.check_source(&source).unwrap();
        state.create_source(producer, &mut source, timer);
        let mut request = abi::Register {
            signo: 40,
            mode,
            window,
            queue_len: 4,
            quota: 64,
            policy: abi::POLICY_DROP_OLDEST,
            clock: abi::CLOCK_MONOTONIC,
            ..abi::Register::zeroed()
        };
        let remote = Remote::new(client, 0, Arc::clone(&desk));
        let registration = Registration::new(&mut request, |_| Ok(Bell::There(remote))).unwrap();
        state.register(client, registration).unwrap();
        let wanted = abi::Subscribe {
            source: source.number,
            ..abi::Subscribe::zeroed()
        };
        state.subscribe(client, &wanted).unwrap();
        Self {
            mode,
            strict,
            state,
            desk,
            client,
            source: source.number,
            orders: VecDeque::new(),
            answers: VecDeque::new(),
            pending: VecDeque::new(),
            refuses: false,
            target: Target::Waits,
        }
    }

    fn registration(&mut self) -> &mut Registration {
        self.state.registration(self.client).unwrap()
    }

    fn may_read(&mut self) -> bool {
        !self.strict || !self.registration().is_owed()
    }

    /// Whether a read found something.
    fn read(&mut self) -> bool {
        let mut record = [0; abi::Record::BYTES];
        match self.registration().read(&mut record, 0) {
            Ok(_) => true,
            Err(errno) => {
                assert_eq!(errno, Errno::EAGAIN);
                false
            }
        }
    }

    fn serve(&mut self) {
        match self.target {
            Target::Waits => {}
            Target::Drains => {
                if !self.read() {
                    self.target = Target::Waits;
                }
            }
            Target::Fetches(handle) => {
                self.target = match self.registration().pread(&mut [0; 8], handle) {
                    Ok(_) => Target::Waits,
                    Err(_) => Target::Drains,
                };
            }
        }
    }

    fn carry_out(&mut self, order: Order) {
        let found = match order.task {
            Task::Look => Found::Pending(!self.pending.is_empty()),
            Task::Ring(Signal::Queued { .. }) if self.refuses => Found::Refused,
            Task::Ring(Signal::Queued { handle }) => {
                self.pending.push_back(Some(handle));
                Found::Sent
            }
            Task::Ring(Signal::Fallback) => {
                // A pending bit: a second one changes nothing.
                if !self.pending.contains(&None) {
                    self.pending.push_back(None);
                }
                Found::Sent
            }
            Task::End => unreachable!("nobody unregisters"),
        };
        self.answers.push_back(Answer { lane: 0, found });
    }

    /// Does it, if it can happen; returns whether it could.
    fn step(&mut self, op: Op) -> bool {
        let could = match op {
            Op::Post => {
                let head = post_head(self.source, 0, None, 0);
                self.state.offer(&head, &[]).unwrap()
            }
            Op::Agent => match self.orders.pop_front() {
                Some(order) => {
                    self.carry_out(order);
                    true
                }
                None => false,
            },
            Op::Answer => match self.answers.pop_front() {
                Some(answer) => {
                    self.registration().answered(answer).unwrap();
                    true
                }
                None => false,
            },
            Op::Take => match self.pending.front() {
                Some(&signal) if self.target == Target::Waits => {
                    self.pending.pop_front();
                    self.target = match signal {
                        Some(handle) if self.mode == abi::MODE_PER_EVENT => Target::Fetches(handle),
                        _ => Target::Drains,
                    };
                    true
                }
                _ => false,
            },
            Op::Serve => {
                let can = self.target != Target::Waits && self.may_read();
                if can {
                    self.serve();
                }
                can
            }
            Op::Read => {
                self.may_read() && {
                    self.read();
                    true
                }
            }
            Op::Refuse => {
                self.refuses = !self.refuses;
                true
            }
            Op::Forge => {
                self.pending.push_back(None);
                true
            }
            Op::Exit => {
                self.pending.clear();
                self.target = Target::Waits;
                let found = Found::Left(true);
                self.answers.push_back(Answer { lane: 0, found });
                true
            }
        };
        let mut desk = self.desk.lock().unwrap();
        desk.wanted.clear();
        self.orders.extend(desk.orders.drain(..));
        assert!(
            self.orders.len() + self.answers.len() <= 1 + self.lefts(),
            "one at a time"
        );
        could
    }

    /// Answers that were not asked for.
    fn lefts(&self) -> usize {
        let left = |answer: &&Answer| matches!(answer.found, Found::Left(_));
        self.answers.iter().filter(left).count()
    }

    /// Lets everybody do what there is to do; returns the events that nobody will ever be told of.
    fn come_to_rest(&mut self) -> u64 {
        let all = [Op::Agent, Op::Answer, Op::Take, Op::Serve];
        let mut turns = 0;
        while all.iter().any(|&op| self.step(op)) {
            turns += 1;
            assert!(turns < 10_000, "no rest");
        }
        self.state.stats(self.client).unwrap().queued
    }
}

const SHAPES: [(u32, u32); 5] = [
    (abi::MODE_WINDOW, 1),
    (abi::MODE_WINDOW, 2),
    (abi::MODE_PER_EVENT, 1),
    (abi::MODE_PER_EVENT, 2),
    (abi::MODE_COALESCED, 1),
];

/// Walks every sequence of so many operations; returns one after which something is left.
fn search(shape: (u32, u32), strict: bool, ops: &[Op], depth: u32) -> Option<Vec<Op>> {
    let count = ops.len() as u64;
    'paths: for path in 0..count.pow(depth) {
        let mut world = World::new(shape.0, shape.1, strict);
        let mut digits = path;
        let mut walked = Vec::new();
        for _ in 0..depth {
            let op = ops[(digits % count) as usize];
            digits /= count;
            walked.push(op);
            // What cannot happen here is a shorter path, which another number stands for.
            if !world.step(op) {
                continue 'paths;
            }
        }
        if world.come_to_rest() > 0 {
            return Some(walked);
        }
    }
    None
}

#[test]
fn nothing_is_left_after_any_short_run() {
    for shape in SHAPES {
        assert_eq!(search(shape, true, PLAIN, 6), None, "{shape:?}");
    }
}

#[test]
fn without_the_rule_a_wake_up_is_lost() {
    for shape in [(abi::MODE_WINDOW, 1), (abi::MODE_COALESCED, 1)] {
        assert!(search(shape, false, PLAIN, 6).is_some(), "{shape:?}");
    }
}

#[test]
fn nothing_is_left_after_random_runs() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 32) as usize % below
    };
    for run in 0..4000 {
        let (mode, window) = SHAPES[run % SHAPES.len()];
        let mut world = World::new(mode, window, true);
        let mut walked = Vec::new();
        for _ in 0..60 {
            let op = ALL[next(ALL.len())];
            if world.step(op) {
                walked.push(op);
            }
        }
        let left = world.come_to_rest();
        assert_eq!(left, 0, "{mode} {window}: {walked:?}");
    }
}
