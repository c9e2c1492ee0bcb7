// SPDX-License-Identifier: MIT OR Apache-2.0

//! Clocks: what time it is for whom, ticks, and timers that raise vectors.
//!
//! A thread of the controller sleeps until the next expiry. Each expiration is an event with the time that it was
//! due, so late service changes nothing of what a routine sees. In virtual time nothing expires by itself:
//! events that are raised, and advancing the clock, first let expire what was due before.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::{Config, MAX_RATE, Mode, Time};
use crate::core::{Core, Kernel};
use crate::error::{Error, Result};
use crate::event::{Payload, Raise};
use crate::handler::{futex, local, thread};
use crate::vectors::{ALL, AUX_CLOCK, SYSTEM_CLOCK, WATCHDOGS};

/// Which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The system's.
    System,
    /// The auxiliary one.
    Aux,
}

impl Clock {
    /// All, in the order of their numbers in the C interface.
    pub(crate) const ALL: [Self; 2] = [Self::System, Self::Aux];

    fn vector(self) -> usize {
        match self {
            Self::System => SYSTEM_CLOCK,
            Self::Aux => AUX_CLOCK,
        }
    }
}

/// Readings that are made without the lock.
#[derive(Debug)]
pub(crate) struct Now {
    /// Virtual time.
    moment: AtomicU64,
    /// Clamped: no reading is below this.
    least: AtomicU64,
    /// Nothing expires before. Written with the kernel's lock held.
    due: AtomicU64,
}

impl Now {
    pub(crate) fn new(epoch: u64) -> Self {
        Self {
            moment: AtomicU64::new(epoch),
            least: AtomicU64::new(0),
            due: AtomicU64::new(u64::MAX),
        }
    }

    /// Something was set that expires then.
    pub(crate) fn will_expire(&self, due: u64) {
        self.due.fetch_min(due, Ordering::SeqCst);
    }

    pub(crate) fn virtual_now(&self) -> u64 {
        self.moment.load(Ordering::SeqCst)
    }

    /// An event of this time is served.
    pub(crate) fn served(&self, mode: Time, time: u64) {
        match mode {
            Time::Real => {}
            Time::Clamped => {
                self.least.fetch_max(time, Ordering::SeqCst);
            }
            Time::Virtual => {
                self.moment.fetch_max(time, Ordering::SeqCst);
            }
        }
    }

    fn clamped(&self, time: u64) -> u64 {
        self.least.fetch_max(time, Ordering::SeqCst).max(time)
    }
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    next: u64,
    period: u64,
    count: u64,
}

#[derive(Debug)]
pub(crate) struct Clocks {
    timers: Vec<Option<Timer>>,
    /// Those that are set; there is room for all.
    active: Vec<usize>,
    rates: [u32; 2],
    enabled: [bool; 2],
    /// Ticks at `tick_epoch`.
    tick_base: u64,
    tick_epoch: u64,
    /// How often the CPU went to a task.
    pub(crate) switches: u64,
}

const SECOND: u64 = 1_000_000_000;

impl Clocks {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            timers: vec![None; ALL],
            active: Vec::with_capacity(ALL),
            rates: [config.tick_rate; 2],
            enabled: [false; 2],
            tick_base: 0,
            tick_epoch: 0,
            switches: 0,
        }
    }

    fn ticks(&self, now: u64) -> u64 {
        let passed = u128::from(now.saturating_sub(self.tick_epoch));
        let rate = u128::from(self.rates[0]);
        self.tick_base + (passed * rate / u128::from(SECOND)) as u64
    }

    /// When something expires next.
    fn next(&self) -> Option<(u64, usize)> {
        self.active
            .iter()
            .filter_map(|&vector| Some((self.timers.get(vector)?.as_ref()?.next, vector)))
            .min()
    }

    fn set(&mut self, vector: usize, timer: Option<Timer>) {
        let Some(place) = self.timers.get_mut(vector) else {
            return;
        };
        match (place.is_some(), timer.is_some()) {
            (false, true) => self.active.push(vector),
            (true, false) => self.active.retain(|&v| v != vector),
            _ => {}
        }
        *place = timer;
    }
}

