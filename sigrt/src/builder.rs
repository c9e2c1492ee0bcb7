// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a subscription is to be like, and how it starts.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use crossbeam_channel::bounded;
use rtnotify_core::abi;

use crate::client::{Access, Client};
use crate::delivery::Delivery;
use crate::device::{Device, SourceRef};
use crate::dispatcher::{Control, Dispatcher, New};
use crate::error::{Error, Result};
use crate::handover::HandOver;
use crate::lazy::LazyPayload;
use crate::mapped::MappedSubscription;
use crate::polled::PolledSubscription;
use crate::signal::Lease;
use crate::sink::{Callback, Channel, Ends, FromRecord, Sink};
use crate::subscription::{Filter, Listener, Live, Mode, Overflow, Place, Subscription};
use crate::sys::{self, SIGURG, Tid, handler};

/// Queue length where none is asked for.
const QUEUE: u32 = 1024;

/// One priority's queue; what is not set is as for the others.
///
/// # Examples
///
/// ```
/// use sigrt::{Device, Lane, Overflow, SourceOptions};
///
/// let device = Device::loopback();
/// let alarm = device.create_source(SourceOptions::new("alarm"))?;
/// let log = device.create_source(SourceOptions::new("log"))?;
/// let subscription = device
///     .subscription()
///     .subscribe_at(0, &alarm)
///     .subscribe_at(1, &log)
///     .lane(1, Lane::new().queue_len(100).overflow(Overflow::DropOldest))
///     .start()?;
/// # drop(subscription);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Lane {
    queue_len: Option<u32>,
    overflow: Option<Overflow>,
    window: Option<u32>,
}

impl Lane {
    /// As the subscription is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// See [`SubscriptionBuilder::queue_len`].
    #[must_use]
    pub fn queue_len(mut self, events: u32) -> Self {
        self.queue_len = Some(events);
        self
    }

    /// See [`SubscriptionBuilder::overflow`].
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = Some(overflow);
        self
    }

    /// See [`SubscriptionBuilder::window`].
    #[must_use]
    pub fn window(mut self, signals: u32) -> Self {
        self.window = Some(signals);
        self
    }
}

/// A source that is subscribed to.
#[derive(Clone, Debug)]
struct Wanted {
    source: SourceRef,
    priority: u8,
    cookie: Option<u64>,
    filter: Option<Filter>,
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
#[derive(Debug)]
pub struct SubscriptionBuilder<P = Bytes> {
    settings: Settings,
    payloads: PhantomData<fn() -> P>,
}

impl<P> Clone for SubscriptionBuilder<P> {
    fn clone(&self) -> Self {
        Self {
            settings: self.settings.clone(),
            payloads: PhantomData,
        }
    }
}

#[derive(Clone, Debug)]
struct Settings {
    device: Device,
    signal: Option<i32>,
    mode: Option<Mode>,
    overflow: Overflow,
    queue_len: u32,
    quota: u64,
    window: u32,
    cookie: u64,
    channel_capacity: usize,
    failover: Tid,
    handler: bool,
    dispatcher: Option<Dispatcher>,
    lanes: BTreeMap<u8, Lane>,
    sources: Vec<Wanted>,
}

/// What has been checked and made ready for registering.
pub(crate) struct Ready {
    pub(crate) client: Arc<Client>,
    pub(crate) leases: Vec<Lease>,
    pub(crate) register: abi::Register,
    pub(crate) lanes: Vec<abi::Lane>,
    pub(crate) sources: Vec<abi::Subscribe>,
    pub(crate) largest_payload: usize,
}

impl SubscriptionBuilder {
    pub(crate) fn new(device: Device) -> Self {
        Self {
            settings: Settings {
                device,
                signal: None,
                mode: None,
                overflow: Overflow::default(),
                queue_len: 0,
                quota: 0,
                window: 0,
                cookie: 0,
                channel_capacity: 256,
                failover: 0,
                handler: false,
                dispatcher: None,
                lanes: BTreeMap::new(),
                sources: Vec::new(),
            },
            payloads: PhantomData,
        }
    }

