// SPDX-License-Identifier: MIT OR Apache-2.0

//! Posting from hard interrupts on every CPU against everything that a subscriber can do meanwhile.
//!
//! The module `tests/vm/hardirq` posts; what its events look like is said there, so each can be told from every
//! other and checked. A subscriber that watches all the time must find every number of every source, as an event
//! or in a gap, whatever its neighbours do.
//!
//! Every test has a process of its own, and no other runs meanwhile: the sources have fixed names.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use rtnotify_tests::guest::{Fdinfo, word};
use rtnotify_tests::harness::{Backend, PATIENCE, eventually, isolated};
use rtnotify_tests::ledger::balanced;
use rtnotify_tests::raw;
use rtnotify_tests::rig::request;
use sigrt::client::{Access, Client, name_of};
use sigrt::sys::{self, SignalSet, Taken};
use sigrt::{Delivery, Event, Stats, abi};

/// The longest payload of the module's.
const PAGE_BYTES: u64 = 4096;
/// Sources of the module's, as these tests load it.
const SOURCES: usize = 2;

fn check(name: &str, test: fn(&Backend)) {
    isolated(name, &Backend::module(), test);
}

/// `rtnotify_hardirq`, loaded until dropped.
struct Posters {
    /// Numbers of its sources.
    sources: [u32; SOURCES],
    client: Client,
    /// Its parameters.
    parameters: &'static Path,
}

impl Posters {
    fn load(backend: &Backend, parameters: &str) -> Self {
        let variable = "RTNOTIFY_HARDIRQ_KO";
        let path = std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set"));
        let file = fs::File::open(path).unwrap();
        let parameters = CString::new(format!("sources={SOURCES} {parameters}")).unwrap();
        raw::load_module_with(file.as_fd(), &parameters).unwrap();
        let client = backend.open(Access::ReadWrite, false);
        let all = client.sources().unwrap();
        let sources = std::array::from_fn(|n| {
            let name = format!("hardirq-{n}");
            let found = all.iter().find(|info| name_of(info) == name);
            found.expect("a source of the module").number
        });
        Self {
            sources,
            client,
            parameters: Path::new("/sys/module/rtnotify_hardirq/parameters"),
        }
    }

    /// Starts to post, on every CPU.
    fn start(&self) {
        fs::write(self.parameters.join("run"), "1").unwrap();
    }

    /// Waits until every CPU has posted as many as it was told to.
    fn wait(&self) {
        eventually("everything is posted", || {
            fs::read_to_string(self.parameters.join("run"))
                .unwrap()
                .trim()
                == "0"
        });
    }

    /// Stops posting; nothing is posted when this returns.
    fn stop(&self) {
        fs::write(self.parameters.join("run"), "0").unwrap();
    }

    fn info(&self, which: usize) -> abi::SourceInfo {
        let all = self.client.sources().unwrap();
        *all.iter()
            .find(|i| i.number == self.sources[which])
            .unwrap()
    }

    fn posted(&self) -> u64 {
        (0..SOURCES).map(|which| self.info(which).posted).sum()
    }

    /// Waits until `count` more events have been posted.
    fn wait_for(&self, count: u64) {
        let goal = self.posted() + count;
        eventually("posting goes on", || self.posted() >= goal);
    }

    /// Compares, after a stop, what the module says with what its sources say. Returns how many events were
    /// posted, and how many times a subscriber refused one.
    #[track_caller]
    fn settle(&self) -> (u64, u64) {
        let state = fs::read_to_string(self.parameters.join("state")).unwrap();
        let number = |key: &str| word(&state, key).unwrap().parse::<u64>().unwrap();
        assert_eq!(number("failed"), 0, "{state}");
        assert_eq!(number("outside"), 0, "not in a hard interrupt: {state}");
        let cpus = thread::available_parallelism().unwrap().get() as u64;
        assert!(cpus > 1, "nothing races on one CPU");
        assert_eq!(number("cpus"), cpus, "{state}");
        let mut total = (0, 0);
        for which in 0..SOURCES {
            let info = self.info(which);
            let posted = number(&format!("posted{which}"));
            let refused = number(&format!("refused{which}"));
            assert_eq!((info.posted, info.refused), (posted, refused), "{state}");
            total = (total.0 + posted, total.1 + refused);
        }
        total
    }

