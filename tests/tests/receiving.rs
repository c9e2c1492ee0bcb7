// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every way to receive gives the same: a dispatcher thread, a shared one, a real handler, a function, a stream over
//! each of them, event loops that poll a descriptor, and looking at events where they lie.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use futures_lite::{StreamExt, future};
use rtnotify_tests::harness::{PATIENCE, eventually, isolated_in, unique};
use rtnotify_tests::ledger::{Ledger, payload};
use rtnotify_tests::raw;
use sigrt::{
    AsyncIoStream, Delivery, Device, Dispatcher, Event, Listener, MappedSubscription, Mode,
    PolledSubscription, Source, SourceOptions, Stats, Subscription, SubscriptionBuilder,
    TokioStream,
};

fn check(name: &str, test: fn(&Device)) {
    isolated_in(module_path!(), name, |backend| test(&backend.device()));
}

fn source(device: &Device) -> Source {
    let options = SourceOptions::new(&unique("receiving")).max_payload(4096);
    device.create_source(options).unwrap()
}

/// A way to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Thread,
    SharedThread,
    Handler,
    Function,
    Stream,
    HandlerStream,
    Polled,
    Tokio,
    AsyncIo,
    Mapped,
}

const WAYS: [Way; 10] = [
    Way::Thread,
    Way::SharedThread,
    Way::Handler,
    Way::Function,
    Way::Stream,
    Way::HandlerStream,
    Way::Polled,
    Way::Tokio,
    Way::AsyncIo,
    Way::Mapped,
];

/// A subscription that was started some way.
enum Receiver {
    Channel(Subscription),
    Function(Listener, mpsc::Receiver<Delivery>),
    Stream(Subscription),
    Polled(PolledSubscription),
    Tokio(tokio::runtime::Runtime, TokioStream),
    AsyncIo(AsyncIoStream),
    Mapped(MappedSubscription, VecDeque<Delivery>),
}

impl Receiver {
    fn start(way: Way, builder: SubscriptionBuilder) -> Self {
        match way {
            Way::Thread => Self::Channel(builder.start().unwrap()),
            Way::SharedThread => {
                let dispatcher = Dispatcher::new().unwrap();
                Self::Channel(builder.dispatcher(&dispatcher).start().unwrap())
            }
            Way::Handler => Self::Channel(builder.handler().start().unwrap()),
            Way::Function => {
                let (tx, rx) = mpsc::channel();
                let function = move |delivery| tx.send(delivery).unwrap();
                Self::Function(builder.start_with(function).unwrap(), rx)
            }
            Way::Stream => Self::Stream(builder.start().unwrap()),
            Way::HandlerStream => Self::Stream(builder.handler().start().unwrap()),
            Way::Polled => Self::Polled(builder.start_polled().unwrap()),
            Way::Tokio => {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                let entered = runtime.enter();
                let stream = builder.start_polled().unwrap().into_tokio().unwrap();
                drop(entered);
                Self::Tokio(runtime, stream)
            }
            Way::AsyncIo => Self::AsyncIo(builder.start_polled().unwrap().into_async_io().unwrap()),
            Way::Mapped => Self::Mapped(builder.start_mapped().unwrap(), VecDeque::new()),
        }
    }

    /// The next delivery; a test that waits for ever is ended by its watchdog.
    fn next(&mut self) -> Delivery {
        match self {
            Self::Channel(subscription) => subscription.recv_timeout(PATIENCE).unwrap(),
            Self::Function(_, rx) => rx.recv_timeout(PATIENCE).unwrap(),
            Self::Stream(subscription) => future::block_on(subscription.next()).unwrap(),
            Self::Polled(subscription) => loop {
                if let Some(delivery) = subscription.try_recv().unwrap() {
                    return delivery;
                }
                let fd = std::os::fd::AsFd::as_fd(subscription);
                let mut fds = [nix::poll::PollFd::new(fd, nix::poll::PollFlags::POLLIN)];
                let limit = nix::poll::PollTimeout::try_from(PATIENCE).unwrap();
                match nix::poll::poll(&mut fds, limit) {
                    Ok(0) => panic!("the descriptor does not become readable"),
                    Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                    Err(errno) => panic!("{errno}"),
                }
            },
            Self::Tokio(runtime, stream) => {
                let wait = async { tokio::time::timeout(PATIENCE, stream.next()).await };
                runtime.block_on(wait).unwrap().unwrap().unwrap()
            }
            Self::AsyncIo(stream) => future::block_on(stream.next()).unwrap().unwrap(),
            Self::Mapped(subscription, read) => {
                while read.is_empty() {
                    let batch = subscription.recv_timeout(PATIENCE).unwrap().unwrap();
                    read.extend(batch.iter().map(owned));
                }
                read.pop_front().unwrap()
            }
        }
    }

