// SPDX-License-Identifier: MIT OR Apache-2.0

//! What only a kernel can get wrong: processes that die, execute another program, or close under a sibling's
//! feet.
//!
//! Every test runs in a process of its own. A client belongs to the process that opened it, so what happens in
//! a forked child opens the device there.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use rtnotify_tests::guest::Fdinfo;
use rtnotify_tests::harness::{Backend, PATIENCE, eventually, isolated};
use rtnotify_tests::ledger::payload;
use rtnotify_tests::raw;
use rtnotify_tests::rig::{Rig, create_source, request};
use sigrt::abi;
use sigrt::client::{Access, Client};
use sigrt::sys::{self, SignalSet};

fn check(name: &str, test: fn(&Backend)) {
    isolated(name, &Backend::module(), test);
}

fn info(client: &Client, source: u32) -> abi::SourceInfo {
    let all = client.sources().unwrap();
    *all.iter().find(|i| i.number == source).unwrap()
}

/// Registers the calling thread and subscribes it, with everything blocked for good.
fn subscribe(backend: &Backend, source: u32, mode: u32) -> Client {
    std::mem::forget(sys::block(&SignalSet::asynchronous()));
    let client = backend.open(Access::Read, false);
    client.register(&mut request(mode)).unwrap();
    client.subscribe(source, None).unwrap();
    client
}

#[test]
fn killed_subscriber_leaves_nothing_behind() {
    check("killed_subscriber_leaves_nothing_behind", |backend| {
        let producer = backend.open(Access::ReadWrite, false);
        let source = create_source(&producer, 4096);
        for mode in [abi::MODE_PER_EVENT, abi::MODE_WINDOW] {
            let child = raw::fork_child(|| {
                let _client = subscribe(backend, source, mode);
                loop {
                    // It never takes anything.
                    thread::sleep(Duration::from_secs(1));
                }
            });
            eventually("the child subscribes", || {
                info(&producer, source).subscribers == 1
            });
            let before = info(&producer, source).posted;
            for n in 0..1000 {
                producer
                    .post(source, 0, None, &payload(n, n as usize % 4096))
                    .unwrap();
                if n == 500 {
                    kill(child, Signal::SIGKILL).unwrap();
                }
            }
            let ended = waitpid(child, None).unwrap();
            assert_eq!(ended, WaitStatus::Signaled(child, Signal::SIGKILL, false));
            eventually("the subscription ends", || {
                info(&producer, source).subscribers == 0
            });
            assert_eq!(info(&producer, source).posted, before + 1000);
        }
    });
}

/// Signals in the status of a process as `/proc` shows it: the thread's and the process's.
fn pending_in(status: &str) -> (u64, u64) {
    let set = |name: &str| {
        let line = status.lines().find(|l| l.starts_with(name)).unwrap();
        u64::from_str_radix(line[name.len()..].trim(), 16).unwrap()
    };
    (set("SigPnd:"), set("ShdPnd:"))
}

#[test]
fn executed_program_gets_no_signal() {
    check("executed_program_gets_no_signal", |backend| {
        let producer = backend.open(Access::ReadWrite, false);
        let source = create_source(&producer, 64);
        for mode in [abi::MODE_PER_EVENT, abi::MODE_WINDOW] {
            let module = backend.clone();
            let mut command = Command::new("/bin/cat");
            command.arg("/proc/self/status").stdin(Stdio::null());
            raw::before_exec(&mut command, move || {
                let client = subscribe(&module, source, mode);
                let poster = module.open(Access::Write, false);
                for _ in 0..40 {
                    poster
                        .post(source, 0, None, b"doorbell")
                        .map_err(std::io::Error::from)?;
                }
                let status = std::fs::read_to_string("/proc/thread-self/status")?;
                if pending_in(&status).0 == 0 {
                    return Err(std::io::Error::other("no doorbell is pending before exec"));
                }
                // Open across exec, but for close-on-exec.
                std::mem::forget(client);
                Ok(())
            });
            let output = command.output().unwrap();
            assert!(output.status.success(), "{:?}", output.status);
            let status = String::from_utf8(output.stdout).unwrap();
            assert_eq!(pending_in(&status), (0, 0), "{status}");
            assert_eq!(info(&producer, source).subscribers, 0);
        }
    });
}

