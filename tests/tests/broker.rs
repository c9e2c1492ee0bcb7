// SPDX-License-Identifier: MIT OR Apache-2.0

//! What only a broker for several processes can go through: processes that end at any moment, peers that do not keep to
//! the protocol, users that want too much.

use std::io::{self, IoSlice, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, sendmsg,
    setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use rtnotify_tests::harness::{Backend, PATIENCE, Watchdog, eventually};
use rtnotify_tests::ledger::{Ledger, payload};
use rtnotify_tests::raw;
use rtnotify_tests::rig::{Rig, create_source, request, user_source};
use rtnotify_tests::served::{Peer, Served};
use sigrt::broker::{Limits, Server};
use sigrt::client::{Access, Client};
use sigrt::{Delivery, Device, Error, Mode, PolledSubscription, Source, SourceOptions, abi, sys};

fn broker() -> Served {
    Served::start(Path::new(env!("CARGO_BIN_EXE_rtnotify-test-broker")))
}

fn limited(clients: u64, sources: u64, bytes: u64) -> Served {
    let program = Path::new(env!("CARGO_BIN_EXE_rtnotify-test-broker"));
    Served::with_limits(program, &[clients, sources, bytes])
}

fn peer(role: &str, broker: &Served, source: &str) -> Peer {
    Peer::start(
        env!("CARGO_BIN_EXE_rtnotify-test-peer"),
        role,
        broker,
        source,
    )
}

fn backend(broker: &Served) -> Backend {
    Backend::Served(broker.path().to_owned())
}

/// A device and a source of that name.
fn source(broker: &Served, name: &str) -> (Device, Source) {
    let device = Device::connect(broker.path()).unwrap();
    let source = device.create_source(SourceOptions::new(name)).unwrap();
    (device, source)
}

fn subscribers(device: &Device, name: &str) -> Option<u32> {
    let all = device.sources().unwrap();
    all.iter().find(|i| i.name == name).map(|i| i.subscribers)
}

/// A raw connection, which says what it likes. Nothing takes longer than [`PATIENCE`].
struct Stranger(OwnedFd);

/// The head of a message.
fn head(what: u32, word: u32, len: u32, a: u64, b: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [what, 7, word, len] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.extend(a.to_ne_bytes());
    bytes.extend(b.to_ne_bytes());
    bytes
}

fn hello() -> Vec<u8> {
    head(1, 3, 0, u64::from_ne_bytes(*b"rtnotify"), 1)
}

impl Stranger {
    fn connect(path: &Path) -> Self {
        let kind = SockType::SeqPacket;
        let fd = socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None).unwrap();
        connect(fd.as_raw_fd(), &UnixAddr::new(path).unwrap()).unwrap();
        let limit = TimeVal::seconds(PATIENCE.as_secs() as i64);
        setsockopt(&fd, sockopt::ReceiveTimeout, &limit).unwrap();
        setsockopt(&fd, sockopt::SendTimeout, &limit).unwrap();
        Self(fd)
    }

    /// One that has been let in.
    fn greeted(path: &Path) -> Self {
        let this = Self::connect(path);
        this.send(&hello(), &[]).unwrap();
        assert_eq!(this.reply(), Some(0));
        this
    }

    fn send(&self, bytes: &[u8], descriptors: &[i32]) -> Result<(), Errno> {
        let parts = [IoSlice::new(bytes)];
        let rights = [ControlMessage::ScmRights(descriptors)];
        let control = if descriptors.is_empty() {
            &[][..]
        } else {
            &rights
        };
        let flags = MsgFlags::MSG_NOSIGNAL;
        sendmsg::<()>(self.0.as_raw_fd(), &parts, control, flags, None).map(drop)
    }

    /// The errno of the next reply; `None`: disconnected.
    fn reply(&self) -> Option<i32> {
        let mut bytes = vec![0; 1 << 17];
        loop {
            match recv(self.0.as_raw_fd(), &mut bytes, MsgFlags::empty()) {
                Ok(0) => return None,
                Ok(len) => {
                    assert!(len >= 32);
                    return Some(i32::from_ne_bytes(*bytes[8..].first_chunk().unwrap()));
                }
                // Said once when the other end has not read all; what it said before comes after that.
                Err(Errno::EINTR | Errno::ECONNRESET) => {}
                Err(errno) => panic!("no answer: {errno}"),
            }
        }
    }

    /// Expects to be told of the violation, and then to be disconnected.
    #[track_caller]
    fn expect_expulsion(&self, what: &str) {
        assert_eq!(self.reply(), Some(libc::EPROTO), "{what}");
        assert_eq!(self.reply(), None, "{what}");
    }
}

/// A rig that works: everybody else's troubles are not its own.
#[track_caller]
fn expect_service(rig: &mut Rig) {
    rig.post(b"still there?");
    let _ = rig.ring();
    rig.settle();
}

