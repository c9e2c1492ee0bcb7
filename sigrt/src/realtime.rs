// SPDX-License-Identifier: MIT OR Apache-2.0

//! Realtime signals that anybody sends, each exactly once: no device needed.
//!
//! The kernel queues realtime signals: a thousand `sigqueue` calls are a thousand signals with a value each. What
//! loses them is what programs do with them: a handler that sets a flag, a self-pipe that is full, an array of
//! five. Here they stay in the kernel's queue until a thread of their own takes them, one by one, and puts them into
//! a bounded channel. When that is full they go on waiting in the kernel, up to the limit of the receiving user
//! (`RLIMIT_SIGPENDING`); beyond it the kernel refuses, and tells the *sender*: [`send`] then gives
//! [`Error::SignalQueueFull`].
//!
//! ```
//! use sigrt::realtime::{self, Cause, Signals};
//!
//! let signo = sigrt::sys::sigrtmin() + 3;
//! let signals = Signals::start(&[signo])?;
//! for n in 0..1000 {
//!     realtime::send(std::process::id(), signo, n)?;
//! }
//! for n in 0..1000 {
//!     let signal = signals.recv()?;
//!     assert_eq!(signal.value(), Some(n));
//!     assert_eq!(signal.pid(), Some(std::process::id()));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Who takes a signal
//!
//! A signal sent to a process interrupts any thread that does not block it. That thread's handler sends it on, as it
//! is, to the receiving thread, where it queues. So the count is exact whatever the masks of the threads are. If the
//! kernel refuses even that, because others used up the limit in the very moment, the signal is delivered all the
//! same, as [`Cause::Unknown`]: exact in number, without its value.
//!
//! Order is exact for signals that one thread sends while every other thread of the receiving program blocks them:
//! call [`block`] first thing in `main`; threads inherit that. Otherwise two threads can take signals at once, and
//! the one that was interrupted first need not come first. Lower numbers come before higher ones, if both wait.
//!
//! # Limitations
//!
//! - The kernel merges signals that `kill` or `tgkill` sends over the limit, without telling the sender
//!   (`kernel/signal.c`): they carry no value to begin with. It also merges the expirations of one timer while its
//!   signal waits; [`Signal::overrun`] says how many.
//! - A number has one receiver per process. Its handler stays for good, so once a receiver is gone the signal is
//!   ignored, rather than ending the process.
//! - What has been taken into the channel no longer counts against the limit; it is lost with the last receiver.
//! - In a child of `fork` nothing is received.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};
use nix::errno::Errno;

use crate::error::{Error, Result};
use crate::signal::Lease;
use crate::sys::handler::{self, Action, Forward};
use crate::sys::info::{self, Info};
use crate::sys::{self, SIGURG, SignalSet, Tid};
#[cfg(feature = "stream")]
use crate::wake::WakerSlot;

/// Signals that wait in the channel at most, unless said otherwise.
const CAPACITY: usize = 1024;

/// Where a signal came from, and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// `sigqueue`, or `rt_tgsigqueueinfo`.
    Queue {
        /// The process that sent it; anybody who may send can make it up.
        pid: u32,
        /// Its real user.
        uid: u32,
        /// Its value; C programs call it `sival_ptr`, or `sival_int` in the low half.
        value: u64,
    },
    /// `kill`, `tgkill` or `raise`. Process 0: the kernel had no room for more than the fact, or the sender is in a
    /// pid namespace that cannot be seen from here.
    Kill {
        /// The process that sent it.
        pid: u32,
        /// Its real user.
        uid: u32,
    },
    /// A POSIX timer.
    Timer {
        /// The kernel's number of the timer.
        id: i32,
        /// Expirations that this one signal stands for besides its own.
        overrun: u32,
        /// What the timer was created with.
        value: u64,
    },
    /// A message has come into an empty message queue (`mq_notify`).
    MessageQueue {
        /// The process that sent the message.
        pid: u32,
        /// Its real user.
        uid: u32,
        /// What was asked to be sent.
        value: u64,
    },
    /// An asynchronous read or write of the C library is done (`aio_read`).
    AsyncIo {
        /// What was asked to be sent.
        value: u64,
    },
    /// A descriptor with `O_ASYNC` and `F_SETSIG` is ready; `poll` says for what.
    Io {
        /// Which of the reasons, `POLL_IN` to `POLL_HUP` of `sigaction(2)`.
        code: i32,
        /// The descriptor, as it was when it was asked for.
        fd: i32,
    },
    /// The kernel, for another reason.
    Kernel {
        /// `si_code`.
        code: i32,
    },
    /// Another `si_code` of a process: its three words as they are.
    Other {
        /// `si_code`.
        code: i32,
        /// What `SI_QUEUE` has the process in.
        pid: u32,
        /// What `SI_QUEUE` has the user in.
        uid: u32,
        /// What `SI_QUEUE` has the value in.
        value: u64,
    },
    /// It was delivered, and the limit on queued signals kept the rest from getting here.
    Unknown,
}

