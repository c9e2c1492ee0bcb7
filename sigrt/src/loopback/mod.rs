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

mod bell;
mod clockwork;
mod registration;
mod ringer;
mod target;

use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};
use rtnotify_core::abi;
use rtnotify_core::machine::{Counters, Event, SubscriptionId};

use crate::client::{Access, Readiness};
use crate::sys;
use bell::Bell;
use clockwork::Clockwork;
use registration::{NewLane, Registration};

/// Sources that one broker holds at most.
const MAX_SOURCES: usize = 1024;
/// Subscribers that one source has at most.
const MAX_SUBSCRIBERS: usize = 64;

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
                state: Mutex::new(State {
                    clients: HashMap::new(),
                    sources: BTreeMap::new(),
                    next_client: 1,
                    next_source: 1,
                    waiting: 0,
                    bells: 0,
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
        let mut state = self.shared.lock();
        let id = state.next_client;
        state.next_client += 1;
        state.clients.insert(id, ClientState::default());
        drop(state);
        Ok(Connection {
            shared: Arc::clone(&self.shared),
            id,
            access,
            blocking,
            bell: OnceLock::new(),
        })
    }
}

/// What all clients of a broker share.
#[derive(Debug)]
struct Shared {
    pid: u32,
    state: Mutex<State>,
    /// Something became readable, there is more room, or a registration or a source ended.
    readable: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the waiting readers and writers, if there are any: a notification costs a system call.
    fn notify(&self, state: &State) {
        if state.waiting > 0 {
            self.readable.notify_all();
        }
        if state.bells > 0 {
            state.ring_bells();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // In a forked child the thread does not exist, and the mutex may be locked for ever.
        if sys::process_id() != self.pid {
            return;
        }
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(clockwork) = state.clockwork.take() {
            clockwork.stop();
        }
    }
}

#[derive(Debug)]
struct State {
    clients: HashMap<u64, ClientState>,
    sources: BTreeMap<u32, SourceState>,
    next_client: u64,
    next_source: u32,
    /// Threads that wait on [`Shared::readable`].
    waiting: usize,
    /// Clients with a bell.
    bells: usize,
    clockwork: Option<Clockwork>,
}

#[derive(Debug, Default)]
struct ClientState {
    registration: Option<Registration>,
    /// Counters of registrations that have ended.
    past: Counters,
    /// For those who poll.
    bell: Option<Arc<Bell>>,
}

#[derive(Debug)]
struct SourceState {
    info: abi::SourceInfo,
    owner: u64,
    subscribers: Vec<(u64, SubscriptionId)>,
    timer: Option<Timer>,
}

#[derive(Debug)]
struct Timer {
    /// Next expiration on `CLOCK_MONOTONIC`, in nanoseconds.
    deadline: u64,
    period: u64,
    /// Expirations to come; `None`: without end.
    left: Option<u64>,
}

/// Nanoseconds on `CLOCK_MONOTONIC`.
fn now() -> u64 {
    // The clock exists on every Linux, so the call cannot fail.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |t| {
        t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64
    })
}

/// What a producer gives.
struct Posted<'a> {
    kind: u16,
    time_ns: u64,
    value: Option<u64>,
    payload: &'a [u8],
}

impl State {
    /// Has every bell say what is so.
    fn ring_bells(&self) {
        for client in self.clients.values() {
            if let Some(bell) = &client.bell {
                // A registration that has ended is told of by reading.
                let registration = client.registration.as_ref();
                bell.set(registration.is_none_or(Registration::is_readable));
            }
        }
    }

    fn registration(&mut self, client: u64) -> Result<&mut Registration, Errno> {
        self.clients
            .get_mut(&client)
            .and_then(|c| c.registration.as_mut())
            .ok_or(Errno::ENOTCONN)
    }

    /// The client, which must not be registered.
    fn unregistered(&mut self, client: u64) -> Result<&mut ClientState, Errno> {
        match self.clients.get_mut(&client) {
            None => Err(Errno::ENODEV),
            Some(client) if client.registration.is_some() => Err(Errno::EBUSY),
            Some(client) => Ok(client),
        }
    }

