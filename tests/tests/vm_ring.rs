// SPDX-License-Identifier: MIT OR Apache-2.0

//! Mapped rings: everything once and in order, no system call while there is more, an index that lies, and lifetimes.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use rtnotify_tests::harness::{Backend, PATIENCE, isolated};
use rtnotify_tests::ledger::{balanced, payload};
use rtnotify_tests::rig::{create_source, request};
use rtnotify_tests::{raw, tracer};
use sigrt::abi::{self, Record};
use sigrt::client::{Access, Client};
use sigrt::ring::Ring;
use sigrt::sys::{self, SignalSet};

fn check(name: &str, test: fn(&Backend)) {
    isolated(name, &Backend::module(), test);
}

/// A client with a registration of one lane, whose thread blocks the signal for good, and a source of its own.
fn registered(backend: &Backend, mode: u32, queue_len: u32) -> (Client, u32) {
    std::mem::forget(sys::block(&SignalSet::asynchronous()));
    let client = backend.open(Access::ReadWrite, false);
    let mut asked = request(mode);
    (asked.queue_len, asked.quota) = (queue_len, 1 << 20);
    client.register(&mut asked).unwrap();
    let source = create_source(&client, 8192);
    client.subscribe(source, None).unwrap();
    (client, source)
}

fn signals() -> SignalSet {
    SignalSet::of(&[request(0).signo as i32])
}

/// Waits for a doorbell.
fn ring_bell() {
    sys::take_signal(&signals(), Some(PATIENCE)).unwrap();
}

fn pending() -> bool {
    sys::take_signal(&signals(), Some(Duration::ZERO)).is_ok()
}

/// The bytes of an event, wherever they are.
fn bytes<'a>(record: &'a Record, value: &'a [u8; 8], behind: &'a [u8]) -> &'a [u8] {
    if record.flags & abi::RECORD_INLINE == 0 {
        behind
    } else {
        &value[..record.payload_len as usize]
    }
}

fn stream(backend: &Backend, mode: u32, len: usize) {
    const EVENTS: u64 = 10_000;
    const QUEUE: u64 = 128;
    let (client, source) = registered(backend, mode, QUEUE as u32);
    let mut ring = client.map_ring(0).unwrap();
    let received = AtomicU64::new(0);
    let mut next = 0;
    let mut seq = 0;
    thread::scope(|scope| {
        let (received, client) = (&received, &client);
        scope.spawn(move || {
            let producer = backend.open(Access::Write, false);
            for n in 0..EVENTS {
                while n - received.load(Ordering::Acquire) >= QUEUE {
                    thread::yield_now();
                }
                producer.post(source, 0, None, &payload(n, len)).unwrap();
            }
        });
        while next < EVENTS {
            ring_bell();
            loop {
                ring.drain(|record, behind| {
                    assert!(record.is_event(), "{record:?}");
                    seq += 1;
                    assert_eq!((record.seq, record.source_seq), (seq, next + 1));
                    let value = record.value.to_ne_bytes();
                    assert_eq!(bytes(record, &value, behind), payload(next, len));
                    next += 1;
                });
                received.store(next, Ordering::Release);
                if mode != abi::MODE_COALESCED {
                    break;
                }
                match client.arm(0) {
                    Ok(()) => break,
                    Err(errno) => assert_eq!(errno, Errno::EAGAIN),
                }
            }
        }
    });
    let stats = client.stats().unwrap();
    balanced(&stats);
    assert_eq!((stats.posted, stats.consumed), (EVENTS, EVENTS));
    assert_eq!((stats.queued, stats.quota_used), (0, 0));
    client.unregister().unwrap();
    assert!(ring.has_ended() && ring.is_empty());
    while pending() {}
}

#[test]
fn ring_stream_coalesced() {
    check("ring_stream_coalesced", |backend| {
        for len in [0, 8, 64, 4096] {
            stream(backend, abi::MODE_COALESCED, len);
        }
    });
}

#[test]
fn ring_stream_window() {
    check("ring_stream_window", |backend| {
        for len in [0, 64] {
            stream(backend, abi::MODE_WINDOW, len);
        }
    });
}

#[test]
fn ring_stream_without_queued_signals() {
    check("ring_stream_without_queued_signals", |backend| {
        for limit in [1, 0] {
            raw::limit_queued_signals(limit);
            stream(backend, abi::MODE_COALESCED, 64);
        }
    });
}