    /// Unloads the module, in the middle of whatever it does.
    fn unload(self) {
        drop(self);
    }
}

impl Drop for Posters {
    fn drop(&mut self) {
        eventually("the module is not in use", || {
            match raw::delete_module(c"rtnotify_hardirq") {
                Ok(()) => true,
                Err(Errno::EWOULDBLOCK | Errno::EBUSY) => false,
                Err(errno) => panic!("{errno}"),
            }
        });
    }
}

/// The module's table.
fn table() -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    TABLE.get_or_init(|| {
        (0..2 * PAGE_BYTES as u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect()
    })
}

/// Number and payload of an event are those of the module's `n`-th on a CPU; returns both.
#[track_caller]
fn identify(event: &Event) -> (u64, u64) {
    let number = match event.kind {
        0 => event.value.unwrap(),
        1 => u64::from_ne_bytes(event.payload[..].try_into().unwrap()),
        kind => panic!("kind {kind}"),
    };
    let (cpu, n) = (number >> 48, number & 0xffff_ffff_ffff);
    assert_eq!(event.kind == 1, n % 4 == 3, "{number:#x}");
    if event.kind == 0 {
        let from = (n * 31 + cpu * 1009) % PAGE_BYTES;
        let len = n * 397 % (PAGE_BYTES + 1);
        assert_eq!(event.payload.len() as u64, len, "{number:#x}");
        let expected = &table()[from as usize..][..len as usize];
        assert!(event.payload[..] == *expected, "{number:#x}: {event:?}");
    }
    (cpu, n)
}

/// What one subscriber has received.
#[derive(Default)]
struct Account {
    /// Last number of each source, since it was subscribed to.
    last: BTreeMap<u32, u64>,
    /// Last event of each CPU to each source.
    posts: BTreeMap<(u32, u64), u64>,
    seqs: Vec<u64>,
    events: u64,
    lost: u64,
    gaps: u64,
    gone: u64,
}

impl Account {
    /// Subscribed to all sources before anything was posted.
    fn from_start(posters: &Posters) -> Self {
        Self {
            last: posters.sources.iter().map(|source| (*source, 0)).collect(),
            ..Self::default()
        }
    }

    /// The next event of the source may have any number.
    fn subscribed_again(&mut self, source: u32) {
        self.last.remove(&source);
    }

    #[track_caller]
    fn book(&mut self, delivery: &Delivery) {
        let source = delivery.source();
        let (first, last, seq) = match delivery {
            Delivery::Event(event) => (event.source_seq, event.source_seq, event.seq),
            Delivery::Gap(gap) => (gap.first, gap.last, gap.seq),
            Delivery::Gone(gone) => (gone.last + 1, gone.last, gone.seq),
        };
        let before = self.last.insert(source, last);
        assert_eq!(first, before.map_or(first, |n| n + 1), "{delivery:?}");
        self.seqs.push(seq);
        match delivery {
            Delivery::Event(event) => {
                let (cpu, n) = identify(event);
                let before = self.posts.insert((source, cpu), n).unwrap_or(0);
                assert!(n > before, "CPU {cpu}: {n} after {before}");
                self.events += 1;
            }
            Delivery::Gap(gap) => {
                assert_eq!(u64::from(gap.count), last - first + 1, "{gap}");
                self.gaps += 1;
                self.lost += u64::from(gap.count);
            }
            Delivery::Gone(_) => self.gone += 1,
        }
    }

