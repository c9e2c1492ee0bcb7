// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a broker knows: clients with their registrations, sources with their subscribers.
//!
//! A plain value without a lock. The loopback keeps it behind a mutex, the broker for several processes in its one
//! thread; both do with it exactly what is said here.

use std::collections::{BTreeMap, HashMap};

use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};
use rtnotify_core::abi;
use rtnotify_core::machine::{Counters, Event, SubscriptionId};

use super::registration::Registration;

/// Sources that one broker holds at most.
const MAX_SOURCES: usize = 1024;
/// Subscribers that one source has at most.
const MAX_SUBSCRIBERS: usize = 64;

#[derive(Debug)]
pub(crate) struct State {
    clients: HashMap<u64, ClientState>,
    sources: BTreeMap<u32, SourceState>,
    next_client: u64,
    next_source: u32,
}

#[derive(Debug, Default)]
struct ClientState {
    registration: Option<Registration>,
    /// Counters of registrations that have ended.
    past: Counters,
}

#[derive(Debug)]
struct SourceState {
    info: abi::SourceInfo,
    owner: u64,
    subscribers: Vec<(u64, SubscriptionId)>,
    timer: Option<Timer>,
}

#[derive(Debug)]
pub(crate) struct Timer {
    /// Next expiration on `CLOCK_MONOTONIC`, in nanoseconds.
    deadline: u64,
    period: u64,
    /// Expirations to come; `None`: without end.
    left: Option<u64>,
}