    fn stats(&self) -> Stats {
        match self {
            Self::Channel(s) | Self::Stream(s) => s.stats(),
            Self::Function(listener, _) => listener.stats(),
            Self::Polled(s) => s.stats(),
            Self::Tokio(_, s) => s.stats(),
            Self::AsyncIo(s) => s.stats(),
            Self::Mapped(s, _) => s.stats(),
        }
        .unwrap()
    }
}

fn owned(delivery: Delivery<&[u8]>) -> Delivery {
    match delivery {
        Delivery::Event(event) => Delivery::Event(Event {
            payload: event.payload.to_vec().into(),
            seq: event.seq,
            source: event.source,
            source_seq: event.source_seq,
            kind: event.kind,
            time: event.time,
            value: event.value,
            cookie: event.cookie,
        }),
        Delivery::Gap(gap) => Delivery::Gap(gap),
        Delivery::Gone(gone) => Delivery::Gone(gone),
    }
}

/// What is the same every time: all but when it happened, and which number the source has.
fn facts(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Event(e) => format!(
            "{}: event {} kind {} value {:?} cookie {} payload {:02x?}",
            e.seq, e.source_seq, e.kind, e.value, e.cookie, e.payload
        ),
        Delivery::Gap(g) => format!(
            "{}: gap {}-{} ({}) {} cookie {}",
            g.seq, g.first, g.last, g.count, g.reason, g.cookie
        ),
        Delivery::Gone(g) => format!("{}: gone after {}", g.seq, g.last),
    }
}

const MODES: [Mode; 3] = [Mode::PerEvent, Mode::Window, Mode::Coalesced];

#[test]
fn every_way_gives_the_same() {
    check("every_way_gives_the_same", |device| {
        let mut reference: Option<Vec<String>> = None;
        for way in WAYS {
            for mode in MODES {
                let source = source(device);
                let builder = device.subscription().mode(mode).cookie(5).quota(6000);
                let mut receiver = Receiver::start(way, builder.subscribe(&source));
                let mut got = Vec::new();
                for n in 0..40_u64 {
                    let len = [0, 3, 8, 9, 700, 4096][n as usize % 6];
                    let value = (n % 2 == 0).then_some(n);
                    source.post_kind(n as u16, value, &payload(n, len)).unwrap();
                    got.push(receiver.next());
                }
                drop(source);
                got.push(receiver.next());
                let stats = receiver.stats();
                assert_eq!((stats.posted, stats.consumed), (40, 40), "{way:?} {mode:?}");
                let got: Vec<_> = got.iter().map(facts).collect();
                match &reference {
                    None => reference = Some(got),
                    Some(reference) => assert_eq!(&got, reference, "{way:?} {mode:?}"),
                }
            }
        }
        assert_eq!(reference.unwrap()[40], "41: gone after 40");
    });
}

