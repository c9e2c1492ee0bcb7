// SPDX-License-Identifier: MIT OR Apache-2.0

//! The broker's own thread: it lets timers expire and notices when a target thread has exited.
//!
//! It starts with the first registration or timer and ends with the broker. It holds only a weak reference
//! to the broker, except while it works, and never sleeps with the broker's lock held.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;

use super::Shared;
use super::state::now;
use crate::sys;

/// How often targets are looked at on kernels that do not report the exit of a thread (before 6.9).
const PROBE_EVERY: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Clockwork {
    bell: Arc<EventFd>,
    thread: JoinHandle<()>,
}

impl Clockwork {
    pub(super) fn start(shared: Weak<Shared>) -> Result<Self, Errno> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let bell = Arc::new(EventFd::from_value_and_flags(0, flags)?);
        let theirs = Arc::clone(&bell);
        // The thread starts with the spawner's mask: the program's signals are not for it.
        let mask = sys::block(&sys::SignalSet::asynchronous());
        let thread = thread::Builder::new()
            .name("rtnotify-loop".to_owned())
            .spawn(move || run(&shared, &theirs))
            .map_err(|_| Errno::EAGAIN)?;
        drop(mask);
        Ok(Self { bell, thread })
    }

    /// Has the thread look at timers and targets again.
    pub(super) fn wake(&self) {
        // It can only fail when the counter is full, and then the thread is awake already.
        self.bell.write(1).ok();
    }

    /// Ends the thread, whose weak reference no longer leads anywhere, and waits for it.
    pub(super) fn stop(self) {
        self.wake();
        // The thread itself may have had the last reference; then it ends next.
        if self.thread.thread().id() != thread::current().id() {
            self.thread.join().ok();
        }
    }
}

fn run(shared: &Weak<Shared>, bell: &EventFd) {
    loop {
        let (timeout, watched) = {
            let Some(shared) = shared.upgrade() else {
                return;
            };
            look(&shared)
        };
        let mut fds = vec![PollFd::new(bell.as_fd(), PollFlags::POLLIN)];
        fds.extend(
            watched
                .iter()
                .map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)),
        );
        // An error other than EINTR cannot happen; then the timeout alone keeps the clock going.
        nix::poll::ppoll(&mut fds, timeout.map(TimeSpec::from_duration), None).ok();
        let exited: Vec<_> = fds[1..]
            .iter()
            .zip(&watched)
            .filter(|(fd, _)| fd.any().unwrap_or(false))
            .map(|(_, fd)| fd)
            .collect();
        bell.read().ok();
        if exited.is_empty() {
            continue;
        }
        let Some(shared) = shared.upgrade() else {
            return;
        };
        for registration in shared.lock().state.registrations() {
            registration.look_for_exits(&exited);
        }
    }
}

/// Does what is due; returns how long there is nothing to do, and the descriptors that end that.
fn look(shared: &Shared) -> (Option<Duration>, Vec<Arc<OwnedFd>>) {
    let mut inner = shared.lock();
    let deadline = inner.state.run_timers(now());
    let mut timeout = deadline.map(|d| Duration::from_nanos(d.saturating_sub(now())));
    let mut watched = Vec::new();
    for registration in inner.state.registrations() {
        if registration.needs_probing() {
            registration.look_for_exits(&[]);
            timeout = Some(timeout.map_or(PROBE_EVERY, |t| t.min(PROBE_EVERY)));
        }
        watched.extend(registration.exit_descriptors().cloned());
    }
    shared.notify(&inner);
    (timeout, watched)
}
