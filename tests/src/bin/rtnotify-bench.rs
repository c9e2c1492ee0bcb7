// SPDX-License-Identifier: MIT OR Apache-2.0

//! What one event costs: rtnotify against the usual ways to tell another process something.
//!
//! A producer sends bursts of events with 64 bytes of payload; the consumer looks at every payload and, when
//! the burst is complete, acknowledges it through an `eventfd`. Measured is the time from the first event to
//! the acknowledgement, divided by the length of the burst; of many rounds the median. Producer and consumer
//! are two processes, except over the loopback, which serves one: there they are two threads.
//!
//! ```text
//! rtnotify-bench [--format json|table] [--cycles] [--loopback]
//! ```
//!
//! `--cycles` (implied by `RTNOTIFY_VM`, which the test guest sets) counts ticks of the processor's counter,
//! which under `-icount` are guest instructions. `ratio` is the cost relative to `sigqueue`.

use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use rtnotify_tests::harness::Backend;
use rtnotify_tests::locks;
use rtnotify_tests::raw::{self, Shared};
use rtnotify_tests::rig::{create_source, request};
use serde_json::json;
use sigrt::client::{Access, Client, post_head};
use sigrt::sys::{self, SIGURG, SignalSet};
use sigrt::{DEFAULT_PATH, abi};

/// Lengths of bursts.
const BURSTS: [u64; 4] = [1, 8, 64, 512];
/// Bytes of payload of each event.
const PAYLOAD: usize = 64;
/// The same in words.
const WORDS: usize = PAYLOAD / 8;
/// Events that a ring or queue holds.
const SLOTS: u64 = 1024;

/// Longest that all of it may take.
const LIMIT_SECONDS: u32 = 900;

/// Rounds that are measured, of a burst's length.
fn rounds(burst: u64) -> u64 {
    (4000 / burst).clamp(20, 1000)
}

/// Rounds before those.
fn warm_up(burst: u64) -> u64 {
    rounds(burst) / 10
}

/// Sends or receives the events numbered `first` and following, `count` of them.
type Half = Box<dyn FnMut(u64, u64)>;

/// One way to send events.
struct Way {
    name: &'static str,
    /// Makes the receiving half, in the consumer.
    consumer: Box<dyn FnOnce() -> Half + Send>,
    /// Makes the sending half, in the producer, once the consumer is ready; gets its process or thread.
    producer: Box<dyn FnOnce(i32) -> Half>,
}

/// The payload of event `n`.
fn payload(n: u64) -> [u8; PAYLOAD] {
    let mut bytes = [0; PAYLOAD];
    for (at, chunk) in bytes.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&(n + at as u64).to_ne_bytes());
    }
    bytes
}

/// Looks at a payload: first and last word must be those of event `n`.
fn check(n: u64, bytes: &[u8]) {
    assert_eq!(bytes.len(), PAYLOAD);
    assert_eq!(bytes[..8], n.to_ne_bytes());
    assert_eq!(bytes[PAYLOAD - 8..], (n + WORDS as u64 - 1).to_ne_bytes());
}

/// A ring of payloads in shared memory.
#[derive(Clone)]
struct Ring(Arc<Shared>);

impl Ring {
    fn new() -> Self {
        Self(Arc::new(Shared::new(SLOTS as usize * WORDS)))
    }

    fn slot(&self, n: u64) -> &[AtomicU64] {
        &self.0.words()[(n % SLOTS) as usize * WORDS..][..WORDS]
    }

    fn put(&self, n: u64) {
        let slot = self.slot(n);
        for (at, word) in slot.iter().enumerate() {
            word.store(n + at as u64, Ordering::Relaxed);
        }
        slot[0].store(n, Ordering::Release);
    }

