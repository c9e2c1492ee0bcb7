// SPDX-License-Identifier: MIT OR Apache-2.0

//! Producers that wait until their subscribers have room.

use std::thread;

use nix::errno::Errno;
use sigrt::abi;
use sigrt::client::{Access, Client, post_head};

use crate::harness::{Backend, PATIENCE, eventually};
use crate::ledger::{Ledger, payload};
use crate::rig::{Rig, request, user_source};

/// A source whose writers wait.
fn blocking_source(client: &Client, max_payload: usize) -> u32 {
    let mut source = user_source(max_payload);
    source.flags = abi::SOURCE_BLOCKING;
    client.create_source(&mut source).unwrap();
    source.number
}

/// A subscriber that is waited for, with a queue of `queue_len` records and `quota` bytes.
fn waited_for(queue_len: u32, quota: u64) -> abi::Register {
    abi::Register {
        policy: abi::POLICY_BLOCK,
        queue_len,
        quota,
        ..request(abi::MODE_WINDOW)
    }
}

fn posted(client: &Client, source: u32) -> u64 {
    let all = client.sources().unwrap();
    all.iter().find(|i| i.number == source).unwrap().posted
}

/// Reads what `client` has queued, after waiting until there is something.
fn read_some(client: &Client, ledger: &mut Ledger, mut check: impl FnMut(sigrt::Event)) {
    let mut buffer = [0; 1 << 12];
    assert!(client.poll(Some(PATIENCE)).unwrap().readable, "{ledger:?}");
    let got = client.read(&mut buffer).unwrap();
    for event in ledger.book_all(&buffer[..got]) {
        check(event);
    }
}

/// A writer that is faster than its reader waits, for places and for bytes, and nothing is lost.
pub fn writer_waits_for_room(backend: &Backend) {
    const COUNT: u64 = 500;
    let mut rig = Rig::new(backend, waited_for(4, 512));
    let writer = backend.open(Access::Write, true);
    let source = blocking_source(&writer, 400);
    rig.subscriber.subscribe(source, None).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..=COUNT {
                let bytes = payload(n, (n % 400) as usize);
                writer.post(source, 0, None, &bytes).unwrap();
            }
        });
        eventually("the queue is full", || rig.stats().queued >= 2);
        assert!(
            posted(&rig.producer, source) <= 4,
            "more than there is room for"
        );
        while rig.ledger.events < COUNT {
            let Rig {
                subscriber, ledger, ..
            } = &mut rig;
            read_some(subscriber, ledger, |event| {
                let n = event.source_seq;
                assert_eq!(event.payload, payload(n, (n % 400) as usize));
            });
        }
    });
    assert_eq!(posted(&rig.producer, source), COUNT);
    rig.settle();
    assert_eq!((rig.ledger.events, rig.ledger.gaps), (COUNT, 0));
}

/// Who does not want to wait is told how far it came; nothing of the rest has been posted.
pub fn writer_that_does_not_wait_is_told(backend: &Backend) {
    let mut rig = Rig::new(backend, waited_for(3, 0));
    let source = blocking_source(&rig.producer, 64);
    rig.subscriber.subscribe(source, None).unwrap();
    let mut batch = Vec::new();
    let mut ends = Vec::new();
    for n in 0..5_u8 {
        batch.extend(post_head(source, 0, None, 9).to_bytes());
        batch.extend([n; 16]);
        ends.push(batch.len());
    }
    assert_eq!(rig.producer.write(&batch), Ok(ends[2]));
    let rest = &batch[ends[2]..];
    assert_eq!(rig.producer.write(rest), Err(Errno::EAGAIN));
    assert_eq!(rig.producer.post(source, 0, None, &[]), Err(Errno::EAGAIN));
    assert_eq!(posted(&rig.producer, source), 3);
    rig.drain();
    assert_eq!(rig.producer.write(rest), Ok(rest.len()));
    rig.settle();
    assert_eq!((rig.ledger.events, rig.ledger.gaps), (5, 0));
}

/// At a source that was not created to wait, and for a payload that could never fit, being waited for changes
/// nothing: the newest is lost.
pub fn posts_that_cannot_wait_lose_the_newest(backend: &Backend) {
    let mut rig = Rig::new(backend, waited_for(4, 512));
    rig.post_many(10);
    rig.settle();
    assert_eq!((rig.ledger.events, rig.ledger.lost), (4, 6));

    let writer = backend.open(Access::Write, true);
    let source = blocking_source(&writer, 4096);
    rig.subscriber.subscribe(source, None).unwrap();
    writer.post(source, 0, None, &payload(1, 513)).unwrap();
    writer.post(source, 0, None, &payload(2, 512)).unwrap();
    rig.settle();
    assert_eq!((rig.ledger.events, rig.ledger.lost), (5, 7));
    assert_eq!(
        rig.ledger.reasons,
        abi::LOST_QUEUE_FULL | abi::LOST_TOO_LARGE
    );
}

