// SPDX-License-Identifier: MIT OR Apache-2.0

//! What becomes of every kind of subscription, and of other threads and processes, at `fork`, `exec`, the exit of a
//! thread and the inheritance of a mask.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use rtnotify_tests::harness::{Backend, PATIENCE, eventually, isolated_in, unique};
use rtnotify_tests::raw;
use sigrt::sys::{self, SIGURG};
use sigrt::{
    Device, Dispatcher, Error, Listener, MappedSubscription, PolledSubscription, Source,
    SourceOptions, Subscription, SubscriptionBuilder,
};

fn check(name: &str, test: fn(&Device)) {
    isolated_in(module_path!(), name, |backend| test(&backend.device()));
}

fn source(device: &Device) -> Source {
    device
        .create_source(SourceOptions::new(&unique("process")))
        .unwrap()
}

/// One subscription of every kind.
struct All {
    own: Subscription,
    shared: Subscription,
    handled: Subscription,
    lazy: Subscription<sigrt::LazyPayload>,
    function: (Listener, crossbeam_channel::Receiver<Option<u64>>),
    polled: PolledSubscription,
    mapped: MappedSubscription,
    dispatcher: Dispatcher,
}

impl All {
    fn start(device: &Device, source: &Source) -> Self {
        let builder = || -> SubscriptionBuilder { device.subscription().subscribe(source) };
        let dispatcher = Dispatcher::new().unwrap();
        let (tx, rx) = crossbeam_channel::unbounded();
        let function = move |delivery: sigrt::Delivery| {
            tx.send(delivery.event().and_then(|event| event.value))
                .unwrap();
        };
        Self {
            own: builder().start().unwrap(),
            shared: builder().dispatcher(&dispatcher).start().unwrap(),
            handled: builder().handler().start().unwrap(),
            lazy: builder().lazy_payloads().start().unwrap(),
            function: (builder().start_with(function).unwrap(), rx),
            polled: builder().start_polled().unwrap(),
            mapped: builder().start_mapped().unwrap(),
            dispatcher,
        }
    }

    /// Every one of them gets the next event, and nothing else.
    #[track_caller]
    fn get(&mut self, n: u64) {
        let value = |s: &Subscription| {
            let delivery = s.recv_timeout(PATIENCE).unwrap();
            assert!(s.try_recv().is_err());
            delivery.event().unwrap().value
        };
        assert_eq!(value(&self.own), Some(n), "own thread");
        assert_eq!(value(&self.shared), Some(n), "shared thread");
        assert_eq!(value(&self.handled), Some(n), "handler");
        let lazy = self.lazy.recv_timeout(PATIENCE).unwrap().event().unwrap();
        assert_eq!(lazy.payload.fetch().unwrap(), "0123456789");
        assert_eq!(self.function.1.recv_timeout(PATIENCE), Ok(Some(n)));
        let mut polled = None;
        eventually("polled", || {
            polled = self.polled.try_recv().unwrap();
            polled.is_some()
        });
        assert_eq!(polled.unwrap().event().unwrap().value, Some(n));
        let batch = self.mapped.recv_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!(batch.len(), 1);
        assert_eq!(batch.iter().next().unwrap().event().unwrap().value, Some(n));
    }
}

#[test]
fn forked_child_is_inert_whatever_the_kind() {
    check("forked_child_is_inert_whatever_the_kind", |device| {
        let source = source(device);
        let mut all = All::start(device, &source);
        source.post(Some(0), b"0123456789").unwrap();
        all.get(0);
        let mut held = Some(all);
        let child = raw::fork_child(|| {
            let mut all = held.take().unwrap();
            let handled = all.handled.signal();
            let forked = |result: Result<(), Error>| matches!(result, Err(Error::Forked));
            let answers = [
                forked(all.own.stats().map(drop)),
                forked(all.own.pause()),
                forked(all.shared.resume()),
                forked(all.lazy.stats().map(drop)),
                forked(all.function.0.pause()),
                forked(all.polled.try_recv().map(drop)),
                forked(all.mapped.try_recv().map(drop)),
                forked(all.mapped.recv_timeout(Duration::ZERO).map(drop)),
                forked(all.handled.shutdown().map(drop)),
            ];
            // The handler is inherited, and does nothing.
            raw::send_signal(std::process::id() as i32, handled).unwrap();
            drop((
                all.own,
                all.shared,
                all.lazy,
                all.function,
                all.polled,
                all.mapped,
            ));
            drop(all.dispatcher);
            // A device of its own works.
            let fresh = Backend::of(module_path!()).device();
            let own = fresh
                .create_source(SourceOptions::new(&unique("own")))
                .unwrap();
            let mut again = All::start(&fresh, &own);
            own.post(Some(7), b"0123456789").unwrap();
            again.get(7);
            drop(again);
            if answers.contains(&false) {
                eprintln!("{answers:?}");
                return ExitCode::FAILURE;
            }
            ExitCode::SUCCESS
        });
        raw::expect_success(child);
        let mut all = held.take().unwrap();
        for n in 1..20 {
            source.post(Some(n), b"0123456789").unwrap();
            all.get(n);
        }
        // Shutting down after all that is exact, too.
        let end = all.own.shutdown().unwrap();
        assert_eq!((end.stats.posted, end.rest.len()), (20, 0));
    });
}

