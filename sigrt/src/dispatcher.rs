// SPDX-License-Identifier: MIT OR Apache-2.0

//! The thread that takes the signals and fills the channel.
//!
//! It blocks every asynchronous signal, registers itself as the target, and waits in `sigtimedwait` for the
//! registered signal and for `SIGURG`. The latter is the loopback's fallback doorbell and the request to
//! stop: `tgkill` of a signal below `SIGRTMIN` cannot be refused. Every doorbell means "look", so a stray
//! one of either kind only costs a look.
//!
//! Per event it makes two system calls: one takes the signal, one fetches record and payload by the handle.
//! A signal without a handle, or with one that names nothing any more, makes it drain with `read`.
//!
//! No user code runs here. The one buffer is reused; what a delivery keeps is copied out of it.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};
use nix::errno::Errno;
use rtnotify_core::abi::{self, Record};

use crate::client::Client;
use crate::delivery::{Delivery, Frames};
use crate::error::{Error, Result};
use crate::subscription::refusal;
use crate::sys::{self, SIGURG, SignalSet, Taken, Tid};

/// Bytes of frames that are read at once.
const BUFFER: usize = 64 << 10;

/// What the subscription and its dispatcher share.
#[derive(Debug, Default)]
pub(crate) struct Control {
    stop: AtomicBool,
    tid: AtomicI32,
    failure: OnceLock<Errno>,
}

impl Control {
    pub(crate) fn tid(&self) -> Tid {
        self.tid.load(Ordering::Relaxed)
    }

    pub(crate) fn failure(&self) -> Option<Errno> {
        self.failure.get().copied()
    }

    /// Asks the dispatcher to end.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        // If it has ended by itself there is nobody to wake. Its number cannot have been taken by another
        // thread that minds: SIGURG is ignored by default.
        sys::signal_thread(self.tid(), SIGURG).ok();
    }
}

/// A dispatcher that runs.
pub(crate) struct Started {
    pub(crate) thread: JoinHandle<()>,
    pub(crate) stop: Sender<()>,
    pub(crate) control: Arc<Control>,
}

/// Starts a dispatcher, and returns when it has registered and subscribed.
pub(crate) fn start(
    client: Arc<Client>,
    request: abi::Register,
    sources: Vec<abi::Subscribe>,
    largest_payload: usize,
    sender: Sender<Delivery>,
) -> Result<Started> {
    let control = Arc::new(Control::default());
    let (stop, stopped) = bounded(0);
    let (report, outcome) = bounded(1);
    let signo = request.signo as i32;
    let dispatcher = Dispatcher {
        client,
        signo,
        per_event: request.mode == abi::MODE_PER_EVENT,
        signals: SignalSet::of(&[signo, SIGURG]),
        largest_frame: Record::BYTES + abi::frame_align(largest_payload),
        buffer: vec![0; BUFFER],
        sender,
        stopped,
        control: Arc::clone(&control),
    };
    // The thread starts with its spawner's mask: nothing can reach it before everything is blocked.
    let mask = sys::block(&SignalSet::asynchronous());
    let thread = thread::Builder::new()
        .name(format!("rtnotify-{signo}"))
        .spawn(move || {
            let mut dispatcher = dispatcher;
            let ready = dispatcher.set_up(request, &sources);
            let failed = ready.is_err();
            report.send(ready).ok();
            if !failed {
                dispatcher.run();
            }
            dispatcher.tear_down();
        });
    drop(mask);
    let thread = thread.map_err(|error| Error::os("start the dispatcher thread", error))?;
    match outcome.recv() {
        Ok(Ok(())) => Ok(Started {
            thread,
            stop,
            control,
        }),
        Ok(Err(error)) => {
            thread.join().ok();
            Err(error)
        }
        Err(_) => Err(Error::DeviceGone),
    }
}

struct Dispatcher {
    client: Arc<Client>,
    signo: i32,
    per_event: bool,
    signals: SignalSet,
    /// No frame of the subscribed sources is longer.
    largest_frame: usize,
    buffer: Vec<u8>,
    sender: Sender<Delivery>,
    stopped: Receiver<()>,
    control: Arc<Control>,
}

/// Why the dispatcher ends.
enum End {
    /// It was asked to, or nobody listens any more.
    Wanted,
    /// The device does not answer.
    Failed(Errno),
}

