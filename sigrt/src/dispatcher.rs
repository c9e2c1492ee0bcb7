// SPDX-License-Identifier: MIT OR Apache-2.0

//! The thread that takes the signals and fills the channels.
//!
//! It blocks every asynchronous signal, registers itself as the target, and waits in `sigtimedwait` for the
//! registered signals and for `SIGURG`. The latter is the loopback's fallback doorbell and says that there is a
//! command: `tgkill` of a signal below `SIGRTMIN` cannot be refused. Every doorbell means "look", so a stray
//! one of either kind only costs a look.
//!
//! With a real handler (see [`crate::SubscriptionBuilder::handler`]) the doorbells interrupt another thread, and come here
//! through a [`HandOver`] instead; all else is the same.
//!
//! Per event it makes two system calls: one takes the signal, one fetches record and payload by the handle.
//! A signal without a handle, or with one that names nothing any more, makes it drain with `read`.
//!
//! A channel that is full stops its own subscription: what has been read waits here, the rest in the device. While
//! others go on, it is looked at every [`RETRY`]; if all are full, the thread sleeps until one is not.

use std::fmt;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Select, Sender, bounded, unbounded};
use nix::errno::Errno;
use rtnotify_core::abi::{self, Record};

use crate::client::Client;
use crate::delivery::Frames;
use crate::error::{Error, Result};
use crate::handover::{HandOver, LOOK};
use crate::sink::{Flow, Sink};
use crate::subscription::refusal;
use crate::sys::{self, SIGURG, SignalSet, Taken, Tid};

/// Bytes of frames that are read at once.
const BUFFER: usize = 64 << 10;
/// How soon a full channel is tried again while other subscriptions of the thread go on.
const RETRY: Duration = Duration::from_millis(1);

/// Why a subscription has ended by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    Device(Errno),
    Panicked,
}

/// What a subscription knows of its place at the dispatcher.
#[derive(Debug, Default)]
pub(crate) struct Control {
    failure: OnceLock<Failure>,
}

impl Control {
    pub(crate) fn failure(&self) -> Option<Error> {
        Some(match self.failure.get()? {
            Failure::Device(errno) => Error::from_errno("receive", *errno),
            Failure::Panicked => Error::CallbackPanicked,
        })
    }
}

/// One thread that serves several subscriptions, as long as there is a clone of this or a subscription with it.
///
/// Without one, each subscription has a thread of its own. A channel that is full holds up its own subscription
/// only; a function that takes deliveries ([`SubscriptionBuilder::start_with`](crate::SubscriptionBuilder::start_with))
/// holds up all of them while it runs.
///
/// # Examples
///
/// ```
/// use sigrt::{Device, Dispatcher, SourceOptions};
///
/// let device = Device::loopback();
/// let door = device.create_source(SourceOptions::new("door"))?;
/// let bell = device.create_source(SourceOptions::new("bell"))?;
/// let dispatcher = Dispatcher::new()?;
/// let doors = device.subscription().dispatcher(&dispatcher).subscribe(&door).start()?;
/// let bells = device.subscription().dispatcher(&dispatcher).subscribe(&bell).start()?;
/// assert_eq!(doors.dispatcher(), bells.dispatcher());
/// door.post(None, b"open")?;
/// bell.post(None, b"ding")?;
/// assert_eq!(bells.recv()?.event().unwrap().payload, "ding");
/// assert_eq!(doors.recv()?.event().unwrap().payload, "open");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dispatcher {
    core: Arc<Core>,
}

#[derive(Debug)]
struct Core {
    commands: Sender<Command>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    next: AtomicU64,
    pid: u32,
}

/// What the thread and those who command it share.
#[derive(Debug)]
struct Shared {
    tid: AtomicI32,
    /// With a real handler: where it leaves the doorbells.
    hand_over: Option<Arc<HandOver>>,
}

impl Dispatcher {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// [`Error::Os`]: there can be no more threads.
    pub fn new() -> Result<Self> {
        Self::start(None)
    }