impl Kernel {
    /// Lets everything expire that is due until `time`, in order.
    pub(crate) fn expire(&mut self, time: u64) {
        loop {
            let timer = self.clocks.next().filter(|next| next.0 <= time);
            let watchdog = self.next_watchdog().filter(|next| next.0 <= time);
            if let Some((due, vector)) = timer
                && watchdog.is_none_or(|w| due <= w.0)
            {
                self.expire_timer(vector, time);
                continue;
            }
            let Some((due, id)) = watchdog else {
                return;
            };
            if !self.vectors.has_room(WATCHDOGS).unwrap_or(false) {
                // It stays due, and is looked at again when there is room.
                return;
            }
            self.watchdog_expired(id);
            let event = Raise::new(WATCHDOGS as u32).value(id);
            // There is room, so this cannot fail.
            self.push(WATCHDOGS, &event, Payload::of(b""), due).ok();
        }
    }

    fn expire_timer(&mut self, vector: usize, time: u64) {
        let Some(Some(timer)) = self.clocks.timers.get_mut(vector) else {
            return;
        };
        timer.count += 1;
        let (due, count) = (timer.next, timer.count);
        if timer.period == 0 {
            self.clocks.set(vector, None);
        } else {
            timer.next += timer.period;
            if timer.next <= time && !self.vectors.has_room(vector).unwrap_or(false) {
                // All of them are missed; that they are takes no time of its own.
                let more = (time - timer.next) / timer.period + 1;
                timer.next += more * timer.period;
                timer.count += more;
                self.vectors.lost(vector, more);
            }
        }
        let event = Raise::new(vector as u32).value(count);
        // Where there is no room it is missed and counted.
        self.push(vector, &event, Payload::of(b""), due).ok();
    }

    /// In virtual time: what was due before an event of that time comes before it.
    pub(crate) fn expire_before(&mut self, core: &Core, time: u64) {
        if core.config.time == Time::Virtual {
            self.expire(time);
        }
    }

    /// The same by the system's clock; tells when something expires next.
    fn expire_now(&mut self, core: &Core, time: u64) -> Option<u64> {
        self.expire(time);
        let due = self.next_due();
        core.now
            .due
            .store(due.unwrap_or(u64::MAX), Ordering::SeqCst);
        due
    }

    fn next_due(&self) -> Option<u64> {
        let timer = self.clocks.next().map(|next| next.0);
        let watchdog = self.next_watchdog().map(|next| next.0);
        timer.into_iter().chain(watchdog).min()
    }
}

impl Core {
    /// What the clock thread does until the end.
    pub(crate) fn run_clock(&self) {
        use std::sync::atomic::Ordering::SeqCst;
        let mut stuck = None;
        while !self.ending.load(SeqCst) {
            let seen = self.clock_bell.load(SeqCst);
            let now = thread::monotonic();
            let mut due = None;
            if self.config.time != Time::Virtual {
                let mut kernel = self.enter();
                due = kernel.expire_now(self, now);
            }
            // What is due and has found no room is tried again a little later.
            let mut due = due.map(|due| due.max(now + 100_000));
            if self.config.check {
                self.look_for_the_stuck(&mut stuck, now);
                let again = now + SECOND / 8;
                due = Some(due.map_or(again, |due| due.min(again)));
            }
            futex::wait(&self.clock_bell, seen, due);
        }
    }

    /// For the checker: whether events have waited for a second while none was served.
    fn look_for_the_stuck(&self, since: &mut Option<(u64, u64)>, now: u64) {
        let served = self
            .enter()
            .vectors
            .iter()
            .map(|v| v.counters.served)
            .sum::<u64>();
        let waits = self.has_ready() && self.started.load(Ordering::SeqCst);
        match *since {
            Some((at, before)) if waits && before == served => {
                if now > at + SECOND {
                    if self.config.mode == Mode::Preempt {
                        // Who is stuck reports itself, with its stack.
                        self.probe.store(true, Ordering::SeqCst);
                        self.ring();
                    } else {
                        crate::check::starved(self, crate::PRIORITY_MAX);
                    }
                    *since = Some((now, served));
                }
            }
            _ => *since = waits.then_some((now, served)),
        }
    }

    /// The time for the calling code.
    pub(crate) fn now(&self) -> u64 {
        let latched = if self.in_isr() {
            local::current(|frame| frame.map(|f| f.record.time))
        } else {
            None
        };
        if let Some(time) = latched {
            return match self.config.time {
                Time::Clamped => self.now.clamped(time),
                _ => time,
            };
        }
        // So that the main program does not see a time after which something is served with an earlier one: what is
        // due is there, even if the clock's thread has not got round to it.
        if self.config.time != Time::Virtual {
            let now = thread::monotonic();
            if self.now.due.load(Ordering::SeqCst) <= now {
                self.enter().expire_now(self, now);
            }
        }
        self.serve_visible();
        match self.config.time {
            Time::Real => thread::monotonic(),
            Time::Clamped => self.now.clamped(thread::monotonic()),
            Time::Virtual => self.now.virtual_now(),
        }
    }

