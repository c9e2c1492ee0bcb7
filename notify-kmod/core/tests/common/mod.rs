// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the tests of the state machine share: its storage, and a thread that signals are sent to.
//!
//! The target behaves as `kernel/signal.c` does for one realtime signal number of one thread: a FIFO of queued
//! signals, refused with -EAGAIN beyond a limit; a pending bit; and a doorbell sent as `SEND_SIG_PRIV`, which is
//! queued without a value if there is room and else leaves nothing but the bit.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use rtnotify_core::{
    machine::{LaneConfig, Machine, Mode, Outcome, Policy, Signal, Storage, Subscription},
    pool::{Unit, UNIT},
    slots::Slot,
};
use std::collections::VecDeque;

/// Arrays on the heap.
#[derive(Debug)]
pub(crate) struct Heap;

impl Storage for Heap {
    type Slots = Vec<Slot>;
    type Units = Vec<Unit>;
    type Subscriptions = Vec<Subscription>;
}

/// The signal number of the lane under test.
pub(crate) const SIGNO: u16 = 40;

/// The registration's cookie.
pub(crate) const COOKIE: u64 = 0xc00c_1e00;

/// How the machine under test is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) mode: Mode,
    pub(crate) window: u32,
    pub(crate) queue_len: u32,
    pub(crate) policy: Policy,
    pub(crate) units: usize,
    pub(crate) subscriptions: usize,
    pub(crate) base: u64,
}

impl Shape {
    pub(crate) fn new(mode: Mode, window: u32, queue_len: u32) -> Self {
        Self {
            mode,
            window,
            queue_len,
            policy: Policy::RejectNewest,
            units: 16,
            subscriptions: 4,
            base: 0x123_4567_89ab,
        }
    }

    pub(crate) fn machine(&self) -> Machine<Heap> {
        fn many<T: Default>(n: usize) -> Vec<T> {
            std::iter::repeat_with(T::default).take(n).collect()
        }
        Machine::new(
            many(self.queue_len as usize),
            many(self.units),
            many(self.subscriptions),
            LaneConfig {
                signo: SIGNO,
                mode: self.mode,
                window: self.window,
                queue_len: self.queue_len,
                policy: self.policy,
            },
            COOKIE,
            self.base,
        )
    }

    pub(crate) fn arena(&self) -> Vec<u8> {
        vec![0; self.units * UNIT]
    }
}

/// A pending signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pending {
    /// Sent for the machine, with a handle.
    Handle(u64),
    /// The fallback doorbell, no value.
    Bare,
    /// Somebody else's signal of the same number.
    Foreign,
}

/// The thread that signals are sent to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Queued signals, oldest first.
    pub(crate) queue: VecDeque<Pending>,
    /// The pending bit.
    pub(crate) bit: bool,
    /// Signals that may be queued.
    pub(crate) limit: usize,
    /// Whether there is a thread at all.
    pub(crate) alive: bool,
}

impl Target {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            bit: false,
            limit,
            alive: true,
        }
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.bit
    }

    /// Signals with a handle that are still pending.
    pub(crate) fn handles(&self) -> usize {
        let is_handle = |p: &&Pending| matches!(p, Pending::Handle(_));
        self.queue.iter().filter(is_handle).count()
    }

    pub(crate) fn send(&mut self, signal: Signal) -> Outcome {
        if !self.alive {
            return Outcome::NoTarget;
        }
        let room = self.queue.len() < self.limit;
        match signal {
            Signal::Queued { .. } if !room => return Outcome::Refused,
            Signal::Queued { handle } => self.queue.push_back(Pending::Handle(handle)),
            Signal::Fallback if room => self.queue.push_back(Pending::Bare),
            Signal::Fallback => {}
        }
        self.bit = true;
        Outcome::Sent
    }

    /// Somebody else sends the number, with `kill`.
    pub(crate) fn send_foreign(&mut self) {
        if self.alive {
            if self.queue.len() < self.limit {
                self.queue.push_back(Pending::Foreign);
            }
            self.bit = true;
        }
    }

    /// Takes one signal; a set bit without an entry yields one signal without a value.
    pub(crate) fn take(&mut self) -> Option<Pending> {
        if !self.bit {
            return None;
        }
        let taken = self.queue.pop_front();
        self.bit = !self.queue.is_empty();
        Some(taken.unwrap_or(Pending::Bare))
    }

    pub(crate) fn flush(&mut self) {
        self.queue.clear();
        self.bit = false;
    }
}

/// Sends what the lane asks for until it asks for nothing more, and returns what was sent.
///
/// Where the machine says that it does not look at the pending bit, it is given the wrong one.
pub(crate) fn pump(machine: &mut Machine<Heap>, target: &mut Target) -> Vec<Signal> {
    let mut sent = Vec::new();
    loop {
        assert!(sent.len() < 10_000, "the lane never stops asking");
        let pending = target.is_pending() == machine.needs_pending(0);
        let Some(signal) = machine.next_signal(0, pending) else {
            return sent;
        };
        if signal == Signal::Fallback {
            assert!(!target.is_pending(), "a doorbell beside a pending one");
        }
        let outcome = target.send(signal);
        if outcome == Outcome::Sent {
            sent.push(signal);
        }
        if !machine.signal_result(0, signal, outcome) {
            return sent;
        }
    }
}
