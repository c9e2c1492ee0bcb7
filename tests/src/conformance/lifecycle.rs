// SPDX-License-Identifier: MIT OR Apache-2.0

//! Ends: of registrations, files and target threads.

use std::sync::{Arc, mpsc};
use std::thread;

use nix::errno::Errno;
use sigrt::abi;
use sigrt::client::{Access, Client};
use sigrt::sys::{self, SIGURG, SignalSet};

use crate::harness::{Backend, eventually};
use crate::ledger::payload;
use crate::raw;
use crate::rig::{Rig, request};

/// No signal arrives after UNREGISTER, other than those that were pending.
pub fn no_signal_after_unregistering(backend: &Backend) {
    for mode in [abi::MODE_PER_EVENT, abi::MODE_WINDOW] {
        let mut asked = request(mode);
        asked.window = 5;
        let rig = Rig::new(backend, asked);
        rig.post_many(20);
        assert_eq!(rig.subscriber.unregister(), Ok(20));
        assert_eq!(rig.take_pending(), 5, "those were pending");
        rig.post_many(20);
        assert_eq!(rig.take_pending(), 0);
        assert_eq!(rig.subscriber.unregister(), Err(Errno::ENOTCONN));
    }
}

/// A reader that waits is told that the registration has ended.
pub fn unregistering_wakes_a_reader(backend: &Backend) {
    let rig = Rig::window(backend);
    let reader = Arc::new(backend.open(Access::Read, true));
    reader.register(&mut request(abi::MODE_WINDOW)).unwrap();
    let waiting = {
        let reader = Arc::clone(&reader);
        thread::spawn(move || reader.read(&mut [0; 4096]))
    };
    // Whether it waits already or not, it must end the same way.
    thread::yield_now();
    reader.unregister().unwrap();
    assert_eq!(waiting.join().unwrap(), Err(Errno::ENOTCONN));
    drop(rig);
}

/// Closing the file ends the registration: nobody is subscribed any more.
pub fn closing_ends_delivery(backend: &Backend) {
    let rig = Rig::window(backend);
    let second = backend.open(Access::Read, false);
    second.register(&mut request(abi::MODE_WINDOW)).unwrap();
    second.subscribe(rig.source, None).unwrap();
    rig.post_many(1);
    let subscribers = || {
        let all = rig.producer.sources().unwrap();
        all.iter()
            .find(|i| i.number == rig.source)
            .unwrap()
            .subscribers
    };
    assert_eq!(subscribers(), 2);
    drop(second);
    assert_eq!(subscribers(), 1);
    let _ = rig.take_pending();
    rig.post_many(1);
    // The other registration's doorbell, and no more.
    assert_eq!(rig.take_pending(), 1);
}

/// Registers a new thread as the target of a client of its own, has `post` post, and lets the thread exit
/// without taking its signals.
fn exited_target(backend: &Backend, rig: &Rig, failover: i32) -> Client {
    let client = Arc::new(backend.open(Access::Read, false));
    let theirs = Arc::clone(&client);
    let source = rig.source;
    let (ready, registered) = mpsc::channel();
    let (leave, left) = mpsc::channel::<()>();
    let target = thread::spawn(move || {
        // For good: the thread ends with its signals pending.
        std::mem::forget(sys::block(&SignalSet::asynchronous()));
        let mut asked = request(abi::MODE_PER_EVENT);
        asked.failover_tid = failover;
        theirs.register(&mut asked).unwrap();
        theirs.subscribe(source, None).unwrap();
        drop(theirs);
        ready.send(()).unwrap();
        // Until the sender is dropped.
        left.recv().ok();
    });
    registered.recv().unwrap();
    for n in 0..10 {
        rig.post(&payload(n, 100));
    }
    assert_eq!(client.stats().unwrap().signals_sent, 10);
    drop(leave);
    target.join().unwrap();
    Arc::into_inner(client).unwrap()
}