    fn check(&self, n: u64) {
        let mut bytes = [0; PAYLOAD];
        let slot = self.slot(n);
        assert_eq!(slot[0].load(Ordering::Acquire), n);
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(slot) {
            chunk.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        check(n, &bytes);
    }
}

fn event_fd() -> Arc<EventFd> {
    Arc::new(EventFd::new().unwrap())
}

fn sigqueue() -> Way {
    let ring = Ring::new();
    let sent = ring.clone();
    let signo = sys::sigrtmax();
    Way {
        name: "sigqueue, sigwaitinfo each",
        consumer: Box::new(move || {
            let signals = SignalSet::of(&[signo]);
            std::mem::forget(sys::block(&signals));
            Box::new(move |first, count| {
                for n in first..first + count {
                    let taken = sys::take_signal(&signals, None).unwrap();
                    assert_eq!(taken.value, n);
                    ring.check(n);
                }
            })
        }),
        producer: Box::new(move |consumer| {
            Box::new(move |first, count| {
                for n in first..first + count {
                    sent.put(n);
                    raw::forge_signal(consumer, signo, n).unwrap();
                }
            })
        }),
    }
}

fn pipe() -> Way {
    let (reader, writer): (OwnedFd, OwnedFd) = nix::unistd::pipe().unwrap();
    Way {
        name: "pipe, batched read",
        consumer: Box::new(move || {
            let mut buffer = vec![0; 64 << 10];
            Box::new(move |first, count| {
                let mut n = first;
                while n < first + count {
                    // Writes of this length are atomic, and so are never cut.
                    let got = nix::unistd::read(&reader, &mut buffer).unwrap();
                    for bytes in buffer[..got].chunks(PAYLOAD) {
                        check(n, bytes);
                        n += 1;
                    }
                }
            })
        }),
        producer: Box::new(move |_| {
            Box::new(move |first, count| {
                for n in first..first + count {
                    nix::unistd::write(&writer, &payload(n)).unwrap();
                }
            })
        }),
    }
}

fn eventfd_ring() -> Way {
    let ring = Ring::new();
    let sent = ring.clone();
    let bell = event_fd();
    let rung = Arc::clone(&bell);
    Way {
        name: "eventfd per event, shared ring",
        consumer: Box::new(move || {
            Box::new(move |first, count| {
                let mut n = first;
                while n < first + count {
                    for _ in 0..bell.read().unwrap() {
                        ring.check(n);
                        n += 1;
                    }
                }
            })
        }),
        producer: Box::new(move |_| {
            Box::new(move |first, count| {
                for n in first..first + count {
                    sent.put(n);
                    rung.write(1).unwrap();
                }
            })
        }),
    }
}

/// A shared ring whose consumer says when it is about to sleep, so that the producer rings only then: what two
/// processes can do that trust each other with their memory.
struct Suppressed {
    ring: Ring,
    /// Events put, and whether the consumer is about to sleep.
    words: Arc<Shared>,
}

impl Suppressed {
    fn new() -> (Self, Self) {
        let (ring, words) = (Ring::new(), Arc::new(Shared::new(2)));
        let twin = Self {
            ring: ring.clone(),
            words: Arc::clone(&words),
        };
        (Self { ring, words }, twin)
    }

    /// Sends; `ring_bell` wakes the consumer.
    fn send(&self, first: u64, count: u64, ring_bell: impl Fn()) {
        let [put, armed] = self.words.words() else {
            panic!("two words");
        };
        for n in first..first + count {
            self.ring.put(n);
            put.store(n + 1, Ordering::Release);
            std::sync::atomic::fence(Ordering::SeqCst);
            if armed.load(Ordering::Relaxed) != 0 && armed.swap(0, Ordering::AcqRel) != 0 {
                ring_bell();
            }
        }
    }