/// One signal.
///
/// # Examples
///
/// ```
/// use sigrt::realtime::{self, Cause, Signals};
///
/// let signo = sigrt::sys::sigrtmin() + 4;
/// let signals = Signals::start(&[signo])?;
/// realtime::send(std::process::id(), signo, 7)?;
/// match signals.recv()?.cause {
///     Cause::Queue { value, pid, .. } => assert_eq!((value, pid), (7, std::process::id())),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its number.
    pub signo: i32,
    /// Where it came from.
    pub cause: Cause,
}

impl Signal {
    fn from_info(info: &Info) -> Self {
        let Info {
            code,
            first,
            second: uid,
            value,
            ..
        } = *info;
        let pid = first as u32;
        let cause = match code {
            libc::SI_QUEUE => Cause::Queue { pid, uid, value },
            libc::SI_USER | libc::SI_TKILL => Cause::Kill { pid, uid },
            libc::SI_TIMER => Cause::Timer {
                id: first,
                overrun: uid,
                value,
            },
            libc::SI_MESGQ => Cause::MessageQueue { pid, uid, value },
            libc::SI_ASYNCIO => Cause::AsyncIo { value },
            // POLL_IN to POLL_HUP.
            1..=6 => Cause::Io {
                code,
                fd: value as i32,
            },
            code if code > 0 => Cause::Kernel { code },
            code => Cause::Other {
                code,
                pid,
                uid,
                value,
            },
        };
        Self {
            signo: info.signo,
            cause,
        }
    }

    /// `si_code`, if known.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match self.cause {
            Cause::Queue { .. } => Some(libc::SI_QUEUE),
            Cause::Kill { .. } => Some(libc::SI_USER),
            Cause::Timer { .. } => Some(libc::SI_TIMER),
            Cause::MessageQueue { .. } => Some(libc::SI_MESGQ),
            Cause::AsyncIo { .. } => Some(libc::SI_ASYNCIO),
            Cause::Io { code, .. } | Cause::Kernel { code } | Cause::Other { code, .. } => {
                Some(code)
            }
            Cause::Unknown => None,
        }
    }

    /// The value that was sent along, if there is one.
    #[must_use]
    pub fn value(&self) -> Option<u64> {
        match self.cause {
            Cause::Queue { value, .. }
            | Cause::Timer { value, .. }
            | Cause::MessageQueue { value, .. }
            | Cause::AsyncIo { value }
            | Cause::Other { value, .. } => Some(value),
            _ => None,
        }
    }

    /// The process that sent it, if one did and said so.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match self.cause {
            Cause::Queue { pid, .. }
            | Cause::Kill { pid, .. }
            | Cause::MessageQueue { pid, .. }
            | Cause::Other { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// The user of that process.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        match self.cause {
            Cause::Queue { uid, .. }
            | Cause::Kill { uid, .. }
            | Cause::MessageQueue { uid, .. }
            | Cause::Other { uid, .. } => Some(uid),
            _ => None,
        }
    }

    /// Of a timer: expirations that this signal stands for besides its own.
    #[must_use]
    pub fn overrun(&self) -> Option<u32> {
        match self.cause {
            Cause::Timer { overrun, .. } => Some(overrun),
            _ => None,
        }
    }
}

/// What a receiver is to be like.
///
/// # Examples
///
/// ```
/// use sigrt::realtime::Signals;
/// use std::time::Duration;
///
/// let first = sigrt::sys::sigrtmin() + 5;
/// let signals = Signals::builder().signal(first).signal(first + 1).capacity(16).start()?;
/// assert!(signals.recv_timeout(Duration::from_millis(1)).is_err(), "nobody sends");
/// # Ok::<(), sigrt::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    signals: Vec<i32>,
    capacity: usize,
}

impl Builder {
    /// Adds a signal number, [`sys::sigrtmin`] to [`sys::sigrtmax`].
    #[must_use]
    pub fn signal(mut self, signo: i32) -> Self {
        self.signals.push(signo);
        self
    }

    /// Signals that wait in the channel at most; the others wait in the kernel. Default: 1024; 0 makes every delivery
    /// a rendezvous.
    #[must_use]
    pub fn capacity(mut self, signals: usize) -> Self {
        self.capacity = signals;
        self
    }

