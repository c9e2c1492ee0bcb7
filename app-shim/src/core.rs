// SPDX-License-Identifier: MIT OR Apache-2.0

//! The controller's heart: who holds the CPU, the interrupt level, and serving what is ready.
//!
//! All state is in [`Kernel`], under one lock that passes on priority and defers service routines on the thread
//! that has it. What decides whether anything is to be done at all is outside of it, so that locking and
//! unlocking interrupts touches no lock: [`Core::attention`], the priorities that have something ready, is
//! written whenever the lock is let go, and read by whoever lowers a level.
//!
//! No event is forgotten: after a change that made something ready, [`Core::leave`] serves it, or rings for whom it
//! concerns; a thread that cannot serve now (masked, or inside the lock) looks again when it can; and who gets
//! the CPU looks before it goes on.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};

use crate::bytering::ByteRing;
use crate::check;
use crate::clock::Clocks;
use crate::config::{Config, Mode, Time};
use crate::error::{Error, Result};
use crate::event::{Frame, INLINE, Payload, Raise, Record};
use crate::handler::lock::{Guard, KernelLock, PiLock};
use crate::handler::routine::Routine;
use crate::handler::{futex, local, signal, thread};
use crate::log::Log;
use crate::msgq::Queue;
use crate::objects::Table;
use crate::pins::Pins;
use crate::sem::Semaphore;
use crate::tasks::{TASKS, Tasks};
use crate::vectors::{PRIORITY_MAX, Vectors, above};
use crate::watchdog::Watchdog;

/// What the kernel lock protects.
pub(crate) struct Kernel {
    pub(crate) vectors: Vectors,
    pub(crate) pins: Pins,
    pub(crate) pin_hook: Option<crate::PinHook>,
    pub(crate) clocks: Clocks,
    pub(crate) tasks: Tasks,
    pub(crate) semaphores: Table<Semaphore>,
    pub(crate) queues: Table<Queue>,
    pub(crate) rings: Table<ByteRing>,
    pub(crate) watchdogs: Table<Watchdog>,
    pub(crate) log: Log,
}

/// Counters that are written outside of the lock.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) signals_sent: AtomicU64,
    pub(crate) signals_handled: AtomicU64,
    pub(crate) signals_passed: AtomicU64,
    pub(crate) deepest: AtomicU64,
    pub(crate) findings: AtomicU64,
    pub(crate) realtime: AtomicBool,
}

pub(crate) struct Core {
    /// Differs between controllers, never 0.
    pub(crate) id: u64,
    pub(crate) config: Config,
    kernel: KernelLock<Kernel>,
    /// Thread mode: held around each service routine, and by who masks everything.
    gate: PiLock,
    /// Bit p: something of priority p is ready.
    attention: AtomicU64,
    /// Thread mode: the level that a task has set.
    task_level: AtomicU32,
    /// Thread that has the CPU; 0: nobody.
    pub(crate) holder: AtomicI32,
    /// A ready task should get the CPU as soon as its holder can be parted from it.
    pub(crate) reschedule: AtomicBool,
    /// Preempt: a signal is on its way to the holder.
    outstanding: AtomicBool,
    /// Rung for the dispatcher, and for the clock.
    pub(crate) bell: AtomicU32,
    pub(crate) clock_bell: AtomicU32,
    pub(crate) log_bell: AtomicU32,
    /// Changes with every routine that returns, and other progress that somebody may wait for.
    progress: AtomicU32,
    watchers: AtomicU32,
    /// The checker asks the CPU's holder whether it is stuck with interrupts locked.
    pub(crate) probe: AtomicBool,
    pub(crate) started: AtomicBool,
    pub(crate) ending: AtomicBool,
    /// When the controller was made.
    pub(crate) epoch: u64,
    pub(crate) now: crate::clock::Now,
    /// For each task, whether it may go on.
    pub(crate) wakes: [AtomicU32; TASKS],
    pub(crate) tally: Tally,
}

/// The kernel lock, held. Dropping it serves what has become ready.
pub(crate) struct Entered<'a> {
    core: &'a Core,
    guard: Option<Guard<'a, Kernel>>,
    /// Leave quietly: the caller sees to what is ready.
    quiet: bool,
}

impl Deref for Entered<'_> {
    type Target = Kernel;

    fn deref(&self) -> &Kernel {
        match &self.guard {
            Some(guard) => guard,
            None => unreachable!("the guard is there until the drop"),
        }
    }
}

