// SPDX-License-Identifier: MIT OR Apache-2.0

//! Subscriptions: described by a builder, alive as a dispatcher thread, used as a channel.

use std::fmt;
use std::ops::{Deref, RangeInclusive};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use nix::errno::Errno;
use rtnotify_core::abi;

use crate::client::{Access, Client};
use crate::delivery::Delivery;
use crate::device::{Device, SourceRef};
use crate::dispatcher::{self, Control};
use crate::error::{Error, Result};
use crate::signal::Lease;
use crate::sys::{self, Tid};

/// How the device announces events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// A queued signal for each event, carrying the handle of its payload.
    PerEvent,
    /// A bounded number of signals outstanding; each means that there is something to drain. The cheaper one
    /// when events come in bursts.
    #[default]
    Window,
    /// One signal when there is something again after everything was drained, and none while draining. The
    /// cheapest one when events come in floods.
    Coalesced,
}

/// What becomes of events that the device's queue or quota has no room for. Whatever is lost is in a gap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The newest event is lost.
    #[default]
    RejectNewest,
    /// The oldest events that nobody has received are lost, as many as needed.
    DropOldest,
    /// Of each source only the latest event is kept, whether the queue is full or not.
    LatestOnly,
    /// Nothing is, where the producer can wait until there is room: a source with
    /// [`SourceOptions::blocking`](crate::SourceOptions::blocking), a driver that does. Elsewhere the newest.
    Block,
}

/// Which events of a source are delivered; the others are neither posted to the subscription nor lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    kind_first: u16,
    kind_last: u16,
    value_mask: u64,
    value_match: u64,
}

impl Filter {
    /// Events of these kinds, whatever their value.
    #[must_use]
    pub fn kinds(kinds: RangeInclusive<u16>) -> Self {
        Self {
            kind_first: *kinds.start(),
            kind_last: *kinds.end(),
            value_mask: 0,
            value_match: 0,
        }
    }

    /// Of those, only the ones whose value agrees with `wanted` in the bits of `mask`. An event without a value
    /// has 0.
    #[must_use]
    pub fn value(mut self, mask: u64, wanted: u64) -> Self {
        (self.value_mask, self.value_match) = (mask, wanted);
        self
    }
}

/// The request for a subscription.
fn wanted(source: u32, cookie: Option<u64>, filter: Option<Filter>) -> abi::Subscribe {
    let mut request = abi::Subscribe {
        source,
        ..abi::Subscribe::zeroed()
    };
    if let Some(cookie) = cookie {
        request.flags |= abi::SUB_COOKIE;
        request.cookie = cookie;
    }
    if let Some(filter) = filter {
        request.flags |= abi::SUB_FILTER;
        request.kind_first = filter.kind_first;
        request.kind_last = filter.kind_last;
        request.value_mask = filter.value_mask;
        request.value_match = filter.value_match;
    }
    request
}

/// What a subscription is to be like; made by [`Device::subscription`].
///
/// # Examples
///
/// ```
/// use sigrt::{Device, Mode, SourceOptions};
///
/// let device = Device::loopback();
/// let _pulses = device.create_source(SourceOptions::new("pulses"))?;
/// let subscription = device
///     .subscription()
///     .mode(Mode::PerEvent)
///     .queue_len(64)
///     .subscribe("pulses")
///     .start()?;
/// assert!(subscription.try_recv().is_err(), "nothing was posted");
/// # Ok::<(), sigrt::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SubscriptionBuilder {
    device: Device,
    signal: Option<i32>,
    mode: Mode,
    overflow: Overflow,
    queue_len: u32,
    quota: u64,
    window: u32,
    cookie: u64,
    channel_capacity: usize,
    failover: Tid,
    sources: Vec<(SourceRef, Option<u64>, Option<Filter>)>,
}

impl SubscriptionBuilder {
    pub(crate) fn new(device: Device) -> Self {
        Self {
            device,
            signal: None,
            mode: Mode::default(),
            overflow: Overflow::default(),
            queue_len: 0,
            quota: 0,
            window: 0,
            cookie: 0,
            channel_capacity: 256,
            failover: 0,
            sources: Vec::new(),
        }
    }

    /// Realtime signal number to use; [`crate::sys::sigrtmin`] is the first. Default: one that the program
    /// has no handler for.
    #[must_use]
    pub fn signal(mut self, signo: i32) -> Self {
        self.signal = Some(signo);
        self
    }

    /// How events are announced. Default: [`Mode::Window`].
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// What is lost when there is no room. Default: [`Overflow::RejectNewest`].
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Events that the device queues at most, 1 to 65536, at least 2 with another overflow policy than the
    /// default. Default: 1024.
    #[must_use]
    pub fn queue_len(mut self, events: u32) -> Self {
        self.queue_len = events;
        self
    }