    /// With a hand-over: one whose doorbells come from a real handler.
    pub(crate) fn start(hand_over: Option<Arc<HandOver>>) -> Result<Self> {
        let (commands, orders) = unbounded();
        let (report, started) = bounded(1);
        let shared = Arc::new(Shared {
            tid: AtomicI32::new(0),
            hand_over,
        });
        let worker = Worker {
            entries: Vec::new(),
            signals: SignalSet::of(&[SIGURG]),
            buffer: vec![0; BUFFER],
            orders,
            shared: Arc::clone(&shared),
        };
        // The thread starts with its spawner's mask: nothing can reach it before everything is blocked.
        let mask = sys::block(&SignalSet::asynchronous());
        let thread = thread::Builder::new()
            .name("rtnotify-signal".to_owned())
            .spawn(move || {
                worker.shared.tid.store(sys::gettid(), Ordering::Release);
                report.send(()).ok();
                worker.run();
            });
        drop(mask);
        let thread = thread.map_err(|error| Error::os("start the dispatcher thread", error))?;
        started.recv().ok();
        Ok(Self {
            core: Arc::new(Core {
                commands,
                shared,
                thread: Mutex::new(Some(thread)),
                next: AtomicU64::new(1),
                pid: sys::process_id(),
            }),
        })
    }

    /// The thread.
    #[must_use]
    pub fn thread(&self) -> Tid {
        self.core.shared.tid.load(Ordering::Acquire)
    }

    /// Gives a command and waits until it is carried out; on the dispatcher's own thread, only gives it.
    fn command<T>(&self, make: impl FnOnce(Sender<T>) -> Command) -> Option<T> {
        // In a forked child there is no such thread.
        if self.is_forked() {
            return None;
        }
        let (reply, answer) = bounded(1);
        self.core.commands.send(make(reply)).ok()?;
        self.core.shared.wake();
        if sys::gettid() == self.thread() {
            return None;
        }
        answer.recv().ok()
    }

    pub(crate) fn is_forked(&self) -> bool {
        sys::process_id() != self.core.pid
    }

    /// Registers on the thread, and serves from now on; gives the subscription's number here.
    pub(crate) fn add(&self, new: New) -> Result<u64> {
        if self.is_forked() {
            return Err(Error::Forked);
        }
        let id = self.core.next.fetch_add(1, Ordering::Relaxed);
        self.command(|reply| Command::Add { id, new, reply })
            .unwrap_or(Err(Error::DeviceGone))?;
        Ok(id)
    }

    /// Ends the registration. Nothing is delivered after this.
    pub(crate) fn remove(&self, id: u64) {
        self.command(|reply| Command::Remove { id, reply });
    }

    /// Stops or resumes taking events from the device.
    pub(crate) fn pause(&self, id: u64, paused: bool) {
        self.command(|reply| Command::Pause { id, paused, reply });
    }

    /// Unsubscribes, drains, unregisters; the final counters.
    pub(crate) fn shut_down(&self, id: u64) -> Result<abi::Stats, Errno> {
        self.command(|reply| Command::ShutDown { id, reply })
            .unwrap_or(Err(Errno::ENOTCONN))
    }
}

impl Shared {
    fn wake(&self) {
        if let Some(hand_over) = &self.hand_over {
            hand_over.ring(LOOK);
        }
        // Its number cannot have been taken by another thread that minds: SIGURG is ignored by default.
        sys::signal_thread(self.tid.load(Ordering::Acquire), SIGURG).ok();
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // In a forked child there is no such thread, and locks may be held for ever.
        if sys::process_id() != self.pid {
            return;
        }
        self.commands.send(Command::Stop).ok();
        self.shared.wake();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            // It does not panic; if it did, there would be nothing left to end.
            thread.join().ok();
        }
    }
}

/// A subscription to be served.
pub(crate) struct New {
    pub(crate) client: Arc<Client>,
    pub(crate) register: abi::Register,
    pub(crate) lanes: Vec<abi::Lane>,
    pub(crate) sources: Vec<abi::Subscribe>,
    /// Bytes of the longest payload that a subscribed source has.
    pub(crate) largest_payload: usize,
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) control: Arc<Control>,
}

enum Command {
    Add {
        id: u64,
        new: New,
        reply: Sender<Result<()>>,
    },
    Remove {
        id: u64,
        reply: Sender<()>,
    },
    Pause {
        id: u64,
        paused: bool,
        reply: Sender<()>,
    },
    ShutDown {
        id: u64,
        reply: Sender<Result<abi::Stats, Errno>>,
    },
    Stop,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Command")
    }
}

