// SPDX-License-Identifier: MIT OR Apache-2.0

//! Signals and reading: every event once, in order, with what was posted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use sigrt::client::Access;
use sigrt::{Delivery, Event, abi};

use crate::harness::{Backend, PATIENCE, eventually};
use crate::ledger::{Ledger, balanced, payload};
use crate::raw;
use crate::rig::{Rig, create_source, request};

/// Events of one stream.
const EVENTS: u64 = 10_000;

/// A buffer that anything fits in.
fn large() -> Vec<u8> {
    vec![0; abi::Record::BYTES + abi::MAX_PAYLOAD + abi::FRAME_ALIGN]
}

/// Number, time, kind, value and payload arrive as posted.
pub fn records_carry_what_was_latched(backend: &Backend) {
    let mut rig = Rig::window(backend);
    let now = || {
        let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
        Duration::from(time)
    };
    let before = now();
    let post = |kind, value, payload: &[u8]| {
        rig.producer.post(rig.source, kind, value, payload).unwrap();
    };
    post(0, None, &[]);
    post(7, Some(0), &[]);
    post(0xffef, Some(u64::MAX), b"x");
    post(1, None, b"12345678");
    post(2, None, b"123456789");
    post(3, Some(5), &payload(1, 5000));
    let after = now();

    let mut buffer = large();
    let got = rig.subscriber.read(&mut buffer).unwrap();
    let events = rig.ledger.book_all(&buffer[..got]);
    let seen: Vec<_> = events
        .iter()
        .map(|e| (e.kind, e.value, e.payload.to_vec()))
        .collect();
    assert_eq!(
        seen,
        [
            (0, None, vec![]),
            (7, Some(0), vec![]),
            (0xffef, Some(u64::MAX), b"x".to_vec()),
            (1, None, b"12345678".to_vec()),
            (2, None, b"123456789".to_vec()),
            (3, Some(5), payload(1, 5000)),
        ]
    );
    let times: Vec<_> = events.iter().map(|e| e.time).collect();
    assert!(times.is_sorted() && times[0] >= before && times[5] <= after);
    let record = abi::Record::from_bytes(buffer.first_chunk().unwrap());
    assert_eq!(u32::from(record.signo), rig.registered.signo);
    assert_eq!((record.reason, record.flags), (0, abi::RECORD_INLINE));
    assert_ne!(record.handle, 0);
    assert_eq!(record.handle >> 63, 0);
    rig.settle();
}

/// A record carries the subscription's cookie, or else the registration's.
pub fn cookies_come_back(backend: &Backend) {
    let mut asked = request(abi::MODE_WINDOW);
    asked.cookie = 0xfeed_face_dead_beef;
    let mut rig = Rig::new(backend, asked);
    let other = create_source(&rig.producer, 0);
    rig.subscriber.subscribe(other, Some(0)).unwrap();
    rig.post(&[]);
    rig.producer.post(other, 0, None, &[]).unwrap();
    let mut buffer = large();
    let got = rig.subscriber.read(&mut buffer).unwrap();
    let cookies: Vec<u64> = rig
        .ledger
        .book_all(&buffer[..got])
        .iter()
        .map(|e| e.cookie)
        .collect();
    assert_eq!(cookies, [0xfeed_face_dead_beef, 0]);
}

/// Every event has a signal with its handle, in order.
pub fn per_event_signals_carry_handles(backend: &Backend) {
    let mut rig = Rig::per_event(backend);
    let lens = [0, 1, 8, 9, 64, 4096, 100_000];
    for (n, len) in lens.into_iter().enumerate() {
        rig.post(&payload(n as u64, len));
    }
    let mut buffer = large();
    for (n, len) in lens.into_iter().enumerate() {
        let taken = rig.ring();
        assert!(rig.has_handle(&taken), "{taken:?}");
        let got = rig.subscriber.pread(&mut buffer, taken.value).unwrap();
        let event = rig.ledger.book_all(&buffer[..got]).remove(0);
        assert_eq!(event.payload, payload(n as u64, len));
    }
    assert_eq!(rig.pending(), None);
    let stats = rig.stats();
    assert_eq!(stats.signals_sent, lens.len() as u64);
    assert_eq!((stats.coalesced, stats.fallbacks, stats.stale), (0, 0, 0));
    rig.settle();
}

