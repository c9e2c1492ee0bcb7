// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sources of the kernel: calls to drivers, interrupt lines, GPIO lines.
//!
//! The edu device computes factorials and interrupts. Lines are those of a simulated GPIO chip, whose levels
//! are set through sysfs; `rtnotify_lines` is loaded with them as its parameters, or finds them described by
//! the module `tests/vm/board`. So every test has a process of its own and no other runs meanwhile: the guest's
//! runner starts one test program per test.

use std::ffi::{CStr, CString};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use rtnotify_tests::harness::{Backend, PATIENCE, eventually, isolated, unique};
use rtnotify_tests::ledger::payload;
use rtnotify_tests::raw;
use rtnotify_tests::rig::{Rig, create_source, request, user_source};
use sigrt::client::{Access, Client, name_of, post_head};
use sigrt::{Event, abi, sys};

/// Kinds of calls of `rtnotify_lines`, see there.
const LINE_NOW: u16 = 0;
const LINE_NEXT: u16 = 1;

fn check(name: &str, test: fn(&Backend)) {
    isolated(name, &Backend::module(), test);
}

fn find(client: &Client, name: &str) -> abi::SourceInfo {
    let all = client.sources().unwrap();
    let found = all.iter().find(|info| name_of(info) == name);
    *found.unwrap_or_else(|| panic!("no source {name}"))
}

fn now() -> u64 {
    let clock = nix::time::ClockId::CLOCK_MONOTONIC;
    let t = nix::time::clock_gettime(clock).unwrap();
    t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64
}