/// A subscription that is served.
struct Entry {
    id: u64,
    client: Arc<Client>,
    signals: Vec<i32>,
    sources: Vec<u32>,
    per_event: bool,
    /// No frame of the subscribed sources is longer.
    largest_frame: usize,
    sink: Box<dyn Sink>,
    control: Arc<Control>,
    /// There may be something in the device.
    behind: bool,
    paused: bool,
    /// The channel was full when last tried.
    is_full: bool,
}

/// Why a subscription ends.
enum End {
    /// Nobody listens any more.
    Wanted,
    Failed(Failure),
}

impl From<Errno> for End {
    fn from(errno: Errno) -> Self {
        Self::Failed(Failure::Device(errno))
    }
}

impl Entry {
    fn register(id: u64, mut new: New) -> Result<Self> {
        let first = new.register.signo as i32;
        let mut signals = vec![first];
        new.client
            .register_dispatcher(&mut new.register)
            .map_err(|errno| refusal("register", errno, first))?;
        let mut entry = Self {
            id,
            client: new.client,
            signals: Vec::new(),
            sources: Vec::new(),
            per_event: false,
            largest_frame: Record::BYTES + abi::frame_align(new.largest_payload),
            sink: new.sink,
            control: new.control,
            behind: false,
            paused: false,
            is_full: false,
        };
        let set_up = || {
            for mut lane in new.lanes {
                let signo = lane.signo as i32;
                entry
                    .client
                    .add_dispatcher_lane(&mut lane)
                    .map_err(|errno| refusal("add a lane", errno, signo))?;
                signals.push(signo);
            }
            for mut wanted in new.sources {
                entry
                    .client
                    .subscribe_with(&mut wanted)
                    .map_err(|errno| match errno {
                        Errno::EINVAL => Error::Setting {
                            setting: "filter",
                            limits: "kinds below 0xfff0 in order, no bits of the value outside the mask",
                        },
                        Errno::EEXIST => Error::SubscribedTwice {
                            source_number: wanted.source,
                        },
                        Errno::ENOENT => Error::NoSuchSource {
                            name: wanted.source.to_string(),
                        },
                        other => refusal("subscribe", other, first),
                    })?;
                entry.sources.push(wanted.source);
            }
            Ok(())
        };
        let done = set_up();
        entry.signals = signals;
        // What came meanwhile has rung already: there is nothing to make up for.
        entry.per_event = new.register.mode == abi::MODE_PER_EVENT;
        match done {
            Ok(()) => Ok(entry),
            Err(error) => {
                entry.end();
                Err(error)
            }
        }
    }

    /// Ends the registration, and takes what the calling thread still has pending of it.
    fn end(&mut self) {
        // The device may be gone.
        self.client.unregister().ok();
        let own = SignalSet::of(&self.signals);
        while sys::take_signal(&own, Some(Duration::ZERO)).is_ok() {}
    }

    /// Whether it has something to do with a doorbell that is rung now.
    fn is_idle(&self) -> bool {
        !self.behind && !self.paused && !self.is_full
    }

    /// Delivers what waits, and what is in the device if there may be something.
    fn go_on(&mut self, buffer: &mut Vec<u8>) -> Result<(), End> {
        if self.paused {
            return Ok(());
        }
        self.deliver()?;
        self.drain(buffer)
    }

    /// Hands over what has been read.
    fn deliver(&mut self) -> Result<(), End> {
        match self.sink.flush() {
            Flow::Empty => self.is_full = false,
            Flow::Full => self.is_full = true,
            Flow::Closed => return Err(End::Wanted),
            Flow::Panicked => return Err(End::Failed(Failure::Panicked)),
        }
        Ok(())
    }

