// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the kernel and the limits of this process allow.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::geteuid;
use sigrt::sys::{self, SIGURG, SignalSet};

use super::Finding;

/// Major and minor number of a kernel release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

pub(super) fn kernel() -> Finding {
    let what = "kernel";
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    let need = "the module needs Linux 7.2 or newer with CONFIG_RUST=y; the loopback works on any";
    match version(release) {
        Some(found) if found >= (7, 2) => {
            let config = fs::read_to_string(format!("/boot/config-{release}"));
            match config {
                Ok(text) if !text.lines().any(|line| line == "CONFIG_RUST=y") => {
                    Finding::note(what, format!("{release}, without Rust"), need)
                }
                _ => Finding::good(what, release),
            }
        }
        _ => Finding::note(what, release, need),
    }
}

pub(super) fn numbers() -> Finding {
    let (first, last) = (sys::sigrtmin(), sys::sigrtmax());
    let free = (first..=last)
        .filter(|&signo| sys::has_default_action(signo))
        .count();
    let found = format!("SIGRTMIN {first} to SIGRTMAX {last}, {free} of them free");
    if free == 0 {
        let mend = "whatever started this process ignores them all: start it another way";
        return Finding::bad("signal numbers", found, mend);
    }
    Finding::good("signal numbers", found)
}

fn status() -> String {
    fs::read_to_string("/proc/self/status").unwrap_or_default()
}

/// A line of `/proc/self/status`.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.strip_prefix(':')?.trim())
}

/// Queued signals of this user: how many there are and may be.
fn queued(status: &str) -> Option<(u64, u64)> {
    let (used, limit) = field(status, "SigQ")?.split_once('/')?;
    Some((used.parse().ok()?, limit.parse().ok()?))
}

pub(super) fn pending() -> Finding {
    let what = "queued signals";
    let Some((used, limit)) = queued(&status()) else {
        return Finding::note(what, "/proc/self/status does not say", "mount /proc");
    };
    let found = format!("{used} of {limit} in use by this user (RLIMIT_SIGPENDING)");
    if limit.saturating_sub(used) < 64 {
        return Finding::note(
            what,
            found,
            "nothing gets lost, but signals arrive without handles; raise it (`ulimit -i`, LimitSIGPENDING=)",
        );
    }
    Finding::good(what, found)
}

/// Whether this thread may send itself a queued signal, and the one that cannot be refused.
pub(super) fn sending() -> Finding {
    let what = "sending signals";
    let Some(signo) = (sys::sigrtmin()..=sys::sigrtmax()).find(|&s| sys::has_default_action(s))
    else {
        return Finding::bad(what, "no number is free", "see signal numbers");
    };
    let set = SignalSet::of(&[signo, SIGURG]);
    let mask = sys::block(&set);
    let queued = sys::queue_signal(sys::gettid(), signo, 7);
    let plain = sys::signal_thread(sys::gettid(), SIGURG);
    let mut taken = 0;
    while sys::take_signal(&set, Some(Duration::ZERO)).is_ok() {
        taken += 1;
    }
    drop(mask);
    match (queued, plain) {
        (Ok(()), Ok(())) if taken == 2 => Finding::good(
            what,
            "a queued signal with a value, and a plain one, arrived",
        ),
        (Err(Errno::EAGAIN), Ok(())) => Finding::note(
            what,
            "queued signals are refused, plain ones arrive",
            "see queued signals: nothing gets lost, latency suffers",
        ),
        (queued, plain) => Finding::bad(
            what,
            format!("rt_tgsigqueueinfo: {queued:?}, tgkill: {plain:?}, {taken} arrived"),
            "a seccomp filter or a sandbox forbids it: allow rt_tgsigqueueinfo, tgkill and rt_sigtimedwait",
        ),
    }
}

pub(super) fn priority() -> Finding {
    let what = "real-time priority";
    match getrlimit(Resource::RLIMIT_RTPRIO) {
        Ok((0, _)) if geteuid().is_root() => {
            Finding::good(what, "RLIMIT_RTPRIO is 0, but root may raise it")
        }
        Ok((0, _)) => Finding::note(
            what,
            "not allowed to this user (RLIMIT_RTPRIO)",
            "only latency suffers; to allow it raise RLIMIT_RTPRIO (limits.conf, LimitRTPRIO=)",
        ),
        Ok((limit, _)) if limit > 99 => Finding::good(what, "unlimited (RLIMIT_RTPRIO)"),
        Ok((limit, _)) => Finding::good(what, format!("up to {limit} (RLIMIT_RTPRIO)")),
        Err(error) => Finding::note(what, error.to_string(), "only latency suffers"),
    }
}

