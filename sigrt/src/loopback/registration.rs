// SPDX-License-Identifier: MIT OR Apache-2.0

//! One registration: the shared state machine, the memory it works in, and the threads it rings for.
//!
//! Runs under the broker's lock, but for making a registration or a lane, which looks at threads and can
//! block for a moment. Posting allocates nothing.

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

use super::ringer::Ringer;
use crate::sys::Tid;
use stream::Stream;

/// Bytes that mappings are made of.
const PAGE: usize = 4096;

/// The machine's arrays on the heap.
#[derive(Debug)]
pub(super) struct Heap;

impl Storage for Heap {
    type Slots = Vec<Slot>;
    type Units = Vec<Unit>;
    type Subscriptions = Vec<Subscription>;
}

/// A lane that is ready to be added.
pub(super) struct NewLane {
    config: LaneConfig,
    ringer: Ringer,
}

impl NewLane {
    /// Checks and completes `request`; see [`Registration::new`].
    pub(super) fn new(
        request: &mut abi::Lane,
        caller: Tid,
        dispatcher: bool,
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
        let ringer = Ringer::new(
            signo,
            request.target_tid,
            request.failover_tid,
            caller,
            dispatcher,
        )?;
        request.window = config.window;
        request.queue_len = config.queue_len;
        Ok(Self { config, ringer })
    }
}

pub(super) struct Registration {
    machine: Machine<Heap>,
    arena: Box<[u8]>,
    /// One for each lane of the machine.
    ringers: Vec<Ringer>,
    pread_record: bool,
    pread_consumes: bool,
    /// With `REG_STREAM`: how far it has been read.
    stream: Option<Stream>,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("ringers", &self.ringers)
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

impl Registration {
    /// Checks and completes `request`, for the calling thread `caller` where it names none.
    pub(super) fn new(
        request: &mut abi::Register,
        caller: Tid,
        dispatcher: bool,
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
        let ringer = Ringer::new(
            signo,
            request.target_tid,
            request.failover_tid,
            caller,
            dispatcher,
        )?;

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
            ringers: vec![ringer],
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
    pub(super) fn add_lane(&mut self, lane: NewLane) -> Result<(), Errno> {
        self.machine.add_lane(lane.config).map_err(|e| match e {
            LaneError::Exists => Errno::EEXIST,
            LaneError::TooMany | LaneError::Capacity => Errno::ENOSPC,
        })?;
        self.ringers.push(lane.ringer);
        Ok(())
    }

    /// Index of the lane of a signal number; 0 is the first.
    fn lane(&self, signo: u32) -> Result<usize, Errno> {
        self.machine.lane_of(signo).ok_or(Errno::ENOENT)
    }

    pub(super) fn set_mode(&mut self, request: &abi::SetMode) -> Result<(), Errno> {
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

    pub(super) fn arm(&mut self, request: &abi::Arm) -> Result<(), Errno> {
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
    pub(super) fn subscribe(
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
    pub(super) fn source_gone(&mut self, source: u32, last: u64, time_ns: u64) {
        if let Some(lane) = self.machine.source_gone(source, last, time_ns) {
            self.ring(lane);
        }
    }

    pub(super) fn unsubscribe(&mut self, source: u32) -> Result<(), Errno> {
        self.machine.unsubscribe(source).map_err(|_| Errno::ENOENT)
    }

    /// Whether a `read` would not have to wait.
    pub(super) fn is_readable(&self) -> bool {
        !self.machine.is_empty() || self.has_ended()
    }

    /// Whether a producer that can wait may post an event now: because there is room, or because nobody here
    /// asked to be waited for.
    pub(super) fn has_room(&mut self, id: SubscriptionId, event: &Event<'_>) -> bool {
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
    pub(super) fn post(&mut self, id: SubscriptionId, event: &Event<'_>) -> bool {
        let Self { machine, arena, .. } = self;
        let (lane, result) = machine.post(id, event, |place| {
            arena[place].copy_from_slice(event.payload);
        });
        self.ring(lane);
        result.is_ok()
    }

    /// Reads whole frames from the lane of a signal number, or with 0 from all.
    pub(super) fn read(&mut self, buffer: &mut [u8], signo: u32) -> Result<usize, Errno> {
        let only = match signo {
            0 => None,
            signo => Some(self.lane(signo)?),
        };
        for (index, ringer) in self.ringers.iter_mut().enumerate() {
            if only.is_none_or(|only| only == index) {
                ringer.reads();
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

    pub(super) fn pread(&mut self, buffer: &mut [u8], handle: u64) -> Result<usize, Errno> {
        if self.stream.is_some() {
            return Err(Errno::ESPIPE);
        }
        for ringer in &mut self.ringers {
            ringer.reads();
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
    pub(super) fn map(&mut self, handle: u64, len: usize) -> Result<Vec<u8>, Errno> {
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
        for lane in 0..self.ringers.len() {
            self.ring(lane);
        }
    }

    /// Sends the signals that a lane needs.
    fn ring(&mut self, lane: usize) {
        while let Some(ringer) = self.ringers.get_mut(lane) {
            let pending = self.machine.needs_pending(lane) && ringer.is_pending();
            let Some(signal) = self.machine.next_signal(lane, pending) else {
                return;
            };
            let (outcome, exited) = ringer.send(signal);
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
        let replaced = self.ringers[lane].replace_target();
        self.machine.reset_signals(lane);
        if replaced {
            self.machine.counters_mut().failovers += 1;
            self.ring(lane);
        }
    }

    /// Looks whether targets have exited: those of the descriptors that say so, and those without one.
    pub(super) fn look_for_exits(&mut self, exited: &[&Arc<OwnedFd>]) {
        for lane in 0..self.ringers.len() {
            if self.ringers[lane].has_exited(exited) {
                self.replace_target(lane);
            }
        }
    }

    /// The descriptors that tell of targets' exits.
    pub(super) fn exit_descriptors(&self) -> impl Iterator<Item = &Arc<OwnedFd>> {
        self.ringers.iter().filter_map(Ringer::exit_descriptor)
    }

    /// Whether any target's exit has to be looked for.
    pub(super) fn needs_probing(&self) -> bool {
        self.ringers.iter().any(Ringer::needs_probing)
    }

    pub(super) fn stats(&self, past: Counters) -> abi::Stats {
        let mut state = abi::STATE_REGISTERED;
        if self.machine.is_refused() {
            state |= abi::STATE_REFUSED;
        }
        if self.ringers.iter().any(Ringer::is_alone) {
            state |= abi::STATE_TARGET_GONE;
        }
        if self.ringers.iter().any(Ringer::is_unhandled) {
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
    pub(super) fn end(mut self) -> (Counters, u64) {
        let discarded = self.machine.discard();
        (*self.machine.counters(), discarded)
    }
}
