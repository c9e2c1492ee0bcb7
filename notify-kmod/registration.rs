// SPDX-License-Identifier: GPL-2.0

//! One registration: the state machine with its memory and its targets. Guarded by the client's state lock.

use super::{
    abi,
    arena::Arena,
    client::{stream::Stream, Reserved},
    error,
    lane::{announcement, window_from_request},
    limits::{Charge, Resource},
    machine::{
        Claim, LaneConfig, Loss, Machine, Make, Mode, Outcome, Outline, Room, Storage, Subscription,
        SubscriptionId,
    },
    memory::Memory,
    pool::{Unit, UNIT},
    ring::Ring,
    slots::Slot,
    target::{Process, Sent, Target},
    trace,
};
use kernel::{bindings, ffi::c_void, prelude::*, sync::Arc};

/// How an event finds its place.
pub(crate) enum Way {
    /// In what room there is; the payload is copied under the lock.
    Find,
    /// In room kept for it, where its payload lies already.
    Into(Room),
    /// Not at all: there was no room when it was looked for.
    Refuse(Loss),
}

/// Kernel memory for the state machine: allocated at registration, charged to the caller's cgroup.
pub(crate) struct KernelStorage;

impl Storage for KernelStorage {
    type Slots = Memory<Slot>;
    type Units = Memory<Unit>;
    type Subscriptions = Memory<Subscription>;
}

fn filled<T: Default>(len: usize) -> Result<Memory<T>> {
    let mut vec = Memory::with_capacity(len, GFP_KERNEL_ACCOUNT)?;
    for _ in 0..len {
        vec.push(T::default(), GFP_KERNEL_ACCOUNT)?;
    }
    Ok(vec)
}

/// Whom a lane is rung for.
pub(crate) struct Bell {
    signo: u16,
    /// The target and its failover.
    targets: [Option<Target>; 2],
    active: usize,
    /// `STATE_EXEC` or `STATE_UNHANDLED` of the last attempt to send.
    trouble: u32,
}

impl Bell {
    /// For the thread `tid` of the calling process, and `failover` unless that is 0.
    ///
    /// # Errors
    ///
    /// `EINVAL`, `ESRCH`.
    fn new(signo: u32, tid: i32, failover: i32) -> Result<Self> {
        if !abi::may_register_signal(signo) || tid < 0 || failover < 0 {
            return Err(EINVAL);
        }
        let signo = signo as u16;
        let target = Target::get(tid, signo)?;
        let failover = match failover {
            0 => None,
            tid => Some(Target::get(tid, signo)?),
        };
        Ok(Self {
            signo,
            targets: [Some(target), failover],
            active: 0,
            trouble: 0,
        })
    }

    fn target(&self) -> Option<&Target> {
        self.targets.get(self.active)?.as_ref()
    }
}

/// A lane that is ready to be added; see [`Registration::add_lane`].
pub(crate) struct NewLane {
    config: LaneConfig,
    bell: Bell,
}

impl NewLane {
    /// Checks `request`, fills in its defaults, and gets hold of its threads.
    ///
    /// # Errors
    ///
    /// `EINVAL`, `ESRCH`, `ENOMEM`.
    pub(crate) fn new(request: &mut abi::Lane) -> Result<Self> {
        if request.flags != 0 || request.reserved0 != 0 || request.reserved != [0; 3] {
            return Err(EINVAL);
        }
        let config = LaneConfig::from_request(
            request.signo,
            request.mode,
            request.window,
            request.queue_len,
            request.policy,
        )
        .ok_or(EINVAL)?;
        request.window = config.window;
        request.queue_len = config.queue_len;
        Ok(Self {
            config,
            bell: Bell::new(request.signo, request.target_tid, request.failover_tid)?,
        })
    }

    /// Starts watching the targets for their exit.
    ///
    /// # Safety
    ///
    /// `context` must stay valid for `exited` until the registration, or what was not added to it, is dropped.
    pub(crate) unsafe fn watch_targets(
        &mut self,
        exited: unsafe extern "C" fn(*mut c_void),
        context: *mut c_void,
    ) {
        for target in self.bell.targets.iter_mut().flatten() {
            // SAFETY: The promise is the caller's.
            unsafe { target.watch(exited, context) };
        }
    }
}

/// A registration in force.
pub(crate) struct Registration {
    pub(crate) machine: Machine<KernelStorage>,
    arena: Arc<Arena>,
    /// One for each lane of the machine; room for all that can be added.
    bells: KVec<Bell>,
    /// The rings of those lanes that are published.
    rings: [Option<Ring>; abi::MAX_LANES],
    process: Process,
    pub(crate) flags: u32,
    /// Number of the client, for tracing.
    client: u64,
    /// With `REG_STREAM`: how far it has been read.
    pub(crate) stream: Option<Stream>,
}