/// Each subscriber of a blocking source is served exactly once, however long another one takes.
pub fn all_subscribers_are_served_once(backend: &Backend) {
    const COUNT: u64 = 60;
    let mut rig = Rig::new(backend, waited_for(2, 0));
    let slow = backend.open(Access::Read, false);
    slow.register(&mut waited_for(5, 0)).unwrap();
    let mut plain_asked = request(abi::MODE_WINDOW);
    plain_asked.queue_len = 1;
    let plain = backend.open(Access::Read, false);
    plain.register(&mut plain_asked).unwrap();
    let writer = backend.open(Access::Write, true);
    let source = blocking_source(&writer, 0);
    for client in [&rig.subscriber, &slow, &plain] {
        client.subscribe(source, None).unwrap();
    }
    let (mut slows, mut plains) = (Ledger::default(), Ledger::default());
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..=COUNT {
                writer.post(source, 0, Some(n), &[]).unwrap();
            }
        });
        while slows.events < COUNT {
            let Rig {
                subscriber, ledger, ..
            } = &mut rig;
            if ledger.events < COUNT {
                read_some(subscriber, ledger, |e| {
                    assert_eq!(e.value, Some(e.source_seq));
                });
            }
            read_some(&slow, &mut slows, |e| {
                assert_eq!(e.value, Some(e.source_seq));
            });
            if slows.events % 7 == 0
                && plain
                    .poll(Some(std::time::Duration::ZERO))
                    .unwrap()
                    .readable
            {
                read_some(&plain, &mut plains, |e| {
                    assert_eq!(e.value, Some(e.source_seq));
                });
            }
        }
    });
    rig.settle();
    assert_eq!((rig.ledger.events, rig.ledger.gaps), (COUNT, 0));
    slows.compare(&slow.stats().unwrap());
    assert_eq!((slows.events, slows.gaps), (COUNT, 0));
    while plain
        .poll(Some(std::time::Duration::ZERO))
        .unwrap()
        .readable
    {
        read_some(&plain, &mut plains, |_| {});
    }
    plains.compare(&plain.stats().unwrap());
    assert_eq!(plains.events + plains.lost, COUNT);
    assert!(plains.lost > 0, "who does not ask is not waited for");
}

/// Several sources compete for the same single place, and none takes what another was promised.
pub fn writers_do_not_take_each_others_room(backend: &Backend) {
    const COUNT: u64 = 200;
    let mut rig = Rig::new(backend, waited_for(1, 64));
    let other = backend.open(Access::Read, false);
    other.register(&mut waited_for(1, 64)).unwrap();
    let writers: Vec<_> = (0..3)
        .map(|_| {
            let writer = backend.open(Access::Write, true);
            let source = blocking_source(&writer, 64);
            for client in [&rig.subscriber, &other] {
                client.subscribe(source, None).unwrap();
            }
            (writer, source)
        })
        .collect();
    let total = COUNT * writers.len() as u64;
    let mut others = Ledger::default();
    thread::scope(|scope| {
        for (writer, source) in &writers {
            scope.spawn(move || {
                for n in 1..=COUNT {
                    writer.post(*source, 0, None, &payload(n, 50)).unwrap();
                }
            });
        }
        scope.spawn(|| {
            while others.events < total {
                read_some(&other, &mut others, |_| {});
            }
        });
        while rig.ledger.events < total {
            let Rig {
                subscriber, ledger, ..
            } = &mut rig;
            read_some(subscriber, ledger, |event| {
                assert_eq!(event.payload, payload(event.source_seq, 50));
            });
        }
    });
    rig.settle();
    assert_eq!((rig.ledger.events, rig.ledger.gaps), (total, 0));
    others.compare(&other.stats().unwrap());
    assert_eq!((others.events, others.gaps), (total, 0));
}

/// Unsubscribing, unregistering and closing end a writer's wait with success, since nobody is left to wait
/// for; the end of the source ends it with ENODEV.
pub fn waiting_ends_with_its_reason(backend: &Backend) {
    for how in ["unsubscribe", "unregister", "close", "destroy"] {
        let rig = Rig::window(backend);
        let subscriber = backend.open(Access::Read, false);
        subscriber.register(&mut waited_for(1, 0)).unwrap();
        let writer = backend.open(Access::Write, true);
        let source = blocking_source(&writer, 0);
        subscriber.subscribe(source, None).unwrap();
        writer.post(source, 0, None, &[]).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| writer.post(source, 0, None, &[]));
            // It may not wait yet, and then must not begin to.
            assert_eq!(posted(&rig.producer, source), 1);
            assert!(!waiting.is_finished(), "{how}");
            match how {
                "unsubscribe" => subscriber.unsubscribe(source).unwrap(),
                "unregister" => assert_eq!(subscriber.unregister(), Ok(1)),
                "close" => drop(subscriber),
                _ => writer.destroy_source(source).unwrap(),
            }
            let result = waiting.join().unwrap();
            if how == "destroy" {
                // Gone before it was looked for, or while it was waited for.
                assert!(
                    matches!(result, Err(Errno::ENODEV | Errno::ENOENT)),
                    "{how}: {result:?}"
                );
            } else {
                assert_eq!(result, Ok(()), "{how}");
                assert_eq!(posted(&rig.producer, source), 2, "{how}");
            }
        });
    }
}
