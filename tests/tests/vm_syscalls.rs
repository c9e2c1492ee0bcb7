// SPDX-License-Identifier: MIT OR Apache-2.0

//! How many system calls an event costs, for each way to receive it: exactly, by tracing the receiver.
//!
//! Bursts of events are queued before the receiver looks, so the figures do not depend on timing. They are
//! printed as a table (`--nocapture`), and each one is checked.

use std::os::fd::BorrowedFd;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use rtnotify_tests::asynchronous::{self, Owner};
use rtnotify_tests::harness::{Backend, PATIENCE, shared};
use rtnotify_tests::rig::{Rig, request};
use rtnotify_tests::{raw, tracer};
use sigrt::abi;
use sigrt::client::Client;
use sigrt::sys::{self, SignalSet};

/// Bytes of payload of every event.
const LEN: usize = 24;
/// A record and its payload.
const FRAME: usize = abi::Record::BYTES + LEN;
/// Bursts of each size.
const ROUNDS: usize = 3;
/// Sizes of the bursts; the second is longer than the window.
const BURSTS: [usize; 2] = [1, 64];

/// One way to receive.
struct Way {
    name: &'static str,
    mode: u32,
    /// Made before the counting starts; what it returns receives one burst into a buffer.
    prepare: fn(&Rig) -> Receive<'_>,
    /// System calls for a whole burst of either size.
    calls: [usize; 2],
}

/// Receives a burst of that many events into the buffer; returns the bytes.
type Receive<'a> = Box<dyn FnMut(&mut [u8], usize) -> usize + 'a>;

const WAYS: &[Way] = &[
    Way {
        name: "sigtimedwait, pread of each",
        mode: abi::MODE_PER_EVENT,
        prepare: waiting,
        calls: [2, 128],
    },
    Way {
        name: "signalfd, pread of each",
        mode: abi::MODE_PER_EVENT,
        prepare: signalfd,
        // 32 signals, which is the window, with each read.
        calls: [2, 66],
    },
    Way {
        name: "handler (sigsuspend, sigreturn), pread of each",
        mode: abi::MODE_PER_EVENT,
        prepare: handler,
        calls: [3, 192],
    },
    Way {
        name: "sigtimedwait, read until EAGAIN",
        mode: abi::MODE_WINDOW,
        prepare: waiting_for_batch,
        calls: [3, 3],
    },
    Way {
        name: "SIGIO, read until EAGAIN",
        mode: abi::MODE_WINDOW,
        prepare: sigio,
        calls: [3, 3],
    },
    Way {
        name: "epoll (edge), read until EAGAIN",
        mode: abi::MODE_WINDOW,
        prepare: epoll_edge,
        calls: [3, 3],
    },
    Way {
        name: "epoll (level), read",
        mode: abi::MODE_WINDOW,
        prepare: epoll_level,
        calls: [2, 2],
    },
    Way {
        name: "poll, read",
        mode: abi::MODE_WINDOW,
        prepare: polling,
        calls: [2, 2],
    },
    Way {
        name: "blocking read",
        mode: abi::MODE_WINDOW,
        prepare: blocking,
        calls: [1, 1],
    },
];

#[test]
fn system_calls_per_event() {
    shared("system_calls_per_event", &Backend::module(), |backend| {
        println!(
            "{:<48} {:>9} {:>9}",
            "system calls per event, in bursts of", 1, 64
        );
        for way in WAYS {
            let counted = BURSTS.map(|burst| measure(backend, way, burst));
            let [one, many] = [0, 1].map(|i| counted[i] as f64 / BURSTS[i] as f64);
            println!("{:<48} {one:>9.3} {many:>9.3}", way.name);
            assert_eq!(counted, way.calls, "{}", way.name);
        }
    });
}

/// System calls for one burst, which must be the same in every round.
fn measure(backend: &Backend, way: &Way, burst: usize) -> usize {
    let sections = tracer::trace(|meter| {
        std::mem::forget(sys::block(&SignalSet::asynchronous()));
        let mut asked = request(way.mode);
        asked.flags = abi::REG_PREAD_RECORD;
        let mut rig = Rig::new(backend, asked);
        let mut buffer = vec![0; burst * FRAME + (16 << 10)];
        let mut received = Vec::new();
        {
            let mut receive = (way.prepare)(&rig);
            for _ in 0..ROUNDS {
                for _ in 0..burst {
                    rig.post(&[7; LEN]);
                }
                let got = meter.count(|| receive(&mut buffer, burst));
                received.extend_from_slice(&buffer[..got]);
            }
        }
        set_nonblocking(&rig, true);
        rig.ledger.book_all(&received);
        assert_eq!(rig.ledger.events, (ROUNDS * burst) as u64);
        let _ = rig.take_pending();
        rig.settle();
    });
    assert_eq!(sections.len(), ROUNDS);
    let counts: Vec<usize> = sections.iter().map(Vec::len).collect();
    assert!(
        counts.iter().all(|&count| count == counts[0]),
        "{}: {counts:?}",
        way.name
    );
    counts[0]
}