    /// Fetches the event that `handle` names, and everything if it names none.
    fn fetch(&mut self, handle: u64, buffer: &mut Vec<u8>) -> Result<(), End> {
        let by_handle = self.sink.outstanding().is_some();
        loop {
            // The record alone does not consume an event that has a payload.
            let room = if by_handle {
                Record::BYTES
            } else {
                buffer.len()
            };
            let got = match self.client.pread(&mut buffer[..room], handle) {
                Ok(got) => got,
                Err(Errno::EINTR) => continue,
                Err(errno @ (Errno::ENOTCONN | Errno::ENODEV | Errno::EBADF)) => {
                    return Err(errno.into());
                }
                // Consumed already, or forged.
                Err(_) => return self.look(buffer),
            };
            let Some((head, payload)) = buffer[..got].split_first_chunk() else {
                return self.look(buffer);
            };
            let record = Record::from_bytes(head);
            // A forged handle with an offset in it names the middle of something.
            if record.handle != handle {
                return self.look(buffer);
            }
            let len = record.trailing_len();
            if by_handle && len > 0 && record.is_event() {
                // A forged doorbell may name what has been given out.
                let given = self.sink.outstanding();
                if given.is_some_and(|given| given.lock().contains_key(&handle)) {
                    return Ok(());
                }
                self.sink.push_by_handle(&record, &self.client);
                return self.deliver();
            }
            if let Some(payload) = payload.get(..len) {
                self.sink.push(&record, payload);
                return self.deliver();
            }
            buffer.resize(Record::BYTES + len, 0);
        }
    }

    fn look(&mut self, buffer: &mut Vec<u8>) -> Result<(), End> {
        self.behind = true;
        self.drain(buffer)
    }

    /// Reads until the queue is empty or the channel is full.
    fn drain(&mut self, buffer: &mut Vec<u8>) -> Result<(), End> {
        while self.behind && !self.is_full {
            self.read(buffer)?;
            self.deliver()?;
        }
        Ok(())
    }