/// Nanoseconds on `CLOCK_MONOTONIC`.
pub(crate) fn now() -> u64 {
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
    /// Nobody and nothing.
    pub(crate) fn new() -> Self {
        Self {
            clients: HashMap::new(),
            sources: BTreeMap::new(),
            next_client: 1,
            next_source: 1,
        }
    }

    /// Lets in one more client; returns its number.
    pub(crate) fn add_client(&mut self) -> u64 {
        let id = self.next_client;
        self.next_client += 1;
        self.clients.insert(id, ClientState::default());
        id
    }

    /// Ends all that a client has: its registration, then its sources, whose subscribers are told.
    pub(crate) fn remove_client(&mut self, client: u64) {
        // Not being registered is fine here.
        self.unregister(client).ok();
        let own: Vec<u32> = self
            .sources
            .iter()
            .filter(|(_, s)| s.owner == client)
            .map(|(&n, _)| n)
            .collect();
        for number in own {
            self.destroy(number);
        }
        self.clients.remove(&client);
    }

    /// Every registration there is.
    pub(crate) fn registrations(&mut self) -> impl Iterator<Item = &mut Registration> {
        self.clients
            .values_mut()
            .filter_map(|client| client.registration.as_mut())
    }

    /// The registration of a client.
    pub(crate) fn registration(&mut self, client: u64) -> Result<&mut Registration, Errno> {
        self.clients
            .get_mut(&client)
            .and_then(|c| c.registration.as_mut())
            .ok_or(Errno::ENOTCONN)
    }

    /// Whether a client can register.
    pub(crate) fn check_unregistered(&self, client: u64) -> Result<(), Errno> {
        match self.clients.get(&client) {
            None => Err(Errno::ENODEV),
            Some(client) if client.registration.is_some() => Err(Errno::EBUSY),
            Some(_) => Ok(()),
        }
    }

    /// Registers a client that is not.
    pub(crate) fn register(
        &mut self,
        client: u64,
        registration: Registration,
    ) -> Result<(), Errno> {
        self.check_unregistered(client)?;
        if let Some(client) = self.clients.get_mut(&client) {
            client.registration = Some(registration);
        }
        Ok(())
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

    /// Ends a registration; returns how many events were still queued.
    pub(crate) fn unregister(&mut self, client: u64) -> Result<u64, Errno> {
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
    pub(crate) fn run_timers(&mut self, now: u64) -> Option<u64> {
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

    /// Subscribes a client's registration to a source.
    pub(crate) fn subscribe(&mut self, client: u64, request: &abi::Subscribe) -> Result<(), Errno> {
        let source = request.source;
        // Not registered comes before not there.
        self.registration(client)?;
        let found = self.sources.get(&source).ok_or(Errno::ENOENT)?;
        let (flags, subscribers) = (found.info.flags, found.subscribers.len());
        if subscribers >= MAX_SUBSCRIBERS {
            return Err(Errno::ENOSPC);
        }
        let id = self.registration(client)?.subscribe(request, flags)?;
        if let Some(source) = self.sources.get_mut(&source) {
            source.subscribers.push((client, id));
        }
        Ok(())
    }

    /// Ends a subscription.
    pub(crate) fn unsubscribe(&mut self, client: u64, source: u32) -> Result<(), Errno> {
        self.registration(client)?.unsubscribe(source)?;
        if let Some(source) = self.sources.get_mut(&source) {
            source.subscribers.retain(|&(c, _)| c != client);
        }
        Ok(())
    }

    /// Lists sources from number `first` on; returns how many were written and how many match.
    pub(crate) fn list_sources(
        &self,
        first: u32,
        entries: &mut [abi::SourceInfo],
    ) -> (usize, usize) {
        let mut count = 0;
        let mut total = 0;
        for source in self.sources.range(first..).map(|(_, s)| s) {
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

    /// Checks what a source is to be created with, for a client that may write.
    pub(crate) fn check_source(&self, request: &abi::CreateSource) -> Result<Option<Timer>, Errno> {
        let timer = check_source(request)?;
        if self.sources.values().any(|s| s.info.name == request.name) {
            return Err(Errno::EEXIST);
        }
        if self.sources.len() >= MAX_SOURCES || self.next_source == u32::MAX {
            return Err(Errno::ENOSPC);
        }
        Ok(timer)
    }

    /// Creates a source that [`State::check_source`] has found good; its number is written back.
    pub(crate) fn create_source(
        &mut self,
        client: u64,
        request: &mut abi::CreateSource,
        timer: Option<Timer>,
    ) {
        let number = self.next_source;
        self.next_source += 1;
        self.sources.insert(
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
                owner: client,
                subscribers: Vec::new(),
                timer,
            },
        );
        request.number = number;
    }

    /// Destroys a source that this client created.
    pub(crate) fn destroy_source(&mut self, client: u64, number: u32) -> Result<(), Errno> {
        let source = self.sources.get(&number).ok_or(Errno::ENOENT)?;
        if source.owner != client {
            return Err(Errno::EPERM);
        }
        self.destroy(number);
        Ok(())
    }

    /// The counters of a client.
    pub(crate) fn stats(&self, client: u64) -> Result<abi::Stats, Errno> {
        let client = self.clients.get(&client).ok_or(Errno::ENODEV)?;
        Ok(match &client.registration {
            Some(registration) => registration.stats(client.past),
            None => client.past.stats(0, 0, 0, 0),
        })
    }

    /// Whether a `read` would not have to wait.
    pub(crate) fn is_readable(&mut self, client: u64) -> bool {
        self.registration(client)
            .is_ok_and(|registration| registration.is_readable())
    }

    /// Whether a `read` would have something to say: also that there is no registration.
    pub(crate) fn would_not_wait(&self, client: u64) -> bool {
        let client = self.clients.get(&client);
        let registration = client.and_then(|client| client.registration.as_ref());
        registration.is_none_or(Registration::is_readable)
    }

    /// Posts one event that [`State::check_post`] has found good, at a blocking source if there is room; whether
    /// there was.
    ///
    /// # Errors
    ///
    /// `ENODEV`: the source has gone meanwhile.
    pub(crate) fn offer(&mut self, head: &abi::Post, payload: &[u8]) -> Result<bool, Errno> {
        let source = self.sources.get(&head.source).ok_or(Errno::ENODEV)?;
        let blocks = source.info.flags & abi::SOURCE_BLOCKING != 0;
        let posted = posted(head, payload, now());
        if blocks {
            return Ok(self.try_post(head.source, &posted));
        }
        self.post(head.source, &posted);
        Ok(true)
    }

    /// What calling a source gives: there are no drivers here, so every one that exists takes no calls.
    pub(crate) fn call(&self, number: u32) -> Errno {
        match self.sources.get(&number) {
            Some(_) => Errno::EOPNOTSUPP,
            None => Errno::ENOENT,
        }
    }

    /// Checks a whole `write`.
    pub(crate) fn check_write(&self, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.len() > abi::MAX_WRITE {
            return Err(Errno::EMSGSIZE);
        }
        if bytes.is_empty() {
            return Err(Errno::EINVAL);
        }
        for frame in Frames(bytes) {
            self.check_post(&frame?.0)?;
        }
        Ok(())
    }

    /// Posts the frames of `bytes` from offset `*taken` on, which [`State::check_write`] has found good, and moves
    /// that on; whether all could be posted without waiting.
    ///
    /// # Errors
    ///
    /// As for [`State::offer`].
    pub(crate) fn write(&mut self, bytes: &[u8], taken: &mut usize) -> Result<bool, Errno> {
        let mut frames = Frames(bytes.get(*taken..).unwrap_or(&[]));
        loop {
            *taken = bytes.len() - frames.0.len();
            let Some(Ok((head, payload))) = frames.next() else {
                return Ok(true);
            };
            if !self.offer(&head, payload)? {
                return Ok(false);
            }
        }
    }
}

impl State {
    /// Everything that can be wrong with a post except its length in the buffer.
    pub(crate) fn check_post(&self, head: &abi::Post) -> Result<(), Errno> {
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