/// No more signals than the window allows are outstanding; consuming one brings the next.
pub fn per_event_window_paces_signals(backend: &Backend) {
    let mut asked = request(abi::MODE_PER_EVENT);
    asked.flags = abi::REG_PREAD_RECORD;
    asked.window = 4;
    let mut rig = Rig::new(backend, asked);
    rig.post_many(10);
    assert_eq!(rig.stats().signals_sent, 4);
    let mut buffer = large();
    for n in 0..10_u64 {
        let taken = rig.ring();
        let got = rig.subscriber.pread(&mut buffer, taken.value).unwrap();
        assert_eq!(rig.ledger.book_all(&buffer[..got]).len(), 1);
        assert_eq!(rig.stats().signals_sent, (n + 5).min(10));
    }
    assert_eq!(rig.take_pending(), 0);
    rig.settle();
}

/// In window mode a burst costs a bounded number of signals.
pub fn window_mode_bounds_signals(backend: &Backend) {
    let mut asked = request(abi::MODE_WINDOW);
    asked.window = 3;
    let mut rig = Rig::new(backend, asked);
    rig.post_many(100);
    let stats = rig.stats();
    assert_eq!((stats.signals_sent, stats.coalesced), (3, 97));
    assert_eq!(rig.take_pending(), 3);
    assert_eq!(rig.drain(), 100);
    rig.post_many(1);
    assert_eq!(rig.take_pending(), 1);
    rig.settle();
}

/// After any drain the next event rings again, whatever was left pending.
pub fn doorbell_after_every_drain(backend: &Backend) {
    for mode in [abi::MODE_PER_EVENT, abi::MODE_WINDOW] {
        let mut asked = request(mode);
        asked.window = 2;
        let mut rig = Rig::new(backend, asked);
        for round in 1..50 {
            rig.post_many(round % 5 + 1);
            let _ = rig.ring();
            rig.drain();
            if round % 3 == 0 {
                let _ = rig.take_pending();
            }
        }
        rig.settle();
    }
}

/// Frames are whole, padded with zeros to 8 bytes, as many as fit.
pub fn frames_are_whole_and_padded(backend: &Backend) {
    let mut rig = Rig::window(backend);
    for n in 0..4 {
        rig.post(&payload(n, 9));
    }
    let mut buffer = [0xff; 3 * 80 - 1];
    assert_eq!(rig.subscriber.read(&mut buffer), Ok(160), "two of 80 bytes");
    assert_eq!(buffer[73..80], [0; 7]);
    assert_eq!(buffer[153..160], [0; 7]);
    assert!(
        buffer[160..].iter().all(|&b| b == 0xff),
        "beyond is untouched"
    );
    rig.ledger.book_all(&buffer[..160]);
    rig.settle();
    assert_eq!(rig.ledger.events, 4);
}

/// A buffer that the first frame does not fit in gives EMSGSIZE and consumes nothing.
pub fn small_buffer_consumes_nothing(backend: &Backend) {
    let mut rig = Rig::window(backend);
    rig.post(&payload(0, 100));
    rig.post(&[]);
    for len in [1, 63, 64, 167] {
        let mut buffer = vec![0; len];
        assert_eq!(
            rig.subscriber.read(&mut buffer),
            Err(Errno::EMSGSIZE),
            "{len}"
        );
    }
    let stats = rig.stats();
    assert_eq!((stats.consumed, stats.queued), (0, 2));
    let mut buffer = [0; 168];
    assert_eq!(rig.subscriber.read(&mut buffer), Ok(168));
    let event = rig.ledger.book_all(&buffer).remove(0);
    assert_eq!(event.payload, payload(0, 100));
    rig.settle();
}

/// `poll` says readable exactly while something is queued, and writable to who may write.
pub fn poll_says_what_is_readable(backend: &Backend) {
    let mut rig = Rig::window(backend);
    let look = |client: &sigrt::client::Client| {
        let ready = client.poll(Some(Duration::ZERO)).unwrap();
        (ready.readable, ready.writable)
    };
    assert_eq!(look(&rig.subscriber), (false, false));
    assert_eq!(look(&rig.producer), (false, true));
    rig.post(&[]);
    assert_eq!(look(&rig.subscriber), (true, false));
    rig.drain();
    assert_eq!(look(&rig.subscriber), (false, false));

    thread::scope(|scope| {
        let waiting = scope.spawn(|| rig.subscriber.poll(Some(PATIENCE)).unwrap());
        rig.post(&[]);
        assert!(waiting.join().unwrap().readable);
    });
    rig.settle();
}

