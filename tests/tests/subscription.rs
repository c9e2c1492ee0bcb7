// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a subscription can be: priorities, shared dispatchers, pauses, ends, and the forms of payloads.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, TryRecvError};
use rtnotify_tests::harness::{PATIENCE, eventually, isolated_in, unique};
use rtnotify_tests::ledger::{Ledger, payload};
use rtnotify_tests::raw;
use sigrt::{
    Delivery, Device, Dispatcher, Error, Event, Lane, Mode, Overflow, Source, SourceOptions,
    Subscription,
};

fn check(name: &str, test: fn(&Device)) {
    isolated_in(module_path!(), name, |backend| test(&backend.device()));
}

fn source(device: &Device) -> Source {
    let options = SourceOptions::new(&unique("subscription")).max_payload(100_000);
    device.create_source(options).unwrap()
}

#[track_caller]
fn receive<P>(subscription: &Subscription<P>) -> Delivery<P> {
    match subscription.recv_timeout(PATIENCE) {
        Ok(delivery) => delivery,
        Err(error) => panic!("{error}: {:?}", subscription.stats()),
    }
}

#[track_caller]
fn event<P>(subscription: &Subscription<P>) -> Event<P> {
    match receive(subscription).event() {
        Some(event) => event,
        None => panic!("not an event: {:?}", subscription.stats()),
    }
}

#[test]
fn iterators_timeouts_and_deadlines() {
    check("iterators_timeouts_and_deadlines", |device| {
        let source = source(device);
        let subscription = device.subscription().subscribe(&source).start().unwrap();
        for n in 0..30 {
            source.post(Some(n), b"").unwrap();
        }
        let value = |delivery: Delivery| delivery.event().unwrap().value.unwrap();
        let by_for: Vec<_> = (&subscription).into_iter().map(value).take(10).collect();
        let by_iter: Vec<_> = subscription.iter().take(10).map(value).collect();
        eventually("the last ten have come", || subscription.len() == 10);
        let by_try: Vec<_> = subscription.try_iter().map(value).collect();
        assert_eq!(by_for, (0..10).collect::<Vec<_>>());
        assert_eq!(by_iter, (10..20).collect::<Vec<_>>());
        assert_eq!(by_try, (20..30).collect::<Vec<_>>());

        assert_eq!(subscription.try_recv(), Err(TryRecvError::Empty));
        let start = Instant::now();
        let timeout = Duration::from_millis(20);
        assert_eq!(
            subscription.recv_timeout(timeout),
            Err(RecvTimeoutError::Timeout)
        );
        assert!(start.elapsed() >= timeout);
        let deadline = Instant::now() + timeout;
        assert_eq!(
            subscription.recv_deadline(deadline),
            Err(RecvTimeoutError::Timeout)
        );
        assert!(Instant::now() >= deadline);
        source.post(Some(30), b"").unwrap();
        assert_eq!(
            subscription
                .recv_deadline(Instant::now() + PATIENCE)
                .map(value),
            Ok(30)
        );
    });
}

#[test]
fn urgent_lanes_come_first() {
    check("urgent_lanes_come_first", |device| {
        let (alarm, warning, log) = (source(device), source(device), source(device));
        for mode in [Mode::PerEvent, Mode::Window, Mode::Coalesced] {
            let subscription = device
                .subscription()
                .mode(mode)
                .channel_capacity(1)
                .subscribe_at(9, &log)
                .subscribe_at(0, &alarm)
                .subscribe_at(4, &warning)
                .start()
                .unwrap();
            subscription.pause().unwrap();
            for n in 0..50 {
                for source in [&log, &warning, &alarm] {
                    source.post(Some(n), b"more than eight bytes").unwrap();
                }
            }
            subscription.resume().unwrap();
            let got: Vec<_> = (0..150).map(|_| event(&subscription)).collect();
            let numbers: Vec<_> = got.iter().map(|e| (e.source, e.value.unwrap())).collect();
            let of = |source: &Source| {
                let number = source.number();
                (0..50).map(move |n| (number, n))
            };
            let wanted: Vec<_> = of(&alarm).chain(of(&warning)).chain(of(&log)).collect();
            assert_eq!(numbers, wanted, "{mode:?}");
            // The numbers of the subscription merge them again.
            let seqs: BTreeSet<_> = got.iter().map(|e| e.seq).collect();
            assert_eq!(seqs, (1..=150).collect());

            // What has been read waits in front, and no more than that: one in the channel, one or two in hand.
            for n in 0..100 {
                log.post(Some(n), b"more than eight bytes").unwrap();
            }
            eventually("the channel is full", || subscription.is_full());
            for n in 0..20 {
                alarm.post(Some(n), b"more than eight bytes").unwrap();
            }
            let got: Vec<_> = (0..120).map(|_| event(&subscription).source).collect();
            let first = got.iter().position(|&s| s == alarm.number()).unwrap();
            assert!(first <= 4, "{mode:?}: {first} before the first alarm");
            let alarms = got[first..].iter().take_while(|&&s| s == alarm.number());
            assert_eq!(alarms.count(), 20, "{mode:?}");
        }
    });
}