#[test]
fn executed_program_is_left_alone_while_events_come() {
    check(
        "executed_program_is_left_alone_while_events_come",
        |backend| {
            let producer = backend.open(Access::ReadWrite, false);
            let source = create_source(&producer, 64);
            for round in 0..20 {
                let module = backend.clone();
                // `cat` waits for its input, so it lives while more is posted.
                let mut command = Command::new("/bin/cat");
                command
                    .arg("/proc/self/status")
                    .arg("-")
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped());
                raw::before_exec(&mut command, move || {
                    std::mem::forget(subscribe(&module, source, abi::MODE_PER_EVENT));
                    if round % 2 == 1 {
                        // Handlers end with the old program, and then the signal would kill.
                        let signo = request(0).signo as i32;
                        raw::handle(signo);
                        std::mem::forget(sys::unblock(&SignalSet::of(&[signo])));
                    }
                    Ok(())
                });
                let (stop, stopped) = mpsc::channel::<()>();
                let poster = backend.open(Access::Write, false);
                // Doorbells while `execve` runs, before and after the file is closed.
                let flood = thread::spawn(move || {
                    while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
                        poster.post(source, 0, None, b"doorbell").unwrap();
                    }
                });
                let mut child = command.spawn().unwrap();
                for _ in 0..100 {
                    producer.post(source, 0, None, b"doorbell").unwrap();
                }
                drop(stop);
                flood.join().unwrap();
                drop(child.stdin.take());
                let mut status = String::new();
                let mut stdout = child.stdout.take().unwrap();
                stdout.read_to_string(&mut status).unwrap();
                assert!(child.wait().unwrap().success(), "it was killed");
                assert_eq!(pending_in(&status), (0, 0), "{status}");
            }
        },
    );
}

#[test]
fn closing_takes_pending_doorbells_along() {
    check("closing_takes_pending_doorbells_along", |backend| {
        let producer = backend.open(Access::Write, false);
        let source = create_source(&producer, 64);
        let client = subscribe(backend, source, abi::MODE_PER_EVENT);
        for _ in 0..40 {
            producer.post(source, 0, None, b"doorbell").unwrap();
        }
        let signals = SignalSet::of(&[request(0).signo as i32]);
        let status = || std::fs::read_to_string("/proc/thread-self/status").unwrap();
        assert_ne!(pending_in(&status()).0, 0);
        // A sibling closes.
        thread::spawn(move || drop(client)).join().unwrap();
        let taken = sys::take_signal(&signals, Some(Duration::ZERO));
        assert_eq!(taken, Err(Errno::EAGAIN), "nothing may be left");
        producer.post(source, 0, None, b"doorbell").unwrap();
        let taken = sys::take_signal(&signals, Some(Duration::ZERO));
        assert_eq!(taken, Err(Errno::EAGAIN), "and nothing may come");
    });
}

#[test]
fn forked_child_does_not_end_the_registration() {
    check("forked_child_does_not_end_the_registration", |backend| {
        let mut rig = Rig::per_event(backend);
        rig.post(&[1; 20]);
        let child = raw::fork_child(|| {
            // The child's exit closes its copy of every descriptor.
            ExitCode::SUCCESS
        });
        raw::expect_success(child);
        assert_eq!(rig.stats().state, abi::STATE_REGISTERED);
        rig.post(&[2; 20]);
        for _ in 0..2 {
            let taken = rig.ring();
            let mut buffer = [0; 84];
            assert_eq!(rig.subscriber.pread(&mut buffer, taken.value), Ok(84));
            rig.ledger.book_all(&buffer);
        }
        rig.settle();
    });
}

