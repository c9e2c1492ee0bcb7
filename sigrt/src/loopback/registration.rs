// SPDX-License-Identifier: MIT OR Apache-2.0

//! One registration: the shared state machine, the memory it works in, and the threads it rings for.
//!
//! Runs under the broker's lock, but for making a registration or a lane, which looks at threads and can
//! block for a moment. Posting allocates nothing. The threads may be of another process; then an agent there rings,
//! and what it says comes later (see [`crate::broker`]).

mod stream;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::errno::Errno;
use rtnotify_core::abi;
use rtnotify_core::lane::{self, LaneError};
use rtnotify_core::machine::{
    Claim, Consumer, Counters, Event, LaneConfig, Loss, Machine, Make, Mode, Storage,
    SubscribeError, Subscription, SubscriptionId,
};
use rtnotify_core::pool::{UNIT, Unit};
use rtnotify_core::slots::{HandleError, Slot};
use rtnotify_core::subscription::Filter;

use super::bell::Bell;
use crate::broker::remote::{Answer, Asked};
use stream::Stream;

/// Bytes that mappings are made of.
const PAGE: usize = 4096;

/// The machine's arrays on the heap.
#[derive(Debug)]
pub(crate) struct Heap;

impl Storage for Heap {
    type Slots = Vec<Slot>;
    type Units = Vec<Unit>;
    type Subscriptions = Vec<Subscription>;
}

/// A lane that is ready to be added.
pub(crate) struct NewLane {
    config: LaneConfig,
    bell: Bell,
}

impl NewLane {
    /// Checks and completes `request`; see [`Registration::new`].
    pub(crate) fn new(
        request: &mut abi::Lane,
        bell: impl FnOnce(i32) -> Result<Bell, Errno>,
    ) -> Result<Self, Errno> {
        if request.flags != 0 || request.reserved0 != 0 || request.reserved != [0; 3] {
            return Err(Errno::EINVAL);
        }
        let signo = check_signal(request.signo)?;
        let config = LaneConfig::from_request(
            request.signo,
            request.mode,
            request.window,
            request.queue_len,
            request.policy,
        )
        .ok_or(Errno::EINVAL)?;
        let bell = bell(signo)?;
        request.window = config.window;
        request.queue_len = config.queue_len;
        Ok(Self { config, bell })
    }
}

pub(crate) struct Registration {
    machine: Machine<Heap>,
    arena: Box<[u8]>,
    /// One for each lane of the machine.
    bells: Vec<Bell>,
    pread_record: bool,
    pread_consumes: bool,
    /// With `REG_STREAM`: how far it has been read.
    stream: Option<Stream>,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("bells", &self.bells)
            .field("counters", self.machine.counters())
            .finish_non_exhaustive()
    }
}

/// `value`, or `default` for 0, if it does not exceed `max`.
fn or_default<T: PartialOrd + Default + Copy>(value: T, default: T, max: T) -> Result<T, Errno> {
    if value == T::default() {
        Ok(default)
    } else if value <= max {
        Ok(value)
    } else {
        Err(Errno::EINVAL)
    }
}

/// Whether a signal number may be registered.
fn check_signal(signo: u32) -> Result<i32, Errno> {
    if abi::may_register_signal(signo) {
        Ok(signo as i32)
    } else {
        Err(Errno::EINVAL)
    }
}

/// Bytes of memory that a registration like this takes, roughly; 0 for one that will be refused.
pub(crate) fn cost(request: &abi::Register) -> u64 {
    if request.capacity.max(request.queue_len) > abi::MAX_QUEUE || request.quota > abi::MAX_QUOTA {
        return 0;
    }
    let records = [request.capacity, request.queue_len, abi::DEFAULT_QUEUE];
    let records = records.into_iter().find(|&n| n != 0).unwrap_or(0);
    let quota = match request.quota {
        0 => abi::DEFAULT_QUOTA,
        quota => quota,
    };
    let unit = (UNIT + size_of::<Unit>()) as u64;
    u64::from(records) * size_of::<Slot>() as u64 + quota.div_ceil(UNIT as u64) * unit
}