fn fd(rig: &Rig) -> BorrowedFd<'_> {
    rig.subscriber.fd().unwrap()
}

fn signo(rig: &Rig) -> i32 {
    rig.registered.signo as i32
}

/// Fetches what `handle` names to its place among the others.
fn fetch(client: &Client, buffer: &mut [u8], n: usize, handle: u64) {
    let place = &mut buffer[n * FRAME..(n + 1) * FRAME];
    assert_eq!(client.pread(place, handle), Ok(FRAME));
}

fn read_until_empty(client: &Client, buffer: &mut [u8]) -> usize {
    let mut used = 0;
    while let Ok(got) = client.read(&mut buffer[used..]) {
        used += got;
    }
    used
}

fn waiting(rig: &Rig) -> Receive<'_> {
    let set = SignalSet::of(&[signo(rig)]);
    Box::new(move |buffer, burst| {
        for n in 0..burst {
            let taken = sys::take_signal(&set, Some(PATIENCE)).unwrap();
            fetch(&rig.subscriber, buffer, n, taken.value);
        }
        burst * FRAME
    })
}

fn signalfd(rig: &Rig) -> Receive<'_> {
    let signals = raw::SignalFile::open(signo(rig)).unwrap();
    Box::new(move |buffer, burst| {
        let mut n = 0;
        while n < burst {
            let mut handles = [0; 32];
            let got = signals.take(&mut handles).unwrap();
            for &handle in &handles[..got] {
                fetch(&rig.subscriber, buffer, n, handle);
                n += 1;
            }
        }
        burst * FRAME
    })
}

fn handler(rig: &Rig) -> Receive<'_> {
    raw::catch_value(signo(rig));
    let mask = raw::mask_without(signo(rig));
    Box::new(move |buffer, burst| {
        for n in 0..burst {
            raw::suspend(&mask);
            fetch(&rig.subscriber, buffer, n, raw::caught());
        }
        burst * FRAME
    })
}

fn waiting_for_batch(rig: &Rig) -> Receive<'_> {
    let set = SignalSet::of(&[signo(rig)]);
    let take = move |limit| sys::take_signal(&set, Some(limit));
    Box::new(move |buffer, _| {
        take(PATIENCE).unwrap();
        read_until_empty(&rig.subscriber, buffer)
    })
}

fn sigio(rig: &Rig) -> Receive<'_> {
    asynchronous::ask(fd(rig), Owner::Process, 0).unwrap();
    Box::new(|buffer, _| {
        asynchronous::take(libc::SIGIO, PATIENCE).unwrap();
        read_until_empty(&rig.subscriber, buffer)
    })
}

fn epoll(rig: &Rig, flags: EpollFlags) -> Epoll {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    let event = EpollEvent::new(EpollFlags::EPOLLIN | flags, 0);
    epoll.add(fd(rig), event).unwrap();
    epoll
}

fn wait(epoll: &Epoll) {
    let mut events = [EpollEvent::empty()];
    assert_eq!(epoll.wait(&mut events, EpollTimeout::NONE), Ok(1));
}

fn epoll_edge(rig: &Rig) -> Receive<'_> {
    let epoll = epoll(rig, EpollFlags::EPOLLET);
    Box::new(move |buffer, _| {
        wait(&epoll);
        read_until_empty(&rig.subscriber, buffer)
    })
}

fn epoll_level(rig: &Rig) -> Receive<'_> {
    let epoll = epoll(rig, EpollFlags::empty());
    Box::new(move |buffer, _| {
        wait(&epoll);
        rig.subscriber.read(buffer).unwrap()
    })
}

fn polling(rig: &Rig) -> Receive<'_> {
    Box::new(|buffer, _| {
        let mut fds = [PollFd::new(fd(rig), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, PollTimeout::NONE), Ok(1));
        rig.subscriber.read(buffer).unwrap()
    })
}

/// Sets or clears `O_NONBLOCK`.
fn set_nonblocking(rig: &Rig, on: bool) {
    let mut flags = OFlag::from_bits_retain(fcntl(fd(rig), FcntlArg::F_GETFL).unwrap());
    flags.set(OFlag::O_NONBLOCK, on);
    fcntl(fd(rig), FcntlArg::F_SETFL(flags)).unwrap();
}

fn blocking(rig: &Rig) -> Receive<'_> {
    set_nonblocking(rig, false);
    Box::new(|buffer, _| rig.subscriber.read(buffer).unwrap())
}