/// A program that is started while events come starts with a clean mask, without our descriptors, and lives.
#[test]
fn started_programs_inherit_nothing() {
    check("started_programs_inherit_nothing", |device| {
        let source = source(device);
        let mut all = All::start(device, &source);
        let script = "grep -E '^(SigBlk|SigPnd|ShdPnd):' /proc/self/status; ls -l /proc/self/fd";
        let output = Command::new("sh").args(["-c", script]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        for field in ["SigBlk", "SigPnd", "ShdPnd"] {
            assert!(
                text.contains(&format!("{field}:\t0000000000000000")),
                "{text}"
            );
        }
        for ours in ["eventfd", "eventpoll", "pidfd", "/status"] {
            assert!(!text.contains(ours), "{text}");
        }
        for n in 0..5 {
            let mut child = Command::new("true").spawn().unwrap();
            source.post(Some(n), b"0123456789").unwrap();
            all.get(n);
            assert!(child.wait().unwrap().success());
        }
    });
}

/// `exec` in the subscribing process itself: the new program lives although doorbells were on their way, since they were
/// on their way to threads that end with the old one. (Those of a handler and of a mapped subscription go to the thread
/// that started them; see the crate's limitations.)
#[test]
fn program_that_replaces_itself_lives() {
    check("program_that_replaces_itself_lives", |_| {
        for round in 0..5 {
            let child = raw::fork_child(|| {
                let device = Backend::of(module_path!()).device();
                let source = source(&device);
                let builder = || device.subscription().subscribe(&source);
                let dispatcher = Dispatcher::new().unwrap();
                let all = (
                    builder().start().unwrap(),
                    builder().dispatcher(&dispatcher).start().unwrap(),
                    builder().mode(sigrt::Mode::PerEvent).start().unwrap(),
                    builder().lazy_payloads().start().unwrap(),
                    builder().start_with(|_| {}).unwrap(),
                    builder().start_polled().unwrap(),
                );
                let (go, started) = std::sync::mpsc::channel();
                let source = source.clone();
                thread::spawn(move || {
                    for n in 0.. {
                        source.post(Some(n), b"0123456789").ok();
                        go.send(()).ok();
                    }
                });
                for _ in 0..=round * 10 {
                    started.recv().unwrap();
                }
                std::mem::forget((all, dispatcher));
                let error = Command::new("true").exec();
                eprintln!("{error}");
                ExitCode::FAILURE
            });
            raw::expect_success(child);
        }
    });
}

/// Threads that were there before, and those that come after, keep their masks; the program's own are what they were.
#[test]
fn masks_are_left_alone() {
    check("masks_are_left_alone", |device| {
        let mask = || format!("{:?}", sys::blocked());
        let source = source(device);
        let (ask, asked) = crossbeam_channel::bounded::<()>(0);
        let (tell, told) = crossbeam_channel::bounded(0);
        let before = mask();
        let earlier = thread::spawn(move || {
            while asked.recv().is_ok() {
                tell.send(format!("{:?}", sys::blocked())).unwrap();
            }
        });
        let all = All::start(device, &source);
        let earlier_mask = || {
            ask.send(()).unwrap();
            told.recv().unwrap()
        };
        assert_eq!(earlier_mask(), before);
        // The mapped one blocks its signal and SIGURG in its own thread.
        let blocked = sys::blocked();
        assert!(blocked.contains(all.mapped.signal()) && blocked.contains(SIGURG));
        let inherited = thread::spawn(mask).join().unwrap();
        assert_eq!(inherited, mask(), "threads inherit from their spawner");
        drop(all);
        assert_eq!(earlier_mask(), before);
        assert!(!sys::blocked().contains(sys::sigrtmin()));
        drop(ask);
        earlier.join().unwrap();
    });
}

/// The thread that started a subscription exits: with a dispatcher that does not matter at all.
#[test]
fn subscription_outlives_the_thread_that_started_it() {
    check(
        "subscription_outlives_the_thread_that_started_it",
        |device| {
            let source = source(device);
            let builders = [
                device.subscription().subscribe(&source),
                device.subscription().subscribe(&source).handler(),
            ];
            for builder in builders {
                let subscription = thread::spawn(move || builder.start().unwrap())
                    .join()
                    .unwrap();
                for n in 0..50 {
                    source.post(Some(n), b"").unwrap();
                    let event = subscription
                        .recv_timeout(PATIENCE)
                        .unwrap()
                        .event()
                        .unwrap();
                    assert_eq!(event.value, Some(n));
                }
            }
            let builder = device.subscription().subscribe(&source);
            let mut polled = thread::spawn(move || builder.start_polled().unwrap())
                .join()
                .unwrap();
            source.post(Some(1), b"").unwrap();
            assert!(polled.try_recv().unwrap().is_some());
        },
    );
}

/// A subscription is dropped on another thread than it was started on, and by a function on its own dispatcher.
#[test]
fn ends_on_any_thread() {
    check("ends_on_any_thread", |device| {
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let source = source(device);
        drop(device.subscription().subscribe(&source).start().unwrap());
        let before = threads();
        let subscription = device.subscription().subscribe(&source).start().unwrap();
        thread::spawn(move || drop(subscription)).join().unwrap();
        let dispatcher = Dispatcher::new().unwrap();
        let victim = device
            .subscription()
            .dispatcher(&dispatcher)
            .subscribe(&source)
            .start()
            .unwrap();
        let receiver = victim.receiver().clone();
        let mut victim = Some(victim);
        let listener = device
            .subscription()
            .dispatcher(&dispatcher)
            .subscribe(&source)
            .start_with(move |_| drop(victim.take()))
            .unwrap();
        source.post(None, b"").unwrap();
        // It may have got the event before its end.
        assert!(receiver.iter().count() <= 1);
        assert!(listener.failure().is_none());
        drop((listener, dispatcher));
        eventually("the threads have ended", || threads() == before);
    });
}
