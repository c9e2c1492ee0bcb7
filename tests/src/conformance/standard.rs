// SPDX-License-Identifier: MIT OR Apache-2.0

//! Standard signals, below `SIGRTMIN`: the kernel keeps one pending at most, and the queue keeps every event.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use nix::errno::Errno;
use sigrt::abi;
use sigrt::client::Access;
use sigrt::sys::{self, SignalSet};

use crate::harness::Backend;
use crate::ledger::payload;
use crate::raw;
use crate::rig::{Rig, request};

/// Numbers below the C library's own that cannot be registered, with the reason.
const REFUSED: [(i32, &str); 9] = [
    (libc::SIGKILL, "cannot be handled"),
    (libc::SIGSTOP, "cannot be handled"),
    (libc::SIGCONT, "acts when it is sent"),
    (libc::SIGSEGV, "synchronous"),
    (libc::SIGBUS, "synchronous"),
    (libc::SIGILL, "synchronous"),
    (libc::SIGFPE, "synchronous"),
    (libc::SIGTRAP, "synchronous"),
    (libc::SIGSYS, "synchronous"),
];

/// Window mode on `SIGUSR1`.
fn usr1() -> abi::Register {
    let mut asked = request(abi::MODE_WINDOW);
    asked.signo = libc::SIGUSR1 as u32;
    asked
}

/// Every standard signal that can be blocked and reports no error can be registered, with a window of 1.
pub fn standard_signals_are_accepted(backend: &Backend) {
    let everything: Vec<i32> = (1..=31).collect();
    let _mask = sys::block(&SignalSet::of(&everything));
    let client = backend.open(Access::Read, false);
    for signo in 1..=31 {
        for window in [0, 1, abi::MAX_WINDOW] {
            let mut asked = usr1();
            (asked.signo, asked.window) = (signo, window);
            let result = client.register(&mut asked);
            let refused = REFUSED.iter().find(|(number, _)| *number == signo as i32);
            if let Some((_, why)) = refused {
                assert_eq!(result, Err(Errno::EINVAL), "{signo}: {why}");
            } else {
                assert_eq!(result, Ok(()), "{signo}");
                assert_eq!(asked.window, 1, "{signo}: the window in force");
                client.unregister().unwrap();
            }
        }
        let mut asked = request(abi::MODE_PER_EVENT);
        asked.signo = signo;
        let result = client.register(&mut asked);
        assert_eq!(result, Err(Errno::EINVAL), "{signo}: it names no event");
    }
    let mut asked = usr1();
    asked.window = abi::MAX_WINDOW + 1;
    let result = client.register(&mut asked);
    assert_eq!(result, Err(Errno::EINVAL), "not corrected silently");
}

/// Switching modes changes nothing about that.
pub fn standard_lane_stays_one(backend: &Backend) {
    let mut rig = Rig::new(backend, usr1());
    let refused = rig.subscriber.set_mode(0, abi::MODE_PER_EVENT, 0);
    assert_eq!(refused, Err(Errno::EINVAL));
    rig.subscriber.set_mode(0, abi::MODE_WINDOW, 8).unwrap();
    rig.post_many(20);
    assert_eq!(rig.stats().signals_sent, 1);
    assert_eq!(rig.take_pending(), 1);
    rig.settle();
}

/// A burst is one doorbell; every event is in the queue; after the drain the next event rings again.
pub fn standard_signal_rings_once(backend: &Backend) {
    let mut rig = Rig::new(backend, usr1());
    for _ in 0..20 {
        let before = rig.stats();
        rig.post_many(50);
        let stats = rig.stats();
        assert_eq!(stats.signals_sent - before.signals_sent, 1);
        assert_eq!(stats.coalesced - before.coalesced, 49);
        let taken = rig.ring();
        assert_eq!(taken.signo, libc::SIGUSR1);
        assert!(rig.has_handle(&taken), "{taken:?}");
        assert_eq!(rig.pending(), None);
        assert_eq!(rig.drain(), 50);
    }
    rig.settle();
}

/// Two registrations share a number and a thread: their doorbells can merge, so one means "drain both".
pub fn standard_doorbell_stands_for_all(backend: &Backend) {
    let mut first = Rig::new(backend, usr1());
    let mut second = Rig::new(backend, usr1());
    for _ in 0..20 {
        first.post_many(3);
        second.post_many(2);
        assert_eq!(first.ring().signo, libc::SIGUSR1);
        assert_eq!(second.pending(), None, "it has merged with the first");
        assert_eq!((first.drain(), second.drain()), (3, 2));
    }
    first.settle();
    second.settle();
}

/// 10,000 events: each once and in order, although most doorbells merge.
pub fn stream_standard(backend: &Backend) {
    stream(backend);
}

/// The limit on queued signals cannot refuse a standard signal; it only takes the value away.
pub fn stream_standard_limited(backend: &Backend) {
    raw::limit_queued_signals(0);
    let mut rig = Rig::new(backend, usr1());
    rig.post_many(1);
    let taken = rig.ring();
    assert_eq!(taken.signo, libc::SIGUSR1);
    assert!(!rig.has_handle(&taken), "{taken:?}");
    rig.settle();
    let stats = stream(backend);
    assert_eq!((stats.signals_refused, stats.fallbacks), (0, 0));
}

fn stream(backend: &Backend) -> abi::Stats {
    const EVENTS: u64 = 10_000;
    const QUEUE: u64 = 128;
    let mut asked = usr1();
    asked.queue_len = QUEUE as u32;
    let mut rig = Rig::new(backend, asked);
    let read = AtomicU64::new(0);
    let (producer, source) = (backend.open(Access::Write, false), rig.source);
    thread::scope(|scope| {
        let producer = scope.spawn(|| {
            let producer = producer;
            for n in 0..EVENTS {
                while n - read.load(Ordering::Acquire) >= QUEUE {
                    thread::park_timeout(crate::harness::PATIENCE / 100);
                }
                producer.post(source, 0, None, &payload(n, 24)).unwrap();
            }
        });
        while rig.ledger.events < EVENTS {
            assert_eq!(rig.ring().signo, libc::SIGUSR1);
            let mut buffer = vec![0; 16 << 10];
            loop {
                match rig.subscriber.read(&mut buffer) {
                    Ok(got) => {
                        for event in rig.ledger.book_all(&buffer[..got]) {
                            assert_eq!(event.payload, payload(event.source_seq - 1, 24));
                        }
                        read.store(rig.ledger.events, Ordering::Release);
                        producer.thread().unpark();
                    }
                    Err(Errno::EAGAIN) => break,
                    Err(errno) => panic!("read: {errno}"),
                }
            }
        }
    });
    rig.settle();
    assert_eq!((rig.ledger.events, rig.ledger.lost), (EVENTS, 0));
    rig.stats()
}
