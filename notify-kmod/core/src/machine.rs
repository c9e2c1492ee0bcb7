// SPDX-License-Identifier: MIT OR Apache-2.0

//! The state machine of one registration: subscriptions, lanes, queue, delivery window, losses, counters.
//!
//! The caller owns the lock, the arena that the payloads lie in, the signals and the clock; the machine says
//! what to do and is told what happened:
//!
//! - [`Machine::post`] puts an event into a lane, or counts it as lost and starts or extends a gap. A large
//!   payload is copied without the lock: [`Machine::reserve`] keeps the room, [`Machine::post_into`] puts the event
//!   there.
//! - [`Machine::next_signal`] says which signal to send, [`Machine::signal_result`] takes the outcome. The
//!   queue is the truth and the signal only a doorbell: a refused signal changes no event.
//! - [`Machine::claim`] and [`Machine::claim_handle`] hand an event to a reader, which copies it without the
//!   lock and then either consumes it ([`Machine::consume`]) or puts it back ([`Machine::unclaim`]).
//!
//! Nothing here allocates, blocks, or touches an atomic.
//!
//! # Accounting
//!
//! `posted = consumed + queued + lost`, after every call, where `lost` is the sum of the counters of that name.
//!
//! # Example
//!
//! ```
//! use rtnotify_core::machine::*;
//! use rtnotify_core::{pool::Unit, slots::Slot};
//!
//! struct Heap;
//! impl Storage for Heap {
//!     type Slots = Vec<Slot>;
//!     type Units = Vec<Unit>;
//!     type Subscriptions = Vec<Subscription>;
//! }
//! let policy = Policy::RejectNewest;
//! let lane = LaneConfig { signo: 40, mode: Mode::PerEvent, window: 8, queue_len: 2, policy };
//! let slots = vec![Slot::default(), Slot::default()];
//! let units = vec![Unit::default(); 4];
//! let subscriptions = vec![Subscription::default(); 1];
//! let mut machine = Machine::<Heap>::new(slots, units, subscriptions, lane, 0, 0x1234);
//! let mut arena = [0; 256];
//!
//! // A source posts; the caller copies the payload to its place.
//! let id = machine.subscribe(1, 0, None).unwrap();
//! let payload = b"twelve bytes";
//! let event = Event { source_seq: 1, kind: 0, time_ns: 0, value: None, payload };
//! let (lane, result) = machine.post(id, &event, |place| arena[place].copy_from_slice(payload));
//! assert!(result.is_ok());
//!
//! // The caller sends what the lane asks for.
//! let signal = machine.next_signal(lane, false).unwrap();
//! machine.signal_result(lane, signal, Outcome::Sent);
//! assert!(machine.next_signal(lane, true).is_none());
//!
//! // The target takes the signal and fetches what its handle names.
//! let Signal::Queued { handle } = signal else { panic!() };
//! let (claim, _offset) = machine.claim_handle(handle).unwrap();
//! assert_eq!(&arena[claim.place.clone()], payload);
//! machine.consume(claim, Consumer::Handle);
//! assert!(machine.claim_handle(handle).is_err(), "stale");
//! ```

use super::{
    abi::{self, Record},
    lane::Lane,
    pool::{Block, Pin, Pool, PoolError, Unit},
    slots::{HandleError, Slot, SlotTable, NONE},
    subscription::{Filter, Posting},
};
use core::ops::{DerefMut, Range};

pub use super::{
    lane::{LaneConfig, LaneError, Mode, Policy},
    subscription::{Subscription, SubscriptionId},
};

/// The arrays that a machine works in; each side allocates them its own way.
pub trait Storage {
    /// The slot table: one per queued record.
    type Slots: DerefMut<Target = [Slot]>;
    /// The pool's bookkeeping: one per [`super::pool::UNIT`] bytes of arena.
    type Units: DerefMut<Target = [Unit]>;
    /// The subscriptions: [`abi::MAX_SUBSCRIPTIONS`] at most.
    type Subscriptions: DerefMut<Target = [Subscription]>;
}

/// What must be known of an event to find room for it.
#[derive(Clone, Copy, Debug)]
pub struct Outline {
    /// The producer's kind.
    pub kind: u16,
    /// Latched level or count.
    pub value: Option<u64>,
    /// Bytes of payload.
    pub len: usize,
}

impl Outline {
    /// Whether the payload travels in the record.
    #[must_use]
    pub fn is_inline(&self) -> bool {
        self.value.is_none() && self.len <= abi::INLINE_PAYLOAD
    }
}

/// An event as a source posts it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Number of the event within its source.
    pub source_seq: u64,
    /// The producer's kind, below [`abi::FIRST_RESERVED_KIND`]; another becomes [`abi::KIND_EVENT`].
    pub kind: u16,
    /// Latched time in nanoseconds.
    pub time_ns: u64,
    /// Latched level or count.
    pub value: Option<u64>,
    /// The data.
    pub payload: &'a [u8],
}

impl Event<'_> {
    /// What finding room for it takes.
    #[must_use]
    pub fn outline(&self) -> Outline {
        Outline {
            kind: self.kind,
            value: self.value,
            len: self.payload.len(),
        }
    }
}

