// SPDX-License-Identifier: MIT OR Apache-2.0

//! The layer that programs use: subscriptions as channels.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, after, never, select};
use sigrt::sys::{self, SIGURG};
use sigrt::{Delivery, Device, Error, Mode, Source, SourceOptions, Subscription, abi};

use crate::harness::{Backend, PATIENCE, eventually, unique};
use crate::ledger::{Ledger, payload};
use crate::raw;

const MODES: [Mode; 2] = [Mode::PerEvent, Mode::Window];

fn source(device: &Device) -> Source {
    let options = SourceOptions::new(&unique("channel")).max_payload(1 << 20);
    device.create_source(options).unwrap()
}

#[track_caller]
fn receive(subscription: &Subscription) -> Delivery {
    match subscription.recv_timeout(PATIENCE) {
        Ok(delivery) => delivery,
        Err(error) => panic!("{error}: {:?}", subscription.stats()),
    }
}

/// Receives until every number up to `posted` is accounted for.
#[track_caller]
fn receive_all(subscription: &Subscription, ledger: &mut Ledger, posted: u64) {
    while ledger.events + ledger.lost < posted {
        ledger.book(receive(subscription));
    }
    ledger.compare(&subscription.stats().unwrap());
    assert!(subscription.try_recv().is_err());
}

/// Deliveries come out of `select!` among other channels.
pub fn events_arrive_in_select(backend: &Backend) {
    let device = backend.device();
    for mode in MODES {
        let source = source(&device);
        let subscription = device
            .subscription()
            .mode(mode)
            .cookie(77)
            .subscribe(source.name())
            .start()
            .unwrap();
        let mut ledger = Ledger::default();
        for n in 0..100 {
            source.post(Some(n), b"tick").unwrap();
            select! {
                recv(subscription) -> delivery => {
                    let event = ledger.book(delivery.unwrap()).unwrap();
                    assert_eq!((event.value, event.cookie), (Some(n), 77));
                    assert_eq!(event.payload, "tick");
                }
                recv(never::<()>()) -> _ => unreachable!(),
                recv(after(PATIENCE)) -> _ => panic!("nothing arrived"),
            }
        }
        receive_all(&subscription, &mut ledger, 100);
    }
}

/// Payloads of every size arrive, those larger than the dispatcher's buffer included.
pub fn inline_and_large_payloads_arrive(backend: &Backend) {
    let device = backend.device();
    for mode in MODES {
        let source = source(&device);
        let subscription = device
            .subscription()
            .mode(mode)
            .quota(8 << 20)
            .subscribe(&source)
            .start()
            .unwrap();
        let mut ledger = Ledger::default();
        let lens = [0, 1, 7, 8, 9, 4096, 65_472, 65_473, 1 << 20, 5, 200_000];
        for (n, len) in lens.into_iter().enumerate() {
            source.post(None, &payload(n as u64, len)).unwrap();
        }
        for (n, len) in lens.into_iter().enumerate() {
            let event = ledger.book(receive(&subscription)).unwrap();
            assert!(event.payload == payload(n as u64, len), "{len} bytes");
            assert_eq!(event.value, None);
        }
        receive_all(&subscription, &mut ledger, lens.len() as u64);
    }
}

/// What did not fit arrives as a gap.
pub fn gaps_are_values(backend: &Backend) {
    let device = backend.device();
    for mode in MODES {
        let source = source(&device);
        let subscription = device
            .subscription()
            .mode(mode)
            .quota(4096)
            .subscribe(&source)
            .start()
            .unwrap();
        source.post(None, &[1; 5000]).unwrap();
        source.post(None, &[2; 4000]).unwrap();
        let Delivery::Gap(gap) = receive(&subscription) else {
            panic!("the first event cannot have arrived")
        };
        assert_eq!((gap.first, gap.last, gap.count), (1, 1, 1));
        assert_eq!(gap.source, source.number());
        assert!(gap.reason.too_large() && !gap.reason.queue_full());
        let event = receive(&subscription).event().unwrap();
        assert_eq!((event.seq, event.source_seq), (2, 2));
    }
}