/// Waits until a thread of this process sleeps.
fn wait_until_asleep(tid: &AtomicI32) {
    eventually("a thread sleeps", || {
        let tid = tid.load(Ordering::Acquire);
        let stat = fs::read_to_string(format!("/proc/self/task/{tid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|s| s.starts_with('S'))
    });
}

fn factorial(n: u32) -> u32 {
    (1..=n).fold(1, u32::wrapping_mul)
}

/// Asks the edu driver for `n!`.
fn ask(client: &Client, source: u32, n: u32, timeout: Option<Duration>) -> Result<u32, Errno> {
    let mut answer = [0; 4];
    let len = client.call(source, 0, 0, &n.to_ne_bytes(), &mut answer, timeout)?;
    assert_eq!(len, 4);
    Ok(u32::from_ne_bytes(answer))
}

/// A call comes back with the answer that the device's interrupt brought, and posts nothing.
#[test]
fn calls_are_answered() {
    check("calls_are_answered", |backend| {
        let mut rig = Rig::window(backend);
        let edu = find(&rig.producer, "edu");
        assert_eq!(edu.flags, abi::SOURCE_WRITABLE | abi::SOURCE_CALLABLE);
        rig.subscriber.subscribe(edu.number, None).unwrap();
        for n in 0..30 {
            assert_eq!(ask(&rig.producer, edu.number, n, None), Ok(factorial(n)));
            let long = Some(Duration::from_hours(1));
            assert_eq!(ask(&rig.producer, edu.number, n, long), Ok(factorial(n)));
        }
        // An answer shorter than there is room for leaves the rest alone, but for what was cleared.
        let mut answer = [0xaa; 256];
        let message = 5_u32.to_ne_bytes();
        let got = rig
            .producer
            .call(edu.number, 0, 0, &message, &mut answer, None);
        assert_eq!((got, &answer[..4]), (Ok(4), &120_u32.to_ne_bytes()[..]));
        assert_eq!(
            answer[64..],
            [0xaa; 192],
            "more than the source's longest answer"
        );
        rig.settle();
        assert_eq!(rig.ledger.events, 0);

        // One layer higher.
        let device = backend.device();
        let edu = device.source("edu").unwrap();
        let answer = edu.call(0, 0, &message, 256, Some(PATIENCE)).unwrap();
        assert_eq!(answer, 120_u32.to_ne_bytes());
        let refused = edu.call(0, 0, &message, 3, None);
        assert!(
            matches!(refused, Err(sigrt::Error::Os { .. })),
            "{refused:?}"
        );
    });
}

/// Every caller gets its own answer.
#[test]
fn concurrent_calls_are_answered_each() {
    check("concurrent_calls_are_answered_each", |backend| {
        let client = backend.open(Access::Write, false);
        let edu = find(&client, "edu").number;
        thread::scope(|scope| {
            for first in 0..8 {
                let client = &client;
                scope.spawn(move || {
                    for i in 0..100 {
                        let n = (first + i * 3) % 30;
                        assert_eq!(ask(client, edu, n, None), Ok(factorial(n)));
                    }
                });
            }
        });
    });
}

/// Wrong calls have no effect but their errno.
#[test]
fn wrong_calls_are_refused() {
    check("wrong_calls_are_refused", |backend| {
        let client = backend.open(Access::ReadWrite, false);
        let edu = find(&client, "edu").number;
        let mut answer = [0; 8];
        let mut call = |source, message: &[u8], room: usize| {
            client.call(source, 0, 0, message, &mut answer[..room], None)
        };
        assert_eq!(call(edu, &[0; 4], 3), Err(Errno::EMSGSIZE), "no room");
        assert_eq!(call(edu, &[0; 65], 8), Err(Errno::EMSGSIZE), "too long");
        assert_eq!(call(edu, &[0; 3], 8), Err(Errno::EINVAL), "the driver's");
        assert_eq!(call(u32::MAX, &[0; 4], 8), Err(Errno::ENOENT));
        let user = create_source(&client, 8);
        assert_eq!(call(user, &[0; 4], 8), Err(Errno::EOPNOTSUPP));
        let reader = backend.open(Access::Read, false);
        let refused = reader.call(edu, 0, 0, &[0; 4], &mut [0; 8], None);
        assert_eq!(refused, Err(Errno::EBADF));

        let message = 5_u32.to_ne_bytes();
        let mut answer = [0_u8; 8];
        let good = abi::Call {
            size: abi::Call::BYTES as u32,
            source: edu,
            message: message.as_ptr() as u64,
            message_len: 4,
            answer: answer.as_mut_ptr() as u64,
            answer_len: 8,
            ..abi::Call::zeroed()
        };
        let issue = |request: abi::Call| {
            let mut words = [0_u64; abi::Call::BYTES / 8];
            for (word, bytes) in words.iter_mut().zip(request.to_bytes().chunks(8)) {
                *word = u64::from_ne_bytes(bytes.try_into().unwrap());
            }
            raw::ioctl(
                client.fd().unwrap(),
                abi::IOC_CALL,
                words.as_mut_ptr() as u64,
            )
        };
        for address in [0, 8, 0x7fff_ffff_f000, 0xffff_ffff_8100_0000, u64::MAX] {
            let message = abi::Call {
                message: address,
                ..good
            };
            assert_eq!(
                issue(message),
                Err(Errno::EFAULT),
                "message at {address:#x}"
            );
            let answer = abi::Call {
                answer: address,
                ..good
            };
            assert_eq!(issue(answer), Err(Errno::EFAULT), "answer at {address:#x}");
        }
        assert_eq!(issue(good), Ok(()));
        assert_eq!(answer[..4], 120_u32.to_ne_bytes());
    });
}

/// An answer that comes too late finds nobody, and the next caller gets its own.
#[test]
fn late_answers_are_nobodys() {
    check("late_answers_are_nobodys", |backend| {
        let client = backend.open(Access::Write, false);
        let edu = find(&client, "edu").number;
        let mut late = 0;
        for n in 0..300 {
            match ask(&client, edu, n % 30, Some(Duration::from_nanos(1))) {
                Ok(result) => assert_eq!(result, factorial(n % 30)),
                Err(Errno::ETIMEDOUT) => late += 1,
                // The device still computes for those who have given up.
                Err(Errno::EAGAIN) => {}
                Err(errno) => panic!("{errno}"),
            }
        }
        assert!(late > 0, "a nanosecond is enough for the device");
        for n in 0..30 {
            eventually("there is room for a request", || {
                match ask(&client, edu, n, None) {
                    Ok(result) => {
                        assert_eq!(result, factorial(n));
                        true
                    }
                    Err(errno) => {
                        assert_eq!(errno, Errno::EAGAIN);
                        false
                    }
                }
            });
        }
    });
}

/// The file of a module that is loaded and unloaded here.
fn module_file(variable: &str) -> fs::File {
    let path = std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set"));
    fs::File::open(path).unwrap()
}

fn unload(name: &CStr) {
    eventually("a module is not in use", || {
        match raw::delete_module(name) {
            Ok(()) | Err(Errno::ENOENT) => true,
            Err(Errno::EWOULDBLOCK | Errno::EBUSY) => false,
            Err(errno) => panic!("{name:?}: {errno}"),
        }
    });
}

/// A driver that leaves takes its callers along, whatever they are doing.
#[test]
fn driver_leaves_while_it_is_called() {
    check("driver_leaves_while_it_is_called", |backend| {
        let client = backend.open(Access::Write, false);
        for _ in 0..3 {
            let edu = find(&client, "edu").number;
            let file = module_file("RTNOTIFY_EDU_KO");
            thread::scope(|scope| {
                let callers: Vec<_> = (0..4)
                    .map(|n| {
                        let client = &client;
                        scope.spawn(move || {
                            loop {
                                match ask(client, edu, n, None) {
                                    Ok(result) => assert_eq!(result, factorial(n)),
                                    Err(errno) => return errno,
                                }
                            }
                        })
                    })
                    .collect();
                unload(c"rtnotify_edu");
                for caller in callers {
                    let errno = caller.join().unwrap();
                    assert!(matches!(errno, Errno::ENODEV | Errno::ENOENT), "{errno}");
                }
            });
            raw::load_module(file.as_fd()).unwrap();
            eventually("the driver has found its device", || {
                client
                    .sources()
                    .unwrap()
                    .iter()
                    .any(|i| name_of(i) == "edu")
            });
        }
    });
}

/// `rtnotify_lines`, loaded with some parameters until dropped.
struct Lines;

impl Lines {
    fn try_load(parameters: &str) -> Result<Self, Errno> {
        unload(c"rtnotify_lines");
        let file = module_file("RTNOTIFY_LINES_KO");
        let parameters = CString::new(parameters).unwrap();
        raw::load_module_with(file.as_fd(), &parameters).map(|()| Self)
    }

    #[track_caller]
    fn load(parameters: &str) -> Self {
        Self::try_load(parameters).unwrap_or_else(|errno| panic!("{parameters}: {errno}"))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        unload(c"rtnotify_lines");
    }
}

/// A simulated GPIO chip with eight lines. It goes after the lines that use it.
struct Chip {
    config: PathBuf,
    label: String,
    lines: PathBuf,
}

impl Chip {
    fn new() -> Self {
        let configfs = PathBuf::from("/sys/kernel/config");
        if !configfs.join("gpio-sim").exists() {
            let status = Command::new("mount")
                .args(["-t", "configfs", "none"])
                .arg(&configfs)
                .status();
            assert!(status.unwrap().success(), "mounting configfs");
        }
        let label = unique("sim");
        let config = configfs.join("gpio-sim").join(&label);
        let bank = config.join("bank");
        fs::create_dir(&config).unwrap();
        fs::create_dir(&bank).unwrap();
        fs::write(bank.join("num_lines"), "8").unwrap();
        fs::write(bank.join("label"), &label).unwrap();
        fs::write(config.join("live"), "1").unwrap();
        let device = fs::read_to_string(config.join("dev_name")).unwrap();
        let chip = fs::read_to_string(bank.join("chip_name")).unwrap();
        let lines = PathBuf::from("/sys/devices/platform")
            .join(device.trim())
            .join(chip.trim());
        Self {
            config,
            label,
            lines,
        }
    }

    /// Has the line used as an input, without which it does not interrupt, and its interrupt's number.
    fn interrupt(&self, line: u32) -> (u32, OwnedFd) {
        // GPIO_V2_GET_LINE_IOCTL with a struct gpio_v2_line_request, include/uapi/linux/gpio.h.
        const GET_LINE: u32 = 0xc250_b407;
        const INPUT: u64 = 1 << 2;
        let number = {
            // It gets a number when it is first used, and keeps it.
            let _lines = Lines::load(&format!("gpio={}:{line} gpio_name=probe", self.label));
            interrupt("probe")
        };
        let mut request = [0_u64; 592 / 8];
        request[0] = line.into();
        request[288 / 8] = INPUT;
        // num_lines comes before event_buffer_size.
        request[560 / 8] = u64::from_ne_bytes(
            [1_u32, 0]
                .map(u32::to_ne_bytes)
                .concat()
                .try_into()
                .unwrap(),
        );
        let name = self.lines.file_name().unwrap();
        let chip = fs::File::open(PathBuf::from("/dev").join(name)).unwrap();
        raw::ioctl(chip.as_fd(), GET_LINE, request.as_mut_ptr() as u64).unwrap();
        let last = request[584 / 8].to_ne_bytes();
        let fd = i32::from_ne_bytes(last[4..].try_into().unwrap());
        (number, raw::own(fd))
    }

    /// Changes the level of a line, if it has another.
    fn set(&self, line: u32, level: bool) {
        let pull = self.lines.join(format!("sim_gpio{line}/pull"));
        let value = if level { "pull-up" } else { "pull-down" };
        fs::write(pull, value).unwrap();
    }
}

impl Drop for Chip {
    fn drop(&mut self) {
        fs::write(self.config.join("live"), "0").unwrap();
        fs::remove_dir(self.config.join("bank")).unwrap();
        fs::remove_dir(&self.config).unwrap();
    }
}

/// The number of the interrupt that is named `name` in `/proc/interrupts`.
fn interrupt(name: &str) -> u32 {
    let table = fs::read_to_string("/proc/interrupts").unwrap();
    let row = table.lines().find(|row| {
        let mut names = row.split([' ', ',']);
        names.any(|word| word == name)
    });
    let row = row.unwrap_or_else(|| panic!("{name} is not in\n{table}"));
    row.trim().split(':').next().unwrap().parse().unwrap()
}

/// The next event, after waiting for it.
fn next(rig: &mut Rig) -> Event {
    let mut buffer = [0; abi::Record::BYTES];
    assert!(rig.subscriber.poll(Some(PATIENCE)).unwrap().readable);
    let got = rig.subscriber.read(&mut buffer).unwrap();
    let mut events = rig.ledger.book_all(&buffer[..got]);
    assert_eq!(events.len(), 1, "an event and no gap");
    events.remove(0)
}

/// What a line answers to a call: time and value.
fn line_call(
    client: &Client,
    source: u32,
    kind: u16,
    timeout: Option<Duration>,
) -> Result<(u64, u64), Errno> {
    let mut answer = [0; 16];
    let len = client.call(source, kind, 0, &[], &mut answer, timeout)?;
    assert_eq!(len, 16);
    let word = |at: usize| u64::from_ne_bytes(answer[at..at + 8].try_into().unwrap());
    Ok((word(0), word(8)))
}

/// Each edge of a GPIO line is an event with its level and the time at which it happened.
#[test]
fn gpio_edges_arrive() {
    check("gpio_edges_arrive", |backend| {
        let chip = Chip::new();
        chip.set(3, true);
        let _lines = Lines::load(&format!("gpio={}:3,{0}:5 gpio_name=door", chip.label));
        let mut rig = Rig::window(backend);
        let door = find(&rig.producer, "door");
        assert_eq!(door.source_type, abi::SOURCE_DRIVER);
        assert_eq!(door.flags, abi::SOURCE_CALLABLE, "nothing to write to");
        let window = find(&rig.producer, &format!("{}:5", chip.label));
        for source in [door.number, window.number] {
            rig.subscriber.subscribe(source, None).unwrap();
        }
        let call = |source, kind| line_call(&rig.producer, source, kind, Some(PATIENCE));
        assert_eq!(call(door.number, LINE_NOW).unwrap().1, 1, "as it was");
        assert_eq!(call(window.number, LINE_NOW).unwrap().1, 0);

        for n in 0..300 {
            let level = n % 2 != 0;
            let before = now();
            chip.set(3, level);
            let after = now();
            let event = next(&mut rig);
            assert_eq!((event.source, event.kind), (door.number, 0));
            assert_eq!(event.value, Some(u64::from(level)));
            let time = event.time.as_nanos() as u64;
            assert!((before..=after).contains(&time), "{before} {time} {after}");
        }
        chip.set(5, true);
        let event = next(&mut rig);
        assert_eq!((event.source, event.value), (window.number, Some(1)));
        chip.set(5, true);
        assert_eq!(rig.drain(), 0, "no edge, no event");
        rig.settle();
        assert_eq!((rig.ledger.events, rig.ledger.gaps), (301, 0));
    });
}

/// Edges that nobody waits for keep their order and their levels, and none is missed in silence.
#[test]
fn gpio_bursts_are_complete() {
    check("gpio_bursts_are_complete", |backend| {
        const EDGES: u64 = 500;
        let chip = Chip::new();
        let _lines = Lines::load(&format!("gpio={}:0 gpio_name=burst", chip.label));
        let mut rig = Rig::window(backend);
        let burst = find(&rig.producer, "burst").number;
        rig.subscriber.subscribe(burst, None).unwrap();
        for n in 1..=EDGES {
            chip.set(0, n % 2 != 0);
        }
        let mut last = 0;
        for n in 1..=EDGES {
            let event = next(&mut rig);
            assert_eq!((event.kind, event.value), (0, Some(n % 2)), "edge {n}");
            let time = event.time.as_nanos() as u64;
            assert!(time >= last, "time goes forward");
            last = time;
        }
        // What one more edge brings is that edge, so there was nothing else.
        chip.set(0, true);
        assert_eq!(next(&mut rig).value, Some(1));
        rig.settle();
        assert_eq!((rig.ledger.events, rig.ledger.gaps), (EDGES + 1, 0));
    });
}

/// A call can wait for the next edge: all that wait get it, and each can give up in its own way.
#[test]
fn calls_wait_for_an_edge() {
    check("calls_wait_for_an_edge", |backend| {
        let chip = Chip::new();
        let lines = Lines::load(&format!("gpio={}:1 gpio_name=edge", chip.label));
        let client = backend.open(Access::Write, false);
        let edge = find(&client, "edge").number;

        // Time.
        for ms in [1, 30] {
            let timeout = Duration::from_millis(ms);
            let started = Instant::now();
            let result = line_call(&client, edge, LINE_NEXT, Some(timeout));
            assert_eq!(result, Err(Errno::ETIMEDOUT));
            assert!(started.elapsed() >= timeout, "{:?}", started.elapsed());
        }
        let wrong = client.call(edge, 2, 0, &[], &mut [0; 16], None);
        assert_eq!(wrong, Err(Errno::EINVAL), "the driver's");
        let small = client.call(edge, LINE_NEXT, 0, &[], &mut [0; 15], None);
        assert_eq!(small, Err(Errno::EMSGSIZE));

        // Everybody.
        let tids: [AtomicI32; 8] = Default::default();
        thread::scope(|scope| {
            let waiting: Vec<_> = tids
                .iter()
                .map(|tid| {
                    let client = &client;
                    scope.spawn(move || {
                        tid.store(sys::gettid(), Ordering::Release);
                        line_call(client, edge, LINE_NEXT, None)
                    })
                })
                .collect();
            tids.iter().for_each(wait_until_asleep);
            let before = now();
            chip.set(1, true);
            let answers: Vec<_> = waiting
                .into_iter()
                .map(|thread| thread.join().unwrap().unwrap())
                .collect();
            assert!(answers.iter().all(|a| *a == answers[0]), "{answers:?}");
            assert!(answers[0].0 >= before && answers[0].1 == 1);
        });

        // A signal.
        raw::handle(libc::SIGUSR1);
        let (tid, done) = (AtomicI32::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                tid.store(sys::gettid(), Ordering::Release);
                let result = line_call(&client, edge, LINE_NEXT, None);
                done.store(true, Ordering::Release);
                result
            });
            wait_until_asleep(&tid);
            raw::signal_thread(tid.load(Ordering::Acquire), libc::SIGUSR1);
            // It is not started again, although the C library asks for that.
            eventually("the call ends", || done.load(Ordering::Acquire));
            assert_eq!(waiting.join().unwrap(), Err(Errno::EINTR));
        });

        // The driver.
        let tid = AtomicI32::new(0);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                tid.store(sys::gettid(), Ordering::Release);
                line_call(&client, edge, LINE_NEXT, None)
            });
            wait_until_asleep(&tid);
            drop(lines);
            assert_eq!(waiting.join().unwrap(), Err(Errno::ENODEV));
        });
        assert_eq!(line_call(&client, edge, LINE_NOW, None), Err(Errno::ENOENT));
    });
}

