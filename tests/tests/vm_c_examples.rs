// SPDX-License-Identifier: MIT OR Apache-2.0

//! Runs the C examples, built by each compiler, against the module: by themselves, and while somebody rings
//! their doorbells for nothing.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rtnotify_tests::examples::{Compiler, all};
use rtnotify_tests::harness::{Backend, shared};
use rtnotify_tests::raw;
use sigrt::sys;

const TEMPORARY: &str = env!("CARGO_TARGET_TMPDIR");

/// How often an example is started until a forged doorbell has reached it.
const ATTEMPTS: usize = 50;

macro_rules! examples {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                shared(stringify!($name), &Backend::module(), |_| run(stringify!($name)));
            }
        )*

        #[test]
        fn every_example_has_a_test() {
            assert_eq!(all(), [$(stringify!($name)),*]);
        }
    };
}

examples! {
    call
    edu
    epoll_edge
    epoll_level
    handler
    lanes
    mmap
    outbox
    poll
    pread
    read_blocking
    read_nonblocking
    ring
    sigio
    signalfd
    sigpending
    sigsuspend
    sigtimedwait
    sigusr1
    sigwaitinfo
    stream
    stream_ring
    timer
    write
}

fn run(example: &str) {
    for compiler in Compiler::ALL {
        let program = compiler.build(example, TEMPORARY);
        let start = || {
            Command::new(&program)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        expect(example, start());
        let pestered = (0..ATTEMPTS).any(|_| {
            let mut child = start();
            let forged = pester(&mut child, doorbell(example));
            expect(example, child);
            forged > 0
        });
        assert!(pestered, "no forged doorbell has reached it");
    }
}

/// The signal that the example registers.
fn doorbell(example: &str) -> i32 {
    if example == "sigusr1" {
        libc::SIGUSR1
    } else {
        sys::sigrtmin() + 1
    }
}

/// Ends with success, one line, and no complaint.
fn expect(example: &str, mut child: Child) {
    let status = child.wait().unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    print!("{out}");
    assert!(status.success(), "{status}: {out}{err}");
    assert!(out.starts_with(&format!("{example}: ")), "{out}");
    assert_eq!((out.lines().count(), &*err), (1, ""), "{out}");
}

/// Sends doorbells without a value and with an invented one while the example runs, from the moment on at which
/// it does not die of them. Returns how many.
fn pester(child: &mut Child, signo: i32) -> usize {
    let pid = child.id() as i32;
    let mut sent = 0;
    let mut ready = false;
    let mut value = 0x9e37_79b9_7f4a_7c15_u64;
    while child.try_wait().unwrap().is_none() {
        ready = ready || accepts(pid, signo);
        if ready {
            value = value
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let rung = match value >> 62 {
                0 => raw::send_signal(pid, signo),
                // As a handle is: bit 63 clear.
                1 => raw::forge_signal(pid, signo, value),
                // As none can be.
                _ => raw::forge_signal(pid, signo, value | 1 << 63),
            };
            // An example that takes none of them fills the limit on queued signals.
            sent += usize::from(rung.is_ok());
        }
        thread::sleep(Duration::from_millis(1));
    }
    sent
}

/// Whether the process blocks or handles a signal.
fn accepts(pid: i32, signo: i32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else {
        return false;
    };
    ["SigBlk:", "SigCgt:"].iter().any(|name| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.and_then(|line| u64::from_str_radix(line[name.len()..].trim(), 16).ok())
            .is_some_and(|set| set & 1 << (signo - 1) != 0)
    })
}
