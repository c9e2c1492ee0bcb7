// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is lost when there is no room, which events pass a filter, and how a source ends.

use nix::errno::Errno;
use sigrt::{Delivery, Device, Overflow, SourceOptions, abi};

use crate::harness::{Backend, unique};
use crate::ledger::{balanced, payload};
use crate::rig::{Rig, Spoil, create_source, request};

fn rig(backend: &Backend, mode: u32, policy: u32, queue_len: u32) -> Rig {
    let mut asked = request(mode);
    (asked.policy, asked.queue_len) = (policy, queue_len);
    Rig::new(backend, asked)
}

/// What a read returned, in short: numbers within the source, with a mark for gaps.
fn read(rig: &Rig) -> Vec<String> {
    let mut buffer = vec![0; 1 << 16];
    match rig.subscriber.read(&mut buffer) {
        Ok(got) => sigrt::parse_frames(&buffer[..got])
            .map(|delivery| match delivery {
                Delivery::Event(event) => event.source_seq.to_string(),
                Delivery::Gap(gap) => format!("lost {}-{} ({})", gap.first, gap.last, gap.reason),
                Delivery::Gone(gone) => format!("gone after {}", gone.last),
            })
            .collect(),
        Err(Errno::EAGAIN) => Vec::new(),
        Err(errno) => panic!("read: {errno}"),
    }
}

/// The oldest make place for the newest; the gap comes where they were.
pub fn oldest_make_place(backend: &Backend) {
    for mode in [abi::MODE_PER_EVENT, abi::MODE_WINDOW, abi::MODE_COALESCED] {
        let rig = rig(backend, mode, abi::POLICY_DROP_OLDEST, 4);
        rig.post_many(10);
        let stats = rig.stats();
        assert_eq!((stats.queued, stats.lost_oldest, stats.gaps), (3, 7, 1));
        balanced(&stats);
        assert_eq!(
            read(&rig),
            ["lost 1-7 (made place for newer events)", "8", "9", "10"]
        );
        rig.post_many(1);
        assert_eq!(read(&rig), ["11"]);
    }
}

/// The oldest give up their payloads too.
pub fn oldest_payloads_make_place(backend: &Backend) {
    let mut asked = request(abi::MODE_WINDOW);
    (asked.policy, asked.quota) = (abi::POLICY_DROP_OLDEST, 4096);
    let mut rig = Rig::new(backend, asked);
    for n in 0..10 {
        rig.post(&payload(n, 1024));
    }
    let stats = rig.stats();
    assert_eq!(
        (stats.queued, stats.lost_oldest, stats.lost_quota),
        (4, 6, 0)
    );
    let mut buffer = vec![0; 8192];
    let got = rig.subscriber.read(&mut buffer).unwrap();
    let events: Vec<_> = sigrt::parse_frames(&buffer[..got])
        .filter_map(Delivery::event)
        .collect();
    for (event, n) in events.iter().zip(6..10) {
        assert_eq!(event.payload, payload(n, 1024));
    }
    assert_eq!(events.len(), 4);
    // What never fits is lost itself, and takes nothing along.
    rig.post(&payload(0, 100));
    rig.post(&payload(0, 5000));
    assert_eq!(rig.stats().lost_too_large, 1);
    assert_eq!(read(&rig), ["11", "lost 12-12 (larger than the quota)"]);
    balanced(&rig.stats());
    rig.ledger.events = 0;
}

/// Of each source only the latest event stays.
pub fn only_the_latest_stays(backend: &Backend) {
    for mode in [abi::MODE_PER_EVENT, abi::MODE_WINDOW, abi::MODE_COALESCED] {
        let rig = rig(backend, mode, abi::POLICY_LATEST_ONLY, 16);
        let other = create_source(&rig.producer, 0);
        rig.subscriber.subscribe(other, None).unwrap();
        for _ in 0..5 {
            rig.post_many(1);
            rig.producer.post(other, 0, None, &[]).unwrap();
        }
        let stats = rig.stats();
        assert_eq!((stats.queued, stats.lost_superseded), (2, 8));
        assert_eq!(
            read(&rig),
            ["lost 1-4 (superseded)", "lost 1-4 (superseded)", "5", "5"]
        );
        rig.post_many(1);
        assert_eq!(read(&rig), ["6"], "there was nothing to replace");
        balanced(&rig.stats());
    }
}

/// A handle of what was withdrawn names the gap in its place, or nothing.
pub fn withdrawn_handles_name_no_payload(backend: &Backend) {
    let rig = rig(backend, abi::MODE_PER_EVENT, abi::POLICY_DROP_OLDEST, 4);
    for n in 0..10 {
        rig.post(&payload(n, 100));
    }
    let mut buffer = [0; 200];
    let mut payloads = 0;
    while let Some(taken) = rig.pending() {
        match rig.subscriber.pread(&mut buffer, taken.value) {
            Ok(got) => {
                let n = (0..10).find(|&n| payload(n, 100) == buffer[..got]);
                assert!(n.is_some_and(|n| n >= 7), "what was lost is lost");
                payloads += 1;
            }
            Err(errno) => assert!(matches!(errno, Errno::ENODATA | Errno::ESTALE), "{errno}"),
        }
    }
    assert_eq!(payloads, 3);
    assert_eq!(read(&rig), ["lost 1-7 (made place for newer events)"]);
}