    /// Reads and books once, all that a small queue holds; whether nothing was queued.
    #[track_caller]
    fn read(&mut self, client: &Client) -> bool {
        let mut buffer = vec![0; 1 << 16];
        match client.read(&mut buffer) {
            Ok(got) => {
                sigrt::parse_frames(&buffer[..got]).for_each(|d| self.book(&d));
                false
            }
            Err(Errno::EAGAIN) => true,
            Err(errno) => panic!("read: {errno}"),
        }
    }

    /// Reads and books until nothing is queued.
    #[track_caller]
    fn drain(&mut self, client: &Client) {
        while !self.read(client) {}
    }

    /// Drains and compares with the counters, when nothing is posted any more.
    #[track_caller]
    fn settle(&mut self, client: &Client) {
        self.drain(client);
        let stats = client.stats().unwrap();
        balanced(&stats);
        let lost = Stats(stats).lost();
        assert_eq!(stats.consumed, self.events, "{stats:?}");
        assert_eq!((lost, stats.gaps), (self.lost, self.gaps), "{stats:?}");
        assert_eq!(stats.posted, self.events + self.lost, "{stats:?}");
        assert_eq!((stats.queued, stats.quota_used), (0, 0), "{stats:?}");
        self.seqs.sort_unstable();
        let expected = 1..=self.seqs.len() as u64;
        assert!(self.seqs.iter().copied().eq(expected), "each number once");
    }
}

/// A subscriber of all sources that is there all the time.
struct Watcher {
    client: Client,
    account: Account,
}

impl Watcher {
    fn new(backend: &Backend, posters: &Posters, mut asked: abi::Register) -> Self {
        std::mem::forget(sys::block(&SignalSet::asynchronous()));
        let client = backend.open(Access::Read, false);
        client.register(&mut asked).unwrap();
        for source in posters.sources {
            client.subscribe(source, None).unwrap();
        }
        Self {
            client,
            account: Account::from_start(posters),
        }
    }

    fn read(&mut self) {
        self.account.read(&self.client);
    }

    /// Every event that was posted is accounted for. Others may have refused some, too.
    #[track_caller]
    fn settle(&mut self, posters: &Posters) {
        self.account.settle(&self.client);
        let (posted, refused) = posters.settle();
        assert_eq!(self.account.events + self.account.lost, posted);
        assert!(self.account.lost <= refused);
        assert!(self.account.events > 0);
    }
}

/// Subscribes a client of its own to all sources.
fn subscribe(backend: &Backend, sources: &[u32], mut asked: abi::Register) -> Client {
    std::mem::forget(sys::block(&SignalSet::asynchronous()));
    let client = backend.open(Access::Read, false);
    client.register(&mut asked).unwrap();
    for source in sources {
        client.subscribe(*source, None).unwrap();
    }
    client
}

/// A small queue that overflows soon.
fn small(mode: u32) -> abi::Register {
    abi::Register {
        queue_len: 16,
        quota: 32 << 10,
        ..request(mode)
    }
}

fn modes(round: usize) -> u32 {
    [abi::MODE_PER_EVENT, abi::MODE_WINDOW, abi::MODE_COALESCED][round % 3]
}

fn take(signals: &SignalSet) -> Option<Taken> {
    sys::take_signal(signals, Some(Duration::from_millis(1))).ok()
}

/// What every CPU posts arrives, in order, with the right bytes, or is in a gap; and every refusal is one.
#[test]
fn every_post_is_accounted_for() {
    check("every_post_is_accounted_for", |backend| {
        const COUNT: u64 = 2000;
        for (asked, loses) in [
            (small(abi::MODE_PER_EVENT), true),
            (small(abi::MODE_WINDOW), true),
            (
                abi::Register {
                    queue_len: 16384,
                    quota: 64 << 20,
                    ..request(abi::MODE_COALESCED)
                },
                false,
            ),
        ] {
            let posters = Posters::load(backend, &format!("count={COUNT}"));
            let mut watcher = Watcher::new(backend, &posters, asked);
            posters.start();
            if !loses {
                // Also while it is read.
                while posters.posted() < COUNT {
                    watcher.read();
                }
            }
            posters.wait();
            watcher.settle(&posters);
            let (posted, refused) = posters.settle();
            let cpus = thread::available_parallelism().unwrap().get() as u64;
            assert_eq!(posted, COUNT * cpus);
            assert_eq!(refused, watcher.account.lost, "there is nobody else");
            assert_eq!(watcher.account.lost > 0, loses);
        }
    });
}

