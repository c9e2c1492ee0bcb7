// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is passed by reference: subscribers get what lay in the outbox, drivers read it there, and nothing outside it
//! can be named.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::errno::Errno;
use rtnotify_tests::harness::{Backend, PATIENCE, isolated, shared};
use rtnotify_tests::ledger::balanced;
use rtnotify_tests::raw;
use rtnotify_tests::rig::{create_source, request, user_source};
use sigrt::client::{Access, Client, name_of, post_head};
use sigrt::sys::{self, SIGURG, SignalSet};
use sigrt::{Delivery, abi, parse_frames};

const PAGE: usize = 4096;

fn check(name: &str, test: fn(&Backend)) {
    shared(name, &Backend::module(), test);
}

fn pattern(n: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (at * 31 + at / 251 + n * 7) as u8)
        .collect()
}

fn subscriber(backend: &Backend, source: u32) -> Client {
    let client = backend.open(Access::Read, false);
    let mut asked = request(abi::MODE_COALESCED);
    // For as long as the thread of the test lives.
    std::mem::forget(sys::block(&SignalSet::of(&[asked.signo as i32, SIGURG])));
    asked.quota = 8 << 20;
    client.register(&mut asked).unwrap();
    client.subscribe(source, None).unwrap();
    client
}

fn find(client: &Client, name: &str) -> u32 {
    let sources = client.sources().unwrap();
    sources.iter().find(|s| name_of(s) == name).unwrap().number
}

/// The payload of the only event that is queued.
fn only(client: &Client) -> Vec<u8> {
    let mut buffer = vec![0; abi::Record::BYTES + abi::MAX_PAYLOAD + abi::FRAME_ALIGN];
    let got = client.read(&mut buffer).unwrap();
    let mut deliveries = parse_frames(&buffer[..got]);
    let Some(Delivery::Event(event)) = deliveries.next() else {
        panic!("no event");
    };
    assert!(deliveries.next().is_none());
    event.payload.to_vec()
}

/// A message by reference.
fn frame(source: u32, offset: u64, len: u32) -> Vec<u8> {
    let head = abi::Post {
        flags: abi::POST_REFERENCE,
        payload_len: len,
        ..post_head(source, 0, None, 0)
    };
    [&head.to_bytes()[..], &offset.to_ne_bytes()].concat()
}

#[test]
fn subscribers_get_what_lies_there() {
    check("subscribers_get_what_lies_there", |backend| {
        let producer = backend.open(Access::ReadWrite, true);
        let mut outbox = producer.outbox(4 << 20).unwrap();
        assert!(outbox.bytes().iter().all(|&byte| byte == 0));
        for flags in [0, abi::SOURCE_BLOCKING] {
            let mut source = user_source(abi::MAX_PAYLOAD);
            source.flags = flags;
            producer.create_source(&mut source).unwrap();
            let subscribers = [(); 3].map(|()| subscriber(backend, source.number));
            let lens = [0, 1, 8, 9, 512, 513, PAGE, 100_003, abi::MAX_PAYLOAD];
            for (n, len) in lens.into_iter().enumerate() {
                for value in [None, Some(5)] {
                    let offset = [0, 1, PAGE - 3, outbox.len() - len][n % 4];
                    outbox.bytes()[offset..][..len].copy_from_slice(&pattern(n, len));
                    outbox.post(source.number, 3, value, offset, len).unwrap();
                    // What was taken may be overwritten.
                    outbox.bytes()[offset..][..len].fill(0xee);
                    for subscriber in &subscribers {
                        assert_eq!(only(subscriber), pattern(n, len), "{len}, {value:?}");
                    }
                }
            }
            for subscriber in &subscribers {
                balanced(&subscriber.stats().unwrap());
            }
        }
    });
}

#[test]
fn references_and_bytes_in_one_batch_keep_their_order() {
    check(
        "references_and_bytes_in_one_batch_keep_their_order",
        |backend| {
            let producer = backend.open(Access::ReadWrite, false);
            let source = create_source(&producer, 2000);
            let reader = subscriber(backend, source);
            let mut outbox = producer.outbox(1).unwrap();
            assert_eq!(outbox.len(), PAGE);
            let bytes = outbox.bytes();
            bytes[..1000].copy_from_slice(&pattern(1, 1000));
            bytes[1000..1020].copy_from_slice(&pattern(2, 20));
            let mut batch = Vec::new();
            let mut wanted = Vec::new();
            for n in 0..40_usize {
                match n % 3 {
                    0 => {
                        let payload = pattern(n, n * 40);
                        let head = post_head(source, 0, None, payload.len());
                        batch.extend(head.to_bytes());
                        batch.extend(&payload);
                        batch.resize(batch.len().next_multiple_of(8), 0);
                        wanted.push(payload);
                    }
                    1 => {
                        batch.extend(frame(source, 0, 1000));
                        wanted.push(pattern(1, 1000));
                    }
                    _ => {
                        batch.extend(frame(source, 1000, 20));
                        wanted.push(pattern(2, 20));
                    }
                }
            }
            assert_eq!(producer.write(&batch), Ok(batch.len()));
            let mut got = Vec::new();
            let mut buffer = vec![0; 256 << 10];
            while let Ok(len) = reader.read(&mut buffer) {
                for delivery in parse_frames(&buffer[..len]) {
                    got.push(delivery.event().unwrap().payload.to_vec());
                }
            }
            assert_eq!(got, wanted);
        },
    );
}