#[test]
fn lanes_overflow_by_themselves() {
    check("lanes_overflow_by_themselves", |device| {
        let (alarm, log) = (source(device), source(device));
        let subscription = device
            .subscription()
            .subscribe_at(0, &alarm)
            .subscribe_at(1, &log)
            .lane(0, Lane::new().queue_len(100))
            .lane(
                1,
                Lane::new()
                    .queue_len(4)
                    .overflow(Overflow::DropOldest)
                    .window(3),
            )
            .start()
            .unwrap();
        subscription.pause().unwrap();
        for n in 0..50 {
            alarm.post(Some(n), b"").unwrap();
            log.post(Some(n), b"").unwrap();
        }
        subscription.resume().unwrap();
        for n in 0..50 {
            assert_eq!(event(&subscription).value, Some(n));
        }
        let Delivery::Gap(gap) = receive(&subscription) else {
            panic!("no gap")
        };
        assert_eq!((gap.source, gap.first), (log.number(), 1));
        assert!(gap.reason.oldest());
        for n in gap.last..50 {
            assert_eq!(event(&subscription).value, Some(n));
        }
        assert!(subscription.stats().unwrap().is_balanced());
        // Too many, or too long together.
        let many = (0..9).fold(device.subscription(), |b, n| b.subscribe_at(n, &alarm));
        assert!(matches!(many.start(), Err(Error::Setting { .. })));
        let long = device
            .subscription()
            .queue_len(40_000)
            .subscribe_at(0, &alarm);
        assert!(matches!(
            long.subscribe_at(1, &log).start(),
            Err(Error::Setting { .. })
        ));
        // What is wrong is named.
        let builder = || device.subscription().subscribe(&alarm);
        for (builder, wrong) in [
            (builder().queue_len(70_000), "queue length"),
            (
                builder().queue_len(1).overflow(Overflow::DropOldest),
                "queue length",
            ),
            (builder().quota(1 << 40), "quota"),
            (builder().window(257), "window"),
        ] {
            let error = builder.start().unwrap_err().to_string();
            assert!(error.starts_with(wrong), "{error}");
        }
    });
}

