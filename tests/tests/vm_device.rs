// SPDX-License-Identifier: MIT OR Apache-2.0

//! The device node under bad input: every `ioctl` with every kind of wrong argument, bad addresses, wrong
//! open modes, and the edu driver behind a source.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use nix::errno::Errno;
use rtnotify_tests::harness::{Backend, PATIENCE, shared};
use rtnotify_tests::raw;
use rtnotify_tests::rig::{Rig, create_source, request, user_source};
use sigrt::client::{Access, post_head};
use sigrt::sys::{self, SignalSet};
use sigrt::{DEFAULT_PATH, Delivery, Device, abi};

fn check(name: &str, test: fn(&Backend)) {
    shared(name, &Backend::module(), test);
}

/// The device, non-blocking, for reading and writing.
fn open() -> File {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(DEFAULT_PATH)
        .unwrap()
}

/// An argument in memory that is aligned and long enough for any size field up to 8192.
struct Argument {
    words: Box<[u64; 1024]>,
}

impl Argument {
    fn new(bytes: &[u8]) -> Self {
        let mut words = Box::new([0; 1024]);
        for (word, chunk) in words.iter_mut().zip(bytes.chunks(8)) {
            let mut raw = [0; 8];
            raw[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_ne_bytes(raw);
        }
        Self { words }
    }

    fn set(&mut self, at: usize, byte: u8) {
        let mut raw = self.words[at / 8].to_ne_bytes();
        raw[at % 8] = byte;
        self.words[at / 8] = u64::from_ne_bytes(raw);
    }

    fn set_size(&mut self, size: u32) {
        for (at, byte) in size.to_ne_bytes().into_iter().enumerate() {
            self.set(at, byte);
        }
    }

    fn issue(&mut self, fd: BorrowedFd<'_>, command: u32) -> Result<(), Errno> {
        raw::ioctl(fd, command, self.words.as_mut_ptr() as u64)
    }
}

/// A command with an argument that the device takes, and what must be zero in it.
struct Command {
    name: &'static str,
    number: u32,
    good: Vec<u8>,
    /// What it says to that.
    works: Result<(), Errno>,
    /// First bytes of fields that must be zero, or of flags with an unknown bit.
    must_be_zero: &'static [usize],
}

/// Every command. `source` exists and is subscribed to, `other` exists and is not.
fn commands(source: u32, other: u32) -> Vec<Command> {
    let size = |bytes: usize| bytes as u32;
    vec![
        Command {
            name: "REGISTER",
            number: abi::IOC_REGISTER,
            works: Ok(()),
            good: request(abi::MODE_WINDOW).to_bytes().to_vec(),
            must_be_zero: &[7, 64, 72, 80, 95],
        },
        Command {
            name: "UNREGISTER",
            number: abi::IOC_UNREGISTER,
            works: Ok(()),
            good: abi::Unregister {
                size: size(abi::Unregister::BYTES),
                ..abi::Unregister::zeroed()
            }
            .to_bytes()
            .to_vec(),
            must_be_zero: &[4, 7],
        },
        Command {
            name: "SUBSCRIBE",
            number: abi::IOC_SUBSCRIBE,
            works: Ok(()),
            good: abi::Subscribe {
                size: size(abi::Subscribe::BYTES),
                source: other,
                ..abi::Subscribe::zeroed()
            }
            .to_bytes()
            .to_vec(),
            // A cookie or a filter without its flag counts as well.
            must_be_zero: &[5, 7, 16, 24, 32, 40, 42, 44, 47],
        },
        Command {
            name: "UNSUBSCRIBE",
            number: abi::IOC_UNSUBSCRIBE,
            works: Ok(()),
            good: abi::Unsubscribe {
                size: size(abi::Unsubscribe::BYTES),
                source,
                ..abi::Unsubscribe::zeroed()
            }
            .to_bytes()
            .to_vec(),
            must_be_zero: &[4, 7, 12, 15],
        },
        Command {
            name: "LIST_SOURCES",
            number: abi::IOC_LIST_SOURCES,
            works: Ok(()),
            good: abi::ListSources {
                size: size(abi::ListSources::BYTES),
                ..abi::ListSources::zeroed()
            }
            .to_bytes()
            .to_vec(),
            must_be_zero: &[4, 7, 32, 47],
        },
        Command {
            name: "CREATE_SOURCE",
            number: abi::IOC_CREATE_SOURCE,
            works: Ok(()),
            good: user_source(8).to_bytes().to_vec(),
            // A period, a count and a first expiration are for timers only.
            must_be_zero: &[4, 7, 20, 24, 32, 88, 111],
        },
        Command {
            name: "DESTROY_SOURCE",
            number: abi::IOC_DESTROY_SOURCE,
            works: Ok(()),
            good: abi::DestroySource {
                size: size(abi::DestroySource::BYTES),
                number: other,
                ..abi::DestroySource::zeroed()
            }
            .to_bytes()
            .to_vec(),
            must_be_zero: &[4, 7, 12, 15],
        },
        Command {
            name: "STATS",
            number: abi::IOC_STATS,
            works: Ok(()),
            good: abi::Stats {
                size: size(abi::Stats::BYTES),
                ..abi::Stats::zeroed()
            }
            .to_bytes()
            .to_vec(),
            must_be_zero: &[4, 7],
        },
        Command {
            name: "ADD_LANE",
            number: abi::IOC_ADD_LANE,
            works: Ok(()),
            good: abi::Lane {
                size: size(abi::Lane::BYTES),
                signo: request(0).signo + 1,
                mode: abi::MODE_WINDOW,
                policy: abi::POLICY_REJECT_NEWEST,
                queue_len: 1,
                ..abi::Lane::zeroed()
            }
            .to_bytes()
            .to_vec(),
            must_be_zero: &[4, 7, 36, 39, 40, 48, 63],
        },
        Command {
            name: "SET_MODE",
            number: abi::IOC_SET_MODE,
            works: Ok(()),
            good: abi::SetMode {
                size: size(abi::SetMode::BYTES),
                mode: abi::MODE_PER_EVENT,
                ..abi::SetMode::zeroed()
            }
            .to_bytes()
            .to_vec(),
            must_be_zero: &[4, 7, 20, 23],
        },
        Command {
            name: "ARM",
            number: abi::IOC_ARM,
            // The registration is not in coalesced mode.
            works: Err(Errno::EINVAL),
            good: abi::Arm {
                size: size(abi::Arm::BYTES),
                ..abi::Arm::zeroed()
            }
            .to_bytes()
            .to_vec(),
            must_be_zero: &[4, 7, 12, 15],
        },
        Command {
            name: "MAP_RING",
            number: abi::IOC_MAP_RING,
            works: Ok(()),
            good: abi::Ring {
                size: size(abi::Ring::BYTES),
                ..abi::Ring::zeroed()
            }
            .to_bytes()
            .to_vec(),
            must_be_zero: &[4, 7, 64, 79],
        },
        Command {
            name: "MAP_OUTBOX",
            number: abi::IOC_MAP_OUTBOX,
            works: Ok(()),
            good: abi::Outbox {
                size: size(abi::Outbox::BYTES),
                len: 1,
                ..abi::Outbox::zeroed()
            }
            .to_bytes()
            .to_vec(),
            // The last byte of a length of at most 64 MiB is zero, too.
            must_be_zero: &[4, 7, 15, 24, 39],
        },
        Command {
            name: "SET_TIMEOUTS",
            number: abi::IOC_SET_TIMEOUTS,
            works: Ok(()),
            good: abi::Timeouts {
                size: size(abi::Timeouts::BYTES),
                ..abi::Timeouts::zeroed()
            }
            .to_bytes()
            .to_vec(),
            must_be_zero: &[4, 7, 24, 39],
        },
        Command {
            name: "READ",
            number: abi::IOC_READ,
            works: Err(Errno::EAGAIN),
            good: abi::Read {
                size: size(abi::Read::BYTES),
                ..abi::Read::zeroed()
            }
            .to_bytes()
            .to_vec(),
            must_be_zero: &[4, 7, 12, 40, 47],
        },
        Command {
            name: "CALL",
            number: abi::IOC_CALL,
            works: Ok(()),
            good: {
                // The driver is asked for 5!.
                static MESSAGE: [u8; 4] = 5_u32.to_ne_bytes();
                let answer: &'static mut [u8; 8] = Box::leak(Box::new([0; 8]));
                abi::Call {
                    size: size(abi::Call::BYTES),
                    source: callee(),
                    message: MESSAGE.as_ptr() as u64,
                    message_len: 4,
                    answer: answer.as_mut_ptr() as u64,
                    answer_len: 8,
                    ..abi::Call::zeroed()
                }
                .to_bytes()
                .to_vec()
            },
            must_be_zero: &[4, 7, 14, 56, 63],
        },
        Command {
            name: "STREAM_GAP",
            number: abi::IOC_STREAM_GAP,
            works: Ok(()),
            good: abi::StreamGap {
                size: size(abi::StreamGap::BYTES),
                ..abi::StreamGap::zeroed()
            }
            .to_bytes()
            .to_vec(),
            must_be_zero: &[4, 7, 52, 56, 63],
        },
    ]
}

/// The edu driver's source, which answers calls.
fn callee() -> u32 {
    let all = Backend::module().open(Access::Read, false).sources();
    all.unwrap()
        .iter()
        .find(|info| sigrt::client::name_of(info) == "edu")
        .unwrap()
        .number
}

/// Makes `file` a reader of a stream that has a gap, which has been read.
fn lose_bytes(file: &File) {
    let fd = file.as_fd();
    let register = abi::Register {
        flags: abi::REG_STREAM,
        queue_len: 1,
        ..request(abi::MODE_WINDOW)
    };
    Argument::new(&register.to_bytes())
        .issue(fd, abi::IOC_REGISTER)
        .unwrap();
    let source = abi::CreateSource {
        flags: abi::SOURCE_STREAM,
        ..user_source(8)
    };
    let mut source = Argument::new(&source.to_bytes());
    source.issue(fd, abi::IOC_CREATE_SOURCE).unwrap();
    let number = u32::from_ne_bytes(source.words[2].to_ne_bytes()[..4].try_into().unwrap());
    let subscribe = abi::Subscribe {
        size: abi::Subscribe::BYTES as u32,
        source: number,
        ..abi::Subscribe::zeroed()
    };
    Argument::new(&subscribe.to_bytes())
        .issue(fd, abi::IOC_SUBSCRIBE)
        .unwrap();
    let mut frame = post_head(number, 0, None, 8).to_bytes().to_vec();
    frame.extend([7; 8]);
    for _ in 0..2 {
        assert_eq!(nix::unistd::write(fd, &frame), Ok(frame.len()));
    }
    let mut buffer = [0; 16];
    assert_eq!(nix::unistd::read(fd, &mut buffer), Ok(8));
    assert_eq!(nix::unistd::read(fd, &mut buffer), Err(Errno::ENOBUFS));
}

/// A fresh file in the state that `command` needs, and that command with an argument for it.
fn prepared(index: usize) -> (File, Command) {
    let file = open();
    let fd = file.as_fd();
    let create = || {
        let source = user_source(8);
        let mut argument = Argument::new(&source.to_bytes());
        argument.issue(fd, abi::IOC_CREATE_SOURCE).unwrap();
        // `number` comes first in the third word.
        u32::from_ne_bytes(argument.words[2].to_ne_bytes()[..4].try_into().unwrap())
    };
    let (source, other) = (create(), create());
    let command = commands(source, other).swap_remove(index);
    if command.number == abi::IOC_STREAM_GAP {
        lose_bytes(&file);
    } else if command.number != abi::IOC_REGISTER {
        let mut asked = request(abi::MODE_WINDOW);
        (asked.queue_len, asked.capacity) = (8, 16);
        let mut register = Argument::new(&asked.to_bytes());
        register.issue(fd, abi::IOC_REGISTER).unwrap();
        let subscribe = abi::Subscribe {
            size: abi::Subscribe::BYTES as u32,
            source,
            ..abi::Subscribe::zeroed()
        };
        let mut subscribe = Argument::new(&subscribe.to_bytes());
        subscribe.issue(fd, abi::IOC_SUBSCRIBE).unwrap();
    }
    (file, command)
}

/// The argument of `command` changed by `spoil` gives `errno`; unchanged it is then still taken.
fn expect(index: usize, what: &str, errno: Errno, spoil: impl FnOnce(&mut Argument, usize)) {
    let (file, command) = prepared(index);
    let mut argument = Argument::new(&command.good);
    spoil(&mut argument, command.good.len());
    let result = argument.issue(file.as_fd(), command.number);
    assert_eq!(result, Err(errno), "{} with {what}", command.name);
    let mut good = Argument::new(&command.good);
    let result = good.issue(file.as_fd(), command.number);
    assert_eq!(result, command.works, "{} after {what}", command.name);
}

#[test]
fn bad_ioctl_arguments_are_refused() {
    check("bad_ioctl_arguments_are_refused", |_| {
        let _mask = sys::block(&SignalSet::asynchronous());
        let count = commands(0, 0).len();
        for index in 0..count {
            expect(index, "size 0", Errno::EINVAL, |a, _| a.set_size(0));
            expect(index, "a size that is short", Errno::EINVAL, |a, len| {
                a.set_size(len as u32 - 1);
            });
            expect(index, "an absurd size", Errno::E2BIG, |a, _| {
                a.set_size(4104);
            });
            expect(index, "the largest size", Errno::E2BIG, |a, _| {
                a.set_size(u32::MAX);
            });
            expect(index, "a tail that is not zero", Errno::E2BIG, |a, len| {
                a.set_size(len as u32 + 8);
                a.set(len + 7, 1);
            });
            expect(
                index,
                "a far tail that is not zero",
                Errno::E2BIG,
                |a, _| {
                    a.set_size(4096);
                    a.set(4095, 0x80);
                },
            );
            for &at in commands(0, 0)[index].must_be_zero {
                let what = format!("byte {at} set");
                expect(index, &what, Errno::EINVAL, |a, _| a.set(at, 0x40));
            }
        }
    });
}

#[test]
fn longer_ioctl_arguments_are_taken_if_zero() {
    check("longer_ioctl_arguments_are_taken_if_zero", |_| {
        let _mask = sys::block(&SignalSet::asynchronous());
        for index in 0..commands(0, 0).len() {
            for more in [8, 100, 4096] {
                let (file, command) = prepared(index);
                let mut argument = Argument::new(&command.good);
                let size = (command.good.len() as u32 + more).min(4096);
                argument.set_size(size);
                let result = argument.issue(file.as_fd(), command.number);
                assert_eq!(result, command.works, "{} with size {size}", command.name);
            }
        }
    });
}

#[test]
fn bad_addresses_are_refused() {
    check("bad_addresses_are_refused", |_| {
        let _mask = sys::block(&SignalSet::asynchronous());
        for index in 0..commands(0, 0).len() {
            let (file, command) = prepared(index);
            for (address, errno) in [
                (0, Errno::EFAULT),
                (8, Errno::EFAULT),
                (0x7fff_ffff_f000, Errno::EFAULT),
                (0xffff_ffff_8100_0000, Errno::EFAULT),
                (u64::MAX - 7, Errno::EFAULT),
                (1, Errno::EINVAL),
                (u64::MAX, Errno::EINVAL),
            ] {
                let result = raw::ioctl(file.as_fd(), command.number, address);
                assert_eq!(result, Err(errno), "{} at {address:#x}", command.name);
            }
            let mut argument = Argument::new(&command.good);
            let base = argument.words.as_mut_ptr() as u64;
            for off in 1..8 {
                let result = raw::ioctl(file.as_fd(), command.number, base + off);
                assert_eq!(result, Err(Errno::EINVAL), "{} + {off}", command.name);
            }
            let result = argument.issue(file.as_fd(), command.number);
            assert_eq!(result, command.works, "{} after all that", command.name);
        }
        // A list that cannot be written.
        let file = open();
        let mut list = Argument::new(
            &abi::ListSources {
                size: abi::ListSources::BYTES as u32,
                capacity: u32::MAX,
                entries: 8,
                ..abi::ListSources::zeroed()
            }
            .to_bytes(),
        );
        let source = user_source(0);
        let mut create = Argument::new(&source.to_bytes());
        create.issue(file.as_fd(), abi::IOC_CREATE_SOURCE).unwrap();
        let result = list.issue(file.as_fd(), abi::IOC_LIST_SOURCES);
        assert_eq!(result, Err(Errno::EFAULT));
    });
}

#[test]
fn unknown_ioctls_are_enotty() {
    check("unknown_ioctls_are_enotty", |_| {
        let file = open();
        let mut argument = Argument::new(&[0; 8]);
        let known = abi::IOC_REGISTER;
        let wrong = [
            0,
            u32::MAX,
            libc::TCGETS as u32,
            known - 1,
            known + 100,
            known + 0xff,
            // Another type, direction or size.
            known ^ 0x100,
            known ^ (1 << 30),
            known ^ (1 << 31),
            known | 96 << 16,
        ];
        for command in wrong {
            let result = argument.issue(file.as_fd(), command);
            assert_eq!(result, Err(Errno::ENOTTY), "{command:#x}");
        }
    });
}

#[test]
fn bad_buffers_consume_nothing() {
    check("bad_buffers_consume_nothing", |backend| {
        let mut rig = Rig::window(backend);
        rig.post(&[1; 100]);
        rig.post(&[2; 5000]);
        let fd = rig.subscriber.fd().unwrap();
        for address in [0, 8, 0xffff_ffff_8100_0000] {
            assert_eq!(raw::read(fd, address, 8192), Err(Errno::EFAULT));
            let handle = rig.ring().value as i64;
            assert_eq!(raw::pread(fd, address, 64, handle), Err(Errno::EFAULT));
            // The handle stays valid; ask for another doorbell by posting.
            rig.post(&[3; 100]);
        }
        assert_eq!(raw::pread(fd, 0, 0, -1), Err(Errno::EINVAL));
        let stats = rig.stats();
        assert_eq!((stats.consumed, stats.queued), (0, 5));
        rig.settle();

        let fd = rig.producer.fd().unwrap();
        assert_eq!(raw::write(fd, 0, 64), Err(Errno::EFAULT));
        assert_eq!(raw::write(fd, 8, 64), Err(Errno::EFAULT));
        assert_eq!(rig.stats().posted, 5);
    });
}

#[test]
fn device_does_not_seek() {
    check("device_does_not_seek", |backend| {
        let rig = Rig::window(backend);
        let fd = rig.producer.fd().unwrap();
        let frame = post_head(rig.source, 0, None, 0).to_bytes();
        assert_eq!(raw::pwrite(fd, &frame, 0), Err(Errno::ESPIPE));
        let whence = nix::unistd::Whence::SeekSet;
        assert_eq!(nix::unistd::lseek(fd, 0, whence), Err(Errno::ESPIPE));
        assert_eq!(rig.stats().posted, 0);
    });
}

#[test]
fn descriptors_are_close_on_exec() {
    check("descriptors_are_close_on_exec", |backend| {
        let client = backend.open(Access::ReadWrite, false);
        let flags = nix::fcntl::fcntl(client.fd().unwrap(), nix::fcntl::FcntlArg::F_GETFD);
        assert_eq!(flags.unwrap() & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    });
}

#[test]
fn epoll_wakes_for_events() {
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
    check("epoll_wakes_for_events", |backend| {
        let mut rig = Rig::window(backend);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        let fd = rig.subscriber.fd().unwrap();
        epoll
            .add(fd, EpollEvent::new(EpollFlags::EPOLLIN, 7))
            .unwrap();
        let mut events = [EpollEvent::empty()];
        assert_eq!(epoll.wait(&mut events, EpollTimeout::ZERO), Ok(0));
        rig.post(&[]);
        let patience = EpollTimeout::try_from(PATIENCE).unwrap();
        assert_eq!(epoll.wait(&mut events, patience), Ok(1));
        assert_eq!(events[0].data(), 7);
        rig.drain();
        assert_eq!(epoll.wait(&mut events, EpollTimeout::ZERO), Ok(0));
    });
}

/// The request for `n!`.
fn factorial_request(id: u32, n: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&id.to_ne_bytes());
    bytes[4..].copy_from_slice(&n.to_ne_bytes());
    bytes
}

fn factorial(n: u32) -> u32 {
    (1..=n).fold(1, u32::wrapping_mul)
}

/// Id, number and result of an answer.
fn answer(delivery: Delivery) -> (u32, u32, u32) {
    let event = delivery.event().unwrap();
    assert_eq!((event.kind, event.payload.len()), (1, 12));
    let word = |at: usize| u32::from_ne_bytes(event.payload[at..at + 4].try_into().unwrap());
    assert_eq!(event.value, Some(u64::from(word(8))));
    (word(0), word(4), word(8))
}

// One test, because the device's queue is shared by all.
#[test]
fn edu_answers_each_request_once() {
    check("edu_answers_each_request_once", |backend| {
        let device: Device = backend.device();
        let edu = device.source("edu").unwrap();
        let subscription = device.subscription().subscribe(&edu).start().unwrap();
        for id in 0..50_u32 {
            let n = id % 20;
            edu.post(None, &factorial_request(id, n)).unwrap();
            let got = answer(subscription.recv_timeout(PATIENCE).unwrap());
            assert_eq!(got, (id, n, factorial(n)));
        }

        // Malformed requests are the driver's to refuse, and are not answered.
        for len in [0, 1, 7, 9] {
            assert!(edu.post(None, &vec![0; len]).is_err(), "{len} bytes");
        }

        // More than the driver queues: those it took are answered, the others are the writer's again.
        let mut batch = edu.batch();
        for id in 0..1000_u32 {
            batch.push(0, None, &factorial_request(id, 12)).unwrap();
        }
        let mut taken = 0;
        let mut refused = 0;
        while taken < 1000 {
            match batch.send() {
                Ok(()) => taken = 1000,
                Err(sigrt::Error::Busy { accepted }) => {
                    taken += accepted;
                    refused += 1;
                    assert_eq!(batch.len(), 1000 - taken);
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(refused > 0, "a queue of 64 cannot hold 1000");
        for id in 0..1000 {
            let got = answer(subscription.recv_timeout(PATIENCE).unwrap());
            assert_eq!(got, (id, 12, 479_001_600));
        }
        assert!(subscription.try_recv().is_err());
        let stats = subscription.stats().unwrap();
        assert!(stats.is_balanced());
        assert_eq!((stats.consumed, stats.lost()), (1050, 0));
    });
}

#[test]
fn driver_sources_are_not_the_processes() {
    check("driver_sources_are_not_the_processes", |backend| {
        let client = backend.open(Access::ReadWrite, false);
        let all = client.sources().unwrap();
        let edu = all
            .iter()
            .find(|i| sigrt::client::name_of(i) == "edu")
            .unwrap();
        assert_eq!(edu.source_type, abi::SOURCE_DRIVER);
        assert_eq!(edu.flags & abi::SOURCE_WRITABLE, abi::SOURCE_WRITABLE);
        assert_eq!(client.destroy_source(edu.number), Err(Errno::EPERM));
        let mut same = user_source(0);
        same.name = edu.name;
        assert_eq!(client.create_source(&mut same), Err(Errno::EEXIST));
    });
}

#[test]
fn duplicated_descriptor_is_the_same_client() {
    check("duplicated_descriptor_is_the_same_client", |backend| {
        let _mask = sys::block(&SignalSet::asynchronous());
        let file = open();
        let mut register = Argument::new(&request(abi::MODE_WINDOW).to_bytes());
        register.issue(file.as_fd(), abi::IOC_REGISTER).unwrap();
        let copy = file.try_clone().unwrap();
        assert_ne!(copy.as_raw_fd(), file.as_raw_fd());
        let mut again = Argument::new(&request(abi::MODE_WINDOW).to_bytes());
        let result = again.issue(copy.as_fd(), abi::IOC_REGISTER);
        assert_eq!(result, Err(Errno::EBUSY));
        // Any close by the registering process ends the registration.
        drop(copy);
        let mut end = Argument::new(
            &abi::Unregister {
                size: abi::Unregister::BYTES as u32,
                ..abi::Unregister::zeroed()
            }
            .to_bytes(),
        );
        let result = end.issue(file.as_fd(), abi::IOC_UNREGISTER);
        assert_eq!(result, Err(Errno::ENOTCONN));
        // Sources stay until the last descriptor is gone.
        let owner = backend.open(Access::Write, false);
        let source = create_source(&owner, 0);
        let copy = nix::unistd::dup(owner.fd().unwrap()).unwrap();
        drop(owner);
        let look = || backend.open(Access::Read, false).sources().unwrap();
        assert!(look().iter().any(|i| i.number == source));
        drop(copy);
        assert!(look().iter().all(|i| i.number != source));
    });
}
