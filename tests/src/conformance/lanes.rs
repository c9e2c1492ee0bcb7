// SPDX-License-Identifier: MIT OR Apache-2.0

//! Several lanes, coalesced doorbells, modes that change, and drains without any signal.

use std::time::Duration;

use nix::errno::Errno;
use sigrt::client::Client;
use sigrt::sys::{self, SignalSet};
use sigrt::{Delivery, abi};

use crate::harness::{Backend, PATIENCE};
use crate::ledger::balanced;
use crate::rig::{Rig, Spoil, create_source, request};

/// Signal number of a lane below and above that of [`request`].
fn below() -> u32 {
    request(0).signo - 1
}
fn above() -> u32 {
    request(0).signo + 1
}

fn lane(signo: u32, mode: u32) -> abi::Lane {
    abi::Lane {
        signo,
        mode,
        queue_len: 16,
        policy: abi::POLICY_REJECT_NEWEST,
        ..abi::Lane::zeroed()
    }
}

fn subscribe(client: &Client, source: u32, signo: u32) {
    let mut request = abi::Subscribe {
        source,
        signo,
        ..abi::Subscribe::zeroed()
    };
    client.subscribe_with(&mut request).unwrap();
}

/// A rig with room for two more lanes, whose signals are blocked too as long as it lives.
struct Roomy {
    rig: Rig,
    signals: SignalSet,
    /// Last: signals are taken before it unblocks them.
    _mask: sys::MaskGuard,
}

impl Drop for Roomy {
    fn drop(&mut self) {
        // A test may have ended the registration itself.
        self.rig.subscriber.unregister().ok();
        while sys::take_signal(&self.signals, Some(Duration::ZERO)).is_ok() {}
    }
}

fn roomy(backend: &Backend, mode: u32) -> Roomy {
    let mut asked = request(mode);
    (asked.queue_len, asked.capacity) = (16, 48);
    let signals = SignalSet::of(&[below() as i32, above() as i32]);
    let mask = sys::block(&signals);
    Roomy {
        rig: Rig::new(backend, asked),
        signals,
        _mask: mask,
    }
}

/// Numbers of signals and sequence numbers of what a read returned.
fn seen(bytes: &[u8]) -> Vec<(u64, u32)> {
    sigrt::parse_frames(bytes)
        .map(|delivery| match delivery {
            Delivery::Event(event) => (event.seq, event.source),
            other => panic!("{other:?}"),
        })
        .collect()
}

/// `read` empties the lowest number first; sequence numbers merge the lanes again.
pub fn lanes_are_read_lowest_first(backend: &Backend) {
    let Roomy { rig, .. } = &roomy(backend, abi::MODE_WINDOW);
    let sources = [
        rig.source,
        create_source(&rig.producer, 0),
        create_source(&rig.producer, 0),
    ];
    // Added out of order.
    for (signo, source) in [(above(), sources[1]), (below(), sources[2])] {
        rig.subscriber
            .add_lane(&mut lane(signo, abi::MODE_WINDOW))
            .unwrap();
        subscribe(&rig.subscriber, source, signo);
    }
    for source in [0, 1, 2, 0, 1, 2] {
        rig.producer.post(sources[source], 0, None, &[]).unwrap();
    }
    let mut buffer = [0; 1024];
    let got = rig.subscriber.read(&mut buffer).unwrap();
    assert_eq!(
        seen(&buffer[..got]),
        [
            (3, sources[2]),
            (6, sources[2]),
            (1, sources[0]),
            (4, sources[0]),
            (2, sources[1]),
            (5, sources[1])
        ]
    );
    balanced(&rig.stats());
}