    /// Starts to receive.
    ///
    /// # Errors
    ///
    /// [`Error::Signal`] (not a realtime signal, or it has a receiver or a subscription in this process already),
    /// [`Error::Os`].
    pub fn start(mut self) -> Result<Signals> {
        self.signals.sort_unstable();
        self.signals.dedup();
        let leases = self
            .signals
            .iter()
            .map(|&signo| Lease::exclusive(signo))
            .collect::<Result<Vec<_>>>()?;
        let (sender, receiver) = bounded(self.capacity);
        let (stop, stopped) = bounded(0);
        let (report, started) = bounded(1);
        let shared = Arc::new(Shared::default());
        let collector = Collector {
            signals: self.signals.clone(),
            // For its own wake-up as well.
            set: SignalSet::of(&[&self.signals[..], &[SIGURG]].concat()),
            sender,
            stopped,
            shared: Arc::clone(&shared),
        };
        // The thread starts with its spawner's mask: nothing can reach it before everything is blocked.
        let mask = sys::block(&SignalSet::asynchronous());
        let thread = thread::Builder::new()
            .name("sigrt-realtime".to_owned())
            .spawn(move || {
                collector.shared.forward.set_thread(sys::gettid());
                report.send(()).ok();
                collector.run();
            })
            .map_err(|error| Error::os("start the receiving thread", error));
        drop(mask);
        let thread = thread?;
        started.recv().ok();
        let mut signals = Signals {
            live: Some(Live {
                receiver,
                actions: Vec::new(),
                stop,
                thread,
                leases,
                shared,
            }),
            pid: sys::process_id(),
        };
        // Only now is there somebody to send them on to. Should one fail, dropping ends the others.
        if let Some(live) = &mut signals.live {
            for &signo in &self.signals {
                let action = handler::forward(signo, Arc::clone(&live.shared.forward))
                    .map_err(|error| Error::os("install a signal handler", error))?;
                live.actions.push(action);
            }
        }
        Ok(signals)
    }
}

/// What the receiver and its thread share.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    forward: Arc<Forward>,
    #[cfg(feature = "stream")]
    waker: WakerSlot,
}

/// Realtime signals that arrive, until this is dropped.
///
/// It dereferences to the [`Receiver`], so it has `recv`, `recv_timeout`, `recv_deadline`, `try_recv` and `iter` and
/// goes into `select!` as it is. With the feature `stream` it is a `Stream`, on any executor.
///
/// # Examples
///
/// ```
/// use crossbeam_channel::{after, select};
/// use sigrt::realtime::{self, Signals};
/// use std::time::Duration;
///
/// let signo = sigrt::sys::sigrtmin() + 7;
/// let signals = Signals::start(&[signo])?;
/// realtime::send(std::process::id(), signo, 1)?;
/// select! {
///     recv(signals) -> signal => assert_eq!(signal?.value(), Some(1)),
///     recv(after(Duration::from_secs(10))) -> _ => panic!("nothing came"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Signals {
    /// Taken when dropped.
    live: Option<Live>,
    pid: u32,
}

struct Live {
    receiver: Receiver<Signal>,
    /// Ended before the thread that they send signals on to.
    actions: Vec<Action>,
    /// Nothing is ever sent; its end tells a thread that waits for room in the channel.
    stop: Sender<()>,
    thread: JoinHandle<()>,
    leases: Vec<Lease>,
    shared: Arc<Shared>,
}

impl Signals {
    /// Starts to describe a receiver.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            signals: Vec::new(),
            capacity: CAPACITY,
        }
    }

    /// Receives these numbers.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`].
    pub fn start(signals: &[i32]) -> Result<Self> {
        let mut builder = Self::builder();
        builder.signals.extend_from_slice(signals);
        builder.start()
    }

    fn live(&self) -> &Live {
        match &self.live {
            Some(live) => live,
            None => unreachable!("only drop takes it"),
        }
    }

    /// Where the signals come out.
    #[must_use]
    pub fn receiver(&self) -> &Receiver<Signal> {
        &self.live().receiver
    }

    /// The thread that takes them; a signal may be sent to it alone, with [`send_to_thread`].
    #[must_use]
    pub fn thread(&self) -> Tid {
        self.live().shared.forward.thread()
    }
}

impl Deref for Signals {
    type Target = Receiver<Signal>;

    fn deref(&self) -> &Self::Target {
        self.receiver()
    }
}

impl<'a> IntoIterator for &'a Signals {
    type Item = Signal;
    type IntoIter = crossbeam_channel::Iter<'a, Signal>;

    fn into_iter(self) -> Self::IntoIter {
        self.receiver().iter()
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals")
            .field("thread", &self.thread())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "stream")]