    /// Delivers one event to every subscriber of a source that exists.
    fn post(&mut self, number: u32, posted: &Posted<'_>) {
        let Some(source) = self.sources.get_mut(&number) else {
            return;
        };
        source.info.posted += 1;
        let event = Event {
            source_seq: source.info.posted,
            kind: posted.kind,
            time_ns: posted.time_ns,
            value: posted.value,
            payload: posted.payload,
        };
        for &(client, id) in &source.subscribers {
            let registration = self
                .clients
                .get_mut(&client)
                .and_then(|c| c.registration.as_mut());
            if let Some(registration) = registration
                && !registration.post(id, &event)
            {
                source.info.refused += 1;
            }
        }
    }

    /// [`State::post`] unless a subscriber that asked to be waited for has no room; returns whether it was done.
    fn try_post(&mut self, number: u32, posted: &Posted<'_>) -> bool {
        let Self {
            clients, sources, ..
        } = self;
        let Some(source) = sources.get(&number) else {
            return true;
        };
        // The broker's lock is held until they are posted to, so nobody takes the room away.
        let event = Event {
            source_seq: source.info.posted + 1,
            kind: posted.kind,
            time_ns: posted.time_ns,
            value: posted.value,
            payload: posted.payload,
        };
        let all = source.subscribers.iter().all(|&(client, id)| {
            let registration = clients
                .get_mut(&client)
                .and_then(|c| c.registration.as_mut());
            registration.is_none_or(|r| r.has_room(id, &event))
        });
        if all {
            self.post(number, posted);
        }
        all
    }

    fn destroy(&mut self, number: u32) {
        let Some(source) = self.sources.remove(&number) else {
            return;
        };
        for (client, _) in source.subscribers {
            if let Ok(registration) = self.registration(client) {
                registration.source_gone(number, source.info.posted, now());
            }
        }
    }

    fn unregister(&mut self, client: u64) -> Result<u64, Errno> {
        let entry = self.clients.get_mut(&client).ok_or(Errno::ENOTCONN)?;
        let registration = entry.registration.take().ok_or(Errno::ENOTCONN)?;
        let (counters, discarded) = registration.end();
        entry.past = entry.past.plus(counters);
        for source in self.sources.values_mut() {
            source.subscribers.retain(|&(c, _)| c != client);
        }
        Ok(discarded)
    }

    /// Posts for the timers that are due; returns when the next one is.
    ///
    /// One event stands for all periods that have passed, which is its value. Periods without a subscriber
    /// are not events, so a one-shot timer cannot be missed by subscribing after it was created.
    fn run_timers(&mut self, now: u64) -> Option<u64> {
        let mut due = Vec::new();
        for (&number, source) in &mut self.sources {
            let Some(timer) = source.timer.as_mut().filter(|t| t.deadline <= now) else {
                continue;
            };
            let mut periods = (now - timer.deadline) / timer.period + 1;
            timer.deadline = timer
                .deadline
                .saturating_add(periods.saturating_mul(timer.period));
            if source.subscribers.is_empty() {
                continue;
            }
            if let Some(left) = &mut timer.left {
                periods = periods.min(*left);
                *left -= periods;
                if *left == 0 {
                    source.timer = None;
                }
            }
            due.push((number, periods));
        }
        for (number, periods) in due {
            let posted = Posted {
                kind: abi::KIND_EVENT,
                time_ns: now,
                value: Some(periods),
                payload: &[],
            };
            self.post(number, &posted);
        }
        self.sources
            .values()
            .filter_map(|s| s.timer.as_ref().map(|t| t.deadline))
            .min()
    }
}

/// One client of a broker: its end of what would be an open file.
#[derive(Debug)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    id: u64,
    access: Access,
    blocking: bool,
    bell: OnceLock<Arc<Bell>>,
}

