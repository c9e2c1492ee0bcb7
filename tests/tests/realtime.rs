// SPDX-License-Identifier: MIT OR Apache-2.0

//! Realtime signals that anybody sends: exact in number, in value and in origin, with no device.
//!
//! All but one run in a process of their own: dispositions and masks belong to the process.

use std::fs::File;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, after, select};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rtnotify_tests::asynchronous::{self, Owner};
use rtnotify_tests::harness::{Backend, PATIENCE, eventually, isolated, shared};
use rtnotify_tests::raw;
use rtnotify_tests::senders::{MessageQueue, Timer, read_asynchronously};
use sigrt::realtime::{self, Cause, Signal, Signals};
use sigrt::sys::{self, SIGURG, SignalSet};
use sigrt::{Device, Error, SourceOptions};

fn check(name: &str, test: fn(&Backend)) {
    isolated(name, &Backend::loopback(), test);
}

fn signo(n: i32) -> i32 {
    sys::sigrtmin() + n
}

fn me() -> u32 {
    std::process::id()
}

#[track_caller]
fn receive(signals: &Signals) -> Signal {
    signals.recv_timeout(PATIENCE).unwrap()
}

/// Lets this process's user have `more` signals queued than all of the user's processes have now: they count together.
fn allow(more: u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let queued = status.lines().find_map(|line| line.strip_prefix("SigQ:\t"));
    let (queued, _) = queued.unwrap().split_once('/').unwrap();
    let (_, hard) = getrlimit(Resource::RLIMIT_SIGPENDING).unwrap();
    let limit = queued.parse::<u64>().unwrap() + more;
    setrlimit(Resource::RLIMIT_SIGPENDING, limit.min(hard), hard).unwrap();
}

/// Sends, waiting while the limit is used up; how often it was.
fn send_patiently(signo: i32, value: u64) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    let mut refusals = 0;
    loop {
        match realtime::send(me(), signo, value) {
            Ok(()) => return refusals,
            Err(Error::SignalQueueFull { .. }) => {
                refusals += 1;
                // Another process of this user may have taken what there was for us.
                if refusals % 1000 == 0 {
                    allow(2);
                }
            }
            Err(error) => panic!("{error}"),
        }
        assert!(Instant::now() < deadline, "refused for {PATIENCE:?}");
        thread::yield_now();
    }
}

/// The threads of this test harness do not block the signal: each signal interrupts one of them.
#[test]
fn unblocked_threads_send_on_what_interrupts_them() {
    check("unblocked_threads_send_on_what_interrupts_them", |_| {
        const EACH: u64 = 1000;
        let signals = Signals::start(&[signo(1)]).unwrap();
        let start = Arc::new(Barrier::new(4));
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                let start = Arc::clone(&start);
                thread::spawn(move || {
                    start.wait();
                    for n in 0..EACH {
                        send_patiently(signo(1), sender * EACH + n);
                    }
                })
            })
            .collect();
        let mut values: Vec<_> = (0..4 * EACH)
            .map(|_| {
                let signal = receive(&signals);
                assert_eq!(signal.signo, signo(1));
                assert_eq!((signal.pid(), signal.code()), (Some(me()), Some(-1)));
                assert!(signal.uid().is_some());
                signal.value().unwrap()
            })
            .collect();
        values.sort_unstable();
        assert_eq!(values, (0..4 * EACH).collect::<Vec<_>>());
        for sender in senders {
            sender.join().unwrap();
        }
        assert!(signals.try_recv().is_err());
    });
}

