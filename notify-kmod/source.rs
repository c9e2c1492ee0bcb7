// SPDX-License-Identifier: GPL-2.0

//! Sources: who posts, who is subscribed, and the table of them all.
//!
//! A number is never used twice while the module is loaded, so a stale one names nothing.
//!
//! How an event gets from a source to its subscribers stands in [`super::posting`].

use super::{
    abi,
    call::{self, Calls},
    client::Client,
    error,
    irq_lock::{new_irq_lock, IrqLock},
    machine::SubscriptionId,
    outbox::Part,
    posting::{Kept, KEPT},
    timer::Timer,
};
use kernel::{
    bindings,
    ffi::{c_int, c_void},
    new_condvar, new_mutex,
    prelude::*,
    sync::{Arc, ArcBorrow, CondVar, Mutex},
};

/// Sources at once.
const MAX_SOURCES: usize = 1024;
/// Subscribers of one source.
const MAX_SUBSCRIBERS: usize = 64;

kernel::sync::global_lock! {
    // SAFETY: Initialised by `init` before the device or an exported symbol can be used.
    unsafe(uninit) static REGISTRY: Mutex<Registry> = Registry { sources: KVec::new(), next: 1 };
}

struct Registry {
    sources: KVec<Arc<Source>>,
    next: u32,
}

/// Initialises the table.
///
/// # Safety
///
/// Called exactly once, before anything else in this file.
pub(crate) unsafe fn init() {
    // SAFETY: Promised by the caller.
    unsafe { REGISTRY.init() };
}

/// Frees the table's memory, which a static would leave behind when the module is unloaded.
pub(crate) fn exit() {
    drop(core::mem::take(&mut REGISTRY.lock().sources));
}

/// Takes a `write`, or starts a call; returns 0 or a negative errno.
pub(crate) type WriteFunction = unsafe extern "C" fn(
    context: *mut c_void,
    kind: u16,
    value: u64,
    data: *const c_void,
    len: usize,
) -> c_int;

/// Starts the call `token`, for at most `room` bytes of answer; returns 0 or a negative errno.
pub(crate) type CallFunction = unsafe extern "C" fn(
    context: *mut c_void,
    token: u64,
    kind: u16,
    value: u64,
    data: *const c_void,
    len: usize,
    room: usize,
) -> c_int;

/// What a driver does for processes. The shared functions are given memory that the process may be writing.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Ops {
    pub(crate) write: Option<WriteFunction>,
    pub(crate) call: Option<CallFunction>,
    pub(crate) flags: u32,
    pub(crate) write_shared: Option<WriteFunction>,
    pub(crate) call_shared: Option<CallFunction>,
}

impl Ops {
    pub(crate) fn takes_writes(&self) -> bool {
        self.write.is_some() || self.write_shared.is_some()
    }

    pub(crate) fn takes_calls(&self) -> bool {
        self.call.is_some() || self.call_shared.is_some()
    }
}

/// A driver's functions, and what they are given.
pub(crate) struct Driver {
    pub(crate) ops: Ops,
    pub(crate) context: *mut c_void,
}

/// What a process has given for a driver.
#[derive(Clone, Copy)]
pub(crate) enum Given<'a> {
    /// The kernel's own bytes.
    Own(&'a [u8]),
    /// Those of an outbox.
    Shared(&'a Part<'a>),
}

impl Given<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Own(bytes) => bytes.len(),
            Self::Shared(part) => part.len(),
        }
    }

    /// Gives them to whichever of a driver's functions takes them: `own` only bytes that nobody changes, `shared`
    /// any.
    fn hand_over<F>(
        self,
        own: Option<F>,
        shared: Option<F>,
        give: impl FnOnce(F, *const c_void, usize) -> c_int,
    ) -> Result {
        let copy;
        let (function, data) = match (self, own, shared) {
            (Self::Own(bytes), Some(function), _) | (Self::Own(bytes), None, Some(function)) => {
                (function, bytes.as_ptr().cast())
            }
            (Self::Shared(part), _, Some(function)) => (function, part.start()),
            (Self::Shared(part), Some(function), None) => {
                copy = part.copied()?;
                (function, copy.as_ptr().cast())
            }
            (_, None, None) => return Err(EPERM),
        };
        kernel::error::to_result(give(function, data, self.len()))
    }
}

