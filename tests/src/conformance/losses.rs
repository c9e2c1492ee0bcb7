// SPDX-License-Identifier: MIT OR Apache-2.0

//! What does not fit is lost, counted, and reported exactly.

use sigrt::{abi, client::Access};

use crate::harness::Backend;
use crate::ledger::{balanced, payload};
use crate::rig::{Rig, request};

/// Events beyond the queue's length are one gap, with the reason.
pub fn full_queue_makes_an_exact_gap(backend: &Backend) {
    let mut asked = request(abi::MODE_WINDOW);
    asked.queue_len = 4;
    let mut rig = Rig::new(backend, asked);
    rig.post_many(10);
    let stats = rig.stats();
    assert_eq!((stats.queued, stats.lost_queue_full), (4, 6));
    balanced(&stats);
    rig.settle();
    let ledger = &rig.ledger;
    assert_eq!((ledger.events, ledger.lost, ledger.gaps), (4, 6, 1));
    assert_eq!(ledger.reasons, abi::LOST_QUEUE_FULL);
    rig.post_many(2);
    rig.settle();
    assert_eq!((rig.ledger.events, rig.ledger.lost), (6, 6));
}

/// Payloads beyond the quota are a gap, with the reason; what needs none still fits.
pub fn used_up_quota_makes_an_exact_gap(backend: &Backend) {
    let mut asked = request(abi::MODE_WINDOW);
    asked.quota = 4096;
    let mut rig = Rig::new(backend, asked);
    for n in 0..10 {
        rig.post(&payload(n, 1024));
    }
    let stats = rig.stats();
    assert_eq!((stats.queued, stats.lost_quota), (4, 6));
    assert_eq!(stats.quota_used, 4096);
    balanced(&stats);
    rig.post(b"inline");
    rig.settle();
    let ledger = &rig.ledger;
    assert_eq!((ledger.events, ledger.lost), (5, 6));
    assert_eq!(ledger.reasons, abi::LOST_QUOTA);
    for n in 0..4 {
        rig.post(&payload(n, 1024));
    }
    rig.settle();
    assert_eq!((rig.ledger.events, rig.ledger.lost), (9, 6));
}

/// A payload that could never fit is lost with a reason of its own.
pub fn payload_over_quota_makes_a_gap(backend: &Backend) {
    let mut asked = request(abi::MODE_PER_EVENT);
    asked.quota = 4096;
    let mut rig = Rig::new(backend, asked);
    rig.post(&payload(0, 4097));
    rig.post(&payload(1, 4096));
    let stats = rig.stats();
    assert_eq!((stats.queued, stats.lost_too_large), (1, 1));
    let _ = rig.ring();
    rig.settle();
    let ledger = &rig.ledger;
    assert_eq!((ledger.events, ledger.lost, ledger.gaps), (1, 1, 1));
    assert_eq!(ledger.reasons, abi::LOST_TOO_LARGE);
}

/// Who is slow loses alone.
pub fn slow_subscriber_does_not_disturb_another(backend: &Backend) {
    let mut asked = request(abi::MODE_WINDOW);
    asked.queue_len = 1;
    let mut slow = Rig::new(backend, asked);
    let mut plain = request(abi::MODE_WINDOW);
    plain.signo += 1;
    let mut quick = Rig::new(backend, plain);
    quick.subscriber.subscribe(slow.source, None).unwrap();
    slow.post_many(100);
    quick.settle();
    assert_eq!((quick.ledger.events, quick.ledger.lost), (100, 0));
    slow.settle();
    assert_eq!((slow.ledger.events, slow.ledger.lost), (1, 99));

    let observer = backend.open(Access::Read, false);
    let all = observer.sources().unwrap();
    let listed = all.iter().find(|i| i.number == slow.source).unwrap();
    assert_eq!((listed.posted, listed.refused), (100, 99));
}

/// Posts and reads in any pattern: the stream accounts for every number, whatever was lost why.
pub fn any_pattern_of_losses_is_accounted_for(backend: &Backend) {
    for seed in 1..9_u64 {
        let mut asked = request(if seed % 2 == 0 {
            abi::MODE_WINDOW
        } else {
            abi::MODE_PER_EVENT
        });
        asked.queue_len = 1 + (seed as u32 * 3) % 7;
        asked.quota = 4096;
        asked.window = 1 + seed as u32 % 3;
        let mut rig = Rig::new(backend, asked);
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let mut buffer = [0; 64 + 4096];
        for n in 0..400 {
            match random(5) {
                0 => {
                    // One read, which need not empty the queue.
                    if let Ok(got) = rig.subscriber.read(&mut buffer) {
                        rig.ledger.book_all(&buffer[..got]);
                    }
                }
                1 => {
                    let _ = rig.take_pending();
                }
                2 => rig.post(&payload(n, 5000)),
                3 => rig.post(&payload(n, random(2000) as usize)),
                _ => rig.post(&[]),
            }
            balanced(&rig.stats());
        }
        // However it went, a doorbell is there if anything is.
        if rig.stats().queued > 0 {
            let _ = rig.take_pending();
            rig.drain();
        }
        rig.post_many(1);
        let _ = rig.ring();
        rig.settle();
    }
}