impl Registration {
    /// Checks and completes `request`; `bell` makes the bell of its signal number.
    pub(crate) fn new(
        request: &mut abi::Register,
        bell: impl FnOnce(i32) -> Result<Bell, Errno>,
    ) -> Result<Self, Errno> {
        let both = abi::REG_PREAD_CONSUME | abi::REG_PREAD_KEEP;
        if request.flags & !abi::REG_FLAGS != 0
            || request.flags & both == both
            || request.reserved != [0; 4]
            || request.flags & abi::REG_STREAM != 0 && request.flags != abi::REG_STREAM
            || request.clock != abi::CLOCK_MONOTONIC
        {
            return Err(Errno::EINVAL);
        }
        let signo = check_signal(request.signo)?;
        let lane = LaneConfig::from_request(
            request.signo,
            request.mode,
            request.window,
            request.queue_len,
            request.policy,
        )
        .ok_or(Errno::EINVAL)?;
        let capacity = match request.capacity {
            0 => lane.queue_len,
            capacity => capacity,
        };
        if !(lane.queue_len..=abi::MAX_QUEUE).contains(&capacity) {
            return Err(Errno::EINVAL);
        }
        let quota = or_default(request.quota, abi::DEFAULT_QUOTA, abi::MAX_QUOTA)?;
        let units = quota.div_ceil(UNIT as u64) as usize;
        let bell = bell(signo)?;

        request.abi = abi::ABI_VERSION;
        request.window = lane.window;
        request.queue_len = lane.queue_len;
        request.capacity = capacity;
        request.quota = (units * UNIT) as u64;
        let mut slots = Vec::new();
        slots.resize_with(capacity as usize, Slot::default);
        Ok(Self {
            machine: Machine::new(
                slots,
                vec![Unit::default(); units],
                vec![Subscription::default(); abi::MAX_SUBSCRIPTIONS],
                lane,
                request.cookie,
                // The standard library's hash keys are the process's own random numbers.
                RandomState::new().hash_one(signo),
            ),
            arena: vec![0; units * UNIT].into_boxed_slice(),
            bells: vec![bell],
            pread_record: request.flags & abi::REG_PREAD_RECORD != 0,
            pread_consumes: match request.flags & both {
                abi::REG_PREAD_CONSUME => true,
                abi::REG_PREAD_KEEP => false,
                _ => lane.mode == Mode::PerEvent,
            },
            stream: (request.flags & abi::REG_STREAM != 0).then(Stream::new),
        })
    }

    /// Adds a lane.
    pub(crate) fn add_lane(&mut self, lane: NewLane) -> Result<(), Errno> {
        self.machine.add_lane(lane.config).map_err(|e| match e {
            LaneError::Exists => Errno::EEXIST,
            LaneError::TooMany | LaneError::Capacity => Errno::ENOSPC,
        })?;
        self.bells.push(lane.bell);
        Ok(())
    }

    /// Index of the lane of a signal number; 0 is the first.
    fn lane(&self, signo: u32) -> Result<usize, Errno> {
        self.machine.lane_of(signo).ok_or(Errno::ENOENT)
    }

    pub(crate) fn set_mode(&mut self, request: &abi::SetMode) -> Result<(), Errno> {
        if request.flags != 0 || request.reserved != 0 {
            return Err(Errno::EINVAL);
        }
        let mode = Mode::from_request(request.mode).ok_or(Errno::EINVAL)?;
        let index = self.lane(request.signo)?;
        let config = self.machine.lane_config(index).ok_or(Errno::ENOENT)?;
        let window = match request.window {
            0 => config.window,
            window => lane::window_from_request(window).ok_or(Errno::EINVAL)?,
        };
        let (mode, window) = lane::announcement(config.signo, mode, window).ok_or(Errno::EINVAL)?;
        self.machine.set_mode(index, mode, window);
        self.ring(index);
        Ok(())
    }

