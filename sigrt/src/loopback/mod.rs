// SPDX-License-Identifier: MIT OR Apache-2.0

//! The device without the module: a broker inside the process.
//!
//! A [`Broker`] runs the state machine that the kernel module runs, and rings the same doorbells: real
//! realtime signals, queued with the handle in `si_value` to the registered thread. Posting happens in the
//! thread that posts, just as the module posts in the interrupt.
//!
//! # What differs from the module
//!
//! - It serves the threads of one process; sources and subscribers do not outlive it.
//! - A doorbell that the limit on queued signals refuses is rung as `SIGURG`, because userspace cannot force
//!   a realtime signal. A target that does not block or handle `SIGURG` misses it.
//! - A blocking [`crate::client::Client::read`] is not interrupted by signal handlers, nor is a `write` that
//!   waits for room.
//! - Closing takes no pending doorbells along: another thread's cannot be taken.
//! - Whether a target still blocks or handles its signal is read from `/proc`, which does not tell while the
//!   thread runs: one that breaks its promise may be killed. Dispatchers of this crate never do.
//! - A signal handler must not call into the broker: the thread that it interrupts may hold the lock.
//! - There are no driver sources, so nobody answers calls.
//! - Mapping a payload copies it, and so does not keep its share of the quota. There are no mapped rings: a read is
//!   a call of a function. There is no outbox: in one process everything is passed by reference already, and what is
//!   posted is copied once.
//! - A client's blocking calls cannot be bounded in time; [`crate::client::Client::poll`] can.
//!
//! # Lock order
//!
//! One mutex, `Shared::state`; nothing else is locked while it is held, no user code runs under it, and
//! signals are sent under it (the kernel's `siglock` comes after it). A panic elsewhere cannot leave the
//! state half changed, so poisoning is ignored.

pub(crate) mod bell;
mod clockwork;
mod readable;
pub(crate) mod registration;
pub(crate) mod ringer;
pub(crate) mod state;
mod target;

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use rtnotify_core::abi;

use crate::client::{Access, Readiness};
use crate::sys;
use bell::Bell;
use clockwork::Clockwork;
use readable::Readable;
use registration::{NewLane, Registration};
use ringer::Ringer;
use state::State;

/// The device, in the process.
///
/// # Examples
///
/// ```
/// use sigrt::client::{Access, Client};
/// use sigrt::loopback::Broker;
/// use sigrt::{Device, SourceOptions};
///
/// let broker = Broker::new();
/// let device = Device::with_broker(broker.clone());
/// let _door = device.create_source(SourceOptions::new("door"))?;
/// // Others reach the same sources at their own level.
/// let client = Client::loopback(&broker, Access::Read, false)?;
/// assert_eq!(client.sources()?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Broker {
    shared: Arc<Shared>,
}

impl Default for Broker {
    fn default() -> Self {
        Self::new()
    }
}

impl Broker {
    /// A broker without sources or clients.
    ///
    /// # Examples
    ///
    /// See [`Broker`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                pid: sys::process_id(),
                state: Mutex::new(Inner {
                    state: State::new(),
                    waiting: 0,
                    polled: HashMap::new(),
                    clockwork: None,
                }),
                readable: Condvar::new(),
            }),
        }
    }

    /// Opens it once more.
    pub(crate) fn connect(&self, access: Access, blocking: bool) -> Result<Connection, Errno> {
        if sys::process_id() != self.shared.pid {
            return Err(Errno::EOWNERDEAD);
        }
        let id = self.shared.lock().state.add_client();
        Ok(Connection {
            shared: Arc::clone(&self.shared),
            id,
            access,
            blocking,
            readable: OnceLock::new(),
        })
    }
}

/// What all clients of a broker share.
#[derive(Debug)]
struct Shared {
    pid: u32,
    state: Mutex<Inner>,
    /// Something became readable, there is more room, or a registration or a source ended.
    readable: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the waiting readers and writers, if there are any: a notification costs a system call.
    fn notify(&self, inner: &Inner) {
        if inner.waiting > 0 {
            self.readable.notify_all();
        }
        inner.tell_pollers();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // In a forked child the thread does not exist, and the mutex may be locked for ever.
        if sys::process_id() != self.pid {
            return;
        }
        let inner = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(clockwork) = inner.clockwork.take() {
            clockwork.stop();
        }
    }
}

/// What the mutex guards.
#[derive(Debug)]
struct Inner {
    state: State,
    /// Threads that wait on [`Shared::readable`].
    waiting: usize,
    /// Descriptors of those clients that poll.
    polled: HashMap<u64, Arc<Readable>>,
    clockwork: Option<Clockwork>,
}

