// SPDX-License-Identifier: GPL-2.0

//! Sources: who posts, who is subscribed, and the table of them all.
//!
//! A number is never used twice while the module is loaded, so a stale one names nothing.

use super::{
    abi,
    client::Client,
    irq_lock::{new_irq_lock, IrqLock},
    machine::{Event, SubscriptionId},
    timer::Timer,
    trace,
};
use kernel::{
    bindings,
    ffi::{c_int, c_void},
    new_mutex,
    prelude::*,
    sync::{Arc, ArcBorrow, Mutex},
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

/// What a driver source does with a `write`.
pub(crate) struct DriverWrite {
    pub(crate) function: unsafe extern "C" fn(
        context: *mut c_void,
        kind: u16,
        value: u64,
        data: *const c_void,
        len: usize,
    ) -> c_int,
    pub(crate) context: *mut c_void,
}

// SAFETY: The driver promises, when it registers, that its function may be called with its context from any
// process context; calls are serialised by the source's mutex.
unsafe impl Send for DriverWrite {}

/// A source.
#[pin_data]
pub(crate) struct Source {
    pub(crate) number: u32,
    name: [u8; abi::NAME_LEN],
    source_type: u32,
    flags: u32,
    max_payload: usize,
    period_ns: u64,
    #[pin]
    state: IrqLock<State>,
    /// A driver's function for writes; held while it runs, so that unregistering waits for it.
    #[pin]
    driver: Mutex<Option<DriverWrite>>,
}

struct State {
    posted: u64,
    refused: u64,
    gone: bool,
    subscribers: KVec<Subscriber>,
}

struct Subscriber {
    client: Arc<Client>,
    id: SubscriptionId,
}

/// What a source is created from.
pub(crate) struct Description {
    pub(crate) name: [u8; abi::NAME_LEN],
    pub(crate) source_type: u32,
    pub(crate) max_payload: usize,
    pub(crate) period_ns: u64,
    pub(crate) driver: Option<DriverWrite>,
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
        let writable = description.source_type == abi::SOURCE_USER || description.driver.is_some();

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
            pin_init!(Self {
                number,
                name: description.name,
                source_type: description.source_type,
                flags: if writable { abi::SOURCE_WRITABLE } else { 0 },
                max_payload: description.max_payload,
                period_ns: description.period_ns,
                state <- new_irq_lock!(
                    State { posted: 0, refused: 0, gone: false, subscribers },
                    "rtnotify_source"
                ),
                driver <- new_mutex!(description.driver, "rtnotify_driver"),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
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
        *self.driver.lock() = None;
        let (subscribers, last) = {
            let mut state = self.state.lock();
            state.gone = true;
            (core::mem::take(&mut state.subscribers), state.posted)
        };
        let time_ns = now();
        for subscriber in subscribers {
            subscriber.client.source_gone(self.number, last, time_ns);
        }
    }

    /// Posts an event to every subscriber, latched at `time_ns`; any context but NMI. Returns how many
    /// subscribers refused it.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE`: the payload is longer than the source announced. `EINVAL`: the kind is reserved. `ENODEV`:
    /// the source is gone.
    pub(crate) fn post(
        &self,
        kind: u16,
        value: Option<u64>,
        payload: &[u8],
        time_ns: u64,
    ) -> Result<u32> {
        if payload.len() > self.max_payload {
            return Err(EMSGSIZE);
        }
        if kind >= abi::FIRST_RESERVED_KIND {
            return Err(EINVAL);
        }
        let mut state = self.state.lock();
        if state.gone {
            return Err(ENODEV);
        }
        state.posted += 1;
        let event = Event {
            source_seq: state.posted,
            kind,
            time_ns,
            value,
            payload,
        };
        let mut refused = 0;
        for subscriber in &state.subscribers {
            if !subscriber.client.deliver(subscriber.id, &event) {
                refused += 1;
            }
        }
        state.refused += u64::from(refused);
        let (seq, subscribers) = (state.posted, state.subscribers.len());
        trace::post(self.number, seq, kind, payload.len(), subscribers, refused);
        Ok(refused)
    }

    /// Whether a `write` of `len` bytes would be taken.
    ///
    /// # Errors
    ///
    /// `EPERM`: the source takes no writes. `EMSGSIZE`: too long.
    pub(crate) fn check_write(&self, len: usize) -> Result {
        if self.flags & abi::SOURCE_WRITABLE == 0 {
            return Err(EPERM);
        }
        if len > self.max_payload {
            return Err(EMSGSIZE);
        }
        Ok(())
    }

    /// A process writes: a user source posts it, a driver gets it. May sleep.
    ///
    /// # Errors
    ///
    /// The driver's, `ENODEV` if it has gone meanwhile, or those of [`Source::post`].
    pub(crate) fn write(&self, kind: u16, value: Option<u64>, payload: &[u8]) -> Result {
        if self.source_type == abi::SOURCE_USER {
            return self.post(kind, value, payload, now()).map(drop);
        }
        let driver = self.driver.lock();
        let write = driver.as_ref().ok_or(ENODEV)?;
        // SAFETY: The driver has promised that this may be called until it unregisters the source, which
        // waits for the mutex. The data is valid for the call.
        let ret = unsafe {
            (write.function)(
                write.context,
                kind,
                value.unwrap_or(0),
                payload.as_ptr().cast(),
                payload.len(),
            )
        };
        kernel::error::to_result(ret)
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
pub(crate) fn add_subscriber(number: u32, client: Arc<Client>, id: SubscriptionId) -> Result {
    let source = find(number)?;
    let mut state = source.state.lock();
    if state.gone {
        return Err(ENOENT);
    }
    state
        .subscribers
        .push_within_capacity(Subscriber { client, id })
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

fn remove_from(source: &Source, client: ArcBorrow<'_, Client>) {
    let client: *const Client = &*client;
    // The open file holds a reference, so none of those dropped here is the last.
    source
        .state
        .lock()
        .subscribers
        .retain(|subscriber| !core::ptr::eq(&*subscriber.client, client));
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
        if request.flags != 0 || request.reserved0 != 0 || request.reserved != [0; 3] {
            return Err(EINVAL);
        }
        let description = Description {
            name: request.name,
            source_type: request.source_type,
            max_payload: request.max_payload as usize,
            period_ns: request.period_ns,
            driver: None,
        };
        let owned = match request.source_type {
            abi::SOURCE_USER if request.period_ns == 0 && request.count == 0 => {
                Self::User(Source::register(description)?)
            }
            abi::SOURCE_TIMER
                if request.max_payload == 0
                    && request.period_ns >= abi::MIN_TIMER_PERIOD_NS
                    && i64::try_from(request.period_ns).is_ok() =>
            {
                Self::Timer(Timer::start(description, request.count)?)
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
