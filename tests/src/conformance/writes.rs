// SPDX-License-Identifier: MIT OR Apache-2.0

//! Posting by `write`.

use nix::errno::Errno;
use sigrt::abi;
use sigrt::client::{Client, post_head};

use crate::harness::Backend;
use crate::ledger::payload;
use crate::rig::{Rig, create_source, user_source};

fn frame(head: abi::Post, payload: &[u8]) -> Vec<u8> {
    let mut frame = head.to_bytes().to_vec();
    frame.extend_from_slice(payload);
    frame.resize(abi::frame_align(frame.len()), 0);
    frame
}

fn posted(client: &Client, source: u32) -> u64 {
    let all = client.sources().unwrap();
    all.iter().find(|i| i.number == source).unwrap().posted
}

/// Anything malformed is refused, and nothing is posted, not even the good frames before it.
pub fn garbage_posts_nothing(backend: &Backend) {
    let rig = Rig::window(backend);
    let good = post_head(rig.source, 0, None, 4);
    let bad: &[(&str, abi::Post, Errno)] = &[
        ("size 0", abi::Post { size: 0, ..good }, Errno::EINVAL),
        ("size 31", abi::Post { size: 31, ..good }, Errno::EINVAL),
        (
            "huge size",
            abi::Post {
                size: u32::MAX,
                ..good
            },
            Errno::EINVAL,
        ),
        ("flag", abi::Post { flags: 4, ..good }, Errno::EINVAL),
        (
            "high flag",
            abi::Post {
                flags: 1 << 15,
                ..good
            },
            Errno::EINVAL,
        ),
        (
            "reserved",
            abi::Post {
                reserved: 1,
                ..good
            },
            Errno::EINVAL,
        ),
        (
            "gap",
            abi::Post {
                kind: abi::KIND_GAP,
                ..good
            },
            Errno::EINVAL,
        ),
        (
            "value without flag",
            abi::Post { value: 1, ..good },
            Errno::EINVAL,
        ),
        (
            "no source",
            abi::Post {
                source: u32::MAX,
                ..good
            },
            Errno::ENOENT,
        ),
        ("source 0", abi::Post { source: 0, ..good }, Errno::ENOENT),
        (
            "cut off",
            abi::Post {
                payload_len: 100,
                ..good
            },
            Errno::EINVAL,
        ),
        (
            "endless",
            abi::Post {
                payload_len: u32::MAX,
                ..good
            },
            Errno::EINVAL,
        ),
    ];
    for (what, head, errno) in bad {
        let alone = frame(*head, b"data");
        assert_eq!(rig.producer.write(&alone), Err(*errno), "{what}");
        let mut second = frame(good, b"data");
        second.extend(&alone);
        assert_eq!(rig.producer.write(&second), Err(*errno), "{what}, second");
    }
    for len in [1, 31] {
        let cut = &frame(good, b"data")[..len];
        assert_eq!(rig.producer.write(cut), Err(Errno::EINVAL), "{len} bytes");
    }
    let noise: Vec<u8> = payload(1, 4096);
    assert_eq!(rig.producer.write(&noise), Err(Errno::EINVAL));
    assert_eq!(posted(&rig.producer, rig.source), 0);
    assert_eq!(rig.stats().posted, 0);
    assert_eq!(rig.take_pending(), 0);
}

/// A batch with one frame that cannot be posted is not posted at all.
pub fn batch_is_all_or_nothing(backend: &Backend) {
    let rig = Rig::window(backend);
    let small = create_source(&rig.producer, 4);
    let mut batch = frame(post_head(rig.source, 0, None, 8), &[1; 8]);
    batch.extend(frame(post_head(small, 0, None, 4), &[2; 4]));
    batch.extend(frame(post_head(small, 0, None, 5), &[3; 5]));
    assert_eq!(rig.producer.write(&batch), Err(Errno::EMSGSIZE));
    assert_eq!(posted(&rig.producer, rig.source), 0);
    assert_eq!(posted(&rig.producer, small), 0);
}

/// A batch arrives whole and in order; the last frame may go without its padding.
pub fn batch_is_posted_in_order(backend: &Backend) {
    let mut rig = Rig::window(backend);
    let other = create_source(&rig.producer, 100);
    rig.subscriber.subscribe(other, None).unwrap();
    let lens = [3, 0, 64, 8, 1000, 13];
    let mut batch = Vec::new();
    for (n, len) in lens.into_iter().enumerate() {
        let head = post_head(rig.source, n as u16, Some(n as u64), len);
        batch.extend(frame(head, &payload(n as u64, len)));
        batch.extend(frame(post_head(other, 0, None, 0), &[]));
    }
    batch.extend(post_head(other, 9, None, 3).to_bytes());
    batch.extend(b"end");
    assert_eq!(rig.producer.write(&batch), Ok(batch.len()));

    let mut buffer = vec![0; 1 << 16];
    let got = rig.subscriber.read(&mut buffer).unwrap();
    let events = rig.ledger.book_all(&buffer[..got]);
    assert_eq!(events.len(), 2 * lens.len() + 1);
    for (n, pair) in events.chunks_exact(2).enumerate() {
        assert_eq!((pair[0].source, pair[1].source), (rig.source, other));
        assert_eq!(pair[0].kind as usize, n);
        assert_eq!(pair[0].value, Some(n as u64));
        assert_eq!(pair[0].payload, payload(n as u64, lens[n]));
    }
    assert_eq!(events.last().unwrap().payload, "end");
    rig.settle();
}

/// A timer source takes no posts.
pub fn timers_take_no_posts(backend: &Backend) {
    let rig = Rig::window(backend);
    let mut timer = abi::CreateSource {
        source_type: abi::SOURCE_TIMER,
        period_ns: 1_000_000_000,
        ..user_source(0)
    };
    rig.producer.create_source(&mut timer).unwrap();
    let post = rig.producer.post(timer.number, 0, None, &[]);
    assert_eq!(post, Err(Errno::EPERM));
    let mut batch = frame(post_head(rig.source, 0, None, 0), &[]);
    batch.extend(frame(post_head(timer.number, 0, None, 0), &[]));
    assert_eq!(rig.producer.write(&batch), Err(Errno::EPERM));
    assert_eq!(rig.stats().posted, 0);
}

/// Payloads beyond the source's limit and writes beyond the device's give EMSGSIZE.
pub fn long_payloads_are_refused(backend: &Backend) {
    let rig = Rig::window(backend);
    let source = create_source(&rig.producer, 100);
    let post = |len: usize| rig.producer.post(source, 0, None, &payload(0, len));
    assert_eq!(post(101), Err(Errno::EMSGSIZE));
    assert_eq!(post(100), Ok(()));
    let one = frame(post_head(source, 0, None, 96), &[0; 96]);
    let fitting = one.repeat(abi::MAX_WRITE / one.len());
    assert_eq!(fitting.len(), abi::MAX_WRITE);
    assert_eq!(rig.producer.write(&fitting), Ok(fitting.len()));
    let longer = [&fitting[..], &one].concat();
    assert_eq!(rig.producer.write(&longer), Err(Errno::EMSGSIZE));
    let expected = 1 + (abi::MAX_WRITE / one.len()) as u64;
    assert_eq!(posted(&rig.producer, source), expected);
}