#[test]
fn connecting_says_what_is_wrong() {
    let _watchdog = Watchdog::start("connecting_says_what_is_wrong");
    let missing = Device::connect("/no/such/socket").unwrap_err();
    assert!(matches!(missing, Error::NoBroker { .. }), "{missing}");
    let mut broker = broker();
    broker.kill();
    assert!(broker.path().exists(), "it could not clean up");
    let dead = Device::connect(broker.path()).unwrap_err();
    assert!(matches!(dead, Error::NoBroker { .. }), "{dead}");
}

#[test]
fn stale_socket_is_replaced_and_a_live_one_is_not() {
    let _watchdog = Watchdog::start("stale_socket_is_replaced_and_a_live_one_is_not");
    let mut broker = broker();
    let bind = |path: &Path| Server::bind(path, 0o600, Limits::default()).map(drop);
    let refused = bind(broker.path()).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::AddrInUse, "{refused}");
    Device::connect(broker.path()).unwrap();

    broker.kill();
    broker.restart();
    Device::connect(broker.path()).unwrap();
    broker.stop();
    assert!(!broker.path().exists(), "removed in the end");

    std::fs::write(broker.path(), "precious").unwrap();
    let refused = bind(broker.path()).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists, "{refused}");
    assert_eq!(std::fs::read(broker.path()).unwrap(), b"precious");
    std::fs::remove_file(broker.path()).unwrap();
    // One that somebody listens at who does not lock.
    let listener = std::os::unix::net::UnixListener::bind(broker.path()).unwrap();
    assert!(bind(broker.path()).is_err());
    assert!(broker.path().exists());
    drop(listener);
    bind(broker.path()).unwrap();
}

#[test]
fn vanished_broker_is_noticed_by_all() {
    let _watchdog = Watchdog::start("vanished_broker_is_noticed_by_all");
    let mut broker = broker();
    for (how, mode) in [("killed", Mode::Window), ("stopped", Mode::PerEvent)] {
        let (device, source) = source(&broker, "adc");
        let subscription = device.subscription().mode(mode).subscribe("adc").start();
        let subscription = subscription.unwrap();
        source.post(Some(1), b"before").unwrap();
        let reader = Client::connect(broker.path(), Access::ReadWrite, true).unwrap();
        let rig = Rig::window(&backend(&broker));
        thread::scope(|scope| {
            let polling = scope.spawn(|| reader.poll(None));
            let event = subscription.recv_timeout(PATIENCE).unwrap();
            assert_eq!(event.event().unwrap().payload, "before");
            if how == "killed" {
                broker.kill();
            } else {
                broker.stop();
            }
            // Whoever waits for it is told, whether in a call, for a signal or at the channel.
            assert_eq!(polling.join().unwrap(), Err(Errno::ECONNRESET), "{how}");
        });
        let _ = rig.ring();
        assert_eq!(rig.subscriber.read(&mut [0; 64]), Err(Errno::ECONNRESET));
        let ended = subscription.recv_timeout(PATIENCE);
        assert_eq!(
            ended,
            Err(crossbeam_channel::RecvTimeoutError::Disconnected)
        );
        let gone = |error: Option<Error>| matches!(error, Some(Error::BrokerGone));
        assert!(gone(subscription.failure()), "{how}");
        assert!(gone(source.post(None, b"").err()), "{how}");
        assert!(gone(device.sources().err()), "{how}");
        assert!(gone(subscription.stats().err()), "{how}");
        drop((subscription, source));
        broker.restart();
        assert!(
            gone(device.sources().err()),
            "another one knows nothing of it"
        );
        assert!(
            Device::connect(broker.path())
                .unwrap()
                .sources()
                .unwrap()
                .is_empty()
        );
    }
}