    /// Serves what is there already, where the calling code may be interrupted.
    pub(crate) fn serve_visible(&self) {
        if self.has_ready()
            && self.started.load(Ordering::Relaxed)
            && self.is_holder()
            && !self.in_isr()
        {
            self.serve_ready();
        }
    }

    pub(crate) fn advance(&self, ns: u64) -> Result<()> {
        if self.config.time != Time::Virtual {
            return Err(Error::Unsupported);
        }
        self.no_isr()?;
        self.serve_visible();
        let target = self.now.virtual_now().saturating_add(ns);
        loop {
            let mut kernel = self.enter();
            let Some(due) = kernel.next_due().filter(|&due| due <= target) else {
                break;
            };
            // One moment at a time: what is served then may set timers.
            kernel.expire(due);
            drop(kernel);
            self.now.served(Time::Virtual, due);
        }
        self.now.served(Time::Virtual, target);
        Ok(())
    }

    pub(crate) fn ticks(&self) -> u64 {
        let now = self.now().saturating_sub(self.epoch);
        self.enter().clocks.ticks(now)
    }

    pub(crate) fn set_ticks(&self, ticks: u64) {
        let now = self.now().saturating_sub(self.epoch);
        let mut kernel = self.enter();
        kernel.clocks.tick_base = ticks;
        kernel.clocks.tick_epoch = now;
    }

    pub(crate) fn rate(&self, clock: Clock) -> u32 {
        self.enter().clocks.rates[clock as usize]
    }

    pub(crate) fn set_rate(&self, clock: Clock, rate: u32) -> Result<()> {
        if !(1..=MAX_RATE).contains(&rate) {
            return Err(Error::Invalid);
        }
        let now = self.now().saturating_sub(self.epoch);
        let mut kernel = self.enter();
        if clock == Clock::System {
            kernel.clocks.tick_base = kernel.clocks.ticks(now);
            kernel.clocks.tick_epoch = now;
        }
        kernel.clocks.rates[clock as usize] = rate;
        let ticks = kernel.clocks.enabled[clock as usize];
        drop(kernel);
        if ticks {
            self.enable_clock(clock, true);
        }
        Ok(())
    }

    pub(crate) fn enable_clock(&self, clock: Clock, enable: bool) {
        let vector = clock.vector();
        let mut kernel = self.enter();
        kernel.clocks.enabled[clock as usize] = enable;
        let period = SECOND / u64::from(kernel.clocks.rates[clock as usize]);
        drop(kernel);
        if enable {
            self.set_timer_of(vector, period, period);
        } else {
            self.cancel_timer_of(vector);
        }
    }

    pub(crate) fn clock_vector(clock: Clock) -> usize {
        clock.vector()
    }

    pub(crate) fn set_timer(&self, vector: u32, first: u64, period: u64) -> Result<()> {
        let vector = vector as usize;
        if vector >= crate::VECTORS || (1..1000).contains(&period) {
            return Err(Error::Invalid);
        }
        self.set_timer_of(vector, first, period);
        Ok(())
    }

    fn set_timer_of(&self, vector: usize, first: u64, period: u64) {
        // From the time that the caller sees: a timer that a routine sets is exact.
        let now = self.now();
        let mut kernel = self.enter();
        let timer = Timer {
            next: now.saturating_add(first),
            period,
            count: 0,
        };
        kernel.clocks.set(vector, Some(timer));
        self.now.will_expire(timer.next);
        if self.config.time != Time::Virtual && self.in_isr() {
            // A routine that is late may set what is due already: it comes in the order in which it was due.
            let now = thread::monotonic();
            if timer.next <= now {
                kernel.expire_now(self, now);
            }
        }
        drop(kernel);
        self.ring_clock();
    }

    pub(crate) fn cancel_timer(&self, vector: u32) -> Result<()> {
        if vector as usize >= crate::VECTORS {
            return Err(Error::Invalid);
        }
        self.cancel_timer_of(vector as usize);
        Ok(())
    }

    fn cancel_timer_of(&self, vector: usize) {
        self.enter().clocks.set(vector, None);
    }

    /// Nanoseconds until something expires.
    pub(crate) fn next_expiry(&self) -> Result<u64> {
        let now = self.stamp();
        let due = self.enter().next_due().ok_or(Error::Unavailable)?;
        Ok(due.saturating_sub(now))
    }
}
