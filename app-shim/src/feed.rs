// SPDX-License-Identifier: MIT OR Apache-2.0

//! Feeders: threads that take events from where they come from and raise vectors with them.
//!
//! None waits for a vector's queue: one that is full loses the event, which its next event says, and holds up
//! nobody else's.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use sigrt::realtime::Signals;
use sigrt::sys::sigrtmin;
use sigrt::{Delivery, Device, Source, SourceOptions, Subscription};

use crate::core::Core;
use crate::error::{Error, Failure};
use crate::event::Raise;
use crate::gpio::Gpio;
use crate::handler::relay;
use crate::map::{Entry, Feed};
use crate::pins::Edge;
use crate::service::spawn;
use crate::vectors::Vectors;

/// Where the events of an entry go.
#[derive(Clone, Copy, Debug)]
struct Target {
    vector: Option<u32>,
    pin: Option<u32>,
    /// Payloads begin with the event's time.
    stamped: bool,
}

/// Times that payloads begin with: nanoseconds since something that whoever posts them knows. The first one happens
/// when the device says so, and the others at exact distances from it; one that is smaller than the one before begins
/// anew.
#[derive(Debug, Default)]
struct Stamps {
    last: u64,
    base: Option<u64>,
}

impl Stamps {
    /// The time of an event, and the rest of its payload; `None` for a payload that is too short.
    fn take<'a>(&mut self, time: u64, payload: &'a [u8]) -> Option<(u64, &'a [u8])> {
        let (stamp, rest) = payload.split_first_chunk()?;
        let stamp = u64::from_le_bytes(*stamp);
        if stamp < self.last {
            self.base = None;
        }
        self.last = stamp;
        let base = *self.base.get_or_insert(time.wrapping_sub(stamp));
        Some((base.wrapping_add(stamp), rest))
    }
}

#[derive(Default)]
pub(crate) struct Feeds {
    entries: Vec<Entry>,
    loopback: Option<Device>,
    /// Sources of the loopback that a map has named.
    sources: Vec<Source>,
    running: Vec<Running>,
}

struct Running {
    thread: JoinHandle<()>,
    /// Dropped, it ends a thread that waits for a channel; written to, one that polls.
    stop: Option<Sender<()>>,
    event: Option<Arc<EventFd>>,
}

/// The module's device, or a broker's.
fn open(path: Option<&Path>) -> Result<Device, Failure> {
    let path = path.unwrap_or(Path::new(sigrt::DEFAULT_PATH));
    let is_socket = std::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket());
    let opened = if is_socket {
        Device::connect(path)
    } else {
        Device::open(path)
    };
    opened.map_err(|e| os(&path.display().to_string(), e))
}

fn os(what: &str, error: impl std::fmt::Display) -> Failure {
    Failure::new(Error::Os, format!("{what}: {error}"))
}

impl Feeds {
    pub(crate) fn loopback(&mut self) -> Device {
        self.loopback.get_or_insert_with(Device::loopback).clone()
    }

    /// Adds what a map says, all or nothing.
    pub(crate) fn add(&mut self, core: &Arc<Core>, entries: Vec<Entry>) -> Result<(), Failure> {
        // The only thing that can fail once the map has been read is starting.
        if core.has_threads() {
            self.launch(core, &entries)?;
        } else {
            self.create_sources(&entries)?;
        }
        for entry in &entries {
            wire(core, entry)?;
        }
        self.entries.extend(entries);
        Ok(())
    }

    pub(crate) fn start(&mut self, core: &Arc<Core>) -> Result<(), Failure> {
        let entries = std::mem::take(&mut self.entries);
        let done = self.launch(core, &entries);
        self.entries = entries;
        done
    }

    pub(crate) fn stop(&mut self) {
        self.end_from(0);
    }

    /// Ends those that were started after the first so many.
    fn end_from(&mut self, first: usize) {
        let mut ending = self.running.split_off(first);
        for running in &mut ending {
            running.stop = None;
            if let Some(event) = &running.event {
                event.write(1).ok();
            }
        }
        for running in ending {
            running.thread.join().ok();
        }
    }

    /// Starts a feeder, which looks at its channel, and at the event if it has one, to see when to end.
    fn run(
        &mut self,
        core: &Arc<Core>,
        name: &str,
        event: Option<Arc<EventFd>>,
        body: impl FnOnce(&Core, &Receiver<()>) + Send + 'static,
    ) -> Result<(), Failure> {
        let (stop, stopped) = bounded(0);
        let thread = spawn(core, name, move |core| body(core, &stopped))?;
        self.running.push(Running {
            thread,
            stop: Some(stop),
            event,
        });
        Ok(())
    }

