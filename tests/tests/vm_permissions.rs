// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who may do what: the table of `docs/abi.md`, row by row.
//!
//! Open modes against every operation; the node's owner and group; user and pid namespaces; a descriptor that is
//! passed to another process; 32-bit programs. Every test runs in a process of its own.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Command, ExitCode};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::Whence;
use rtnotify_tests::guest::{DeviceGroup, Fdinfo, GROUP, USER, become_user, word};
use rtnotify_tests::harness::{Backend, isolated, unique};
use rtnotify_tests::raw;
use rtnotify_tests::rig::{Rig, create_source, request, user_source};
use sigrt::client::{Access, post_head};
use sigrt::sys::{self, SignalSet};
use sigrt::{DEFAULT_PATH, abi};

fn check(name: &str, test: fn(&Backend)) {
    isolated(name, &Backend::module(), test);
}

/// The three ways of opening, in the order of the table's columns.
const MODES: [(&str, bool, bool); 3] = [
    ("read-only", true, false),
    ("write-only", false, true),
    ("read-write", true, true),
];

fn open(readable: bool, writable: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(readable)
        .write(writable)
        .custom_flags(libc::O_NONBLOCK)
        .open(DEFAULT_PATH)
}

/// One `ioctl`; what the device writes back.
fn ioctl<const N: usize>(
    fd: BorrowedFd<'_>,
    command: u32,
    argument: [u8; N],
) -> Result<[u8; N], Errno> {
    let mut words = vec![0_u64; N / 8];
    for (word, bytes) in words.iter_mut().zip(argument.chunks(8)) {
        *word = u64::from_ne_bytes(bytes.try_into().unwrap());
    }
    raw::ioctl(fd, command, words.as_mut_ptr() as u64)?;
    let mut answer = [0; N];
    for (bytes, word) in answer.chunks_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_ne_bytes());
    }
    Ok(answer)
}

fn register(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut asked = request(abi::MODE_PER_EVENT);
    // Room for another lane.
    asked.queue_len = 16;
    asked.capacity = 64;
    ioctl(fd, abi::IOC_REGISTER, asked.to_bytes()).map(drop)
}

fn unregister(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let argument = abi::Unregister {
        size: abi::Unregister::BYTES as u32,
        ..abi::Unregister::zeroed()
    };
    ioctl(fd, abi::IOC_UNREGISTER, argument.to_bytes()).map(drop)
}

fn subscribe(fd: BorrowedFd<'_>, source: u32) -> Result<(), Errno> {
    let argument = abi::Subscribe {
        size: abi::Subscribe::BYTES as u32,
        source,
        ..abi::Subscribe::zeroed()
    };
    ioctl(fd, abi::IOC_SUBSCRIBE, argument.to_bytes()).map(drop)
}

fn unsubscribe(fd: BorrowedFd<'_>, source: u32) -> Result<(), Errno> {
    let argument = abi::Unsubscribe {
        size: abi::Unsubscribe::BYTES as u32,
        source,
        ..abi::Unsubscribe::zeroed()
    };
    ioctl(fd, abi::IOC_UNSUBSCRIBE, argument.to_bytes()).map(drop)
}

fn add_lane(fd: BorrowedFd<'_>, _source: u32) -> Result<(), Errno> {
    let argument = abi::Lane {
        size: abi::Lane::BYTES as u32,
        signo: request(0).signo + 1,
        mode: abi::MODE_WINDOW,
        queue_len: 16,
        policy: abi::POLICY_REJECT_NEWEST,
        ..abi::Lane::zeroed()
    };
    ioctl(fd, abi::IOC_ADD_LANE, argument.to_bytes()).map(drop)
}

fn set_mode(fd: BorrowedFd<'_>, _source: u32) -> Result<(), Errno> {
    let argument = abi::SetMode {
        size: abi::SetMode::BYTES as u32,
        mode: abi::MODE_COALESCED,
        ..abi::SetMode::zeroed()
    };
    ioctl(fd, abi::IOC_SET_MODE, argument.to_bytes()).map(drop)
}

fn arm(fd: BorrowedFd<'_>, source: u32) -> Result<(), Errno> {
    set_mode(fd, source)?;
    let argument = abi::Arm {
        size: abi::Arm::BYTES as u32,
        ..abi::Arm::zeroed()
    };
    ioctl(fd, abi::IOC_ARM, argument.to_bytes()).map(drop)
}

fn read_lane(fd: BorrowedFd<'_>, _source: u32) -> Result<(), Errno> {
    let mut bytes = [0_u8; 256];
    let argument = abi::Read {
        size: abi::Read::BYTES as u32,
        buffer: bytes.as_mut_ptr() as u64,
        len: bytes.len() as u64,
        ..abi::Read::zeroed()
    };
    ioctl(fd, abi::IOC_READ, argument.to_bytes()).map(drop)
}

