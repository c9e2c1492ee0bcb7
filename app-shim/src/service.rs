// SPDX-License-Identifier: MIT OR Apache-2.0

//! The controller's threads, and what is fed to it.
//!
//! Dispatcher: serves events where no task can (thread mode: all that tasks do not serve themselves; preemptive
//! mode: while no task has the CPU). Clock, log: what their names say. Feeders: from sources to vectors.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{Builder, JoinHandle};

use sigrt::sys::{self, SignalSet};

use crate::config::{Mode, Time};
use crate::core::Core;
use crate::error::{Error, Failure};
use crate::feed::Feeds;
use crate::handler::{futex, interpose, signal, thread};
use crate::map::Entry;

/// What a thread of the controller does.
type Body = fn(&Core);

#[derive(Default)]
pub(crate) struct Service {
    threads: Vec<JoinHandle<()>>,
    feeds: Feeds,
}

impl Core {
    /// Whether the controller's threads are there.
    pub(crate) fn has_threads(&self) -> bool {
        self.started.load(Ordering::SeqCst)
    }

    /// Lets the calling thread be preempted.
    pub(crate) fn preemptible(&self) {
        if self.config.mode == Mode::Preempt {
            let set = SignalSet::of(&[self.signal(), sys::SIGURG]);
            // For as long as the thread lives.
            std::mem::forget(sys::unblock(&set));
        }
    }

    fn run_dispatcher(&self) {
        self.bind();
        if self.config.realtime {
            let got = thread::make_realtime(self.config.realtime_priority).is_ok();
            self.tally.realtime.store(got, Ordering::Relaxed);
        }
        self.preemptible();
        while !self.ending.load(Ordering::SeqCst) {
            let seen = self.bell.load(Ordering::SeqCst);
            if self.has_ready() && self.started.load(Ordering::SeqCst) {
                match self.config.mode {
                    Mode::Thread => self.serve_ready(),
                    Mode::Preempt if self.take_idle_cpu() => {
                        self.serve_ready();
                        self.give_idle_cpu();
                    }
                    // Who has the CPU serves.
                    Mode::Preempt => {}
                }
            }
            futex::wait(&self.bell, seen, None);
        }
    }
}

impl Service {
    pub(crate) fn start(&mut self, core: &Arc<Core>) -> Result<(), Failure> {
        if core.started.load(Ordering::SeqCst) {
            return Err(Error::Busy.into());
        }
        core.bind();
        if core.config.mode == Mode::Preempt {
            Self::prepare_preemption(core)?;
        }
        if core.config.check {
            let kept: &'static Core = Box::leak(Box::new(Arc::clone(core)));
            if !interpose::install(kept) {
                core.log_text(b"app-shim check: calls cannot be seen on this architecture\n")?;
            }
        }
        core.become_task("main")?;
        core.ending.store(false, Ordering::SeqCst);
        core.started.store(true, Ordering::SeqCst);
        let bodies: [(&str, Body); 3] = [
            ("shim-dispatch", Core::run_dispatcher),
            ("shim-clock", Core::run_clock),
            ("shim-log", Core::run_log),
        ];
        for (name, body) in bodies {
            match spawn(core, name, body) {
                Ok(thread) => self.threads.push(thread),
                Err(failure) => {
                    self.stop(core);
                    return Err(failure);
                }
            }
        }
        if let Err(failure) = self.feeds.start(core) {
            self.stop(core);
            return Err(failure);
        }
        // Serves what has been raised before.
        drop(core.enter());
        Ok(())
    }

    fn prepare_preemption(core: &Arc<Core>) -> Result<(), Failure> {
        let os = |e: nix::errno::Errno| Failure::new(Error::Os, format!("signal handler: {e}"));
        // The handler may be called as long as the process lives, so the controller stays as long.
        let kept: &'static Core = Box::leak(Box::new(Arc::clone(core)));
        if !signal::serve(kept) {
            return Err(Failure::new(
                Error::Busy,
                "another controller of this process is preemptive",
            ));
        }
        if core.config.alternate_stack {
            signal::alternate_stack(core.config.alternate_stack_size as usize).map_err(os)?;
        }
        for signo in [core.signal(), sys::SIGURG] {
            signal::install(signo, core.config.alternate_stack).map_err(os)?;
        }
        core.preemptible();
        Ok(())
    }

    pub(crate) fn stop(&mut self, core: &Arc<Core>) {
        self.feeds.stop();
        if !core.started.swap(false, Ordering::SeqCst) && self.threads.is_empty() {
            return;
        }
        core.ending.store(true, Ordering::SeqCst);
        core.ring_dispatcher();
        core.ring_clock();
        core.log_bell.fetch_add(1, Ordering::SeqCst);
        futex::wake(&core.log_bell, 1);
        // A dispatcher that waits for who has locked interrupts is let through to see that it is to end.
        let level = core.suspend_level();
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
        core.resume_level(level);
        if core.config.mode == Mode::Preempt {
            for signo in [core.signal(), sys::SIGURG] {
                signal::ignore(signo);
            }
        }
    }

    pub(crate) fn add(&mut self, core: &Arc<Core>, entries: Vec<Entry>) -> Result<(), Failure> {
        if core.config.time == Time::Virtual && entries.iter().any(Entry::is_a_source_in_real_time)
        {
            return Err(Failure::new(
                Error::Map,
                "with virtual time only timers and loopback sources make sense",
            ));
        }
        self.feeds.add(core, entries)
    }

    pub(crate) fn loopback(&mut self) -> sigrt::Device {
        self.feeds.loopback()
    }
}

/// A thread of the controller, which no signal of the program's reaches.
pub(crate) fn spawn(
    core: &Arc<Core>,
    name: &str,
    body: impl FnOnce(&Core) + Send + 'static,
) -> Result<JoinHandle<()>, Failure> {
    let core = Arc::clone(core);
    // It inherits what is blocked here, so nothing reaches it before it could block anything.
    let _blocked = sys::block(&SignalSet::asynchronous());
    Builder::new()
        .name(name.to_owned())
        .spawn(move || body(&core))
        .map_err(|e| Failure::new(Error::Os, format!("thread {name}: {e}")))
}