/// Closing and unregistering, by the registered process and under a sibling's feet.
#[test]
fn close_and_unregister() {
    check("close_and_unregister", |backend| {
        let posters = Posters::load(backend, "");
        let mut watcher = Watcher::new(backend, &posters, request(abi::MODE_WINDOW));
        posters.start();
        let sources = posters.sources;
        thread::scope(|scope| {
            for worker in 0..2 {
                scope.spawn(move || {
                    for round in worker..worker + 40 {
                        let client = subscribe(backend, &sources, small(modes(round)));
                        let mut account = Account::default();
                        if round % 4 != 0 {
                            account.read(&client);
                        }
                        if round % 2 == 0 {
                            // Nothing comes any more when this has returned.
                            client.unregister().unwrap();
                            let stats = client.stats().unwrap();
                            balanced(&stats);
                            assert_eq!((stats.queued, stats.quota_used), (0, 0));
                            assert_eq!(stats.consumed, account.events);
                            client.register(&mut small(modes(round + 1))).unwrap();
                            client.subscribe(sources[round % SOURCES], None).unwrap();
                            assert!(client.stats().unwrap().posted >= stats.posted);
                        }
                        thread::spawn(move || drop(client)).join().unwrap();
                    }
                });
            }
            for _ in 0..100 {
                watcher.read();
            }
        });
        posters.wait_for(10);
        posters.stop();
        assert_eq!(posters.info(0).subscribers, 1);
        watcher.settle(&posters);
    });
}

/// Unsubscribing from one source while the other goes on.
#[test]
fn unsubscribe_and_subscribe() {
    check("unsubscribe_and_subscribe", |backend| {
        let posters = Posters::load(backend, "");
        let mut watcher = Watcher::new(backend, &posters, request(abi::MODE_WINDOW));
        let mut other = Watcher::new(backend, &posters, small(abi::MODE_PER_EVENT));
        posters.start();
        let mut missed = false;
        for round in 0..150 {
            let source = posters.sources[round % SOURCES];
            other.client.unsubscribe(source).unwrap();
            let posted = posters.info(round % SOURCES).posted;
            other.read();
            // What it had got before stays; nothing comes now.
            let got = other.account.last.get(&source).copied().unwrap_or(0);
            assert!(got <= posted);
            other.read();
            let again = other.account.last.get(&source).copied().unwrap_or(0);
            assert_eq!(got, again);
            missed |= posters.info(round % SOURCES).posted > got;
            other.account.subscribed_again(source);
            other.client.subscribe(source, None).unwrap();
            watcher.read();
        }
        posters.stop();
        assert!(missed, "posting went on meanwhile");
        other.account.settle(&other.client);
        watcher.settle(&posters);
    });
}

/// Subscribers that are killed leave nothing behind and disturb nobody.
#[test]
fn killed_subscribers() {
    check("killed_subscribers", |backend| {
        let posters = Posters::load(backend, "");
        let mut watcher = Watcher::new(backend, &posters, request(abi::MODE_WINDOW));
        posters.start();
        for round in 0..24 {
            let shared = raw::Shared::new(1);
            let words = shared.words();
            let child = raw::fork_child(|| {
                let client = subscribe(backend, &posters.sources, small(modes(round)));
                let mut account = Account::default();
                words[0].store(1, Ordering::Release);
                loop {
                    // Some read all the time, some never.
                    if round % 2 == 0 {
                        account.read(&client);
                    } else {
                        thread::sleep(Duration::from_secs(1));
                    }
                }
            });
            eventually("the child is subscribed", || {
                words[0].load(Ordering::Acquire) == 1
            });
            posters.wait_for(round as u64 * 3);
            kill(child, Signal::SIGKILL).unwrap();
            let ended = waitpid(child, None).unwrap();
            assert_eq!(ended, WaitStatus::Signaled(child, Signal::SIGKILL, false));
            watcher.read();
        }
        eventually("the subscriptions end", || posters.info(0).subscribers == 1);
        posters.stop();
        watcher.settle(&posters);
    });
}