/// One lane can be read by itself, and its events ring its own signal.
pub fn one_lane_is_read_by_itself(backend: &Backend) {
    let Roomy { rig, .. } = &roomy(backend, abi::MODE_WINDOW);
    let urgent = create_source(&rig.producer, 0);
    rig.subscriber
        .add_lane(&mut lane(below(), abi::MODE_PER_EVENT))
        .unwrap();
    subscribe(&rig.subscriber, urgent, below());
    rig.post_many(2);
    rig.producer.post(urgent, 0, None, &[]).unwrap();
    let signals = SignalSet::of(&[below() as i32]);
    let taken = sys::take_signal(&signals, Some(PATIENCE)).unwrap();
    assert_eq!(taken.signo, below() as i32);
    assert_eq!(rig.ring().signo, request(0).signo as i32);

    let mut buffer = [0; 1024];
    let lane_of = |signo, buffer: &mut [u8]| {
        let got = rig.subscriber.read_lane(signo, buffer)?;
        Ok::<_, Errno>(seen(&buffer[..got]).len())
    };
    assert_eq!(lane_of(above(), &mut buffer), Err(Errno::ENOENT));
    assert_eq!(lane_of(below(), &mut buffer), Ok(1));
    assert_eq!(lane_of(below(), &mut buffer), Err(Errno::EAGAIN));
    assert_eq!(rig.stats().queued, 2);
    assert_eq!(lane_of(request(0).signo, &mut buffer), Ok(2));
    assert_eq!(lane_of(0, &mut buffer), Err(Errno::EAGAIN));
}

/// Each lane has a queue of its own.
pub fn full_lane_does_not_fill_another(backend: &Backend) {
    let Roomy { rig, .. } = &roomy(backend, abi::MODE_WINDOW);
    let other = create_source(&rig.producer, 0);
    rig.subscriber
        .add_lane(&mut lane(above(), abi::MODE_WINDOW))
        .unwrap();
    subscribe(&rig.subscriber, other, above());
    rig.post_many(100);
    for _ in 0..16 {
        rig.producer.post(other, 0, None, &[]).unwrap();
    }
    let stats = rig.stats();
    assert_eq!((stats.queued, stats.lost_queue_full), (32, 84));
    let mut buffer = [0; 4096];
    let got = rig.subscriber.read(&mut buffer).unwrap();
    assert_eq!(sigrt::parse_frames(&buffer[..got]).count(), 33, "and a gap");
    balanced(&rig.stats());
}

/// What cannot be a lane is refused.
pub fn bad_lanes_are_refused(backend: &Backend) {
    let Roomy { rig, .. } = &roomy(backend, abi::MODE_WINDOW);
    let client = &rig.subscriber;
    let good = lane(above(), abi::MODE_WINDOW);
    let bad: &[(&str, Errno, Spoil<abi::Lane>)] = &[
        ("flags", Errno::EINVAL, |l| l.flags = 1),
        ("reserved0", Errno::EINVAL, |l| l.reserved0 = 1),
        ("reserved", Errno::EINVAL, |l| l.reserved[2] = 1),
        ("mode", Errno::EINVAL, |l| l.mode = 0),
        ("policy", Errno::EINVAL, |l| l.policy = 0),
        ("window", Errno::EINVAL, |l| l.window = abi::MAX_WINDOW + 1),
        ("signal 33", Errno::EINVAL, |l| l.signo = 33),
        ("signal 65", Errno::EINVAL, |l| l.signo = 65),
        ("target", Errno::EINVAL, |l| l.target_tid = -1),
        ("foreign target", Errno::ESRCH, |l| l.target_tid = 1),
        ("same number", Errno::EEXIST, |l| l.signo = request(0).signo),
        ("capacity", Errno::ENOSPC, |l| l.queue_len = 33),
    ];
    for (what, errno, spoil) in bad {
        let mut request = good;
        spoil(&mut request);
        assert_eq!(client.add_lane(&mut request), Err(*errno), "{what}");
    }
    client.add_lane(&mut { good }).unwrap();
    assert_eq!(client.add_lane(&mut { good }), Err(Errno::EEXIST));
    let mut last = lane(below(), abi::MODE_WINDOW);
    last.queue_len = 0;
    assert_eq!(
        client.add_lane(&mut last),
        Err(Errno::ENOSPC),
        "the default is longer"
    );
    last.queue_len = 16;
    client.add_lane(&mut last).unwrap();
    assert_eq!((last.queue_len, last.window), (16, abi::DEFAULT_WINDOW));
    client.unregister().unwrap();
    assert_eq!(client.add_lane(&mut { good }), Err(Errno::ENOTCONN));
}

/// Coalesced: one signal for a burst, none while it is drained, the next after the drain.
pub fn coalesced_rings_once_for_a_drain(backend: &Backend) {
    let mut rig = Rig::new(backend, request(abi::MODE_COALESCED));
    for round in 1..=5 {
        rig.post_many(20);
        let stats = rig.stats();
        assert_eq!(
            (stats.signals_sent, stats.coalesced),
            (round, round * 38 - 19)
        );
        let _ = rig.ring();
        // While it is being drained, nothing rings.
        let mut buffer = [0; 640];
        let got = rig.subscriber.read(&mut buffer).unwrap();
        rig.ledger.book_all(&buffer[..got]);
        rig.post_many(19);
        assert_eq!(rig.take_pending(), 0);
        rig.drain();
    }
    rig.settle();
    assert_eq!(rig.ledger.events, 195);
}

