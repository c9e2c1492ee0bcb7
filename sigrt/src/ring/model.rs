// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every interleaving of the two sides of a mapped ring, tried by loom: this side is the very [`Cursor`] that runs, the
//! other the module's state machine, with the module's few lines around it (`notify-kmod/ring.rs`) written anew here.

use std::sync::atomic::Ordering;

use loom::cell::UnsafeCell;
use loom::sync::atomic::AtomicU64;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use rtnotify_core::abi;
use rtnotify_core::machine::{
    Event, LaneConfig, Machine, Make, Outcome, Signal, Storage, Subscription, SubscriptionId,
};
use rtnotify_core::pool::Unit;
use rtnotify_core::slots::Slot;
use rtnotify_core::subscription::Filter;

use super::{Cursor, Indices};

/// Records that fit.
const ENTRIES: usize = 2;

#[derive(Debug)]
struct Heap;

impl Storage for Heap {
    type Slots = Vec<Slot>;
    type Units = Vec<Unit>;
    type Subscriptions = Vec<Subscription>;
}

/// Where a record would be: the number of its event.
struct Place {
    /// Loom complains if one side looks while the other writes.
    access: UnsafeCell<()>,
    number: AtomicU64,
}

impl Place {
    fn new() -> Self {
        Self {
            access: UnsafeCell::new(()),
            number: AtomicU64::new(0),
        }
    }

    fn write(&self, number: u64) {
        self.access
            .with_mut(|_| self.number.store(number, Ordering::Relaxed));
    }

    fn read(&self) -> u64 {
        self.access.with(|_| self.number.load(Ordering::Relaxed))
    }
}

/// What both sides see.
struct Shared {
    tail: AtomicU64,
    records: [Place; ENTRIES],
    index: AtomicU64,
}

/// What is under the client's lock.
struct Registration {
    machine: Machine<Heap>,
    subscription: SubscriptionId,
    posted: u64,
    tail: u64,
    head: u64,
}

struct Kernel {
    shared: Arc<Shared>,
    registration: Mutex<Registration>,
    /// Whether a doorbell is pending.
    pending: Mutex<bool>,
    rung: Condvar,
}

impl Kernel {
    fn new() -> Self {
        let request = (abi::MODE_COALESCED, abi::POLICY_REJECT_NEWEST);
        let lane = LaneConfig::from_request(34, request.0, 0, ENTRIES as u32, request.1).unwrap();
        let mut slots = Vec::new();
        slots.resize_with(ENTRIES, Slot::default);
        let mut machine = Machine::new(
            slots,
            vec![Unit::default(); 1],
            vec![Subscription::default(); 1],
            lane,
            0,
            1,
        );
        machine.start_publishing(0).unwrap();
        let filter = Filter::from_request(&abi::Subscribe::zeroed()).unwrap();
        let subscription = machine.subscribe_filtered(1, 0, None, filter).unwrap();
        Self {
            shared: Arc::new(Shared {
                tail: AtomicU64::new(0),
                records: std::array::from_fn(|_| Place::new()),
                index: AtomicU64::new(0),
            }),
            registration: Mutex::new(Registration {
                machine,
                subscription,
                posted: 0,
                tail: 0,
                head: 0,
            }),
            pending: Mutex::new(false),
            rung: Condvar::new(),
        }
    }

    /// What the other side's index says, then what is to be published, then the bell: as the module does it.
    fn go_on(&self, registration: &mut Registration) {
        let said = self.shared.index.load(Ordering::Acquire);
        let ahead = said - registration.head;
        registration.head += u64::from(registration.machine.advance(0, ahead as u32));
        self.publish(registration);
    }

    fn publish(&self, registration: &mut Registration) {
        let before = registration.tail;
        while let Some((record, _)) = registration.machine.publish(0) {
            let place = &self.shared.records[registration.tail as usize % ENTRIES];
            place.write(record.source_seq);
            registration.tail += 1;
        }
        if registration.tail != before {
            self.shared.tail.store(registration.tail, Ordering::Release);
        }
        while let Some(signal) = registration.machine.next_signal(0, false) {
            assert!(matches!(signal, Signal::Queued { .. }));
            *self.pending.lock().unwrap() = true;
            self.rung.notify_one();
            if !registration.machine.signal_result(0, signal, Outcome::Sent) {
                break;
            }
        }
    }

    /// Whether there was room.
    fn post(&self) -> bool {
        let mut registration = self.registration.lock().unwrap();
        self.go_on(&mut registration);
        let number = registration.posted + 1;
        let event = Event {
            source_seq: number,
            kind: 0,
            time_ns: 0,
            value: None,
            payload: &[],
        };
        let subscription = registration.subscription;
        let outline = event.outline();
        match registration
            .machine
            .reserve(subscription, &outline, Make::Nothing)
        {
            Ok(room) => registration.machine.release(room),
            Err(_) => return false,
        };
        registration.posted = number;
        let (_, result) = registration.machine.post(subscription, &event, |_| {});
        assert!(result.is_ok());
        self.publish(&mut registration);
        true
    }

    /// `RTNOTIFY_IOC_ARM`.
    fn arm(&self) -> bool {
        let mut registration = self.registration.lock().unwrap();
        self.go_on(&mut registration);
        registration.machine.arm(0).is_ok()
    }

    /// `sigtimedwait`.
    fn take_signal(&self) {
        let mut pending = self.pending.lock().unwrap();
        while !*pending {
            pending = self.rung.wait(pending).unwrap();
        }
        *pending = false;
    }
}

impl Indices for Arc<Shared> {
    fn tail(&self) -> u64 {
        self.tail.load(Ordering::Acquire)
    }

    fn give_back(&self, head: u64) {
        self.index.store(head, Ordering::Release);
    }
}

/// Receives `count` events as a mapped subscription does: look, give back, arm, wait.
fn receive(kernel: &Kernel, count: u64) {
    let mut cursor = Cursor::new(Arc::clone(&kernel.shared));
    let mut next = 1;
    while next <= count {
        let published = cursor.published();
        for n in published.clone() {
            let place = &kernel.shared.records[n as usize % ENTRIES];
            assert_eq!(place.read(), next, "each once, and in order");
            next += 1;
        }
        let any = !published.is_empty();
        cursor.give_back(published.end);
        if !any && kernel.arm() {
            kernel.take_signal();
        }
    }
    assert!(cursor.published().is_empty(), "more than was posted");
}

fn model(events: u64) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let kernel = Arc::new(Kernel::new());
        let producer = {
            let kernel = Arc::clone(&kernel);
            thread::spawn(move || {
                let mut posted = 0;
                while posted < events {
                    if kernel.post() {
                        posted += 1;
                    } else {
                        thread::yield_now();
                    }
                }
            })
        };
        receive(&kernel, events);
        producer.join().unwrap();
    });
}

/// No wake-up is lost (the receiver would sleep for ever) and no event comes twice, while there is room.
#[test]
fn no_doorbell_of_a_ring_is_lost() {
    model(2);
}

/// The same where places are used again: what is written is not looked at any more.
#[test]
fn places_are_not_used_before_they_are_given_back() {
    model(3);
}