#[test]
fn draining_makes_no_system_call() {
    check("draining_makes_no_system_call", |backend| {
        const BURST: usize = 100;
        let sections = tracer::trace(|meter| {
            let (client, source) = registered(backend, abi::MODE_COALESCED, 256);
            let mut ring = client.map_ring(0).unwrap();
            for round in 0..3 {
                for n in 0..BURST {
                    client
                        .post(source, 0, None, &payload(n as u64, 64))
                        .unwrap();
                }
                let mut n = 0;
                // Once rung, nothing rings while there is more.
                let seen = meter.count(|| {
                    ring.drain(|_, behind| {
                        assert_eq!(behind, payload(n, 64));
                        n += 1;
                    })
                });
                assert_eq!(seen, BURST, "round {round}");
            }
            let stats = client.stats().unwrap();
            assert_eq!((stats.signals_sent, stats.coalesced), (1, 299));
            ring_bell();
            // What a burst costs besides, however long it is.
            for n in 0..BURST {
                client
                    .post(source, 0, None, &payload(n as u64, 64))
                    .unwrap();
            }
            meter.count(|| {
                ring.drain(|_, _| {});
                client.arm(0).unwrap();
            });
            client.post(source, 0, None, b"next").unwrap();
            ring_bell();
        });
        let counts: Vec<usize> = sections.iter().map(Vec::len).collect();
        println!("system calls of {BURST} events: {counts:?}");
        assert_eq!(counts, [0, 0, 0, 1]);
    });
}

#[test]
fn full_ring_makes_an_exact_gap() {
    check("full_ring_makes_an_exact_gap", |backend| {
        let (client, source) = registered(backend, abi::MODE_COALESCED, 8);
        let mut ring = client.map_ring(0).unwrap();
        for _ in 0..20 {
            client.post(source, 0, None, &[]).unwrap();
        }
        let mut seen = Vec::new();
        while ring.drain(|record, _| seen.push((record.source_seq, record.is_gap()))) > 0 {
            // Only the kernel can put out the gap, when it looks at the index.
            client.stats().unwrap();
        }
        let events = (1..=8).map(|n| (n, false));
        assert_eq!(seen, events.chain([(9, true)]).collect::<Vec<_>>());
        let stats = client.stats().unwrap();
        assert_eq!((stats.lost_queue_full, stats.consumed), (12, 8));
        while pending() {}
    });
}

#[test]
fn index_that_lies_harms_nobody() {
    check("index_that_lies_harms_nobody", |backend| {
        let (client, source) = registered(backend, abi::MODE_COALESCED, 16);
        let fd = client.fd().unwrap();
        let mut described = abi::Ring {
            size: abi::Ring::BYTES as u32,
            ..abi::Ring::zeroed()
        };
        raw::ioctl(fd, abi::IOC_MAP_RING, &raw mut described as u64).unwrap();
        let control = raw::map(
            fd,
            described.control_len as usize,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            described.control_offset as i64,
        )
        .unwrap();
        let index = control.word(0);
        for n in 0..5 {
            client.post(source, 0, None, &payload(n, 100)).unwrap();
        }
        let looked = |head: u64| {
            index.store(head, Ordering::Release);
            let stats = client.stats().unwrap();
            balanced(&stats);
            (
                stats.consumed,
                stats.queued,
                stats.state & abi::STATE_BAD_INDEX != 0,
            )
        };
        assert_eq!(looked(6), (0, 5, true), "one too many");
        // Posting goes on as if it had said nothing; it has been right only afterwards.
        index.store(7, Ordering::Release);
        client.post(source, 0, None, &[]).unwrap();
        assert_eq!(looked(0), (0, 6, false));
        for wrong in [7, u64::MAX, 1 << 63, 1 << 32] {
            assert_eq!(looked(wrong), (0, 6, true), "{wrong:#x}");
        }
        assert_eq!(looked(2), (2, 4, false));
        assert_eq!(looked(1), (2, 4, true), "it cannot go back");
        assert_eq!(looked(6), (6, 0, false));
        assert_eq!(client.arm(0), Ok(()));
        // A program that hammers at it while events come.
        let stop = AtomicU64::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut random = 0x2545_f491_4f6c_dd1d_u64;
                while stop.load(Ordering::Relaxed) == 0 {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    index.store(random % 40, Ordering::Release);
                }
            });
            for n in 0..3000 {
                client
                    .post(source, 0, None, &payload(n, n as usize % 500))
                    .unwrap();
                if n % 100 == 0 {
                    balanced(&client.stats().unwrap());
                }
            }
            stop.store(1, Ordering::Relaxed);
        });
        balanced(&client.stats().unwrap());
        client.unregister().unwrap();
        let stats = client.stats().unwrap();
        assert_eq!((stats.queued, stats.quota_used), (0, 0));
        while pending() {}
    });
}