impl Connection {
    /// A descriptor that is readable when this client is.
    pub(crate) fn pollable(&self) -> Result<BorrowedFd<'_>, Errno> {
        if let Some(bell) = self.bell.get() {
            return Ok(bell.as_fd());
        }
        let made = Arc::new(Bell::new()?);
        let bell = self.bell.get_or_init(|| made);
        let mut state = self.shared.lock();
        let client = state.clients.get_mut(&self.id).ok_or(Errno::ENODEV)?;
        if client.bell.replace(Arc::clone(bell)).is_none() {
            state.bells += 1;
        }
        state.ring_bells();
        Ok(bell.as_fd())
    }

    /// That descriptor, if there is one.
    pub(crate) fn made_pollable(&self) -> Option<BorrowedFd<'_>> {
        self.bell.get().map(|bell| bell.as_fd())
    }

    fn may_read(&self) -> Result<(), Errno> {
        self.access.reads().then_some(()).ok_or(Errno::EBADF)
    }

    fn may_write(&self) -> Result<(), Errno> {
        self.access.writes().then_some(()).ok_or(Errno::EBADF)
    }

    /// Starts the thread for timers and exiting targets, or has it look again.
    fn clockwork(&self, state: &mut State) -> Result<(), Errno> {
        match &state.clockwork {
            Some(clockwork) => clockwork.wake(),
            None => state.clockwork = Some(Clockwork::start(Arc::downgrade(&self.shared))?),
        }
        Ok(())
    }

    pub(crate) fn register(
        &self,
        request: &mut abi::Register,
        dispatcher: bool,
    ) -> Result<(), Errno> {
        self.may_read()?;
        self.shared.lock().unregistered(self.id)?;
        // Without the lock: this can wait for a thread to come to rest.
        let registration = Registration::new(request, sys::gettid(), dispatcher)?;
        let mut state = self.shared.lock();
        state.unregistered(self.id)?.registration = Some(registration);
        if let Err(error) = self.clockwork(&mut state) {
            state.unregister(self.id)?;
            return Err(error);
        }
        Ok(())
    }

    pub(crate) fn unregister(&self) -> Result<u64, Errno> {
        let mut state = self.shared.lock();
        let discarded = state.unregister(self.id)?;
        self.shared.notify(&state);
        Ok(discarded)
    }

    pub(crate) fn add_lane(&self, request: &mut abi::Lane, dispatcher: bool) -> Result<(), Errno> {
        self.shared.lock().registration(self.id)?;
        // As above.
        let lane = NewLane::new(request, sys::gettid(), dispatcher)?;
        let mut state = self.shared.lock();
        state.registration(self.id)?.add_lane(lane)?;
        // Started by registering.
        if let Some(clockwork) = &state.clockwork {
            clockwork.wake();
        }
        Ok(())
    }

    pub(crate) fn set_mode(&self, request: &abi::SetMode) -> Result<(), Errno> {
        self.shared.lock().registration(self.id)?.set_mode(request)
    }

    pub(crate) fn arm(&self, request: &abi::Arm) -> Result<(), Errno> {
        self.shared.lock().registration(self.id)?.arm(request)
    }

    pub(crate) fn subscribe(&self, request: &abi::Subscribe) -> Result<(), Errno> {
        let mut state = self.shared.lock();
        let source = request.source;
        // Not registered comes before not there.
        state.registration(self.id)?;
        let found = state.sources.get(&source).ok_or(Errno::ENOENT)?;
        let (flags, subscribers) = (found.info.flags, found.subscribers.len());
        if subscribers >= MAX_SUBSCRIBERS {
            return Err(Errno::ENOSPC);
        }
        let id = state.registration(self.id)?.subscribe(request, flags)?;
        if let Some(source) = state.sources.get_mut(&source) {
            source.subscribers.push((self.id, id));
        }
        Ok(())
    }

    pub(crate) fn unsubscribe(&self, source: u32) -> Result<(), Errno> {
        let mut state = self.shared.lock();
        state.registration(self.id)?.unsubscribe(source)?;
        if let Some(source) = state.sources.get_mut(&source) {
            source.subscribers.retain(|&(client, _)| client != self.id);
        }
        self.shared.notify(&state);
        Ok(())
    }

    pub(crate) fn list_sources(
        &self,
        first: u32,
        entries: &mut [abi::SourceInfo],
    ) -> (usize, usize) {
        let state = self.shared.lock();
        let mut count = 0;
        let mut total = 0;
        for source in state.sources.range(first..).map(|(_, s)| s) {
            if let Some(entry) = entries.get_mut(total) {
                *entry = abi::SourceInfo {
                    subscribers: source.subscribers.len() as u32,
                    ..source.info
                };
                count += 1;
            }
            total += 1;
        }
        (count, total)
    }

    pub(crate) fn create_source(&self, request: &mut abi::CreateSource) -> Result<(), Errno> {
        self.may_write()?;
        let timer = check_source(request)?;
        let mut state = self.shared.lock();
        if state.sources.values().any(|s| s.info.name == request.name) {
            return Err(Errno::EEXIST);
        }
        if state.sources.len() >= MAX_SOURCES {
            return Err(Errno::ENOSPC);
        }
        if timer.is_some() {
            self.clockwork(&mut state)?;
        }
        let number = state.next_source;
        state.next_source += 1;
        state.sources.insert(
            number,
            SourceState {
                info: abi::SourceInfo {
                    number,
                    source_type: request.source_type,
                    flags: if timer.is_some() {
                        0
                    } else {
                        abi::SOURCE_WRITABLE | request.flags
                    },
                    max_payload: request.max_payload,
                    name: request.name,
                    period_ns: request.period_ns,
                    ..abi::SourceInfo::zeroed()
                },
                owner: self.id,
                subscribers: Vec::new(),
                timer,
            },
        );
        request.number = number;
        Ok(())
    }

    pub(crate) fn destroy_source(&self, number: u32) -> Result<(), Errno> {
        let mut state = self.shared.lock();
        let source = state.sources.get(&number).ok_or(Errno::ENOENT)?;
        if source.owner != self.id {
            return Err(Errno::EPERM);
        }
        state.destroy(number);
        self.shared.notify(&state);
        Ok(())
    }

    pub(crate) fn stats(&self) -> Result<abi::Stats, Errno> {
        let state = self.shared.lock();
        let client = state.clients.get(&self.id).ok_or(Errno::ENODEV)?;
        Ok(match &client.registration {
            Some(registration) => registration.stats(client.past),
            None => client.past.stats(0, 0, 0, 0),
        })
    }

    /// Reads from the lane of a signal number, or with 0 from all.
    pub(crate) fn read(&self, buffer: &mut [u8], signo: u32) -> Result<usize, Errno> {
        self.may_read()?;
        let mut state = self.shared.lock();
        loop {
            match state.registration(self.id)?.read(buffer, signo) {
                Err(Errno::EAGAIN) if self.blocking => state = self.wait(state, None).0,
                done => {
                    // There may be room now.
                    self.shared.notify(&state);
                    return done;
                }
            }
        }
    }

    /// Waits for [`Shared::readable`]; also says whether the time was up.
    fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        timeout: Option<Duration>,
    ) -> (MutexGuard<'a, State>, bool) {
        state.waiting += 1;
        let condvar = &self.shared.readable;
        let (mut state, late) = if let Some(timeout) = timeout {
            let (state, result) = condvar
                .wait_timeout(state, timeout)
                .unwrap_or_else(PoisonError::into_inner);
            (state, result.timed_out())
        } else {
            let state = condvar.wait(state).unwrap_or_else(PoisonError::into_inner);
            (state, false)
        };
        state.waiting -= 1;
        (state, late)
    }

    pub(crate) fn pread(&self, buffer: &mut [u8], handle: u64) -> Result<usize, Errno> {
        self.may_read()?;
        let mut state = self.shared.lock();
        let done = state.registration(self.id)?.pread(buffer, handle);
        self.shared.notify(&state);
        done
    }

    pub(crate) fn map(&self, handle: u64, len: usize) -> Result<Vec<u8>, Errno> {
        self.may_read().map_err(|_| Errno::EACCES)?;
        let mut state = self.shared.lock();
        state.registration(self.id)?.map(handle, len)
    }

    pub(crate) fn poll(&self, timeout: Option<Duration>) -> Result<Readiness, Errno> {
        // A timeout too far away to be represented is none.
        let deadline = timeout.and_then(|t| Instant::now().checked_add(t));
        let mut state = self.shared.lock();
        loop {
            let readable = self.access.reads()
                && state
                    .registration(self.id)
                    .is_ok_and(|registration| registration.is_readable());
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            if readable || left == Some(Duration::ZERO) {
                return Ok(Readiness {
                    readable,
                    writable: self.access.writes(),
                });
            }
            state = self.wait(state, left).0;
        }
    }

    pub(crate) fn post(&self, head: &abi::Post, payload: &[u8]) -> Result<(), Errno> {
        self.may_write()?;
        let state = self.shared.lock();
        state.check_post(head)?;
        let (state, done) = self.post_waiting(state, head, payload);
        self.shared.notify(&state);
        done
    }

    /// Posts one event, at a blocking source when there is room; the lock is released while it waits.
    ///
    /// # Errors
    ///
    /// `EAGAIN`: there is none, and this client does not wait. `ENODEV`: the source has gone meanwhile.
    fn post_waiting<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        head: &abi::Post,
        payload: &[u8],
    ) -> (MutexGuard<'a, State>, Result<(), Errno>) {
        loop {
            let Some(source) = state.sources.get(&head.source) else {
                return (state, Err(Errno::ENODEV));
            };
            let blocks = source.info.flags & abi::SOURCE_BLOCKING != 0;
            let posted = posted(head, payload, now());
            if !blocks {
                state.post(head.source, &posted);
                return (state, Ok(()));
            }
            if state.try_post(head.source, &posted) {
                return (state, Ok(()));
            }
            if !self.blocking {
                return (state, Err(Errno::EAGAIN));
            }
            // What has been posted before this waits to be read.
            self.shared.notify(&state);
            state = self.wait(state, None).0;
        }
    }

    pub(crate) fn stream_gap(&self) -> Result<abi::StreamGap, Errno> {
        self.shared.lock().registration(self.id)?.stream_gap()
    }

    /// There are no drivers here, so every source that exists takes no calls.
    pub(crate) fn call(&self, number: u32) -> Errno {
        if let Err(errno) = self.may_write() {
            return errno;
        }
        match self.shared.lock().sources.get(&number) {
            Some(_) => Errno::EOPNOTSUPP,
            None => Errno::ENOENT,
        }
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        self.may_write()?;
        if bytes.len() > abi::MAX_WRITE {
            return Err(Errno::EMSGSIZE);
        }
        if bytes.is_empty() {
            return Err(Errno::EINVAL);
        }
        let mut state = self.shared.lock();
        for frame in Frames(bytes) {
            state.check_post(&frame?.0)?;
        }
        let mut frames = Frames(bytes);
        let mut done = Ok(bytes.len());
        loop {
            let taken = bytes.len() - frames.0.len();
            let Some(Ok((head, payload))) = frames.next() else {
                break;
            };
            let result;
            (state, result) = self.post_waiting(state, &head, payload);
            if let Err(errno) = result {
                done = if taken > 0 { Ok(taken) } else { Err(errno) };
                break;
            }
        }
        self.shared.notify(&state);
        done
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if sys::process_id() != self.shared.pid {
            return;
        }
        let mut state = self.shared.lock();
        // Not being registered is fine here.
        state.unregister(self.id).ok();
        let own: Vec<u32> = state
            .sources
            .iter()
            .filter(|(_, s)| s.owner == self.id)
            .map(|(&n, _)| n)
            .collect();
        for number in own {
            state.destroy(number);
        }
        let client = state.clients.remove(&self.id);
        if client.is_some_and(|client| client.bell.is_some()) {
            state.bells -= 1;
        }
        self.shared.notify(&state);
    }
}

