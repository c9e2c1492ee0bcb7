// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sources and subscriptions.

use std::time::{Duration, Instant};

use nix::errno::Errno;
use sigrt::abi;
use sigrt::client::{Access, Client, name_of, source_name};

use crate::harness::{Backend, eventually, unique};
use crate::rig::{Rig, create_source, request, user_source};

fn info(client: &Client, number: u32) -> Option<abi::SourceInfo> {
    let all = client.sources().unwrap();
    all.into_iter().find(|info| info.number == number)
}

fn timer(period_ns: u64, count: u64) -> abi::CreateSource {
    abi::CreateSource {
        source_type: abi::SOURCE_TIMER,
        period_ns,
        count,
        ..user_source(0)
    }
}

/// What a source cannot be created with gives EINVAL and no source.
pub fn bad_sources_are_refused(backend: &Backend) {
    let client = backend.open(Access::Write, false);
    let name = |bytes: &[u8]| {
        let mut name = [0; abi::NAME_LEN];
        name[..bytes.len()].copy_from_slice(bytes);
        name
    };
    let good = user_source(16);
    let bad = [
        (
            "no name",
            abi::CreateSource {
                name: [0; abi::NAME_LEN],
                ..good
            },
        ),
        (
            "endless name",
            abi::CreateSource {
                name: [b'x'; abi::NAME_LEN],
                ..good
            },
        ),
        (
            "slash",
            abi::CreateSource {
                name: name(b"a/b"),
                ..good
            },
        ),
        (
            "control",
            abi::CreateSource {
                name: name(b"a\x07b"),
                ..good
            },
        ),
        (
            "not ASCII",
            abi::CreateSource {
                name: name("ä".as_bytes()),
                ..good
            },
        ),
        (
            "after the NUL",
            abi::CreateSource {
                name: name(b"a\0b"),
                ..good
            },
        ),
        (
            "type 0",
            abi::CreateSource {
                source_type: 0,
                ..good
            },
        ),
        (
            "driver",
            abi::CreateSource {
                source_type: abi::SOURCE_DRIVER,
                ..good
            },
        ),
        (
            "type 99",
            abi::CreateSource {
                source_type: 99,
                ..good
            },
        ),
        ("flags", abi::CreateSource { flags: 1, ..good }),
        (
            "a timer that waits",
            abi::CreateSource {
                flags: abi::SOURCE_BLOCKING,
                ..timer(1_000_000, 0)
            },
        ),
        (
            "first of no timer",
            abi::CreateSource {
                first_ns: 1,
                ..good
            },
        ),
        (
            "endless first",
            abi::CreateSource {
                first_ns: 1 << 63,
                ..timer(1_000_000, 0)
            },
        ),
        (
            "reserved0",
            abi::CreateSource {
                reserved0: 1,
                ..good
            },
        ),
        (
            "reserved",
            abi::CreateSource {
                reserved: [0, 1],
                ..good
            },
        ),
        (
            "payload",
            abi::CreateSource {
                max_payload: abi::MAX_PAYLOAD as u32 + 1,
                ..good
            },
        ),
        (
            "period of no timer",
            abi::CreateSource {
                period_ns: 1_000_000,
                ..good
            },
        ),
        ("count of no timer", abi::CreateSource { count: 1, ..good }),
        ("timer without period", timer(0, 0)),
        ("short period", timer(abi::MIN_TIMER_PERIOD_NS - 1, 0)),
        ("endless period", timer(u64::MAX, 0)),
        (
            "payload of a timer",
            abi::CreateSource {
                max_payload: 1,
                ..timer(1_000_000, 0)
            },
        ),
    ];
    for (what, mut request) in bad {
        assert_eq!(
            client.create_source(&mut request),
            Err(Errno::EINVAL),
            "{what}"
        );
    }
    let mut longest = abi::CreateSource {
        max_payload: abi::MAX_PAYLOAD as u32,
        name: source_name(&format!("{:-<47}", unique("long"))).unwrap(),
        ..good
    };
    client.create_source(&mut longest).unwrap();
    let listed = info(&client, longest.number).unwrap();
    assert_eq!(name_of(&listed).len(), 47);
    assert_eq!(listed.max_payload as usize, abi::MAX_PAYLOAD);
}