/// A lane can be armed by hand when it has been drained, and only then.
pub fn arming_needs_a_drained_lane(backend: &Backend) {
    let mut asked = request(abi::MODE_COALESCED);
    asked.flags = abi::REG_PREAD_CONSUME | abi::REG_PREAD_RECORD;
    let mut rig = Rig::new(backend, asked);
    let client = &rig.subscriber;
    assert_eq!(client.arm(0), Ok(()));
    rig.post_many(1);
    let taken = rig.ring();
    assert_eq!(client.arm(0), Err(Errno::EAGAIN));
    // Consumed by its handle: nobody has found the lane empty.
    let mut buffer = [0; 64];
    assert_eq!(client.pread(&mut buffer, taken.value), Ok(64));
    rig.ledger.book_all(&buffer);
    rig.post_many(1);
    assert_eq!(rig.take_pending(), 0, "not armed");
    assert_eq!(client.arm(0), Err(Errno::EAGAIN));
    assert_eq!(client.read(&mut buffer), Ok(64));
    rig.ledger.book_all(&buffer);
    assert_eq!(client.arm(0), Ok(()));
    rig.post_many(1);
    let _ = rig.ring();
    assert_eq!(rig.subscriber.arm(above()), Err(Errno::ENOENT));
    rig.settle();
    rig.subscriber.set_mode(0, abi::MODE_WINDOW, 0).unwrap();
    assert_eq!(rig.subscriber.arm(0), Err(Errno::EINVAL));
}

/// The mode can be changed at any time; what is queued is announced in the new one.
pub fn modes_change_while_events_come(backend: &Backend) {
    let mut rig = Rig::per_event(backend);
    let modes = [
        (abi::MODE_WINDOW, 2),
        (abi::MODE_COALESCED, 0),
        (abi::MODE_PER_EVENT, 3),
        (abi::MODE_COALESCED, 1),
        (abi::MODE_WINDOW, 0),
        (abi::MODE_PER_EVENT, 0),
    ];
    for (round, (mode, window)) in modes.into_iter().cycle().take(60).enumerate() {
        rig.post_many(round % 7);
        rig.subscriber.set_mode(0, mode, window).unwrap();
        rig.post_many(round % 3);
        if round % 4 == 3 {
            // Everything is announced by signals alone.
            while rig.stats().queued > 0 {
                let _ = rig.ring();
                rig.drain();
            }
        }
        assert!(rig.take_pending() <= abi::MAX_WINDOW as usize);
        rig.drain();
    }
    rig.settle();
    let client = &rig.subscriber;
    assert_eq!(client.set_mode(0, 0, 0), Err(Errno::EINVAL));
    assert_eq!(
        client.set_mode(0, abi::MODE_WINDOW, 257),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        client.set_mode(above(), abi::MODE_WINDOW, 0),
        Err(Errno::ENOENT)
    );
    client.unregister().unwrap();
    assert_eq!(
        client.set_mode(0, abi::MODE_WINDOW, 0),
        Err(Errno::ENOTCONN)
    );
}

/// A consumer that never takes a signal, and only polls and reads, misses nothing and does not fill the limit on
/// queued signals.
pub fn drains_without_signals(backend: &Backend) {
    for mode in [abi::MODE_PER_EVENT, abi::MODE_WINDOW, abi::MODE_COALESCED] {
        let mut rig = Rig::new(backend, request(mode));
        for _ in 0..200 {
            rig.post_many(3);
            assert!(rig.subscriber.poll(Some(Duration::ZERO)).unwrap().readable);
            rig.drain();
        }
        rig.settle();
        assert_eq!(rig.ledger.events, 600);
        let pending = rig.take_pending();
        assert!(pending >= 1, "mode {mode}");
        assert!(
            pending <= abi::DEFAULT_WINDOW as usize,
            "mode {mode}: {pending}"
        );
        // The doorbells are gone; the next event rings again.
        rig.post_many(1);
        let _ = rig.ring();
        rig.settle();
    }
}