/// So many calls of one source can wait and no more.
#[test]
fn waiting_calls_are_limited() {
    check("waiting_calls_are_limited", |backend| {
        const CALLS: usize = 64;
        let chip = Chip::new();
        let _lines = Lines::load(&format!("gpio={}:1 gpio_name=many", chip.label));
        let client = backend.open(Access::Write, false);
        let many = find(&client, "many").number;
        let tids: Vec<AtomicI32> = (0..CALLS).map(|_| AtomicI32::new(0)).collect();
        thread::scope(|scope| {
            let waiting: Vec<_> = tids
                .iter()
                .map(|tid| {
                    let client = &client;
                    scope.spawn(move || {
                        tid.store(sys::gettid(), Ordering::Release);
                        line_call(client, many, LINE_NEXT, None)
                    })
                })
                .collect();
            tids.iter().for_each(wait_until_asleep);
            let refused = line_call(&client, many, LINE_NOW, None);
            assert_eq!(refused, Err(Errno::EAGAIN));
            chip.set(1, true);
            for thread in waiting {
                assert_eq!(thread.join().unwrap().unwrap().1, 1);
            }
        });
        assert_eq!(line_call(&client, many, LINE_NOW, None).unwrap().1, 1);
    });
}

/// An interrupt line counts its interrupts, and posts each.
#[test]
fn interrupt_lines_count() {
    check("interrupt_lines_count", |backend| {
        let chip = Chip::new();
        let (number, _input) = chip.interrupt(2);
        let _lines = Lines::load(&format!("irq={number} irq_trigger=1"));
        let mut rig = Rig::window(backend);
        let source = find(&rig.producer, &format!("irq{number}")).number;
        rig.subscriber.subscribe(source, None).unwrap();
        for n in 1..=100 {
            let before = now();
            chip.set(2, true);
            let after = now();
            let event = next(&mut rig);
            assert_eq!((event.kind, event.value), (0, Some(n)));
            let time = event.time.as_nanos() as u64;
            assert!((before..=after).contains(&time), "{before} {time} {after}");
            chip.set(2, false);
            let (_, count) = line_call(&rig.producer, source, LINE_NOW, None).unwrap();
            assert_eq!(count, n, "falling edges were not asked for");
        }
        rig.settle();
        assert_eq!((rig.ledger.events, rig.ledger.gaps), (100, 0));
    });
}