    /// Receives; `sleep` waits for the bell.
    fn receive(&self, first: u64, count: u64, sleep: impl Fn()) {
        let [put, armed] = self.words.words() else {
            panic!("two words");
        };
        let mut n = first;
        while n < first + count {
            while n < put.load(Ordering::Acquire) {
                self.ring.check(n);
                n += 1;
            }
            armed.store(1, Ordering::Release);
            std::sync::atomic::fence(Ordering::SeqCst);
            // Something has come meanwhile, and the producer may or may not have seen that nobody sleeps.
            if n < put.load(Ordering::Acquire) && armed.swap(0, Ordering::AcqRel) != 0 {
                continue;
            }
            if n < first + count {
                sleep();
            }
        }
    }
}

fn suppressed_signal() -> Way {
    let (ring, sent) = Suppressed::new();
    let signo = sys::sigrtmax();
    Way {
        name: "shared ring, suppressed signal",
        consumer: Box::new(move || {
            let signals = SignalSet::of(&[signo]);
            std::mem::forget(sys::block(&signals));
            Box::new(move |first, count| {
                ring.receive(first, count, || {
                    sys::take_signal(&signals, None).unwrap();
                });
            })
        }),
        producer: Box::new(move |consumer| {
            Box::new(move |first, count| {
                sent.send(first, count, || {
                    raw::forge_signal(consumer, signo, 0).unwrap();
                });
            })
        }),
    }
}

fn suppressed_eventfd() -> Way {
    let (ring, sent) = Suppressed::new();
    let bell = event_fd();
    let rung = Arc::clone(&bell);
    Way {
        name: "shared ring, suppressed eventfd",
        consumer: Box::new(move || {
            Box::new(move |first, count| {
                ring.receive(first, count, || {
                    bell.read().unwrap();
                });
            })
        }),
        producer: Box::new(move |_| {
            Box::new(move |first, count| {
                sent.send(first, count, || {
                    rung.write(1).unwrap();
                });
            })
        }),
    }
}

fn epoll_pread() -> Way {
    let name = c"rtnotify-bench";
    let file = nix::sys::memfd::memfd_create(name, nix::sys::memfd::MFdFlags::MFD_CLOEXEC);
    let file = Arc::new(std::fs::File::from(file.unwrap()));
    let written = Arc::clone(&file);
    let bell = event_fd();
    let rung = Arc::clone(&bell);
    let offset = |n: u64| (n % SLOTS) * PAYLOAD as u64;
    Way {
        name: "epoll, eventfd, pread",
        consumer: Box::new(move || {
            use std::os::unix::fs::FileExt;
            let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
            let interest = EpollEvent::new(EpollFlags::EPOLLIN, 0);
            epoll.add(bell.as_fd(), interest).unwrap();
            let mut events = [EpollEvent::empty(); 8];
            let mut buffer = [0; PAYLOAD];
            Box::new(move |first, count| {
                let mut n = first;
                while n < first + count {
                    epoll.wait(&mut events, EpollTimeout::NONE).unwrap();
                    for _ in 0..bell.read().unwrap() {
                        file.read_exact_at(&mut buffer, offset(n)).unwrap();
                        check(n, &buffer);
                        n += 1;
                    }
                }
            })
        }),
        producer: Box::new(move |_| {
            use std::os::unix::fs::FileExt;
            Box::new(move |first, count| {
                for n in first..first + count {
                    written.write_all_at(&payload(n), offset(n)).unwrap();
                    rung.write(1).unwrap();
                }
            })
        }),
    }
}

/// Registers the calling thread and subscribes it.
fn subscriber(backend: &Backend, mode: u32, source: u32) -> Client {
    let mut asked = request(mode);
    (asked.flags, asked.queue_len) = (abi::REG_PREAD_RECORD, SLOTS as u32);
    std::mem::forget(sys::block(&SignalSet::of(&[asked.signo as i32, SIGURG])));
    // The index of a mapped ring is written.
    let client = backend.open(Access::ReadWrite, false);
    client.register_dispatcher(&mut asked).unwrap();
    client.subscribe(source, None).unwrap();
    client
}

/// The consumer in per-event mode: two system calls for each.
fn take_each(client: Client) -> Half {
    let signals = SignalSet::of(&[request(0).signo as i32, SIGURG]);
    let mut buffer = [0; abi::Record::BYTES + PAYLOAD];
    Box::new(move |first, count| {
        let mut n = first;
        while n < first + count {
            let taken = sys::take_signal(&signals, None).unwrap();
            match client.pread(&mut buffer, taken.value) {
                Ok(got) => {
                    check(n, &buffer[abi::Record::BYTES..got]);
                    n += 1;
                }
                // The queue of signals was full.
                Err(_) => n = drain(&client, &mut vec![0; 64 << 10], n),
            }
        }
    })
}

/// The consumer in window mode: a doorbell, then everything there is.
fn take_batches(client: Client) -> Half {
    let signals = SignalSet::of(&[request(0).signo as i32, SIGURG]);
    let mut buffer = vec![0; 128 << 10];
    Box::new(move |first, count| {
        let mut n = first;
        while n < first + count {
            sys::take_signal(&signals, None).unwrap();
            n = drain(&client, &mut buffer, n);
        }
    })
}

/// The consumer of a mapped ring: a doorbell, then everything there is, where it is, until there is no more.
fn take_mapped(client: Client) -> Half {
    let signals = SignalSet::of(&[request(0).signo as i32]);
    let mut ring = client.map_ring(0).unwrap();
    Box::new(move |first, count| {
        let mut n = first;
        while n < first + count {
            sys::take_signal(&signals, None).unwrap();
            loop {
                ring.drain(|_, payload| {
                    check(n, payload);
                    n += 1;
                });
                match client.arm(0) {
                    Ok(()) => break,
                    Err(errno) => assert_eq!(errno, Errno::EAGAIN),
                }
            }
        }
    })
}

fn drain(client: &Client, buffer: &mut [u8], mut n: u64) -> u64 {
    loop {
        let got = match client.read(buffer) {
            Ok(got) => got,
            Err(Errno::EAGAIN) => return n,
            Err(errno) => panic!("read: {errno}"),
        };
        for frame in buffer[..got].chunks(abi::Record::BYTES + PAYLOAD) {
            check(n, &frame[abi::Record::BYTES..]);
            n += 1;
        }
        // There was room for more, so there is no more.
        if buffer.len() - got >= abi::Record::BYTES + PAYLOAD {
            return n;
        }
    }
}

fn rtnotify(backend: &Backend, name: &'static str, mode: u32, batched: bool) -> Way {
    // A client belongs to the process that opened it: this one is the producer's.
    let client = backend.open(Access::Write, false);
    let source = create_source(&client, PAYLOAD);
    let backend = backend.clone();
    Way {
        name,
        consumer: Box::new(move || {
            let client = subscriber(&backend, mode, source);
            match mode {
                abi::MODE_PER_EVENT => take_each(client),
                abi::MODE_COALESCED if client.is_kernel() => take_mapped(client),
                _ => take_batches(client),
            }
        }),
        producer: Box::new(move |_| {
            let mut frames = Vec::new();
            Box::new(move |first, count| {
                if !batched {
                    for n in first..first + count {
                        client.post(source, 0, None, &payload(n)).unwrap();
                    }
                    return;
                }
                frames.clear();
                for n in first..first + count {
                    let head = post_head(source, 0, None, PAYLOAD);
                    frames.extend_from_slice(&head.to_bytes());
                    frames.extend_from_slice(&payload(n));
                }
                assert_eq!(client.write(&frames), Ok(frames.len()));
            })
        }),
    }
}

/// How time is read.
#[derive(Clone, Copy)]
enum Clock {
    Nanoseconds,
    Cycles,
}

impl Clock {
    fn measure(self, work: impl FnOnce()) -> u64 {
        match self {
            Self::Nanoseconds => {
                let start = Instant::now();
                work();
                start.elapsed().as_nanos() as u64
            }
            Self::Cycles => {
                let start = raw::cycles();
                work();
                raw::cycles() - start
            }
        }
    }
}

/// The consumer's side of all rounds.
fn consume(mut receive: Half, acknowledge: &EventFd) {
    acknowledge.write(1).unwrap();
    let mut first = 0;
    for burst in BURSTS {
        for _ in 0..warm_up(burst) + rounds(burst) {
            receive(first, burst);
            acknowledge.write(1).unwrap();
            first += burst;
        }
    }
}

/// The producer's side of all rounds; the cost of one event for each length of burst.
fn produce(mut send: Half, acknowledged: &EventFd, clock: Clock) -> Vec<f64> {
    let mut first = 0;
    let mut costs = Vec::new();
    for burst in BURSTS {
        let mut times = Vec::new();
        for round in 0..warm_up(burst) + rounds(burst) {
            let time = clock.measure(|| {
                send(first, burst);
                acknowledged.read().unwrap();
            });
            if round >= warm_up(burst) {
                times.push(time);
            }
            first += burst;
        }
        times.sort_unstable();
        costs.push(times[times.len() / 2] as f64 / burst as f64);
    }
    costs
}

/// Measures one way, between two processes or two threads.
fn measure(way: Way, threads: bool, clock: Clock) -> Vec<f64> {
    let acknowledge = event_fd();
    let Way {
        consumer, producer, ..
    } = way;
    if !threads {
        let child = raw::fork_child(|| {
            nix::unistd::alarm::set(LIMIT_SECONDS);
            consume(consumer(), &acknowledge);
            ExitCode::SUCCESS
        });
        acknowledge.read().unwrap();
        let costs = produce(producer(child.as_raw()), &acknowledge, clock);
        raw::expect_success(child);
        return costs;
    }
    let tid = AtomicI32::new(0);
    std::thread::scope(|scope| {
        let receiving = scope.spawn(|| {
            tid.store(sys::gettid(), Ordering::Relaxed);
            consume(consumer(), &acknowledge);
        });
        acknowledge.read().unwrap();
        let costs = produce(producer(tid.load(Ordering::Relaxed)), &acknowledge, clock);
        receiving.join().unwrap();
        costs
    })
}

fn main() -> ExitCode {
    let mut json_wanted = false;
    let mut loopback = !std::path::Path::new(DEFAULT_PATH).exists();
    let mut clock = match std::env::var_os("RTNOTIFY_VM") {
        Some(_) => Clock::Cycles,
        None => Clock::Nanoseconds,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.size_hint().0) {
            ("--format", 1..) => json_wanted = args.next().as_deref() == Some("json"),
            ("--cycles", _) => clock = Clock::Cycles,
            ("--loopback", _) => loopback = true,
            _ => {
                eprintln!("usage: rtnotify-bench [--format json|table] [--cycles] [--loopback]");
                return ExitCode::from(2);
            }
        }
    }
    // Should one side fail, the other must not wait for ever.
    nix::unistd::alarm::set(LIMIT_SECONDS);
    // The consumer's are taken, never delivered.
    let _mask = sys::block(&SignalSet::of(&[sys::sigrtmax()]));

