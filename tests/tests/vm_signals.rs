// SPDX-License-Identifier: MIT OR Apache-2.0

//! `O_ASYNC`: `SIGIO`, or the signal of `F_SETSIG`, to whom `F_SETOWN` names, when something becomes readable.
//!
//! Each test runs in a process of its own with one thread to begin with: a signal for a whole process goes to
//! any thread that does not block it, and would end it.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use rtnotify_tests::asynchronous::{self, Owner, Ready, ask};
use rtnotify_tests::harness::{Backend, PATIENCE, eventually, isolated, unique};
use rtnotify_tests::raw;
use rtnotify_tests::rig::{Rig, create_source, request};
use sigrt::abi;
use sigrt::client::{Access, Client, source_name};
use sigrt::sys::{self, SignalSet};

const SIGIO: i32 = libc::SIGIO;

/// The signal that tests ask for with `F_SETSIG`.
fn chosen() -> i32 {
    sys::sigrtmin() + 5
}

/// Runs a test in a forked child, with everything blocked.
macro_rules! check {
    ($name:ident, $test:expr) => {
        #[test]
        fn $name() {
            isolated(stringify!($name), &Backend::module(), |backend| {
                let test: fn(&Backend) = $test;
                raw::expect_success(raw::fork_child(|| {
                    std::mem::forget(sys::block(&SignalSet::asynchronous()));
                    test(backend);
                    ExitCode::SUCCESS
                }));
            });
        }
    };
}

fn fd(rig: &Rig) -> BorrowedFd<'_> {
    rig.subscriber.fd().unwrap()
}

fn take(signo: i32) -> Ready {
    asynchronous::take(signo, PATIENCE).unwrap()
}

/// Whether none is pending for the calling thread or its process.
fn none(signo: i32) -> bool {
    asynchronous::take(signo, Duration::ZERO) == Err(Errno::EAGAIN)
}

/// What a signal chosen with `F_SETSIG` says about `fd`.
fn readable(fd: BorrowedFd<'_>) -> Ready {
    Ready {
        code: 1, // POLL_IN
        fd: fd.as_raw_fd(),
        band: i64::from(libc::POLLIN | libc::POLLRDNORM),
    }
}

check!(sigio_comes_when_something_becomes_readable, |backend| {
    let mut rig = Rig::window(backend);
    ask(fd(&rig), Owner::Process, 0).unwrap();
    assert!(none(SIGIO), "nothing is there");
    for _ in 0..10 {
        rig.post_many(1);
        take(SIGIO);
        rig.post_many(5);
        assert!(none(SIGIO), "it was readable already");
        assert_eq!(rig.drain(), 6);
    }
    rig.settle();
});

check!(chosen_signal_says_which_descriptor, |backend| {
    let mut rig = Rig::per_event(backend);
    ask(fd(&rig), Owner::Process, chosen()).unwrap();
    for _ in 0..10 {
        rig.post(&[1; 100]);
        assert_eq!(take(chosen()), readable(fd(&rig)));
        assert!(none(SIGIO) && none(chosen()));
        rig.drain();
    }
    // By handle as well: the queue is empty after that, so the next event is news.
    let _ = rig.take_pending();
    for _ in 0..10 {
        rig.post(&[1; 100]);
        assert_eq!(take(chosen()), readable(fd(&rig)));
        let bell = rig.ring();
        let mut buffer = [0; 164];
        assert_eq!(rig.subscriber.pread(&mut buffer, bell.value), Ok(164));
        rig.ledger.book_all(&buffer);
    }
    rig.settle();
});

check!(signal_goes_to_the_owning_thread, |backend| {
    let mut rig = Rig::window(backend);
    let (tell, told) = mpsc::channel();
    let (report, reports) = mpsc::channel();
    let owner = thread::spawn(move || {
        tell.send(sys::gettid()).unwrap();
        for _ in 0..5 {
            report.send(take(chosen())).unwrap();
        }
    });
    ask(fd(&rig), Owner::Thread(told.recv().unwrap()), chosen()).unwrap();
    for _ in 0..5 {
        rig.post_many(3);
        let got = reports.recv_timeout(PATIENCE).unwrap();
        assert_eq!(got, readable(fd(&rig)));
        assert!(none(chosen()) && none(SIGIO), "not for this thread");
        assert_eq!(rig.drain(), 3);
    }
    owner.join().unwrap();
    // The owner is gone: nothing to send to, and nothing else changes.
    rig.post_many(3);
    assert!(none(chosen()) && none(SIGIO));
    rig.settle();
});