#[test]
fn published_lane_is_read_in_no_other_way() {
    check("published_lane_is_read_in_no_other_way", |backend| {
        let (client, source) = registered(backend, abi::MODE_COALESCED, 16);
        client.post(source, 0, None, b"before").unwrap();
        assert_eq!(client.map_ring(0).err(), Some(Errno::EBUSY), "not empty");
        let mut buffer = [0; 256];
        assert_eq!(client.read(&mut buffer), Ok(64));
        assert_eq!(client.map_ring(40).err(), Some(Errno::ENOENT));
        let mut ring: Ring = client.map_ring(0).unwrap();
        assert_eq!(
            client.map_ring(0).err(),
            Some(Errno::EBUSY),
            "one is enough"
        );
        ring_bell();
        client.arm(0).unwrap();
        client.post(source, 0, None, &[5; 100]).unwrap();
        let handle = sys::take_signal(&signals(), Some(PATIENCE)).unwrap().value;
        assert_eq!(client.read(&mut buffer), Err(Errno::EBUSY));
        assert_eq!(
            client.read_lane(request(0).signo, &mut buffer),
            Err(Errno::EBUSY)
        );
        assert_eq!(client.pread(&mut buffer, handle), Err(Errno::EBUSY));
        assert_eq!(client.map(handle, 1).err(), Some(Errno::EBUSY));
        let per_event = client.set_mode(0, abi::MODE_PER_EVENT, 0);
        assert_eq!(per_event, Err(Errno::EINVAL));
        assert!(client.poll(Some(Duration::ZERO)).unwrap().readable);
        assert_eq!(ring.drain(|_, behind| assert_eq!(behind, [5; 100])), 1);
        assert!(!client.poll(Some(Duration::ZERO)).unwrap().readable);

        for (mode, policy) in [
            (abi::MODE_PER_EVENT, abi::POLICY_REJECT_NEWEST),
            (abi::MODE_WINDOW, abi::POLICY_DROP_OLDEST),
            (abi::MODE_WINDOW, abi::POLICY_LATEST_ONLY),
            // Nobody would hear that there is room again.
            (abi::MODE_WINDOW, abi::POLICY_BLOCK),
        ] {
            let other = backend.open(Access::ReadWrite, false);
            let mut asked = request(mode);
            asked.policy = policy;
            other.register(&mut asked).unwrap();
            assert_eq!(other.map_ring(0).err(), Some(Errno::EINVAL));
        }
        let waited_for = backend.open(Access::ReadWrite, false);
        let mut asked = request(abi::MODE_COALESCED);
        asked.policy = abi::POLICY_BLOCK;
        waited_for.register(&mut asked).unwrap();
        let _ring = waited_for.map_ring(0).unwrap();
        let window = waited_for.set_mode(0, abi::MODE_WINDOW, 0);
        assert_eq!(window, Err(Errno::EINVAL));
        let reader = backend.open(Access::Read, false);
        reader.register(&mut request(abi::MODE_WINDOW)).unwrap();
        assert_eq!(
            reader.map_ring(0).err(),
            Some(Errno::EACCES),
            "no index to write"
        );
    });
}

#[test]
fn pages_are_protected_and_outlive_the_registration() {
    check(
        "pages_are_protected_and_outlive_the_registration",
        |backend| {
            let (client, source) = registered(backend, abi::MODE_COALESCED, 16);
            let fd = client.fd().unwrap();
            let mut described = abi::Ring {
                size: abi::Ring::BYTES as u32,
                ..abi::Ring::zeroed()
            };
            raw::ioctl(fd, abi::IOC_MAP_RING, &raw mut described as u64).unwrap();
            assert_eq!(described.entries, 16);
            let both = libc::PROT_READ | libc::PROT_WRITE;
            let map = |offset: u64, len: u64, prot| {
                raw::map(fd, len as usize, prot, libc::MAP_SHARED, offset as i64)
            };
            let parts = [
                (described.ring_offset, described.ring_len),
                (described.pool_offset, described.pool_len),
            ];
            let mut areas = Vec::new();
            for (offset, len) in parts {
                assert_eq!(map(offset, len, both).err(), Some(Errno::EACCES));
                assert_eq!(
                    map(offset, len - 4096, libc::PROT_READ).err(),
                    Some(Errno::EINVAL)
                );
                assert_eq!(
                    map(offset, len + 4096, libc::PROT_READ).err(),
                    Some(Errno::EINVAL)
                );
                let area = map(offset, len, libc::PROT_READ).unwrap();
                assert_eq!(area.protect(both), Err(Errno::EACCES));
                areas.push(area);
            }
            for nothing in [0, 4096 * 100, (1 << 21) - 4096] {
                assert_eq!(
                    map(nothing, 4096, libc::PROT_READ).err(),
                    Some(Errno::EINVAL)
                );
            }
            let exec = map(
                described.control_offset,
                4096,
                libc::PROT_READ | libc::PROT_EXEC,
            );
            assert_eq!(exec.err(), Some(Errno::EACCES));
            let control = map(described.control_offset, 4096, both).unwrap();
            client.post(source, 0, None, &payload(1, 100)).unwrap();
            let tail = areas[0].word(0);
            assert_eq!(tail.load(Ordering::Acquire), 1);
            assert_eq!(areas[1].bytes()[..100], payload(1, 100));
            // A child has what is read, and not what is written.
            let child = raw::fork_child(|| {
                let seen = areas[0].word(0).load(Ordering::Acquire) == 1;
                ExitCode::from(u8::from(!seen || control.is_mapped()))
            });
            raw::expect_success(child);
            client.unregister().unwrap();
            assert_eq!(areas[0].word(8).load(Ordering::Acquire), 1, "it has ended");
            client.post(source, 0, None, &payload(2, 100)).unwrap();
            drop(client);
            assert_eq!(tail.load(Ordering::Acquire), 1);
            assert_eq!(areas[1].bytes()[..100], payload(1, 100));
            control.word(0).store(1, Ordering::Release);
            while pending() {}
        },
    );
}