#[test]
fn one_thread_serves_several_subscriptions() {
    check("one_thread_serves_several_subscriptions", |device| {
        const COUNT: u64 = 500;
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let before = threads();
        let dispatcher = Dispatcher::new().unwrap();
        let sources: Vec<_> = (0..6).map(|_| source(device)).collect();
        let modes = [Mode::PerEvent, Mode::Window, Mode::Coalesced];
        let subscriptions: Vec<_> = sources
            .iter()
            .zip(modes.into_iter().cycle())
            .map(|(source, mode)| {
                let builder = device.subscription().mode(mode).dispatcher(&dispatcher);
                builder
                    .channel_capacity(8)
                    .subscribe(source)
                    .start()
                    .unwrap()
            })
            .collect();
        for subscription in &subscriptions {
            assert_eq!(subscription.dispatcher(), dispatcher.thread());
        }
        // Nobody receives from the first one: it stops itself only.
        for n in 0..COUNT {
            for source in &sources {
                source.post(Some(n), &payload(n, 20)).unwrap();
            }
            for subscription in &subscriptions[1..] {
                let event = event(subscription);
                assert_eq!(
                    (event.value, &event.payload[..]),
                    (Some(n), &payload(n, 20)[..])
                );
            }
        }
        assert_eq!(subscriptions[0].len(), 8);
        for n in 0..COUNT {
            assert_eq!(event(&subscriptions[0]).value, Some(n));
        }
        // All full at once, and one of them ends.
        for n in 0..100 {
            for source in &sources {
                source.post(Some(n), b"").unwrap();
            }
        }
        eventually("all are full", || subscriptions.iter().all(|s| s.is_full()));
        let mut subscriptions = subscriptions;
        drop(subscriptions.remove(2));
        for subscription in &subscriptions {
            for n in 0..100 {
                assert_eq!(event(subscription).value, Some(n));
            }
        }
        // The clockwork of the loopback is there as long as the device.
        drop((subscriptions, dispatcher));
        eventually("the thread has ended", || threads() <= before + 1);
    });
}

#[test]
fn pausing_keeps_events_in_the_device() {
    check("pausing_keeps_events_in_the_device", |device| {
        for mode in [Mode::PerEvent, Mode::Window, Mode::Coalesced] {
            let source = source(device);
            let builder = device.subscription().mode(mode).queue_len(10);
            let subscription = builder.subscribe(&source).start().unwrap();
            for round in 0..20 {
                subscription.pause().unwrap();
                for n in 0..15 {
                    source.post(Some(n), b"").unwrap();
                }
                assert!(subscription.is_empty(), "round {round}");
                let stats = subscription.stats().unwrap();
                assert_eq!(stats.queued, 10);
                assert!(stats.is_balanced());
                subscription.resume().unwrap();
                for n in 0..10 {
                    let delivery = receive(&subscription);
                    let Delivery::Event(event) = delivery else {
                        panic!("{mode:?}, round {round}, event {n}: {delivery:?}")
                    };
                    assert_eq!(event.value, Some(n));
                }
                let Delivery::Gap(gap) = receive(&subscription) else {
                    panic!("no gap")
                };
                assert_eq!(gap.count, 5);
            }
        }
    });
}

#[test]
fn shutdown_returns_all_that_is_left() {
    check("shutdown_returns_all_that_is_left", |device| {
        for mode in [Mode::PerEvent, Mode::Window, Mode::Coalesced] {
            for (capacity, posts) in [(0, 50), (4, 50), (4, 200), (1000, 50), (1, 0)] {
                let source = source(device);
                let subscription = device
                    .subscription()
                    .mode(mode)
                    .channel_capacity(capacity)
                    .queue_len(100)
                    .subscribe(&source)
                    .start()
                    .unwrap();
                let receiver = subscription.receiver().clone();
                for n in 0..posts {
                    source.post(Some(n), &payload(n, 30)).unwrap();
                }
                let end = subscription.shutdown().unwrap();
                let mut ledger = Ledger::default();
                for delivery in end.rest {
                    ledger.book(delivery);
                }
                ledger.compare(&end.stats);
                assert_eq!(
                    ledger.events + ledger.lost,
                    posts,
                    "{mode:?} {capacity} {posts}"
                );
                assert_eq!(end.stats.queued, 0);
                assert!(receiver.recv().is_err(), "nothing comes after it");
                // Nobody is subscribed any more.
                let sources = device.sources().unwrap();
                let info = sources.iter().find(|info| info.number == source.number());
                assert_eq!(info.unwrap().subscribers, 0);
            }
        }
    });
}