impl DerefMut for Entered<'_> {
    fn deref_mut(&mut self) -> &mut Kernel {
        match &mut self.guard {
            Some(guard) => guard,
            None => unreachable!("the guard is there until the drop"),
        }
    }
}

impl Entered<'_> {
    /// Leaves what is ready to the caller.
    pub(crate) fn quietly(mut self) -> Self {
        self.quiet = true;
        self
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mask = self.vectors.mask();
        let old = self.core.attention.swap(mask, Ordering::SeqCst);
        drop(self.guard.take());
        if !self.quiet {
            self.core.leave(mask & !old != 0);
        }
    }
}

impl Core {
    pub(crate) fn new(config: Config) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let epoch = thread::monotonic();
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            kernel: KernelLock::new(Kernel {
                vectors: Vectors::new(config.queue_len as usize),
                pins: Pins::new(),
                pin_hook: None,
                clocks: Clocks::new(&config),
                tasks: Tasks::new(),
                semaphores: Table::new(),
                queues: Table::new(),
                rings: Table::new(),
                watchdogs: Table::new(),
                log: Log::new(config.log_fd),
            }),
            gate: PiLock::default(),
            attention: AtomicU64::new(0),
            task_level: AtomicU32::new(0),
            holder: AtomicI32::new(0),
            reschedule: AtomicBool::new(false),
            outstanding: AtomicBool::new(false),
            bell: AtomicU32::new(0),
            clock_bell: AtomicU32::new(0),
            log_bell: AtomicU32::new(0),
            progress: AtomicU32::new(0),
            watchers: AtomicU32::new(0),
            probe: AtomicBool::new(false),
            started: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            epoch,
            now: crate::clock::Now::new(epoch),
            wakes: [const { AtomicU32::new(0) }; TASKS],
            tally: Tally::default(),
            config,
        }
    }

    /// Takes the kernel lock.
    pub(crate) fn enter(&self) -> Entered<'_> {
        Entered {
            core: self,
            guard: Some(self.kernel.enter()),
            quiet: false,
        }
    }

    /// The same, for who sees to what is ready.
    pub(crate) fn enter_quietly(&self) -> Entered<'_> {
        self.enter().quietly()
    }

    /// Makes the calling thread's state that of this controller; false inside another one's service routine, and
    /// while it has another one's interrupts locked.
    pub(crate) fn bind(&self) -> bool {
        local::with(|l| {
            if l.core.get() == self.id {
                return true;
            }
            if l.depth.get() > 0 || l.level.get() > 0 {
                return false;
            }
            l.core.set(self.id);
            l.level.set(0);
            l.task.set(0);
            true
        })
    }

    /// Whether the calling thread is inside a service routine of this controller.
    pub(crate) fn in_isr(&self) -> bool {
        local::with(|l| l.core.get() == self.id && l.depth.get() > 0)
    }

    /// Whether the calling thread has the CPU.
    pub(crate) fn is_holder(&self) -> bool {
        self.holder.load(Ordering::SeqCst) == local::tid()
    }

    /// An error inside a service routine.
    pub(crate) fn no_isr(&self) -> Result<()> {
        if self.in_isr() {
            Err(Error::InIsr)
        } else {
            Ok(())
        }
    }

    /// The level that keeps service routines from running on this thread.
    fn level_here(&self) -> u32 {
        let (own, depth) = local::with(|l| (l.level.get(), l.depth.get()));
        if self.config.mode == Mode::Preempt || depth > 0 {
            // A routine has begun at what was in force, and may go below it.
            own
        } else {
            own.max(self.task_level.load(Ordering::SeqCst))
        }
    }

    fn is_ready_above(&self, level: u32) -> bool {
        above(self.attention.load(Ordering::SeqCst), level)
    }

    /// Whether anything is ready.
    pub(crate) fn has_ready(&self) -> bool {
        self.is_ready_above(0)
    }

    /// After the kernel lock: serves what is ready where that is this thread's business, else, where something has
    /// `become` ready, rings for whom it concerns.
    fn leave(&self, become_ready: bool) {
        if !self.started.load(Ordering::Relaxed) {
            return;
        }
        let (critical, depth) = local::with(|l| (l.critical.get(), l.depth.get()));
        if critical > 0 {
            return;
        }
        let ours = self.is_holder() || depth > 0 && self.in_isr();
        if ours {
            self.answer_probe();
            self.serve_ready();
        } else if become_ready && self.has_ready() {
            self.ring();
        }
        if depth == 0 && self.reschedule.load(Ordering::Relaxed) && self.is_holder() {
            self.part();
        }
    }

    /// Has somebody else look for what is ready.
    pub(crate) fn ring(&self) {
        let holder = self.holder.load(Ordering::SeqCst);
        if self.config.mode == Mode::Thread || holder == 0 {
            self.ring_dispatcher();
        } else if !self.outstanding.swap(true, Ordering::SeqCst) {
            self.tally.signals_sent.fetch_add(1, Ordering::Relaxed);
            let signal = self.signal();
            let sent = sigrt::sys::signal_thread(holder, signal);
            if sent.is_err() && sigrt::sys::signal_thread(holder, sigrt::sys::SIGURG).is_err() {
                // It has exited; what it has left ready is the dispatcher's.
                self.outstanding.store(false, Ordering::SeqCst);
                self.ring_dispatcher();
            }
        }
    }

    pub(crate) fn ring_dispatcher(&self) {
        self.bell.fetch_add(1, Ordering::SeqCst);
        futex::wake(&self.bell, 1);
    }

    pub(crate) fn ring_clock(&self) {
        self.clock_bell.fetch_add(1, Ordering::SeqCst);
        futex::wake(&self.clock_bell, 1);
    }

    /// The signal of the preemptive mode.
    pub(crate) fn signal(&self) -> i32 {
        self.config.signal.unwrap_or(sigrt::sys::SIGURG)
    }

    /// A signal has arrived at this thread, which it has interrupted anywhere.
    pub(crate) fn signalled(&self) {
        self.tally.signals_handled.fetch_add(1, Ordering::Relaxed);
        self.outstanding.store(false, Ordering::SeqCst);
        if !self.is_holder() {
            if self.has_ready() {
                self.tally.signals_passed.fetch_add(1, Ordering::Relaxed);
                self.ring();
            }
            return;
        }
        if local::with(|l| l.critical.get()) == 0 && self.started.load(Ordering::Relaxed) {
            self.answer_probe();
            self.serve_ready();
        }
    }

    /// Reports the CPU's holder, which the calling thread is, if the checker has asked for it.
    fn answer_probe(&self) {
        let level = local::with(|l| l.level.get());
        if level > 0
            && self.probe.load(Ordering::Relaxed)
            && self.probe.swap(false, Ordering::Relaxed)
        {
            check::starved(self, level);
        }
    }

    /// Someone else has the CPU now: what was on its way to the old holder does not count.
    pub(crate) fn forget_signal(&self) {
        self.outstanding.store(false, Ordering::SeqCst);
    }

    /// Serves what is ready above the level of this thread, on its stack.
    ///
    /// A handler that has interrupted this very loop between two routines leaves the rest to it: else a fast
    /// raiser would have each start the next one, without bound.
    pub(crate) fn serve_ready(&self) {
        let depth = local::with(|l| l.depth.get());
        while self.is_ready_above(self.level_here()) {
            let outer = local::with(|l| l.looping.get());
            if outer == depth + 1 {
                return;
            }
            local::with(|l| l.looping.set(depth + 1));
            local::fence();
            self.serve_all();
            local::fence();
            local::with(|l| l.looping.set(outer));
            local::fence();
            // What a handler has left to this loop meanwhile is seen above.
        }
    }

    fn serve_all(&self) {
        let gated = self.config.mode == Mode::Thread && !self.gate.is_mine();
        loop {
            if gated {
                self.gate.lock();
            }
            let more = self.serve_one();
            if gated {
                self.gate.unlock();
            }
            if !more {
                return;
            }
        }
    }

    /// Serves the next event above the level; whether it is worth trying again.
    fn serve_one(&self) -> bool {
        let level = self.level_here();
        let mut kernel = self.enter_quietly();
        let Some(frame) = self.pick(&mut kernel, level) else {
            drop(kernel);
            local::fence();
            // A handler that found this thread in the lock has left it at that.
            return self.is_ready_above(self.level_here());
        };
        kernel.vectors.begin(&frame);
        let (old, depth) = local::with(|l| {
            // Deferring goes on until level and frame are in place.
            l.critical.set(l.critical.get() + 1);
            let new = if self.config.mask_all {
                PRIORITY_MAX
            } else {
                level.max(frame.priority)
            };
            l.core.set(self.id);
            l.depth.set(l.depth.get() + 1);
            (l.level.replace(new), u64::from(l.depth.get()))
        });
        drop(kernel);
        self.tally.deepest.fetch_max(depth, Ordering::Relaxed);
        local::with_frame(&frame, || {
            Self::stop_deferring();
            self.serve_ready();
            let entry_level = local::with(|l| l.level.get());
            frame.routine.call();
            check::routine_returned(self, &frame, entry_level);
            local::with(|l| l.critical.set(l.critical.get() + 1));
            local::fence();
        });
        local::with(|l| {
            l.depth.set(l.depth.get() - 1);
            l.level.set(old);
        });
        let took = if self.config.check {
            thread::monotonic().saturating_sub(frame.started)
        } else {
            0
        };
        let mut kernel = self.enter_quietly();
        kernel.vectors.end(frame, took);
        drop(kernel);
        Self::stop_deferring();
        self.note_progress();
        true
    }

    fn stop_deferring() {
        local::fence();
        local::with(|l| l.critical.set(l.critical.get() - 1));
        local::fence();
    }

    /// The next event whose routine is to be called; those that need no call are done with on the way.
    fn pick(&self, kernel: &mut Kernel, level: u32) -> Option<Frame> {
        loop {
            let (vector, record) = kernel.vectors.next(level)?;
            self.now.served(self.config.time, record.time);
            let wanted = match record.pin {
                Some(pin) => kernel.pins.serve(pin, record.value.unwrap_or(0) & 1 == 1),
                None => true,
            };
            let v = kernel.vectors.get(vector).ok()?;
            let priority = v.priority;
            let routine = match v.routine {
                _ if !wanted => {
                    v.counters.filtered += 1;
                    None
                }
                None => {
                    v.counters.unhandled += 1;
                    None
                }
                some => some,
            };
            let routine = match routine {
                Some(routine) if vector == crate::vectors::WATCHDOGS => {
                    let id = record.value.unwrap_or(0);
                    let found = kernel.take_watchdog(id, record.time);
                    if found.is_none() {
                        // Cancelled, or started anew, since it expired.
                        if let Ok(v) = kernel.vectors.get(vector) {
                            v.counters.cleared += 1;
                        }
                    }
                    let _ = routine;
                    found
                }
                other => other,
            };
            let Some(routine) = routine else {
                kernel.vectors.release(record);
                continue;
            };
            return Some(Frame {
                vector,
                priority,
                routine,
                record,
                started: if self.config.check {
                    thread::monotonic()
                } else {
                    0
                },
            });
        }
    }

    /// Tells those who wait for progress that there is some.
    pub(crate) fn note_progress(&self) {
        if self.watchers.load(Ordering::SeqCst) > 0 {
            self.progress.fetch_add(1, Ordering::SeqCst);
            futex::wake(&self.progress, i32::MAX);
        }
    }

    /// Waits until `done` says so, leaving the CPU to others meanwhile.
    pub(crate) fn wait_until(
        &self,
        deadline: Option<u64>,
        mut done: impl FnMut(&mut Kernel) -> bool,
    ) -> Result<()> {
        if done(&mut self.enter()) {
            return Ok(());
        }
        let gave = self.release_cpu();
        let mut result = Ok(());
        loop {
            self.watchers.fetch_add(1, Ordering::SeqCst);
            let seen = self.progress.load(Ordering::SeqCst);
            let finished = done(&mut self.enter());
            let in_time = finished || futex::wait(&self.progress, seen, deadline);
            self.watchers.fetch_sub(1, Ordering::SeqCst);
            if finished {
                break;
            }
            if !in_time && !done(&mut self.enter()) {
                result = Err(Error::Timeout);
                break;
            }
        }
        if gave {
            self.acquire_cpu();
        }
        result
    }

    // Level and lock.

    /// Sets the level of the calling thread, and returns the old one.
    #[inline]
    pub(crate) fn set_level(&self, new: u32) -> u32 {
        if !self.bind() {
            return 0;
        }
        let (old, depth) = local::with(|l| (l.level.get(), l.depth.get()));
        if self.config.mode == Mode::Thread && depth == 0 {
            self.set_level_gated(old, new);
            return old;
        }
        local::with(|l| l.level.set(new));
        local::fence();
        if new < old && above(self.attention.load(Ordering::Relaxed), new) {
            signal::keeping_errno(|| self.leave(false));
        }
        old
    }

    /// The same for a task in thread mode, where the dispatcher runs beside it.
    fn set_level_gated(&self, old: u32, new: u32) {
        let mine = self.gate.is_mine();
        if new > old && !mine {
            // Waits for the routine that runs.
            self.gate.lock();
        }
        local::with(|l| l.level.set(new));
        if new == PRIORITY_MAX {
            return;
        }
        // Threads without the CPU that only lock leave the level of who has it alone.
        if self.is_holder() || new != 0 || old != PRIORITY_MAX {
            self.task_level.store(new, Ordering::SeqCst);
        }
        if mine || new > old {
            self.gate.unlock();
        }
        if new < old
            && self.started.load(Ordering::Relaxed)
            && above(self.attention.load(Ordering::SeqCst), new)
        {
            signal::keeping_errno(|| {
                if self.is_holder() {
                    self.leave(false);
                } else {
                    self.ring_dispatcher();
                }
            });
        }
    }

    /// Lets service routines through while the calling task waits; returns its level.
    pub(crate) fn suspend_level(&self) -> u32 {
        let level = local::with(|l| l.level.get());
        if level > 0 && self.config.mode == Mode::Thread {
            self.task_level.store(0, Ordering::SeqCst);
            if self.gate.is_mine() {
                self.gate.unlock();
            }
            if self.has_ready() {
                self.ring_dispatcher();
            }
        }
        level
    }

    /// Puts the level back in force.
    pub(crate) fn resume_level(&self, level: u32) {
        if level > 0 && self.config.mode == Mode::Thread {
            self.gate.lock();
            if level != PRIORITY_MAX {
                self.task_level.store(level, Ordering::SeqCst);
                self.gate.unlock();
            }
        }
    }

    // Raising.

    /// Raises an event; see [`crate::Controller::raise`].
    pub(crate) fn raise(&self, event: &Raise<'_>) -> Result<()> {
        let vector = event.vector as usize;
        if vector >= crate::VECTORS {
            return Err(Error::Invalid);
        }
        if event.payload.len() > INLINE && self.in_isr() {
            return Err(Error::TooLarge);
        }
        self.free_spent();
        let payload = Payload::of(event.payload);
        let mut kernel = self.enter();
        let time = event.time.unwrap_or_else(|| self.stamp());
        kernel.expire_before(self, time);
        kernel.push(vector, event, payload, time)
    }

    /// Raises an event, waiting for room.
    pub(crate) fn raise_wait(&self, event: &Raise<'_>, deadline: Option<u64>) -> Result<()> {
        self.no_isr()?;
        let vector = event.vector as usize;
        if vector >= crate::VECTORS {
            return Err(Error::Invalid);
        }
        let mut result = Err(Error::Full);
        let mut payload = Some(Payload::of(event.payload));
        self.wait_until(deadline, |kernel| {
            if !kernel.vectors.has_room(vector).unwrap_or(true) {
                return false;
            }
            let Some(payload) = payload.take() else {
                return true;
            };
            let time = event.time.unwrap_or_else(|| self.stamp());
            kernel.expire_before(self, time);
            result = kernel.push(vector, event, payload, time);
            true
        })?;
        self.free_spent();
        result
    }

    /// Raises a pin's new level.
    pub(crate) fn raise_pin(&self, pin: u32, level: bool, time: Option<u64>) -> Result<()> {
        let mut kernel = self.enter();
        let time = time.unwrap_or_else(|| self.stamp());
        kernel.expire_before(self, time);
        let Some(vector) = kernel.pins.raised(pin, level)? else {
            self.now.served(self.config.time, time);
            return Ok(());
        };
        let event = Raise {
            pin: Some(pin),
            value: Some(u64::from(level)),
            ..Raise::new(vector as u32)
        };
        kernel.push(vector, &event, Payload::of(b""), time)
    }

    /// Frees what service routines have left, outside of them.
    fn free_spent(&self) {
        if self.in_isr() || local::with(|l| l.depth.get() > 0) {
            return;
        }
        if self.enter().vectors.has_spent() {
            let mut spent = Vectors::room_for_spent();
            self.enter().vectors.spent(&mut spent);
        }
    }

    /// The time of an event that happens now.
    pub(crate) fn stamp(&self) -> u64 {
        match self.config.time {
            Time::Virtual => self.now.virtual_now(),
            _ => thread::monotonic(),
        }
    }

    /// Calls a vector's routine here and now.
    pub(crate) fn call(&self, vector: usize) -> Result<()> {
        let routine = self
            .enter()
            .vectors
            .get(vector)?
            .routine
            .ok_or(Error::NotConnected)?;
        Routine::call(routine);
        Ok(())
    }
}

impl Kernel {
    pub(crate) fn push(
        &mut self,
        vector: usize,
        event: &Raise<'_>,
        payload: Payload,
        time: u64,
    ) -> Result<()> {
        self.vectors.push(
            vector,
            event.missed,
            payload,
            |payload, missed, sequence| Record {
                source: event.source,
                kind: event.kind,
                pin: event.pin,
                payload,
                time,
                value: event.value,
                missed,
                sequence,
            },
        )
    }
}