    fn create_sources(&mut self, entries: &[Entry]) -> Result<(), Failure> {
        for entry in entries {
            if let Feed::Loopback(name) = &entry.feed {
                let device = self.loopback();
                if device.source(name.as_str()).is_err() {
                    let source = device
                        .create_source(SourceOptions::new(name))
                        .map_err(|e| os(name, e))?;
                    self.sources.push(source);
                }
            }
        }
        Ok(())
    }

    /// Starts all feeders of these entries, or none.
    fn launch(&mut self, core: &Arc<Core>, entries: &[Entry]) -> Result<(), Failure> {
        let before = self.running.len();
        let launched = self.launch_all(core, entries);
        if launched.is_err() {
            self.end_from(before);
        }
        launched
    }

    fn launch_all(&mut self, core: &Arc<Core>, entries: &[Entry]) -> Result<(), Failure> {
        self.create_sources(entries)?;
        let named = |pick: fn(&Feed) -> Option<&String>| -> Vec<(String, Target)> {
            entries
                .iter()
                .filter_map(|e| Some((pick(&e.feed)?.clone(), target(e))))
                .collect()
        };
        let device = named(|f| match f {
            Feed::Device(name) => Some(name),
            _ => None,
        });
        let loopback = named(|f| match f {
            Feed::Loopback(name) => Some(name),
            _ => None,
        });
        if !device.is_empty() {
            let real = open(core.config.device.as_deref())?;
            self.subscribe(core, &real, &device)?;
        }
        if !loopback.is_empty() {
            let inside = self.loopback();
            self.subscribe(core, &inside, &loopback)?;
        }
        self.poll(core, entries)?;
        for entry in entries {
            if let (Feed::Timer(period), Some(vector)) = (&entry.feed, entry.vector) {
                core.set_timer(vector, *period, *period)?;
            }
        }
        Ok(())
    }

    fn subscribe(
        &mut self,
        core: &Arc<Core>,
        device: &Device,
        names: &[(String, Target)],
    ) -> Result<(), Failure> {
        let mut builder = device.subscription();
        let mut targets: HashMap<u32, Vec<Target>> = HashMap::new();
        for (name, target) in names {
            let source = device.source(name.as_str()).map_err(|e| os(name, e))?;
            let known = targets.entry(source.number()).or_default();
            if known.is_empty() {
                builder = builder.subscribe(&source);
            }
            known.push(*target);
        }
        let subscription = builder.start().map_err(|e| os("subscription", e))?;
        self.run(core, "shim-feed", None, move |core, stopped| {
            receive(core, &subscription, &targets, stopped);
        })
    }

    /// Starts a thread for realtime signals, each of which is an event with its value.
    fn receive_signals(
        &mut self,
        core: &Arc<Core>,
        targets: Vec<(i32, Target)>,
    ) -> Result<(), Failure> {
        let mut numbers: Vec<i32> = targets.iter().map(|(signo, _)| *signo).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let signals = Signals::start(&numbers).map_err(|e| os("signal", e))?;
        self.run(core, "shim-signals", None, move |core, stopped| {
            taken(core, &signals, &targets, stopped);
        })
    }

    /// Starts threads for descriptors and signals, if there are any.
    fn poll(&mut self, core: &Arc<Core>, entries: &[Entry]) -> Result<(), Failure> {
        let mut files = Vec::new();
        let mut signals = Vec::new();
        let mut queued = Vec::new();
        for entry in entries {
            let target = target(entry);
            match &entry.feed {
                Feed::Fd(fd) => {
                    let file = duplicate(*fd).map_err(|e| os("descriptor", e))?;
                    files.push((Polled::File(file), target));
                }
                Feed::File(path) => {
                    let file = File::options()
                        .read(true)
                        .custom_flags(libc::O_NONBLOCK)
                        .open(path)
                        .map_err(|e| os(path, e))?;
                    files.push((Polled::File(file.into()), target));
                }
                Feed::Gpio(line) => {
                    let (gpio, level) = Gpio::request(line, entry)?;
                    if let Some(pin) = entry.pin {
                        core.enter().pins.begin(pin, level)?;
                    }
                    files.push((Polled::Gpio(gpio), target));
                }
                Feed::Signal(signo) if *signo >= sigrtmin() => queued.push((*signo, target)),
                Feed::Signal(signo) => signals.push((*signo, target)),
                _ => {}
            }
        }
        if !queued.is_empty() {
            self.receive_signals(core, queued)?;
        }
        if files.is_empty() && signals.is_empty() {
            return Ok(());
        }
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = Arc::new(EventFd::from_flags(flags).map_err(|e| os("eventfd", e))?);
        // What comes from here on counts, be the thread there yet or not.
        let counted = signals
            .iter()
            .map(|(signo, _)| (*signo, relay::count(*signo)))
            .collect();
        for (signo, _) in &signals {
            relay::install(*signo, &event).map_err(|e| os("signal", e))?;
        }
        let theirs = Arc::clone(&event);
        self.run(core, "shim-poll", Some(event), move |core, stopped| {
            poll_all(core, files, (&signals, counted), &theirs, stopped);
        })
    }
}