/// Where every other thread blocks them, they come in order; lower numbers first.
#[test]
fn blocked_signals_keep_their_order() {
    check("blocked_signals_keep_their_order", |_| {
        // The harness's first thread does not block it, so they are sent to the receiving thread.
        let numbers = [signo(2), signo(3)];
        realtime::block(&numbers);
        let signals = Signals::builder()
            .signal(numbers[1])
            .signal(numbers[0])
            .capacity(0)
            .start()
            .unwrap();
        // The thread takes one and waits with it for us.
        realtime::send_to_thread(me(), signals.thread(), numbers[1], 0).unwrap();
        let set = format!("/proc/self/task/{}/status", signals.thread());
        eventually("the first is taken", || {
            let status = std::fs::read_to_string(&set).unwrap();
            status.contains("SigPnd:\t0000000000000000")
        });
        for n in 1..=100 {
            for number in [numbers[1], numbers[0]] {
                realtime::send_to_thread(me(), signals.thread(), number, n).unwrap();
            }
        }
        let got: Vec<_> = (0..201)
            .map(|_| receive(&signals))
            .map(|signal| (signal.signo, signal.value().unwrap()))
            .collect();
        let urgent = (1..=100).map(|n| (numbers[0], n));
        let others = (1..=100).map(|n| (numbers[1], n));
        let first = std::iter::once((numbers[1], 0));
        assert_eq!(got, first.chain(urgent).chain(others).collect::<Vec<_>>());
    });
}

/// The limit is the sender's to hear of, and nothing is lost below it.
#[test]
fn sender_is_told_of_the_limit() {
    check("sender_is_told_of_the_limit", |_| {
        const LIMIT: u64 = 16;
        allow(LIMIT);
        // Nobody receives: one is in the thread's hand, the others wait in the kernel.
        let signals = Signals::builder()
            .signal(signo(1))
            .capacity(0)
            .start()
            .unwrap();
        let mut accepted = 0;
        let deadline = Instant::now() + PATIENCE;
        let refusal = loop {
            match realtime::send_to_thread(me(), signals.thread(), signo(1), accepted) {
                Ok(()) => accepted += 1,
                Err(error) => break error,
            }
            assert!(Instant::now() < deadline);
        };
        assert!(
            matches!(refusal, Error::SignalQueueFull { signo: s } if s == signo(1)),
            "{refusal}"
        );
        assert!(
            refusal.to_string().contains("RLIMIT_SIGPENDING"),
            "{refusal}"
        );
        for n in 0..accepted {
            assert_eq!(receive(&signals).value(), Some(n));
        }
        // And it is good again.
        send_patiently(signo(1), 99);
        assert_eq!(receive(&signals).value(), Some(99));
    });
}

/// At a limit of one, with several senders and interrupted threads, every signal that was accepted is delivered;
/// whatever could not be sent on comes without its value.
#[test]
fn count_is_exact_at_the_limit() {
    check("count_is_exact_at_the_limit", |_| {
        const EACH: u64 = 100;
        allow(1);
        let signals = Signals::start(&[signo(1)]).unwrap();
        let senders: Vec<_> = (0..3)
            .map(|_| thread::spawn(|| (0..EACH).map(|n| send_patiently(signo(1), n)).sum::<u64>()))
            .collect();
        let (mut whole, mut unknown) = (0, 0);
        while whole + unknown < 3 * EACH {
            match receive(&signals).cause {
                Cause::Queue { .. } => whole += 1,
                Cause::Unknown => unknown += 1,
                other => panic!("{other:?}"),
            }
        }
        let refusals: u64 = senders.into_iter().map(|s| s.join().unwrap()).sum();
        println!(
            "{whole} with their value, {unknown} without; senders were refused {refusals} times"
        );
        assert!(
            matches!(
                signals.recv_timeout(Duration::from_millis(50)),
                Err(RecvTimeoutError::Timeout)
            ),
            "more than were sent"
        );
    });
}