#[test]
fn polled_descriptor_tells_that_the_broker_is_gone() {
    let _watchdog = Watchdog::start("polled_descriptor_tells_that_the_broker_is_gone");
    let mut broker = broker();
    let (device, source) = source(&broker, "adc");
    let start = || device.subscription().subscribe("adc").start_polled();
    let mut polled = start().unwrap();
    let is_readable = |polled: &PolledSubscription, wait: Duration| {
        let mut fds = [PollFd::new(polled.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(wait).unwrap();
        poll(&mut fds, timeout).unwrap();
        fds[0].any().unwrap()
    };
    assert!(!is_readable(&polled, Duration::ZERO));
    for n in 0..100 {
        source.post(Some(n), b"now").unwrap();
        // It says so by the time that the post has been answered, and as often as one looks.
        assert!(is_readable(&polled, Duration::ZERO));
        assert!(is_readable(&polled, Duration::ZERO));
        let event = polled.try_recv().unwrap().unwrap().event().unwrap();
        assert_eq!(event.value, Some(n));
        assert!(polled.try_recv().unwrap().is_none());
        assert!(!is_readable(&polled, Duration::ZERO));
    }
    broker.kill();
    assert!(is_readable(&polled, PATIENCE));
    let gone = polled.try_recv();
    assert!(matches!(gone, Err(Error::BrokerGone)), "{gone:?}");
    assert!(matches!(start(), Err(Error::BrokerGone)));
}

#[test]
fn pollers_that_misbehave_hurt_nobody() {
    let _watchdog = Watchdog::start("pollers_that_misbehave_hurt_nobody");
    let broker = broker();
    let mut rig = Rig::window(&backend(&broker));
    let descriptors = format!("/proc/{}/fd", broker.pid());
    let open = || std::fs::read_dir(&descriptors).unwrap().count();
    let stranger = Stranger::greeted(broker.path());
    let before = open();
    let mut kept = Vec::new();
    // As often as it likes: the last one counts.
    for _ in 0..100 {
        stranger.send(&head(8, 0, 0, 0, 0), &[]).unwrap();
        kept.push(raw::receive_descriptor(stranger.0.as_fd()));
    }
    // What it has sent it closes a moment later.
    eventually("all but the last are closed", || open() <= before + 1);
    // One that writes into it, never reads, and closes it while it is told of things: it has no registration, which
    // is something to read.
    let end = kept.pop().unwrap();
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    while nix::sys::socket::send(end.as_raw_fd(), &[0; 4096], flags).is_ok() {}
    for _ in 0..1000 {
        stranger.send(&head(2, 0, 0, 0, 64), &[]).unwrap();
        assert_eq!(stranger.reply(), Some(libc::ENOTCONN));
    }
    drop(end);
    stranger.send(&head(2, 0, 0, 0, 64), &[]).unwrap();
    assert_eq!(stranger.reply(), Some(libc::ENOTCONN));
    expect_service(&mut rig);
    // Something behind such a request.
    stranger
        .send(&[head(8, 0, 8, 0, 0), vec![0; 8]].concat(), &[])
        .unwrap();
    stranger.expect_expulsion("a body that is not asked for");
    expect_service(&mut rig);
}

#[test]
fn killed_subscriber_leaves_the_others_right() {
    let _watchdog = Watchdog::start("killed_subscriber_leaves_the_others_right");
    let broker = broker();
    let (device, source) = source(&broker, "adc");
    let subscription = device.subscription().subscribe("adc").start().unwrap();
    let mut ledger = Ledger::default();
    for round in 0..8 {
        let mut doomed = peer("subscribe", &broker, "adc");
        assert_eq!(subscribers(&device, "adc"), Some(2));
        for n in 0..200_u64 {
            if n == 50 + 13 * round {
                doomed.kill();
            }
            source.post(Some(n), &payload(n, 100)).unwrap();
            let event = ledger.book(subscription.recv_timeout(PATIENCE).unwrap());
            assert_eq!(event.unwrap().payload, payload(n, 100));
        }
        eventually("its registration has ended", || {
            subscribers(&device, "adc") == Some(1)
        });
    }
    ledger.compare(&subscription.stats().unwrap());
}

#[test]
fn killed_producer_ends_its_source() {
    let _watchdog = Watchdog::start("killed_producer_ends_its_source");
    let broker = broker();
    let device = Device::connect(broker.path()).unwrap();
    for _ in 0..8 {
        let mut doomed = peer("produce", &broker, "adc");
        let subscription = device.subscription().subscribe("adc").start().unwrap();
        let mut ledger = Ledger::default();
        let mut last = 0;
        loop {
            let delivery = subscription.recv_timeout(PATIENCE).unwrap();
            if last == 0 {
                // It has posted before anybody subscribed.
                let Delivery::Event(first) = &delivery else {
                    panic!("{delivery:?}")
                };
                ledger.start_after(first.source, first.source_seq - 1);
            }
            let ended = matches!(delivery, Delivery::Gone(_));
            if let Some(event) = ledger.book(delivery) {
                assert_eq!(event.value, Some(event.source_seq - 1));
                assert_eq!(event.payload, "some bytes of payload");
            }
            if ended {
                break;
            }
            last += 1;
            if last == 100 {
                doomed.kill();
            }
        }
        ledger.compare(&subscription.stats().unwrap());
        assert_eq!(subscribers(&device, "adc"), None);
    }
}

#[test]
fn forked_child_keeps_nothing_alive() {
    let _watchdog = Watchdog::start("forked_child_keeps_nothing_alive");
    let broker = broker();
    let (device, _source) = source(&broker, "mine");
    let mut doomed = peer("fork", &broker, "theirs");
    let child: i32 = doomed.line().parse().unwrap();
    assert_eq!(subscribers(&device, "theirs"), Some(1));
    doomed.kill();
    eventually("what it had is gone", || {
        subscribers(&device, "theirs").is_none()
    });
    // The child was there all the time.
    raw::send_signal(child, libc::SIGKILL).unwrap();
}

#[test]
fn exec_ends_the_registration_and_kills_nobody() {
    let _watchdog = Watchdog::start("exec_ends_the_registration_and_kills_nobody");
    let broker = broker();
    let (device, source) = source(&broker, "adc");
    let mut other = peer("exec", &broker, "adc");
    assert_eq!(subscribers(&device, "adc"), Some(1));
    other.say("go");
    eventually("its registration has ended", || {
        subscribers(&device, "adc") == Some(0)
    });
    for _ in 0..100 {
        source.post(None, b"ring").unwrap();
    }
    assert!(other.is_alive());
    let command = format!("/proc/{}/cmdline", other.pid());
    assert_eq!(std::fs::read(command).unwrap(), b"sleep\x001000\0");
}

#[test]
fn violations_end_the_connection_and_hurt_nobody() {
    let _watchdog = Watchdog::start("violations_end_the_connection_and_hurt_nobody");
    let broker = broker();
    let mut rig = Rig::window(&backend(&broker));
    let before = entries(&broker, "fd");
    let null = std::fs::File::open("/dev/null").unwrap();
    let fd = null.as_raw_fd();

    let silent: &[(&str, Vec<u8>)] = &[
        ("one byte", vec![0]),
        ("half a head", hello()[..31].to_vec()),
        ("noise", payload(1, 500)),
        ("nothing but zeros", vec![0; 32]),
        (
            "a request before the hello",
            head(abi::IOC_STATS, 0, 0, 0, 0),
        ),
        ("another magic", head(1, 3, 0, 7, 1)),
        (
            "another version",
            head(1, 3, 0, u64::from_ne_bytes(*b"rtnotify"), 2),
        ),
        (
            "neither reads nor writes",
            head(1, 0, 0, u64::from_ne_bytes(*b"rtnotify"), 1),
        ),
        ("longer than any message", vec![1; 100_000]),
    ];
    for (what, bytes) in silent {
        let stranger = Stranger::connect(broker.path());
        stranger.send(bytes, &[]).unwrap();
        stranger.expect_expulsion(what);
    }
    let stranger = Stranger::connect(broker.path());
    stranger.send(&hello(), &[fd]).unwrap();
    stranger.expect_expulsion("a descriptor with the hello");

    let mut long = head(6, 0, 70_000, 0, 0);
    long.resize(32 + 70_000, 0);
    let greeted: &[(&str, Vec<u8>, &[i32])] = &[
        ("hello again", hello(), &[]),
        ("no such request", head(99, 0, 0, 0, 0), &[]),
        ("no such ioctl", head(abi::IOC_STATS + 100, 0, 0, 0, 0), &[]),
        ("a word that means nothing", head(2, 1, 0, 0, 64), &[]),
        ("less than it says", head(6, 0, 64, 0, 0), &[]),
        (
            "more than it says",
            [head(6, 0, 4, 0, 0), vec![0; 8]].concat(),
            &[],
        ),
        ("too long", long, &[]),
        (
            "a descriptor that is not asked for",
            head(abi::IOC_STATS, 0, 0, 0, 0),
            &[fd],
        ),
        ("no memfd", head(2, 0, 0, 0, 100_000), &[fd]),
        ("no memfd to write from", head(6, 0, 100_000, 0, 0), &[fd]),
        ("several", head(2, 0, 0, 0, 100_000), &[fd, fd]),
        ("many", head(2, 0, 0, 0, 100_000), &[fd; 200]),
    ];
    for (what, bytes, descriptors) in greeted {
        let stranger = Stranger::greeted(broker.path());
        stranger.send(bytes, descriptors).unwrap();
        stranger.expect_expulsion(what);
        expect_service(&mut rig);
    }
    // What they have brought is closed a moment later, and all of it.
    eventually("no descriptor is left open", || {
        entries(&broker, "fd") == before
    });
}

#[test]
fn wrong_structures_get_the_errno_of_the_module() {
    let _watchdog = Watchdog::start("wrong_structures_get_the_errno_of_the_module");
    let broker = broker();
    let stranger = Stranger::greeted(broker.path());
    let ask = |what, body: &[u8]| {
        let message = [head(what, 0, body.len() as u32, 0, 0), body.to_vec()].concat();
        stranger.send(&message, &[]).unwrap();
        stranger.reply().unwrap()
    };
    for command in 1..=17 {
        let what = abi::IOC_REGISTER - 1 + command;
        // The numbers between are not used, a ring cannot be mapped, and reading has a request of its own.
        if !matches!(command, 12..=15) {
            assert_eq!(ask(what, &[]), libc::EINVAL, "{command}: nothing");
            assert_eq!(
                ask(what, &[0xff; 3]),
                libc::EINVAL,
                "{command}: three bytes"
            );
            assert_eq!(ask(what, &[0xff; 400]), libc::EINVAL, "{command}: noise");
        }
    }
    let destroy = abi::DestroySource {
        size: abi::DestroySource::BYTES as u32,
        reserved: 1,
        ..abi::DestroySource::zeroed()
    };
    assert_eq!(
        ask(abi::IOC_DESTROY_SOURCE, &destroy.to_bytes()),
        libc::EINVAL
    );
    let list = abi::ListSources {
        size: abi::ListSources::BYTES as u32,
        capacity: u32::MAX,
        ..abi::ListSources::zeroed()
    };
    assert_eq!(ask(abi::IOC_LIST_SOURCES, &list.to_bytes()), 0);
    let list = abi::ListSources { entries: 8, ..list };
    assert_eq!(ask(abi::IOC_LIST_SOURCES, &list.to_bytes()), libc::EINVAL);
}

#[test]
fn agents_that_lie_hurt_themselves() {
    let _watchdog = Watchdog::start("agents_that_lie_hurt_themselves");
    let broker = broker();
    let mut rig = Rig::window(&backend(&broker));
    let bad: &[&[u8]] = &[
        &[0; 16],
        &[0; 3],
        &[9; 16],
        &[200, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[7; 1000],
    ];
    for answer in bad {
        let stranger = Stranger::greeted(broker.path());
        let agent = register(&stranger);
        agent.send(answer, &[]).unwrap();
        assert_eq!(agent.reply_len(), 0);
        assert_eq!(stranger.reply(), None, "{answer:?}");
        expect_service(&mut rig);
    }
    // An agent that hangs up.
    let stranger = Stranger::greeted(broker.path());
    drop(register(&stranger));
    assert_eq!(stranger.reply(), None);
    expect_service(&mut rig);
}

impl Stranger {
    fn reply_len(&self) -> usize {
        let mut bytes = [0; 64];
        match recv(self.0.as_raw_fd(), &mut bytes, MsgFlags::empty()) {
            Ok(len) => len,
            Err(Errno::ECONNRESET) => 0,
            Err(errno) => panic!("{errno}"),
        }
    }
}

/// Registers; the agent's socket.
fn register(stranger: &Stranger) -> Stranger {
    let body = request(abi::MODE_WINDOW).to_bytes();
    let message = [
        head(abi::IOC_REGISTER, 0, body.len() as u32, 0, 0),
        body.to_vec(),
    ]
    .concat();
    stranger.send(&message, &[]).unwrap();
    let agent = raw::receive_descriptor(stranger.0.as_fd());
    let limit = TimeVal::seconds(PATIENCE.as_secs() as i64);
    setsockopt(&agent, sockopt::ReceiveTimeout, &limit).unwrap();
    Stranger(agent)
}

#[test]
fn silent_connections_are_ended() {
    let _watchdog = Watchdog::start("silent_connections_are_ended");
    let broker = broker();
    let strangers: Vec<_> = (0..20).map(|_| Stranger::connect(broker.path())).collect();
    let good = Client::connect(broker.path(), Access::Read, false).unwrap();
    for stranger in &strangers {
        assert_eq!(stranger.reply(), None);
    }
    assert!(
        good.stats().is_ok(),
        "one that has said hello may be silent"
    );
}

#[test]
fn flood_without_reading_replies_hurts_nobody() {
    let _watchdog = Watchdog::start("flood_without_reading_replies_hurts_nobody");
    let broker = broker();
    let mut rig = Rig::window(&backend(&broker));
    let list = abi::ListSources {
        size: abi::ListSources::BYTES as u32,
        capacity: u32::MAX,
        ..abi::ListSources::zeroed()
    };
    // Long replies.
    let owner = Client::connect(broker.path(), Access::Write, false).unwrap();
    for _ in 0..200 {
        let _ = create_source(&owner, 0);
    }
    let body = list.to_bytes();
    let message = [
        head(abi::IOC_LIST_SOURCES, 0, body.len() as u32, 0, 0),
        body.to_vec(),
    ]
    .concat();
    let strangers: Vec<_> = (0..10).map(|_| Stranger::greeted(broker.path())).collect();
    let none = TimeVal::milliseconds(10);
    for stranger in &strangers {
        setsockopt(&stranger.0, sockopt::SendTimeout, &none).unwrap();
        while stranger.send(&message, &[]).is_ok() {}
        expect_service(&mut rig);
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", broker.pid())).unwrap();
    let resident = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    let kilobytes: u64 = resident.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kilobytes < 64 << 10, "{resident}");
    // Whoever reads at last is served.
    assert_eq!(strangers[0].reply(), Some(0));
}

#[test]
fn stopped_subscriber_delays_a_producer_once() {
    let _watchdog = Watchdog::start("stopped_subscriber_delays_a_producer_once");
    let broker = broker();
    let (device, source) = source(&broker, "adc");
    let mut slow = peer("subscribe", &broker, "adc");
    let subscription = device.subscription().subscribe("adc").start().unwrap();
    let mut ledger = Ledger::default();
    raw::send_signal(slow.pid(), libc::SIGSTOP).unwrap();
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", slow.pid())).unwrap();
        stat.rsplit_once(") ").unwrap().1.starts_with('T')
    };
    eventually("it is stopped", state);
    let start = Instant::now();
    for n in 0..100 {
        source.post(Some(n), b"tick").unwrap();
        let event = ledger.book(subscription.recv_timeout(PATIENCE).unwrap());
        assert_eq!(event.unwrap().value, Some(n));
    }
    // A second for each would be a hundred.
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    raw::send_signal(slow.pid(), libc::SIGCONT).unwrap();
    for n in 0..100 {
        let line = slow.line();
        assert!(line.contains(&format!("value: Some({n})")), "{line}");
    }
}

#[test]
fn what_a_user_holds_is_limited_and_given_back() {
    let _watchdog = Watchdog::start("what_a_user_holds_is_limited_and_given_back");
    let broker = limited(4, 3, 2 << 20);
    let open = || Client::connect(broker.path(), Access::ReadWrite, false);
    for _ in 0..3 {
        let mut clients: Vec<_> = (0..4).map(|_| open().unwrap()).collect();
        let more = open().unwrap_err();
        assert_eq!(more.raw_os_error(), Some(libc::EMFILE), "{more}");
        let more = Device::connect(broker.path()).unwrap_err();
        assert!(matches!(more, Error::Limit { .. }), "{more}");

        let sources: Vec<u32> = clients[..3].iter().map(|c| create_source(c, 0)).collect();
        let mut fourth = user_source(0);
        assert_eq!(clients[3].create_source(&mut fourth), Err(Errno::EDQUOT));
        clients[0].destroy_source(sources[0]).unwrap();
        clients[3].create_source(&mut fourth).unwrap();

        let _mask = sys::block(&sys::SignalSet::asynchronous());
        let register = |client: &Client, quota| {
            let mut asked = request(abi::MODE_WINDOW);
            (asked.quota, asked.queue_len) = (quota, 16);
            client.register(&mut asked)
        };
        register(&clients[0], 1 << 20).unwrap();
        assert_eq!(register(&clients[1], 1 << 20), Err(Errno::EDQUOT));
        register(&clients[1], 256 << 10).unwrap();
        clients[0].unregister().unwrap();
        register(&clients[2], 1 << 20).unwrap();
        // All of it goes with the last of these; the next round finds as much.
        clients.clear();
    }
    // A process that is killed gives back as well.
    let keeper = open().unwrap();
    let _source = create_source(&keeper, 0);
    for n in 0..4 {
        // Each has two clients and a source.
        let mut doomed = peer("produce", &broker, &format!("doomed-{n}"));
        doomed.kill();
        eventually("it has given back", || keeper.sources().unwrap().len() == 1);
    }
    let clients: Vec<_> = (0..3).map(|_| open().unwrap()).collect();
    assert_eq!(clients.len(), 3);
}

/// One end of a TCP connection, which is slow to close as long as the other is open: what lies in it cannot be sent.
fn lingering() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let theirs = listener.accept().unwrap().0;
    ours.set_nonblocking(true).unwrap();
    while ours.write(&[0; 4096]).is_ok() {}
    // Otherwise nobody would wait.
    ours.set_nonblocking(false).unwrap();
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 300,
    };
    setsockopt(&ours, sockopt::Linger, &linger).unwrap();
    (ours, theirs)
}

