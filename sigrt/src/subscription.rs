// SPDX-License-Identifier: MIT OR Apache-2.0

//! Subscriptions: alive at a dispatcher thread, used as a channel. Their settings and counters.

use std::fmt;
use std::ops::{Deref, RangeInclusive};
use std::sync::Arc;

use bytes::Bytes;
use crossbeam_channel::Receiver;
use nix::errno::Errno;
use rtnotify_core::abi;

use crate::client::Client;
use crate::delivery::Delivery;
use crate::dispatcher::{Control, Dispatcher};
use crate::error::{Error, Result};
use crate::signal::Lease;
use crate::sink::Ends;
use crate::sys::handler::Action;
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

impl Overflow {
    pub(crate) fn to_abi(self) -> u32 {
        match self {
            Self::RejectNewest => abi::POLICY_REJECT_NEWEST,
            Self::DropOldest => abi::POLICY_DROP_OLDEST,
            Self::LatestOnly => abi::POLICY_LATEST_ONLY,
            Self::Block => abi::POLICY_BLOCK,
        }
    }

    /// Whether events are lost that have been queued.
    pub(crate) fn withdraws(self) -> bool {
        matches!(self, Self::DropOldest | Self::LatestOnly)
    }
}

impl Mode {
    pub(crate) fn to_abi(self) -> u32 {
        match self {
            Self::PerEvent => abi::MODE_PER_EVENT,
            Self::Window => abi::MODE_WINDOW,
            Self::Coalesced => abi::MODE_COALESCED,
        }
    }
}

impl Filter {
    pub(crate) fn apply(self, request: &mut abi::Subscribe) {
        request.flags |= abi::SUB_FILTER;
        request.kind_first = self.kind_first;
        request.kind_last = self.kind_last;
        request.value_mask = self.value_mask;
        request.value_match = self.value_match;
    }

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

/// Events that arrive, until this is dropped.
///
/// It dereferences to the [`Receiver`], so it has `recv`, `recv_timeout`, `recv_deadline`, `try_recv`, `iter` and
/// `try_iter` and goes into `for` and `select!` as it is. Receivers cloned from it are disconnected once it is gone,
/// after what they still hold. With the feature `stream` it is a `Stream`, on any executor.
///
/// Dropping it ends the registration, takes the signals that are still pending, and waits for the dispatcher
/// thread, unless others use that. Deliveries that nobody has received by then are discarded; [`Subscription::shutdown`]
/// gives them back. In a forked child dropping does nothing.
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
/// source.post(None, b"knock, knock")?;
/// for delivery in &subscription {
///     assert_eq!(delivery.event().unwrap().payload, "knock, knock");
///     break;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Subscription<P = Bytes> {
    /// Taken when dropped.
    live: Option<Live<P>>,
    pid: u32,
}

pub(crate) struct Live<P> {
    pub(crate) receiver: Receiver<Delivery<P>>,
    pub(crate) ends: Arc<Ends<P>>,
    pub(crate) at: Place,
}

/// A subscription's place at its dispatcher.
pub(crate) struct Place {
    pub(crate) id: u64,
    /// With a real handler: what it does, and what keeps it.
    pub(crate) actions: Vec<Action>,
    pub(crate) control: Arc<Control>,
    pub(crate) leases: Vec<Lease>,
    pub(crate) client: Arc<Client>,
    /// Last: this may end the thread.
    pub(crate) dispatcher: Dispatcher,
}

impl Place {
    fn signal(&self) -> i32 {
        self.leases.first().map_or(0, Lease::signo)
    }

    fn stats(&self) -> Result<Stats> {
        let stats = self.client.stats();
        stats
            .map(Stats)
            .map_err(|errno| Error::from_errno("read the counters", errno))
    }

    fn pause(&self, paused: bool) -> Result<()> {
        if self.dispatcher.is_forked() {
            return Err(Error::Forked);
        }
        self.dispatcher.pause(self.id, paused);
        Ok(())
    }

    fn shut_down(&self) -> Result<Stats> {
        if self.dispatcher.is_forked() {
            return Err(Error::Forked);
        }
        let done = self.dispatcher.shut_down(self.id);
        done.map(Stats).map_err(|errno| {
            let failure = self.control.failure();
            failure.unwrap_or_else(|| Error::from_errno("shut down", errno))
        })
    }

    fn end(self) {
        // No doorbell is left on its way when the handlers go.
        self.dispatcher.remove(self.id);
        drop(self.actions);
        drop(self.dispatcher);
        drop(self.leases);
    }
}

/// What a subscription had left when it was shut down.
#[derive(Debug)]
#[non_exhaustive]
pub struct Shutdown<P = Bytes> {
    /// Deliveries that nobody has received, in order: all there were.
    pub rest: Vec<Delivery<P>>,
    /// The final counters.
    pub stats: Stats,
}

impl<P> Subscription<P> {
    pub(crate) fn new(live: Live<P>) -> Self {
        Self {
            live: Some(live),
            pid: sys::process_id(),
        }
    }

    fn live(&self) -> &Live<P> {
        match &self.live {
            Some(live) => live,
            None => unreachable!("only drop and shutdown take it"),
        }
    }

    /// Where the deliveries come out.
    #[must_use]
    pub fn receiver(&self) -> &Receiver<Delivery<P>> {
        &self.live().receiver
    }

    /// The signal number in use; with several priorities, that of the most urgent one.
    #[must_use]
    pub fn signal(&self) -> i32 {
        self.live().at.signal()
    }

