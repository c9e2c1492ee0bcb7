// SPDX-License-Identifier: MIT OR Apache-2.0

//! The controller as programs see it.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;
use crate::config::{Config, Time};
use crate::core::Core;
use crate::error::{Error, Failure, Result};
use crate::event::{Event, Raise};
use crate::handler::routine::{self, Owned, Routine};
use crate::handler::{local, thread};
use crate::pins::{Edge, PinMode};
use crate::sem::Timeout;
use crate::service::Service;
use crate::vectors::{VECTORS, Vectors, WATCHDOGS};

/// Called for every write to an output pin: pin, level, time in nanoseconds of `CLOCK_MONOTONIC`.
pub type PinHook = Arc<dyn Fn(u32, bool, u64) + Send + Sync>;

/// An interrupt controller; clones are the same one. See the [crate's front page](crate).
#[derive(Clone)]
pub struct Controller {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    service: Mutex<Service>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let service = self
            .service
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        service.stop(&self.core);
    }
}

impl fmt::Debug for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller")
            .field("mode", &self.core().config.mode)
            .field("started", &self.core().started)
            .finish_non_exhaustive()
    }
}

/// Counters of a controller; see [`Controller::stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Whether the dispatcher has a realtime priority.
    pub realtime: bool,
    /// Events raised for vectors that were connected at some time.
    pub raised: u64,
    /// Events whose routine was called.
    pub served: u64,
    /// Events of pins whose edge did not match.
    pub filtered: u64,
    /// Events that found no room.
    pub missed: u64,
    /// Events that the program has thrown away.
    pub cleared: u64,
    /// Events raised for vectors that were never connected.
    pub spurious: u64,
    /// Events served while nothing was connected.
    pub unhandled: u64,
    /// Events that wait.
    pub pending: u64,
    /// Events that the sources have lost.
    pub source_lost: u64,
    /// Preempt: signals sent.
    pub signals_sent: u64,
    /// Preempt: signals handled.
    pub signals_handled: u64,
    /// Preempt: signals that came to a thread without the CPU and were passed on.
    pub signals_passed: u64,
    /// Deepest nesting of service routines.
    pub deepest: u64,
    /// Log messages that found no room.
    pub log_lost: u64,
    /// Findings of the checker.
    pub findings: u64,
    /// How often the CPU went to a task.
    pub switches: u64,
}

impl Stats {
    /// Whether `raised = served + filtered + missed + cleared + unhandled + pending`.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.raised
            == self.served
                + self.filtered
                + self.missed
                + self.cleared
                + self.unhandled
                + self.pending
    }
}

/// Counters of a vector; see [`Controller::vector_stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VectorStats {
    /// Its priority.
    pub priority: u32,
    /// Events raised.
    pub raised: u64,
    /// Events whose routine was called.
    pub served: u64,
    /// Events that found no room.
    pub missed: u64,
    /// Events served while nothing was connected.
    pub unhandled: u64,
    /// Events that wait.
    pub pending: u64,
    /// Events that its sources have lost.
    pub source_lost: u64,
    /// Longest run of the routine in nanoseconds, with the checker on.
    pub longest: u64,
}

impl Controller {
    /// A controller, not yet started. Vectors can be connected and events raised.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for values out of range, [`Error::Map`] for a wrong map.
    pub fn new(config: Config) -> Result<Self, Failure> {
        config.check_ranges()?;
        let map = config.map.clone();
        let clock_priority = config.clock_priority;
        if config.check {
            crate::handler::trace::prepare();
        }
        let core = Arc::new(Core::new(config));
        let controller = Self {
            inner: Arc::new(Inner {
                core,
                service: Mutex::new(Service::default()),
            }),
        };
        controller.connect_own(
            WATCHDOGS,
            Routine {
                entry: nothing,
                argument: std::ptr::null_mut(),
            },
            clock_priority,
        )?;
        if let Some(map) = map {
            controller.map(&map)?;
        }
        Ok(controller)
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.inner.core
    }

    fn service(&self) -> MutexGuard<'_, Service> {
        self.inner
            .service
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts service. The calling thread becomes a task and gets the CPU; in preemptive mode service routines
    /// interrupt it. What is pending is served before this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] (started already, or another controller of the process is preemptive), [`Error::Os`].
    pub fn start(&self) -> Result<(), Failure> {
        self.core().no_isr()?;
        self.service().start(self.core())
    }

