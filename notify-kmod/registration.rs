// SPDX-License-Identifier: GPL-2.0

//! One registration: the state machine with its memory and its targets. Guarded by the client's state lock.

use super::{
    abi,
    machine::{LaneConfig, Machine, Mode, Outcome, Storage, Subscription},
    pool::{Unit, UNIT},
    slots::Slot,
    target::{Process, Sent, Target},
};
use core::ops::Range;
use kernel::{bindings, ffi::c_void, prelude::*};

/// Kernel memory for the state machine: allocated at registration, charged to the caller's cgroup.
pub(crate) struct KernelStorage;

impl Storage for KernelStorage {
    type Slots = KVVec<Slot>;
    type Units = KVVec<Unit>;
    type Subscriptions = KVec<Subscription>;
}

fn filled<T: Default, A: kernel::alloc::Allocator>(len: usize) -> Result<kernel::alloc::Vec<T, A>> {
    let mut vec = kernel::alloc::Vec::with_capacity(len, GFP_KERNEL_ACCOUNT)?;
    for _ in 0..len {
        vec.push(T::default(), GFP_KERNEL_ACCOUNT)?;
    }
    Ok(vec)
}

/// The bytes that payloads lie in.
///
/// Only places that the pool has handed out are touched: a poster writes one under the state lock before
/// anybody can see it, and a reader that has claimed it reads it without that lock.
pub(crate) struct Arena {
    bytes: KVVec<u8>,
}

impl Arena {
    fn write(&mut self, place: Range<usize>, payload: &[u8]) {
        if let Some(bytes) = self.bytes.get_mut(place) {
            bytes.copy_from_slice(payload);
        }
    }

    /// Start of the arena, for reading claimed places without the lock.
    fn start(&self) -> *const u8 {
        self.bytes.as_ptr()
    }
}

/// A registration in force.
pub(crate) struct Registration {
    pub(crate) machine: Machine<KernelStorage>,
    arena: Arena,
    /// The target and its failover.
    targets: [Option<Target>; 2],
    active: usize,
    process: Process,
    pub(crate) signo: u16,
    pub(crate) flags: u32,
    /// `STATE_EXEC` or `STATE_UNHANDLED` of the last attempt to send.
    trouble: u32,
}

impl Registration {
    /// Checks `request`, fills in its defaults, and allocates everything that posting will need.
    ///
    /// # Errors
    ///
    /// `EINVAL`, `ESRCH`, `ENOMEM`; see `docs/abi.md`.
    pub(crate) fn new(request: &mut abi::Register) -> Result<KBox<Self>> {
        if request.flags & !abi::REG_FLAGS != 0
            || request.flags & abi::REG_PREAD_CONSUME != 0
                && request.flags & abi::REG_PREAD_KEEP != 0
            || request.reserved0 != 0
            || request.reserved != [0; 4]
            || !(abi::FIRST_SIGNAL..=abi::LAST_SIGNAL).contains(&request.signo)
            || request.target_tid < 0
            || request.failover_tid < 0
            || request.window > abi::MAX_WINDOW
            || request.queue_len > abi::MAX_QUEUE
            || request.policy != abi::POLICY_REJECT_NEWEST
            || request.clock != abi::CLOCK_MONOTONIC
            || request.quota > abi::MAX_QUOTA
        {
            return Err(EINVAL);
        }
        let mode = match request.mode {
            abi::MODE_PER_EVENT => Mode::PerEvent,
            abi::MODE_WINDOW => Mode::Window,
            _ => return Err(EINVAL),
        };
        request.abi = abi::ABI_VERSION;
        if request.window == 0 {
            request.window = abi::DEFAULT_WINDOW;
        }
        if request.queue_len == 0 {
            request.queue_len = abi::DEFAULT_QUEUE;
        }
        if request.quota == 0 {
            request.quota = abi::DEFAULT_QUOTA;
        }
        let units = (request.quota as usize).div_ceil(UNIT);
        request.quota = (units * UNIT) as u64;

        let signo = request.signo as u16;
        let target = Target::get(request.target_tid, signo)?;
        let failover = match request.failover_tid {
            0 => None,
            tid => Some(Target::get(tid, signo)?),
        };

        let lane = LaneConfig {
            signo,
            mode,
            window: request.window,
            queue_len: request.queue_len,
        };
        let keep = match mode {
            Mode::PerEvent => request.flags & abi::REG_PREAD_KEEP != 0,
            Mode::Window => request.flags & abi::REG_PREAD_CONSUME == 0,
        };
        let mut bytes = KVVec::new();
        bytes.resize(units * UNIT, 0, GFP_KERNEL_ACCOUNT)?;
        Ok(KBox::new(
            Self {
                machine: Machine::new(
                    filled(request.queue_len as usize)?,
                    filled(units)?,
                    filled(abi::MAX_SUBSCRIPTIONS)?,
                    lane,
                    request.cookie,
                    // SAFETY: Just an FFI call.
                    unsafe { bindings::get_random_u64() },
                ),
                arena: Arena { bytes },
                targets: [Some(target), failover],
                active: 0,
                process: Process::current()?,
                signo,
                flags: if keep {
                    request.flags | abi::REG_PREAD_KEEP
                } else {
                    request.flags & !abi::REG_PREAD_KEEP
                },
                trouble: 0,
            },
            GFP_KERNEL_ACCOUNT,
        )?)
    }