/// Producers go on while it is shut down: every event that counts as posted is accounted for.
#[test]
fn shutdown_is_exact_while_events_come() {
    check("shutdown_is_exact_while_events_come", |device| {
        let source = source(device);
        let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
        let producer = {
            let source = source.clone();
            thread::spawn(move || {
                while stopped.try_recv() == Err(TryRecvError::Empty) {
                    source.post(None, b"0123456789").unwrap();
                    thread::yield_now();
                }
            })
        };
        for round in 0..50 {
            let builder = device
                .subscription()
                .queue_len(16)
                .channel_capacity(round % 5);
            let subscription = builder.subscribe(&source).start().unwrap();
            let mut got: Vec<_> = (0..round).map(|_| receive(&subscription)).collect();
            let end = subscription.shutdown().unwrap();
            got.extend(end.rest);
            let (mut events, mut lost, mut next) = (0, 0, None);
            for delivery in got {
                let (first, last) = match delivery {
                    Delivery::Event(event) => {
                        events += 1;
                        (event.source_seq, event.source_seq)
                    }
                    Delivery::Gap(gap) => {
                        lost += u64::from(gap.count);
                        (gap.first, gap.last)
                    }
                    Delivery::Gone(gone) => panic!("{gone}"),
                };
                assert_eq!(first, next.unwrap_or(first), "round {round}");
                next = Some(last + 1);
            }
            assert_eq!(
                (events, lost),
                (end.stats.consumed, end.stats.lost()),
                "round {round}"
            );
            assert_eq!(end.stats.posted, events + lost);
        }
        drop(stop);
        producer.join().unwrap();
    });
}

/// Panics when dropped, and so when the function that owns it is.
struct Noisy;

impl Drop for Noisy {
    fn drop(&mut self) {
        panic!("on purpose, when dropped");
    }
}

#[test]
fn panic_in_a_callback_stays_there() {
    check("panic_in_a_callback_stays_there", |device| {
        let (good, bad) = (source(device), source(device));
        let dispatcher = Dispatcher::new().unwrap();
        let (tx, rx) = mpsc::channel();
        let listener = device
            .subscription()
            .dispatcher(&dispatcher)
            .subscribe(&good)
            .start_with(move |delivery| tx.send(delivery.event().unwrap().value).unwrap())
            .unwrap();
        let noisy = Noisy;
        let failing = device
            .subscription()
            .dispatcher(&dispatcher)
            .subscribe(&bad)
            .start_with(move |delivery| {
                let _noisy = &noisy;
                assert_ne!(delivery.event().unwrap().value, Some(2), "on purpose");
            })
            .unwrap();
        for n in 0..5 {
            bad.post(Some(n), b"").unwrap();
            good.post(Some(n), b"").unwrap();
            assert_eq!(rx.recv_timeout(PATIENCE), Ok(Some(n)));
        }
        eventually("it has failed", || failing.failure().is_some());
        assert!(matches!(failing.failure(), Some(Error::CallbackPanicked)));
        assert!(matches!(failing.shutdown(), Err(Error::CallbackPanicked)));
        assert!(listener.failure().is_none());
        assert_eq!(
            device.source(&bad).map(|s| s.number()).unwrap(),
            bad.number()
        );
        let info = device.sources().unwrap();
        let of = |source: &Source| info.iter().find(|i| i.number == source.number()).unwrap();
        assert_eq!((of(&good).subscribers, of(&bad).subscribers), (1, 0));
        listener.pause().unwrap();
        good.post(Some(9), b"").unwrap();
        let end = listener.shutdown().unwrap();
        assert_eq!((end.rest.len(), end.stats.consumed), (1, 6));
    });
}

