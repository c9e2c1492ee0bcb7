// SPDX-License-Identifier: MIT OR Apache-2.0

//! Registering, and what is refused.

use std::sync::mpsc::TryRecvError;

use nix::errno::Errno;
use sigrt::abi;
use sigrt::client::Access;
use sigrt::sys::{self, SIGURG, SignalSet};

use crate::harness::{Backend, eventually};
use crate::raw;
use crate::rig::{Rig, create_source, request};

/// Zeros ask for defaults; the values in force come back.
pub fn defaults_are_written_back(backend: &Backend) {
    let rig = Rig::new(backend, request(abi::MODE_WINDOW));
    let got = rig.registered;
    assert_eq!(got.abi, abi::ABI_VERSION);
    assert_eq!(got.queue_len, abi::DEFAULT_QUEUE);
    assert_eq!(got.quota, abi::DEFAULT_QUOTA);
    assert_eq!(got.window, abi::DEFAULT_WINDOW);

    let mut asked = request(abi::MODE_PER_EVENT);
    (asked.queue_len, asked.window, asked.quota) = (7, 3, 100);
    let rig = Rig::new(backend, asked);
    let got = rig.registered;
    assert_eq!((got.queue_len, got.window), (7, 3));
    assert_eq!(got.quota, 128, "whole units of 64 bytes");
    let stats = rig.stats();
    assert_eq!(stats.state, abi::STATE_REGISTERED);
    assert_eq!(stats.subscriptions, 1);
}

/// Every value that is out of range gives EINVAL and no registration.
pub fn values_out_of_range_are_refused(backend: &Backend) {
    type Spoil = fn(&mut abi::Register);
    let _mask = sys::block(&SignalSet::asynchronous());
    let client = backend.open(Access::Read, false);
    let bad: &[(&str, Spoil)] = &[
        ("signal 0", |r| r.signo = 0),
        ("SIGUSR1 per event", |r| {
            (r.signo, r.mode) = (10, abi::MODE_PER_EVENT);
        }),
        ("SIGKILL", |r| r.signo = 9),
        ("the C library's", |r| r.signo = 32),
        ("the C library's other", |r| r.signo = 33),
        ("signal 65", |r| r.signo = 65),
        ("signal 2^31", |r| r.signo = 1 << 31),
        ("mode 0", |r| r.mode = 0),
        ("mode 9", |r| r.mode = 9),
        ("policy 0", |r| r.policy = 0),
        ("policy 9", |r| r.policy = 9),
        ("clock 0", |r| r.clock = 0),
        ("clock 2", |r| r.clock = 2),
        ("window", |r| r.window = abi::MAX_WINDOW + 1),
        ("queue", |r| r.queue_len = abi::MAX_QUEUE + 1),
        ("quota", |r| r.quota = abi::MAX_QUOTA + 1),
        ("huge quota", |r| r.quota = u64::MAX),
        ("unknown flag", |r| r.flags = abi::REG_FLAGS + 1),
        ("highest flag", |r| r.flags = 1 << 31),
        ("contradiction", |r| {
            r.flags = abi::REG_PREAD_CONSUME | abi::REG_PREAD_KEEP;
        }),
        ("capacity below the queue", |r| {
            (r.queue_len, r.capacity) = (8, 7);
        }),
        ("capacity", |r| r.capacity = abi::MAX_QUEUE + 1),
        ("policy with a queue of 1", |r| {
            (r.queue_len, r.policy) = (1, abi::POLICY_DROP_OLDEST);
        }),
        ("reserved[0]", |r| r.reserved[0] = 1),
        ("reserved[1]", |r| r.reserved[1] = 1 << 63),
        ("reserved[2]", |r| r.reserved[2] = 1),
        ("reserved[3]", |r| r.reserved[3] = 1),
        ("negative target", |r| r.target_tid = -1),
        ("negative failover", |r| r.failover_tid = i32::MIN),
    ];
    for (what, spoil) in bad {
        let mut request = request(abi::MODE_WINDOW);
        spoil(&mut request);
        assert_eq!(client.register(&mut request), Err(Errno::EINVAL), "{what}");
        assert_eq!(client.stats().unwrap().state, 0, "{what}");
    }
    let last = abi::LAST_SIGNAL;
    for signo in [sys::sigrtmin() as u32, last] {
        let mut good = request(abi::MODE_WINDOW);
        good.signo = signo;
        (good.window, good.queue_len) = (abi::MAX_WINDOW, abi::MAX_QUEUE);
        client.register(&mut good).unwrap();
        client.unregister().unwrap();
    }
}

/// One registration per file; another file is free.
pub fn second_registration_is_busy(backend: &Backend) {
    let rig = Rig::window(backend);
    let mut again = request(abi::MODE_WINDOW);
    assert_eq!(rig.subscriber.register(&mut again), Err(Errno::EBUSY));
    let other = backend.open(Access::Read, false);
    other.register(&mut again).unwrap();
    rig.subscriber.unregister().unwrap();
    rig.subscriber.register(&mut again).unwrap();
}

/// A target elsewhere gives ESRCH, and so does one that does not exist.
pub fn target_must_be_of_this_process(backend: &Backend) {
    let _mask = sys::block(&SignalSet::asynchronous());
    let client = backend.open(Access::Read, false);
    let parent = std::os::unix::process::parent_id() as i32;
    let gone = std::thread::spawn(sys::gettid).join().unwrap();
    // A thread that has been joined may take a moment more to disappear.
    eventually("the thread is gone", || {
        let mut target = request(abi::MODE_WINDOW);
        target.target_tid = gone;
        let result = client.register(&mut target);
        client.unregister().ok();
        result == Err(Errno::ESRCH)
    });
    for tid in [1, parent, gone, i32::MAX] {
        if tid == std::process::id() as i32 || tid == 0 {
            continue;
        }
        let mut target = request(abi::MODE_WINDOW);
        target.target_tid = tid;
        assert_eq!(client.register(&mut target), Err(Errno::ESRCH), "{tid}");
        let mut failover = request(abi::MODE_WINDOW);
        failover.failover_tid = tid;
        assert_eq!(client.register(&mut failover), Err(Errno::ESRCH), "{tid}");
    }
}

