// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every interleaving of handlers and thread, tried by loom on the very code that runs.

use std::sync::atomic::Ordering;
use std::time::Duration;

use loom::sync::atomic::{AtomicU32, AtomicU64};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use super::{HandOver, LOOK, Parking, Word};

impl Word for AtomicU64 {
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    fn compare_exchange(&self, current: u64, new: u64, ok: Ordering, failed: Ordering) -> bool {
        self.compare_exchange(current, new, ok, failed).is_ok()
    }

    fn swap(&self, value: u64, order: Ordering) -> u64 {
        self.swap(value, order)
    }
}

/// What the kernel promises of a futex: looking at the word and going to sleep are one step, as seen by who wakes.
struct Futex {
    word: AtomicU32,
    bucket: Mutex<()>,
    sleeper: Condvar,
}

impl Parking for Futex {
    fn new(value: u32) -> Self {
        Self {
            word: AtomicU32::new(value),
            bucket: Mutex::new(()),
            sleeper: Condvar::new(),
        }
    }

    fn load(&self, order: Ordering) -> u32 {
        self.word.load(order)
    }

    fn compare_exchange(&self, current: u32, new: u32, ok: Ordering, failed: Ordering) -> bool {
        self.word.compare_exchange(current, new, ok, failed).is_ok()
    }

    fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.word.swap(value, order)
    }

    fn sleep(&self, expected: u32, _: Option<Duration>) -> bool {
        let bucket = self.bucket.lock().unwrap();
        if self.word.load(Ordering::SeqCst) == expected {
            // Nobody is woken for no reason here: a wake-up that is missing shows as a deadlock.
            drop(self.sleeper.wait(bucket).unwrap());
        }
        true
    }

    fn wake(&self) {
        let bucket = self.bucket.lock().unwrap();
        self.sleeper.notify_one();
        drop(bucket);
    }
}

/// Every interleaving in which no more than three threads are interrupted where they need not be: enough for each
/// mistake that was put in on trial, and done in seconds.
fn every_interleaving(run: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(run);
}

type Model = HandOver<AtomicU64, Futex>;

/// The device: events by their handles, oldest first.
#[derive(Default)]
struct Device {
    queued: Mutex<Vec<u64>>,
}

impl Device {
    fn post(&self, handle: u64) {
        self.queued.lock().unwrap().push(handle);
    }

    /// What `pread` does: the event of that handle, once.
    fn fetch(&self, handle: u64) -> Option<u64> {
        let mut queued = self.queued.lock().unwrap();
        let at = queued.iter().position(|&h| h == handle)?;
        Some(queued.remove(at))
    }

    /// What `read` does.
    fn drain(&self) -> Vec<u64> {
        std::mem::take(&mut *self.queued.lock().unwrap())
    }
}

/// Receives until `count` events have come, as the dispatcher does.
fn receive(hand_over: &Model, device: &Device, count: usize) -> Vec<u64> {
    let mut got = Vec::new();
    while got.len() < count {
        match hand_over.wait(None) {
            Some(LOOK) => got.extend(device.drain()),
            Some(handle) => match device.fetch(handle) {
                Some(event) => got.push(event),
                None => got.extend(device.drain()),
            },
            None => {}
        }
    }
    assert!(device.drain().is_empty(), "more than was posted");
    got
}

/// Handlers on two threads, each with a doorbell: both events come, once each, and nobody sleeps for ever.
#[test]
fn no_doorbell_is_lost_and_no_event_comes_twice() {
    every_interleaving(|| {
        let hand_over = Arc::new(Model::new());
        let device = Arc::new(Device::default());
        let handlers: Vec<_> = [2, 3]
            .into_iter()
            .map(|handle| {
                let (hand_over, device) = (Arc::clone(&hand_over), Arc::clone(&device));
                thread::spawn(move || {
                    device.post(handle);
                    hand_over.ring(handle);
                })
            })
            .collect();
        let mut got = receive(&hand_over, &device, 2);
        got.sort_unstable();
        assert_eq!(got, [2, 3]);
        for handler in handlers {
            handler.join().unwrap();
        }
    });
}

/// One producer, whose doorbells come faster than they are taken: the order is that of the device.
#[test]
fn too_many_doorbells_keep_the_order() {
    every_interleaving(|| {
        let hand_over = Arc::new(Model::new());
        let device = Arc::new(Device::default());
        let handler = {
            let (hand_over, device) = (Arc::clone(&hand_over), Arc::clone(&device));
            thread::spawn(move || {
                for handle in [2, 3, 4] {
                    device.post(handle);
                    hand_over.ring(handle);
                }
            })
        };
        assert_eq!(receive(&hand_over, &device, 3), [2, 3, 4]);
        handler.join().unwrap();
    });
}

/// What is written before a doorbell is seen by the thread that takes it, also when another doorbell hides it: so the
/// request to stop works.
#[test]
fn what_comes_before_a_doorbell_is_seen_after_it() {
    every_interleaving(|| {
        let hand_over = Arc::new(Model::new());
        let stop = Arc::new(AtomicU32::new(0));
        let other = {
            let hand_over = Arc::clone(&hand_over);
            thread::spawn(move || hand_over.ring(2))
        };
        let stopper = {
            let (hand_over, stop) = (Arc::clone(&hand_over), Arc::clone(&stop));
            thread::spawn(move || {
                stop.store(1, Ordering::Relaxed);
                hand_over.ring(LOOK);
            })
        };
        while stop.load(Ordering::Relaxed) == 0 {
            hand_over.wait(None);
        }
        other.join().unwrap();
        stopper.join().unwrap();
    });
}

/// A handle of 0, which only a forgery has, is a doorbell like any other.
#[test]
fn forged_doorbell_means_look() {
    every_interleaving(|| {
        let hand_over = Arc::new(Model::new());
        let theirs = Arc::clone(&hand_over);
        let handler = thread::spawn(move || theirs.ring(0));
        while hand_over.wait(None) != Some(LOOK) {}
        handler.join().unwrap();
    });
}
