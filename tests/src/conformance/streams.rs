// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sources read as streams of bytes.

use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use sigrt::abi;
use sigrt::client::{Access, Client, post_head};

use crate::harness::{Backend, PATIENCE, eventually};
use crate::ledger::payload;
use crate::rig::{Rig, create_source, request, user_source};

/// A source of bytes.
fn stream_source(client: &Client, flags: u32) -> u32 {
    let mut source = user_source(1024);
    source.flags = abi::SOURCE_STREAM | flags;
    client.create_source(&mut source).unwrap();
    source.number
}

/// A reader of bytes.
fn stream_request() -> abi::Register {
    abi::Register {
        flags: abi::REG_STREAM,
        ..request(abi::MODE_WINDOW)
    }
}

/// A reader of bytes and a source, with the signal blocked by the rig.
fn reader(backend: &Backend, rig: &Rig, asked: abi::Register, flags: u32) -> (Client, u32) {
    let reader = backend.open(Access::Read, false);
    reader.register(&mut asked.clone()).unwrap();
    let source = stream_source(&rig.producer, flags);
    reader.subscribe(source, None).unwrap();
    (reader, source)
}

fn post(rig: &Rig, source: u32, bytes: &[u8]) {
    rig.producer.post(source, 0, None, bytes).unwrap();
}

/// Bytes come in order, in pieces of the reader's choice, and the stream ends with its source.
pub fn bytes_are_joined(backend: &Backend) {
    let rig = Rig::window(backend);
    let (reader, source) = reader(backend, &rig, stream_request(), 0);
    let mut sent = Vec::new();
    for n in 0..100 {
        let bytes = payload(n, (n * 7 % 90) as usize);
        post(&rig, source, &bytes);
        sent.extend(bytes);
    }
    rig.producer.destroy_source(source).unwrap();
    let mut got = Vec::new();
    let mut buffer = [0; 257];
    for size in (1..=257).cycle() {
        assert!(reader.poll(Some(Duration::ZERO)).unwrap().readable);
        let len = reader.read(&mut buffer[..size]).unwrap();
        if len == 0 {
            break;
        }
        got.extend_from_slice(&buffer[..len]);
        if got.len() < sent.len() {
            assert_eq!(len, size, "a read takes what is there");
        }
    }
    assert_eq!(got, sent);
    assert_eq!(reader.read(&mut buffer), Ok(0), "the end stays the end");
    let stats = reader.stats().unwrap();
    assert_eq!(
        (stats.consumed, stats.queued, stats.quota_used),
        (100, 0, 0)
    );
    // Another source makes it a stream again.
    let next = stream_source(&rig.producer, 0);
    reader.subscribe(next, None).unwrap();
    assert_eq!(reader.read(&mut buffer), Err(Errno::EAGAIN));
    post(&rig, next, b"more");
    assert_eq!(reader.read(&mut buffer), Ok(4));
}

/// With a blocking source and a subscriber that is waited for, it is a pipe.
pub fn stream_can_be_a_pipe(backend: &Backend) {
    const CHUNKS: u64 = 300;
    let rig = Rig::window(backend);
    let asked = abi::Register {
        policy: abi::POLICY_BLOCK,
        queue_len: 3,
        quota: 1024,
        ..stream_request()
    };
    let reader = backend.open(Access::Read, true);
    reader.register(&mut asked.clone()).unwrap();
    let writer = backend.open(Access::Write, true);
    let source = stream_source(&writer, abi::SOURCE_BLOCKING);
    reader.subscribe(source, None).unwrap();
    let chunk = |n: u64| payload(n, (n * 31 % 1000) as usize);
    let got = thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..CHUNKS {
                writer.post(source, 0, None, &chunk(n)).unwrap();
            }
            writer.destroy_source(source).unwrap();
        });
        let mut got = Vec::new();
        let mut buffer = [0; 777];
        loop {
            match reader.read(&mut buffer).unwrap() {
                0 => return got,
                len => got.extend_from_slice(&buffer[..len]),
            }
        }
    });
    assert_eq!(got, (0..CHUNKS).flat_map(chunk).collect::<Vec<_>>());
    assert_eq!(reader.stats().unwrap().gaps, 0);
    drop(rig);
}