/// The target thread exits at any moment: the failover thread gets doorbells for what is queued and for what
/// comes.
#[test]
fn target_exits_and_failover_takes_over() {
    check("target_exits_and_failover_takes_over", |backend| {
        let posters = Posters::load(backend, "");
        let mut watcher = Watcher::new(backend, &posters, request(abi::MODE_WINDOW));
        let signals = SignalSet::of(&[request(0).signo as i32]);
        posters.start();
        for round in 0..40 {
            let (tell, told) = mpsc::channel::<(Arc<Client>, Account)>();
            let failover = sys::gettid();
            let sources = posters.sources;
            let signals = &signals;
            thread::scope(|scope| {
                scope.spawn(move || {
                    let mut asked = small(modes(round));
                    asked.failover_tid = failover;
                    let client = subscribe(backend, &sources, asked);
                    let mut account = Account::default();
                    for _ in 0..round % 5 {
                        let _ = take(signals);
                        account.read(&client);
                    }
                    tell.send((Arc::new(client), account)).unwrap();
                });
            });
            let (client, mut account) = told.recv().unwrap();
            eventually("the failover", || client.stats().unwrap().failovers == 1);
            // Each drain is due to a doorbell.
            for _ in 0..5 {
                let taken = sys::take_signal(signals, Some(PATIENCE));
                taken.unwrap_or_else(|errno| panic!("{errno}: {:?}", client.stats()));
                account.drain(&client);
            }
            for source in sources {
                client.unsubscribe(source).unwrap();
            }
            account.settle(&client);
            client.unregister().unwrap();
            while take(signals).is_some() {}
            watcher.read();
        }
        posters.stop();
        watcher.settle(&posters);
    });
}

/// Lanes are added, and modes changed, while events come into them.
#[test]
fn lanes_and_modes_change() {
    check("lanes_and_modes_change", |backend| {
        let posters = Posters::load(backend, "");
        let mut watcher = Watcher::new(backend, &posters, request(abi::MODE_WINDOW));
        posters.start();
        for round in 0..8 {
            let mut asked = small(modes(round));
            asked.capacity = 16 * abi::MAX_LANES as u32;
            let client = subscribe(backend, &posters.sources[..1], asked);
            let first = asked.signo;
            let mut account = Account::default();
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                let (client, done) = (&client, &done);
                let changer = scope.spawn(move || {
                    for n in 1..abi::MAX_LANES as u32 {
                        let mut lane = abi::Lane {
                            size: abi::Lane::BYTES as u32,
                            signo: first + n,
                            mode: modes(round + n as usize),
                            window: 1 + n,
                            queue_len: 16,
                            policy: abi::POLICY_REJECT_NEWEST,
                            ..abi::Lane::zeroed()
                        };
                        client.add_lane(&mut lane).unwrap();
                        for step in 0..6 {
                            for signo in first..=first + n {
                                let mode = modes(step + signo as usize);
                                client.set_mode(signo, mode, 1 + step as u32).unwrap();
                            }
                        }
                    }
                    done.store(true, Ordering::Release);
                });
                let mut lane = 0;
                while !done.load(Ordering::Acquire) {
                    account.read(client);
                    // The second source goes from lane to lane.
                    lane += 1;
                    let mut request = abi::Subscribe {
                        size: abi::Subscribe::BYTES as u32,
                        source: posters.sources[1],
                        signo: first + lane % abi::MAX_LANES as u32,
                        ..abi::Subscribe::zeroed()
                    };
                    match client.subscribe_with(&mut request) {
                        Ok(()) => {
                            account.read(client);
                            client.unsubscribe(posters.sources[1]).unwrap();
                            // One read takes all that was there.
                            account.read(client);
                            account.subscribed_again(posters.sources[1]);
                        }
                        Err(errno) => assert_eq!(errno, Errno::ENOENT, "no such lane yet"),
                    }
                }
                changer.join().unwrap();
            });
            client.unsubscribe(posters.sources[0]).unwrap();
            account.settle(&client);
            assert!(account.events > 0);
            watcher.read();
        }
        posters.stop();
        watcher.settle(&posters);
    });
}