    /// Reads once. Of several lanes no more than the channel has room for: what has been read comes in the order in
    /// which it was read, however urgent what comes after it is.
    fn read(&mut self, buffer: &mut Vec<u8>) -> Result<(), Errno> {
        let mut limit = buffer.len();
        if self.signals.len() > 1 {
            limit = limit.min(self.sink.room().saturating_mul(Record::BYTES));
            limit = limit.max(Record::BYTES);
        }
        let outstanding = self.sink.outstanding();
        loop {
            // Whoever finds a handle stale must find its payload in the table.
            let mut given = outstanding.as_ref().map(|table| table.lock());
            match self.client.read(&mut buffer[..limit]) {
                Ok(got) => {
                    for (record, payload) in Frames(&buffer[..got]) {
                        let asked = given
                            .as_mut()
                            .and_then(|given| given.get_mut(&record.handle));
                        if let Some(place) = asked.filter(|_| record.is_event()) {
                            *place = Some(crate::delivery::owned_payload(&record, payload));
                        } else {
                            self.sink.push(&record, payload);
                        }
                    }
                    // Another frame would have fitted, so there was none; the next rings again.
                    if limit - got >= self.largest_frame {
                        self.behind = false;
                    }
                    return Ok(());
                }
                Err(Errno::EAGAIN) => {
                    self.behind = false;
                    return Ok(());
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EMSGSIZE) if limit < Record::BYTES + abi::MAX_PAYLOAD => {
                    limit = (2 * limit).max(2 * Record::BYTES);
                    if limit > buffer.len() {
                        limit = limit.max(self.largest_frame);
                        buffer.resize(limit, 0);
                    }
                }
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Takes everything that there is, ends the subscriptions and what they had left to say, then the registration.
    fn shut_down(&mut self, buffer: &mut Vec<u8>) -> Result<abi::Stats, Errno> {
        let mut take_all = |entry: &mut Self| {
            entry.behind = true;
            while entry.behind {
                entry.read(buffer)?;
            }
            Ok::<(), Errno>(())
        };
        take_all(self)?;
        for source in std::mem::take(&mut self.sources) {
            match self.client.unsubscribe(source) {
                // It has ended by itself.
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        take_all(self)?;
        let stats = self.client.stats()?;
        self.sink.leave_rest();
        Ok(stats)
    }
}

struct Worker {
    entries: Vec<Entry>,
    /// All that is waited for.
    signals: SignalSet,
    buffer: Vec<u8>,
    orders: Receiver<Command>,
    shared: Arc<Shared>,
}

impl Worker {
    fn run(mut self) {
        loop {
            while let Ok(command) = self.orders.try_recv() {
                if !self.obey(command) {
                    self.entries.iter_mut().for_each(Entry::end);
                    return;
                }
            }
            for index in (0..self.entries.len()).rev() {
                let done = self.entries[index].go_on(&mut self.buffer);
                self.settle(index, done);
            }
            let mut running = self.entries.iter().filter(|e| !e.paused).peekable();
            let any = running.peek().is_some();
            let (full, all_full) = running.fold((false, any), |(full, all), entry| {
                (full || entry.is_full, all && entry.is_full)
            });
            if all_full {
                self.wait_for_room();
            } else {
                self.take_doorbell(full.then_some(RETRY));
            }
        }
    }

    /// Ends the subscription that has come to its end.
    fn settle(&mut self, index: usize, done: Result<(), End>) {
        let Err(end) = done else { return };
        let mut entry = self.entries.remove(index);
        if let End::Failed(failure) = end {
            entry.control.failure.set(failure).ok();
        }
        entry.end();
        self.choose_signals();
    }

    fn choose_signals(&mut self) {
        let mut signals: Vec<i32> = self
            .entries
            .iter()
            .flat_map(|e| &e.signals)
            .copied()
            .collect();
        signals.push(SIGURG);
        self.signals = SignalSet::of(&signals);
        if self.shared.hand_over.is_some() {
            // The handler runs here too, when this thread has taken over. Nobody else's mask changes.
            std::mem::forget(sys::unblock(&self.signals));
        }
    }

    /// Until a channel has room, or there is a command. What rings meanwhile stays pending.
    fn wait_for_room(&self) {
        let mut select = Select::new();
        select.recv(&self.orders);
        for entry in self.entries.iter().filter(|e| !e.paused) {
            entry.sink.select(&mut select);
        }
        select.ready();
    }

    /// Waits for a doorbell and does what it asks for.
    fn take_doorbell(&mut self, timeout: Option<Duration>) {
        if let Some(hand_over) = &self.shared.hand_over {
            match hand_over.wait(timeout) {
                None => {}
                Some(LOOK) => self.look_everywhere(),
                Some(handle) => self.fetch(None, handle),
            }
            return;
        }
        match sys::take_signal(&self.signals, timeout) {
            Ok(Taken { signo: SIGURG, .. }) => self.look_everywhere(),
            Ok(Taken {
                signo,
                code: libc::SI_QUEUE,
                value,
            }) => self.fetch(Some(signo), value),
            Ok(Taken { signo, .. }) => {
                for entry in &mut self.entries {
                    entry.behind |= entry.signals.contains(&signo);
                }
            }
            // The time is up, or a debugger stopped us.
            Err(_) => {}
        }
    }

    fn look_everywhere(&mut self) {
        for entry in &mut self.entries {
            entry.behind = true;
        }
    }

    /// A doorbell with a handle: of those whose signal it was, or of anybody.
    fn fetch(&mut self, signo: Option<i32>, handle: u64) {
        for index in (0..self.entries.len()).rev() {
            let entry = &mut self.entries[index];
            if signo.is_some_and(|signo| !entry.signals.contains(&signo)) {
                continue;
            }
            if !entry.per_event || !entry.is_idle() {
                entry.behind = true;
                continue;
            }
            let done = entry.fetch(handle, &mut self.buffer);
            self.settle(index, done);
        }
    }

    /// Carries out a command; false: to end.
    fn obey(&mut self, command: Command) -> bool {
        match command {
            Command::Stop => return false,
            Command::Add { id, new, reply } => {
                let done = Entry::register(id, new).map(|entry| self.entries.push(entry));
                self.choose_signals();
                reply.send(done).ok();
            }
            Command::Remove { id, reply } => {
                self.remove(id);
                reply.send(()).ok();
            }
            Command::Pause { id, paused, reply } => {
                if let Some(entry) = self.entries.iter_mut().find(|e| e.id == id) {
                    entry.paused = paused;
                    entry.behind = true;
                }
                reply.send(()).ok();
            }
            Command::ShutDown { id, reply } => {
                let entry = self.entries.iter_mut().find(|e| e.id == id);
                let stats = match entry {
                    Some(entry) => entry.shut_down(&mut self.buffer),
                    None => Err(Errno::ENOTCONN),
                };
                self.remove(id);
                reply.send(stats).ok();
            }
        }
        true
    }

    fn remove(&mut self, id: u64) {
        if let Some(index) = self.entries.iter().position(|e| e.id == id) {
            self.entries.remove(index).end();
            self.choose_signals();
        }
    }
}