impl Inner {
    /// Has every descriptor say what is so.
    fn tell_pollers(&self) {
        for (&client, readable) in &self.polled {
            readable.set(self.state.would_not_wait(client));
        }
    }
}

/// One client of a broker: its end of what would be an open file.
#[derive(Debug)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    id: u64,
    access: Access,
    blocking: bool,
    readable: OnceLock<Arc<Readable>>,
}

impl Connection {
    /// A descriptor that is readable when this client is.
    pub(crate) fn pollable(&self) -> Result<BorrowedFd<'_>, Errno> {
        if let Some(readable) = self.readable.get() {
            return Ok(readable.as_fd());
        }
        let made = Arc::new(Readable::new()?);
        let readable = self.readable.get_or_init(|| made);
        let mut inner = self.shared.lock();
        inner.polled.insert(self.id, Arc::clone(readable));
        inner.tell_pollers();
        Ok(readable.as_fd())
    }

    /// That descriptor, if there is one.
    pub(crate) fn made_pollable(&self) -> Option<BorrowedFd<'_>> {
        self.readable.get().map(|readable| readable.as_fd())
    }

    fn may_read(&self) -> Result<(), Errno> {
        self.access.reads().then_some(()).ok_or(Errno::EBADF)
    }

    fn may_write(&self) -> Result<(), Errno> {
        self.access.writes().then_some(()).ok_or(Errno::EBADF)
    }

    /// Starts the thread for timers and exiting targets, or has it look again.
    fn clockwork(&self, inner: &mut Inner) -> Result<(), Errno> {
        match &inner.clockwork {
            Some(clockwork) => clockwork.wake(),
            None => inner.clockwork = Some(Clockwork::start(Arc::downgrade(&self.shared))?),
        }
        Ok(())
    }

    pub(crate) fn register(
        &self,
        request: &mut abi::Register,
        dispatcher: bool,
    ) -> Result<(), Errno> {
        self.may_read()?;
        self.shared.lock().state.check_unregistered(self.id)?;
        // Without the lock: this can wait for a thread to come to rest.
        let caller = sys::gettid();
        let (target, failover) = (request.target_tid, request.failover_tid);
        let registration = Registration::new(request, |signo| {
            Ringer::new(signo, target, failover, caller, dispatcher).map(Bell::Here)
        })?;
        let mut inner = self.shared.lock();
        inner.state.register(self.id, registration)?;
        if let Err(error) = self.clockwork(&mut inner) {
            inner.state.unregister(self.id)?;
            return Err(error);
        }
        Ok(())
    }

    pub(crate) fn unregister(&self) -> Result<u64, Errno> {
        let mut inner = self.shared.lock();
        let discarded = inner.state.unregister(self.id)?;
        self.shared.notify(&inner);
        Ok(discarded)
    }

    pub(crate) fn add_lane(&self, request: &mut abi::Lane, dispatcher: bool) -> Result<(), Errno> {
        self.shared.lock().state.registration(self.id)?;
        // As above.
        let caller = sys::gettid();
        let (target, failover) = (request.target_tid, request.failover_tid);
        let lane = NewLane::new(request, |signo| {
            Ringer::new(signo, target, failover, caller, dispatcher).map(Bell::Here)
        })?;
        let mut inner = self.shared.lock();
        inner.state.registration(self.id)?.add_lane(lane)?;
        // Started by registering.
        if let Some(clockwork) = &inner.clockwork {
            clockwork.wake();
        }
        Ok(())
    }

    pub(crate) fn set_mode(&self, request: &abi::SetMode) -> Result<(), Errno> {
        let mut inner = self.shared.lock();
        inner.state.registration(self.id)?.set_mode(request)
    }

    pub(crate) fn arm(&self, request: &abi::Arm) -> Result<(), Errno> {
        self.shared.lock().state.registration(self.id)?.arm(request)
    }

    pub(crate) fn subscribe(&self, request: &abi::Subscribe) -> Result<(), Errno> {
        self.shared.lock().state.subscribe(self.id, request)
    }

    pub(crate) fn unsubscribe(&self, source: u32) -> Result<(), Errno> {
        let mut inner = self.shared.lock();
        inner.state.unsubscribe(self.id, source)?;
        self.shared.notify(&inner);
        Ok(())
    }

    pub(crate) fn list_sources(
        &self,
        first: u32,
        entries: &mut [abi::SourceInfo],
    ) -> (usize, usize) {
        self.shared.lock().state.list_sources(first, entries)
    }

    pub(crate) fn create_source(&self, request: &mut abi::CreateSource) -> Result<(), Errno> {
        self.may_write()?;
        let mut inner = self.shared.lock();
        let timer = inner.state.check_source(request)?;
        if timer.is_some() {
            self.clockwork(&mut inner)?;
        }
        inner.state.create_source(self.id, request, timer);
        Ok(())
    }

    pub(crate) fn destroy_source(&self, number: u32) -> Result<(), Errno> {
        let mut inner = self.shared.lock();
        inner.state.destroy_source(self.id, number)?;
        self.shared.notify(&inner);
        Ok(())
    }

    pub(crate) fn stats(&self) -> Result<abi::Stats, Errno> {
        self.shared.lock().state.stats(self.id)
    }

    /// Reads from the lane of a signal number, or with 0 from all.
    pub(crate) fn read(&self, buffer: &mut [u8], signo: u32) -> Result<usize, Errno> {
        self.may_read()?;
        let mut inner = self.shared.lock();
        loop {
            match inner.state.registration(self.id)?.read(buffer, signo) {
                Err(Errno::EAGAIN) if self.blocking => inner = self.wait(inner, None).0,
                done => {
                    // There may be room now.
                    self.shared.notify(&inner);
                    return done;
                }
            }
        }
    }

    /// Waits for [`Shared::readable`]; also says whether the time was up.
    fn wait<'a>(
        &'a self,
        mut inner: MutexGuard<'a, Inner>,
        timeout: Option<Duration>,
    ) -> (MutexGuard<'a, Inner>, bool) {
        inner.waiting += 1;
        let condvar = &self.shared.readable;
        let (mut inner, late) = if let Some(timeout) = timeout {
            let (inner, result) = condvar
                .wait_timeout(inner, timeout)
                .unwrap_or_else(PoisonError::into_inner);
            (inner, result.timed_out())
        } else {
            let inner = condvar.wait(inner).unwrap_or_else(PoisonError::into_inner);
            (inner, false)
        };
        inner.waiting -= 1;
        (inner, late)
    }

    pub(crate) fn pread(&self, buffer: &mut [u8], handle: u64) -> Result<usize, Errno> {
        self.may_read()?;
        let mut inner = self.shared.lock();
        let done = inner.state.registration(self.id)?.pread(buffer, handle);
        self.shared.notify(&inner);
        done
    }

    pub(crate) fn map(&self, handle: u64, len: usize) -> Result<Vec<u8>, Errno> {
        self.may_read().map_err(|_| Errno::EACCES)?;
        let mut inner = self.shared.lock();
        inner.state.registration(self.id)?.map(handle, len)
    }

    pub(crate) fn poll(&self, timeout: Option<Duration>) -> Result<Readiness, Errno> {
        // A timeout too far away to be represented is none.
        let deadline = timeout.and_then(|t| Instant::now().checked_add(t));
        let mut inner = self.shared.lock();
        loop {
            let readable = self.access.reads() && inner.state.is_readable(self.id);
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            if readable || left == Some(Duration::ZERO) {
                return Ok(Readiness {
                    readable,
                    writable: self.access.writes(),
                });
            }
            inner = self.wait(inner, left).0;
        }
    }

    pub(crate) fn post(&self, head: &abi::Post, payload: &[u8]) -> Result<(), Errno> {
        self.may_write()?;
        let mut inner = self.shared.lock();
        inner.state.check_post(head)?;
        loop {
            match inner.state.offer(head, payload) {
                Ok(false) if self.blocking => inner = self.wait(inner, None).0,
                Ok(false) => return Err(Errno::EAGAIN),
                done => {
                    self.shared.notify(&inner);
                    return done.map(drop);
                }
            }
        }
    }

    pub(crate) fn stream_gap(&self) -> Result<abi::StreamGap, Errno> {
        self.shared.lock().state.registration(self.id)?.stream_gap()
    }

    pub(crate) fn call(&self, number: u32) -> Errno {
        match self.may_write() {
            Ok(()) => self.shared.lock().state.call(number),
            Err(errno) => errno,
        }
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        self.may_write()?;
        let mut inner = self.shared.lock();
        inner.state.check_write(bytes)?;
        let mut taken = 0;
        loop {
            let done = inner.state.write(bytes, &mut taken);
            // What has been posted waits to be read.
            self.shared.notify(&inner);
            let error = match done {
                Ok(true) => return Ok(bytes.len()),
                Ok(false) if self.blocking => {
                    inner = self.wait(inner, None).0;
                    continue;
                }
                Ok(false) => Errno::EAGAIN,
                Err(errno) => errno,
            };
            return if taken > 0 { Ok(taken) } else { Err(error) };
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if sys::process_id() != self.shared.pid {
            return;
        }
        let mut inner = self.shared.lock();
        inner.state.remove_client(self.id);
        inner.polled.remove(&self.id);
        self.shared.notify(&inner);
    }
}
