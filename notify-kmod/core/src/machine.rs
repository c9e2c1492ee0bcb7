// SPDX-License-Identifier: MIT OR Apache-2.0

//! The state machine of one registration: subscriptions, lanes, queue, delivery window, losses, counters.
//!
//! The caller owns the lock, the arena that the payloads lie in, the signals and the clock; the machine says
//! what to do and is told what happened:
//!
//! - [`Machine::post`] puts an event into a lane, or counts it as lost and starts or extends a gap.
//! - [`Machine::next_signal`] says which signal to send, [`Machine::signal_result`] takes the outcome. The
//!   queue is the truth and the signal only a doorbell: a refused signal changes no event.
//! - [`Machine::claim`] and [`Machine::claim_handle`] hand an event to a reader, which copies it without the
//!   lock and then either consumes it ([`Machine::consume`]) or puts it back ([`Machine::unclaim`]).
//!
//! Nothing here allocates, blocks, or touches an atomic.
//!
//! # Accounting
//!
//! `posted = consumed + queued + lost_queue_full + lost_quota + lost_too_large + lost_discarded`, after
//! every call.
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
//! let lane = LaneConfig { signo: 40, mode: Mode::PerEvent, window: 8, queue_len: 2 };
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
    pool::{Block, Pool, PoolError, Unit},
    slots::{HandleError, List, Slot, SlotTable, NONE},
};
use core::ops::{DerefMut, Range};

/// The arrays that a machine works in; each side allocates them its own way.
pub trait Storage {
    /// The slot table: one per queued record.
    type Slots: DerefMut<Target = [Slot]>;
    /// The pool's bookkeeping: one per [`super::pool::UNIT`] bytes of arena.
    type Units: DerefMut<Target = [Unit]>;
    /// The subscriptions: [`abi::MAX_SUBSCRIPTIONS`] at most.
    type Subscriptions: DerefMut<Target = [Subscription]>;
}

/// How a lane announces events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One queued signal per event, at most `window` events signalled and not yet consumed.
    PerEvent,
    /// At most `window` signals outstanding; later events ride on the drain.
    Window,
}

/// What a lane is created with.
#[derive(Clone, Copy, Debug)]
pub struct LaneConfig {
    /// Signal number.
    pub signo: u16,
    /// Delivery mode.
    pub mode: Mode,
    /// Signals outstanding at most, at least 1.
    pub window: u32,
    /// Records queued at most, at least 1.
    pub queue_len: u32,
}

#[derive(Clone, Copy, Debug)]
struct Lane {
    config: LaneConfig,
    list: List,
    /// Gap records among those on the list.
    gaps: u32,
    /// First slot that no signal has announced (per-event mode), or `NONE`.
    unsignalled: u32,
    /// Per event: signalled and not consumed. Window: sent since the target last had none pending.
    outstanding: u32,
    /// Per event: consumed by `read` although their signal was sent, so it may still be pending. They keep
    /// their place in the window until the target has none pending, or a consumer that never takes its
    /// signals would fill the limit on queued ones.
    ghosts: u32,
    /// Window mode: something was queued that no doorbell has been rung for.
    unannounced: bool,
    /// A signal was refused and nothing was consumed since.
    refused: bool,
    /// Subscriptions of this lane with a gap that is not on the list yet.
    pending_gaps: u32,
    /// Records on the list that a reader holds.
    claimed: u32,
    /// A reader found nothing but claimed records, or asked for one of them by handle.
    turned_away: bool,
    /// A record came back after a reader had been turned away from it: its signal may have been taken in
    /// vain, so fallback doorbells and nothing else are rung until somebody has drained. A handle sent
    /// meanwhile would merge with a valueless doorbell that left only its pending bit, and replace it.
    recall: bool,
}

impl Lane {
    fn room(&self) -> u32 {
        self.config.queue_len - self.list.len
    }
}

/// One subscription of the registration to a source.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subscription {
    source: u32,
    lane: u8,
    in_use: bool,
    cookie: u64,
    gap: Option<Gap>,
}

/// Consecutive losses of one source, not yet in the stream.
#[derive(Clone, Copy, Debug)]
struct Gap {
    first: u64,
    last: u64,
    count: u32,
    reason: u16,
    time_ns: u64,
}