    /// Bytes of payload that the device queues at most, up to 256 MiB. Default: 1 MiB.
    #[must_use]
    pub fn quota(mut self, bytes: u64) -> Self {
        self.quota = bytes;
        self
    }

    /// Signals outstanding at most, 1 to 256. Default: 32.
    #[must_use]
    pub fn window(mut self, signals: u32) -> Self {
        self.window = signals;
        self
    }

    /// A mark that every event carries. Default: 0.
    #[must_use]
    pub fn cookie(mut self, cookie: u64) -> Self {
        self.cookie = cookie;
        self
    }

    /// Deliveries that wait in the channel at most. When it is full the device's queue fills, and when that
    /// is full events are lost and gaps are delivered. Default: 256; 0 makes every delivery a rendezvous.
    #[must_use]
    pub fn channel_capacity(mut self, deliveries: usize) -> Self {
        self.channel_capacity = deliveries;
        self
    }

    /// A thread that the device rings for should the dispatcher thread exit; it must block or handle the
    /// signal. The dispatcher does not exit by itself, so few need this.
    #[must_use]
    pub fn failover(mut self, thread: Tid) -> Self {
        self.failover = thread;
        self
    }

    /// Adds a source, by name or number.
    #[must_use]
    pub fn subscribe(mut self, source: impl Into<SourceRef>) -> Self {
        self.sources.push((source.into(), None, None));
        self
    }

    /// Adds a source of which only those events are delivered that pass a filter.
    ///
    /// # Examples
    ///
    /// ```
    /// use sigrt::{Device, Filter, SourceOptions};
    ///
    /// let device = Device::loopback();
    /// let door = device.create_source(SourceOptions::new("door"))?;
    /// // Kind 7, and only where the lowest bit of the value is set.
    /// let filter = Filter::kinds(7..=7).value(1, 1);
    /// let subscription = device.subscription().subscribe_filtered(&door, filter).start()?;
    /// door.post_kind(7, Some(2), b"closed")?;
    /// door.post_kind(7, Some(3), b"open")?;
    /// assert_eq!(subscription.recv()?.event().unwrap().payload, "open");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn subscribe_filtered(mut self, source: impl Into<SourceRef>, filter: Filter) -> Self {
        self.sources.push((source.into(), None, Some(filter)));
        self
    }

    /// Adds a source whose events carry a mark of their own.
    #[must_use]
    pub fn subscribe_with_cookie(mut self, source: impl Into<SourceRef>, cookie: u64) -> Self {
        self.sources.push((source.into(), Some(cookie), None));
        self
    }

    /// Starts the dispatcher and subscribes.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchSource`], [`Error::SubscribedTwice`], [`Error::Signal`], [`Error::Setting`],
    /// [`Error::Limit`], [`Error::Permission`], [`Error::Forked`].
    pub fn start(self) -> Result<Subscription> {
        let mut numbers = Vec::new();
        let mut largest = 0;
        let listed = self.device.sources()?;
        for (which, cookie, filter) in &self.sources {
            let info = listed
                .iter()
                .find(|info| which.names(info))
                .ok_or_else(|| Error::NoSuchSource {
                    name: which.to_string(),
                })?;
            largest = largest.max(info.max_payload);
            numbers.push(wanted(info.number, *cookie, *filter));
        }
        if self.queue_len > abi::MAX_QUEUE
            || self.quota > abi::MAX_QUOTA
            || self.window > abi::MAX_WINDOW
            || (self.queue_len == 1 && self.overflow != Overflow::RejectNewest)
        {
            return Err(Error::Setting {
                setting: "queue length, quota or window",
                limits: "65536 events (at least 2 unless the newest is rejected), 256 MiB, 256 signals",
            });
        }
        let lease = Lease::new(self.signal)?;
        let client = Arc::new(self.device.client(Access::Read, false)?);
        let request = abi::Register {
            flags: abi::REG_PREAD_RECORD,
            signo: lease.signo() as u32,
            failover_tid: self.failover,
            mode: match self.mode {
                Mode::PerEvent => abi::MODE_PER_EVENT,
                Mode::Window => abi::MODE_WINDOW,
                Mode::Coalesced => abi::MODE_COALESCED,
            },
            window: self.window,
            queue_len: self.queue_len,
            policy: match self.overflow {
                Overflow::RejectNewest => abi::POLICY_REJECT_NEWEST,
                Overflow::DropOldest => abi::POLICY_DROP_OLDEST,
                Overflow::LatestOnly => abi::POLICY_LATEST_ONLY,
                Overflow::Block => abi::POLICY_BLOCK,
            },
            clock: abi::CLOCK_MONOTONIC,
            quota: self.quota,
            cookie: self.cookie,
            ..abi::Register::zeroed()
        };
        let (sender, receiver) = bounded(self.channel_capacity);
        let started = dispatcher::start(Arc::clone(&client), request, numbers, largest, sender)?;
        Ok(Subscription {
            live: Some(Live {
                receiver,
                thread: started.thread,
                stop: started.stop,
                control: started.control,
                lease,
                client,
            }),
            pid: sys::process_id(),
        })
    }
}