#[test]
fn lazy_payloads_stay_until_wanted() {
    check("lazy_payloads_stay_until_wanted", |device| {
        let source = source(device);
        let subscription = device
            .subscription()
            .lazy_payloads()
            .subscribe(&source)
            .start()
            .unwrap();
        let lens = [0, 8, 9, 64, 5000, 100_000];
        for (n, len) in lens.into_iter().enumerate() {
            source.post(None, &payload(n as u64, len)).unwrap();
        }
        let events: Vec<_> = lens.iter().map(|_| event(&subscription)).collect();
        let stats = subscription.stats().unwrap();
        assert_eq!(
            (stats.consumed, stats.queued),
            (2, 4),
            "the small ones are here"
        );
        for (n, (event, len)) in events.into_iter().zip(lens).enumerate() {
            assert_eq!(
                (event.payload.len(), event.payload.is_empty()),
                (len, len == 0)
            );
            assert_eq!(event.payload.handle().is_some(), len > 8);
            let wanted = payload(n as u64, len);
            let mut part = [0; 7];
            let got = event.payload.peek(3, &mut part).unwrap();
            assert_eq!(part[..got], wanted[3.min(len)..10.min(len)]);
            assert_eq!(event.payload.peek(len + 1, &mut part).unwrap(), 0);
            for beyond in [usize::MAX, usize::MAX - 20, 1 << 21] {
                match event.payload.peek(beyond, &mut part) {
                    // What is here already has an end like any other bytes.
                    Ok(got) => assert_eq!((got, event.payload.handle()), (0, None)),
                    Err(error) => assert!(matches!(error, Error::Setting { .. }), "{error}"),
                }
            }
            match n {
                3 => event.payload.forget(),
                4 => assert_eq!(event.payload.map().unwrap()[..], wanted),
                _ => assert_eq!(event.payload.fetch().unwrap(), wanted),
            }
        }
        let stats = subscription.stats().unwrap();
        assert_eq!((stats.consumed, stats.queued, stats.lost()), (6, 0, 0));

        // More than the window: the others wait until there is room.
        for n in 0..100 {
            source.post(None, &payload(n, 20)).unwrap();
        }
        for n in 0..100 {
            let event = event(&subscription);
            if n % 3 == 0 {
                drop(event);
            } else {
                assert_eq!(event.payload.fetch().unwrap(), payload(n, 20));
            }
        }
        let late = {
            source.post(None, b"0123456789").unwrap();
            event(&subscription)
        };
        drop(subscription);
        assert!(matches!(late.payload.fetch(), Err(Error::DeviceGone)));

        let refused = device.subscription().lazy_payloads().subscribe(&source);
        let refused = [
            refused.clone().mode(Mode::Window),
            refused.clone().overflow(Overflow::LatestOnly),
            refused.lane(0, Lane::new().overflow(Overflow::DropOldest)),
        ];
        for builder in refused {
            assert!(matches!(builder.start(), Err(Error::Setting { .. })));
        }
    });
}

/// Signals are refused, so the dispatcher has to read: each event comes once all the same, and payloads that had been
/// given out by handle are found.
#[test]
fn lazy_payloads_survive_refused_signals() {
    check("lazy_payloads_survive_refused_signals", |device| {
        let source = source(device);
        let subscription = device
            .subscription()
            .lazy_payloads()
            .subscribe(&source)
            .start()
            .unwrap();
        for round in 0..20 {
            let first = 3 * round;
            source.post(Some(first), &payload(first, 50)).unwrap();
            let one = event(&subscription);
            raw::limit_queued_signals(0);
            for n in first + 1..first + 3 {
                source.post(Some(n), &payload(n, 50)).unwrap();
            }
            let others = [event(&subscription), event(&subscription)];
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let queued = status
                .lines()
                .find_map(|l| l.strip_prefix("SigQ:\t"))
                .unwrap();
            let queued: u64 = queued.split('/').next().unwrap().parse().unwrap();
            raw::limit_queued_signals(queued + 100);
            for (event, n) in std::iter::once(one).chain(others).zip(first..) {
                assert_eq!(event.value, Some(n));
                let mut part = [0; 10];
                assert_eq!(event.payload.peek(40, &mut part).unwrap(), 10);
                assert_eq!(part[..], payload(n, 50)[40..]);
                if n % 2 == 0 {
                    assert_eq!(event.payload.fetch().unwrap(), payload(n, 50));
                }
            }
            assert!(subscription.try_recv().is_err());
        }
        let stats = subscription.stats().unwrap();
        assert_eq!((stats.consumed, stats.queued, stats.lost()), (60, 0, 0));
        assert!(stats.signals_refused > 0 && stats.is_balanced());
    });
}