/// A masked line is silent until it is acknowledged.
#[test]
fn interrupt_lines_wait_for_an_acknowledgement() {
    check("interrupt_lines_wait_for_an_acknowledgement", |backend| {
        let chip = Chip::new();
        let (number, _input) = chip.interrupt(2);
        let parameters = format!("irq={number} irq_name=masked irq_trigger=3 irq_mask=1");
        let _lines = Lines::load(&parameters);
        let mut rig = Rig::window(backend);
        let masked = find(&rig.producer, "masked");
        assert_eq!(masked.flags, abi::SOURCE_WRITABLE | abi::SOURCE_CALLABLE);
        let masked = masked.number;
        rig.subscriber.subscribe(masked, None).unwrap();
        let acknowledge = || rig.producer.post(masked, 0, None, &[]);
        // Nothing to acknowledge yet: that unbalances nothing.
        acknowledge().unwrap();
        acknowledge().unwrap();
        let count = || line_call(&rig.producer, masked, LINE_NOW, None).unwrap().1;
        let mut seen = 0;
        for round in 0..50 {
            chip.set(2, round % 2 == 0);
            eventually("an interrupt", || count() > seen);
            seen = count();
            // Masked: the line may do what it likes.
            for _ in 0..5 {
                chip.set(2, round % 2 != 0);
                chip.set(2, round % 2 == 0);
            }
            assert_eq!(count(), seen, "round {round}");
            acknowledge().unwrap();
            // What came meanwhile may be delivered now, once, and masks the line again.
            let after = count();
            assert!(after <= seen + 1);
            seen = after;
            acknowledge().unwrap();
            seen = count().max(seen);
            acknowledge().unwrap();
        }
        let interrupts = count();
        rig.drain();
        assert_eq!(rig.ledger.events, interrupts);
        assert!(interrupts >= 50);
    });
}