/// A producer as fast as it can, and a queue that is too short: every number is an event or in a gap, in order.
fn flood(device: &Device, way: Way, mode: Mode, limited: bool) {
    const COUNT: u64 = 3000;
    let source = source(device);
    let builder = device
        .subscription()
        .mode(mode)
        .queue_len(64)
        .channel_capacity(16);
    let mut receiver = Receiver::start(way, builder.subscribe(&source));
    let producer = thread::spawn(move || {
        for n in 0..COUNT {
            source
                .post(Some(n), &payload(n, (n % 100) as usize))
                .unwrap();
            if n % 50 == 0 {
                thread::yield_now();
            }
        }
        source
    });
    let mut ledger = Ledger::default();
    let started = Instant::now();
    while ledger.events + ledger.lost < COUNT {
        if let Some(event) = ledger.book(receiver.next()) {
            let n = event.source_seq - 1;
            assert_eq!(event.value, Some(n), "{way:?} {mode:?}");
            assert_eq!(
                event.payload,
                payload(n, (n % 100) as usize),
                "{way:?} {mode:?}"
            );
        }
        assert!(
            started.elapsed() < 3 * PATIENCE,
            "{way:?} {mode:?}: {:?}",
            receiver.stats()
        );
    }
    let source = producer.join().unwrap();
    ledger.compare(&receiver.stats());
    if limited && way == Way::Thread {
        assert!(receiver.stats().signals_refused > 0);
    }
    drop(source);
    assert!(matches!(receiver.next(), Delivery::Gone(gone) if gone.last == COUNT));
}

#[test]
fn every_way_accounts_for_a_flood() {
    check("every_way_accounts_for_a_flood", |device| {
        for way in WAYS {
            for mode in MODES {
                flood(device, way, mode, false);
            }
        }
    });
}

#[test]
fn every_way_does_without_queued_signals() {
    check("every_way_does_without_queued_signals", |device| {
        raw::limit_queued_signals(0);
        for way in WAYS {
            for mode in MODES {
                flood(device, way, mode, true);
            }
        }
    });
}