    // Peers first, in a process that has no other thread yet.
    let mut measured: Vec<(String, Vec<f64>)> = Vec::new();
    for way in [
        sigqueue(),
        pipe(),
        eventfd_ring(),
        epoll_pread(),
        suppressed_signal(),
        suppressed_eventfd(),
    ] {
        let name = way.name.to_owned();
        measured.push((name, measure(way, false, clock)));
    }
    let (backend, place) = if loopback {
        (Backend::loopback(), "loopback, two threads")
    } else {
        (Backend::module(), "module")
    };
    // There is no ring to map in the loopback: there it is the same with reads.
    let (mapped, mapped_batched) = if loopback {
        ("rtnotify coalesced", "rtnotify coalesced, batched write")
    } else {
        (
            "rtnotify mapped ring",
            "rtnotify mapped ring, batched write",
        )
    };
    for (name, mode, batched) in [
        ("rtnotify per event", abi::MODE_PER_EVENT, false),
        ("rtnotify window", abi::MODE_WINDOW, false),
        ("rtnotify window, batched write", abi::MODE_WINDOW, true),
        (mapped, abi::MODE_COALESCED, false),
        (mapped_batched, abi::MODE_COALESCED, true),
    ] {
        let way = rtnotify(&backend, name, mode, batched);
        let costs = measure(way, loopback, clock);
        measured.push((format!("{name} ({place})"), costs));
    }