/// Why an event was lost to this subscriber; the gap will say so too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The lane's queue is full.
    QueueFull,
    /// The payload quota is used up.
    Quota,
    /// The payload could never fit the quota, or is longer than [`abi::MAX_PAYLOAD`].
    TooLarge,
    /// Withdrawn for newer events.
    Oldest,
    /// Withdrawn for a later event of the same source.
    Superseded,
}

impl Loss {
    /// The bit of [`abi::Record::reason`].
    #[must_use]
    pub fn reason(self) -> u16 {
        match self {
            Loss::QueueFull => abi::LOST_QUEUE_FULL,
            Loss::Quota => abi::LOST_QUOTA,
            Loss::TooLarge => abi::LOST_TOO_LARGE,
            Loss::Oldest => abi::LOST_OLDEST,
            Loss::Superseded => abi::LOST_SUPERSEDED,
        }
    }
}

/// Why a subscription cannot be made or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeError {
    /// The registration is subscribed to that source already.
    Exists,
    /// Every place for a subscription is taken.
    Full,
    /// There is no such subscription, or no such lane.
    NotFound,
}

/// The lane has records that nobody holds; see [`Machine::arm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotEmpty;

/// A signal to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Queue the lane's signal with this handle as its value.
    Queued {
        /// Handle of the event announced.
        handle: u64,
    },
    /// Ring the doorbell that the limit on queued signals cannot refuse; it has no value.
    Fallback,
}

/// What became of a [`Signal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The kernel took it.
    Sent,
    /// The kernel refused to queue it (-EAGAIN).
    Refused,
    /// There is nobody to send it to; nothing was sent and nothing will be until [`Machine::reset_signals`].
    NoTarget,
}

/// How an event was consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer {
    /// By `read`: its signal, if one was sent, may still be pending.
    Read,
    /// By handle: its signal has been taken, for that is where the handle came from.
    Handle,
}

/// An event that a reader holds.
#[derive(Debug)]
#[must_use = "a claimed event is stuck until it is consumed or unclaimed"]
pub struct Claim {
    slot: u32,
    /// The record.
    pub record: Record,
    /// Where the payload lies in the arena; empty for gaps and inline payloads.
    pub place: Range<usize>,
}

/// Room for one event, kept until [`Machine::post_into`] or [`Machine::release`].
#[derive(Debug)]
#[must_use = "room that is not released is never used again"]
pub struct Room {
    /// The lane whose place is kept.
    lane: Option<u8>,
    block: Option<Block>,
}

impl Room {
    /// Where a payload of `len` bytes lies in the arena; `None` if none is to be put there.
    #[must_use]
    pub fn place(&self, len: usize) -> Option<Range<usize>> {
        let start = self.block.as_ref()?.offset();
        Some(start..start + len)
    }
}

/// What [`Machine::reserve`] does where there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// Nothing: the producer waits.
    Nothing,
    /// What the policy of the lane withdraws for an event, as posting would.
    Room,
}

/// Counters since the file was opened; see [`abi::Stats`] for each one's meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events posted.
    pub posted: u64,
    /// Events consumed.
    pub consumed: u64,
    /// Events lost: queue full.
    pub lost_queue_full: u64,
    /// Events lost: quota used up.
    pub lost_quota: u64,
    /// Events lost: larger than the quota.
    pub lost_too_large: u64,
    /// Events lost: still queued when the registration ended.
    pub lost_discarded: u64,
    /// Events lost: withdrawn for newer ones.
    pub lost_oldest: u64,
    /// Events lost: withdrawn for a later one of their source.
    pub lost_superseded: u64,
    /// Gap records put into the stream.
    pub gaps: u64,
    /// Signals queued with a handle.
    pub signals_sent: u64,
    /// Signals refused.
    pub signals_refused: u64,
    /// Fallback doorbells.
    pub fallbacks: u64,
    /// Events announced by a doorbell already outstanding.
    pub coalesced: u64,
    /// Reads that found nothing.
    pub spurious: u64,
    /// Handles that named nothing.
    pub stale: u64,
    /// Targets replaced.
    pub failovers: u64,
    /// Most records queued at once.
    pub high_water: u64,
}

impl Counters {
    /// The counters of two registrations of one file, one after the other.
    #[must_use]
    pub fn plus(self, later: Self) -> Self {
        Self {
            posted: self.posted + later.posted,
            consumed: self.consumed + later.consumed,
            lost_queue_full: self.lost_queue_full + later.lost_queue_full,
            lost_quota: self.lost_quota + later.lost_quota,
            lost_too_large: self.lost_too_large + later.lost_too_large,
            lost_discarded: self.lost_discarded + later.lost_discarded,
            lost_oldest: self.lost_oldest + later.lost_oldest,
            lost_superseded: self.lost_superseded + later.lost_superseded,
            gaps: self.gaps + later.gaps,
            signals_sent: self.signals_sent + later.signals_sent,
            signals_refused: self.signals_refused + later.signals_refused,
            fallbacks: self.fallbacks + later.fallbacks,
            coalesced: self.coalesced + later.coalesced,
            spurious: self.spurious + later.spurious,
            stale: self.stale + later.stale,
            failovers: self.failovers + later.failovers,
            high_water: self.high_water.max(later.high_water),
        }
    }