/// The handler runs on the thread that subscribed, and when that has exited its dispatcher takes over.
#[test]
fn handler_interrupts_its_thread_and_outlives_it() {
    check("handler_interrupts_its_thread_and_outlives_it", |device| {
        let source = source(device);
        for mode in MODES {
            let builder = device
                .subscription()
                .mode(mode)
                .subscribe(&source)
                .handler();
            let subscription = thread::spawn(move || {
                let subscription = builder.start().unwrap();
                assert!(!sigrt::sys::blocked().contains(subscription.signal()));
                subscription
            })
            .join()
            .unwrap();
            // Its thread is gone; whoever finds out first, nothing is lost.
            for n in 0..50 {
                source.post(Some(n), b"after the thread").unwrap();
            }
            for n in 0..50 {
                let event = subscription
                    .recv_timeout(PATIENCE)
                    .unwrap()
                    .event()
                    .unwrap();
                assert_eq!(event.value, Some(n));
            }
            let stats = subscription.stats().unwrap();
            assert_eq!((stats.failovers, stats.lost()), (1, 0), "{mode:?}");
        }
        // While this thread computes, it is interrupted.
        let source = self::source(device);
        let subscription = device
            .subscription()
            .subscribe(&source)
            .handler()
            .start()
            .unwrap();
        let posting = source.clone();
        let done = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&done);
        let producer = thread::spawn(move || {
            for n in 0..1000 {
                posting.post(Some(n), b"").unwrap();
            }
            theirs.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
        producer.join().unwrap();
        let mut ledger = Ledger::default();
        while ledger.events + ledger.lost < 1000 {
            ledger.book(subscription.recv_timeout(PATIENCE).unwrap());
        }
        let stats = subscription.stats().unwrap();
        assert!(stats.signals_sent > 0);
        // The numbers can be used again and again, although the handler stays.
        drop(subscription);
        for _ in 0..100 {
            drop(
                device
                    .subscription()
                    .subscribe(&source)
                    .handler()
                    .start()
                    .unwrap(),
            );
        }
    });
}

#[test]
fn forged_doorbells_do_not_confuse_the_handler() {
    check("forged_doorbells_do_not_confuse_the_handler", |device| {
        let source = source(device);
        let builder = device
            .subscription()
            .mode(Mode::PerEvent)
            .subscribe(&source);
        let subscription = builder.handler().start().unwrap();
        let me = std::process::id() as i32;
        for n in 0..100 {
            for forged in [0, 1, 1 << 21, u64::MAX, 0x7fff_ffff_ffff_ffff] {
                raw::forge_signal(me, subscription.signal(), forged).unwrap();
            }
            raw::send_signal(me, subscription.signal()).unwrap();
            raw::send_signal(me, libc::SIGURG).unwrap();
            source.post(Some(n), b"0123456789").unwrap();
            let event = subscription
                .recv_timeout(PATIENCE)
                .unwrap()
                .event()
                .unwrap();
            assert_eq!((event.value, event.seq), (Some(n), n + 1));
        }
        assert!(subscription.try_recv().is_err());
    });
}

/// signal-hook and tokio use other signals in the same process, and everybody gets everything.
#[test]
fn every_way_gets_along_with_signal_hook_and_tokio() {
    check(
        "every_way_gets_along_with_signal_hook_and_tokio",
        |device| {
            let hooked = Arc::new(AtomicU64::new(0));
            let mut hook =
                signal_hook::iterator::Signals::new([libc::SIGUSR1, libc::SIGHUP]).unwrap();
            let handle = hook.handle();
            let counting = Arc::clone(&hooked);
            let hooking = thread::spawn(move || {
                for _ in &mut hook {
                    counting.fetch_add(1, Ordering::Relaxed);
                }
            });
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let heard = Arc::new(AtomicU64::new(0));
            let (ready, waiting) = mpsc::channel();
            let counting = Arc::clone(&heard);
            runtime.spawn(async move {
                use tokio::signal::unix::{SignalKind, signal};
                let mut usr2 = signal(SignalKind::user_defined2()).unwrap();
                ready.send(()).unwrap();
                while usr2.recv().await.is_some() {
                    counting.fetch_add(1, Ordering::Relaxed);
                }
            });
            waiting.recv_timeout(PATIENCE).unwrap();
            let me = std::process::id() as i32;
            for way in WAYS {
                let source = source(device);
                let mut receiver = Receiver::start(way, device.subscription().subscribe(&source));
                for n in 0..20 {
                    let before = (
                        hooked.load(Ordering::Relaxed),
                        heard.load(Ordering::Relaxed),
                    );
                    raw::send_signal(me, libc::SIGUSR1).unwrap();
                    source.post(Some(n), b"").unwrap();
                    raw::send_signal(me, libc::SIGUSR2).unwrap();
                    assert_eq!(receiver.next().event().unwrap().value, Some(n), "{way:?}");
                    eventually("signal-hook", || hooked.load(Ordering::Relaxed) > before.0);
                    eventually("tokio", || heard.load(Ordering::Relaxed) > before.1);
                }
            }
            handle.close();
            hooking.join().unwrap();
        },
    );
}

/// A descriptor of the loopback is readable exactly while there is something to read.
#[test]
fn descriptor_says_what_is_so() {
    check("descriptor_says_what_is_so", |device| {
        use std::os::fd::AsFd;
        let source = source(device);
        let mut polled = device
            .subscription()
            .subscribe(&source)
            .start_polled()
            .unwrap();
        let readable = |polled: &PolledSubscription| {
            let mut fds = [nix::poll::PollFd::new(
                polled.as_fd(),
                nix::poll::PollFlags::POLLIN,
            )];
            nix::poll::poll(&mut fds, nix::poll::PollTimeout::ZERO).unwrap() == 1
        };
        for n in 0..50 {
            assert!(!readable(&polled));
            assert!(polled.try_recv().unwrap().is_none());
            source.post(Some(n), b"").unwrap();
            source.post(Some(n), b"").unwrap();
            assert!(readable(&polled));
            assert!(polled.try_recv().unwrap().is_some());
            assert!(polled.try_recv().unwrap().is_some());
        }
        let _timer = device
            .create_timer(
                &unique("tick"),
                std::time::Duration::from_millis(1),
                Some(3),
            )
            .unwrap();
        drop(source);
        assert!(readable(&polled));
        assert!(matches!(
            polled.try_recv().unwrap(),
            Some(Delivery::Gone(_))
        ));
        assert!(!readable(&polled));
        // No signal was taken, and none piles up.
        let stats = polled.stats().unwrap();
        assert!(stats.signals_sent <= 1, "{stats:?}");
    });
}