/// A line that a driver serves can be listened to: the edu device's interrupts are seen by both.
#[test]
fn shared_interrupt_lines_are_listened_to() {
    check("shared_interrupt_lines_are_listened_to", |backend| {
        let number = interrupt("rtnotify_edu");
        let busy = Lines::try_load(&format!("irq={number}"));
        assert_eq!(busy.err(), Some(Errno::EBUSY), "it is the driver's");
        let _lines = Lines::load(&format!("irq={number} irq_shared=1 irq_name=listener"));
        let mut rig = Rig::window(backend);
        let source = find(&rig.producer, "listener").number;
        rig.subscriber.subscribe(source, None).unwrap();
        let edu = find(&rig.producer, "edu").number;
        for n in 1..=50 {
            let result = ask(&rig.producer, edu, 6, None);
            assert_eq!(result, Ok(720));
            let event = next(&mut rig);
            assert_eq!(event.value, Some(n));
        }
    });
}

/// A device as a board file describes it, until dropped.
struct Board;

impl Board {
    fn load(parameters: &str) -> Self {
        let file = module_file("RTNOTIFY_BOARD_KO");
        let text = CString::new(parameters).unwrap();
        raw::load_module_with(file.as_fd(), &text)
            .unwrap_or_else(|errno| panic!("{parameters}: {errno}"));
        Self
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        unload(c"rtnotify_board");
    }
}