/// Nobody receives: the channel fills, then the device's queue, then events are lost, and all of that is
/// told when somebody does.
pub fn full_channel_is_backpressure(backend: &Backend) {
    let device = backend.device();
    for mode in MODES {
        let source = source(&device);
        let subscription = device
            .subscription()
            .mode(mode)
            .channel_capacity(4)
            .queue_len(32)
            .subscribe(&source)
            .start()
            .unwrap();
        for n in 0..2000 {
            source.post(None, &payload(n, 20)).unwrap();
        }
        let stats = subscription.stats().unwrap();
        assert!(stats.is_balanced() && stats.lost() > 0, "{stats:?}");
        assert!(subscription.len() <= 4);
        let mut ledger = Ledger::default();
        while ledger.events + ledger.lost < 2000 {
            if let Some(event) = ledger.book(receive(&subscription)) {
                assert_eq!(event.payload, payload(event.source_seq - 1, 20));
            }
        }
        assert_eq!(ledger.reasons, abi::LOST_QUEUE_FULL);
        ledger.compare(&subscription.stats().unwrap());
    }
}

/// A dispatcher that waits for room in the channel ends promptly.
pub fn full_channel_does_not_delay_the_end(backend: &Backend) {
    let device = backend.device();
    for mode in MODES {
        for capacity in [0, 1] {
            let source = source(&device);
            let subscription = device
                .subscription()
                .mode(mode)
                .channel_capacity(capacity)
                .subscribe(&source)
                .start()
                .unwrap();
            for _ in 0..100 {
                source.post(None, b"").unwrap();
            }
            eventually("the dispatcher is at work", || {
                subscription.stats().unwrap().consumed > capacity as u64
            });
            let start = Instant::now();
            drop(subscription);
            assert!(start.elapsed() < PATIENCE / 2);
        }
    }
}

/// Signals with made-up values only make the dispatcher look.
pub fn forged_signals_do_not_confuse_the_dispatcher(backend: &Backend) {
    let device = backend.device();
    for mode in MODES {
        let source = source(&device);
        let subscription = device
            .subscription()
            .mode(mode)
            .subscribe(&source)
            .start()
            .unwrap();
        let (target, signo) = (subscription.dispatcher(), subscription.signal());
        let mut ledger = Ledger::default();
        for n in 0..200 {
            // The limit on queued signals may refuse some; what counts is those that arrive.
            sys::queue_signal(target, signo, n << 21).ok();
            sys::queue_signal(target, signo, u64::MAX - n).ok();
            sys::signal_thread(target, SIGURG).unwrap();
            source.post(None, &payload(n, 64)).unwrap();
            sys::queue_signal(target, signo, 0).ok();
            let event = ledger.book(receive(&subscription)).unwrap();
            assert_eq!(event.payload, payload(n, 64));
        }
        receive_all(&subscription, &mut ledger, 200);
    }
}

/// Batches arrive like single posts.
pub fn batches_are_posted(backend: &Backend) {
    let device = backend.device();
    let source = source(&device);
    let subscription = device.subscription().subscribe(&source).start().unwrap();
    let mut batch = source.batch();
    for n in 0..200 {
        batch.push(3, Some(n), &payload(n, n as usize)).unwrap();
    }
    assert_eq!(batch.len(), 200);
    batch.send().unwrap();
    assert!(batch.is_empty());
    batch.send().unwrap();
    let mut ledger = Ledger::default();
    for n in 0..200 {
        let event = ledger.book(receive(&subscription)).unwrap();
        assert_eq!((event.kind, event.value), (3, Some(n)));
        assert_eq!(event.payload, payload(n, n as usize));
    }
    receive_all(&subscription, &mut ledger, 200);
}