/// A blocking read waits, and returns what is posted then.
pub fn blocking_read_is_woken(backend: &Backend) {
    let rig = Rig::window(backend);
    let reader = Arc::new(backend.open(Access::Read, true));
    reader.register(&mut request(abi::MODE_WINDOW)).unwrap();
    reader.subscribe(rig.source, None).unwrap();
    for n in 0..20 {
        let waiting = {
            let reader = Arc::clone(&reader);
            thread::spawn(move || {
                // Only this thread reads; doorbells go to the one that registered.
                let mut buffer = large();
                let got = reader.read(&mut buffer).unwrap();
                sigrt::parse_frames(&buffer[..got]).next().unwrap()
            })
        };
        if n % 2 == 0 {
            // The other half of the rounds, the event may come first.
            eventually("the reader waits", || is_asleep(&waiting));
        }
        rig.post(&payload(n, 30));
        let event = waiting.join().unwrap().event().unwrap();
        assert_eq!(event.payload, payload(n, 30));
    }
}

/// Whether any thread of this process sleeps; a thread cannot be asked from outside which it is.
fn is_asleep(thread: &thread::JoinHandle<Delivery>) -> bool {
    if thread.is_finished() {
        return true;
    }
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.flatten().any(|task| {
        std::fs::read_to_string(task.path().join("stat")).is_ok_and(|stat| {
            stat.rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.starts_with('S'))
        })
    })
}

/// Every subscriber gets every event.
pub fn two_subscribers_get_everything(backend: &Backend) {
    let mut first = Rig::window(backend);
    let mut asked = request(abi::MODE_PER_EVENT);
    asked.signo += 1;
    let mut second = Rig::new(backend, asked);
    second.subscriber.subscribe(first.source, None).unwrap();
    for n in 0..50 {
        first.post(&payload(n, 200));
    }
    assert_eq!(first.stats().posted, 50);
    assert_eq!(second.stats().posted, 50);
    first.settle();
    assert_eq!(second.stats().queued, 50, "its queue is its own");
    second.settle();
    assert_eq!((first.ledger.events, second.ledger.events), (50, 50));
}

/// Posters in parallel: each source keeps its order, and nothing is lost within the queue.
pub fn concurrent_posters_lose_nothing(backend: &Backend) {
    const POSTERS: u64 = 4;
    const EACH: u64 = 500;
    let mut asked = request(abi::MODE_WINDOW);
    asked.queue_len = (2 * POSTERS * EACH) as u32;
    let mut rig = Rig::new(backend, asked);
    let own: Vec<u32> = (0..POSTERS)
        .map(|_| create_source(&rig.producer, 64))
        .collect();
    for &source in &own {
        rig.subscriber.subscribe(source, None).unwrap();
    }
    let mut ledger = Ledger::default();
    thread::scope(|scope| {
        for &source in &own {
            let rig = &rig;
            scope.spawn(move || {
                for n in 0..EACH {
                    let data = payload(n, n as usize % 65);
                    rig.producer.post(source, 0, None, &data).unwrap();
                    rig.post(&[]);
                }
            });
        }
        let mut buffer = large();
        while ledger.events < 2 * POSTERS * EACH {
            let _ = rig.ring();
            while let Ok(got) = rig.subscriber.read(&mut buffer) {
                for event in ledger.book_all(&buffer[..got]) {
                    if event.source != rig.source {
                        let n = event.source_seq - 1;
                        assert_eq!(event.payload, payload(n, n as usize % 65));
                    }
                }
                balanced(&rig.stats());
            }
        }
    });
    rig.ledger = ledger;
    rig.settle();
}

/// Streams of every payload size, per event, without a limit on queued signals.
pub fn stream_per_event(backend: &Backend) {
    for len in [0, 8, 64, 4096] {
        stream(backend, abi::MODE_PER_EVENT, len);
    }
}