/// Creating and posting need a file open for writing.
pub fn source_needs_write_access(backend: &Backend) {
    let client = backend.open(Access::Read, false);
    let mut source = user_source(16);
    assert_eq!(client.create_source(&mut source), Err(Errno::EBADF));
    let owner = backend.open(Access::Write, false);
    owner.create_source(&mut source).unwrap();
    assert_eq!(client.post(source.number, 0, None, &[]), Err(Errno::EBADF));
    assert_eq!(info(&owner, source.number).unwrap().posted, 0);
}

/// A name is taken until its source is gone; numbers are never used again.
pub fn names_are_unique(backend: &Backend) {
    let client = backend.open(Access::Write, false);
    let other = backend.open(Access::Write, false);
    let mut first = user_source(0);
    client.create_source(&mut first).unwrap();
    let mut second = first;
    assert_eq!(client.create_source(&mut second), Err(Errno::EEXIST));
    assert_eq!(other.create_source(&mut second), Err(Errno::EEXIST));
    client.destroy_source(first.number).unwrap();
    other.create_source(&mut second).unwrap();
    assert!(second.number > first.number, "numbers are not used again");
}

/// Only the file that created a source destroys it.
pub fn only_the_owner_destroys(backend: &Backend) {
    let owner = backend.open(Access::Write, false);
    let other = backend.open(Access::ReadWrite, false);
    let source = create_source(&owner, 0);
    assert_eq!(other.destroy_source(source), Err(Errno::EPERM));
    owner.destroy_source(source).unwrap();
    assert_eq!(owner.destroy_source(source), Err(Errno::ENOENT));
    assert_eq!(other.destroy_source(source), Err(Errno::ENOENT));
    assert_eq!(other.destroy_source(u32::MAX), Err(Errno::ENOENT));
    assert_eq!(owner.post(source, 0, None, &[]), Err(Errno::ENOENT));
}

/// A source lives as long as the file that created it.
pub fn sources_go_with_their_file(backend: &Backend) {
    let mut rig = Rig::window(backend);
    let owner = backend.open(Access::Write, false);
    let source = create_source(&owner, 0);
    rig.subscriber.subscribe(source, None).unwrap();
    owner.post(source, 0, None, &[]).unwrap();
    assert_eq!(rig.stats().subscriptions, 2);
    drop(owner);
    assert!(info(&rig.producer, source).is_none());
    assert_eq!(rig.producer.post(source, 0, None, &[]), Err(Errno::ENOENT));
    assert_eq!(rig.stats().subscriptions, 1);
    assert_eq!(rig.drain(), 1, "what was queued is still there");
}

/// Listing goes by number, in pages, and counts what did not fit.
pub fn sources_are_listed_in_pages(backend: &Backend) {
    let client = backend.open(Access::ReadWrite, false);
    let mine: Vec<u32> = (0..7).map(|_| create_source(&client, 3)).collect();
    assert!(mine.is_sorted());
    let (none, total) = client.list_sources(0, &mut []).unwrap();
    assert_eq!(none, 0);
    assert!(total >= mine.len());
    let mut page = [abi::SourceInfo::zeroed(); 2];
    let mut found = Vec::new();
    let mut first = mine[0];
    loop {
        let (count, left) = client.list_sources(first, &mut page).unwrap();
        if count == 0 {
            assert_eq!(left, 0);
            break;
        }
        assert!(count <= 2 && left >= count);
        found.extend(page[..count].iter().map(|info| info.number));
        first = found.last().unwrap() + 1;
    }
    assert!(found.is_sorted());
    assert!(mine.iter().all(|number| found.contains(number)));
    let all = client.sources().unwrap();
    assert!(mine.iter().all(|n| all.iter().any(|i| i.number == *n)));
}