/// Errors name what a program can do something about.
pub fn errors_say_what_is_wrong(backend: &Backend) {
    let device = backend.device();
    let name = unique("channel");
    let options = SourceOptions::new(&name).max_payload(16);
    let source = device.create_source(options.clone()).unwrap();
    let exists = device.create_source(options).unwrap_err();
    assert!(matches!(exists, Error::SourceExists { name: n } if n == name));
    let long = source.post(None, &[0; 17]).unwrap_err();
    assert!(matches!(long, Error::PayloadTooLarge { len: 17, max: 16 }));
    let kind = source.post_kind(abi::KIND_GAP, None, &[]).unwrap_err();
    assert!(matches!(kind, Error::Setting { .. }));
    let slash = device.create_source(SourceOptions::new("a/b")).unwrap_err();
    assert!(matches!(slash, Error::Setting { .. }));
    let missing = device.source("no such source").unwrap_err();
    assert!(matches!(missing, Error::NoSuchSource { .. }));

    let build = || device.subscription();
    let start = |b: sigrt::SubscriptionBuilder| b.start().map(drop).unwrap_err();
    let missing = start(build().subscribe(u32::MAX));
    assert!(matches!(missing, Error::NoSuchSource { .. }), "{missing}");
    let twice = start(build().subscribe(&source).subscribe(&*name));
    assert!(matches!(twice, Error::SubscribedTwice { .. }), "{twice}");
    let signal = start(build().signal(10));
    assert!(
        matches!(signal, Error::Signal { signo: 10, .. }),
        "{signal}"
    );
    let queue = start(build().queue_len(abi::MAX_QUEUE + 1));
    assert!(matches!(queue, Error::Setting { .. }), "{queue}");

    let period = Duration::from_secs(1);
    let timer = device.create_timer(&unique("timer"), period, None).unwrap();
    let post = timer.post(None, b"").unwrap_err();
    assert!(matches!(post, Error::NotWritable), "{post}");
    let short = device.create_timer("x", Duration::from_nanos(1), None);
    assert!(matches!(short, Err(Error::Setting { .. })));

    let other = device.source(&*name).unwrap();
    drop(source);
    let gone = other.post(None, b"").unwrap_err();
    assert!(matches!(gone, Error::NoSuchSource { .. }), "{gone}");
}

/// The number asked for is used, by several subscriptions if need be.
pub fn explicit_signal_is_used(backend: &Backend) {
    let device = backend.device();
    let source = source(&device);
    let signo = sys::sigrtmax() - 1;
    let build = || device.subscription().signal(signo).subscribe(&source);
    let (first, second) = (build().start().unwrap(), build().start().unwrap());
    assert_eq!((first.signal(), second.signal()), (signo, signo));
    assert_ne!(first.dispatcher(), second.dispatcher());
    source.post(Some(1), b"").unwrap();
    for subscription in [&first, &second] {
        assert_eq!(receive(subscription).event().unwrap().value, Some(1));
    }
}

/// More subscriptions than there are realtime signals.
pub fn many_subscriptions_at_once(backend: &Backend) {
    let device = backend.device();
    let source = source(&device);
    let all: Vec<Subscription> = (0..40)
        .map(|n| {
            device
                .subscription()
                .mode(MODES[n % 2])
                .queue_len(64)
                .quota(64 << 10)
                .subscribe(&source)
                .start()
                .unwrap()
        })
        .collect();
    for n in 0..20 {
        source.post(Some(n), &payload(n, 300)).unwrap();
    }
    for subscription in &all {
        let mut ledger = Ledger::default();
        for n in 0..20 {
            let event = ledger.book(receive(subscription)).unwrap();
            assert_eq!((event.value, event.payload.len()), (Some(n), 300));
        }
        receive_all(subscription, &mut ledger, 20);
    }
}