#[test]
fn nothing_outside_can_be_named() {
    check("nothing_outside_can_be_named", |backend| {
        let producer = backend.open(Access::ReadWrite, false);
        let source = create_source(&producer, abi::MAX_PAYLOAD);
        let reader = subscriber(backend, source);
        let end = 2 * PAGE as u64;
        assert_eq!(
            producer.write(&frame(source, 0, 8)),
            Err(Errno::ENXIO),
            "there is no outbox"
        );
        for len in [0, abi::MAX_OUTBOX as usize + 1, usize::MAX] {
            assert_eq!(producer.outbox(len).err(), Some(Errno::EINVAL), "{len}");
        }
        let _outbox = producer.outbox(PAGE + 1).unwrap();
        assert_eq!(producer.outbox(PAGE).err(), Some(Errno::EBUSY));
        let max = abi::MAX_PAYLOAD as u32;
        for (offset, len) in [
            (end, 1),
            (end - 1, 2),
            (0, end as u32 + 1),
            (end + 1, 0),
            (u64::MAX, 0),
            (u64::MAX, 1),
            (u64::MAX - 7, 16),
            (1 << 63, 8),
            (1, max),
        ] {
            let mut batch = frame(source, 0, 8);
            batch.extend(frame(source, offset, len));
            let taken = producer.write(&batch);
            assert_eq!(taken, Err(Errno::EINVAL), "{offset:#x}, {len}");
        }
        let too_long = producer.write(&frame(source, 0, max + 1));
        assert_eq!(too_long, Err(Errno::EMSGSIZE));
        let whole = frame(source, 0, 8);
        for cut in 1..whole.len() {
            assert_eq!(producer.write(&whole[..cut]), Err(Errno::EINVAL), "{cut}");
        }
        // Nothing of all this was posted. The last place is fine.
        assert_eq!(reader.stats().unwrap().posted, 0);
        for (offset, len) in [(end - 1, 1), (end, 0), (0, end as u32)] {
            assert_eq!(producer.write(&frame(source, offset, len)), Ok(40));
        }
        assert_eq!(reader.stats().unwrap().posted, 3);
        // Another file's outbox is not this one's.
        let other = backend.open(Access::Write, false);
        assert_eq!(other.write(&frame(source, 0, 8)), Err(Errno::ENXIO));
        assert_eq!(
            other.outbox(PAGE).err(),
            Some(Errno::EACCES),
            "what is mapped to be written can be read"
        );
        let reading = backend.open(Access::Read, false);
        assert_eq!(reading.outbox(PAGE).err(), Some(Errno::EBADF));
    });
}

/// Describes an outbox without mapping it.
fn described(client: &Client, len: u64) -> abi::Outbox {
    let mut outbox = abi::Outbox {
        size: abi::Outbox::BYTES as u32,
        len,
        ..abi::Outbox::zeroed()
    };
    let fd = client.fd().unwrap();
    raw::ioctl(fd, abi::IOC_MAP_OUTBOX, &raw mut outbox as u64).unwrap();
    outbox
}

