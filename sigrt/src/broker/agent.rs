// SPDX-License-Identifier: MIT OR Apache-2.0

//! The thread in the subscriber's process that looks and rings for the broker.
//!
//! One for each registration, from registering to unregistering. It blocks every asynchronous signal, takes orders one at
//! a time, and answers each. It watches for the exit of targets itself. When its socket ends without an order to end, the
//! broker has vanished: it rings once, so that whoever waits for a doorbell looks, and finds out.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::socket::{MsgFlags, Shutdown, recv, shutdown};
use nix::sys::time::TimeSpec;
use rtnotify_core::machine::{Outcome, Signal};

use super::protocol::{self, NOTE};
use super::remote::{Answer, Found, Task};
use crate::loopback::ringer::Ringer;
use crate::sys;

/// How often targets are looked at on kernels that do not report the exit of a thread (before 6.9).
const PROBE_EVERY: Duration = Duration::from_millis(20);

/// What the thread and its owner share.
#[derive(Debug)]
struct Shared {
    socket: OwnedFd,
    /// There is one more lane to watch.
    bell: EventFd,
    /// One for each lane. Locked for as long as a signal takes.
    ringers: Mutex<Vec<Ringer>>,
    /// The owner ends it, so nobody need be told.
    stopping: AtomicBool,
}

impl Shared {
    fn ringers(&self) -> MutexGuard<'_, Vec<Ringer>> {
        self.ringers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An agent that runs, until dropped.
#[derive(Debug)]
pub(super) struct Agent {
    shared: Arc<Shared>,
    /// Taken when dropped.
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    /// Starts one for a registration with that lane.
    pub(super) fn start(socket: OwnedFd, ringer: Ringer) -> Result<Self, Errno> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let shared = Arc::new(Shared {
            socket,
            bell: EventFd::from_value_and_flags(0, flags)?,
            ringers: Mutex::new(vec![ringer]),
            stopping: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&shared);
        // The thread starts with the spawner's mask: the program's signals are not for it.
        let mask = sys::block(&sys::SignalSet::asynchronous());
        let thread = thread::Builder::new()
            .name("rtnotify-agent".to_owned())
            .spawn(move || run(&theirs))
            .map_err(|_| Errno::EAGAIN)?;
        drop(mask);
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// One more lane.
    pub(super) fn add(&self, ringer: Ringer) {
        self.shared.ringers().push(ringer);
        // It can only fail when the counter is full, and then the thread is awake already.
        self.shared.bell.write(1).ok();
    }

    /// The broker did not want it.
    pub(super) fn remove_last(&self) {
        self.shared.ringers().pop();
    }

    /// In a forked child, where the thread does not exist: only closes what the child has inherited.
    pub(super) fn forget(mut self) {
        drop(self.thread.take());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.shared.stopping.store(true, Ordering::Release);
        // It may have ended already.
        shutdown(self.shared.socket.as_raw_fd(), Shutdown::Both).ok();
        // It does not panic; if it did, there would be nothing left to end.
        thread.join().ok();
    }
}

fn run(shared: &Shared) {
    loop {
        let (watched, probes) = {
            let ringers = shared.ringers();
            let fds: Vec<_> = ringers
                .iter()
                .filter_map(|ringer| ringer.exit_descriptor().cloned())
                .collect();
            (fds, ringers.iter().any(Ringer::needs_probing))
        };
        let mut fds = vec![
            PollFd::new(shared.socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(shared.bell.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(
            watched
                .iter()
                .map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)),
        );
        let timeout = probes.then(|| TimeSpec::from_duration(PROBE_EVERY));
        // An error other than EINTR cannot happen.
        nix::poll::ppoll(&mut fds, timeout, None).ok();
        let is_set = |fd: &PollFd<'_>| fd.any().unwrap_or(false);
        let exited: Vec<_> = fds[2..]
            .iter()
            .zip(&watched)
            .filter(|(fd, _)| is_set(fd))
            .map(|(_, fd)| fd)
            .collect();
        if is_set(&fds[1]) {
            shared.bell.read().ok();
        }
        // Exits first: an order that is carried out after one is for whoever has taken over.
        if !exited.is_empty() || probes {
            for (lane, ringer) in shared.ringers().iter_mut().enumerate() {
                if ringer.has_exited(&exited) {
                    let found = Found::Left(ringer.replace_target());
                    answer(shared, lane as u8, found);
                }
            }
        }
        if is_set(&fds[0]) && !take_order(shared) {
            return;
        }
    }
}

/// Takes and carries out an order; returns whether there can be more.
fn take_order(shared: &Shared) -> bool {
    let mut bytes = [0; NOTE];
    let flags = MsgFlags::MSG_DONTWAIT;
    let order = match recv(shared.socket.as_raw_fd(), &mut bytes, flags) {
        Err(Errno::EAGAIN | Errno::EINTR) => return true,
        Ok(NOTE) => protocol::order_from_bytes(&bytes),
        _ => None,
    };
    let Some((lane, task)) = order else {
        if !shared.stopping.load(Ordering::Acquire) {
            tell_of_the_end(shared);
        }
        return false;
    };
    let found = {
        let mut ringers = shared.ringers();
        match (task, ringers.get_mut(usize::from(lane))) {
            (Task::End, _) => return false,
            // A lane that is not there has nobody to ring for.
            (_, None) => Found::Exited(false),
            (Task::Look, Some(ringer)) => {
                // The broker has served reads since.
                ringer.reads();
                Found::Pending(ringer.is_pending())
            }
            (Task::Ring(signal), Some(ringer)) => ring(ringer, signal),
        }
    };
    answer(shared, lane, found);
    true
}

fn ring(ringer: &mut Ringer, signal: Signal) -> Found {
    // The target may be anywhere, unlike the one that posts over the loopback.
    ringer.settle();
    match ringer.send(signal) {
        (_, true) => Found::Exited(ringer.replace_target()),
        (Outcome::Sent, _) => Found::Sent,
        (Outcome::Refused, _) => Found::Refused,
        (Outcome::NoTarget, _) if ringer.is_alone() => Found::Exited(false),
        (Outcome::NoTarget, _) => Found::Unhandled,
    }
}

fn answer(shared: &Shared, lane: u8, found: Found) {
    let bytes = protocol::answer_to_bytes(Answer { lane, found });
    let parts = [std::io::IoSlice::new(&bytes)];
    // If it fails the broker has vanished, which the next order tells. There is always room: it is never asked for more
    // than one answer for each lane, and takes them at once.
    while sys::send_message(shared.socket.as_fd(), &parts, None, true) == Err(Errno::EINTR) {}
}

/// Rings for every lane once more, with a handle that names nothing.
fn tell_of_the_end(shared: &Shared) {
    for ringer in shared.ringers().iter_mut() {
        if let (Outcome::Refused, _) = ringer.send(Signal::Queued { handle: 0 }) {
            ringer.send(Signal::Fallback);
        }
    }
}