#[test]
fn timers_say_how_late_they_are() {
    check("timers_say_how_late_they_are", |_| {
        let signals = Signals::builder()
            .signal(signo(1))
            .capacity(0)
            .start()
            .unwrap();
        let started = Instant::now();
        let timer = Timer::start(signo(1), 0x1234_5678_9abc, 1_000_000);
        // Every expiration is one signal or counted in one's overrun.
        let (mut count, mut overruns) = (0_u64, 0_u64);
        while count < 20 || overruns == 0 {
            let signal = receive(&signals);
            let Cause::Timer { value, overrun, .. } = signal.cause else {
                panic!("{signal:?}")
            };
            assert_eq!(value, 0x1234_5678_9abc);
            assert_eq!(signal.overrun(), Some(overrun));
            assert_eq!(signal.code(), Some(libc::SI_TIMER));
            count += 1;
            overruns += u64::from(overrun);
            // Until the timer is late.
            while count >= 20 && started.elapsed().as_millis() < u128::from(count + overruns + 10) {
                thread::yield_now();
            }
        }
        let periods = started.elapsed().as_nanos() as u64 / 1_000_000 + 1;
        drop(timer);
        println!(
            "{count} signals stand for {} expirations in {periods} ms",
            count + overruns
        );
        assert!(
            count + overruns <= periods,
            "{count} + {overruns} > {periods}"
        );
    });
}

#[test]
fn message_queues_and_asynchronous_reads_are_told_apart() {
    check(
        "message_queues_and_asynchronous_reads_are_told_apart",
        |_| {
            let signals = Signals::start(&[signo(1), signo(2)]).unwrap();
            let queue = MessageQueue::open(&format!("sigrt-{}", me()));
            queue.notify(signo(1), 7);
            queue.send();
            let signal = receive(&signals);
            assert_eq!(signal.value(), Some(7));
            assert!(
                matches!(signal.cause, Cause::MessageQueue { pid, .. } if pid == me()),
                "{signal:?}"
            );
            let file = File::open("/proc/self/exe").unwrap();
            let mut signal = None;
            let byte = read_asynchronously(&file, signo(2), 8, || signal = Some(receive(&signals)));
            assert_eq!(byte, 0x7f, "of an ELF file");
            let signal = signal.unwrap();
            assert_eq!(signal.cause, Cause::AsyncIo { value: 8 });
            assert_eq!(signal.signo, signo(2));
        },
    );
}

#[test]
fn plain_kill_and_readiness_have_no_value() {
    check("plain_kill_and_readiness_have_no_value", |_| {
        use std::os::fd::AsFd;
        let signals = Signals::start(&[signo(1), signo(2)]).unwrap();
        raw::send_signal(me() as i32, signo(1)).unwrap();
        let signal = receive(&signals);
        assert!(
            matches!(signal.cause, Cause::Kill { pid, .. } if pid == me()),
            "{signal:?}"
        );
        assert_eq!(signal.value(), None);

        let (reader, mut writer) = std::io::pipe().unwrap();
        asynchronous::ask(reader.as_fd(), Owner::Process, signo(2)).unwrap();
        std::io::Write::write_all(&mut writer, b"x").unwrap();
        let signal = receive(&signals);
        let fd = std::os::fd::AsRawFd::as_raw_fd(&reader);
        assert_eq!(signal.cause, Cause::Io { code: 1, fd });
    });
}

#[test]
fn stream_select_and_iterator_agree() {
    check("stream_select_and_iterator_agree", |_| {
        let mut signals = Signals::start(&[signo(1)]).unwrap();
        for n in 0..40 {
            realtime::send_to_thread(me(), signals.thread(), signo(1), n).unwrap();
        }
        for n in 0..10 {
            select! {
                recv(signals) -> signal => assert_eq!(signal.unwrap().value(), Some(n)),
                recv(after(PATIENCE)) -> _ => panic!("nothing came"),
            }
        }
        for (signal, n) in (&signals).into_iter().take(10).zip(10..) {
            assert_eq!(signal.value(), Some(n));
        }
        // What comes while nobody looks wakes the task.
        let thread = signals.thread();
        let sender = thread::spawn(move || {
            for n in 40..60 {
                realtime::send_to_thread(me(), thread, signo(1), n).unwrap();
                thread::yield_now();
            }
        });
        futures_lite::future::block_on(async {
            for n in 20..60 {
                let signal = futures_lite::StreamExt::next(&mut signals).await;
                assert_eq!(signal.unwrap().value(), Some(n));
            }
        });
        sender.join().unwrap();
        let deadline = Instant::now() + Duration::from_millis(20);
        assert_eq!(
            signals.recv_deadline(deadline),
            Err(RecvTimeoutError::Timeout)
        );
        assert!(Instant::now() >= deadline);
    });
}