// SAFETY: The driver promises, when it registers, that its functions may be called with its context from any
// process context; calls are serialised by the source's mutex.
unsafe impl Send for Driver {}

/// A source.
#[pin_data]
pub(crate) struct Source {
    pub(crate) number: u32,
    name: [u8; abi::NAME_LEN],
    source_type: u32,
    flags: u32,
    pub(super) max_payload: usize,
    period_ns: u64,
    #[pin]
    pub(super) state: IrqLock<State>,
    /// A reservation has ended, and somebody waits for that.
    #[pin]
    pub(super) settled: CondVar,
    /// A driver's functions; held while one runs, so that unregistering waits for it.
    #[pin]
    driver: Mutex<Option<Driver>>,
    #[pin]
    calls: Calls,
}

pub(super) struct State {
    /// Number of the source.
    pub(super) number: u32,
    pub(super) posted: u64,
    pub(super) refused: u64,
    pub(super) gone: bool,
    pub(super) subscribers: KVec<Subscriber>,
    /// Which reservations are in use, a bit each; see [`super::posting`].
    pub(super) reserved: u32,
    /// Who waits for one of them to end.
    pub(super) waiting: u32,
}

pub(super) struct Subscriber {
    pub(super) client: Arc<Client>,
    pub(super) id: SubscriptionId,
    /// The producers that can wait do so until this one has room.
    pub(super) waited_for: bool,
    /// What each reservation keeps there.
    pub(super) kept: [Kept; KEPT],
}

/// What a source is created from.
pub(crate) struct Description {
    pub(crate) name: [u8; abi::NAME_LEN],
    pub(crate) source_type: u32,
    pub(crate) max_payload: usize,
    pub(crate) period_ns: u64,
    /// `SOURCE_BLOCKING` and `SOURCE_STREAM`.
    pub(crate) flags: u32,
    pub(crate) driver: Option<Driver>,
}

/// Whether `name` is NUL-terminated, not empty, printable ASCII without `/`, with nothing after the NUL.
fn is_valid_name(name: &[u8; abi::NAME_LEN]) -> bool {
    let Some(len) = name.iter().position(|&byte| byte == 0) else {
        return false;
    };
    len > 0
        && name[..len]
            .iter()
            .all(|&byte| byte.is_ascii_graphic() && byte != b'/')
        && name[len..].iter().all(|&byte| byte == 0)
}