impl State {
    /// Everything that can be wrong with a post except its length in the buffer.
    fn check_post(&self, head: &abi::Post) -> Result<(), Errno> {
        let value_without_flag = head.flags & abi::POST_VALUE == 0 && head.value != 0;
        if head.size as usize != abi::Post::BYTES
            || head.flags & !abi::POST_VALUE != 0
            || head.reserved != 0
            || head.kind >= abi::FIRST_RESERVED_KIND
            || value_without_flag
        {
            return Err(Errno::EINVAL);
        }
        let source = self.sources.get(&head.source).ok_or(Errno::ENOENT)?;
        if source.info.flags & abi::SOURCE_WRITABLE == 0 {
            return Err(Errno::EPERM);
        }
        if source.info.flags & abi::SOURCE_STREAM != 0 && head.flags & abi::POST_VALUE != 0 {
            return Err(Errno::EINVAL);
        }
        if head.payload_len > source.info.max_payload {
            return Err(Errno::EMSGSIZE);
        }
        Ok(())
    }
}

fn posted<'a>(head: &abi::Post, payload: &'a [u8], time_ns: u64) -> Posted<'a> {
    Posted {
        kind: head.kind,
        time_ns,
        value: (head.flags & abi::POST_VALUE != 0).then_some(head.value),
        payload,
    }
}