#[test]
fn numbers_are_not_shared() {
    check("numbers_are_not_shared", |_| {
        let signals = Signals::start(&[signo(1)]).unwrap();
        let refused = |result: Result<(), Error>| {
            assert!(matches!(result, Err(Error::Signal { .. })), "{result:?}");
        };
        refused(Signals::start(&[signo(1)]).map(drop));
        refused(Signals::start(&[signo(2), signo(1)]).map(drop));
        refused(Signals::start(&[libc::SIGUSR1]).map(drop));
        refused(Signals::start(&[65]).map(drop));
        let device = Device::loopback();
        let source = device.create_source(SourceOptions::new("x")).unwrap();
        let subscription = |n| device.subscription().signal(n).subscribe(&source).start();
        refused(subscription(signo(1)).map(drop));
        let other = subscription(signo(2)).unwrap();
        refused(Signals::start(&[signo(2)]).map(drop));
        drop((signals, other));
        // All are free again.
        let signals = Signals::start(&[signo(1), signo(2)]).unwrap();
        realtime::send(me(), signo(2), 5).unwrap();
        assert_eq!(receive(&signals).value(), Some(5));
        drop(signals);
        // Nobody receives it, and nobody dies of it.
        realtime::send(me(), signo(2), 6).unwrap();
    });
}

#[test]
fn dropping_ends_the_thread_and_child_is_inert() {
    check("dropping_ends_the_thread_and_child_is_inert", |_| {
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let before = threads();
        let mask = sys::blocked();
        let signals = Signals::builder()
            .signal(signo(1))
            .capacity(1)
            .start()
            .unwrap();
        assert!(
            !sys::blocked().contains(signo(1)),
            "the caller's mask is its own"
        );
        assert_eq!(format!("{:?}", sys::blocked()), format!("{mask:?}"));
        let mut held = Some(signals);
        let child = raw::fork_child(|| {
            // Its handler has nobody to send it on to, and does nothing.
            realtime::send(me(), signo(1), 1).unwrap();
            drop(held.take());
            ExitCode::SUCCESS
        });
        raw::expect_success(child);
        let signals = held.take().unwrap();
        for n in 0..5 {
            realtime::send(me(), signo(1), n).unwrap();
        }
        // Full, so its thread waits for room; dropping does not.
        eventually("full", || signals.len() == 1);
        let receiver = signals.receiver().clone();
        drop(signals);
        eventually("its thread has ended", || threads() == before);
        assert!(receiver.iter().count() >= 1);
        assert_eq!(
            sys::take_signal(&SignalSet::of(&[SIGURG]), Some(Duration::ZERO)).ok(),
            None
        );
    });
}

/// A thousand signals are queued by `sigqueue` and counted three ways. Only what is certain is asserted.
#[test]
fn thousand_queued_signals_side_by_side() {
    // The only one in this very process, so that `--nocapture` shows the counts.
    shared(
        "thousand_queued_signals_side_by_side",
        &Backend::loopback(),
        |_| {
            const COUNT: u64 = 1000;
            // One after the other, so that they do not disturb each other.
            let ours = {
                let signals = Signals::start(&[signo(1)]).unwrap();
                let sender = thread::spawn(|| {
                    for n in 0..COUNT {
                        send_patiently(signo(1), n);
                    }
                });
                let count = (0..COUNT)
                    .filter(|_| receive(&signals).value().is_some())
                    .count();
                sender.join().unwrap();
                assert!(signals.recv_timeout(Duration::from_millis(20)).is_err());
                count as u64
            };
            let hook = with_signal_hook(COUNT);
            let tokio = with_tokio(COUNT);
            println!(
                "of {COUNT} queued signals: sigrt {ours}, signal-hook {hook}, tokio::signal {tokio}"
            );
            assert_eq!(ours, COUNT);
            assert!(hook <= COUNT && tokio <= COUNT);
            assert!(hook > 0 && tokio > 0);
        },
    );
}