/// The listing knows type, permission, posts, subscribers and refusals.
pub fn listing_counts_posts_and_subscribers(backend: &Backend) {
    let mut asked = request(abi::MODE_WINDOW);
    asked.queue_len = 2;
    let rig = Rig::new(backend, asked);
    let other = backend.open(Access::Read, false);
    let mut plain = request(abi::MODE_WINDOW);
    other.register(&mut plain).unwrap();
    other.subscribe(rig.source, None).unwrap();
    rig.post_many(5);
    let listed = info(&rig.producer, rig.source).unwrap();
    assert_eq!(listed.source_type, abi::SOURCE_USER);
    assert_eq!(listed.flags, abi::SOURCE_WRITABLE);
    assert_eq!((listed.posted, listed.subscribers), (5, 2));
    assert_eq!(listed.refused, 3, "one subscriber had no room for three");
    assert_eq!((listed.period_ns, listed.reserved), (0, 0));
    drop(other);
    rig.subscriber.unsubscribe(rig.source).unwrap();
    assert_eq!(info(&rig.producer, rig.source).unwrap().subscribers, 0);
}

/// Wrong subscriptions give ENOENT and EEXIST.
pub fn subscription_errors(backend: &Backend) {
    let rig = Rig::window(backend);
    assert_eq!(
        rig.subscriber.subscribe(rig.source, None),
        Err(Errno::EEXIST)
    );
    assert_eq!(rig.subscriber.subscribe(u32::MAX, None), Err(Errno::ENOENT));
    assert_eq!(rig.subscriber.subscribe(0, None), Err(Errno::ENOENT));
    assert_eq!(rig.subscriber.unsubscribe(u32::MAX), Err(Errno::ENOENT));
    rig.subscriber.unsubscribe(rig.source).unwrap();
    assert_eq!(rig.subscriber.unsubscribe(rig.source), Err(Errno::ENOENT));
    rig.subscriber.subscribe(rig.source, Some(1)).unwrap();
}

/// A registration holds a limited number of subscriptions.
pub fn subscriptions_are_limited(backend: &Backend) {
    let mut rig = Rig::window(backend);
    let mut last = rig.source;
    for _ in 1..abi::MAX_SUBSCRIPTIONS {
        last = create_source(&rig.producer, 0);
        rig.subscriber.subscribe(last, None).unwrap();
    }
    let more = create_source(&rig.producer, 0);
    assert_eq!(rig.subscriber.subscribe(more, None), Err(Errno::ENOSPC));
    rig.subscriber.unsubscribe(last).unwrap();
    rig.subscriber.subscribe(more, None).unwrap();
    rig.producer.post(more, 0, None, &[]).unwrap();
    assert_eq!(rig.drain(), 1);
}

/// Unsubscribing ends posting, not reading.
pub fn unsubscribing_keeps_what_is_queued(backend: &Backend) {
    let mut rig = Rig::window(backend);
    rig.post_many(3);
    rig.subscriber.unsubscribe(rig.source).unwrap();
    rig.post_many(3);
    assert_eq!(rig.stats().posted, 3);
    rig.settle();
    assert_eq!(rig.ledger.events, 3);
}

/// Events of a destroyed source stay readable.
pub fn destroyed_source_leaves_its_events(backend: &Backend) {
    let mut rig = Rig::window(backend);
    rig.post(&[7; 100]);
    rig.producer.destroy_source(rig.source).unwrap();
    assert_eq!(
        rig.producer.post(rig.source, 0, None, &[]),
        Err(Errno::ENOENT)
    );
    assert_eq!(rig.subscriber.unsubscribe(rig.source), Err(Errno::ENOENT));
    rig.settle();
    assert_eq!(rig.ledger.events, 1);
}