fn names(client: &Client) -> Vec<String> {
    client.sources().unwrap().iter().map(name_of).collect()
}

/// The lines of a device named `rtnotify-line` are sources as long as there are both the device and the driver.
#[test]
fn described_lines_are_found() {
    check("described_lines_are_found", |backend| {
        let chip = Chip::new();
        let (number, _input) = chip.interrupt(2);
        let mut rig = Rig::window(backend);

        // The driver comes first, the device has one line.
        let lines = Lines::load("");
        let board = Board::load(&format!("irq={number} trigger=1"));
        let source = find(&rig.producer, "rtnotify-line");
        assert_eq!(source.flags, abi::SOURCE_CALLABLE, "edges need no mask");
        rig.subscriber.subscribe(source.number, None).unwrap();
        for n in 1..=20 {
            let before = now();
            chip.set(2, true);
            let after = now();
            let event = next(&mut rig);
            assert_eq!((event.kind, event.value), (0, Some(n)));
            let time = event.time.as_nanos() as u64;
            assert!((before..=after).contains(&time), "{before} {time} {after}");
            chip.set(2, false);
        }
        assert_eq!(rig.drain(), 0, "falling edges are not in the description");
        drop(board);
        rig.drain();
        assert_eq!(rig.ledger.ended, 1, "the source goes with its device");
        assert!(!names(&rig.producer).contains(&"rtnotify-line".to_owned()));
        drop(lines);

        // The device comes first, and has three: interrupts are counted before GPIO lines.
        let parameters = format!(
            "id=7 irq={number} trigger=3 gpio={} line=3,5 active_low=1",
            chip.label
        );
        let _board = Board::load(&parameters);
        let lines = Lines::load("irq_mask=1");
        let name = |index: u32| format!("rtnotify-line.7:{index}");
        let sources = [0, 1, 2].map(|index| find(&rig.producer, &name(index)));
        let both = abi::SOURCE_CALLABLE | abi::SOURCE_WRITABLE;
        assert_eq!(sources[0].flags, both, "to be acknowledged");
        for source in sources {
            rig.subscriber.subscribe(source.number, None).unwrap();
        }
        for n in 1..=5 {
            chip.set(2, true);
            let event = next(&mut rig);
            let expected = (sources[0].number, Some(2 * n - 1));
            assert_eq!((event.source, event.value), expected);
            rig.producer.post(sources[0].number, 0, None, &[]).unwrap();
            chip.set(2, false);
            let event = next(&mut rig);
            assert_eq!((event.source, event.value), (expected.0, Some(2 * n)));
            rig.producer.post(sources[0].number, 0, None, &[]).unwrap();
        }
        for (source, line) in [(sources[1], 3), (sources[2], 5)] {
            for level in [true, false] {
                chip.set(line, level);
                let event = next(&mut rig);
                assert_eq!(event.source, source.number);
                // What is low is active.
                assert_eq!(event.value, Some(u64::from(!level)));
            }
        }
        rig.settle();
        drop(lines);
        rig.settle();
        assert_eq!(rig.ledger.ended, 4, "sources go with their driver");
    });
}

