// SPDX-License-Identifier: MIT OR Apache-2.0

//! One registration: the shared state machine, the memory it works in, and the thread it rings for.
//!
//! Runs under the broker's lock. Posting allocates nothing.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use nix::errno::Errno;
use rtnotify_core::abi;
use rtnotify_core::machine::{
    Consumer, Counters, Event, LaneConfig, Machine, Mode, Outcome, Signal, Storage, SubscribeError,
    Subscription, SubscriptionId,
};
use rtnotify_core::pool::{UNIT, Unit};
use rtnotify_core::slots::{HandleError, Slot};

use super::target::Target;
use crate::sys::{self, SIGURG, Tid};

/// The machine's arrays on the heap.
#[derive(Debug)]
pub(super) struct Heap;

impl Storage for Heap {
    type Slots = Vec<Slot>;
    type Units = Vec<Unit>;
    type Subscriptions = Vec<Subscription>;
}

pub(super) struct Registration {
    machine: Machine<Heap>,
    arena: Box<[u8]>,
    signo: i32,
    pread_record: bool,
    pread_consumes: bool,
    target: Option<Target>,
    failover: Option<Target>,
    /// The target blocks its signal as long as it lives, so nobody needs to look.
    dispatcher: bool,
    /// The last signal was not sent because the target would have died of it.
    unhandled: bool,
    /// A signal was sent since the target was last seen without one pending.
    maybe_pending: bool,
    /// A doorbell was pending, and nothing has been read since.
    known_pending: bool,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("signo", &self.signo)
            .field("target", &self.target)
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

/// A thread that may be rung for.
fn target(tid: Tid, signo: i32) -> Result<Target, Errno> {
    let target = Target::open(tid)?;
    if !target.accepts(signo)? {
        return Err(Errno::EINVAL);
    }
    Ok(target)
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
            || request.reserved0 != 0
            || request.reserved != [0; 4]
            || !(abi::FIRST_SIGNAL..=abi::LAST_SIGNAL).contains(&request.signo)
            || request.policy != abi::POLICY_REJECT_NEWEST
            || request.clock != abi::CLOCK_MONOTONIC
            || request.target_tid < 0
            || request.failover_tid < 0
        {
            return Err(Errno::EINVAL);
        }
        let mode = match request.mode {
            abi::MODE_PER_EVENT => Mode::PerEvent,
            abi::MODE_WINDOW => Mode::Window,
            _ => return Err(Errno::EINVAL),
        };
        let window = or_default(request.window, abi::DEFAULT_WINDOW, abi::MAX_WINDOW)?;
        let queue_len = or_default(request.queue_len, abi::DEFAULT_QUEUE, abi::MAX_QUEUE)?;
        let quota = or_default(request.quota, abi::DEFAULT_QUOTA, abi::MAX_QUOTA)?;
        let units = quota.div_ceil(UNIT as u64) as usize;

        let signo = request.signo as i32;
        let tid = match request.target_tid {
            0 => caller,
            tid => tid,
        };
        let registered = target(tid, signo)?;
        let failover = match request.failover_tid {
            0 => None,
            tid => Some(target(tid, signo)?),
        };

        request.abi = abi::ABI_VERSION;
        request.window = window;
        request.queue_len = queue_len;
        request.quota = (units * UNIT) as u64;
        let lane = LaneConfig {
            signo: request.signo as u16,
            mode,
            window,
            queue_len,
        };
        let mut slots = Vec::new();
        slots.resize_with(queue_len as usize, Slot::default);
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
            signo,
            pread_record: request.flags & abi::REG_PREAD_RECORD != 0,
            pread_consumes: match request.flags & both {
                abi::REG_PREAD_CONSUME => true,
                abi::REG_PREAD_KEEP => false,
                _ => mode == Mode::PerEvent,
            },
            target: Some(registered),
            failover,
            dispatcher,
            unhandled: false,
            maybe_pending: false,
            known_pending: false,
        })
    }

    pub(super) fn subscribe(
        &mut self,
        source: u32,
        cookie: Option<u64>,
    ) -> Result<SubscriptionId, SubscribeError> {
        self.machine.subscribe(source, 0, cookie)
    }

    pub(super) fn unsubscribe(&mut self, source: u32) -> Result<(), Errno> {
        self.machine.unsubscribe(source).map_err(|_| Errno::ENOENT)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.machine.is_empty()
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

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.known_pending = false;
        let mut used = 0;
        while let Some(claim) = self.machine.claim() {
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

    pub(super) fn pread(&mut self, buffer: &mut [u8], handle: u64) -> Result<usize, Errno> {
        self.known_pending = false;
        let (claim, offset) = match self.machine.claim_handle(handle) {
            Ok(found) => found,
            Err(error) => {
                // The doorbell that brought the handle is no longer pending: the next may have its place.
                self.ring_all();
                return Err(match error {
                    HandleError::Invalid => Errno::EINVAL,
                    HandleError::Stale | HandleError::Busy => Errno::ESTALE,
                });
            }
        };
        let record = claim.record;
        if record.is_gap() && !self.pread_record {
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

    /// Sends the signals that any lane needs.
    fn ring_all(&mut self) {
        for lane in 0..abi::MAX_LANES {
            self.ring(lane);
        }
    }

    /// Sends the signals that a lane needs.
    fn ring(&mut self, lane: usize) {
        loop {
            let pending = self.machine.needs_pending(lane) && self.is_pending();
            let Some(signal) = self.machine.next_signal(lane, pending) else {
                return;
            };
            let (outcome, exited) = self.send(signal);
            let again = self.machine.signal_result(lane, signal, outcome);
            if exited {
                self.target_exited();
                return;
            }
            if !again {
                return;
            }
        }
    }

    /// Whether a doorbell is still on its way.
    ///
    /// Looking is expensive, so it is done only when it can tell something new. Doorbells come from here: if
    /// none was rung, none is pending. And whoever takes one drains afterwards: as long as nothing has been
    /// read since one was pending, that drain is still to come and finds what is queued now. Doorbells forged
    /// by others change neither, because every doorbell means the same.
    fn is_pending(&mut self) -> bool {
        if self.maybe_pending && !self.known_pending {
            let signals = self.target.as_ref().and_then(|t| t.signals().ok());
            self.known_pending =
                signals.is_some_and(|s| s.is_pending(self.signo) || s.is_pending(SIGURG));
            self.maybe_pending = self.known_pending;
        }
        self.maybe_pending
    }

    /// Sends one signal; also says whether the target turned out to have exited.
    fn send(&mut self, signal: Signal) -> (Outcome, bool) {
        let Some(target) = &self.target else {
            return (Outcome::NoTarget, false);
        };
        if !self.dispatcher {
            match target.accepts(self.signo) {
                Err(_) => return (Outcome::NoTarget, true),
                Ok(false) => {
                    self.unhandled = true;
                    return (Outcome::NoTarget, false);
                }
                Ok(true) => self.unhandled = false,
            }
        }
        let sent = match signal {
            Signal::Queued { handle } => sys::queue_signal(target.tid, self.signo, handle),
            Signal::Fallback => sys::signal_thread(target.tid, SIGURG),
        };
        match sent {
            Ok(()) => {
                self.maybe_pending = true;
                self.known_pending = true;
                (Outcome::Sent, false)
            }
            Err(Errno::ESRCH) => (Outcome::NoTarget, true),
            Err(_) => (Outcome::Refused, false),
        }
    }

    /// Puts the failover thread in the target's place, and rings for what is queued; or gives up.
    pub(super) fn target_exited(&mut self) {
        self.target = self.failover.take().filter(Target::is_alive);
        self.dispatcher = false;
        self.maybe_pending = false;
        self.known_pending = false;
        self.machine.reset_signals();
        if self.target.is_some() {
            self.machine.counters_mut().failovers += 1;
            self.ring_all();
        }
    }

    /// The descriptor that tells of the target's exit.
    pub(super) fn exit_descriptor(&self) -> Option<&Arc<std::os::fd::OwnedFd>> {
        self.target.as_ref()?.exit.as_ref()
    }

    /// Whether the target's exit has to be looked for.
    pub(super) fn needs_probing(&self) -> bool {
        self.target.as_ref().is_some_and(|t| t.exit.is_none())
    }

    /// Looks for the target's exit.
    pub(super) fn probe(&mut self) {
        if self.target.as_ref().is_some_and(|t| !t.is_alive()) {
            self.target_exited();
        }
    }

    pub(super) fn stats(&self, past: Counters) -> abi::Stats {
        let mut state = abi::STATE_REGISTERED;
        if self.machine.is_refused() {
            state |= abi::STATE_REFUSED;
        }
        if self.target.is_none() {
            state |= abi::STATE_TARGET_GONE;
        }
        if self.unhandled {
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