    /// Ends service; none runs any more when this returns. To be called by the task that has started it.
    ///
    /// # Errors
    ///
    /// [`Error::InIsr`].
    pub fn stop(&self) -> Result<()> {
        self.core().no_isr()?;
        self.service().stop(self.core());
        Ok(())
    }

    /// Reads a map, which says what feeds which vector or pin; see `app_shim_map` in the C interface for its
    /// form. A wrong map has no effect at all.
    ///
    /// # Errors
    ///
    /// [`Error::Map`], with the line.
    pub fn map(&self, text: &str) -> Result<(), Failure> {
        self.core().no_isr()?;
        let entries = crate::map::parse(text)?;
        self.service().add(self.core(), entries)
    }

    /// The device inside this process whose sources a map calls `loopback:NAME`.
    #[must_use]
    pub fn loopback(&self) -> sigrt::Device {
        self.service().loopback()
    }

    // Vectors.

    /// Connects a closure to a vector. In preemptive mode it runs in a signal handler, so it must neither
    /// allocate nor lock, and a panic ends the program.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], [`Error::Invalid`] (no such vector), [`Error::InIsr`].
    pub fn connect(
        &self,
        vector: u32,
        closure: impl Fn(&Event<'_>) + Send + Sync + 'static,
    ) -> Result<()> {
        let (routine, owner) = routine::of_closure(closure);
        self.connect_with(vector, routine, Some(owner))
    }

    /// Connects a routine with an argument, the form that ported programs have. What it does with the argument is
    /// its own business.
    ///
    /// # Errors
    ///
    /// As [`Controller::connect`].
    pub fn connect_routine(
        &self,
        vector: u32,
        entry: extern "C" fn(*mut std::ffi::c_void),
        argument: *mut std::ffi::c_void,
    ) -> Result<()> {
        self.connect_with(vector, Routine { entry, argument }, None)
    }

    fn connect_with(
        &self,
        vector: u32,
        routine: Routine,
        owner: Option<Box<dyn Owned>>,
    ) -> Result<()> {
        if vector as usize >= VECTORS {
            return Err(Error::Invalid);
        }
        let core = self.core();
        let known = core.enter().vectors.get(vector as usize)?.known;
        if !known {
            core.no_isr()?;
        }
        if owner.is_some() {
            core.no_isr()?;
        }
        let mut queue = if known {
            Vectors::queue(0)
        } else {
            Vectors::queue(core.config.queue_len as usize)
        };
        let connected = core
            .enter()
            .vectors
            .connect(vector as usize, routine, owner, &mut queue);
        connected.map_err(|(error, _owner)| error)
    }

    fn connect_own(&self, vector: usize, routine: Routine, priority: u32) -> Result<()> {
        let mut queue = Vectors::queue(self.core().config.queue_len as usize);
        let mut kernel = self.core().enter();
        kernel.vectors.get(vector)?.routine = None;
        kernel.vectors.set_priority(vector, priority)?;
        let connected = kernel.vectors.connect(vector, routine, None, &mut queue);
        drop(kernel);
        connected.map_err(|(error, _)| error)
    }

    /// Disconnects a vector's routine. It does not run any more when this returns, except where it is the caller.
    ///
    /// # Errors
    ///
    /// [`Error::NotConnected`], [`Error::Invalid`].
    pub fn disconnect(&self, vector: u32) -> Result<()> {
        if vector as usize >= VECTORS {
            return Err(Error::Invalid);
        }
        let core = self.core();
        let vector = vector as usize;
        let in_isr = core.in_isr();
        let mut kernel = core.enter();
        let v = kernel.vectors.get(vector)?;
        v.routine.take().ok_or(Error::NotConnected)?;
        drop(kernel);
        if in_isr {
            // One routine runs at a time, so whatever runs of this vector is on this stack, below the caller.
            return Ok(());
        }
        let mut owner = None;
        core.wait_until(None, |kernel| match kernel.vectors.get(vector) {
            Ok(v) if v.running > 0 => false,
            Ok(v) => {
                // Unless it was connected again meanwhile.
                if v.routine.is_none() {
                    owner = v.owner.take();
                }
                true
            }
            Err(_) => true,
        })?;
        // Outside of the lock: it is the program's own code.
        drop(owner);
        Ok(())
    }

    pub(crate) fn routine(&self, vector: u32) -> Result<Option<Routine>> {
        if vector as usize >= VECTORS {
            return Err(Error::Invalid);
        }
        Ok(self.core().enter().vectors.get(vector as usize)?.routine)
    }

    /// Replaces a routine without waiting.
    pub(crate) fn replace(&self, vector: u32, routine: Option<Routine>) -> Result<Option<Routine>> {
        let core = self.core();
        let index = vector as usize;
        if index >= VECTORS {
            return Err(Error::Invalid);
        }
        if routine.is_some() && !core.enter().vectors.get(index)?.known {
            core.no_isr()?;
            let mut queue = Vectors::queue(core.config.queue_len as usize);
            core.enter().vectors.know(index, &mut queue)?;
        }
        let mut kernel = core.enter();
        let v = kernel.vectors.get(index)?;
        if v.owner.is_some() {
            // A closure is disconnected by waiting.
            return Err(Error::Busy);
        }
        Ok(std::mem::replace(&mut v.routine, routine))
    }

    /// Calls a vector's routine here and now.
    ///
    /// # Errors
    ///
    /// [`Error::NotConnected`], [`Error::Invalid`].
    pub fn call(&self, vector: u32) -> Result<()> {
        if vector as usize >= VECTORS {
            return Err(Error::Invalid);
        }
        self.core().call(vector as usize)
    }

    /// Sets a vector's priority, 1 to 63; a higher one interrupts a lower one.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn set_priority(&self, vector: u32, priority: u32) -> Result<()> {
        if vector as usize >= VECTORS {
            return Err(Error::Invalid);
        }
        self.core()
            .enter()
            .vectors
            .set_priority(vector as usize, priority)
    }