/// Names a subscription to [`Machine::post`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionId(u8);

/// An event as a source posts it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Number of the event within its source.
    pub source_seq: u64,
    /// The producer's kind. [`abi::KIND_GAP`] is not a producer's to give: it becomes [`abi::KIND_EVENT`].
    pub kind: u16,
    /// Latched time in nanoseconds.
    pub time_ns: u64,
    /// Latched level or count.
    pub value: Option<u64>,
    /// The data.
    pub payload: &'a [u8],
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
}

impl Loss {
    fn reason(self) -> u16 {
        match self {
            Loss::QueueFull => abi::LOST_QUEUE_FULL,
            Loss::Quota => abi::LOST_QUOTA,
            Loss::TooLarge => abi::LOST_TOO_LARGE,
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
            reserved: [0; 5],
        }
    }
}

/// The state machine; see the module documentation.
#[derive(Debug)]
pub struct Machine<S: Storage> {
    slots: SlotTable<S::Slots>,
    pool: Pool<S::Units>,
    subscriptions: S::Subscriptions,
    lanes: [Option<Lane>; abi::MAX_LANES],
    next_seq: u64,
    cookie: u64,
    counters: Counters,
}

impl<S: Storage> Machine<S> {
    /// A machine with one lane. `slots` must have at least `lane.queue_len` entries; the arena has
    /// `units.len() * UNIT` bytes; `base` is random.
    pub fn new(
        slots: S::Slots,
        units: S::Units,
        subscriptions: S::Subscriptions,
        lane: LaneConfig,
        cookie: u64,
        base: u64,
    ) -> Self {
        let mut lanes = [None; abi::MAX_LANES];
        lanes[0] = Some(Lane {
            config: lane,
            list: List::default(),
            gaps: 0,
            unsignalled: NONE,
            outstanding: 0,
            ghosts: 0,
            unannounced: false,
            refused: false,
            pending_gaps: 0,
            claimed: 0,
            turned_away: false,
            recall: false,
        });
        Self {
            slots: SlotTable::new(slots, base),
            pool: Pool::new(units),
            subscriptions,
            lanes,
            next_seq: 1,
            cookie,
            counters: Counters::default(),
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

    /// Events queued now, in all lanes; gap records do not count.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.lanes
            .iter()
            .flatten()
            .map(|lane| u64::from(lane.list.len - lane.gaps))
            .sum()
    }

    /// Whether nothing is queued. What a reader holds counts, for it may come back; so [`Machine::claim`] can
    /// find nothing all the same, and whoever waits for records then waits for that reader.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().flatten().all(|lane| lane.list.len == 0)
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
        if self.lane_mut(lane).is_none() {
            return Err(SubscribeError::NotFound);
        }
        if self
            .subscriptions
            .iter()
            .any(|s| s.in_use && s.source == source)
        {
            return Err(SubscribeError::Exists);
        }
        // A place whose last gap has not been read yet is not free.
        let id = self
            .subscriptions
            .iter()
            .position(|s| !s.in_use && s.gap.is_none())
            .ok_or(SubscribeError::Full)?;
        self.subscriptions[id] = Subscription {
            source,
            lane: lane as u8,
            in_use: true,
            cookie: cookie.unwrap_or(self.cookie),
            gap: None,
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
        let sub = self.subscriptions[id.0 as usize];
        let lane = sub.lane as usize;
        if !sub.in_use {
            return (lane, Ok(()));
        }
        self.counters.posted += 1;
        self.flush_gap(id.0 as usize);
        match self.enqueue(&sub, event, fill) {
            Ok(()) => (lane, Ok(())),
            Err(loss) => {
                self.lose(id.0 as usize, event, loss);
                (lane, Err(loss))
            }
        }
    }

    fn enqueue(
        &mut self,
        sub: &Subscription,
        event: &Event<'_>,
        fill: impl FnOnce(Range<usize>),
    ) -> Result<(), Loss> {
        let Some(lane) = &self.lanes[sub.lane as usize] else {
            return Err(Loss::QueueFull);
        };
        if lane.room() == 0 || self.has_pending_gap(sub) {
            return Err(Loss::QueueFull);
        }
        let signo = lane.config.signo;
        let len = event.payload.len();
        let (mut value, mut flags, mut block) = (0, 0, None);
        if let Some(given) = event.value {
            value = given;
            flags |= abi::RECORD_VALUE;
        } else if len <= abi::INLINE_PAYLOAD {
            let mut bytes = [0; abi::INLINE_PAYLOAD];
            bytes[..len].copy_from_slice(event.payload);
            value = u64::from_ne_bytes(bytes);
            flags |= abi::RECORD_INLINE;
        }
        if len > abi::MAX_PAYLOAD {
            // A handle could not name its last bytes.
            return Err(Loss::TooLarge);
        }
        if flags & abi::RECORD_INLINE == 0 && len > 0 {
            let place = self.pool.alloc(len).map_err(|e| match e {
                PoolError::Exhausted => Loss::Quota,
                PoolError::TooLarge => Loss::TooLarge,
            })?;
            fill(place.offset()..place.offset() + len);
            block = Some(place);
        }
        let record = Record {
            seq: self.next_seq,
            source_seq: event.source_seq,
            source: sub.source,
            // Counted as an event, so it must not pass for a gap.
            kind: if event.kind == abi::KIND_GAP {
                abi::KIND_EVENT
            } else {
                event.kind
            },
            flags,
            time_ns: event.time_ns,
            value,
            handle: 0,
            cookie: sub.cookie,
            payload_len: len as u32,
            signo,
            reason: 0,
        };
        match self.push(sub.lane, record, block) {
            Ok(()) => Ok(()),
            Err(block) => {
                if let Some(block) = block {
                    self.pool.free(block);
                }
                Err(Loss::QueueFull)
            }
        }
    }

    fn push(
        &mut self,
        lane: u8,
        record: Record,
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
        if record.is_gap() {
            l.gaps += 1;
            self.counters.gaps += 1;
        }
        let depth = self
            .lanes
            .iter()
            .flatten()
            .map(|lane| u64::from(lane.list.len))
            .sum();
        self.counters.high_water = self.counters.high_water.max(depth);
        Ok(())
    }

    /// Whether losses of this source wait for their place in this lane; later events must not pass them. They
    /// may be those of an earlier subscription that has ended meanwhile.
    fn has_pending_gap(&self, sub: &Subscription) -> bool {
        self.subscriptions
            .iter()
            .any(|s| s.source == sub.source && s.lane == sub.lane && s.gap.is_some())
    }

    fn has_older_gap(&self, sub: &Subscription, gap: &Gap) -> bool {
        self.subscriptions.iter().any(|s| {
            s.source == sub.source
                && s.lane == sub.lane
                && s.gap.is_some_and(|g| g.first < gap.first)
        })
    }

    fn lose(&mut self, id: usize, event: &Event<'_>, loss: Loss) {
        match loss {
            Loss::QueueFull => self.counters.lost_queue_full += 1,
            Loss::Quota => self.counters.lost_quota += 1,
            Loss::TooLarge => self.counters.lost_too_large += 1,
        }
        let sub = &mut self.subscriptions[id];
        if let Some(gap) = &mut sub.gap {
            gap.last = event.source_seq;
            gap.count = gap.count.saturating_add(1);
            gap.reason |= loss.reason();
        } else {
            sub.gap = Some(Gap {
                first: event.source_seq,
                last: event.source_seq,
                count: 1,
                reason: loss.reason(),
                time_ns: event.time_ns,
            });
            if let Some(lane) = &mut self.lanes[sub.lane as usize] {
                lane.pending_gaps += 1;
            }
        }
        // With nothing queued, no consumption will come to put the gap out.
        self.flush_gap(id);
    }

    /// Puts a subscription's gap into the stream if there is room.
    ///
    /// One place is kept for the event after the gap, unless the lane is empty: otherwise a full queue would
    /// alternate between gaps and single events. A gap of the same source that an earlier subscription left
    /// behind goes first.
    fn flush_gap(&mut self, id: usize) {
        let sub = self.subscriptions[id];
        let Some(gap) = sub.gap else { return };
        let Some(lane) = &self.lanes[sub.lane as usize] else {
            return;
        };
        if (lane.room() < 2 && lane.list.len > 0) || self.has_older_gap(&sub, &gap) {
            return;
        }
        let record = Record {
            seq: self.next_seq,
            source_seq: gap.first,
            source: sub.source,
            kind: abi::KIND_GAP,
            flags: 0,
            time_ns: gap.time_ns,
            value: gap.last,
            handle: 0,
            cookie: sub.cookie,
            payload_len: gap.count,
            signo: lane.config.signo,
            reason: gap.reason,
        };
        if self.push(sub.lane, record, None).is_ok() {
            self.subscriptions[id].gap = None;
            if let Some(lane) = &mut self.lanes[sub.lane as usize] {
                lane.pending_gaps -= 1;
            }
        }
    }

    /// Claims the oldest unclaimed event of the lowest-numbered lane that has one.
    pub fn claim(&mut self) -> Option<Claim> {
        for index in 0..self.lanes.len() {
            let Some(lane) = &self.lanes[index] else {
                continue;
            };
            let mut slot = lane.list.head;
            while slot != NONE && self.slots.get(slot).claimed {
                slot = self.slots.next(slot);
            }
            if slot != NONE {
                return Some(self.claim_slot(slot, false));
            }
        }
        for lane in self.lanes.iter_mut().flatten() {
            // Whatever was recalled has been read; what others hold may come back.
            lane.recall = false;
            lane.turned_away = lane.claimed > 0;
        }
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

    /// Puts a claimed event back, unread, in its old place; one that [`Machine::discard`] left to its reader is
    /// discarded now. Returns its lane, for [`Machine::next_signal`].
    ///
    /// Another reader may have been turned away from this event meanwhile and have gone to sleep: the lane may
    /// need a doorbell, and the caller wakes whoever sleeps on it.
    pub fn unclaim(&mut self, claim: Claim) -> usize {
        let slot = self.slots.get_mut(claim.slot);
        let index = slot.lane as usize;
        if slot.discarded {
            let is_gap = slot.record.is_gap();
            self.remove(claim.slot, Consumer::Read);
            self.counters.lost_discarded += u64::from(!is_gap);
            self.flush_gaps(index);
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
        if !record.is_gap() {
            self.counters.consumed += 1;
        }
        if let Some(lane) = &mut self.lanes[index] {
            lane.refused = false;
        }
        self.flush_gaps(index);
        index
    }

    fn flush_gaps(&mut self, index: usize) {
        if self.lanes[index].is_some_and(|lane| lane.pending_gaps > 0) {
            for id in 0..self.subscriptions.len() {
                if self.subscriptions[id].lane as usize == index {
                    self.flush_gap(id);
                }
            }
        }
    }

    fn remove(&mut self, slot: u32, consumer: Consumer) -> usize {
        let (index, signalled, taken, claimed, is_gap) = {
            let s = self.slots.get(slot);
            (
                s.lane as usize,
                s.signalled,
                s.taken,
                s.claimed,
                s.record.is_gap(),
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
        if is_gap {
            lane.gaps -= 1;
        }
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
                        || (lane.config.mode == Mode::Window && lane.unannounced))
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
                if lane.config.mode == Mode::Window {
                    lane.outstanding += 1;
                    lane.unannounced = false;
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
                false
            }
            // The fallback cannot be refused; if it ever is, the next post or read tries again.
            (Signal::Fallback, Outcome::Refused) => false,
        }
    }

    /// Forgets every signal sent: the target has changed, and what it had pending is gone with it.
    pub fn reset_signals(&mut self) {
        for lane in self.lanes.iter_mut().flatten() {
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
            lane.unsignalled = first;
            lane.outstanding = 0;
            lane.ghosts = 0;
            lane.refused = false;
            lane.recall = false;
            lane.unannounced = first != NONE;
        }
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
                lane.unsignalled = NONE;
                lane.pending_gaps = 0;
                lane.refused = false;
                lane.unannounced = false;
                lane.turned_away = false;
                lane.recall = false;
                lane.outstanding = 0;
                lane.ghosts = 0;
            }
        }
        let discarded = before - self.queued();
        for sub in self.subscriptions.iter_mut() {
            *sub = Subscription::default();
        }
        self.counters.lost_discarded += discarded;
        discarded
    }

    fn lane_mut(&mut self, index: usize) -> Option<&mut Lane> {
        self.lanes.get_mut(index)?.as_mut()
    }
}