fn list(fd: BorrowedFd<'_>, _source: u32) -> Result<(), Errno> {
    let argument = abi::ListSources {
        size: abi::ListSources::BYTES as u32,
        ..abi::ListSources::zeroed()
    };
    ioctl(fd, abi::IOC_LIST_SOURCES, argument.to_bytes()).map(drop)
}

fn create(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    let made = ioctl(fd, abi::IOC_CREATE_SOURCE, user_source(64).to_bytes())?;
    Ok(abi::CreateSource::from_bytes(&made).number)
}

fn destroy(fd: BorrowedFd<'_>, number: u32) -> Result<(), Errno> {
    let argument = abi::DestroySource {
        size: abi::DestroySource::BYTES as u32,
        number,
        ..abi::DestroySource::zeroed()
    };
    ioctl(fd, abi::IOC_DESTROY_SOURCE, argument.to_bytes()).map(drop)
}

fn stats(fd: BorrowedFd<'_>) -> Result<abi::Stats, Errno> {
    let argument = abi::Stats {
        size: abi::Stats::BYTES as u32,
        ..abi::Stats::zeroed()
    };
    let answer = ioctl(fd, abi::IOC_STATS, argument.to_bytes())?;
    Ok(abi::Stats::from_bytes(&answer))
}

fn read(fd: BorrowedFd<'_>) -> Result<usize, Errno> {
    nix::unistd::read(fd, &mut [0; 4096])
}

/// A handle that may be one, and names nothing.
const STALE: i64 = 5 << 21;

fn pread(fd: BorrowedFd<'_>, handle: i64) -> Result<usize, Errno> {
    let mut bytes = [0_u8; 256];
    raw::pread(fd, bytes.as_mut_ptr() as u64, bytes.len(), handle)
}

fn write(fd: BorrowedFd<'_>, source: u32) -> Result<(), Errno> {
    nix::unistd::write(fd, &post_head(source, 0, None, 0).to_bytes()).map(drop)
}

fn poll_now(fd: BorrowedFd<'_>) -> PollFlags {
    let asked = PollFlags::POLLIN | PollFlags::POLLOUT;
    let mut fds = [PollFd::new(fd, asked)];
    poll(&mut fds, PollTimeout::ZERO).unwrap();
    fds[0].revents().unwrap()
}