impl futures_core::Stream for Signals {
    type Item = Signal;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Signal>> {
        let live = self.live();
        live.shared.waker.poll(context, || live.receiver.try_recv())
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let Some(live) = self.live.take() else { return };
        if sys::process_id() != self.pid {
            // The thread exists in the parent only, and locks may be held for ever here.
            std::mem::forget(live);
            return;
        }
        drop(live.actions);
        live.shared.stop.store(true, Ordering::Release);
        drop(live.stop);
        sys::signal_thread(live.shared.forward.thread(), SIGURG).ok();
        // It does not panic; if it did, there would be nothing left to end.
        live.thread.join().ok();
        drop(live.leases);
    }
}

/// The thread that takes the signals.
struct Collector {
    signals: Vec<i32>,
    set: SignalSet,
    sender: Sender<Signal>,
    stopped: Receiver<()>,
    shared: Arc<Shared>,
}

impl Collector {
    fn run(&self) {
        while !self.shared.stop.load(Ordering::Acquire) {
            let Ok(info) = info::take(&self.set, None) else {
                // A debugger stopped us.
                continue;
            };
            let delivered = if info.signo == SIGURG {
                self.deliver_refused()
            } else {
                self.deliver(Signal::from_info(&info))
            };
            if !delivered {
                return;
            }
        }
        // What has been sent on to this thread would end with it. Receivers that outlive it may still have room.
        while let Ok(info) = info::take(&self.set, Some(Duration::ZERO)) {
            if info.signo != SIGURG {
                self.sender.try_send(Signal::from_info(&info)).ok();
            }
        }
    }

    /// Delivers what could not be sent on to this thread.
    fn deliver_refused(&self) -> bool {
        self.signals.iter().all(|&signo| {
            let signal = Signal {
                signo,
                cause: Cause::Unknown,
            };
            (0..self.shared.forward.take_refused(signo)).all(|_| self.deliver(signal))
        })
    }

    /// Puts a signal into the channel, waiting for room: the kernel's queue takes the pressure meanwhile. False: the
    /// end.
    fn deliver(&self, signal: Signal) -> bool {
        let delivered = match self.sender.try_send(signal) {
            Ok(()) => true,
            Err(TrySendError::Disconnected(_)) => false,
            Err(TrySendError::Full(signal)) => select! {
                send(self.sender, signal) -> sent => sent.is_ok(),
                recv(self.stopped) -> _ => false,
            },
        };
        #[cfg(feature = "stream")]
        self.shared.waker.wake();
        delivered
    }
}

/// Blocks signals in the calling thread, for good, and so in every thread that it starts from now on.
///
/// First thing in `main`, this keeps a program's own threads from being interrupted by signals that a [`Signals`]
/// is to receive, and their order exact.
///
/// # Examples
///
/// ```
/// let signo = sigrt::sys::sigrtmin() + 8;
/// sigrt::realtime::block(&[signo]);
/// assert!(sigrt::sys::blocked().contains(signo));
/// ```
pub fn block(signals: &[i32]) {
    std::mem::forget(sys::block(&SignalSet::of(signals)));
}

/// Queues a signal with a value to a process of the same user (`sigqueue(3)`).
///
/// # Errors
///
/// [`Error::SignalQueueFull`]: the receiving user has as many signals queued as is allowed; nothing was sent.
/// [`Error::NoSuchProcess`], [`Error::Permission`], [`Error::Signal`].
pub fn send(pid: u32, signo: i32, value: u64) -> Result<()> {
    sent(signo, info::send(pid as i32, 0, signo, value))
}

/// Queues a signal with a value to one thread of a process (`rt_tgsigqueueinfo(2)`).
///
/// # Errors
///
/// As [`send`].
///
/// # Examples
///
/// ```
/// use sigrt::realtime::{self, Signals};
///
/// let signo = sigrt::sys::sigrtmin() + 9;
/// let signals = Signals::start(&[signo])?;
/// realtime::send_to_thread(std::process::id(), signals.thread(), signo, 3)?;
/// assert_eq!(signals.recv()?.value(), Some(3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn send_to_thread(pid: u32, thread: Tid, signo: i32, value: u64) -> Result<()> {
    if thread <= 0 {
        return Err(Error::NoSuchProcess);
    }
    sent(signo, info::send(pid as i32, thread, signo, value))
}

fn sent(signo: i32, done: Result<(), Errno>) -> Result<()> {
    done.map_err(|errno| match errno {
        Errno::EAGAIN => Error::SignalQueueFull { signo },
        Errno::ESRCH => Error::NoSuchProcess,
        Errno::EPERM => Error::Permission {
            action: "send a signal",
            hint: "only processes of the same user take signals (see kill(2))",
        },
        Errno::EINVAL => Error::Signal {
            signo,
            why: "there is no such signal",
        },
        other => Error::os("send a signal", other.into()),
    })
}