    /// The ABI form, with `queued` events and `quota_used` bytes now.
    #[must_use]
    pub fn stats(
        &self,
        queued: u64,
        quota_used: u64,
        state: u32,
        subscriptions: u32,
    ) -> abi::Stats {
        abi::Stats {
            size: abi::Stats::BYTES as u32,
            flags: 0,
            state,
            subscriptions,
            posted: self.posted,
            consumed: self.consumed,
            queued,
            lost_queue_full: self.lost_queue_full,
            lost_quota: self.lost_quota,
            lost_too_large: self.lost_too_large,
            lost_discarded: self.lost_discarded,
            gaps: self.gaps,
            signals_sent: self.signals_sent,
            signals_refused: self.signals_refused,
            fallbacks: self.fallbacks,
            coalesced: self.coalesced,
            spurious: self.spurious,
            stale: self.stale,
            failovers: self.failovers,
            high_water: self.high_water,
            quota_used,
            lost_oldest: self.lost_oldest,
            lost_superseded: self.lost_superseded,
            reserved: [0; 3],
        }
    }
}

/// The state machine; see the module documentation.
#[derive(Debug)]
pub struct Machine<S: Storage> {
    pub(super) slots: SlotTable<S::Slots>,
    pub(super) pool: Pool<S::Units>,
    pub(super) subscriptions: S::Subscriptions,
    pub(super) lanes: [Option<Lane>; abi::MAX_LANES],
    /// Lanes in the order of their signal numbers, which is the order of reading.
    order: [u8; abi::MAX_LANES],
    pub(super) next_seq: u64,
    cookie: u64,
    pub(super) counters: Counters,
}

impl<S: Storage> Machine<S> {
    /// A machine with one lane. `slots` must have at least `lane.queue_len` entries, more if lanes are to be
    /// added; the arena has `units.len() * UNIT` bytes; `base` is random.
    pub fn new(
        slots: S::Slots,
        units: S::Units,
        subscriptions: S::Subscriptions,
        lane: LaneConfig,
        cookie: u64,
        base: u64,
    ) -> Self {
        let mut lanes = [None; abi::MAX_LANES];
        lanes[0] = Some(Lane::new(lane));
        Self {
            slots: SlotTable::new(slots, base),
            pool: Pool::new(units),
            subscriptions,
            lanes,
            order: [0; abi::MAX_LANES],
            next_seq: 1,
            cookie,
            counters: Counters::default(),
        }
    }

    /// Adds a lane. Returns its index.
    ///
    /// # Errors
    ///
    /// See [`LaneError`].
    pub fn add_lane(&mut self, config: LaneConfig) -> Result<usize, LaneError> {
        let index = self.lane_count();
        if self.lane_of(u32::from(config.signo)).is_some() {
            return Err(LaneError::Exists);
        }
        if index == self.lanes.len() {
            return Err(LaneError::TooMany);
        }
        let taken: usize = self
            .lanes
            .iter()
            .flatten()
            .map(|lane| lane.config.queue_len as usize)
            .sum();
        if taken + config.queue_len as usize > self.slots.len() {
            return Err(LaneError::Capacity);
        }
        self.lanes[index] = Some(Lane::new(config));
        let mut place = index;
        while place > 0
            && self.lanes[self.order[place - 1] as usize]
                .is_some_and(|lane| lane.config.signo > config.signo)
        {
            self.order[place] = self.order[place - 1];
            place -= 1;
        }
        self.order[place] = index as u8;
        Ok(index)
    }

    /// Lanes there are; their indices count from 0.
    #[must_use]
    pub fn lane_count(&self) -> usize {
        self.lanes.iter().flatten().count()
    }

    /// What a lane was made with, or has been changed to.
    #[must_use]
    pub fn lane_config(&self, index: usize) -> Option<LaneConfig> {
        self.lanes.get(index)?.map(|lane| lane.config)
    }

    /// Changes how a lane announces events; whatever is queued is announced anew.
    ///
    /// Signals sent before may still be pending. They keep their place in the window until the target has none
    /// pending, so there are never more than the larger of both windows.
    pub fn set_mode(&mut self, index: usize, mode: Mode, window: u32) {
        self.forget_signals(index, |lane| {
            let rung = lane.config.mode == Mode::Coalesced && !lane.armed;
            let sent = lane.outstanding + lane.ghosts + u32::from(rung);
            lane.config.mode = mode;
            lane.config.window = window;
            sent
        });
    }

    /// Forgets what signals were sent for a lane. What `prepare` returns may still be pending.
    fn forget_signals(&mut self, index: usize, prepare: impl FnOnce(&mut Lane) -> u32) {
        let Some(Some(lane)) = self.lanes.get_mut(index) else {
            return;
        };
        let mut slot = lane.list.head;
        let mut first = NONE;
        while slot != NONE {
            let s = self.slots.get_mut(slot);
            s.signalled = false;
            s.taken = false;
            // Those that the end of an earlier registration left to their readers announce nothing.
            if first == NONE && !s.discarded {
                first = slot;
            }
            slot = self.slots.next(slot);
        }
        let pending = prepare(lane);
        lane.forget_signals(first);
        match lane.config.mode {
            Mode::PerEvent => lane.ghosts = pending,
            Mode::Window => lane.outstanding = pending,
            Mode::Coalesced => {}
        }
    }