/// A timer posts until its periods are used up; late events stand for several.
pub fn timer_posts_its_periods(backend: &Backend) {
    const PERIODS: u64 = 20;
    const PERIOD: u64 = 2_000_000;
    let mut rig = Rig::window(backend);
    let mut request = timer(PERIOD, PERIODS);
    rig.producer.create_source(&mut request).unwrap();
    let listed = info(&rig.producer, request.number).unwrap();
    assert_eq!(listed.source_type, abi::SOURCE_TIMER);
    assert_eq!((listed.flags, listed.period_ns), (0, PERIOD));
    rig.subscriber.subscribe(request.number, None).unwrap();

    let mut periods = 0;
    let mut last = 0;
    let mut buffer = [0; 4096];
    while periods < PERIODS {
        let _ = rig.ring();
        while let Ok(got) = rig.subscriber.read(&mut buffer) {
            for event in rig.ledger.book_all(&buffer[..got]) {
                let time = event.time.as_nanos() as u64;
                assert!(time > last, "time goes forward");
                assert!(event.payload.is_empty() && event.kind == 0);
                last = time;
                periods += event.value.unwrap();
            }
        }
    }
    assert_eq!(periods, PERIODS);
    // It has ended: nothing is posted in several periods of another timer.
    let mut clock = timer(PERIOD, 0);
    rig.producer.create_source(&mut clock).unwrap();
    rig.subscriber.subscribe(clock.number, None).unwrap();
    eventually("another timer", || {
        info(&rig.producer, clock.number).unwrap().posted >= 3
    });
    let listed = info(&rig.producer, request.number).unwrap();
    assert_eq!(listed.posted, rig.ledger.events);
}

/// The first expiration is when it was asked for, the others follow at the period.
pub fn timer_starts_when_asked(backend: &Backend) {
    let mut first = Duration::from_millis(3);
    // What expires before anybody has subscribed is nobody's, and on a busy machine that takes its time.
    while !starts_when_asked(backend, first) {
        first *= 2;
    }
}

/// Whether there was time to subscribe before the first expiration.
fn starts_when_asked(backend: &Backend, first: Duration) -> bool {
    let mut rig = Rig::window(backend);
    let mut hourly = abi::CreateSource {
        first_ns: first.as_nanos() as u64,
        ..timer(3600 * 1_000_000_000, 0)
    };
    let mut quick = abi::CreateSource {
        first_ns: first.as_nanos() as u64,
        ..timer(1_000_000, 3)
    };
    let mut late = abi::CreateSource {
        first_ns: 3600 * 1_000_000_000,
        ..timer(1_000_000, 0)
    };
    let created = Instant::now();
    for request in [&mut hourly, &mut quick, &mut late] {
        rig.producer.create_source(request).unwrap();
        rig.subscriber.subscribe(request.number, None).unwrap();
    }
    if created.elapsed() >= first {
        return false;
    }
    let mut periods = [0; 3];
    let mut buffer = [0; 4096];
    while periods[0] < 1 || periods[1] < 3 {
        let _ = rig.ring();
        while let Ok(got) = rig.subscriber.read(&mut buffer) {
            for event in rig.ledger.book_all(&buffer[..got]) {
                let which = [&hourly, &quick, &late]
                    .iter()
                    .position(|r| r.number == event.source);
                periods[which.unwrap()] += event.value.unwrap();
            }
        }
    }
    assert_eq!(periods, [1, 3, 0]);
    true
}

/// Only a driver answers calls; who may not post may not call.
pub fn calls_need_a_driver(backend: &Backend) {
    let client = backend.open(Access::Write, false);
    let user = create_source(&client, 8);
    let mut clock = timer(3600 * 1_000_000_000, 0);
    client.create_source(&mut clock).unwrap();
    let reader = backend.open(Access::Read, false);
    let call = |client: &Client, source| client.call(source, 0, 0, &[], &mut [0; 8], None);
    for source in [user, clock.number] {
        assert_eq!(call(&client, source), Err(Errno::EOPNOTSUPP));
        assert_eq!(call(&reader, source), Err(Errno::EBADF));
        let flags = info(&client, source).unwrap().flags;
        assert_eq!(flags & abi::SOURCE_CALLABLE, 0);
    }
    assert_eq!(call(&client, u32::MAX), Err(Errno::ENOENT));
    assert_eq!(call(&reader, u32::MAX), Err(Errno::EBADF));
}