/// Payloads are mapped and unmapped while others are posted into the blocks that become free.
#[test]
fn payloads_are_mapped() {
    check("payloads_are_mapped", |backend| {
        let posters = Posters::load(backend, "");
        let mut watcher = Watcher::new(backend, &posters, request(abi::MODE_WINDOW));
        let mut asked = small(abi::MODE_PER_EVENT);
        asked.flags = abi::REG_PREAD_RECORD;
        asked.signo += 1;
        let signals = SignalSet::of(&[asked.signo as i32]);
        let client = subscribe(backend, &posters.sources, asked);
        posters.start();
        let mut kept = std::collections::VecDeque::new();
        let (mut mapped, mut other) = (0_u32, 0_u32);
        let mut record = vec![0; abi::Record::BYTES];
        while mapped < 400 {
            let taken = sys::take_signal(&signals, Some(PATIENCE)).unwrap();
            if taken.code != libc::SI_QUEUE {
                continue;
            }
            match client.pread(&mut record, taken.value) {
                // A note, or an event without payload, consumed by this, or taken by a read before.
                Ok(_) | Err(Errno::ESTALE) => {}
                Err(errno) => panic!("{errno}"),
            }
            let head = abi::Record::from_bytes(record[..].try_into().unwrap());
            let large = head.handle == taken.value
                && head.kind == 0
                && head.flags & abi::RECORD_INLINE == 0
                && head.payload_len > 8;
            if !large {
                other += 1;
                continue;
            }
            let mapping = match client.map(taken.value, head.payload_len as usize) {
                Ok(mapping) => mapping,
                Err(errno) => panic!("{errno}: {head:?}"),
            };
            mapped += 1;
            kept.push_back((head, mapping));
            if kept.len() > 6 {
                // It has stayed as it was meanwhile.
                let (head, mapping) = kept.pop_front().unwrap();
                identify(&Event {
                    seq: head.seq,
                    source: head.source,
                    source_seq: head.source_seq,
                    kind: head.kind,
                    time: Duration::ZERO,
                    value: Some(head.value),
                    cookie: 0,
                    payload: mapping[..].to_vec().into(),
                });
            }
            watcher.read();
        }
        assert!(other > 0);
        drop(kept);
        for source in posters.sources {
            client.unsubscribe(source).unwrap();
        }
        posters.stop();
        // What is left, among which are holes where an event was taken by its handle.
        let mut buffer = vec![0; 1 << 16];
        let end = loop {
            match client.read(&mut buffer) {
                Ok(got) => sigrt::parse_frames(&buffer[..got])
                    .filter_map(Delivery::event)
                    .for_each(|event| {
                        identify(&event);
                    }),
                Err(errno) => break errno,
            }
        };
        assert_eq!(end, Errno::EAGAIN);
        let stats = client.stats().unwrap();
        balanced(&stats);
        assert_eq!((stats.queued, stats.quota_used), (0, 0), "{stats:?}");
        watcher.settle(&posters);
    });
}