check!(signal_is_raised_from_an_interrupt, |backend| {
    const PERIODS: u64 = 50;
    let mut rig = Rig::window(backend);
    ask(fd(&rig), Owner::Process, chosen()).unwrap();
    let timer = backend.open(Access::Write, false);
    let mut asked = abi::CreateSource {
        size: abi::CreateSource::BYTES as u32,
        source_type: abi::SOURCE_TIMER,
        period_ns: 1_000_000,
        count: PERIODS,
        name: source_name(&unique("timer")).unwrap(),
        ..abi::CreateSource::zeroed()
    };
    timer.create_source(&mut asked).unwrap();
    rig.subscriber.subscribe(asked.number, None).unwrap();
    let mut seen = 0;
    while seen < PERIODS {
        assert_eq!(take(chosen()), readable(fd(&rig)));
        let mut buffer = [0; 4096];
        loop {
            match rig.subscriber.read(&mut buffer) {
                Ok(got) => {
                    for event in rig.ledger.book_all(&buffer[..got]) {
                        seen += event.value.unwrap();
                    }
                }
                Err(Errno::EAGAIN) => break,
                Err(errno) => panic!("read: {errno}"),
            }
        }
    }
    assert_eq!(seen, PERIODS);
    rig.settle();
});

check!(plain_sigio_replaces_what_cannot_be_queued, |backend| {
    raw::limit_queued_signals(0);
    let mut rig = Rig::window(backend);
    ask(fd(&rig), Owner::Process, chosen()).unwrap();
    for _ in 0..10 {
        rig.post_many(2);
        take(SIGIO);
        assert!(none(chosen()));
        assert_eq!(rig.drain(), 2);
    }
    rig.settle();
});

check!(switched_off_it_stays_silent, |backend| {
    let mut rig = Rig::window(backend);
    for on in [true, false, true, true, false, false, true] {
        if on {
            ask(fd(&rig), Owner::Process, chosen()).unwrap();
        } else {
            asynchronous::set(fd(&rig), false).unwrap();
        }
        rig.post_many(1);
        if on {
            assert_eq!(take(chosen()), readable(fd(&rig)));
        }
        assert!(none(chosen()) && none(SIGIO));
        rig.drain();
    }
    // Who has no registration gets nothing either.
    rig.subscriber.unregister().unwrap();
    rig.post_many(1);
    assert!(none(chosen()) && none(SIGIO));
});

check!(closed_file_raises_nothing, |backend| {
    let owner = backend.open(Access::Write, false);
    let source = create_source(&owner, 0);
    for round in 0..20 {
        let client = backend.open(Access::Read, false);
        ask(client.fd().unwrap(), Owner::Process, chosen()).unwrap();
        client.register(&mut request(abi::MODE_WINDOW)).unwrap();
        client.subscribe(source, None).unwrap();
        let posting = thread::spawn({
            let poster = backend.open(Access::Write, false);
            move || {
                for _ in 0..50 {
                    poster.post(source, 0, None, &[]).unwrap();
                }
            }
        });
        if round % 2 == 0 {
            take(chosen());
        }
        // While the other thread posts.
        drop(client);
        posting.join().unwrap();
        while !none(chosen()) {}
        owner.post(source, 0, None, &[]).unwrap();
        assert!(none(chosen()) && none(SIGIO));
    }
});

check!(killed_subscriber_raises_nothing, |backend| {
    let owner = backend.open(Access::Write, false);
    let source = create_source(&owner, 0);
    let subscribers = |n: u32| {
        let all = owner.sources().unwrap();
        all.iter().any(|i| i.number == source && i.subscribers == n)
    };
    for _ in 0..5 {
        let child = raw::fork_child(|| {
            let client = backend.open(Access::Read, false);
            ask(client.fd().unwrap(), Owner::Process, 0).unwrap();
            client.register(&mut request(abi::MODE_WINDOW)).unwrap();
            client.subscribe(source, None).unwrap();
            loop {
                take(SIGIO);
                read_all(&client);
            }
        });
        eventually("the child subscribes", || subscribers(1));
        for n in 0..200 {
            owner.post(source, 0, None, &[]).unwrap();
            if n == 100 {
                kill(child, Signal::SIGKILL).unwrap();
            }
        }
        let ended = waitpid(child, None).unwrap();
        assert_eq!(ended, WaitStatus::Signaled(child, Signal::SIGKILL, false));
        eventually("the subscription ends", || subscribers(0));
    }
});

fn read_all(client: &Client) {
    let mut buffer = [0; 4096];
    while client.read(&mut buffer).is_ok() {}
}