fn taken(core: &Core, signals: &Signals, targets: &[(i32, Target)], stopped: &Receiver<()>) {
    loop {
        let signal = select! {
            recv(signals.receiver()) -> signal => signal,
            recv(stopped) -> _ => return,
        };
        let Ok(signal) = signal else {
            return;
        };
        let vectors = targets.iter().filter(|(signo, _)| *signo == signal.signo);
        for vector in vectors.filter_map(|(_, target)| target.vector) {
            if let Some(overrun @ 1..) = signal.overrun() {
                core.enter().vectors.lost(vector as usize, overrun.into());
            }
            let raise = Raise {
                value: signal.value(),
                ..Raise::new(vector)
            };
            // What finds no room has been counted.
            core.raise(&raise).ok();
        }
    }
}

fn target(entry: &Entry) -> Target {
    Target {
        vector: entry.vector,
        pin: entry.pin,
        stamped: entry.stamped,
    }
}

/// Priority, queue and edge of what an entry names.
fn wire(core: &Arc<Core>, entry: &Entry) -> Result<(), Failure> {
    let Some(vector) = entry.vector else {
        return Ok(());
    };
    let mut queue = Vectors::queue(core.config.queue_len as usize);
    let mut kernel = core.enter();
    kernel.vectors.know(vector as usize, &mut queue)?;
    if let Some(priority) = entry.priority {
        kernel.vectors.set_priority(vector as usize, priority)?;
    }
    if let Some(pin) = entry.pin {
        kernel
            .pins
            .attach(pin, vector as usize, entry.edge.unwrap_or(Edge::Change))?;
    }
    Ok(())
}

fn receive(
    core: &Core,
    subscription: &Subscription,
    targets: &HashMap<u32, Vec<Target>>,
    stopped: &Receiver<()>,
) {
    let mut stamps = Stamps::default();
    loop {
        let delivery = select! {
            recv(subscription) -> delivery => delivery,
            recv(stopped) -> _ => return,
        };
        let Ok(delivery) = delivery else {
            return;
        };
        for target in targets.get(&delivery.source()).into_iter().flatten() {
            deliver(core, *target, &delivery, &mut stamps);
        }
    }
}

fn deliver(core: &Core, target: Target, delivery: &Delivery, stamps: &mut Stamps) {
    match delivery {
        Delivery::Event(event) => {
            let time = event.time.as_nanos() as u64;
            let stamped = target.stamped.then(|| stamps.take(time, &event.payload));
            // One without a time happens when the device says so.
            let (time, payload) = stamped.flatten().unwrap_or((time, &event.payload[..]));
            let level = event.value.map(|v| v & 1 == 1);
            match (target.pin, level) {
                (Some(pin), Some(level)) => core.raise_pin(pin, level, Some(time)).ok(),
                _ => target.vector.and_then(|vector| {
                    let raise = Raise {
                        kind: event.kind.into(),
                        source: event.source,
                        payload,
                        time: Some(time),
                        value: event.value,
                        ..Raise::new(vector)
                    };
                    // What finds no room has been counted.
                    core.raise(&raise).ok()
                }),
            };
        }
        Delivery::Gap(gap) => {
            if let Some(vector) = target.vector {
                let mut kernel = core.enter();
                kernel.vectors.lost(vector as usize, gap.count.into());
            }
        }
        // No interrupt; the vector stays quiet from now on.
        Delivery::Gone(_) => {}
    }
}

/// What a thread waits for with `poll`.
enum Polled {
    File(OwnedFd),
    Gpio(Gpio),
}