    /// Starts watching the targets for their exit.
    ///
    /// # Safety
    ///
    /// `context` must stay valid for `exited` until this registration is dropped.
    pub(crate) unsafe fn watch_targets(
        &mut self,
        exited: unsafe extern "C" fn(*mut c_void),
        context: *mut c_void,
    ) {
        for target in self.targets.iter_mut().flatten() {
            // SAFETY: The registration owns the targets; the promise is the caller's.
            unsafe { target.watch(exited, context) };
        }
    }

    /// Start of the arena.
    pub(crate) fn arena_start(&self) -> *const u8 {
        self.arena.start()
    }

    /// Whether the calling process registered this.
    pub(crate) fn is_of_current_process(&self) -> bool {
        self.process.is_current()
    }

    /// Posts to a subscription and rings. Returns whether the event was accepted.
    pub(crate) fn post(
        &mut self,
        id: super::machine::SubscriptionId,
        event: &super::machine::Event<'_>,
    ) -> bool {
        let arena = &mut self.arena;
        let (lane, result) = self
            .machine
            .post(id, event, |place| arena.write(place, event.payload));
        self.ring(lane);
        result.is_ok()
    }

    /// Sends what signals `lane` needs now.
    pub(crate) fn ring(&mut self, lane: usize) {
        loop {
            self.replace_exited_target();
            let target = self.targets.get(self.active).and_then(Option::as_ref);
            let pending = self.machine.needs_pending(lane)
                && target.is_some_and(|target| target.is_pending(self.signo));
            let Some(signal) = self.machine.next_signal(lane, pending) else {
                break;
            };
            let outcome = match target.map(|target| target.send(self.signo, signal)) {
                Some(Sent::Outcome(outcome)) => {
                    self.trouble = 0;
                    outcome
                }
                Some(Sent::Exited) => continue,
                Some(Sent::Exec) => {
                    self.trouble = abi::STATE_EXEC;
                    Outcome::NoTarget
                }
                Some(Sent::Unhandled) => {
                    self.trouble = abi::STATE_UNHANDLED;
                    Outcome::NoTarget
                }
                None => Outcome::NoTarget,
            };
            if !self.machine.signal_result(lane, signal, outcome) {
                break;
            }
        }
        if !self.machine.is_empty() {
            if let Some(target) = self.targets.get(self.active).and_then(Option::as_ref) {
                target.recheck_later();
            }
        }
    }

    /// Rings every lane.
    pub(crate) fn ring_all(&mut self) {
        for lane in 0..abi::MAX_LANES {
            self.ring(lane);
        }
    }

    /// If the active target has exited, what it had pending is gone: its failover starts afresh.
    fn replace_exited_target(&mut self) {
        while let Some(Some(target)) = self.targets.get(self.active) {
            if !target.has_exited() {
                return;
            }
            self.active += 1;
            self.machine.reset_signals();
            if let Some(Some(_)) = self.targets.get(self.active) {
                self.machine.counters_mut().failovers += 1;
            }
        }
    }

    /// `STATE_*` bits.
    pub(crate) fn state(&self) -> u32 {
        let mut state = abi::STATE_REGISTERED | self.trouble;
        if self.machine.is_refused() {
            state |= abi::STATE_REFUSED;
        }
        match self.targets.get(self.active) {
            Some(Some(target)) if !target.has_exited() => {}
            _ => state |= abi::STATE_TARGET_GONE,
        }
        state
    }

    /// Takes the targets' still pending doorbells off their queues. May sleep.
    ///
    /// # Safety
    ///
    /// `file` must be an open file of this module.
    pub(crate) unsafe fn take_pending(&self, file: *mut bindings::file) {
        for target in self.targets.iter().flatten() {
            // SAFETY: The promise is the caller's.
            unsafe { target.take_pending(self.signo, file) };
        }
    }
}