pub(super) fn pidfd() -> Finding {
    let what = "pidfd";
    match sys::thread_descriptor(sys::gettid()) {
        Ok(_) => Finding::good(what, "descriptors of threads work"),
        Err(errno) => Finding::note(
            what,
            format!("no descriptors of threads: {errno}"),
            "needs Linux 6.9 and no filter on pidfd_open; without, the exit of a thread is noticed later",
        ),
    }
}

pub(super) fn proc() -> Finding {
    let what = "/proc";
    let own = format!("/proc/self/task/{}/status", sys::gettid());
    if let Err(error) = fs::read_to_string(&own) {
        let mend = "mount /proc: the loopback looks there whether a signal is pending";
        return Finding::bad(what, format!("{own}: {error}"), mend);
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let hidden = mounts.lines().any(|line| {
        let mut words = line.split(' ');
        words.nth(1) == Some("/proc")
            && words.nth(1).is_some_and(|options| {
                options
                    .split(',')
                    .any(|option| option.starts_with("hidepid=") && !option.ends_with("=0"))
            })
    });
    if hidden || !Path::new("/proc/1/status").exists() {
        return Finding::note(
            what,
            "one's own threads are visible, other users' processes are not (hidepid)",
            "only `stats` and `top` see less; as root they see everything",
        );
    }
    Finding::good(what, "threads and processes are visible")
}

pub(super) fn ptrace() -> Finding {
    let what = "ptrace scope";
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    match scope.as_deref().map(str::trim) {
        Err(_) => Finding::good(what, "not restricted: no Yama"),
        Ok("0") => Finding::good(what, "0: one's own processes may be looked into"),
        Ok(scope) if geteuid().is_root() && scope != "3" => {
            Finding::good(what, format!("{scope}, but root may look"))
        }
        Ok(scope) => Finding::note(
            what,
            format!("{scope}: processes that are no children may not be looked into"),
            "only `stats` and `top` see less; as root they see everything",
        ),
    }
}

pub(super) fn seccomp() -> Finding {
    let what = "seccomp";
    match field(&status(), "Seccomp") {
        Some("0") => Finding::good(what, "no filter"),
        Some("1") => Finding::bad(
            what,
            "strict mode",
            "start this process without it: almost every system call is forbidden",
        ),
        Some(_) => Finding::note(
            what,
            "a filter is in force, as in most containers",
            "what it forbids shows above; it must allow rt_tgsigqueueinfo, tgkill, rt_sigtimedwait, pidfd_open",
        ),
        None => Finding::good(what, "this kernel has none"),
    }
}

/// Whether this is a container, as far as can be seen, and what that means.
pub(super) fn container() -> Finding {
    let what = "container";
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let all = map.split_whitespace().eq(["0", "0", "4294967295"]);
    if !map.is_empty() && !all {
        return Finding::note(
            what,
            "a user namespace",
            "its root may do no more with the device than the user outside: pass the node in, with its group",
        );
    }
    let marks = ["/.dockerenv", "/run/.containerenv"];
    if let Some(mark) = marks.iter().find(|mark| Path::new(mark).exists()) {
        return Finding::note(
            what,
            format!("yes ({mark})"),
            "to use the module's device pass it in (`--device /dev/rtnotify`); the host loads the module",
        );
    }
    Finding::good(what, "none that shows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_as_numbers() {
        assert_eq!(version("7.2.13-amd64"), Some((7, 2)));
        assert_eq!(version("6.12"), Some((6, 12)));
        assert_eq!(version(""), None);
        assert!(version("10.0").unwrap() > (7, 2));
    }

    #[test]
    fn the_queue_of_signals_is_read() {
        assert_eq!(queued("Name:\tx\nSigQ:\t3/95000\n"), Some((3, 95_000)));
        assert_eq!(queued("Name:\tx\n"), None);
        assert_eq!(
            field("Seccomp:\t2\nSeccomp_filters:\t1\n", "Seccomp"),
            Some("2")
        );
    }
}
