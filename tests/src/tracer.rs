// SPDX-License-Identifier: MIT OR Apache-2.0

//! Counts the system calls of a child, exactly: the child is traced, and stops at each one.
//!
//! The child says what to count by making system calls that do not exist; see [`Meter`].

use std::process::ExitCode;

use nix::errno::Errno;
use nix::unistd::Pid;

use crate::raw;

/// Numbers that are no system calls on any architecture and never will be.
const START: i64 = 0x0052_5401;
const STOP: i64 = 0x0052_5402;

/// The child's side: switches counting on and off.
#[derive(Debug)]
pub struct Meter(());

impl Meter {
    /// Has the system calls that `section` makes counted.
    pub fn count<T>(&self, section: impl FnOnce() -> T) -> T {
        mark(START);
        let result = section();
        mark(STOP);
        result
    }
}

fn mark(number: i64) {
    // SAFETY: there is no such system call.
    let done = unsafe { libc::syscall(number) };
    assert_eq!((done, Errno::last()), (-1, Errno::ENOSYS));
}

/// Runs `child` in a forked process; returns the numbers of the system calls of each counted section.
///
/// Only for processes in which no other thread holds a lock that the child needs.
///
/// # Panics
///
/// If the child fails.
pub fn trace(child: impl FnOnce(&Meter)) -> Vec<Vec<i64>> {
    let pid = raw::fork_child(|| {
        let none = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: no memory is involved.
        let done = unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, none, none) };
        assert_eq!(done, 0, "{}", Errno::last());
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP).unwrap();
        child(&Meter(()));
        ExitCode::SUCCESS
    });
    assert_eq!(stopped(pid), Ok(libc::SIGSTOP));
    let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL;
    request(libc::PTRACE_SETOPTIONS, pid, options as usize);
    let mut sections = Vec::new();
    let mut counting = false;
    let mut signal = 0;
    loop {
        request(libc::PTRACE_SYSCALL, pid, signal as usize);
        signal = match stopped(pid) {
            Ok(signal) => signal,
            Err(status) => {
                assert_eq!(status, 0, "the child's status");
                assert!(!counting, "the child ended in a counted section");
                return sections;
            }
        };
        if signal != libc::SIGTRAP | 0x80 {
            // On its way to the child, which is to have it.
            continue;
        }
        signal = 0;
        match entered(pid) {
            Some(START) => {
                counting = true;
                sections.push(Vec::new());
            }
            Some(STOP) => counting = false,
            Some(number) if counting => sections.last_mut().unwrap().push(number),
            _ => {}
        }
    }
}

fn request(what: libc::c_uint, pid: Pid, data: usize) {
    // SAFETY: with these requests `data` is a number.
    let done = unsafe { libc::ptrace(what, pid.as_raw(), 0_usize, data) };
    assert_eq!(done, 0, "{}", Errno::last());
}

/// Waits until the child stops; the signal, or the status with which it ended.
fn stopped(pid: Pid) -> Result<i32, i32> {
    let mut status = 0;
    // SAFETY: the status is valid for writing.
    let done = unsafe { libc::waitpid(pid.as_raw(), &raw mut status, libc::__WALL) };
    assert_eq!(done, pid.as_raw(), "{}", Errno::last());
    if libc::WIFSTOPPED(status) {
        Ok(libc::WSTOPSIG(status))
    } else {
        Err(status)
    }
}

/// The number of the system call that the child is about to make; `None` if it returns from one.
fn entered(pid: Pid) -> Option<i64> {
    // The first fields of `struct ptrace_syscall_info`: the operation, two addresses, and for an entry the number.
    let mut info = [0_u64; 11];
    // SAFETY: the array is as long as the size given.
    let got = unsafe {
        libc::ptrace(
            libc::PTRACE_GET_SYSCALL_INFO,
            pid.as_raw(),
            size_of_val(&info),
            info.as_mut_ptr(),
        )
    };
    assert!(got > 0, "{}", Errno::last());
    let [operation, ..] = info[0].to_ne_bytes();
    (operation == libc::PTRACE_SYSCALL_INFO_ENTRY).then_some(info[3] as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_marked_system_calls_are_counted() {
        let sections = trace(|meter| {
            nix::unistd::getppid();
            meter.count(|| {
                nix::unistd::getppid();
                nix::unistd::getppid();
            });
            nix::unistd::getppid();
            meter.count(|| ());
            meter.count(nix::unistd::getppid);
        });
        let call = libc::SYS_getppid;
        assert_eq!(sections, [vec![call, call], vec![], vec![call]]);
    }

    #[test]
    fn asking_for_the_process_makes_no_system_call() {
        let before = sigrt::sys::process_id();
        assert_eq!(before, std::process::id());
        let sections = trace(|meter| {
            // A child has a number of its own.
            let first = meter.count(sigrt::sys::process_id);
            assert_eq!(first, std::process::id());
            assert_ne!(first, before);
            assert_eq!(meter.count(sigrt::sys::process_id), first);
        });
        assert_eq!(sections, [vec![libc::SYS_getpid], vec![]]);
        assert_eq!(sigrt::sys::process_id(), before);
    }
}