/// A device whose lines cannot be had makes no source and keeps nothing, and others are not affected.
#[test]
fn described_lines_that_are_taken_are_refused() {
    check("described_lines_that_are_taken_are_refused", |backend| {
        let chip = Chip::new();
        let client = backend.open(Access::Write, false);
        let _lines = Lines::load(&format!("gpio={}:3 gpio_name=door", chip.label));
        let before = names(&client);
        // The second line is taken, so the first is given back.
        for _ in 0..2 {
            let board = Board::load(&format!("gpio={} line=1,3", chip.label));
            assert_eq!(names(&client), before);
            drop(board);
        }
        let board = Board::load("");
        assert_eq!(names(&client), before, "a device without lines");
        drop(board);
        let _board = Board::load(&format!("gpio={} line=1", chip.label));
        let source = find(&client, "rtnotify-line").number;
        assert_eq!(line_call(&client, source, LINE_NOW, None).unwrap().1, 0);
    });
}

/// Parameters that make no sense are refused, and leave nothing behind.
#[test]
fn wrong_lines_are_refused() {
    check("wrong_lines_are_refused", |backend| {
        let chip = Chip::new();
        let label = &chip.label;
        for (parameters, errno) in [
            ("irq=0".to_owned(), Errno::EINVAL),
            ("irq=-1".to_owned(), Errno::EINVAL),
            ("irq=4000000".to_owned(), Errno::EINVAL),
            (format!("gpio={label}:1 irq=0"), Errno::EINVAL),
            ("irq=1 irq_mask=1 irq_shared=1".to_owned(), Errno::EINVAL),
            ("irq=1 irq_trigger=16".to_owned(), Errno::EINVAL),
            (format!("gpio={label}"), Errno::EINVAL),
            (format!("gpio={label}:"), Errno::EINVAL),
            (format!("gpio={label}:x"), Errno::EINVAL),
            (format!("gpio={label}:70000"), Errno::EINVAL),
            (format!("gpio={label}:8"), Errno::EINVAL),
            ("gpio=:1".to_owned(), Errno::EINVAL),
            ("gpio=nosuchchip:1".to_owned(), Errno::ENODEV),
            (format!("gpio={label}:1,{label}:1"), Errno::EBUSY),
            // The loader keeps EEXIST for a module that is there already.
            (
                format!("gpio={label}:1,{label}:2 gpio_name=x,x"),
                Errno::EBUSY,
            ),
            (format!("gpio={label}:1 gpio_name=edu"), Errno::EBUSY),
        ] {
            let result = Lines::try_load(&parameters);
            assert_eq!(result.err(), Some(errno), "{parameters}");
        }
        let _lines = Lines::load(&format!("gpio={label}:1,{label}:2"));
        let client = backend.open(Access::Write, false);
        for line in [1, 2] {
            let source = find(&client, &format!("{label}:{line}")).number;
            assert_eq!(line_call(&client, source, LINE_NOW, None).unwrap().1, 0);
        }
    });
}

/// A signal ends a writer's wait for room; what has been taken stays taken.
#[test]
fn waiting_writer_is_interrupted() {
    check("waiting_writer_is_interrupted", |backend| {
        let mut asked = request(abi::MODE_WINDOW);
        asked.policy = abi::POLICY_BLOCK;
        asked.queue_len = 3;
        let mut rig = Rig::new(backend, asked);
        let writer = backend.open(Access::Write, true);
        let mut source = user_source(0);
        source.flags = abi::SOURCE_BLOCKING;
        writer.create_source(&mut source).unwrap();
        let source = source.number;
        rig.subscriber.subscribe(source, None).unwrap();
        // Without SA_RESTART.
        let action = nix::sys::signal::SigAction::new(
            nix::sys::signal::SigHandler::Handler(nothing),
            nix::sys::signal::SaFlags::empty(),
            nix::sys::signal::SigSet::empty(),
        );
        raw::set_action(libc::SIGUSR1, &action);
        let frame = post_head(source, 0, None, 0).to_bytes();
        for (count, expected) in [(5, Ok(3 * frame.len())), (1, Err(Errno::EINTR))] {
            let tid = AtomicI32::new(0);
            let batch = frame.repeat(count);
            thread::scope(|scope| {
                let waiting = scope.spawn(|| {
                    tid.store(sys::gettid(), Ordering::Release);
                    writer.write(&batch)
                });
                wait_until_asleep(&tid);
                raw::signal_thread(tid.load(Ordering::Acquire), libc::SIGUSR1);
                assert_eq!(waiting.join().unwrap(), expected);
            });
        }
        rig.settle();
        assert_eq!((rig.ledger.events, rig.ledger.gaps), (3, 0));
    });
}