/// Without a failover thread events are kept, and the state says so.
pub fn exited_target_without_failover_keeps_events(backend: &Backend) {
    let rig = Rig::window(backend);
    let client = exited_target(backend, &rig, 0);
    eventually("the exit is noticed", || {
        client.stats().unwrap().state & abi::STATE_TARGET_GONE != 0
    });
    rig.post(&payload(10, 100));
    let stats = client.stats().unwrap();
    assert_eq!((stats.queued, stats.failovers), (11, 0));
    let mut buffer = vec![0; 1 << 16];
    let got = client.read(&mut buffer).unwrap();
    let mut ledger = crate::ledger::Ledger::default();
    assert_eq!(ledger.book_all(&buffer[..got]).len(), 11);
    ledger.compare(&client.stats().unwrap());
    // The file is free for another target.
    client.unregister().unwrap();
    client.register(&mut request(abi::MODE_WINDOW)).unwrap();
    assert_eq!(client.stats().unwrap().state, abi::STATE_REGISTERED);
}

/// A failover thread gets the doorbells that died with the target, without another event.
pub fn exited_target_is_replaced(backend: &Backend) {
    let rig = Rig::window(backend);
    // Its doorbells and those of the rig come with the same number; only the other's carry on.
    rig.subscriber.unsubscribe(rig.source).unwrap();
    let client = exited_target(backend, &rig, sys::gettid());
    let taken = rig.ring();
    assert!(rig.has_handle(&taken));
    let mut handles = vec![taken.value];
    while handles.len() < 10 {
        handles.push(rig.ring().value);
    }
    let mut buffer = [0; 100];
    for (n, &handle) in handles.iter().enumerate() {
        assert_eq!(client.pread(&mut buffer, handle), Ok(100));
        assert_eq!(buffer[..], payload(n as u64, 100));
    }
    let stats = client.stats().unwrap();
    assert_eq!((stats.failovers, stats.consumed), (1, 10));
    assert_eq!(stats.state, abi::STATE_REGISTERED);
    rig.post(&payload(10, 100));
    assert_eq!(client.pread(&mut buffer, rig.ring().value), Ok(100));
}

/// The target need not be the thread that registers; it may be waiting already.
pub fn sibling_thread_can_be_the_target(backend: &Backend) {
    let rig = Rig::window(backend);
    let client = backend.open(Access::Read, false);
    let asked = request(abi::MODE_WINDOW);
    let signals = SignalSet::of(&[asked.signo as i32, SIGURG]);
    let (tell, told) = mpsc::channel();
    let target = thread::spawn(move || {
        let _mask = sys::block(&signals);
        tell.send(sys::gettid()).unwrap();
        loop {
            match sys::take_signal(&signals, Some(crate::harness::PATIENCE)) {
                Err(Errno::EINTR) => {}
                done => return done,
            }
        }
    });
    let mut asked = abi::Register {
        target_tid: told.recv().unwrap(),
        ..asked
    };
    client.register(&mut asked).unwrap();
    client.subscribe(rig.source, None).unwrap();
    rig.post(&[]);
    let taken = target.join().unwrap().unwrap();
    assert_eq!(taken.signo, asked.signo as i32);
    assert_eq!(rig.take_pending(), 1, "the rig's own");
}

/// Signals that somebody else makes up cost a look and change nothing.
pub fn forged_signals_are_harmless(backend: &Backend) {
    // In every thread, so that those to the process harm nobody either.
    let mut rig = Rig::per_event(backend);
    let me = sys::gettid();
    let signo = rig.registered.signo as i32;
    let mut buffer = [0; 200];
    for n in 0..200_u64 {
        rig.post(&payload(n, 100));
        let value = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        sys::queue_signal(me, signo, value).unwrap();
        if std::process::id() as i32 == me {
            raw::forge_signal(me, signo, !value).unwrap();
        }
        sys::signal_thread(me, SIGURG).unwrap();
        while let Some(taken) = rig.pending() {
            if rig.has_handle(&taken)
                && let Ok(got) = rig.subscriber.pread(&mut buffer, taken.value)
            {
                rig.ledger.book_all(&buffer[..got]);
            } else {
                rig.drain();
            }
        }
        assert_eq!(rig.ledger.events, n + 1);
    }
    rig.settle();
    assert_eq!(rig.ledger.lost, 0);
}