/// An operation on a file, given somebody else's source.
type Operation = fn(BorrowedFd<'_>, u32) -> Result<(), Errno>;

/// What each operation gives, by open mode.
type Row = (&'static str, Operation, [Result<(), Errno>; 3]);

/// Tries every row on a file of its own, prepared by `prepare`.
fn try_rows(backend: &Backend, rows: &[Row], columns: &[usize], prepare: fn(BorrowedFd<'_>, u32)) {
    let _mask = sys::block(&SignalSet::asynchronous());
    let owner = backend.open(Access::Write, false);
    let source = create_source(&owner, 64);
    for (name, operation, expected) in rows {
        for &column in columns {
            let (mode, readable, writable) = MODES[column];
            let file = open(readable, writable).unwrap();
            prepare(file.as_fd(), source);
            let result = operation(file.as_fd(), source);
            assert_eq!(result, expected[column], "{name} of a file opened {mode}");
        }
    }
}

const FINE: [Result<(), Errno>; 3] = [Ok(()); 3];

fn all(errno: Errno) -> [Result<(), Errno>; 3] {
    [Err(errno); 3]
}

#[test]
fn fresh_file_by_open_mode() {
    check("fresh_file_by_open_mode", |backend| {
        let not_open = Err(Errno::EBADF);
        let unregistered = Err(Errno::ENOTCONN);
        let rows: [Row; 18] = [
            ("REGISTER", |fd, _| register(fd), [Ok(()), not_open, Ok(())]),
            ("UNREGISTER", |fd, _| unregister(fd), all(Errno::ENOTCONN)),
            ("SUBSCRIBE", subscribe, all(Errno::ENOTCONN)),
            ("UNSUBSCRIBE", unsubscribe, all(Errno::ENOTCONN)),
            ("ADD_LANE", add_lane, [unregistered, not_open, unregistered]),
            ("SET_MODE", set_mode, all(Errno::ENOTCONN)),
            ("ARM", arm, all(Errno::ENOTCONN)),
            ("READ", read_lane, [unregistered, not_open, unregistered]),
            ("LIST_SOURCES", list, FINE),
            (
                "CREATE_SOURCE",
                |fd, _| create(fd).map(drop),
                [not_open, Ok(()), Ok(())],
            ),
            ("DESTROY_SOURCE, another's", destroy, all(Errno::EPERM)),
            ("STATS", |fd, _| stats(fd).map(drop), FINE),
            (
                "read",
                |fd, _| read(fd).map(drop),
                [unregistered, not_open, unregistered],
            ),
            (
                "pread",
                |fd, _| pread(fd, STALE).map(drop),
                [unregistered, not_open, unregistered],
            ),
            ("write", write, [not_open, Ok(()), Ok(())]),
            (
                "pwrite",
                |fd, _| raw::pwrite(fd, b"x", 8).map(drop),
                all(Errno::ESPIPE),
            ),
            (
                "lseek",
                |fd, _| nix::unistd::lseek(fd, 0, Whence::SeekSet).map(drop),
                all(Errno::ESPIPE),
            ),
            (
                "an unknown command",
                |fd, _| raw::ioctl(fd, abi::IOC_TYPE << 8 | 0xff, 0),
                all(Errno::ENOTTY),
            ),
        ];
        try_rows(backend, &rows, &[0, 1, 2], |_, _| {});
    });
}

#[test]
fn registered_file_by_open_mode() {
    check("registered_file_by_open_mode", |backend| {
        let nothing = Err(Errno::EAGAIN);
        let unused = Err(Errno::EBADF);
        let rows: [Row; 12] = [
            ("REGISTER again", |fd, _| register(fd), all(Errno::EBUSY)),
            ("UNREGISTER", |fd, _| unregister(fd), FINE),
            ("SUBSCRIBE again", subscribe, all(Errno::EEXIST)),
            ("UNSUBSCRIBE", unsubscribe, FINE),
            ("ADD_LANE", add_lane, FINE),
            ("SET_MODE", set_mode, FINE),
            ("ARM", arm, FINE),
            ("READ", read_lane, [nothing; 3]),
            ("read", |fd, _| read(fd).map(drop), [nothing; 3]),
            (
                "pread, stale",
                |fd, _| pread(fd, STALE).map(drop),
                all(Errno::ESTALE),
            ),
            (
                "pread, no handle",
                |fd, _| pread(fd, 0).map(drop),
                all(Errno::EINVAL),
            ),
            ("write", write, [unused, unused, Ok(())]),
        ];
        // A file that is not open for reading cannot be registered.
        try_rows(backend, &rows, &[0, 2], |fd, source| {
            register(fd).unwrap();
            subscribe(fd, source).unwrap();
        });
    });
}

#[test]
fn readiness_by_open_mode() {
    check("readiness_by_open_mode", |backend| {
        let _mask = sys::block(&SignalSet::asynchronous());
        let owner = backend.open(Access::Write, false);
        let source = create_source(&owner, 64);
        for (mode, readable, writable) in MODES {
            let file = open(readable, writable).unwrap();
            let mut expected = PollFlags::empty();
            expected.set(PollFlags::POLLOUT, writable);
            assert_eq!(poll_now(file.as_fd()), expected, "{mode}, fresh");
            if readable {
                register(file.as_fd()).unwrap();
                subscribe(file.as_fd(), source).unwrap();
                assert_eq!(poll_now(file.as_fd()), expected, "{mode}, nothing queued");
                owner.post(source, 0, None, b"event").unwrap();
                expected |= PollFlags::POLLIN;
                assert_eq!(poll_now(file.as_fd()), expected, "{mode}, an event queued");
            }
        }
    });
}

#[test]
fn mapping_by_open_mode() {
    check("mapping_by_open_mode", |_| {
        // Allowed, but there is nothing registered that could be mapped.
        let allowed = Some(Errno::ENOTCONN);
        let denied = Some(Errno::EACCES);
        for (column, (mode, readable, writable)) in MODES.into_iter().enumerate() {
            let file = open(readable, writable).unwrap();
            let map = |protection| {
                raw::map(file.as_fd(), 4096, protection, libc::MAP_SHARED, 1 << 21).err()
            };
            let read = [allowed, denied, allowed][column];
            assert_eq!(map(libc::PROT_READ), read, "{mode}, to read");
            let write = denied;
            let both = libc::PROT_READ | libc::PROT_WRITE;
            assert_eq!(map(both), write, "{mode}, to write");
        }
    });
}

fn errno_of(result: io::Result<File>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

/// Runs `act` in a child; it ends with success only if `act` does not panic.
fn in_child(act: impl FnOnce()) {
    let child = raw::fork_child(|| {
        std::mem::forget(sys::block(&SignalSet::asynchronous()));
        act();
        ExitCode::SUCCESS
    });
    raw::expect_success(child);
}

/// Registers the calling thread, posts an event, takes its signal, and reads it.
fn works() {
    let file = open(true, true).unwrap();
    let fd = file.as_fd();
    register(fd).unwrap();
    let source = create(fd).unwrap();
    subscribe(fd, source).unwrap();
    write(fd, source).unwrap();
    let signo = request(0).signo as i32;
    assert_eq!(raw::take_sender(signo), Ok((0, 0)), "si_pid and si_uid");
    assert_eq!(read(fd), Ok(abi::Record::BYTES));
}

#[test]
fn node_is_for_its_owner_and_group() {
    check("node_is_for_its_owner_and_group", |_| {
        let node = fs::metadata(DEFAULT_PATH).unwrap();
        assert!(node.file_type().is_char_device());
        assert_eq!(node.mode() & 0o7777, 0o660);
        assert_eq!(node.uid(), 0);
        let _group = DeviceGroup::give();
        for (_, readable, writable) in MODES {
            in_child(move || {
                become_user(USER, &[]);
                assert_eq!(errno_of(open(readable, writable)), Some(libc::EACCES));
            });
            in_child(move || {
                become_user(USER, &[GROUP]);
                assert_eq!(errno_of(open(readable, writable)), None);
            });
        }
        in_child(|| {
            become_user(USER, &[GROUP]);
            works();
        });
    });
}

#[test]
fn user_namespace_gives_no_access() {
    check("user_namespace_gives_no_access", |_| {
        let _group = DeviceGroup::give();
        let become_root_of_a_namespace = || {
            unshare(CloneFlags::CLONE_NEWUSER).unwrap();
            fs::write("/proc/self/uid_map", format!("0 {USER} 1")).unwrap();
            assert!(nix::unistd::geteuid().is_root());
        };
        in_child(|| {
            become_user(USER, &[]);
            become_root_of_a_namespace();
            for (_, readable, writable) in MODES {
                assert_eq!(errno_of(open(readable, writable)), Some(libc::EACCES));
            }
        });
        // The group counts, though it has no number there.
        in_child(|| {
            become_user(USER, &[GROUP]);
            become_root_of_a_namespace();
            works();
        });
    });
}

#[test]
fn pid_namespace_has_numbers_of_its_own() {
    check("pid_namespace_has_numbers_of_its_own", |_| {
        let (ready, report) = io::pipe().map(|(r, w)| (w, r)).unwrap();
        let (go, wait) = io::pipe().map(|(r, w)| (w, r)).unwrap();
        let outside = std::process::id() as i32;
        in_child(|| {
            unshare(CloneFlags::CLONE_NEWPID).unwrap();
            let inner = raw::fork_child(|| {
                assert_eq!(std::process::id(), 1);
                works();
                let file = open(true, true).unwrap();
                let with_target = |tid| {
                    let mut asked = request(abi::MODE_PER_EVENT);
                    asked.target_tid = tid;
                    ioctl(file.as_fd(), abi::IOC_REGISTER, asked.to_bytes()).map(drop)
                };
                // Its own number is 1 here. The number of a process outside means nothing.
                assert_eq!(with_target(outside), Err(Errno::ESRCH));
                with_target(1).unwrap();
                let number = file.as_raw_fd().to_ne_bytes();
                nix::unistd::write(&ready, &number).unwrap();
                nix::unistd::read(&wait, &mut [0]).unwrap();
                ExitCode::SUCCESS
            });
            let mut number = [0; 4];
            assert_eq!(nix::unistd::read(&report, &mut number), Ok(4));
            // Seen from out here, the target has the number that it has here.
            let info = Fdinfo::of(inner.as_raw(), i32::from_ne_bytes(number));
            let lane = info.one("lane");
            assert_eq!(word(lane, "target"), Some(&*inner.as_raw().to_string()));
            nix::unistd::write(&go, b"x").unwrap();
            raw::expect_success(inner);
        });
    });
}

#[test]
fn passed_descriptor_reads_but_is_not_signalled() {
    check("passed_descriptor_reads_but_is_not_signalled", |backend| {
        let owner = backend.open(Access::Write, false);
        let source = create_source(&owner, 64);
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .unwrap();
        std::mem::forget(sys::block(&SignalSet::asynchronous()));
        let signo = request(0).signo as i32;
        let child = raw::fork_child(|| {
            let file = raw::receive_descriptor(theirs.as_fd());
            let fd = file.as_fd();
            // Somebody else's registration: it can be looked at, read, and ended, but not replaced.
            assert_eq!(stats(fd).unwrap().queued, 2);
            assert_eq!(poll_now(fd), PollFlags::POLLIN | PollFlags::POLLOUT);
            assert_eq!(register(fd), Err(Errno::EBUSY));
            assert_eq!(read(fd), Ok(2 * abi::Record::BYTES));
            write(fd, source).unwrap();
            assert_eq!(raw::take_sender(signo), Err(Errno::EAGAIN), "a signal here");
            // Closing is no end of what another process has registered.
            drop(file);
            nix::unistd::write(&theirs, b"closed").unwrap();

            let file = raw::receive_descriptor(theirs.as_fd());
            let fd = file.as_fd();
            unregister(fd).unwrap();
            // Now it is this process's own.
            register(fd).unwrap();
            subscribe(fd, source).unwrap();
            write(fd, source).unwrap();
            assert_eq!(raw::take_sender(signo), Ok((0, 0)));
            nix::unistd::write(&theirs, b"registered").unwrap();
            let mut answer = [0; 16];
            assert_eq!(nix::unistd::read(&theirs, &mut answer), Ok(4));
            // The other has closed its descriptor.
            write(fd, source).unwrap();
            assert_eq!(read(fd), Ok(2 * abi::Record::BYTES));
            ExitCode::SUCCESS
        });
        let file = open(true, true).unwrap();
        let fd = file.as_fd();
        register(fd).unwrap();
        subscribe(fd, source).unwrap();
        write(fd, source).unwrap();
        write(fd, source).unwrap();
        raw::send_descriptor(ours.as_fd(), fd);
        let mut answer = [0; 16];
        assert_eq!(nix::unistd::read(&ours, &mut answer), Ok(6));
        assert_eq!(stats(fd).unwrap().state, abi::STATE_REGISTERED);
        let signals = std::iter::from_fn(|| raw::take_sender(signo).ok()).count();
        assert!(signals > 0, "no signal at the registrant");

        raw::send_descriptor(ours.as_fd(), fd);
        assert_eq!(nix::unistd::read(&ours, &mut answer), Ok(10));
        let signals = std::iter::from_fn(|| raw::take_sender(signo).ok()).count();
        assert_eq!(signals, 0, "of another process's registration");
        drop(file);
        nix::unistd::write(&ours, b"gone").unwrap();
        raw::expect_success(child);
    });
}

#[test]
fn registrant_that_closes_ends_it_for_all() {
    check("registrant_that_closes_ends_it_for_all", |backend| {
        let owner = backend.open(Access::Write, false);
        let source = create_source(&owner, 64);
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .unwrap();
        let child = raw::fork_child(|| {
            std::mem::forget(sys::block(&SignalSet::asynchronous()));
            let file = open(true, true).unwrap();
            register(file.as_fd()).unwrap();
            subscribe(file.as_fd(), source).unwrap();
            write(file.as_fd(), source).unwrap();
            raw::send_descriptor(theirs.as_fd(), file.as_fd());
            ExitCode::SUCCESS
        });
        let file = raw::receive_descriptor(ours.as_fd());
        raw::expect_success(child);
        // It was in use by a process that has exited: nothing is left but the counters.
        let left = stats(file.as_fd()).unwrap();
        assert_eq!((left.state, left.lost_discarded), (0, 1));
        assert_eq!(read(file.as_fd()), Err(Errno::ENOTCONN));
        assert_eq!(pread(file.as_fd(), STALE), Err(Errno::ENOTCONN));
    });
}

#[test]
fn program_of_32_bits_is_refused() {
    check("program_of_32_bits_is_refused", |backend| {
        let mut rig = Rig::window(backend);
        let program = std::env::temp_dir().join(unique("compat32"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("vm/compat32.c");
        let built = Command::new("gcc")
            .args(["-m32", "-nostdlib", "-static", "-ffreestanding"])
            .args([
                "-fno-pic",
                "-no-pie",
                "-fno-stack-protector",
                "-Wall",
                "-Werror",
                "-O1",
            ])
            .arg(format!("-DSOURCE={}u", rig.source))
            .arg("-o")
            .args([&program, &source])
            .status()
            .unwrap();
        assert!(built.success());
        let head = fs::read(&program).unwrap();
        assert_eq!(
            head[4], 1,
            "it must be a 32-bit program, or this test tests nothing"
        );
        let status = Command::new(&program).status().unwrap();
        assert_eq!(
            status.code(),
            Some(0),
            "the step of compat32.c that failed: {status}"
        );
        // What it wrote arrived: messages are the same for all.
        assert_eq!(rig.drain(), 1);
        rig.settle();
        fs::remove_file(&program).unwrap();
    });
}