/// Only events that pass the filter are delivered; the others are neither posted nor lost.
pub fn filters_let_pass_what_they_say(backend: &Backend) {
    let rig = Rig::window(backend);
    let filtered = |kind_first, kind_last, value_mask, value_match| {
        let source = create_source(&rig.producer, 0);
        rig.subscriber
            .subscribe_with(&mut abi::Subscribe {
                flags: abi::SUB_FILTER,
                source,
                kind_first,
                kind_last,
                value_mask,
                value_match,
                ..abi::Subscribe::zeroed()
            })
            .unwrap();
        for n in 0..8 {
            let value = (n >= 4).then_some(n);
            rig.producer.post(source, n as u16, value, &[]).unwrap();
        }
        read(&rig).join(" ")
    };
    assert_eq!(filtered(0, 0xffef, 0, 0), "1 2 3 4 5 6 7 8");
    assert_eq!(filtered(2, 5, 0, 0), "3 4 5 6");
    assert_eq!(filtered(0, 0xffef, 1, 1), "6 8");
    assert_eq!(filtered(0, 0xffef, 1, 0), "1 2 3 4 5 7");
    assert_eq!(filtered(7, 7, u64::MAX, 7), "8");
    let stats = rig.stats();
    assert_eq!((stats.posted, stats.consumed), (21, 21));
}

/// A filter that does not make sense is refused.
pub fn bad_filters_are_refused(backend: &Backend) {
    let rig = Rig::window(backend);
    let source = create_source(&rig.producer, 0);
    let good = abi::Subscribe {
        source,
        ..abi::Subscribe::zeroed()
    };
    let bad: &[(&str, Spoil<abi::Subscribe>)] = &[
        ("unknown flag", |s| s.flags = abi::SUB_FLAGS + 1),
        ("reserved", |s| s.reserved = 1),
        ("kinds without the flag", |s| s.kind_last = 1),
        ("mask without the flag", |s| s.value_mask = 1),
        ("match without the flag", |s| s.value_match = 1),
        ("no kind", |s| {
            (s.flags, s.kind_first, s.kind_last) = (abi::SUB_FILTER, 2, 1);
        }),
        ("reserved kinds", |s| {
            (s.flags, s.kind_first, s.kind_last) = (abi::SUB_FILTER, 0xfff0, 0xffff);
        }),
        ("match outside the mask", |s| {
            (s.flags, s.value_mask, s.value_match) = (abi::SUB_FILTER, 1, 2);
        }),
    ];
    for (what, spoil) in bad {
        let mut request = good;
        spoil(&mut request);
        let result = rig.subscriber.subscribe_with(&mut request);
        assert_eq!(result, Err(Errno::EINVAL), "{what}");
    }
    rig.subscriber.subscribe_with(&mut { good }).unwrap();
}

/// The end of a source comes after everything else of it, and once.
pub fn source_that_ends_says_so(backend: &Backend) {
    let rig = rig(backend, abi::MODE_WINDOW, abi::POLICY_REJECT_NEWEST, 3);
    let owner = backend.open(sigrt::client::Access::Write, false);
    let ending = create_source(&owner, 0);
    rig.subscriber.subscribe(ending, None).unwrap();
    for _ in 0..5 {
        owner.post(ending, 0, None, &[]).unwrap();
    }
    let _ = rig.take_pending();
    drop(owner);
    // What was full has room again after the first of these, and the rest comes in its order.
    let all = ["1", "2", "3", "lost 4-5 (queue full)", "gone after 5"];
    assert_eq!(read(&rig), all);
    assert_eq!(read(&rig), [""; 0]);
    balanced(&rig.stats());
    assert_eq!(rig.stats().subscriptions, 1, "the rig's own is left");
    // A source that never posted ends too; one that was unsubscribed from does not.
    let owner = backend.open(sigrt::client::Access::Write, false);
    let (silent, left) = (create_source(&owner, 0), create_source(&owner, 0));
    rig.subscriber.subscribe(silent, None).unwrap();
    rig.subscriber.subscribe(left, None).unwrap();
    rig.subscriber.unsubscribe(left).unwrap();
    drop(owner);
    assert_eq!(read(&rig), ["gone after 0"]);
}

/// The same through the channel: the newest state is what a slow receiver gets.
pub fn channel_keeps_the_latest(backend: &Backend) {
    let device: Device = backend.device();
    let source = device
        .create_source(SourceOptions::new(&unique("state")))
        .unwrap();
    let subscription = device
        .subscription()
        .overflow(Overflow::LatestOnly)
        .channel_capacity(1)
        .subscribe(&source)
        .start()
        .unwrap();
    for n in 0..1000 {
        source.post(Some(n), &[]).unwrap();
    }
    let (mut last, mut counted) = (None, 0);
    while last != Some(999) {
        match subscription.recv_timeout(crate::harness::PATIENCE).unwrap() {
            Delivery::Event(event) => {
                assert!(event.value > last);
                last = event.value;
                counted += 1;
            }
            Delivery::Gap(gap) => {
                assert!(gap.reason.superseded());
                counted += u64::from(gap.count);
            }
            Delivery::Gone(gone) => panic!("{gone}"),
        }
    }
    assert_eq!(counted, 1000);
    drop(source);
    let delivery = subscription.recv_timeout(crate::harness::PATIENCE).unwrap();
    assert!(matches!(delivery, Delivery::Gone(gone) if gone.last == 1000));
}