/// Does something that is not to wait for what is slow.
#[track_caller]
fn promptly<T>(what: &str, operation: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = operation();
    let took = start.elapsed();
    assert!(took < PATIENCE, "{what} took {took:?}");
    result
}

/// Stops a process until this is dropped.
struct Stopped(i32);

impl Stopped {
    fn new(pid: i32) -> Self {
        raw::send_signal(pid, libc::SIGSTOP).unwrap();
        eventually("it is stopped", || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            stat.rsplit_once(") ").unwrap().1.starts_with('T')
        });
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        raw::send_signal(self.0, libc::SIGCONT).unwrap();
    }
}

/// How many entries a directory of a process has.
fn entries(broker: &Served, directory: &str) -> usize {
    let path = format!("/proc/{}/{directory}", broker.pid());
    std::fs::read_dir(path).unwrap().count()
}

/// What passes a descriptor, and what is to be seen then.
type Passing = (Box<dyn FnOnce(i32)>, Box<dyn FnOnce()>);

/// One message with a descriptor, to a socket that `owner` has; the errnos of the replies then, before it is disconnected.
fn passing(
    to: Stranger,
    bytes: Vec<u8>,
    owner: Option<Stranger>,
    replies: &'static [i32],
) -> Passing {
    let to = Arc::new(to);
    let theirs = Arc::clone(&to);
    let pass = move |fd| theirs.send(&bytes, &[fd]).unwrap();
    let look = move || {
        let owner = owner.as_ref().unwrap_or(&to);
        for errno in replies {
            assert_eq!(owner.reply(), Some(*errno));
        }
        assert_eq!(owner.reply(), None);
    };
    (Box::new(pass), Box::new(look))
}