    pub(crate) fn arm(&mut self, request: &abi::Arm) -> Result<(), Errno> {
        if request.flags != 0 || request.reserved != 0 {
            return Err(Errno::EINVAL);
        }
        let index = self.lane(request.signo)?;
        match self.machine.lane_config(index) {
            Some(lane) if lane.mode == Mode::Coalesced => {
                self.machine.arm(index).map_err(|_| Errno::EAGAIN)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// Subscribes to a source with these flags.
    pub(crate) fn subscribe(
        &mut self,
        request: &abi::Subscribe,
        source_flags: u32,
    ) -> Result<SubscriptionId, Errno> {
        let filter = Filter::from_request(request).ok_or(Errno::EINVAL)?;
        let lane = self.lane(request.signo)?;
        let cookie = (request.flags & abi::SUB_COOKIE != 0).then_some(request.cookie);
        self.check_stream(source_flags, lane)?;
        let id = self
            .machine
            .subscribe_filtered(request.source, lane, cookie, filter)
            .map_err(|e| match e {
                SubscribeError::Exists => Errno::EEXIST,
                SubscribeError::Full => Errno::ENOSPC,
                SubscribeError::NotFound => Errno::ENOENT,
            })?;
        self.start_stream();
        Ok(id)
    }

    /// The source has ended after event number `last`.
    pub(crate) fn source_gone(&mut self, source: u32, last: u64, time_ns: u64) {
        if let Some(lane) = self.machine.source_gone(source, last, time_ns) {
            self.ring(lane);
        }
    }

    pub(crate) fn unsubscribe(&mut self, source: u32) -> Result<(), Errno> {
        self.machine.unsubscribe(source).map_err(|_| Errno::ENOENT)
    }

    /// Whether a `read` would not have to wait.
    pub(crate) fn is_readable(&self) -> bool {
        !self.machine.is_empty() || self.has_ended()
    }

    /// Whether a producer that can wait may post an event now: because there is room, or because nobody here
    /// asked to be waited for.
    pub(crate) fn has_room(&mut self, id: SubscriptionId, event: &Event<'_>) -> bool {
        if !self.machine.waits(id) {
            return true;
        }
        let reserved = self.machine.reserve(id, &event.outline(), Make::Nothing);
        let has_room = match reserved {
            Ok(room) => {
                self.machine.release(room);
                true
            }
            // What could never fit is not waited for: posting tells.
            Err(loss) => loss == Loss::TooLarge,
        };
        // A gap may have been put out.
        self.ring_all();
        has_room
    }

    /// Delivers an event; returns whether it was taken.
    pub(crate) fn post(&mut self, id: SubscriptionId, event: &Event<'_>) -> bool {
        let Self { machine, arena, .. } = self;
        let (lane, result) = machine.post(id, event, |place| {
            arena[place].copy_from_slice(event.payload);
        });
        self.ring(lane);
        result.is_ok()
    }

    /// Reads whole frames from the lane of a signal number, or with 0 from all.
    pub(crate) fn read(&mut self, buffer: &mut [u8], signo: u32) -> Result<usize, Errno> {
        let only = match signo {
            0 => None,
            signo => Some(self.lane(signo)?),
        };
        for (index, bell) in self.bells.iter_mut().enumerate() {
            if only.is_none_or(|only| only == index) {
                bell.reads();
            }
        }
        if self.stream.is_some() {
            return self.read_stream(buffer, only);
        }
        let mut used = 0;
        while let Some(claim) = self.claim(only) {
            let len = claim.record.frame_len();
            let Some(frame) = buffer[used..].get_mut(..len) else {
                self.machine.unclaim(claim);
                if used == 0 {
                    return Err(Errno::EMSGSIZE);
                }
                break;
            };
            let (head, body) = frame.split_at_mut(abi::Record::BYTES);
            head.copy_from_slice(&claim.record.to_bytes());
            let payload = &self.arena[claim.place.clone()];
            body[..payload.len()].copy_from_slice(payload);
            body[payload.len()..].fill(0);
            used += len;
            self.machine.consume(claim, Consumer::Read);
        }
        if used == 0 {
            self.machine.counters_mut().spurious += 1;
            return Err(Errno::EAGAIN);
        }
        self.ring_all();
        Ok(used)
    }

    fn claim(&mut self, lane: Option<usize>) -> Option<Claim> {
        match lane {
            None => self.machine.claim(),
            Some(index) => self.machine.claim_from(index),
        }
    }

    pub(crate) fn pread(&mut self, buffer: &mut [u8], handle: u64) -> Result<usize, Errno> {
        if self.stream.is_some() {
            return Err(Errno::ESPIPE);
        }
        for bell in &mut self.bells {
            bell.reads();
        }
        let (claim, offset) = match self.machine.claim_handle(handle) {
            Ok(found) => found,
            Err(error) => {
                // The doorbell that brought the handle is no longer pending: the next may have its place.
                self.ring_all();
                return Err(match error {
                    HandleError::Invalid => Errno::EINVAL,
                    HandleError::Stale | HandleError::Busy | HandleError::Published => {
                        Errno::ESTALE
                    }
                });
            }
        };
        let record = claim.record;
        if !record.is_event() && !self.pread_record {
            self.machine.unclaim(claim);
            return Err(Errno::ENODATA);
        }
        let record_bytes = record.to_bytes();
        let inline = record.value.to_ne_bytes();
        let head = if self.pread_record {
            &record_bytes[..]
        } else if record.flags & abi::RECORD_INLINE != 0 {
            &inline[..record.payload_len as usize]
        } else {
            &[]
        };
        let body = &self.arena[claim.place.clone()];
        let total = head.len() + body.len();
        let mut used = 0;
        let mut from = offset;
        for part in [head, body] {
            let rest = &part[from.min(part.len())..];
            from = from.saturating_sub(part.len());
            let len = rest.len().min(buffer.len() - used);
            buffer[used..used + len].copy_from_slice(&rest[..len]);
            used += len;
        }
        if self.pread_consumes && offset == 0 && used == total {
            let lane = self.machine.consume(claim, Consumer::Handle);
            self.ring(lane);
        } else {
            self.machine.unclaim(claim);
        }
        Ok(used)
    }

    /// The payload that a handle names, as one would see it mapped.
    pub(crate) fn map(&mut self, handle: u64, len: usize) -> Result<Vec<u8>, Errno> {
        if self.stream.is_some() {
            return Err(Errno::ESPIPE);
        }
        let (claim, offset) = self.machine.claim_handle(handle).map_err(|e| match e {
            HandleError::Invalid => Errno::EINVAL,
            HandleError::Stale | HandleError::Busy | HandleError::Published => Errno::ESTALE,
        })?;
        let record = claim.record;
        let payload_len = record.payload_len as usize;
        let wrong = if !record.is_event() || payload_len == 0 {
            Some(Errno::ENODATA)
        } else if offset != 0 || len > payload_len.next_multiple_of(PAGE) {
            Some(Errno::EINVAL)
        } else {
            None
        };
        if let Some(errno) = wrong {
            self.machine.unclaim(claim);
            return Err(errno);
        }
        let inline = record.value.to_ne_bytes();
        let mut bytes = if record.flags & abi::RECORD_INLINE != 0 {
            inline[..payload_len].to_vec()
        } else {
            self.arena[claim.place.clone()].to_vec()
        };
        bytes.resize(len, 0);
        if self.pread_consumes {
            self.machine.consume(claim, Consumer::Handle);
            self.ring_all();
        } else {
            self.machine.unclaim(claim);
        }
        Ok(bytes)
    }

    /// Sends the signals that any lane needs.
    fn ring_all(&mut self) {
        for lane in 0..self.bells.len() {
            self.ring(lane);
        }
    }

    /// Sends the signals that a lane needs, or asks for what has to be known first.
    fn ring(&mut self, lane: usize) {
        while let Some(bell) = self.bells.get_mut(lane) {
            if bell.is_busy() {
                return;
            }
            let pending = if self.machine.needs_pending(lane) {
                let Some(pending) = bell.is_pending() else {
                    return;
                };
                pending
            } else {
                false
            };
            let Some(signal) = self.machine.next_signal(lane, pending) else {
                return;
            };
            let Some((outcome, exited)) = bell.send(signal) else {
                return;
            };
            let again = self.machine.signal_result(lane, signal, outcome);
            if exited {
                self.replace_target(lane);
                return;
            }
            if !again {
                return;
            }
        }
    }

    /// The target of a lane has exited: its failover takes over and is rung for what is queued.
    fn replace_target(&mut self, lane: usize) {
        let replaced = self.bells[lane].replace_target();
        self.target_replaced(lane, replaced);
    }

    fn target_replaced(&mut self, lane: usize, replaced: bool) {
        self.machine.reset_signals(lane);
        if replaced {
            self.machine.counters_mut().failovers += 1;
            self.ring(lane);
        }
    }

    /// Takes what an agent says about one of its lanes.
    ///
    /// # Errors
    ///
    /// `EPROTO`: there is no such lane, or it was not asked.
    pub(crate) fn answered(&mut self, answer: Answer) -> Result<(), Errno> {
        let lane = usize::from(answer.lane);
        let bell = self.bells.get_mut(lane).ok_or(Errno::EPROTO)?;
        let (asked, wanted) = bell.answered(answer)?;
        let again = match asked {
            Asked::Nothing => false,
            Asked::Look => true,
            Asked::Signal(signal) => self.machine.signal_result(lane, signal, answer.outcome()),
        };
        if let Some(replaced) = answer.exited() {
            self.target_replaced(lane, replaced);
        } else if again || wanted {
            self.ring(lane);
        }
        Ok(())
    }

    /// Whether an agent owes an answer, so that nothing may be read: what it finds pending, or has rung, must be
    /// known before anybody can act on it.
    pub(crate) fn is_owed(&self) -> bool {
        self.bells.iter().any(Bell::is_owed)
    }

    /// Lanes there are.
    pub(crate) fn lanes(&self) -> usize {
        self.bells.len()
    }

    /// Looks whether targets have exited: those of the descriptors that say so, and those without one.
    pub(crate) fn look_for_exits(&mut self, exited: &[&Arc<OwnedFd>]) {
        for lane in 0..self.bells.len() {
            if self.bells[lane].has_exited(exited) {
                self.replace_target(lane);
            }
        }
    }

    /// The descriptors that tell of targets' exits.
    pub(crate) fn exit_descriptors(&self) -> impl Iterator<Item = &Arc<OwnedFd>> {
        self.bells.iter().filter_map(Bell::exit_descriptor)
    }

    /// Whether any target's exit has to be looked for.
    pub(crate) fn needs_probing(&self) -> bool {
        self.bells.iter().any(Bell::needs_probing)
    }

    pub(crate) fn stats(&self, past: Counters) -> abi::Stats {
        let mut state = abi::STATE_REGISTERED;
        if self.machine.is_refused() {
            state |= abi::STATE_REFUSED;
        }
        if self.bells.iter().any(Bell::is_alone) {
            state |= abi::STATE_TARGET_GONE;
        }
        if self.bells.iter().any(Bell::is_unhandled) {
            state |= abi::STATE_UNHANDLED;
        }
        past.plus(*self.machine.counters()).stats(
            self.machine.queued(),
            self.machine.quota_used() as u64,
            state,
            self.machine.subscription_count(),
        )
    }

    /// Discards what is queued; returns the counters and how many events that were.
    pub(crate) fn end(mut self) -> (Counters, u64) {
        let discarded = self.machine.discard();
        (*self.machine.counters(), discarded)
    }
}