    let locks = locks::costs(|work| clock.measure(work));
    let (unit, unit_of_locks) = match clock {
        Clock::Nanoseconds => ("ns/event", "ns/pair"),
        Clock::Cycles => ("guest cycles/event", "guest cycles/pair"),
    };
    let base = measured[0].1.clone();
    if json_wanted {
        let rows: Vec<_> = measured
            .iter()
            .flat_map(|(path, costs)| {
                BURSTS
                    .iter()
                    .zip(costs)
                    .zip(&base)
                    .map(move |((burst, cost), base)| {
                        json!({
                            "path": path,
                            "burst": burst,
                            "per_event": (cost * 10.0).round() / 10.0,
                            "ratio": (cost / base * 1000.0).round() / 1000.0,
                        })
                    })
            })
            .collect();
        let locks: Vec<_> = locks
            .iter()
            .map(|(path, cost)| {
                json!({
                    "path": path,
                    "burst": 1,
                    "per_event": (cost * 10.0).round() / 10.0,
                    "ratio": (cost / locks[0].1 * 1000.0).round() / 1000.0,
                })
            })
            .collect();
        let locks = json!({ "unit": unit_of_locks, "rows": locks });
        println!("{}", json!({ "unit": unit, "rows": rows, "locks": locks }));
    } else {
        println!(
            "{unit}, 64-byte payload, acknowledgement included; in brackets relative to sigqueue"
        );
        println!(
            "{:<56}{}",
            "burst",
            BURSTS.map(|b| format!("{b:>16}")).concat()
        );
        for (path, costs) in &measured {
            let cells: Vec<String> = costs
                .iter()
                .zip(&base)
                .map(|(cost, base)| format!("{cost:>9.0} ({:.2})", cost / base))
                .map(|cell| format!("{cell:>16}"))
                .collect();
            println!("{path:<56}{}", cells.concat());
        }
        println!("\n{unit_of_locks}, locking and unlocking; in brackets relative to the first");
        for (name, cost) in &locks {
            println!("{name:<56}{cost:>9.1} ({:.3})", cost / locks[0].1);
        }
    }
    ExitCode::SUCCESS
}