    /// Lets a vector's events be served, or keeps them waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn set_enabled(&self, vector: u32, enabled: bool) -> Result<()> {
        if vector as usize >= VECTORS {
            return Err(Error::Invalid);
        }
        self.core()
            .enter()
            .vectors
            .set_enabled(vector as usize, enabled)
    }

    /// Whether a vector is enabled.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn is_enabled(&self, vector: u32) -> Result<bool> {
        if vector as usize >= VECTORS {
            return Err(Error::Invalid);
        }
        Ok(self.core().enter().vectors.get(vector as usize)?.enabled)
    }

    /// Throws away what waits; how many events that were.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn clear_pending(&self, vector: u32) -> Result<u32> {
        if vector as usize >= VECTORS {
            return Err(Error::Invalid);
        }
        self.core().enter().vectors.clear(vector as usize)
    }

    /// Waits until a vector's routine has returned once more than now; how often it was called then.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`], [`Error::InIsr`], [`Error::Invalid`], [`Error::Unavailable`] (no timeout).
    pub fn wait(&self, vector: u32, timeout: Timeout) -> Result<u64> {
        if vector as usize >= VECTORS {
            return Err(Error::Invalid);
        }
        self.core().no_isr()?;
        let deadline = timeout.deadline()?;
        let before = self.count(vector)?;
        let mut count = before;
        self.core().wait_until(deadline, |kernel| {
            if let Ok(v) = kernel.vectors.get(vector as usize) {
                count = v.counters.served - u64::from(v.running);
            }
            count > before
        })?;
        Ok(count)
    }

    /// Waits until any routine has returned.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`], [`Error::InIsr`], [`Error::Unavailable`] (no timeout).
    pub fn wait_any(&self, timeout: Timeout) -> Result<()> {
        self.core().no_isr()?;
        let deadline = timeout.deadline()?;
        let returned = |kernel: &mut crate::core::Kernel| -> u64 {
            kernel
                .vectors
                .iter()
                .map(|v| v.counters.served - u64::from(v.running))
                .sum()
        };
        let before = returned(&mut self.core().enter());
        self.core()
            .wait_until(deadline, |kernel| returned(kernel) > before)
    }

    /// How often a vector's routine was called.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn count(&self, vector: u32) -> Result<u64> {
        Ok(self.vector_stats(vector)?.served)
    }

    /// Raises an event, from any thread. Where the caller has the CPU and the level allows, the routine has run
    /// when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Full`]: missed, which the vector's next event says. [`Error::NotConnected`]: nothing was ever
    /// connected to the vector; counted as spurious. [`Error::TooLarge`] (inside a service routine),
    /// [`Error::Invalid`].
    pub fn raise(&self, event: &Raise<'_>) -> Result<()> {
        self.core().raise(event)
    }

    /// Raises an event, waiting for room.
    ///
    /// # Errors
    ///
    /// As [`Controller::raise`]; [`Error::Timeout`], [`Error::Unavailable`], [`Error::InIsr`].
    pub fn raise_wait(&self, event: &Raise<'_>, timeout: Timeout) -> Result<()> {
        match timeout {
            Timeout::None => match self.core().raise_wait(event, Some(0)) {
                Err(Error::Timeout) => Err(Error::Unavailable),
                other => other,
            },
            _ => self.core().raise_wait(event, timeout.deadline()?),
        }
    }

    // Lock and level.

    /// Masks everything; returns the key for [`Controller::int_unlock`].
    #[must_use = "the key is needed for unlocking"]
    #[inline]
    pub fn int_lock(&self) -> u32 {
        self.core().set_level(crate::vectors::PRIORITY_MAX)
    }

    /// Puts the level back to what it was; what arrived meanwhile runs before this returns.
    #[inline]
    pub fn int_unlock(&self, key: u32) {
        self.core().set_level(key.min(crate::vectors::PRIORITY_MAX));
    }

    /// The level: vectors of this priority and below wait.
    #[must_use]
    pub fn level(&self) -> u32 {
        local::with(|l| {
            if l.core.get() == self.core().id {
                l.level.get()
            } else {
                0
            }
        })
    }

    /// Sets the level, 0 to 63; returns the old one.
    pub fn set_level(&self, level: u32) -> u32 {
        self.core()
            .set_level(level.min(crate::vectors::PRIORITY_MAX))
    }

    // Pins.

    /// Has a pin's events raise a vector, on such edges.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn pin_attach(&self, pin: u32, vector: u32, edge: Edge) -> Result<()> {
        let core = self.core();
        let index = vector as usize;
        if index >= VECTORS {
            return Err(Error::Invalid);
        }
        // Levels go through the vector's queue even where nothing is ever connected.
        if !core.enter().vectors.get(index)?.known {
            core.no_isr()?;
            let mut queue = Vectors::queue(core.config.queue_len as usize);
            core.enter().vectors.know(index, &mut queue)?;
        }
        core.enter().pins.attach(pin, index, edge)
    }

    /// Ends the calls for a pin; its level still follows its events.
    ///
    /// # Errors
    ///
    /// [`Error::NotConnected`], [`Error::Invalid`].
    pub fn pin_detach(&self, pin: u32) -> Result<()> {
        self.core().enter().pins.detach(pin)
    }

    /// A pin's new level, happening at `time` (`None`: now).
    ///
    /// # Errors
    ///
    /// As [`Controller::raise`].
    pub fn pin_raise(&self, pin: u32, level: bool, time: Option<u64>) -> Result<()> {
        self.core().raise_pin(pin, level, time)
    }

    /// A pin's level: inside a service routine as of its event.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn pin_read(&self, pin: u32) -> Result<bool> {
        let core = self.core();
        if core.in_isr() {
            let own = local::current(|frame| {
                frame
                    .filter(|f| f.record.pin == Some(pin))
                    .map(|f| f.record.value.unwrap_or(0) & 1 == 1)
            });
            if let Some(level) = own
                && core.enter().pins.mode(pin)? != PinMode::Output
            {
                return Ok(level);
            }
        } else {
            core.serve_visible();
        }
        core.enter().pins.read(pin)
    }

    /// Writes an output, and tells the hook; on an input, switches its pull-up.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn pin_write(&self, pin: u32, level: bool) -> Result<()> {
        let core = self.core();
        let mut kernel = core.enter();
        let tell = kernel.pins.write(pin, level)?;
        // The hook outlives the call: replaced ones are kept.
        let hook = kernel.pin_hook.clone().filter(|_| tell);
        drop(kernel);
        if let Some(hook) = hook {
            hook(pin, level, core.now());
        }
        Ok(())
    }

    /// A pin's direction.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn pin_mode(&self, pin: u32) -> Result<PinMode> {
        self.core().enter().pins.mode(pin)
    }

    /// Sets a pin's direction.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn set_pin_mode(&self, pin: u32, mode: PinMode) -> Result<()> {
        self.core().enter().pins.set_mode(pin, mode)
    }

    /// Has every write to an output told. The hook runs in the writer's context, be that a service routine. It is
    /// kept for good: writers may be in it.
    pub fn on_pin_write(&self, hook: Option<PinHook>) {
        let kept = hook.clone();
        let old = std::mem::replace(&mut self.core().enter().pin_hook, hook);
        std::mem::forget(kept);
        drop(old);
    }

    // Time.

    /// The time in nanoseconds of `CLOCK_MONOTONIC`: inside a service routine that of its event.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.core().now()
    }

    /// When the controller was made.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.core().epoch
    }

    /// Moves virtual time on.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] (time is not virtual), [`Error::InIsr`].
    pub fn advance(&self, ns: u64) -> Result<()> {
        self.core().advance(ns)
    }

    /// Nanoseconds until a timer or watchdog expires.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]: none is set.
    pub fn next_expiry(&self) -> Result<u64> {
        self.core().next_expiry()
    }

    /// Raises a vector first after `first` and then every `period` nanoseconds, at least 1000 (0: once).
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn timer_set(&self, vector: u32, first: u64, period: u64) -> Result<()> {
        self.core().set_timer(vector, first, period)
    }

    /// Ends that.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn timer_cancel(&self, vector: u32) -> Result<()> {
        self.core().cancel_timer(vector)
    }

    /// What a clock calls on each tick.
    pub(crate) fn clock_connect(&self, clock: Clock, routine: Option<Routine>) -> Result<()> {
        let core = self.core();
        core.no_isr()?;
        let vector = Core::clock_vector(clock);
        let Some(routine) = routine else {
            let mut kernel = core.enter();
            kernel.vectors.get(vector)?.routine = None;
            drop(kernel);
            return core.wait_until(None, |kernel| {
                kernel.vectors.get(vector).is_ok_and(|v| v.running == 0)
            });
        };
        self.connect_own(vector, routine, core.config.clock_priority)
    }

    // Counters.

    /// The controller's counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let core = self.core();
        let tally = &core.tally;
        let kernel = core.enter();
        let mut stats = Stats {
            realtime: tally.realtime.load(Ordering::Relaxed),
            spurious: kernel.vectors.spurious,
            log_lost: kernel.log.lost,
            switches: kernel.clocks.switches,
            signals_sent: tally.signals_sent.load(Ordering::Relaxed),
            signals_handled: tally.signals_handled.load(Ordering::Relaxed),
            signals_passed: tally.signals_passed.load(Ordering::Relaxed),
            deepest: tally.deepest.load(Ordering::Relaxed),
            findings: tally.findings.load(Ordering::Relaxed),
            ..Stats::default()
        };
        for vector in kernel.vectors.iter() {
            let c = &vector.counters;
            stats.raised += c.raised;
            stats.served += c.served;
            stats.filtered += c.filtered;
            stats.missed += c.missed;
            stats.cleared += c.cleared;
            stats.unhandled += c.unhandled;
            stats.source_lost += c.source_lost;
            stats.pending += vector.queue.len() as u64;
        }
        stats
    }

    /// A vector's counters.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn vector_stats(&self, vector: u32) -> Result<VectorStats> {
        if vector as usize >= VECTORS {
            return Err(Error::Invalid);
        }
        let mut kernel = self.core().enter();
        let v = kernel.vectors.get(vector as usize)?;
        Ok(VectorStats {
            priority: v.priority,
            raised: v.counters.raised,
            served: v.counters.served,
            missed: v.counters.missed,
            unhandled: v.counters.unhandled,
            pending: v.queue.len() as u64,
            source_lost: v.counters.source_lost,
            longest: v.counters.longest,
        })
    }

    /// Waits, leaving the CPU to others. In virtual time the clock moves on instead, and others get the CPU once.
    ///
    /// # Errors
    ///
    /// [`Error::InIsr`].
    pub fn delay(&self, ns: u64) -> Result<()> {
        let core = self.core();
        if core.config.time == Time::Virtual {
            core.advance(ns)?;
            return core.task_yield();
        }
        core.delay(thread::monotonic().saturating_add(ns))
    }

    /// Waits, keeping the CPU; service routines run. In virtual time the clock moves on instead; a service routine's
    /// own time stands still.
    pub fn delay_busy(&self, ns: u64) {
        if self.core().config.time == Time::Virtual {
            // Inside a service routine there is nothing to be done.
            self.core().advance(ns).ok();
            return;
        }
        let until = thread::monotonic().saturating_add(ns);
        while thread::monotonic() < until {
            self.core().serve_visible();
            std::hint::spin_loop();
        }
    }
}

/// What the watchdogs' vector is connected to: each has a routine of its own.
extern "C" fn nothing(_: *mut std::ffi::c_void) {}

/// Whether the calling code runs in a service routine, of whatever controller.
#[must_use]
pub fn in_isr() -> bool {
    local::with(|l| l.depth.get() > 0)
}