/// A loss interrupts the stream once, where it happened, and says what it was.
pub fn loss_interrupts_a_stream(backend: &Backend) {
    let rig = Rig::window(backend);
    let asked = abi::Register {
        queue_len: 2,
        ..stream_request()
    };
    let (reader, source) = reader(backend, &rig, asked, 0);
    assert_eq!(reader.stream_gap(), Err(Errno::ENODATA));
    let mut buffer = [0; 64];
    for round in 1..=3_u64 {
        for bytes in [b"aa", b"bb", b"cc", b"dd"] {
            post(&rig, source, bytes);
        }
        assert_eq!(reader.read(&mut buffer[..3]), Ok(3));
        assert_eq!(&buffer[..3], b"aab");
        assert_eq!(reader.read(&mut buffer), Ok(1), "up to the gap");
        assert_eq!(buffer[0], b'b');
        post(&rig, source, b"ee");
        assert!(reader.poll(Some(PATIENCE)).unwrap().readable);
        assert_eq!(reader.read(&mut buffer), Err(Errno::ENOBUFS));
        let gap = reader.stream_gap().unwrap();
        assert_eq!((gap.gaps, gap.source, gap.count), (round, source, 2));
        let first = 5 * round - 2;
        assert_eq!((gap.first, gap.last), (first, first + 1));
        assert_eq!(gap.reason, u32::from(abi::LOST_QUEUE_FULL));
        assert_ne!(gap.time_ns, 0);
        assert_eq!(reader.read(&mut buffer), Ok(2), "and on behind it");
        assert_eq!(&buffer[..2], b"ee");
        assert_eq!(reader.read(&mut buffer), Err(Errno::EAGAIN));
    }
    let stats = reader.stats().unwrap();
    assert_eq!(
        (stats.gaps, stats.consumed, stats.lost_queue_full),
        (3, 9, 6)
    );
}

/// What makes no sense with a stream is refused; a source of bytes can be read as records too.
pub fn stream_errors(backend: &Backend) {
    let mut rig = Rig::window(backend);
    let (reader, source) = reader(backend, &rig, stream_request(), 0);
    let other = stream_source(&rig.producer, 0);
    assert_eq!(reader.subscribe(other, None), Err(Errno::EBUSY));
    reader.unsubscribe(source).unwrap();
    let plain = create_source(&rig.producer, 8);
    assert_eq!(reader.subscribe(plain, None), Err(Errno::EINVAL));
    assert_eq!(reader.subscribe(u32::MAX, None), Err(Errno::ENOENT));
    reader.subscribe(source, None).unwrap();

    let with_value = post_head(source, 0, Some(1), 0).to_bytes();
    assert_eq!(rig.producer.write(&with_value), Err(Errno::EINVAL));
    rig.subscriber.subscribe(source, None).unwrap();
    post(&rig, source, b"both ways of reading");
    let handle = rig.ring().value;
    let mut buffer = [0; 64];
    assert_eq!(reader.pread(&mut buffer, handle), Err(Errno::ESPIPE));
    assert_eq!(reader.map(handle, 1).err(), Some(Errno::ESPIPE));
    assert_eq!(reader.read(&mut buffer[..0]), Ok(0));
    assert_eq!(reader.read(&mut buffer), Ok(20));
    assert_eq!(&buffer[..20], b"both ways of reading");
    assert_eq!(rig.subscriber.stream_gap(), Err(Errno::EINVAL));
    rig.settle();
    assert_eq!(rig.ledger.events, 1);

    for flags in [abi::REG_PREAD_RECORD, abi::REG_PREAD_KEEP] {
        let client = backend.open(Access::Read, false);
        assert_eq!(client.stream_gap(), Err(Errno::ENOTCONN));
        let mut asked = stream_request();
        asked.flags |= flags;
        assert_eq!(client.register(&mut asked), Err(Errno::EINVAL));
    }
}

/// A reader that waits is woken by bytes and by the end.
pub fn stream_wakes_its_reader(backend: &Backend) {
    let rig = Rig::window(backend);
    let reader = backend.open(Access::Read, true);
    reader.register(&mut stream_request()).unwrap();
    let source = stream_source(&rig.producer, 0);
    reader.subscribe(source, None).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut buffer = [0; 8];
            (reader.read(&mut buffer), reader.read(&mut buffer))
        });
        post(&rig, source, b"abc");
        eventually("it is read", || reader.stats().unwrap().consumed == 1);
        rig.producer.destroy_source(source).unwrap();
        assert_eq!(waiting.join().unwrap(), (Ok(3), Ok(0)));
    });
}