    /// The dispatcher thread.
    #[must_use]
    pub fn dispatcher(&self) -> Tid {
        self.live().at.dispatcher.thread()
    }

    /// The counters.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`], [`Error::Os`].
    pub fn stats(&self) -> Result<Stats> {
        self.live().at.stats()
    }

    /// Why it has ended by itself, if it has; the channel is disconnected then.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        self.live().at.control.failure()
    }

    /// Stops to take events from the device: when this returns, nothing more comes into the channel. Events are
    /// queued in the device meanwhile, and lost where there is no room, as always.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions};
    /// # let device = Device::loopback();
    /// # let source = device.create_source(SourceOptions::new("door"))?;
    /// let subscription = device.subscription().subscribe(&source).start()?;
    /// subscription.pause()?;
    /// source.post(None, b"knock")?;
    /// assert!(subscription.try_recv().is_err());
    /// subscription.resume()?;
    /// assert_eq!(subscription.recv()?.event().unwrap().payload, "knock");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pause(&self) -> Result<()> {
        self.live().at.pause(true)
    }

    /// Takes events again.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`].
    pub fn resume(&self) -> Result<()> {
        self.live().at.pause(false)
    }

    /// Ends it and returns all that nobody has received: in the channel, on the way, in the device. Every event that
    /// was posted until then has been delivered, is in [`Shutdown::rest`], or is in a gap.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceGone`], or why it had ended by itself before; [`Error::Forked`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions};
    /// # let device = Device::loopback();
    /// # let source = device.create_source(SourceOptions::new("door"))?;
    /// let subscription = device.subscription().subscribe(&source).start()?;
    /// for n in 0..3 {
    ///     source.post(Some(n), b"")?;
    /// }
    /// let end = subscription.shutdown()?;
    /// assert_eq!(end.rest.len(), 3);
    /// assert_eq!((end.stats.posted, end.stats.consumed, end.stats.lost()), (3, 3, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown(mut self) -> Result<Shutdown<P>> {
        let live = self.live();
        let stats = live.at.shut_down()?;
        let mut rest: Vec<_> = live.receiver.try_iter().collect();
        rest.extend(live.ends.take_rest());
        if let Some(live) = self.live.take() {
            live.at.end();
        }
        Ok(Shutdown { rest, stats })
    }
}

impl<P> Deref for Subscription<P> {
    type Target = Receiver<Delivery<P>>;

    fn deref(&self) -> &Self::Target {
        self.receiver()
    }
}

impl<'a, P> IntoIterator for &'a Subscription<P> {
    type Item = Delivery<P>;
    type IntoIter = crossbeam_channel::Iter<'a, Delivery<P>>;

    fn into_iter(self) -> Self::IntoIter {
        self.receiver().iter()
    }
}

#[cfg(feature = "stream")]
impl<P> futures_core::Stream for Subscription<P> {
    type Item = Delivery<P>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Delivery<P>>> {
        let live = self.live();
        live.ends.waker.poll(context, || live.receiver.try_recv())
    }
}

impl<P> fmt::Debug for Subscription<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("signal", &self.signal())
            .field("dispatcher", &self.dispatcher())
            .finish_non_exhaustive()
    }
}

impl<P> Drop for Subscription<P> {
    fn drop(&mut self) {
        let Some(live) = self.live.take() else { return };
        if sys::process_id() != self.pid {
            // The thread exists in the parent only, and locks may be held for ever here.
            std::mem::forget(live);
            return;
        }
        live.at.end();
    }
}

/// A subscription whose deliveries a function of the program takes, until this is dropped.
///
/// See [`SubscriptionBuilder::start_with`](crate::SubscriptionBuilder::start_with).
pub struct Listener {
    /// Taken when dropped.
    at: Option<Place>,
    ends: Arc<Ends<Bytes>>,
    pid: u32,
}

impl Listener {
    pub(crate) fn new(at: Place, ends: Arc<Ends<Bytes>>) -> Self {
        Self {
            at: Some(at),
            ends,
            pid: sys::process_id(),
        }
    }

    fn at(&self) -> &Place {
        match &self.at {
            Some(at) => at,
            None => unreachable!("only drop and shutdown take it"),
        }
    }

    /// The thread that calls the function.
    #[must_use]
    pub fn dispatcher(&self) -> Tid {
        self.at().dispatcher.thread()
    }

    /// The counters.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`], [`Error::Os`].
    pub fn stats(&self) -> Result<Stats> {
        self.at().stats()
    }

    /// Why it has ended by itself, if it has: [`Error::CallbackPanicked`], or what became of the device.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        self.at().control.failure()
    }

    /// [`Subscription::pause`]. In the function itself it takes effect when that returns.
    ///
    /// # Errors
    ///
    /// [`Error::Forked`].
    pub fn pause(&self) -> Result<()> {
        self.at().pause(true)
    }

    /// [`Subscription::resume`].
    ///
    /// # Errors
    ///
    /// [`Error::Forked`].
    pub fn resume(&self) -> Result<()> {
        self.at().pause(false)
    }

    /// [`Subscription::shutdown`]: what the function has not been called with comes back.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn shutdown(mut self) -> Result<Shutdown> {
        let stats = self.at().shut_down()?;
        let rest = self.ends.take_rest().into();
        if let Some(at) = self.at.take() {
            at.end();
        }
        Ok(Shutdown { rest, stats })
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("dispatcher", &self.dispatcher())
            .finish_non_exhaustive()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let Some(at) = self.at.take() else { return };
        if sys::process_id() == self.pid {
            at.end();
        } else {
            // As for Subscription.
            std::mem::forget(at);
        }
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