#[test]
fn mapping_is_the_processes_own() {
    fn test(backend: &Backend) {
        let client = backend.open(Access::ReadWrite, false);
        let outbox = described(&client, 3 * PAGE as u64);
        assert_eq!(outbox.len, 3 * PAGE as u64);
        let fd = client.fd().unwrap();
        let (read, write, exec) = (libc::PROT_READ, libc::PROT_WRITE, libc::PROT_EXEC);
        let at = outbox.offset as i64;
        let map =
            |len: usize, protection, flags, at| raw::map(fd, len, protection, flags, at).err();
        for len in [PAGE, 2 * PAGE, 4 * PAGE] {
            let mapped = map(len, read | write, libc::MAP_SHARED, at);
            assert_eq!(mapped, Some(Errno::EINVAL), "{len}");
        }
        let len = 3 * PAGE;
        let private = map(len, read, libc::MAP_PRIVATE, at);
        assert_eq!(private, Some(Errno::EINVAL));
        let executed = map(len, read | exec, libc::MAP_SHARED, at);
        assert_eq!(executed, Some(Errno::EACCES));
        let elsewhere = map(len, read, libc::MAP_SHARED, at + PAGE as i64);
        assert!(elsewhere.is_some());
        let mapped = raw::map(fd, len, read | write, libc::MAP_SHARED, at).unwrap();
        mapped.word(0).store(77, Ordering::Relaxed);
        // A child has no part in it.
        let start = std::ptr::from_ref(mapped.word(0)) as usize;
        let child = raw::fork_child(|| {
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            let inherited = maps
                .lines()
                .any(|line| line.starts_with(&format!("{start:x}-")));
            std::process::ExitCode::from(u8::from(inherited))
        });
        raw::expect_success(child);
        // It stays as long as it is mapped.
        drop(client);
        assert_eq!(mapped.word(0).load(Ordering::Relaxed), 77);
        mapped.word(8).store(78, Ordering::Relaxed);
    }
    isolated("mapping_is_the_processes_own", &Backend::module(), test);
}

/// Whatever the process does meanwhile, all subscribers get the same.
#[test]
fn all_get_the_same_of_what_changes() {
    check("all_get_the_same_of_what_changes", |backend| {
        const LEN: usize = 40_000;
        let producer = backend.open(Access::ReadWrite, false);
        let source = create_source(&producer, LEN);
        let subscribers = [(); 2].map(|()| subscriber(backend, source));
        let outbox = described(&producer, LEN as u64);
        let mapped = raw::map(
            producer.fd().unwrap(),
            outbox.len as usize,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            outbox.offset as i64,
        )
        .unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut n = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    for word in 0..LEN / 8 {
                        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        mapped.word(8 * word).store(n, Ordering::Relaxed);
                    }
                }
            });
            for round in 0..100 {
                // Short ones take the other way.
                let len = if round % 2 == 0 { LEN } else { 400 };
                assert_eq!(producer.write(&frame(source, 0, len as u32)), Ok(40));
                let [one, other] = subscribers.each_ref().map(only);
                assert_eq!(one.len(), len);
                assert!(one == other, "round {round}");
            }
            stop.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn calls_by_reference() {
    check("calls_by_reference", |backend| {
        let client = backend.open(Access::ReadWrite, true);
        let mut outbox = client.outbox(2 << 20).unwrap();
        // A driver that reads where the bytes are.
        let echo = find(&client, "echo");
        let message = pattern(9, 1_000_000);
        outbox.bytes()[100..][..message.len()].copy_from_slice(&message);
        let sum: u32 = message.iter().map(|&byte| u32::from(byte)).sum();
        let place = (100, message.len());
        let got = outbox.call(echo, 2, place, (0, 8), Some(PATIENCE));
        assert_eq!(got, Ok(4));
        assert_eq!(outbox.bytes()[..4], sum.to_ne_bytes());
        // One that gives back what it was given; the answer may lie over the message.
        let answer = (200, message.len());
        assert_eq!(outbox.call(echo, 0, place, answer, None), Ok(message.len()));
        assert_eq!(outbox.bytes()[200..][..message.len()], message);
        // One that knows nothing of references.
        let edu = find(&client, "edu");
        outbox.bytes()[8..12].copy_from_slice(&5_u32.to_ne_bytes());
        assert_eq!(outbox.call(edu, 0, (8, 4), (16, 4), Some(PATIENCE)), Ok(4));
        assert_eq!(outbox.bytes()[16..20], 120_u32.to_ne_bytes());
        // By value the sum is the same.
        let mut answer = [0; 4];
        let got = client.call(echo, 2, 0, &message, &mut answer, None);
        assert_eq!((got, answer), (Ok(4), sum.to_ne_bytes()));
        for (message, answer) in [
            ((outbox.len(), 1), (0, 4)),
            ((0, 4), (outbox.len() - 3, 4)),
            ((usize::MAX, 4), (0, 4)),
            ((0, 4), (usize::MAX - 1, 4)),
        ] {
            let got = outbox.call(echo, 2, message, answer, None);
            assert_eq!(got, Err(Errno::EINVAL), "{message:?}, {answer:?}");
        }
        let without = backend.open(Access::ReadWrite, true);
        let call = abi::Call {
            size: abi::Call::BYTES as u32,
            flags: abi::CALL_REFERENCE,
            source: echo,
            ..abi::Call::zeroed()
        };
        let fd = without.fd().unwrap();
        let refused = raw::ioctl(fd.as_fd(), abi::IOC_CALL, &raw const call as u64);
        assert_eq!(refused, Err(Errno::ENXIO));
    });
}