#[test]
fn main_thread_that_exits_first_is_replaced() {
    // The process's first thread, the leader, wakes nobody when it exits before the others: the module has
    // to look for itself. A forked child has a first thread of its own.
    check("main_thread_that_exits_first_is_replaced", |backend| {
        let owner = backend.open(Access::Write, false);
        let source = create_source(&owner, 64);
        let child = raw::fork_child(|| {
            let producer = backend.open(Access::Write, false);
            let signals = SignalSet::of(&[request(0).signo as i32]);
            std::mem::forget(sys::block(&SignalSet::asynchronous()));
            let (tell, told) = mpsc::channel::<std::sync::Arc<Client>>();
            let (ready, failover) = mpsc::channel();
            thread::spawn(move || {
                ready.send(sys::gettid()).unwrap();
                let client = told.recv().unwrap();
                let taken = sys::take_signal(&signals, Some(PATIENCE));
                let good = taken.is_ok() && client.stats().is_ok_and(|s| s.failovers == 1);
                std::process::exit(i32::from(!good));
            });
            let client = std::sync::Arc::new(backend.open(Access::Read, false));
            let mut asked = request(abi::MODE_WINDOW);
            asked.failover_tid = failover.recv().unwrap();
            client.register(&mut asked).unwrap();
            client.subscribe(source, None).unwrap();
            producer.post(source, 0, None, b"doorbell").unwrap();
            tell.send(client).unwrap();
            raw::exit_thread()
        });
        raw::expect_success(child);
    });
}

#[test]
fn stopped_reader_costs_no_more_than_its_quota() {
    check("stopped_reader_costs_no_more_than_its_quota", |backend| {
        const EVENTS: u64 = 3000;
        const WINDOW: u32 = 4;
        let owner = backend.open(Access::Write, false);
        for mode in [abi::MODE_PER_EVENT, abi::MODE_WINDOW] {
            let source = create_source(&owner, 4096);
            // Words: descriptor and thread of the reader, then what it has of the events.
            let shared = raw::Shared::new(4);
            let words = shared.words();
            let child = raw::fork_child(|| {
                let mut asked = request(mode);
                asked.queue_len = 64;
                asked.quota = 64 << 10;
                asked.window = WINDOW;
                asked.flags = abi::REG_PREAD_KEEP;
                let mut rig = Rig::new(backend, asked);
                rig.subscriber.subscribe(source, None).unwrap();
                words[1].store(std::process::id().into(), Ordering::Relaxed);
                words[0].store(
                    rig.subscriber.fd().unwrap().as_raw_fd() as u64,
                    Ordering::Release,
                );
                // Until the last event is seen, always on a doorbell.
                while words[3].load(Ordering::Acquire) == 0
                    || rig.ledger.events + rig.ledger.lost < EVENTS + 10
                {
                    let _ = rig.ring();
                    rig.drain();
                    let booked = rig.ledger.events + rig.ledger.lost;
                    words[2].store(booked, Ordering::Release);
                }
                assert!(rig.ledger.lost > 0, "nothing was lost");
                assert!(rig.ledger.gaps < 100, "{} gaps", rig.ledger.gaps);
                rig.settle();
                ExitCode::SUCCESS
            });
            eventually("the reader is there", || {
                words[0].load(Ordering::Acquire) != 0
            });
            let fd = words[0].load(Ordering::Acquire) as i32;
            kill(child, Signal::SIGSTOP).unwrap();
            let stopped = waitpid(child, Some(WaitPidFlag::WUNTRACED));
            assert_eq!(stopped, Ok(WaitStatus::Stopped(child, Signal::SIGSTOP)));
            let look = || Fdinfo::of(child.as_raw(), fd);
            for n in 0..EVENTS {
                owner
                    .post(source, 0, None, &payload(n, n as usize % 2048))
                    .unwrap();
                if n % 100 == 99 {
                    let seen = look();
                    assert!(seen.number("quota_used") <= 64 << 10);
                    assert!(seen.number("queued") <= 64);
                    assert!(seen.number("signals_sent") <= WINDOW.into());
                }
            }
            let seen = look();
            assert_eq!(seen.number("posted"), EVENTS);
            let lost = seen.number("lost_queue_full") + seen.number("lost_quota");
            assert_eq!(seen.number("queued") + lost, EVENTS);
            kill(child, Signal::SIGCONT).unwrap();
            eventually("it has read what is queued", || {
                look().number("queued") == 0
            });
            words[3].store(1, Ordering::Release);
            for n in 0..10 {
                owner.post(source, 0, None, &payload(n, 100)).unwrap();
            }
            raw::expect_success(child);
            assert_eq!(words[2].load(Ordering::Acquire), EVENTS + 10);
        }
    });
}