/// A driver's post can wait for room, too: until there is some, until its time is up, or until a signal comes.
/// What it posts is a stream here.
#[test]
fn driver_waits_for_room() {
    check("driver_waits_for_room", |backend| {
        const CHUNKS: u64 = 200;
        let rig = Rig::window(backend);
        let echo = find(&rig.producer, "echo");
        let flags = abi::SOURCE_WRITABLE | abi::SOURCE_CALLABLE | abi::SOURCE_STREAM;
        assert_eq!(echo.flags, flags);
        let echo = echo.number;
        let mut answer = [0; 8];
        let called = rig.producer.call(echo, 0, 0, b"hello", &mut answer, None);
        assert_eq!((called, &answer[..5]), (Ok(5), &b"hello"[..]));
        let small = rig
            .producer
            .call(echo, 0, 0, b"hello", &mut answer[..4], None);
        assert_eq!(small, Err(Errno::EMSGSIZE));

        let asked = abi::Register {
            flags: abi::REG_STREAM,
            policy: abi::POLICY_BLOCK,
            queue_len: 2,
            quota: 2048,
            ..request(abi::MODE_WINDOW)
        };
        let reader = backend.open(Access::Read, true);
        reader.register(&mut asked.clone()).unwrap();
        reader.subscribe(echo, None).unwrap();
        let chunk = |n: u64| payload(n, 1 + (n * 37 % 1000) as usize);
        let whole: Vec<u8> = (0..CHUNKS).flat_map(chunk).collect();
        thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..CHUNKS {
                    rig.producer.post(echo, 0, None, &chunk(n)).unwrap();
                }
            });
            let mut got = Vec::new();
            let mut buffer = [0; 1500];
            while got.len() < whole.len() {
                let len = reader.read(&mut buffer).unwrap();
                got.extend_from_slice(&buffer[..len]);
            }
            assert_eq!(got, whole);
        });

        // Time.
        let fill = || rig.producer.post(echo, 1, Some(1), b"x");
        assert_eq!((fill(), fill()), (Ok(()), Ok(())));
        for ms in [1_u64, 30] {
            let timeout = ms * 1_000_000;
            let started = Instant::now();
            let late = rig.producer.post(echo, 1, Some(timeout), b"x");
            assert_eq!(late, Err(Errno::EAGAIN));
            assert!(started.elapsed() >= Duration::from_nanos(timeout));
        }

        // The end of the driver.
        let tid = AtomicI32::new(0);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                tid.store(sys::gettid(), Ordering::Release);
                rig.producer.post(echo, 0, None, b"x")
            });
            wait_until_asleep(&tid);
            unload(c"rtnotify_echo");
            assert_eq!(waiting.join().unwrap(), Err(Errno::ENODEV));
        });
        let mut buffer = [0; 8];
        assert_eq!(reader.read(&mut buffer), Ok(2));
        assert_eq!(&buffer[..2], b"xx");
        assert_eq!(reader.read(&mut buffer), Ok(0), "the end of the stream");
        let stats = reader.stats().unwrap();
        assert_eq!((stats.gaps, stats.consumed), (0, CHUNKS + 2));
        let file = module_file("RTNOTIFY_ECHO_KO");
        raw::load_module(file.as_fd()).unwrap();
    });
}

/// A `read` and a `write` wait as long as the file says, and no longer.
#[test]
fn files_wait_as_long_as_they_say() {
    check("files_wait_as_long_as_they_say", |backend| {
        let mut asked = request(abi::MODE_WINDOW);
        (asked.policy, asked.queue_len) = (abi::POLICY_BLOCK, 1);
        let mut rig = Rig::new(backend, asked);
        let writer = backend.open(Access::Write, true);
        let mut source = abi::CreateSource {
            flags: abi::SOURCE_BLOCKING,
            ..user_source(8)
        };
        writer.create_source(&mut source).unwrap();
        rig.subscriber.subscribe(source.number, None).unwrap();
        let post = || writer.post(source.number, 0, None, b"x");
        post().unwrap();
        let reader = backend.open(Access::Read, true);
        reader.register(&mut request(abi::MODE_WINDOW)).unwrap();
        for ms in [1, 40] {
            let timeout = Duration::from_millis(ms);
            writer.set_timeouts(None, Some(timeout)).unwrap();
            let started = Instant::now();
            assert_eq!(post(), Err(Errno::EAGAIN));
            assert!(started.elapsed() >= timeout);
            reader.set_timeouts(Some(timeout), None).unwrap();
            let started = Instant::now();
            assert_eq!(reader.read(&mut [0; 64]), Err(Errno::EAGAIN));
            assert!(started.elapsed() >= timeout);
        }
        // Of a batch what was posted in time is taken.
        rig.drain();
        let frame = |n: u64| post_head(source.number, 0, Some(n), 0).to_bytes();
        assert_eq!(writer.write(&[frame(1), frame(2)].concat()), Ok(32));
        // None at all is as at first.
        writer.set_timeouts(None, None).unwrap();
        let tid = AtomicI32::new(0);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                tid.store(sys::gettid(), Ordering::Release);
                post()
            });
            wait_until_asleep(&tid);
            rig.drain();
            assert_eq!(waiting.join().unwrap(), Ok(()));
        });
        rig.settle();
        assert_eq!((rig.ledger.events, rig.ledger.gaps), (3, 0));
    });
}

extern "C" fn nothing(_signo: i32) {}