/// The same with hardly any or no signal that can be queued.
pub fn stream_per_event_limited(backend: &Backend) {
    limited(backend, abi::MODE_PER_EVENT);
}

/// Streams of every payload size in window mode, without a limit on queued signals.
pub fn stream_window(backend: &Backend) {
    for len in [0, 8, 64, 4096] {
        stream(backend, abi::MODE_WINDOW, len);
    }
}

/// The same with hardly any or no signal that can be queued.
pub fn stream_window_limited(backend: &Backend) {
    limited(backend, abi::MODE_WINDOW);
}

/// Streams of every payload size in coalesced mode, without a limit on queued signals.
pub fn stream_coalesced(backend: &Backend) {
    for len in [0, 8, 64, 4096] {
        stream(backend, abi::MODE_COALESCED, len);
    }
}

/// The same with hardly any or no signal that can be queued.
pub fn stream_coalesced_limited(backend: &Backend) {
    limited(backend, abi::MODE_COALESCED);
}

fn limited(backend: &Backend, mode: u32) {
    for limit in [8, 1, 0] {
        raw::limit_queued_signals(limit);
        for len in [0, 8, 64, 4096] {
            let stats = stream(backend, mode, len);
            if limit == 0 {
                assert_eq!(stats.signals_sent, 0, "nothing can be queued");
                assert!(stats.signals_refused > 0 && stats.fallbacks > 0);
            }
        }
    }
}

/// Posts [`EVENTS`] events from another thread, at most a queue ahead, and receives every one of them by
/// doing what doorbells ask for.
fn stream(backend: &Backend, mode: u32, len: usize) -> abi::Stats {
    const QUEUE: u64 = 128;
    let mut asked = request(mode);
    asked.flags = abi::REG_PREAD_RECORD;
    asked.queue_len = QUEUE as u32;
    asked.quota = (QUEUE * 4096).max(1 << 16);
    let rig = Rig::new(backend, asked);
    let received = AtomicU64::new(0);
    let mut ledger = Ledger::default();
    thread::scope(|scope| {
        let producer = {
            let (rig, received) = (&rig, &received);
            scope.spawn(move || {
                let mut n = 0;
                while n < EVENTS {
                    // Over a broker a post is a round trip between processes: after the first thousands there are
                    // several in each.
                    let count = match backend {
                        Backend::Served(_) if n >= EVENTS / 5 => (1 + n % 16).min(EVENTS - n),
                        _ => 1,
                    };
                    while n + count - received.load(Ordering::Acquire) > QUEUE {
                        thread::park_timeout(Duration::from_millis(100));
                    }
                    match count {
                        1 => rig.post(&payload(n, len)),
                        _ => rig.post_at_once((n..n + count).map(|n| payload(n, len))),
                    }
                    n += count;
                }
            })
        };
        let mut buffer = vec![0; 16 << 10];
        let check = |batch: Vec<Event>| {
            for event in batch {
                let n = event.source_seq - 1;
                assert_eq!(event.payload, payload(n, len));
                received.store(n + 1, Ordering::Release);
                if n % (QUEUE / 4) == 0 {
                    producer.thread().unpark();
                }
            }
        };
        while ledger.events < EVENTS {
            let taken = rig.ring();
            if mode == abi::MODE_PER_EVENT && rig.has_handle(&taken) {
                match rig.subscriber.pread(&mut buffer, taken.value) {
                    Ok(got) => {
                        check(ledger.book_all(&buffer[..got]));
                        continue;
                    }
                    Err(errno) => assert_eq!(errno, Errno::ESTALE),
                }
            }
            loop {
                match rig.subscriber.read(&mut buffer) {
                    Ok(got) => check(ledger.book_all(&buffer[..got])),
                    Err(Errno::EAGAIN) => break,
                    Err(errno) => panic!("read: {errno}"),
                }
            }
        }
    });
    let stats = rig.stats();
    ledger.compare(&stats);
    assert_eq!((ledger.events, ledger.lost), (EVENTS, 0));
    rig.subscriber.unregister().unwrap();
    let _ = rig.take_pending();
    rig.post_many(1);
    assert_eq!(rig.take_pending(), 0, "no signal after the end");
    stats
}