impl Source {
    /// Creates a source and lists it.
    ///
    /// # Errors
    ///
    /// `EINVAL`: bad name or too large a payload. `EEXIST`: the name is taken. `ENOSPC`: too many.
    pub(crate) fn register(description: Description) -> Result<Arc<Self>> {
        if !is_valid_name(&description.name) || description.max_payload > abi::MAX_PAYLOAD {
            return Err(EINVAL);
        }
        // Subscribing must not allocate under the lock.
        let subscribers = KVec::with_capacity(MAX_SUBSCRIBERS, GFP_KERNEL_ACCOUNT)?;
        let driver = description.driver;
        let takes_calls = driver.as_ref().is_some_and(|d| d.ops.takes_calls());
        let mut flags = description.flags;
        if description.source_type == abi::SOURCE_USER
            || driver.as_ref().is_some_and(|d| d.ops.takes_writes())
        {
            flags |= abi::SOURCE_WRITABLE;
        }
        if takes_calls {
            flags |= abi::SOURCE_CALLABLE;
        }

        let mut registry = REGISTRY.lock();
        if registry
            .sources
            .iter()
            .any(|source| source.name == description.name)
        {
            return Err(EEXIST);
        }
        if registry.sources.len() >= MAX_SOURCES {
            return Err(ENOSPC);
        }
        let number = registry.next;
        let next = number.checked_add(1).ok_or(ENOSPC)?;
        let source = Arc::pin_init(
            try_pin_init!(Self {
                number,
                name: description.name,
                source_type: description.source_type,
                flags,
                max_payload: description.max_payload,
                period_ns: description.period_ns,
                state <- new_irq_lock!(
                    State {
                        number: *number,
                        posted: 0,
                        refused: 0,
                        gone: false,
                        subscribers,
                        reserved: 0,
                        waiting: 0,
                    },
                    "rtnotify_source"
                ),
                settled <- new_condvar!("rtnotify_settled"),
                driver <- new_mutex!(driver, "rtnotify_driver"),
                calls <- Calls::new(),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        if takes_calls {
            source.calls.prepare()?;
        }
        registry.sources.push(source.clone(), GFP_KERNEL_ACCOUNT)?;
        registry.next = next;
        Ok(source)
    }

    /// Takes the source off the list and ends its subscriptions. A driver's function runs no more when this
    /// returns. May sleep.
    pub(crate) fn unregister(&self) {
        REGISTRY
            .lock()
            .sources
            .retain(|source| source.number != self.number);
        let (subscribers, last) = {
            let mut state = self.state.lock();
            state.gone = true;
            while state.reserved != 0 {
                self.wait_settled(&mut state);
            }
            (core::mem::take(&mut state.subscribers), state.posted)
        };
        let time_ns = now();
        // This wakes a driver's function that waits for room, which has to end before the driver can.
        for subscriber in subscribers {
            subscriber.client.source_gone(self.number, last, time_ns);
        }
        *self.driver.lock() = None;
        // No call can be started any more.
        self.calls.end();
    }

    /// Whether a `write` of `post` with `len` bytes would be taken.
    ///
    /// # Errors
    ///
    /// `EPERM`: the source takes no writes. `EMSGSIZE`: too long. `EINVAL`: a value for a stream of bytes.
    pub(crate) fn check_write(&self, post: &abi::Post, len: usize) -> Result {
        if self.flags & abi::SOURCE_WRITABLE == 0 {
            return Err(EPERM);
        }
        // What a driver makes of a value is its own affair.
        if self.source_type == abi::SOURCE_USER
            && self.flags & abi::SOURCE_STREAM != 0
            && post.flags & abi::POST_VALUE != 0
        {
            return Err(EINVAL);
        }
        if len > self.max_payload {
            return Err(EMSGSIZE);
        }
        Ok(())
    }

    /// A process writes: a user source posts it, a driver gets it. May sleep; a blocking source waits for
    /// room, until `deadline` if there is one.
    ///
    /// # Errors
    ///
    /// The driver's, `ENODEV` if it has gone meanwhile, or those of [`Source::post_wait`].
    pub(crate) fn write(
        &self,
        kind: u16,
        value: Option<u64>,
        given: Given<'_>,
        deadline: Option<u64>,
    ) -> Result {
        if self.source_type == abi::SOURCE_USER {
            return match given {
                Given::Own(payload) if self.is_blocking() => self
                    .post_wait(kind, value, payload, None, deadline)
                    .map(drop),
                Given::Own(payload) => self.post(kind, value, payload, now()).map(drop),
                Given::Shared(part) if self.is_blocking() => self
                    .post_wait(kind, value, &part.copied()?, None, deadline)
                    .map(drop),
                Given::Shared(part) => self.post_part(kind, value, part).map(drop),
            };
        }
        let guard = self.driver.lock();
        let driver = guard.as_ref().ok_or(ENODEV)?;
        let ops = &driver.ops;
        given.hand_over(ops.write, ops.write_shared, |write, data, len| {
            // SAFETY: The driver has promised that this may be called until it unregisters the source, which
            // waits for the mutex. The data is valid for the call.
            unsafe { write(driver.context, kind, value.unwrap_or(0), data, len) }
        })
    }

    /// Whether the source takes a call with a message of `len` bytes; returns how long its answer can be, at
    /// most `room`.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP`: it takes no calls. `EMSGSIZE`: too long.
    pub(crate) fn check_call(&self, len: usize, room: usize) -> Result<usize> {
        if self.flags & abi::SOURCE_CALLABLE == 0 {
            return Err(error::not_supported());
        }
        if len > self.max_payload {
            return Err(EMSGSIZE);
        }
        Ok(room.min(self.max_payload))
    }

    /// Calls the driver as `request` says, with `message`, and waits for its answer of at most `room` bytes;
    /// returns it and its length. May sleep.
    ///
    /// # Errors
    ///
    /// The driver's, and those of [`Calls`].
    pub(crate) fn call(
        &self,
        request: &abi::Call,
        message: Given<'_>,
        room: usize,
    ) -> Result<(KVVec<u8>, usize)> {
        let deadline = call::deadline(request.timeout_ns);
        let mut answer = KVVec::new();
        answer.resize(room, 0, GFP_KERNEL_ACCOUNT)?;
        let ticket = self.calls.join(answer)?;
        {
            let guard = self.driver.lock();
            let driver = guard.as_ref().ok_or(ENODEV)?;
            let (token, kind, value) = (ticket.token, request.kind, request.value);
            let ops = &driver.ops;
            message.hand_over(ops.call, ops.call_shared, |call, data, len| {
                // SAFETY: As for `write`.
                unsafe { call(driver.context, token, kind, value, data, len, room) }
            })?;
        }
        ticket.wait(deadline)
    }

    /// Answers a call; see [`Calls::complete`].
    pub(crate) fn complete(&self, token: u64, answer: Result<&[u8]>) -> Result {
        self.calls.complete(token, answer)
    }

    /// Answers every call that waits; see [`Calls::complete_all`].
    pub(crate) fn complete_all(&self, answer: &[u8]) {
        self.calls.complete_all(answer);
    }

    /// Whether those who write to it wait for room.
    fn is_blocking(&self) -> bool {
        self.flags & abi::SOURCE_BLOCKING != 0
    }

    /// Whether what processes write is posted at once, so that several messages can be posted together.
    pub(crate) fn posts_at_once(&self) -> bool {
        self.source_type == abi::SOURCE_USER && !self.is_blocking()
    }

    /// Whether the payloads are a stream of bytes.
    pub(crate) fn is_stream(&self) -> bool {
        self.flags & abi::SOURCE_STREAM != 0
    }

    /// Whether it has ended; any context.
    pub(crate) fn is_gone(&self) -> bool {
        self.state.lock().gone
    }

    /// Whether anybody is subscribed; any context.
    pub(crate) fn has_subscribers(&self) -> bool {
        !self.state.lock().subscribers.is_empty()
    }

    /// What the listing says of it.
    pub(crate) fn info(&self) -> abi::SourceInfo {
        let state = self.state.lock();
        abi::SourceInfo {
            number: self.number,
            source_type: self.source_type,
            flags: self.flags,
            max_payload: self.max_payload as u32,
            posted: state.posted,
            subscribers: state.subscribers.len() as u32,
            reserved: 0,
            name: self.name,
            period_ns: self.period_ns,
            refused: state.refused,
        }
    }
}

/// The time that records carry, in nanoseconds on `CLOCK_MONOTONIC`.
pub(crate) fn now() -> u64 {
    // SAFETY: Just an FFI call, allowed in any context but NMI.
    unsafe { bindings::ktime_get() as u64 }
}

/// The source with this number.
///
/// # Errors
///
/// `ENOENT`.
pub(crate) fn find(number: u32) -> Result<Arc<Source>> {
    let registry = REGISTRY.lock();
    let source = registry
        .sources
        .iter()
        .find(|source| source.number == number);
    source.cloned().ok_or(ENOENT)
}

/// What the listing says of every source from number `first` on.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn list(first: u32) -> Result<KVec<abi::SourceInfo>> {
    let registry = REGISTRY.lock();
    let mut infos = KVec::with_capacity(registry.sources.len(), GFP_KERNEL_ACCOUNT)?;
    for source in registry.sources.iter().filter(|s| s.number >= first) {
        infos.push(source.info(), GFP_KERNEL_ACCOUNT)?;
    }
    Ok(infos)
}

/// Lists `client` among the subscribers of a source.
///
/// # Errors
///
/// `ENOENT`: no such source. `ENOSPC`: it has too many subscribers.
pub(crate) fn add_subscriber(
    number: u32,
    client: Arc<Client>,
    id: SubscriptionId,
    waited_for: bool,
) -> Result {
    let source = find(number)?;
    let mut state = source.state.lock();
    if state.gone {
        return Err(ENOENT);
    }
    state
        .subscribers
        .push_within_capacity(Subscriber {
            client,
            id,
            waited_for,
            kept: [const { Kept::Nothing }; KEPT],
        })
        .map_err(|_| ENOSPC)
}

/// Takes `client` off the list of one source; nothing is delivered to it from there when this returns.
pub(crate) fn remove_subscription(number: u32, client: ArcBorrow<'_, Client>) {
    if let Ok(source) = find(number) {
        remove_from(&source, client);
    }
}

/// Takes `client` off the list of every source.
pub(crate) fn remove_subscriber(client: ArcBorrow<'_, Client>) {
    for source in &REGISTRY.lock().sources {
        remove_from(source, client);
    }
}

/// Waits for those who write into the client's memory: they have reserved room there.
fn remove_from(source: &Source, client: ArcBorrow<'_, Client>) {
    let client: *const Client = &*client;
    let mut state = source.state.lock();
    while let Some(index) = state
        .subscribers
        .iter()
        .position(|subscriber| core::ptr::eq(&*subscriber.client, client))
    {
        if state.subscribers[index].keeps_nothing() {
            // The open file holds a reference, so the one dropped here is not the last.
            let _ = state.subscribers.remove(index);
            break;
        }
        source.wait_settled(&mut state);
    }
}

/// A source that an open file created, and that goes with it.
pub(crate) enum Owned {
    /// Posted to with `write`.
    User(Arc<Source>),
    /// Posts by itself.
    Timer(Timer),
}

impl Owned {
    /// Creates a source as a process asked for it, and fills in its number.
    ///
    /// # Errors
    ///
    /// `EINVAL`, and those of [`Source::register`].
    pub(crate) fn create(request: &mut abi::CreateSource) -> Result<Self> {
        if request.flags & !(abi::SOURCE_BLOCKING | abi::SOURCE_STREAM) != 0
            || request.reserved0 != 0
            || request.reserved != [0; 2]
        {
            return Err(EINVAL);
        }
        let description = Description {
            name: request.name,
            source_type: request.source_type,
            max_payload: request.max_payload as usize,
            period_ns: request.period_ns,
            flags: request.flags,
            driver: None,
        };
        let owned = match request.source_type {
            abi::SOURCE_USER
                if request.period_ns == 0 && request.count == 0 && request.first_ns == 0 =>
            {
                Self::User(Source::register(description)?)
            }
            abi::SOURCE_TIMER
                if request.max_payload == 0
                    && request.flags == 0
                    && request.period_ns >= abi::MIN_TIMER_PERIOD_NS
                    && i64::try_from(request.period_ns).is_ok()
                    && i64::try_from(request.first_ns).is_ok() =>
            {
                Self::Timer(Timer::start(description, request.first_ns, request.count)?)
            }
            _ => return Err(EINVAL),
        };
        request.number = owned.number();
        Ok(owned)
    }

    fn source(&self) -> &Source {
        match self {
            Self::User(source) => source,
            Self::Timer(timer) => timer.source(),
        }
    }

    /// Number of the source.
    pub(crate) fn number(&self) -> u32 {
        self.source().number
    }

    /// What the listing says of it.
    pub(crate) fn info(&self) -> abi::SourceInfo {
        self.source().info()
    }

    /// Ends the source. May sleep.
    pub(crate) fn remove(self) {
        match self {
            Self::User(source) => source.unregister(),
            Self::Timer(timer) => timer.stop(),
        }
    }
}