/// A clone of the receiver ends with the subscription.
pub fn receivers_end_with_the_subscription(backend: &Backend) {
    let device = backend.device();
    let source = source(&device);
    let subscription = device.subscription().subscribe(&source).start().unwrap();
    let receiver = subscription.receiver().clone();
    let waiting = thread::spawn(move || receiver.recv_timeout(PATIENCE));
    drop(subscription);
    let ended = waiting.join().unwrap();
    assert_eq!(ended, Err(RecvTimeoutError::Disconnected));
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Dropping everything leaves the mask, the threads and the pending signals as they were.
pub fn dropping_restores_mask_and_leaves_no_thread(backend: &Backend) {
    let before = (format!("{:?}", sys::blocked()), threads());
    for mode in MODES {
        let device = backend.device();
        let source = source(&device);
        let subscription = device
            .subscription()
            .mode(mode)
            .channel_capacity(1)
            .subscribe(&source)
            .start()
            .unwrap();
        assert_eq!(format!("{:?}", sys::blocked()), before.0, "after starting");
        for _ in 0..100 {
            source.post(None, &[0; 100]).unwrap();
        }
        drop(subscription);
        assert_eq!(format!("{:?}", sys::blocked()), before.0);
        // The subscription is gone, so nobody is told any more.
        let listed = device.sources().unwrap();
        let info = listed.iter().find(|i| i.name == source.name()).unwrap();
        assert_eq!(info.subscribers, 0);
    }
    // The broker's own thread lives as long as the broker, which the backend keeps.
    let broker = usize::from(!backend.is_module());
    eventually("the threads are gone", || threads() <= before.1 + broker);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    for line in status.lines().filter(|l| l.contains("Pnd:")) {
        let pending = line.split_once(':').unwrap().1.trim();
        assert_eq!(u64::from_str_radix(pending, 16), Ok(0), "{line}");
    }
}

/// The copy that `fork` makes answers with an error, and its destructors leave the parent's alone.
pub fn forked_child_is_inert(backend: &Backend) {
    let device = backend.device();
    let source = source(&device);
    let subscription = device
        .subscription()
        .mode(Mode::PerEvent)
        .subscribe(&source)
        .start()
        .unwrap();
    source.post(Some(1), b"before").unwrap();
    let (mine, theirs) = (source.clone(), device.clone());
    let mut moved = Some((mine, theirs));
    let child = raw::fork_child(|| {
        let (mine, theirs) = moved.take().unwrap();
        let forked = |result: Result<(), Error>| matches!(result, Err(Error::Forked));
        let good = forked(mine.post(Some(9), b"child"))
            && forked(theirs.sources().map(drop))
            && forked(theirs.create_source(SourceOptions::new("child")).map(drop))
            && forked(subscription.stats().map(drop))
            && forked(theirs.subscription().subscribe(1).start().map(drop));
        // SAFETY of the parent: these destructors must do nothing.
        drop((mine, theirs));
        if good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    });
    raw::expect_success(child);

    // A child that drops the subscription itself.
    let mut held = Some(subscription);
    let child = raw::fork_child(|| {
        drop(held.take());
        ExitCode::SUCCESS
    });
    raw::expect_success(child);
    let subscription = held.take().unwrap();

    source.post(Some(2), b"after").unwrap();
    let mut ledger = Ledger::default();
    for n in 1..=2 {
        let event = ledger.book(receive(&subscription)).unwrap();
        assert_eq!(event.value, Some(n));
    }
    receive_all(&subscription, &mut ledger, 2);
}

/// The whole stack with a limit of 0 on queued signals: every doorbell is the fallback one.
pub fn nothing_is_lost_without_queued_signals(backend: &Backend) {
    raw::limit_queued_signals(0);
    let device = backend.device();
    for mode in MODES {
        let source = source(&device);
        let subscription = device
            .subscription()
            .mode(mode)
            .subscribe(&source)
            .start()
            .unwrap();
        let mut ledger = Ledger::default();
        for round in 0..50 {
            for n in 0..20 {
                let number = round * 20 + n;
                source.post(None, &payload(number, 64)).unwrap();
            }
            while ledger.events < (round + 1) * 20 {
                let event = ledger.book(receive(&subscription)).unwrap();
                assert_eq!(event.payload, payload(event.source_seq - 1, 64));
            }
        }
        let stats = subscription.stats().unwrap();
        assert_eq!(stats.signals_sent, 0);
        assert!(stats.fallbacks > 0);
        receive_all(&subscription, &mut ledger, 1000);
    }
}