/// Reading and registering need a file open for reading.
pub fn reading_needs_read_access(backend: &Backend) {
    let _mask = sys::block(&SignalSet::asynchronous());
    let client = backend.open(Access::Write, false);
    let mut asked = request(abi::MODE_WINDOW);
    assert_eq!(client.register(&mut asked), Err(Errno::EBADF));
    assert_eq!(client.read(&mut [0; 64]), Err(Errno::EBADF));
    assert_eq!(client.pread(&mut [0; 64], 1 << 30), Err(Errno::EBADF));
}

/// Without a registration everything that needs one gives ENOTCONN; counters can be read.
pub fn nothing_works_unregistered(backend: &Backend) {
    let client = backend.open(Access::ReadWrite, false);
    let source = create_source(&client, 0);
    assert_eq!(client.unregister(), Err(Errno::ENOTCONN));
    assert_eq!(client.subscribe(source, None), Err(Errno::ENOTCONN));
    assert_eq!(client.unsubscribe(source), Err(Errno::ENOTCONN));
    assert_eq!(client.read(&mut [0; 4096]), Err(Errno::ENOTCONN));
    assert_eq!(client.pread(&mut [0; 64], 1 << 30), Err(Errno::ENOTCONN));
    let blocking = backend.open(Access::Read, true);
    assert_eq!(blocking.read(&mut [0; 4096]), Err(Errno::ENOTCONN));
    let stats = client.stats().unwrap();
    assert_eq!((stats.state, stats.posted), (0, 0));
}

/// Counters belong to the file, not to one registration.
pub fn counters_outlive_registrations(backend: &Backend) {
    let mut rig = Rig::window(backend);
    rig.post_many(3);
    rig.drain();
    rig.post_many(2);
    assert_eq!(rig.subscriber.unregister(), Ok(2), "two were queued");
    let stats = rig.stats();
    assert_eq!((stats.posted, stats.consumed), (5, 3));
    assert_eq!((stats.lost_discarded, stats.queued, stats.state), (2, 0, 0));

    let mut again = request(abi::MODE_PER_EVENT);
    rig.subscriber.register(&mut again).unwrap();
    rig.post_many(4);
    assert_eq!(rig.stats().posted, 5, "the subscription ended, too");
    rig.subscriber.subscribe(rig.source, None).unwrap();
    rig.post_many(1);
    let stats = rig.stats();
    assert_eq!((stats.posted, stats.queued), (6, 1));
    crate::ledger::balanced(&stats);
}

/// A realtime signal that is neither blocked nor handled would kill: EINVAL.
pub fn target_must_block_or_handle(backend: &Backend) {
    let client = backend.open(Access::Read, false);
    let signo = request(abi::MODE_WINDOW).signo as i32;
    let register = || client.register(&mut request(abi::MODE_WINDOW));
    assert_eq!(register(), Err(Errno::EINVAL), "default action");
    raw::ignore(signo, true);
    assert_eq!(register(), Err(Errno::EINVAL), "ignored");
    raw::ignore(signo, false);

    let mask = sys::block(&SignalSet::of(&[signo]));
    // The registering thread blocks it, the target does not, whether it sleeps or runs.
    for busy in [false, true] {
        let (stay, stayed) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            let _open = sys::unblock(&SignalSet::of(&[signo]));
            tell.send(sys::gettid()).unwrap();
            // Until the sender is dropped.
            while busy && stayed.try_recv() == Err(TryRecvError::Empty) {
                std::hint::spin_loop();
            }
            stayed.recv().ok();
        });
        let mut target = request(abi::MODE_WINDOW);
        target.target_tid = told.recv().unwrap();
        let refused = Err(Errno::EINVAL);
        assert_eq!(client.register(&mut target), refused, "target, {busy}");
        let mut failover = request(abi::MODE_WINDOW);
        failover.failover_tid = target.target_tid;
        assert_eq!(client.register(&mut failover), refused, "failover, {busy}");
        drop(stay);
        other.join().unwrap();
    }

    assert_eq!(register(), Ok(()), "blocked");
    client.unregister().unwrap();
    drop(mask);
    raw::handle(signo);
    assert_eq!(register(), Ok(()), "handled");
    client.unregister().unwrap();
    raw::ignore(signo, false);
}

/// A target that stops blocking the signal is not killed; events are kept and the state says so.
pub fn unhandled_signal_is_not_sent(backend: &Backend) {
    let mut rig = Rig::per_event(backend);
    let signal = SignalSet::of(&[rig.registered.signo as i32]);
    let open = sys::unblock(&signal);
    rig.post_many(3);
    let stats = rig.stats();
    assert_eq!((stats.queued, stats.signals_sent), (3, 0));
    assert_ne!(stats.state & abi::STATE_UNHANDLED, 0);
    drop(open);
    rig.post_many(1);
    assert_eq!(rig.stats().state & abi::STATE_UNHANDLED, 0);
    let taken = rig.ring();
    assert!(rig.has_handle(&taken) || taken.signo == SIGURG);
    rig.settle();
    assert_eq!(rig.ledger.events, 4);
}