fn poller(stranger: &Stranger) -> Stranger {
    stranger.send(&head(8, 0, 0, 0, 0), &[]).unwrap();
    Stranger(raw::receive_descriptor(stranger.0.as_fd()))
}

/// Sends these, and a descriptor with the last.
fn behind(stranger: &Stranger, first: &[u8], fd: i32) {
    stranger.send(first, &[]).unwrap();
    stranger.send(&[], &[]).unwrap();
    stranger.send(&hello(), &[fd]).unwrap();
}

/// A way in which a peer can pass what nobody asks for.
type Passer = (&'static str, fn(&Path) -> Passing);

/// All such ways.
const PASSERS: &[Passer] = &[
    ("with the hello", |path| {
        passing(Stranger::connect(path), hello(), None, &[libc::EPROTO])
    }),
    ("with the hello, more than are taken", |path| {
        let stranger = Arc::new(Stranger::connect(path));
        let theirs = Arc::clone(&stranger);
        (
            Box::new(move |fd| theirs.send(&hello(), &[fd; 200]).unwrap()),
            Box::new(move || stranger.expect_expulsion("many")),
        )
    }),
    ("and is gone", |path| {
        let path = path.to_owned();
        let pass = move |fd| behind(&Stranger::connect(&path), &hello(), fd);
        (Box::new(pass), Box::new(|| ()))
    }),
    ("with an empty message", |path| {
        passing(Stranger::greeted(path), Vec::new(), None, &[libc::EPROTO])
    }),
    ("with a request", |path| {
        let request = head(abi::IOC_STATS, 0, 0, 0, 0);
        passing(Stranger::greeted(path), request, None, &[libc::EPROTO])
    }),
    ("in place of a memfd", |path| {
        let request = head(6, 0, 100_000, 0, 0);
        passing(Stranger::greeted(path), request, None, &[libc::EPROTO])
    }),
    ("behind the last request", |path| {
        let stranger = Arc::new(Stranger::greeted(path));
        let theirs = Arc::clone(&stranger);
        (
            Box::new(move |fd| behind(&theirs, &head(99, 0, 0, 0, 0), fd)),
            Box::new(move || stranger.expect_expulsion("behind")),
        )
    }),
    ("as an agent", |path| {
        let stranger = Stranger::greeted(path);
        passing(register(&stranger), vec![0; 16], Some(stranger), &[])
    }),
    ("as an agent that is not wanted any more", |path| {
        let stranger = Stranger::greeted(path);
        let agent = register(&stranger);
        let end = abi::Unregister {
            size: abi::Unregister::BYTES as u32,
            ..abi::Unregister::zeroed()
        };
        let body = end.to_bytes();
        let end = head(abi::IOC_UNREGISTER, 0, body.len() as u32, 0, 0);
        let stranger = Arc::new(stranger);
        let theirs = Arc::clone(&stranger);
        let pass = move |fd| {
            theirs.send(&[end, body.to_vec()].concat(), &[]).unwrap();
            agent.send(&[0; 16], &[fd]).unwrap();
        };
        // Whichever is looked at first.
        let look = move || while stranger.reply().is_some() {};
        (Box::new(pass), Box::new(look))
    }),
    ("to a poller", |path| {
        let stranger = Stranger::greeted(path);
        let poller = poller(&stranger);
        poller.send(b"one", &[]).unwrap();
        let pass = move |fd| {
            poller.send(b"two", &[fd]).unwrap();
            // It says that it is done.
            drop(stranger);
        };
        (Box::new(pass), Box::new(|| ()))
    }),
    ("to a poller that is replaced", |path| {
        let stranger = Arc::new(Stranger::greeted(path));
        let theirs = Arc::clone(&stranger);
        let former = poller(&stranger);
        let pass = move |fd| {
            former.send(b"one", &[fd]).unwrap();
            theirs.send(&head(8, 0, 0, 0, 0), &[]).unwrap();
        };
        let look = move || while stranger.reply().is_some() {};
        (Box::new(pass), Box::new(look))
    }),
];

/// Passes slow descriptors in these ways, and some by peers that are refused; the other ends.
///
/// The broker stands still until this process has closed them: so the last to do so is not this process. Being stopped
/// would end a close that waits, so all are passed at once.
fn pass_slow_ones(broker: &Served, passers: &[Passer], refused: usize) -> Vec<TcpStream> {
    let prepared: Vec<_> = passers
        .iter()
        .map(|(how, prepare)| (*how, prepare(broker.path())))
        .collect();
    let mut ends = Vec::new();
    let mut looks = Vec::new();
    let stopped = Stopped::new(broker.pid());
    for (how, (pass, look)) in prepared {
        let (ours, theirs) = lingering();
        pass(ours.as_raw_fd());
        ends.push(theirs);
        looks.push((how, look));
    }
    for _ in 0..refused {
        let (ours, theirs) = lingering();
        behind(
            &Stranger::connect(broker.path()),
            &hello(),
            ours.as_raw_fd(),
        );
        ends.push(theirs);
    }
    drop(stopped);
    for (how, look) in looks {
        promptly(how, look);
    }
    ends
}

#[test]
fn descriptors_that_are_slow_to_close_stop_nobody() {
    let _watchdog = Watchdog::start("descriptors_that_are_slow_to_close_stop_nobody");
    // Two are the rig's.
    let broker = limited(2 + PASSERS.len() as u64, 256, 512 << 20);
    let mut rig = Rig::window(&backend(&broker));
    let open = || Client::connect(broker.path(), Access::ReadWrite, false);
    let threads = entries(&broker, "task");
    let descriptors = entries(&broker, "fd");
    let given_back = |places: usize| {
        let mut clients = Vec::new();
        eventually("all places are given back", || {
            clients.extend(open());
            clients.len() == places
        });
        drop(clients);
        eventually("all is closed", || {
            entries(&broker, "task") == threads && entries(&broker, "fd") == descriptors
        });
    };
    // Each way alone, and all at once.
    for passers in PASSERS.chunks(1).chain([PASSERS]) {
        let refused = if passers.len() == 1 { 0 } else { 3 };
        let ends = pass_slow_ones(&broker, passers, refused);
        let how = passers[0].0;
        for _ in 0..10 {
            promptly(how, || expect_service(&mut rig));
        }
        eventually(&format!("one thread closes what came {how}"), || {
            entries(&broker, "task") == threads + 1
        });
        // Each keeps its place, and that is all.
        let mut clients = Vec::new();
        let more = loop {
            match promptly(how, open) {
                Ok(client) => clients.push(client),
                Err(error) => break error,
            }
        };
        assert_eq!(more.raw_os_error(), Some(libc::EMFILE), "{how}: {more}");
        assert_eq!(clients.len(), PASSERS.len() - passers.len(), "{how}");
        drop(clients);
        assert!(entries(&broker, "fd") <= descriptors + 8 * passers.len());
        // Nobody waits for the other ends any more.
        drop(ends);
        given_back(PASSERS.len());
        expect_service(&mut rig);
    }
}

#[test]
fn descriptors_that_are_slow_to_close_do_not_keep_a_broker_from_ending() {
    let _watchdog =
        Watchdog::start("descriptors_that_are_slow_to_close_do_not_keep_a_broker_from_ending");
    let mut broker = broker();
    let ends = pass_slow_ones(&broker, PASSERS, 0);
    promptly("the end", || broker.stop());
    drop(ends);
}

#[test]
fn requests_that_wait_are_limited() {
    let _watchdog = Watchdog::start("requests_that_wait_are_limited");
    let broker = broker();
    let client = Client::connect(broker.path(), Access::Read, true).unwrap();
    let client = Arc::new(client);
    let waiting: Vec<_> = (0..40)
        .map(|_| {
            let client = Arc::clone(&client);
            thread::spawn(move || client.poll(Some(Duration::from_millis(300))))
        })
        .collect();
    let results: Vec<_> = waiting.into_iter().map(|t| t.join().unwrap()).collect();
    for result in &results {
        match result {
            Ok(ready) => assert!(!ready.readable && !ready.writable),
            Err(errno) => assert_eq!(*errno, Errno::EBUSY),
        }
    }
    assert!(results.iter().filter(|r| r.is_ok()).count() >= 16);
    assert!(client.stats().is_ok());
}

#[test]
fn longest_payloads_arrive() {
    let _watchdog = Watchdog::start("longest_payloads_arrive");
    let broker = broker();
    let mut asked = request(abi::MODE_PER_EVENT);
    (asked.quota, asked.flags) = (16 << 20, abi::REG_PREAD_KEEP);
    let mut rig = Rig::new(&backend(&broker), asked);
    let mut buffer = vec![0; abi::MAX_PAYLOAD];
    for (n, len) in [abi::MAX_PAYLOAD, 65_472, 65_473, 65_536, 65_537, 1 << 20]
        .into_iter()
        .enumerate()
    {
        let bytes = payload(n as u64, len);
        rig.post(&bytes);
        let handle = rig.ring().value;
        assert_eq!(rig.subscriber.pread(&mut buffer, handle), Ok(len));
        assert!(buffer[..len] == bytes, "pread of {len} bytes");
        let mapped = rig.subscriber.map(handle, len).unwrap();
        assert!(*mapped == bytes, "mapping of {len} bytes");
        let mut frame = vec![0; abi::Record::BYTES + abi::frame_align(len)];
        let got = rig.subscriber.read(&mut frame).unwrap();
        let event = rig.ledger.book_all(&frame[..got]).remove(0);
        assert!(event.payload == bytes, "read of {len} bytes");
    }
    rig.settle();
}

#[test]
fn everything_ends_at_any_moment() {
    let _watchdog = Watchdog::start("everything_ends_at_any_moment");
    let broker = broker();
    let (device, source) = source(&broker, "steady");
    let subscription = device.subscription().subscribe("steady").start().unwrap();
    let mut ledger = Ledger::default();
    let mut peers: Vec<Peer> = Vec::new();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for n in 0..3000_u64 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if n % 60 == 0 {
            if peers.len() == 4 {
                // Killed in the middle of whatever it does.
                drop(peers.swap_remove(random as usize % 4));
            }
            let name = format!("wild-{n}");
            peers.push(if random.is_multiple_of(3) {
                peer("produce", &broker, &name)
            } else {
                peer("subscribe", &broker, "steady")
            });
        }
        source
            .post(Some(n), &payload(n, (random >> 50) as usize % 300))
            .unwrap();
        let event = ledger.book(subscription.recv_timeout(PATIENCE).unwrap());
        assert_eq!(event.unwrap().value, Some(n));
    }
    ledger.compare(&subscription.stats().unwrap());
    drop(peers);
    eventually("only what is alive is left", || {
        let all = device.sources().unwrap();
        all.len() == 1 && all[0].subscribers == 1
    });
}