/// Events that arrive, until this is dropped.
///
/// It dereferences to the [`Receiver`], so it goes into `recv`, `iter` and `select!` as it is. Receivers
/// cloned from it are disconnected once it is gone, after what they still hold.
///
/// Dropping it ends the registration, takes the signals that are still pending, and waits for the dispatcher
/// thread. Deliveries that nobody has received by then are discarded. In a forked child it does nothing.
///
/// # Examples
///
/// ```
/// use crossbeam_channel::{after, select};
/// use sigrt::{Device, SourceOptions};
/// use std::time::Duration;
///
/// let device = Device::loopback();
/// let source = device.create_source(SourceOptions::new("door"))?;
/// let subscription = device.subscription().subscribe(&source).start()?;
/// source.post(None, b"knock")?;
/// select! {
///     recv(subscription) -> delivery => {
///         assert_eq!(delivery?.event().unwrap().payload, "knock");
///     }
///     recv(after(Duration::from_secs(10))) -> _ => panic!("nobody came"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Subscription {
    /// Taken when dropped.
    live: Option<Live>,
    pid: u32,
}

struct Live {
    receiver: Receiver<Delivery>,
    thread: JoinHandle<()>,
    /// Nothing is ever sent; its end tells a dispatcher that waits for room in the channel.
    stop: Sender<()>,
    control: Arc<Control>,
    lease: Lease,
    client: Arc<Client>,
}

impl Subscription {
    fn live(&self) -> &Live {
        match &self.live {
            Some(live) => live,
            None => unreachable!("only drop takes it"),
        }
    }

    /// Where the deliveries come out.
    #[must_use]
    pub fn receiver(&self) -> &Receiver<Delivery> {
        &self.live().receiver
    }

    /// The signal number in use.
    #[must_use]
    pub fn signal(&self) -> i32 {
        self.live().lease.signo()
    }

    /// The dispatcher thread.
    #[must_use]
    pub fn dispatcher(&self) -> Tid {
        self.live().control.tid()
    }

    /// The counters.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`], [`Error::Os`].
    pub fn stats(&self) -> Result<Stats> {
        self.live()
            .client
            .stats()
            .map(Stats)
            .map_err(|errno| Error::from_errno("read the counters", errno))
    }

    /// Why the dispatcher has ended by itself, if it has; the channel is disconnected then.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        let errno = self.live().control.failure()?;
        Some(Error::from_errno("receive", errno))
    }
}

impl Deref for Subscription {
    type Target = Receiver<Delivery>;

    fn deref(&self) -> &Self::Target {
        self.receiver()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("signal", &self.signal())
            .field("dispatcher", &self.dispatcher())
            .finish_non_exhaustive()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(live) = self.live.take() else { return };
        if sys::process_id() != self.pid {
            // The thread exists in the parent only, and locks may be held for ever here.
            std::mem::forget(live);
            return;
        }
        drop(live.stop);
        live.control.stop();
        // It does not panic; if it did, there would be nothing left to end.
        live.thread.join().ok();
        drop(live.lease);
    }
}

/// Counters of a subscription; the fields are those of [`abi::Stats`].
///
/// # Examples
///
/// ```
/// # use sigrt::{Device, SourceOptions};
/// # let device = Device::loopback();
/// # let source = device.create_source(SourceOptions::new("adc"))?;
/// # let subscription = device.subscription().subscribe("adc").start()?;
/// source.post(Some(1), b"")?;
/// subscription.recv()?;
/// let stats = subscription.stats()?;
/// assert_eq!((stats.posted, stats.lost()), (1, 0));
/// assert!(stats.is_balanced());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats(pub abi::Stats);

impl Deref for Stats {
    type Target = abi::Stats;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Stats {
    /// Events lost, for whatever reason.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost_queue_full
            + self.lost_quota
            + self.lost_too_large
            + self.lost_discarded
            + self.lost_oldest
            + self.lost_superseded
    }

    /// Whether every event is accounted for, as it must be at any time.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.posted == self.consumed + self.queued + self.lost()
    }
}

/// What it means that a registration or subscription was refused.
pub(crate) fn refusal(operation: &'static str, errno: Errno, signo: i32) -> Error {
    match errno {
        Errno::EINVAL => Error::Signal {
            signo,
            why: "the device refuses it, or the failover thread neither blocks nor handles it",
        },
        Errno::ESRCH => Error::Setting {
            setting: "failover thread",
            limits: "a thread of this process",
        },
        Errno::ENOSPC | Errno::ENOMEM | Errno::EDQUOT | Errno::EMFILE => Error::Limit {
            what: "registrations, subscriptions or queued bytes",
        },
        other => Error::from_errno(operation, other),
    }
}
