// SPDX-License-Identifier: MIT OR Apache-2.0

//! Threads that receive, and compare what arrives with what was posted.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crossbeam_channel::TryRecvError;
use sigrt::{Delivery, Subscription};

use super::account::Account;
use super::fault::Fault;
use super::{Plan, may_lose};
use crate::selection::OverflowName;

/// What one subscriber has seen so far.
pub(super) struct Checker<'a> {
    plan: &'a Plan<'a>,
    /// Which subscriber, for its progress; `None` for one that nobody waits for.
    number: Option<usize>,
    /// Last number of each producer, delivered or lost.
    next: Vec<Option<u64>>,
    seq: u64,
    /// A policy may withdraw records after they were numbered.
    holes: bool,
    account: Account,
}

impl<'a> Checker<'a> {
    /// For subscriber `number`, who sees everything from the start.
    pub(super) fn new(plan: &'a Plan<'a>, number: usize) -> Self {
        let policy = plan.arguments.policy(number);
        Self {
            plan,
            number: Some(number),
            next: vec![Some(0); plan.numbers.len()],
            seq: 0,
            holes: matches!(policy, OverflowName::DropOldest | OverflowName::LatestOnly),
            account: Account {
                may_lose: may_lose(plan, number),
                ..Account::default()
            },
        }
    }

    /// For somebody who joins at any time.
    pub(super) fn joining(plan: &'a Plan<'a>) -> Self {
        Self {
            plan,
            number: None,
            next: vec![None; plan.numbers.len()],
            seq: 0,
            holes: false,
            account: Account {
                may_lose: true,
                ..Account::default()
            },
        }
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn into_account(self) -> Account {
        self.account
    }

    fn wrong(&mut self, text: String) {
        self.account.discrepancies.push(text);
    }

    /// Whether everything that was posted has been handled.
    pub(super) fn has_all(&self) -> bool {
        self.next
            .iter()
            .zip(&self.plan.goals)
            .all(|(next, goal)| next.unwrap_or(0) >= goal.load(Ordering::Acquire))
    }

    /// Compares one delivery; whether it was the last of its producer.
    pub(super) fn take(&mut self, delivery: &Delivery) -> bool {
        let plan = self.plan;
        let Some(number) = plan.numbers.iter().position(|&n| n == delivery.source()) else {
            self.wrong(format!("from nowhere: {delivery:?}"));
            return false;
        };
        let (first, last, seq) = match delivery {
            Delivery::Event(event) => (event.source_seq, event.source_seq, event.seq),
            Delivery::Gap(gap) => (gap.first, gap.last, gap.seq),
            Delivery::Gone(gone) => {
                self.wrong(format!("{gone}"));
                return true;
            }
        };
        let before = self.next[number];
        if before.is_some_and(|before| first != before + 1) || last < first {
            self.wrong(format!(
                "producer {number}: after {before:?} comes {first} to {last}"
            ));
        }
        if seq != self.seq + 1 && (!self.holes || seq <= self.seq) {
            let text = format!("after number {} comes {seq}", self.seq);
            self.wrong(text);
        }
        self.seq = seq;
        self.next[number] = Some(last);
        match delivery {
            Delivery::Event(event) => {
                let n = first.wrapping_sub(1);
                if event.payload != *plan.payloads.of(number, n) {
                    self.wrong(format!("producer {number}, event {n}: wrong payload"));
                }
                if event.value != Some(n) {
                    self.wrong(format!("producer {number}, event {n}: {:?}", event.value));
                }
                self.account.events += 1;
            }
            Delivery::Gap(gap) => {
                if u64::from(gap.count) != last - first + 1 {
                    self.wrong(format!("{gap}"));
                }
                self.account.gaps += 1;
                self.account.lost += u64::from(gap.count);
            }
            Delivery::Gone(_) => {}
        }
        if let Some(reader) = self.number {
            plan.progress[reader][number].store(last, Ordering::Release);
        }
        last >= plan.goals[number].load(Ordering::Relaxed)
    }
}

/// Receives everything and compares.
pub(super) fn consume(
    plan: &Plan<'_>,
    subscription: &Subscription,
    mut checker: Checker<'_>,
) -> Account {
    // The first is slow where one is to be.
    let slow = checker.number == Some(0) && plan.has(Fault::SlowReader);
    let discard = plan.has(Fault::Discard);
    let mut taken = 0_u64;
    let mut take = |checker: &mut Checker<'_>, delivery: &Delivery| {
        taken += 1;
        if slow && taken.is_multiple_of(256) {
            thread::sleep(Duration::from_millis(1));
        }
        if discard && taken == 100 {
            return false;
        }
        checker.take(delivery)
    };
    while !checker.has_all() {
        // Looking first saves taking the time.
        let delivery = match subscription.try_recv() {
            Ok(delivery) => delivery,
            Err(TryRecvError::Empty) => {
                match subscription.recv_timeout(Duration::from_millis(100)) {
                    Ok(delivery) => delivery,
                    Err(_) if plan.stuck.load(Ordering::Relaxed) => break,
                    Err(_) => continue,
                }
            }
            Err(TryRecvError::Disconnected) => {
                checker.wrong(format!(
                    "the subscription has ended: {:?}",
                    subscription.failure()
                ));
                break;
            }
        };
        let mut last = take(&mut checker, &delivery);
        // Whether that is all needs only be looked at when something has come to an end.
        while !last {
            match subscription.try_recv() {
                Ok(delivery) => last = take(&mut checker, &delivery),
                Err(_) => break,
            }
        }
    }
    checker.into_account()
}