/// The module leaves with events queued: they are delivered, and then the end of their sources.
#[test]
fn module_leaves_with_events_queued() {
    check("module_leaves_with_events_queued", |backend| {
        for round in 0..12 {
            let posters = Posters::load(backend, "");
            let mut asked = small(modes(round));
            asked.queue_len = 64;
            let mut watcher = Watcher::new(backend, &posters, asked);
            posters.start();
            posters.wait_for(20 + 20 * round as u64);
            if round % 2 == 0 {
                // Stopped first, and everything compared.
                posters.stop();
                let (posted, refused) = posters.settle();
                posters.unload();
                watcher.account.settle(&watcher.client);
                let account = &watcher.account;
                assert_eq!(account.events + account.lost, posted);
                assert_eq!(account.lost, refused);
            } else {
                posters.unload();
                watcher.account.settle(&watcher.client);
            }
            assert_eq!(watcher.account.gone, SOURCES as u64);
            assert!(watcher.account.events > 0);
            assert_eq!(watcher.client.stats().unwrap().subscriptions, 0);
        }
    });
}

/// Sources end while others subscribe, unsubscribe, read, unregister and close.
#[test]
fn sources_end_among_everything() {
    check("sources_end_among_everything", |backend| {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let over = &over;
            let workers: Vec<_> = (0..3)
                .map(|worker| {
                    scope.spawn(move || {
                        std::mem::forget(sys::block(&SignalSet::asynchronous()));
                        let (mut round, mut subscriptions, mut ends) = (worker, 0, 0);
                        while !over.load(Ordering::Acquire) {
                            round += 1;
                            let client = backend.open(Access::Read, false);
                            client.register(&mut small(modes(round))).unwrap();
                            let mut account = Account::default();
                            let sources = client.sources().unwrap();
                            for source in &sources {
                                if !name_of(source).starts_with("hardirq-") {
                                    continue;
                                }
                                match client.subscribe(source.number, None) {
                                    Ok(()) => subscriptions += 1,
                                    Err(errno) => assert_eq!(errno, Errno::ENOENT),
                                }
                                account.read(&client);
                                if round % 3 == 0 {
                                    match client.unsubscribe(source.number) {
                                        Ok(()) | Err(Errno::ENOENT) => {}
                                        Err(errno) => panic!("{errno}"),
                                    }
                                }
                            }
                            for _ in 0..round % 20 {
                                account.read(&client);
                            }
                            ends += account.gone;
                            let events = account.events;
                            client.unregister().unwrap();
                            let stats = client.stats().unwrap();
                            balanced(&stats);
                            assert_eq!(stats.consumed, events);
                            assert_eq!((stats.queued, stats.quota_used), (0, 0), "{stats:?}");
                        }
                        (subscriptions, ends)
                    })
                })
                .collect();
            for round in 0..25 {
                let posters = Posters::load(backend, "");
                posters.start();
                posters.wait_for(40);
                if round % 2 == 0 {
                    posters.stop();
                    posters.settle();
                }
                posters.unload();
            }
            over.store(true, Ordering::Release);
            let totals = workers.into_iter().map(|worker| worker.join().unwrap());
            let (subscriptions, ends) = totals.fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
            assert!(subscriptions > 0);
            assert!(ends > 0, "an end was seen");
        });
    });
}

/// What `/proc` says of a subscriber is consistent at any moment.
#[test]
fn looking_on() {
    check("looking_on", |backend| {
        let posters = Posters::load(backend, "");
        let mut watcher = Watcher::new(backend, &posters, small(abi::MODE_PER_EVENT));
        posters.start();
        let fd = watcher.client.fd().unwrap().as_raw_fd();
        for _ in 0..200 {
            balanced(&watcher.client.stats().unwrap());
            let seen = Fdinfo::of(std::process::id() as i32, fd);
            assert!(seen.number("queued") <= 16);
            assert!(seen.number("quota_used") <= 32 << 10);
            watcher.read();
        }
        posters.stop();
        watcher.settle(&posters);
    });
}