impl AsFd for Polled {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::File(file) => file.as_fd(),
            Self::Gpio(gpio) => gpio.request.as_fd(),
        }
    }
}

/// A descriptor of the program's, as our own.
fn duplicate(fd: i32) -> Result<OwnedFd, Errno> {
    relay::with_descriptor(fd, |fd| fd.try_clone_to_owned())?
        .map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EBADF)))
}

fn poll_all(
    core: &Core,
    mut files: Vec<(Polled, Target)>,
    (signals, mut raised): (&[(i32, Target)], HashMap<i32, u64>),
    event: &EventFd,
    stopped: &Receiver<()>,
) {
    let mut buffer = vec![0; 4096];
    loop {
        if stopped.try_recv() == Err(crossbeam_channel::TryRecvError::Disconnected) {
            return;
        }
        let mut fds: Vec<PollFd<'_>> = vec![PollFd::new(event.as_fd(), PollFlags::POLLIN)];
        fds.extend(
            files
                .iter()
                .map(|(file, _)| PollFd::new(file.as_fd(), PollFlags::POLLIN)),
        );
        if nix::poll::poll(&mut fds, PollTimeout::NONE).is_err() {
            continue;
        }
        let ready: Vec<bool> = fds
            .iter()
            .skip(1)
            .map(|fd| fd.any().unwrap_or(false))
            .collect();
        drop(fds);
        event.read().ok();
        for (signo, target) in signals {
            let now = relay::count(*signo);
            let before = raised.entry(*signo).or_insert(now);
            while *before < now {
                *before += 1;
                raise(core, *target, *before, &[]);
            }
        }
        let mut which = ready.into_iter();
        files.retain_mut(|(file, target)| {
            !which.next().unwrap_or(false)
                || match file {
                    Polled::File(file) => read(core, file.as_fd(), *target, &mut buffer),
                    Polled::Gpio(gpio) => edges(core, gpio, *target),
                }
        });
    }
}

/// Reads what is there and raises the vector with it; false at the end of the file.
fn read(core: &Core, file: BorrowedFd<'_>, target: Target, buffer: &mut [u8]) -> bool {
    match nix::unistd::read(file, buffer) {
        Ok(0) => false,
        Ok(n) => {
            let bytes = buffer.get(..n).unwrap_or_default();
            raise(core, target, n as u64, bytes);
            true
        }
        Err(Errno::EAGAIN | Errno::EINTR) => true,
        Err(_) => {
            core.log_text(
                format!("app-shim: descriptor {} fails; closed\n", file.as_raw_fd()).as_bytes(),
            )
            .ok();
            false
        }
    }
}

/// Raises all edges that are there; false if the line fails.
fn edges(core: &Core, gpio: &mut Gpio, target: Target) -> bool {
    loop {
        match gpio.next() {
            Ok(Some(change)) => {
                if let (Some(vector), 1..) = (target.vector, change.missed) {
                    core.enter().vectors.lost(vector as usize, change.missed);
                }
                // What finds no room has been counted.
                match (target.pin, target.vector) {
                    (Some(pin), _) => core.raise_pin(pin, change.level, Some(change.time)).ok(),
                    (None, Some(vector)) => {
                        let raise = Raise::new(vector).value(change.level.into());
                        core.raise(&raise.at(change.time)).ok()
                    }
                    (None, None) => None,
                };
            }
            Ok(None) => return true,
            Err(error) => {
                core.log_text(format!("app-shim: a GPIO line fails: {error}; closed\n").as_bytes())
                    .ok();
                return false;
            }
        }
    }
}

fn raise(core: &Core, target: Target, value: u64, payload: &[u8]) {
    if let Some(vector) = target.vector {
        // What finds no room has been counted.
        core.raise(&Raise::new(vector).value(value).payload(payload))
            .ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_exact_distances() {
        let mut stamps = Stamps::default();
        let stamped = |stamp: u64| [&stamp.to_le_bytes()[..], b"x"].concat();
        assert_eq!(stamps.take(1000, &stamped(0)), Some((1000, &b"x"[..])));
        assert_eq!(stamps.take(1234, &stamped(200)).unwrap().0, 1200);
        assert_eq!(stamps.take(9999, &stamped(200)).unwrap().0, 1200);
        assert_eq!(stamps.take(1, b"short"), None);
        // Played again.
        assert_eq!(stamps.take(5000, &stamped(10)).unwrap().0, 5000);
        assert_eq!(stamps.take(5007, &stamped(20)).unwrap().0, 5010);
    }
}