impl Registration {
    /// Checks `request`, fills in its defaults, and allocates everything that posting will need.
    ///
    /// # Errors
    ///
    /// `EINVAL`, `ESRCH`, `EDQUOT`, `ENOMEM`; see `docs/abi.md`.
    pub(crate) fn new(request: &mut abi::Register, client: u64) -> Result<KBox<Self>> {
        if request.flags & !abi::REG_FLAGS != 0
            || request.flags & abi::REG_PREAD_CONSUME != 0
                && request.flags & abi::REG_PREAD_KEEP != 0
            || request.reserved != [0; 4]
            || request.flags & abi::REG_STREAM != 0 && request.flags != abi::REG_STREAM
            || request.clock != abi::CLOCK_MONOTONIC
            || request.quota > abi::MAX_QUOTA
        {
            return Err(EINVAL);
        }
        let lane = LaneConfig::from_request(
            request.signo,
            request.mode,
            request.window,
            request.queue_len,
            request.policy,
        )
        .ok_or(EINVAL)?;
        if request.capacity == 0 {
            request.capacity = lane.queue_len;
        }
        if !(lane.queue_len..=abi::MAX_QUEUE).contains(&request.capacity) {
            return Err(EINVAL);
        }
        request.abi = abi::ABI_VERSION;
        request.window = lane.window;
        request.queue_len = lane.queue_len;
        if request.quota == 0 {
            request.quota = abi::DEFAULT_QUOTA;
        }
        let units = (request.quota as usize).div_ceil(UNIT);
        request.quota = (units * UNIT) as u64;
        let bell = Bell::new(request.signo, request.target_tid, request.failover_tid)?;
        let mut bells = KVec::with_capacity(abi::MAX_LANES, GFP_KERNEL_ACCOUNT)?;
        bells.push(bell, GFP_KERNEL_ACCOUNT)?;
        let keep = match lane.mode {
            Mode::PerEvent => request.flags & abi::REG_PREAD_KEEP != 0,
            Mode::Window | Mode::Coalesced => request.flags & abi::REG_PREAD_CONSUME == 0,
        };
        let memory = size_of::<Self>()
            + units * (UNIT + size_of::<Unit>())
            + request.capacity as usize * size_of::<Slot>()
            + abi::MAX_SUBSCRIPTIONS * size_of::<Subscription>();
        let charge = Charge::new(Resource::Bytes, memory as u64)?;
        let arena = Arc::new(Arena::new(units * UNIT, charge)?, GFP_KERNEL_ACCOUNT)?;
        Ok(KBox::new(
            Self {
                machine: Machine::new(
                    filled(request.capacity as usize)?,
                    filled(units)?,
                    filled(abi::MAX_SUBSCRIPTIONS)?,
                    lane,
                    request.cookie,
                    // SAFETY: Just an FFI call.
                    unsafe { bindings::get_random_u64() },
                ),
                arena,
                bells,
                rings: [const { None }; abi::MAX_LANES],
                process: Process::current()?,
                flags: if keep {
                    request.flags | abi::REG_PREAD_KEEP
                } else {
                    request.flags & !abi::REG_PREAD_KEEP
                },
                client,
                stream: (request.flags & abi::REG_STREAM != 0).then(Stream::new),
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
        for bell in &mut self.bells {
            for target in bell.targets.iter_mut().flatten() {
                // SAFETY: The registration owns the targets; the promise is the caller's.
                unsafe { target.watch(exited, context) };
            }
        }
    }

    /// Adds a lane. Gives it back, to be dropped where one may sleep, if it cannot be added.
    ///
    /// # Errors
    ///
    /// `EEXIST`, `ENOSPC`.
    pub(crate) fn add_lane(&mut self, lane: NewLane) -> Result<(), (Error, NewLane)> {
        match self.machine.add_lane(lane.config) {
            // There is room for as many bells as lanes, so nothing is allocated and nothing fails.
            Ok(_) => self.bells.push_within_capacity(lane.bell).map_err(|e| {
                (
                    ENOSPC,
                    NewLane {
                        config: lane.config,
                        bell: e.0,
                    },
                )
            }),
            Err(e) => Err((error::from_lane(e), lane)),
        }
    }

    /// Index of the lane of a signal number; 0 is the first.
    ///
    /// # Errors
    ///
    /// `ENOENT`.
    pub(crate) fn lane(&self, signo: u32) -> Result<usize> {
        self.machine.lane_of(signo).ok_or(ENOENT)
    }

    /// Changes how a lane announces events; see `docs/abi.md`.
    ///
    /// # Errors
    ///
    /// `EINVAL`, `ENOENT`.
    pub(crate) fn set_mode(&mut self, request: &abi::SetMode) -> Result {
        let mode = Mode::from_request(request.mode).ok_or(EINVAL)?;
        let index = self.lane(request.signo)?;
        if self.machine.is_published(index) && !self.machine.publishes_in(index, mode) {
            return Err(EINVAL);
        }
        let config = self.machine.lane_config(index).ok_or(ENOENT)?;
        let window = match request.window {
            0 => config.window,
            window => window_from_request(window).ok_or(EINVAL)?,
        };
        let (mode, window) = announcement(config.signo, mode, window).ok_or(EINVAL)?;
        self.machine.set_mode(index, mode, window);
        self.ring(index);
        Ok(())
    }

    /// Arms a lane in coalesced mode.
    ///
    /// # Errors
    ///
    /// `ENOENT`, `EINVAL` in another mode, `EAGAIN` if there is something to drain.
    pub(crate) fn arm(&mut self, signo: u32) -> Result {
        let index = self.lane(signo)?;
        match self.machine.lane_config(index) {
            Some(config) if config.mode == Mode::Coalesced => {
                self.machine.arm(index).map_err(|_| EAGAIN)
            }
            _ => Err(EINVAL),
        }
    }

    /// Claims a record: of one lane, or the first of all.
    pub(crate) fn claim(&mut self, lane: Option<usize>) -> Option<Claim> {
        match lane {
            None => self.machine.claim(),
            Some(index) => self.machine.claim_from(index),
        }
    }

    /// Whether there is something to read: in one lane, or in any.
    pub(crate) fn is_readable(&self, lane: Option<usize>) -> bool {
        match lane {
            None => self.machine.is_readable(),
            Some(index) => !self.machine.is_lane_empty(index),
        }
    }

    /// The source has ended after event number `last`; any context.
    pub(crate) fn source_gone(&mut self, source: u32, last: u64, time_ns: u64) {
        if let Some(lane) = self.machine.source_gone(source, last, time_ns) {
            self.ring(lane);
        }
    }

    /// The memory of the payloads.
    pub(crate) fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    /// Whether the calling process registered this.
    pub(crate) fn is_of_current_process(&self) -> bool {
        self.process.is_current()
    }

    /// Consumes some of what the other side of the ring of a subscription's lane is done with.
    fn sync_subscription(&mut self, id: SubscriptionId) {
        if let Some(lane) = self.machine.lane_of_subscription(id) {
            if let Some(Some(ring)) = self.rings.get_mut(lane) {
                ring.sync(&mut self.machine, lane);
            }
        }
    }

    /// Keeps room for an event, and says where its payload goes.
    ///
    /// # Errors
    ///
    /// There is none, for that reason.
    pub(crate) fn reserve(
        &mut self,
        id: SubscriptionId,
        outline: &Outline,
        make: Make,
    ) -> Result<Reserved, Loss> {
        self.sync_subscription(id);
        let room = self.machine.reserve(id, outline, make);
        // A gap may have been put out.
        self.ring_all();
        let room = room?;
        let to = room
            .place(outline.len)
            .and_then(|place| self.arena.start_of(place));
        Ok((room, to))
    }

    /// Gives room back and rings.
    pub(crate) fn release_room(&mut self, room: Room) {
        if let Some(lane) = self.machine.release(room) {
            self.ring(lane);
        }
    }

    /// Posts to a subscription and rings. Returns whether the event was accepted.
    pub(crate) fn post(
        &mut self,
        id: SubscriptionId,
        event: &super::machine::Event<'_>,
        way: Way,
    ) -> bool {
        self.sync_subscription(id);
        let arena = &self.arena;
        let (lane, result) = match way {
            Way::Find => self.machine.post(id, event, |place| {
                // SAFETY: The machine calls this with the place that it has just allocated.
                unsafe { arena.write(place, event.payload) }
            }),
            Way::Into(room) => self.machine.post_into(id, event, room),
            Way::Refuse(loss) => (self.machine.post_refused(id, event, loss), Err(loss)),
        };
        self.ring(lane);
        if let Err(loss) = result {
            if let Some((source, ..)) = self.machine.subscription(id.place()) {
                trace::refuse(self.client, source, event.source_seq, loss);
            }
        }
        result.is_ok()
    }

    /// Publishes a lane to `ring`; gives that back, to be dropped where one may sleep, if it cannot be.
    ///
    /// # Errors
    ///
    /// `EBUSY`: it is published already, or not empty. `EINVAL`: with its mode or policy it cannot be.
    pub(crate) fn publish(&mut self, lane: usize, ring: Ring) -> Result<(), (Error, Ring)> {
        match self.machine.start_publishing(lane) {
            Ok(()) => {
                self.rings[lane] = Some(ring);
                Ok(())
            }
            Err(e) => Err((error::from_publish(e), ring)),
        }
    }

    /// The ring of a lane.
    pub(crate) fn ring_of(&self, lane: usize) -> Option<&Ring> {
        self.rings.get(lane)?.as_ref()
    }

    /// Consumes some of what the other side of each ring is done with. Returns whether there is more.
    pub(crate) fn sync(&mut self) -> bool {
        let mut more = false;
        for lane in 0..self.bells.len() {
            if let Some(ring) = &mut self.rings[lane] {
                more |= ring.sync(&mut self.machine, lane);
                self.ring(lane);
            }
        }
        more
    }

    /// Nothing will be published any more.
    pub(crate) fn end(&self) {
        for ring in self.rings.iter().flatten() {
            ring.end();
        }
    }

    /// Sends what signals `lane` needs now, after whatever it has to publish.
    pub(crate) fn ring(&mut self, lane: usize) {
        if let Some(Some(ring)) = self.rings.get_mut(lane) {
            ring.publish(&mut self.machine, lane);
        }
        let Some(bell) = self.bells.get_mut(lane) else {
            return;
        };
        let machine = &mut self.machine;
        loop {
            replace_exited_target(machine, lane, bell);
            let target = bell.target();
            let pending = machine.needs_pending(lane)
                && target.is_some_and(|target| target.is_pending(bell.signo));
            let Some(signal) = machine.next_signal(lane, pending) else {
                break;
            };
            let outcome = match target.map(|target| target.send(bell.signo, signal)) {
                Some(Sent::Outcome(outcome)) => {
                    bell.trouble = 0;
                    outcome
                }
                Some(Sent::Exited) => continue,
                Some(Sent::Exec) => {
                    bell.trouble = abi::STATE_EXEC;
                    Outcome::NoTarget
                }
                Some(Sent::Unhandled) => {
                    bell.trouble = abi::STATE_UNHANDLED;
                    Outcome::NoTarget
                }
                None => Outcome::NoTarget,
            };
            if !machine.signal_result(lane, signal, outcome) {
                break;
            }
        }
        if !machine.is_empty() {
            if let Some(target) = bell.target() {
                target.recheck_later();
            }
        }
    }

    /// Rings every lane.
    pub(crate) fn ring_all(&mut self) {
        for lane in 0..self.bells.len() {
            self.ring(lane);
        }
    }

    /// `STATE_*` bits: of all lanes together.
    pub(crate) fn state(&self) -> u32 {
        let mut state = abi::STATE_REGISTERED;
        if self.machine.is_refused() {
            state |= abi::STATE_REFUSED;
        }
        if self.rings.iter().flatten().any(|ring| ring.is_bad) {
            state |= abi::STATE_BAD_INDEX;
        }
        for bell in &self.bells {
            state |= bell.trouble;
            if bell.target().is_none_or(Target::has_exited) {
                state |= abi::STATE_TARGET_GONE;
            }
        }
        state
    }

    /// Bytes of payload that may be queued.
    pub(crate) fn quota(&self) -> usize {
        self.arena.len()
    }

    /// The numbers of a lane's target and its failover in the calling process's pid namespace; 0: none.
    pub(crate) fn tids(&self, lane: usize) -> [i32; 2] {
        self.bells.get(lane).map_or([0; 2], |bell| {
            let tid = |target: &Option<Target>| target.as_ref().map_or(0, Target::tid);
            bell.targets.each_ref().map(tid)
        })
    }

    /// Takes the targets' still pending doorbells off their queues. May sleep.
    ///
    /// # Safety
    ///
    /// `file` must be an open file of this module.
    pub(crate) unsafe fn take_pending(&self, file: *mut bindings::file) {
        for bell in &self.bells {
            for target in bell.targets.iter().flatten() {
                // SAFETY: The promise is the caller's.
                unsafe { target.take_pending(bell.signo, file) };
            }
        }
    }
}

/// If the active target has exited, what it had pending is gone: its failover starts afresh.
fn replace_exited_target(machine: &mut Machine<KernelStorage>, lane: usize, bell: &mut Bell) {
    while let Some(Some(target)) = bell.targets.get(bell.active) {
        if !target.has_exited() {
            return;
        }
        bell.active += 1;
        machine.reset_signals(lane);
        if let Some(Some(_)) = bell.targets.get(bell.active) {
            machine.counters_mut().failovers += 1;
        }
    }
}