impl Dispatcher {
    fn set_up(&self, mut request: abi::Register, sources: &[abi::Subscribe]) -> Result<()> {
        self.control.tid.store(sys::gettid(), Ordering::Relaxed);
        self.client
            .register_dispatcher(&mut request)
            .map_err(|errno| refusal("register", errno, self.signo))?;
        for &wanted in sources {
            let source = wanted.source;
            self.client
                .subscribe_with(&mut { wanted })
                .map_err(|errno| match errno {
                    Errno::EINVAL => Error::Setting {
                        setting: "filter",
                        limits: "kinds below 0xfff0 in order, no bits of the value outside the mask",
                    },
                    Errno::EEXIST => Error::SubscribedTwice {
                        source_number: source,
                    },
                    Errno::ENOENT => Error::NoSuchSource {
                        name: source.to_string(),
                    },
                    other => refusal("subscribe", other, self.signo),
                })?;
        }
        Ok(())
    }

    fn run(&mut self) {
        loop {
            match self.turn() {
                Ok(()) => {}
                Err(End::Wanted) => return,
                Err(End::Failed(errno)) => {
                    self.control.failure.set(errno).ok();
                    return;
                }
            }
        }
    }

    /// Waits for one signal and does what it asks for.
    fn turn(&mut self) -> Result<(), End> {
        let taken = match sys::take_signal(&self.signals, None) {
            Ok(taken) => taken,
            // A debugger stopped us.
            Err(Errno::EINTR | Errno::EAGAIN) => return Ok(()),
            Err(errno) => return Err(End::Failed(errno)),
        };
        self.check_stop()?;
        match taken {
            Taken {
                signo,
                code: libc::SI_QUEUE,
                value,
            } if self.per_event && signo == self.signo => self.fetch(value),
            _ => self.drain(),
        }
    }

    fn check_stop(&self) -> Result<(), End> {
        if self.control.stop.load(Ordering::Acquire) {
            Err(End::Wanted)
        } else {
            Ok(())
        }
    }

    /// Fetches the event that `handle` names, and everything if it names none.
    fn fetch(&mut self, handle: u64) -> Result<(), End> {
        loop {
            let got = match self.client.pread(&mut self.buffer, handle) {
                Ok(got) => got,
                Err(Errno::EINTR) => continue,
                Err(errno @ (Errno::ENOTCONN | Errno::ENODEV | Errno::EBADF)) => {
                    return Err(End::Failed(errno));
                }
                // Consumed already, or forged.
                Err(_) => return self.drain(),
            };
            let Some((head, payload)) = self.buffer[..got].split_first_chunk() else {
                return self.drain();
            };
            let record = Record::from_bytes(head);
            // A forged handle with an offset in it names the middle of something.
            if record.handle != handle {
                return self.drain();
            }
            let len = record.trailing_len();
            if let Some(payload) = payload.get(..len) {
                let delivery = Delivery::from_record(&record, payload);
                return self.deliver(delivery);
            }
            self.buffer.resize(Record::BYTES + len, 0);
        }
    }

    /// Reads until the queue is empty.
    fn drain(&mut self) -> Result<(), End> {
        loop {
            self.check_stop()?;
            match self.client.read(&mut self.buffer) {
                Ok(got) => {
                    for (record, payload) in Frames(&self.buffer[..got]) {
                        self.deliver(Delivery::from_record(&record, payload))?;
                    }
                    // Another frame would have fitted, so there was none; the next rings again.
                    if self.buffer.len() - got >= self.largest_frame {
                        return Ok(());
                    }
                }
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(Errno::EMSGSIZE) if self.buffer.len() < Record::BYTES + abi::MAX_PAYLOAD => {
                    let len = (2 * self.buffer.len()).max(self.largest_frame);
                    self.buffer.resize(len, 0);
                }
                Err(errno) => return Err(End::Failed(errno)),
            }
        }
    }

    /// Puts a delivery into the channel, waiting for room: the device's queue takes the pressure meanwhile.
    fn deliver(&self, delivery: Delivery) -> Result<(), End> {
        match self.sender.try_send(delivery) {
            Ok(()) => Ok(()),
            Err(TrySendError::Disconnected(_)) => Err(End::Wanted),
            Err(TrySendError::Full(delivery)) => select! {
                send(self.sender, delivery) -> sent => sent.map_err(|_| End::Wanted),
                recv(self.stopped) -> _ => Err(End::Wanted),
            },
        }
    }

    /// Ends the registration and takes what is still pending, so that nothing is left when the thread ends.
    fn tear_down(&self) {
        // It may have failed to register, or the device may be gone.
        self.client.unregister().ok();
        while sys::take_signal(&self.signals, Some(Duration::ZERO)).is_ok() {}
    }
}