    /// Leaves payloads in the device until somebody wants them: events come with a [`LazyPayload`].
    ///
    /// Delivery is per event: there is a signal for each of the oldest [`window`](SubscriptionBuilder::window) events
    /// that are in the device, so no more payloads than that are outstanding at once. Where a signal is refused, the
    /// payload is here already when its event is delivered. Events cannot be withdrawn, so not every
    /// [`overflow`](SubscriptionBuilder::overflow) is possible.
    ///
    /// # Examples
    ///
    /// ```
    /// use sigrt::{Device, SourceOptions};
    ///
    /// let device = Device::loopback();
    /// let camera = device.create_source(SourceOptions::new("camera"))?;
    /// let pictures = device.subscription().subscribe(&camera).lazy_payloads().start()?;
    /// camera.post(Some(1), &[0; 4000])?;
    /// camera.post(Some(2), &[1; 4000])?;
    /// let first = pictures.recv()?.event().unwrap();
    /// first.payload.forget(); // as dropping it does
    /// let second = pictures.recv()?.event().unwrap();
    /// assert_eq!(second.payload.fetch()?[0], 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn lazy_payloads(self) -> SubscriptionBuilder<LazyPayload> {
        SubscriptionBuilder {
            settings: self.settings,
            payloads: PhantomData,
        }
    }

    /// Starts the dispatcher and subscribes.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchSource`], [`Error::SubscribedTwice`], [`Error::Signal`], [`Error::Setting`],
    /// [`Error::Limit`], [`Error::Permission`], [`Error::Forked`].
    pub fn start(self) -> Result<Subscription> {
        let mode = self.settings.mode.unwrap_or_default();
        self.start_channel(mode, false)
    }

    /// Starts, with a function of the program that is called with each delivery, on the dispatcher's thread.
    ///
    /// While it runs nothing else is delivered on that thread; events queue up in the device. Should it panic, it is
    /// not called again, the registration ends, and [`Listener::failure`] says so; the thread and its other
    /// subscriptions go on.
    ///
    /// # Errors
    ///
    /// As [`SubscriptionBuilder::start`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Delivery, Device, SourceOptions};
    /// # use std::sync::mpsc;
    /// # let device = Device::loopback();
    /// # let door = device.create_source(SourceOptions::new("door"))?;
    /// let (tx, rx) = mpsc::channel();
    /// let listener = device.subscription().subscribe(&door).start_with(move |delivery| {
    ///     if let Delivery::Event(event) = delivery {
    ///         tx.send(event.value).unwrap();
    ///     }
    /// })?;
    /// door.post(Some(1), b"open")?;
    /// assert_eq!(rx.recv()?, Some(1));
    /// assert!(listener.failure().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_with(self, function: impl FnMut(Delivery) + Send + 'static) -> Result<Listener> {
        let ends = Arc::new(Ends::new());
        let sink = Box::new(Callback::new(function, Arc::clone(&ends)));
        let mode = self.settings.mode.unwrap_or_default();
        Ok(Listener::new(self.launch(mode, sink)?, ends))
    }

    /// Starts without a thread: for programs with an event loop of their own, which polls a descriptor.
    ///
    /// With the features `tokio` and `async-io`, [`PolledSubscription`] becomes a `Stream` on their event loops.
    /// Mode, window and channel do not matter here; there is one priority.
    ///
    /// # Errors
    ///
    /// As [`SubscriptionBuilder::start`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions};
    /// # let device = Device::loopback();
    /// # let door = device.create_source(SourceOptions::new("door"))?;
    /// let mut doors = device.subscription().subscribe(&door).start_polled()?;
    /// assert!(doors.try_recv()?.is_none());
    /// door.post(None, b"open")?;
    /// // Here an event loop would wait until `doors.as_fd()` is readable.
    /// assert_eq!(doors.try_recv()?.unwrap().event().unwrap().payload, "open");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_polled(self) -> Result<PolledSubscription> {
        PolledSubscription::start(self.prepare(Mode::Window, Access::Read)?)
    }

    /// Starts on the calling thread, which alone can wait for events and looks at them where they lie: in a ring that
    /// the device shares. See [`MappedSubscription`].
    ///
    /// Mode, window and channel do not matter here; there is one priority, and what is in the ring cannot be
    /// withdrawn, so not every [`overflow`](SubscriptionBuilder::overflow) is possible.
    ///
    /// # Errors
    ///
    /// As [`SubscriptionBuilder::start`].
    pub fn start_mapped(self) -> Result<MappedSubscription> {
        if self.settings.overflow != Overflow::RejectNewest {
            return Err(Error::Setting {
                setting: "overflow policy",
                limits: "a mapped ring rejects the newest event",
            });
        }
        MappedSubscription::start(self.prepare(Mode::Coalesced, Access::ReadWrite)?)
    }
}