/// Sends, then a last one of another number, which comes after all others.
fn queue_and_end(first: i32, count: u64) {
    for n in 0..count {
        send_patiently(first, n);
    }
    send_patiently(first + 1, 0);
}

fn with_signal_hook(count: u64) -> u64 {
    use signal_hook::iterator::SignalsInfo;
    use signal_hook::iterator::exfiltrator::WithRawSiginfo;
    let number = signo(3);
    let mut infos = SignalsInfo::<WithRawSiginfo>::new([number, number + 1]).unwrap();
    let sender = thread::spawn(move || queue_and_end(number, count));
    let mut seen = 0;
    let mut ended = false;
    while !ended {
        for info in infos.wait() {
            if info.si_signo == number {
                seen += 1;
            } else {
                ended = true;
            }
        }
    }
    sender.join().unwrap();
    seen + infos
        .pending()
        .filter(|info| info.si_signo == number)
        .count() as u64
}

fn with_tokio(count: u64) -> u64 {
    use tokio::signal::unix::{SignalKind, signal};
    let number = signo(5);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut wanted = signal(SignalKind::from_raw(number)).unwrap();
        let mut end = signal(SignalKind::from_raw(number + 1)).unwrap();
        let sender = thread::spawn(move || queue_and_end(number, count));
        let mut seen = 0;
        loop {
            tokio::select! {
                biased;
                _ = wanted.recv() => seen += 1,
                _ = end.recv() => break,
            }
        }
        sender.join().unwrap();
        // What it may have noticed with the last one.
        while tokio::time::timeout(Duration::from_millis(20), wanted.recv())
            .await
            .is_ok()
        {
            seen += 1;
        }
        seen
    })
}

/// A program that uses signal-hook and tokio on other signals notices nothing, and nor do we.
#[test]
fn others_keep_their_signals() {
    check("others_keep_their_signals", |_| {
        let hooked = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(libc::SIGUSR1, Arc::clone(&hooked)).unwrap();
        let signals = Signals::start(&[signo(1)]).unwrap();
        let device = Device::loopback();
        let source = device.create_source(SourceOptions::new("x")).unwrap();
        let subscription = device.subscription().subscribe(&source).start().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let heard = Arc::new(AtomicU64::new(0));
        let (ready, waiting) = crossbeam_channel::bounded(1);
        let theirs = Arc::clone(&heard);
        runtime.spawn(async move {
            use tokio::signal::unix::{SignalKind, signal};
            let mut usr2 = signal(SignalKind::user_defined2()).unwrap();
            ready.send(()).unwrap();
            while usr2.recv().await.is_some() {
                theirs.fetch_add(1, Ordering::Relaxed);
            }
        });
        waiting.recv_timeout(PATIENCE).unwrap();
        for n in 0..200 {
            raw::send_signal(me() as i32, libc::SIGUSR1).unwrap();
            raw::send_signal(me() as i32, libc::SIGUSR2).unwrap();
            realtime::send(me(), signo(1), n).unwrap();
            source.post(Some(n), b"").unwrap();
            assert_eq!(receive(&signals).value(), Some(n));
            let event = subscription
                .recv_timeout(PATIENCE)
                .unwrap()
                .event()
                .unwrap();
            assert_eq!(event.value, Some(n));
            eventually("the hook ran", || hooked.swap(false, Ordering::Relaxed));
            eventually("tokio heard", || heard.swap(0, Ordering::Relaxed) > 0);
        }
    });
}