#[test]
fn typed_payloads_are_not_copied() {
    use zerocopy::byteorder::native_endian::{I16, U32};
    use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
    #[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Clone, Copy, Debug, PartialEq)]
    #[repr(C)]
    struct Sample {
        channel: U32,
        levels: [I16; 8],
    }
    check("typed_payloads_are_not_copied", |device| {
        let source = source(device);
        let subscription = device.subscription().subscribe(&source).start().unwrap();
        let sample = Sample {
            channel: U32::new(7),
            levels: [1, -2, 3, -4, 5, -6, 7, i16::MIN].map(I16::new),
        };
        source.post_value(Some(1), &sample).unwrap();
        let event = event(&subscription);
        let there: &Sample = event.payload_as().unwrap();
        assert_eq!(*there, sample);
        assert_eq!(std::ptr::from_ref(there).cast(), event.payload.as_ptr());
        assert_eq!(event.payload_to::<Sample>().unwrap(), sample);
        let wrong = event.payload_as::<[u8; 19]>();
        assert!(
            matches!(wrong, Err(Error::PayloadShape { len: 20, .. })),
            "{wrong:?}"
        );
        assert!(matches!(
            event.payload_to::<u32>(),
            Err(Error::PayloadShape { .. })
        ));

        // Records and their blocks are aligned where they are looked at in place.
        let mut mapped = device
            .subscription()
            .subscribe(&source)
            .start_mapped()
            .unwrap();
        source.post_value(None, &[1_u32, 2]).unwrap();
        let batch = mapped.recv_timeout(PATIENCE).unwrap().unwrap();
        let event = batch.iter().next().unwrap().event().unwrap();
        assert_eq!(event.payload_to::<[u32; 2]>().unwrap(), [1, 2]);
    });
}

#[test]
fn mapped_batches_are_borrowed_until_dropped() {
    check("mapped_batches_are_borrowed_until_dropped", |device| {
        let source = source(device);
        let before = format!("{:?}", sigrt::sys::blocked());
        let mut mapped = device
            .subscription()
            .subscribe(&source)
            .start_mapped()
            .unwrap();
        assert!(mapped.try_recv().unwrap().is_none());
        assert!(
            mapped
                .recv_timeout(Duration::from_millis(5))
                .unwrap()
                .is_none()
        );
        let lens = [0, 8, 9, 4096, 100_000];
        for (n, len) in lens.into_iter().enumerate() {
            source.post(None, &payload(n as u64, len)).unwrap();
        }
        let mut n = 0;
        while n < lens.len() {
            let batch = mapped.recv().unwrap();
            assert!(!batch.is_empty() && batch.len() <= lens.len());
            for delivery in &batch {
                let event = delivery.event().unwrap();
                assert_eq!(
                    event.payload,
                    payload(n as u64, lens[n]),
                    "{} bytes",
                    lens[n]
                );
                assert_eq!(event.source_seq, n as u64 + 1);
                n += 1;
            }
        }
        // From elsewhere, while this thread waits.
        let posting = source.clone();
        let producer = thread::spawn(move || {
            for n in 0..2000_u64 {
                posting.post(Some(n), &payload(n, 16)).unwrap();
                if n % 7 == 0 {
                    thread::yield_now();
                }
            }
        });
        let mut next = 0;
        let mut lost = 0;
        while next < 2000 {
            let deadline = Instant::now() + PATIENCE;
            let batch = mapped
                .recv_deadline(deadline)
                .unwrap()
                .expect("nothing came");
            for delivery in &batch {
                match delivery {
                    Delivery::Event(event) => {
                        assert_eq!(event.value, Some(next));
                        assert_eq!(event.payload, payload(next, 16));
                        next += 1;
                    }
                    Delivery::Gap(gap) => {
                        lost += u64::from(gap.count);
                        next += u64::from(gap.count);
                    }
                    Delivery::Gone(gone) => panic!("{gone}"),
                }
            }
        }
        producer.join().unwrap();
        let stats = mapped.stats().unwrap();
        assert!(stats.is_balanced());
        assert_eq!(stats.lost(), lost);
        drop(mapped);
        // Only SIGURG stays blocked.
        let after = format!("{:?}", sigrt::sys::blocked());
        assert_eq!(
            after.replace("23", "").replace(", ", ""),
            before.replace("23", "").replace(", ", "")
        );
        assert!(matches!(
            device
                .subscription()
                .overflow(Overflow::DropOldest)
                .subscribe(&source)
                .start_mapped(),
            Err(Error::Setting { .. })
        ));
    });
}