impl SubscriptionBuilder<LazyPayload> {
    /// Starts the dispatcher and subscribes.
    ///
    /// # Errors
    ///
    /// As [`SubscriptionBuilder::start`]; [`Error::Setting`] also for a mode other than [`Mode::PerEvent`] and for an
    /// overflow policy that withdraws events.
    pub fn start(self) -> Result<Subscription<LazyPayload>> {
        let withdraws = self.settings.overflow.withdraws()
            || self
                .settings
                .lanes
                .values()
                .any(|lane| lane.overflow.is_some_and(Overflow::withdraws));
        if withdraws || !matches!(self.settings.mode, None | Some(Mode::PerEvent)) {
            return Err(Error::Setting {
                setting: "mode or overflow policy",
                limits: "payloads by handle come per event, and are not withdrawn",
            });
        }
        self.start_channel(Mode::PerEvent, true)
    }
}

impl<P> SubscriptionBuilder<P> {
    /// Realtime signal number to use; [`crate::sys::sigrtmin`] is the first. With several priorities it is that of
    /// the most urgent one. Default: one that the program has no handler for.
    #[must_use]
    pub fn signal(mut self, signo: i32) -> Self {
        self.settings.signal = Some(signo);
        self
    }

    /// How events are announced. Default: [`Mode::Window`].
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.settings.mode = Some(mode);
        self
    }

    /// What is lost when there is no room. Default: [`Overflow::RejectNewest`].
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.settings.overflow = overflow;
        self
    }

    /// Events that the device queues at most, 1 to 65536, at least 2 with another overflow policy than the
    /// default. With several priorities each has that many. Default: 1024.
    #[must_use]
    pub fn queue_len(mut self, events: u32) -> Self {
        self.settings.queue_len = events;
        self
    }

    /// Bytes of payload that the device queues at most, up to 256 MiB. Default: 1 MiB.
    #[must_use]
    pub fn quota(mut self, bytes: u64) -> Self {
        self.settings.quota = bytes;
        self
    }

    /// Signals outstanding at most, 1 to 256. Default: 32.
    #[must_use]
    pub fn window(mut self, signals: u32) -> Self {
        self.settings.window = signals;
        self
    }

    /// A mark that every event carries. Default: 0.
    #[must_use]
    pub fn cookie(mut self, cookie: u64) -> Self {
        self.settings.cookie = cookie;
        self
    }

    /// Deliveries that wait in the channel at most. When it is full the device's queue fills, and when that
    /// is full events are lost and gaps are delivered. Default: 256; 0 makes every delivery a rendezvous.
    #[must_use]
    pub fn channel_capacity(mut self, deliveries: usize) -> Self {
        self.settings.channel_capacity = deliveries;
        self
    }

    /// A thread that the device rings for should the dispatcher thread exit; it must block or handle the
    /// signal. The dispatcher does not exit by itself, so few need this.
    #[must_use]
    pub fn failover(mut self, thread: Tid) -> Self {
        self.settings.failover = thread;
        self
    }

    /// Has the signals interrupt the thread that starts the subscription, with a real handler; deliveries are the same.
    ///
    /// The handler, installed through `signal-hook-registry`, notes the doorbell in two words and wakes the dispatcher
    /// thread; it neither allocates nor waits. The queue in the device is the truth, so nothing is lost however fast
    /// they come. System calls of the interrupted thread go on by themselves where `SA_RESTART` does that
    /// (`signal(7)`), and give `EINTR` elsewhere. When the thread exits, the dispatcher takes over. There is a
    /// dispatcher of its own for it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions};
    /// # let device = Device::loopback();
    /// # let door = device.create_source(SourceOptions::new("door"))?;
    /// let doors = device.subscription().subscribe(&door).handler().start()?;
    /// door.post(None, b"open")?; // interrupts this very thread
    /// assert_eq!(doors.recv()?.event().unwrap().payload, "open");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn handler(mut self) -> Self {
        self.settings.handler = true;
        self
    }

    /// Shares a thread with other subscriptions. Default: a thread of its own.
    #[must_use]
    pub fn dispatcher(mut self, dispatcher: &Dispatcher) -> Self {
        self.settings.dispatcher = Some(dispatcher.clone());
        self
    }

    /// Adds a source, by name or number, at priority 0.
    #[must_use]
    pub fn subscribe(self, source: impl Into<SourceRef>) -> Self {
        self.add(0, source.into(), None, None)
    }

    /// Adds a source at a priority: 0 is the most urgent one. Up to eight priorities can be in use, each of which is
    /// a lane of the device, with a queue of its own.
    ///
    /// Whatever has not been received goes by priority, and by age among equals, but for what is in the channel
    /// already: that is first in, first out. A small [`channel_capacity`](SubscriptionBuilder::channel_capacity) keeps
    /// the urgent from waiting behind it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sigrt::{Device, SourceOptions};
    /// # let device = Device::loopback();
    /// # let alarm = device.create_source(SourceOptions::new("alarm"))?;
    /// # let log = device.create_source(SourceOptions::new("log"))?;
    /// let subscription =
    ///     device.subscription().subscribe_at(0, &alarm).subscribe_at(7, &log).start()?;
    /// subscription.pause()?;
    /// log.post(None, b"all is well")?;
    /// alarm.post(None, b"fire")?;
    /// subscription.resume()?;
    /// assert_eq!(subscription.recv()?.event().unwrap().payload, "fire");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn subscribe_at(self, priority: u8, source: impl Into<SourceRef>) -> Self {
        self.add(priority, source.into(), None, None)
    }

    /// Sets a priority's queue apart from the others.
    #[must_use]
    pub fn lane(mut self, priority: u8, lane: Lane) -> Self {
        self.settings.lanes.insert(priority, lane);
        self
    }

    /// Adds a source of which only those events are delivered that pass a filter, at priority 0.
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
    pub fn subscribe_filtered(self, source: impl Into<SourceRef>, filter: Filter) -> Self {
        self.add(0, source.into(), None, Some(filter))
    }

    /// Adds a source whose events carry a mark of their own, at priority 0.
    #[must_use]
    pub fn subscribe_with_cookie(self, source: impl Into<SourceRef>, cookie: u64) -> Self {
        self.add(0, source.into(), Some(cookie), None)
    }

    fn add(
        mut self,
        priority: u8,
        source: SourceRef,
        cookie: Option<u64>,
        filter: Option<Filter>,
    ) -> Self {
        self.settings.sources.push(Wanted {
            source,
            priority,
            cookie,
            filter,
        });
        self
    }

    /// Checks everything and opens the device.
    fn prepare(&self, mode: Mode, access: Access) -> Result<Ready> {
        let mut priorities: Vec<u8> = self
            .settings
            .sources
            .iter()
            .map(|wanted| wanted.priority)
            .collect();
        priorities.sort_unstable();
        priorities.dedup();
        if priorities.is_empty() {
            priorities.push(0);
        }
        if priorities.len() > abi::MAX_LANES {
            return Err(Error::Setting {
                setting: "priorities",
                limits: "8 in one subscription",
            });
        }
        let listed = self.settings.device.sources()?;
        let mut found = Vec::new();
        for wanted in &self.settings.sources {
            let info = listed
                .iter()
                .find(|info| wanted.source.names(info))
                .ok_or_else(|| Error::NoSuchSource {
                    name: wanted.source.to_string(),
                })?;
            found.push(info);
        }
        let lanes: Vec<Lane> = priorities
            .iter()
            .map(|priority| {
                let lane = self
                    .settings
                    .lanes
                    .get(priority)
                    .copied()
                    .unwrap_or_default();
                Lane {
                    queue_len: lane.queue_len.or(Some(self.settings.queue_len)),
                    overflow: lane.overflow.or(Some(self.settings.overflow)),
                    window: lane.window.or(Some(self.settings.window)),
                }
            })
            .collect();
        let queue_len = |lane: &Lane| match lane.queue_len {
            None | Some(0) => QUEUE,
            Some(len) => len,
        };
        let overflow = |lane: &Lane| lane.overflow.unwrap_or_default();
        let capacity: u64 = lanes.iter().map(|lane| u64::from(queue_len(lane))).sum();
        let wrong = |lane: &Lane| {
            lane.window.is_some_and(|window| window > abi::MAX_WINDOW)
                || (queue_len(lane) == 1 && overflow(lane) != Overflow::RejectNewest)
        };
        if capacity > u64::from(abi::MAX_QUEUE)
            || self.settings.quota > abi::MAX_QUOTA
            || lanes.iter().any(wrong)
        {
            return Err(Error::Setting {
                setting: "queue length, quota or window",
                limits: "65536 events (at least 2 unless the newest is rejected), 256 MiB, 256 signals",
            });
        }
        let leases = Lease::ascending(self.settings.signal, lanes.len())?;
        let client = Arc::new(self.settings.device.client(access, false)?);
        let signo_of = |priority: u8| {
            let index = priorities.iter().position(|&p| p == priority);
            index.map_or(0, |index| leases[index].signo() as u32)
        };
        let first = lanes[0];
        let register = abi::Register {
            flags: abi::REG_PREAD_RECORD,
            signo: leases[0].signo() as u32,
            failover_tid: self.settings.failover,
            mode: mode.to_abi(),
            window: first.window.unwrap_or(0),
            queue_len: queue_len(&first),
            policy: overflow(&first).to_abi(),
            clock: abi::CLOCK_MONOTONIC,
            quota: self.settings.quota,
            cookie: self.settings.cookie,
            capacity: capacity as u32,
            ..abi::Register::zeroed()
        };
        let others = lanes
            .iter()
            .zip(&leases)
            .skip(1)
            .map(|(lane, lease)| abi::Lane {
                signo: lease.signo() as u32,
                failover_tid: self.settings.failover,
                mode: mode.to_abi(),
                window: lane.window.unwrap_or(0),
                queue_len: queue_len(lane),
                policy: overflow(lane).to_abi(),
                ..abi::Lane::zeroed()
            });
        let sources = self
            .settings
            .sources
            .iter()
            .zip(&found)
            .map(|(wanted, info)| {
                let mut request = abi::Subscribe {
                    source: info.number,
                    signo: signo_of(wanted.priority),
                    ..abi::Subscribe::zeroed()
                };
                if let Some(cookie) = wanted.cookie {
                    request.flags |= abi::SUB_COOKIE;
                    request.cookie = cookie;
                }
                if let Some(filter) = wanted.filter {
                    filter.apply(&mut request);
                }
                request
            });
        Ok(Ready {
            client,
            register,
            lanes: others.collect(),
            sources: sources.collect(),
            largest_payload: found.iter().map(|info| info.max_payload).max().unwrap_or(0),
            leases,
        })
    }

    fn start_channel<T: FromRecord>(&self, mode: Mode, by_handle: bool) -> Result<Subscription<T>> {
        let ends = Arc::new(Ends::new());
        let (sender, receiver) = bounded(self.settings.channel_capacity);
        let sink = Box::new(Channel::<T>::new(sender, by_handle, Arc::clone(&ends)));
        let at = self.launch(mode, sink)?;
        Ok(Subscription::new(Live { receiver, ends, at }))
    }

    /// Registers at a dispatcher.
    fn launch(&self, mode: Mode, sink: Box<dyn Sink>) -> Result<Place> {
        let mut ready = self.prepare(mode, Access::Read)?;
        let mut actions = Vec::new();
        let dispatcher = if self.settings.handler {
            if self.settings.dispatcher.is_some() {
                return Err(Error::Setting {
                    setting: "dispatcher",
                    limits: "a subscription with a handler has one of its own",
                });
            }
            let hand_over = Arc::new(HandOver::new());
            let dispatcher = Dispatcher::start(Some(Arc::clone(&hand_over)))?;
            for lease in &ready.leases {
                lease.will_be_handled();
            }
            // The loopback falls back on the latter.
            for signo in ready.leases.iter().map(Lease::signo).chain([SIGURG]) {
                let action = handler::hand_over(signo, Arc::clone(&hand_over))
                    .map_err(|error| Error::os("install a signal handler", error))?;
                actions.push(action);
            }
            let failover = if self.settings.failover == 0 {
                dispatcher.thread()
            } else {
                self.settings.failover
            };
            let target = sys::gettid();
            ready.register.target_tid = target;
            ready.register.failover_tid = failover;
            for lane in &mut ready.lanes {
                lane.target_tid = target;
                lane.failover_tid = failover;
            }
            dispatcher
        } else {
            match &self.settings.dispatcher {
                Some(dispatcher) => dispatcher.clone(),
                None => Dispatcher::new()?,
            }
        };
        let control = Arc::new(Control::default());
        let id = dispatcher.add(New {
            client: Arc::clone(&ready.client),
            register: ready.register,
            lanes: ready.lanes,
            sources: ready.sources,
            largest_payload: ready.largest_payload,
            sink,
            control: Arc::clone(&control),
        })?;
        Ok(Place {
            id,
            actions,
            control,
            leases: ready.leases,
            client: ready.client,
            dispatcher,
        })
    }
}