/// The frames of a `write`; ends after the first malformed one.
struct Frames<'a>(&'a [u8]);

impl<'a> Iterator for Frames<'a> {
    type Item = Result<(abi::Post, &'a [u8]), Errno>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some((head, rest)) = self.0.split_first_chunk() else {
            self.0 = &[];
            return Some(Err(Errno::EINVAL));
        };
        let head = abi::Post::from_bytes(head);
        let len = head.payload_len as usize;
        let Some(payload) = rest.get(..len) else {
            self.0 = &[];
            return Some(Err(Errno::EINVAL));
        };
        // The last frame may go without its padding.
        self.0 = rest.get(abi::frame_align(len)..).unwrap_or(&[]);
        Some(Ok((head, payload)))
    }
}

/// Checks what a source is to be created with; a timer source's timer starts now.
fn check_source(request: &abi::CreateSource) -> Result<Option<Timer>, Errno> {
    let len = request.name.iter().position(|&b| b == 0);
    let (name, rest) = request.name.split_at(len.ok_or(Errno::EINVAL)?);
    let good = |b: &u8| b.is_ascii_graphic() && *b != b'/';
    if request.flags & !(abi::SOURCE_BLOCKING | abi::SOURCE_STREAM) != 0
        || request.reserved0 != 0
        || request.reserved != [0; 2]
        || name.is_empty()
        || !name.iter().all(good)
        || rest.iter().any(|&b| b != 0)
        || request.max_payload as usize > abi::MAX_PAYLOAD
    {
        return Err(Errno::EINVAL);
    }
    match request.source_type {
        abi::SOURCE_USER
            if request.period_ns == 0 && request.count == 0 && request.first_ns == 0 =>
        {
            Ok(None)
        }
        abi::SOURCE_TIMER
            if request.max_payload == 0
                && request.flags == 0
                && request.period_ns >= abi::MIN_TIMER_PERIOD_NS
                && i64::try_from(request.period_ns).is_ok()
                && i64::try_from(request.first_ns).is_ok() =>
        {
            let first = match request.first_ns {
                0 => request.period_ns,
                first => first,
            };
            Ok(Some(Timer {
                deadline: now().saturating_add(first),
                period: request.period_ns,
                left: (request.count != 0).then_some(request.count),
            }))
        }
        _ => Err(Errno::EINVAL),
    }
}