    /// Arms a drained lane in coalesced mode: the next event rings. Finding a lane empty arms it too.
    ///
    /// # Errors
    ///
    /// There is something to be drained first.
    pub fn arm(&mut self, index: usize) -> Result<(), NotEmpty> {
        match self.lanes.get_mut(index) {
            Some(Some(lane)) if lane.list.len == lane.claimed => {
                lane.armed = true;
                Ok(())
            }
            _ => Err(NotEmpty),
        }
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The counters, for what only the caller sees.
    pub fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// Events queued now, in all lanes; gaps and ends of sources do not count.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.lanes
            .iter()
            .flatten()
            .map(|lane| u64::from(lane.list.len - lane.notes))
            .sum()
    }

    /// Whether nothing is queued. What a reader holds counts, for it may come back; so [`Machine::claim`] can
    /// find nothing all the same, and whoever waits for records then waits for that reader.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().flatten().all(|lane| lane.list.len == 0)
    }

    /// Whether something could be claimed, if nobody holds it: [`Machine::is_empty`] but for published lanes.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        let mut lanes = self.lanes.iter().flatten();
        lanes.any(|lane| !lane.is_published && lane.list.len > 0)
    }

    /// [`Machine::is_empty`] of one lane.
    #[must_use]
    pub fn is_lane_empty(&self, index: usize) -> bool {
        !matches!(self.lanes.get(index), Some(Some(lane)) if lane.list.len > 0)
    }

    /// Bytes of the payload quota in use.
    #[must_use]
    pub fn quota_used(&self) -> usize {
        self.pool.used()
    }

    /// Subscriptions in force.
    #[must_use]
    pub fn subscription_count(&self) -> u32 {
        self.subscriptions.iter().filter(|s| s.in_use).count() as u32
    }

    /// A subscription by its place, below [`abi::MAX_SUBSCRIPTIONS`]: source, lane, cookie.
    #[must_use]
    pub fn subscription(&self, place: usize) -> Option<(u32, usize, u64)> {
        let sub = self.subscriptions.get(place).filter(|sub| sub.in_use)?;
        Some((sub.source, sub.lane.into(), sub.cookie))
    }

    /// Records that a lane has queued now, gaps included.
    #[must_use]
    pub fn lane_len(&self, index: usize) -> Option<u32> {
        Some(self.lanes.get(index)?.as_ref()?.list.len)
    }

    /// Whether any lane's last signal was refused and nothing was consumed since.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.lanes.iter().flatten().any(|lane| lane.refused)
    }

    /// The lane of a signal number; 0 means the first lane.
    #[must_use]
    pub fn lane_of(&self, signo: u32) -> Option<usize> {
        self.lanes.iter().position(|lane| {
            lane.is_some_and(|lane| signo == 0 || u32::from(lane.config.signo) == signo)
        })
    }

    /// The lane that a subscription's events go into.
    #[must_use]
    pub fn lane_of_subscription(&self, id: SubscriptionId) -> Option<usize> {
        let sub = self.subscriptions.get(id.0 as usize)?;
        sub.in_use.then_some(sub.lane as usize)
    }

    /// Subscribes to `source`, into `lane`. With no `cookie` records carry the registration's.
    ///
    /// # Errors
    ///
    /// [`SubscribeError::Exists`], [`SubscribeError::Full`], or `NotFound` for a lane that is not there.
    pub fn subscribe(
        &mut self,
        source: u32,
        lane: usize,
        cookie: Option<u64>,
    ) -> Result<SubscriptionId, SubscribeError> {
        self.subscribe_filtered(source, lane, cookie, Filter::default())
    }

    /// As [`Machine::subscribe`], for those events that pass a filter.
    ///
    /// # Errors
    ///
    /// As for [`Machine::subscribe`].
    pub fn subscribe_filtered(
        &mut self,
        source: u32,
        lane: usize,
        cookie: Option<u64>,
        filter: Filter,
    ) -> Result<SubscriptionId, SubscribeError> {
        if !matches!(self.lanes.get(lane), Some(Some(_))) {
            return Err(SubscribeError::NotFound);
        }
        if self
            .subscriptions
            .iter()
            .any(|s| s.in_use && s.source == source)
        {
            return Err(SubscribeError::Exists);
        }
        // A place whose last gap is not in the stream yet is not free.
        let id = self
            .subscriptions
            .iter()
            .position(Subscription::is_free)
            .ok_or(SubscribeError::Full)?;
        self.subscriptions[id] = Subscription {
            source,
            lane: lane as u8,
            in_use: true,
            cookie: cookie.unwrap_or(self.cookie),
            filter,
            gap: None,
            gone: None,
        };
        Ok(SubscriptionId(id as u8))
    }

    /// Ends the subscription to `source`. What is queued stays queued, and so does a gap.
    ///
    /// # Errors
    ///
    /// [`SubscribeError::NotFound`].
    pub fn unsubscribe(&mut self, source: u32) -> Result<(), SubscribeError> {
        let sub = self
            .subscriptions
            .iter_mut()
            .find(|s| s.in_use && s.source == source)
            .ok_or(SubscribeError::NotFound)?;
        sub.in_use = false;
        Ok(())
    }

    /// Posts an event to one subscription. `fill` is called with the place of the payload in the arena, if
    /// it needs one, before anybody can read it. Returns the lane, for [`Machine::next_signal`].
    ///
    /// A subscription that has ended takes nothing and counts nothing; its place may be taken again, so the
    /// caller forgets the id before it ends the subscription.
    ///
    /// # Errors
    ///
    /// The event is lost to this subscriber; it is counted and will be reported as part of a gap. The lane
    /// may need a signal all the same, to announce that gap.
    pub fn post(
        &mut self,
        id: SubscriptionId,
        event: &Event<'_>,
        fill: impl FnOnce(Range<usize>),
    ) -> (usize, Result<(), Loss>) {
        let outline = event.outline();
        let Some(sub) = self.wanted(id, &outline) else {
            return (self.subscriptions[id.0 as usize].lane as usize, Ok(()));
        };
        self.counters.posted += 1;
        self.flush_notes_of(id.0 as usize);
        self.supersede(&sub);
        let result = match self.find_room(&sub, &outline) {
            Ok(block) => {
                if let Some(block) = &block {
                    let start = block.offset();
                    fill(start..start + outline.len);
                }
                self.enqueue(&sub, event, block)
            }
            Err(loss) => Err(loss),
        };
        if let Err(loss) = result {
            self.lose(id.0 as usize, event, loss);
        }
        (sub.lane as usize, result)
    }

    /// The subscription, if it is in force and the event passes its filter.
    fn wanted(&self, id: SubscriptionId, outline: &Outline) -> Option<Posting> {
        let sub = &self.subscriptions[id.0 as usize];
        (sub.in_use && sub.filter.passes(outline.kind, outline.value)).then(|| sub.posting())
    }

    /// Finds room, and withdraws the oldest events for it if that is the policy.
    fn find_room(&mut self, sub: &Posting, outline: &Outline) -> Result<Option<Block>, Loss> {
        let lane = sub.lane as usize;
        loop {
            match self.place(sub, outline) {
                Err(Loss::QueueFull | Loss::Quota) if self.withdraw_oldest(lane) => {
                    self.flush_notes(lane);
                }
                result => return result,
            }
        }
    }

    /// Keeps the room that an event needs in a subscription, so that its payload can be put there without the
    /// caller's lock and the event be posted into it later; or so that several machines can be asked for room
    /// before any of them is posted to. Time and number of the event do not matter yet.
    ///
    /// A subscription that has ended, or whose filter the event does not pass, always has room.
    ///
    /// This can put out a gap or withdraw events, so the lane may need a signal.
    ///
    /// # Errors
    ///
    /// There is no room, for that reason; nothing is counted yet. Either ask again later, or tell
    /// [`Machine::post_refused`].
    pub fn reserve(
        &mut self,
        id: SubscriptionId,
        outline: &Outline,
        make: Make,
    ) -> Result<Room, Loss> {
        let Some(sub) = self.wanted(id, outline) else {
            return Ok(Room {
                lane: None,
                block: None,
            });
        };
        self.flush_notes_of(id.0 as usize);
        let block = match make {
            Make::Nothing => self.place(&sub, outline)?,
            Make::Room => match self.place(&sub, outline) {
                // Only where it must be: the event may never come.
                Err(Loss::QueueFull | Loss::Quota) => {
                    self.supersede(&sub);
                    self.find_room(&sub, outline)?
                }
                result => result?,
            },
        };
        if let Some(lane) = &mut self.lanes[sub.lane as usize] {
            lane.reserved += 1;
        }
        Ok(Room {
            lane: Some(sub.lane),
            block,
        })
    }

    /// [`Machine::post`] into room kept for this very event, whose payload lies there already.
    ///
    /// # Errors
    ///
    /// As for [`Machine::post`]: an earlier event of the source has been refused meanwhile, and the gap that
    /// tells of it needs the place.
    pub fn post_into(
        &mut self,
        id: SubscriptionId,
        event: &Event<'_>,
        room: Room,
    ) -> (usize, Result<(), Loss>) {
        let place = id.0 as usize;
        let index = self.subscriptions[place].lane as usize;
        if room.lane.is_none() {
            // It did not want the event.
            return (index, Ok(()));
        }
        let Some(sub) = self.wanted(id, &event.outline()) else {
            self.release(room);
            return (index, Ok(()));
        };
        self.counters.posted += 1;
        self.supersede(&sub);
        // What waits for room goes first, but not into the place that is kept.
        self.flush_notes(index);
        while self.has_pending_gap(&sub) && self.withdraw_oldest(index) {
            self.flush_notes(index);
        }
        let result = if self.has_pending_gap(&sub) {
            self.release(room);
            Err(Loss::QueueFull)
        } else {
            if let Some(lane) = &mut self.lanes[index] {
                lane.reserved -= 1;
            }
            self.enqueue(&sub, event, room.block)
        };
        if let Err(loss) = result {
            self.lose(place, event, loss);
        }
        (index, result)
    }

    /// Counts an event as lost that [`Machine::reserve`] had no room for.
    pub fn post_refused(&mut self, id: SubscriptionId, event: &Event<'_>, loss: Loss) -> usize {
        let index = self.subscriptions[id.0 as usize].lane as usize;
        if self.wanted(id, &event.outline()).is_some() {
            self.counters.posted += 1;
            self.flush_notes_of(id.0 as usize);
            self.lose(id.0 as usize, event, loss);
        }
        index
    }

    fn free(&mut self, block: Option<Block>) {
        if let Some(block) = block {
            self.pool.free(block);
        }
    }

    /// Whether producers that are able to wait should do so for this subscription.
    #[must_use]
    pub fn waits(&self, id: SubscriptionId) -> bool {
        let sub = &self.subscriptions[id.0 as usize];
        let lane = &self.lanes[sub.lane as usize];
        sub.in_use && lane.is_some_and(|lane| lane.config.policy == Policy::Block)
    }

    /// Gives room back. Returns its lane, if it has one, for [`Machine::next_signal`]: a gap may have waited for
    /// it.
    pub fn release(&mut self, room: Room) -> Option<usize> {
        self.free(room.block);
        let index = usize::from(room.lane?);
        if let Some(lane) = &mut self.lanes[index] {
            lane.reserved -= 1;
        }
        self.flush_notes(index);
        Some(index)
    }

    /// Finds room for an event: a place in the queue, and a block for its payload if it needs one.
    fn place(&mut self, sub: &Posting, outline: &Outline) -> Result<Option<Block>, Loss> {
        match &self.lanes[sub.lane as usize] {
            Some(lane) if lane.room() > 0 && !self.has_pending_gap(sub) => {}
            _ => return Err(Loss::QueueFull),
        }
        if outline.len > abi::MAX_PAYLOAD {
            // A handle could not name its last bytes.
            return Err(Loss::TooLarge);
        }
        if outline.len == 0 || outline.is_inline() {
            return Ok(None);
        }
        match self.pool.alloc(outline.len) {
            Ok(block) => Ok(Some(block)),
            Err(PoolError::Exhausted) => Err(Loss::Quota),
            Err(PoolError::TooLarge) => Err(Loss::TooLarge),
        }
    }

    fn enqueue(
        &mut self,
        sub: &Posting,
        event: &Event<'_>,
        block: Option<Block>,
    ) -> Result<(), Loss> {
        let len = event.payload.len();
        let (value, flags) = if let Some(value) = event.value {
            (value, abi::RECORD_VALUE)
        } else if len <= abi::INLINE_PAYLOAD {
            let mut bytes = [0; abi::INLINE_PAYLOAD];
            bytes[..len].copy_from_slice(event.payload);
            (u64::from_ne_bytes(bytes), abi::RECORD_INLINE)
        } else {
            (0, 0)
        };
        let record = Record {
            seq: self.next_seq,
            source_seq: event.source_seq,
            source: sub.source,
            // Counted as an event, so it must not pass for something else.
            kind: if event.kind < abi::FIRST_RESERVED_KIND {
                event.kind
            } else {
                abi::KIND_EVENT
            },
            flags,
            time_ns: event.time_ns,
            value,
            handle: 0,
            cookie: sub.cookie,
            payload_len: len as u32,
            signo: self.lanes[sub.lane as usize]
                .as_ref()
                .map_or(0, |lane| lane.config.signo),
            reason: 0,
        };
        match self.push(sub.lane, &record, block) {
            Ok(()) => Ok(()),
            Err(block) => {
                self.free(block);
                Err(Loss::QueueFull)
            }
        }
    }

    /// Appends a record to a lane; gives its block back if there is no room.
    pub(super) fn push(
        &mut self,
        lane: u8,
        record: &Record,
        block: Option<Block>,
    ) -> Result<(), Option<Block>> {
        let Some(l) = &mut self.lanes[lane as usize] else {
            return Err(block);
        };
        let slot = self.slots.push(&mut l.list, lane, record, block)?;
        self.next_seq += 1;
        l.unannounced = true;
        if l.unsignalled == NONE {
            l.unsignalled = slot;
        }
        if l.is_published && l.unpublished == NONE {
            l.unpublished = slot;
        }
        l.notes += u32::from(!record.is_event());
        self.counters.gaps += u64::from(record.is_gap());
        let depth = u64::from(self.slots.used());
        self.counters.high_water = self.counters.high_water.max(depth);
        Ok(())
    }

    /// Claims the oldest unclaimed record of the lowest-numbered lane that has one. Finding nothing in a lane
    /// arms it.
    pub fn claim(&mut self) -> Option<Claim> {
        (0..self.lane_count()).find_map(|place| self.claim_from(self.order[place] as usize))
    }

    /// Claims the oldest unclaimed record of one lane. Finding nothing arms it.
    pub fn claim_from(&mut self, index: usize) -> Option<Claim> {
        let lane = self.lanes.get_mut(index)?.as_mut()?;
        if lane.is_published {
            return None;
        }
        let mut slot = lane.list.head;
        while slot != NONE && self.slots.get(slot).claimed {
            slot = self.slots.next(slot);
        }
        if slot != NONE {
            return Some(self.claim_slot(slot, false));
        }
        // Whatever was recalled has been read; what others hold may come back.
        lane.recall = false;
        lane.turned_away = lane.claimed > 0;
        lane.armed = true;
        None
    }

    /// Claims the event that `handle` names; also returns the byte offset in the handle.
    ///
    /// # Errors
    ///
    /// See [`HandleError`].
    pub fn claim_handle(&mut self, handle: u64) -> Result<(Claim, usize), HandleError> {
        match self.slots.resolve(handle) {
            Ok((slot, _)) if self.slots.get(slot).claimed => {
                let index = self.slots.get(slot).lane as usize;
                if let Some(lane) = &mut self.lanes[index] {
                    lane.turned_away = true;
                }
                Err(HandleError::Busy)
            }
            Ok((slot, _)) if self.is_published(self.slots.get(slot).lane as usize) => {
                Err(HandleError::Published)
            }
            Ok((slot, offset)) => Ok((self.claim_slot(slot, true), offset)),
            Err(error) => {
                self.counters.stale += 1;
                Err(error)
            }
        }
    }

    fn claim_slot(&mut self, slot: u32, by_handle: bool) -> Claim {
        let s = self.slots.get_mut(slot);
        s.claimed = true;
        s.taken = by_handle && s.signalled;
        let record = s.record;
        let start = s.block.as_ref().map_or(0, Block::offset);
        if let Some(lane) = &mut self.lanes[s.lane as usize] {
            lane.claimed += 1;
        }
        Claim {
            slot,
            record,
            place: start..start + record.trailing_len(),
        }
    }

    /// Keeps the block of a claimed event's payload, whatever becomes of the event; `None` if it has no block, or
    /// one that is pinned too often. It counts against the quota until it is given back.
    pub fn pin(&mut self, claim: &Claim) -> Option<Pin> {
        let block = self.slots.get(claim.slot).block.as_ref()?;
        self.pool.pin(block)
    }

    /// Gives back what [`Machine::pin`] of this machine has kept.
    pub fn unpin(&mut self, pin: Pin) {
        self.pool.unpin(pin);
    }

    /// Puts a claimed event back, unread, in its old place; one that [`Machine::discard`] left to its reader is
    /// discarded now. Returns its lane, for [`Machine::next_signal`].
    ///
    /// Another reader may have been turned away from this event meanwhile and have gone to sleep: the lane may
    /// need a doorbell, and the caller wakes whoever sleeps on it.
    pub fn unclaim(&mut self, claim: Claim) -> usize {
        let slot = self.slots.get_mut(claim.slot);
        let index = slot.lane as usize;
        if slot.discarded {
            let is_event = slot.record.is_event();
            self.remove(claim.slot, Consumer::Read);
            self.counters.lost_discarded += u64::from(is_event);
            self.flush_notes(index);
            return index;
        }
        slot.claimed = false;
        if let Some(lane) = &mut self.lanes[index] {
            lane.claimed -= 1;
            lane.recall |= lane.turned_away;
            lane.turned_away &= lane.claimed > 0;
        }
        index
    }

    /// Consumes a claimed event. Returns its lane, for [`Machine::next_signal`].
    pub fn consume(&mut self, claim: Claim, consumer: Consumer) -> usize {
        let Claim { slot, record, .. } = claim;
        let index = self.remove(slot, consumer);
        self.counters.consumed += u64::from(record.is_event());
        if let Some(lane) = &mut self.lanes[index] {
            lane.refused = false;
        }
        self.flush_notes(index);
        index
    }

    pub(super) fn remove(&mut self, slot: u32, consumer: Consumer) -> usize {
        let (index, signalled, taken, claimed, is_event) = {
            let s = self.slots.get(slot);
            (
                s.lane as usize,
                s.signalled,
                s.taken,
                s.claimed,
                s.record.is_event(),
            )
        };
        let next = self.slots.next(slot);
        let Some(lane) = &mut self.lanes[index] else {
            return index;
        };
        if lane.unsignalled == slot {
            lane.unsignalled = next;
        }
        if signalled {
            lane.outstanding -= 1;
            if consumer == Consumer::Read || !taken {
                lane.ghosts += 1;
            }
        }
        if claimed {
            lane.claimed -= 1;
            lane.turned_away &= lane.claimed > 0;
        }
        lane.notes -= u32::from(!is_event);
        if let Some(block) = self.slots.remove(&mut lane.list, slot) {
            self.pool.free(block);
        }
        index
    }

    /// The signal that `lane` needs now, if any; send it, tell [`Machine::signal_result`], ask again.
    ///
    /// `pending` says whether the target has a signal of this lane pending, read after the last change to
    /// the queue and after the last signal sent. Clear means that nothing is outstanding; set means that a
    /// doorbell is still on its way, after which the consumer drains. That holds for a signal of this number
    /// from anybody: the consumer must drain after every one that does not lead it to its event.
    ///
    /// Asking, sending and telling belong under one hold of the caller's lock. In window mode an event posted
    /// between asking and telling would be taken for announced.
    #[must_use]
    pub fn next_signal(&mut self, index: usize, pending: bool) -> Option<Signal> {
        let slots = &self.slots;
        let lane = self.lanes.get_mut(index)?.as_mut()?;
        if lane.list.len == 0 {
            lane.unannounced = false;
            lane.recall = false;
            return None;
        }
        if lane.refused || lane.recall {
            // What readers hold needs no doorbell unless it comes back.
            return if pending || lane.list.len == lane.claimed {
                None
            } else {
                Some(Signal::Fallback)
            };
        }
        match lane.config.mode {
            Mode::PerEvent => {
                if !pending {
                    lane.ghosts = 0;
                }
                if lane.unsignalled == NONE || lane.outstanding + lane.ghosts >= lane.config.window
                {
                    return None;
                }
                Some(Signal::Queued {
                    handle: slots.get(lane.unsignalled).record.handle,
                })
            }
            Mode::Window => {
                if !lane.unannounced {
                    return None;
                }
                if !pending {
                    lane.outstanding = 0;
                }
                if lane.outstanding >= lane.config.window {
                    lane.unannounced = false;
                    self.counters.coalesced += 1;
                    return None;
                }
                Some(Signal::Queued {
                    handle: slots.get(lane.list.tail).record.handle,
                })
            }
            Mode::Coalesced => {
                if !lane.unannounced {
                    return None;
                }
                if !lane.armed || pending {
                    // Somebody is draining, or will when that signal is taken.
                    lane.armed = false;
                    lane.unannounced = false;
                    self.counters.coalesced += 1;
                    return None;
                }
                Some(Signal::Queued {
                    handle: slots.get(lane.list.tail).record.handle,
                })
            }
        }
    }

    /// Whether [`Machine::next_signal`] would look at `pending`: reading it can be expensive.
    #[must_use]
    pub fn needs_pending(&self, index: usize) -> bool {
        match self.lanes.get(index) {
            Some(Some(lane)) => {
                lane.list.len > 0
                    && (lane.refused
                        || lane.recall
                        || lane.ghosts > 0
                        || (lane.config.mode == Mode::Window && lane.unannounced)
                        || (lane.config.mode == Mode::Coalesced && lane.unannounced && lane.armed))
            }
            _ => false,
        }
    }

    /// Takes the outcome of the signal that [`Machine::next_signal`] asked for. Returns whether to ask again.
    pub fn signal_result(&mut self, index: usize, signal: Signal, outcome: Outcome) -> bool {
        let Some(Some(lane)) = self.lanes.get_mut(index) else {
            return false;
        };
        match (signal, outcome) {
            (_, Outcome::NoTarget) => {
                lane.unannounced = false;
                false
            }
            (Signal::Queued { handle }, Outcome::Sent) => {
                self.counters.signals_sent += 1;
                if lane.config.mode != Mode::PerEvent {
                    lane.outstanding += u32::from(lane.config.mode == Mode::Window);
                    lane.unannounced = false;
                    lane.armed = false;
                    return false;
                }
                let slot = lane.unsignalled;
                if slot != NONE && self.slots.get(slot).record.handle == handle {
                    lane.unsignalled = self.slots.next(slot);
                    self.slots.get_mut(slot).signalled = true;
                    lane.outstanding += 1;
                } else {
                    // Consumed meanwhile: the signal is on its way all the same.
                    lane.ghosts += 1;
                }
                true
            }
            (Signal::Queued { .. }, Outcome::Refused) => {
                self.counters.signals_refused += 1;
                lane.refused = true;
                true
            }
            (Signal::Fallback, Outcome::Sent) => {
                self.counters.fallbacks += 1;
                lane.unannounced = false;
                lane.armed = false;
                false
            }
            // The fallback cannot be refused; if it ever is, the next post or read tries again.
            (Signal::Fallback, Outcome::Refused) => false,
        }
    }

    /// Forgets every signal sent for a lane: its target has changed, and what that had pending is gone with it.
    pub fn reset_signals(&mut self, index: usize) {
        self.forget_signals(index, |_| 0);
    }

    /// Ends every subscription and discards what is queued, counting it as lost. Returns how many events.
    ///
    /// An event that a reader holds stays with that reader, who copies from its place in the arena without the
    /// lock: it counts as queued until it is consumed, or is lost when it is put back. So the arena, and the
    /// machine for its counters, must outlive the last claim.
    pub fn discard(&mut self) -> u64 {
        let before = self.queued();
        for index in 0..self.lanes.len() {
            let Some(lane) = &self.lanes[index] else {
                continue;
            };
            let mut slot = lane.list.head;
            while slot != NONE {
                let next = self.slots.next(slot);
                let s = self.slots.get_mut(slot);
                if s.claimed {
                    s.discarded = true;
                    s.signalled = false;
                } else {
                    s.signalled = false;
                    self.remove(slot, Consumer::Read);
                }
                slot = next;
            }
            if let Some(lane) = &mut self.lanes[index] {
                lane.forget_signals(NONE);
                lane.pending_notes = 0;
                lane.turned_away = false;
                lane.published = 0;
                lane.unpublished = NONE;
            }
        }
        let discarded = before - self.queued();
        for sub in self.subscriptions.iter_mut() {
            *sub = Subscription::default();
        }
        self.counters.lost_discarded += discarded;
        discarded
    }
}
