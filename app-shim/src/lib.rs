// SPDX-License-Identifier: MIT OR Apache-2.0

//! Runs the interrupt service routines of ported programs on rtnotify events.
//!
//! A [`Controller`] is a table of 256 vectors. A program connects handlers to them, says which source raises
//! which vector, and hands over a subscription; [`Controller::serve`] then calls the handler for each event,
//! one at a time, oldest first, on a thread of its own: the model is one CPU, and no handler interrupts
//! another. Everything that a handler sees was latched when the event happened.
//!
//! ```
//! use app_shim::Controller;
//! use sigrt::{Device, SourceOptions};
//! use std::sync::mpsc;
//!
//! let device = Device::loopback();
//! let uart = device.create_source(SourceOptions::new("uart"))?;
//! let subscription = device.subscription().subscribe("uart").start()?;
//!
//! let (tx, rx) = mpsc::channel();
//! let controller = Controller::new();
//! controller.connect(4, move |event| tx.send(event.payload[0]).unwrap())?;
//! let serving = controller.serve(subscription, [(uart.number(), 4)])?;
//!
//! uart.post(None, b"x")?;
//! assert_eq!(rx.recv()?, b'x');
//! drop(serving);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limitations
//!
//! This is the beginning. There is only the mode in which handlers run on a dispatcher thread, and of that
//! only vectors, counts and disconnecting. Not there yet: priorities and nesting, a lock level, the mode in
//! which a handler preempts the program's own thread, virtual time, the C interface and the facades
//! (`VxWorks`, Arduino, wiringPi, AVR, DOS). A handler that panics ends the dispatcher.
//!
//! # Locks
//!
//! One mutex per vector, held while its handler runs, which is how disconnecting waits. A handler may connect
//! and disconnect other vectors; for its own it gets [`Error::InHandler`] instead of a deadlock.

#![forbid(unsafe_code)]

use std::array;
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, bounded, select};
use sigrt::{Delivery, Event, Subscription};

/// Vectors of a controller.
pub const VECTORS: usize = 256;

/// What can be wrong with connecting and disconnecting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The vector has a handler.
    #[error("the vector has a handler")]
    Connected,
    /// The vector has no handler.
    #[error("the vector has no handler")]
    NotConnected,
    /// A handler cannot change the vector that it runs for.
    #[error("a handler cannot change the vector that it runs for")]
    InHandler,
}

type Handler = Box<dyn FnMut(&Event) + Send>;

#[derive(Default)]
struct Vector {
    handler: Mutex<Option<Handler>>,
    raised: AtomicU64,
    lost: AtomicU64,
}

struct Table {
    vectors: [Vector; VECTORS],
    /// Events without a vector, or whose vector had no handler.
    unhandled: AtomicU64,
}

thread_local! {
    static IN_ISR: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling code runs in a handler.
#[must_use]
pub fn in_isr() -> bool {
    IN_ISR.get()
}

/// An interrupt controller; clones are the same one.
#[derive(Clone)]
pub struct Controller {
    table: Arc<Table>,
}

impl fmt::Debug for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller")
            .field("unhandled", &self.unhandled())
            .finish_non_exhaustive()
    }
}

impl Default for Controller {
    fn default() -> Self {
        Self::new()
    }
}

impl Controller {
    /// A controller without handlers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            table: Arc::new(Table {
                vectors: array::from_fn(|_| Vector::default()),
                unhandled: AtomicU64::new(0),
            }),
        }
    }

    /// Connects a handler to a vector.
    ///
    /// # Errors
    ///
    /// [`Error::Connected`], [`Error::InHandler`].
    pub fn connect(
        &self,
        vector: u8,
        handler: impl FnMut(&Event) + Send + 'static,
    ) -> Result<(), Error> {
        let mut slot = self.slot(vector)?;
        if slot.is_some() {
            return Err(Error::Connected);
        }
        *slot = Some(Box::new(handler));
        Ok(())
    }

    /// Connects a routine with an argument, the form that ported programs have.
    ///
    /// # Errors
    ///
    /// As [`Controller::connect`].
    pub fn connect_routine(
        &self,
        vector: u8,
        routine: fn(usize),
        argument: usize,
    ) -> Result<(), Error> {
        self.connect(vector, move |_| routine(argument))
    }

    /// Disconnects a vector's handler. It does not run any more when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::NotConnected`], [`Error::InHandler`].
    pub fn disconnect(&self, vector: u8) -> Result<(), Error> {
        // Dropped after the lock: it is the program's own code.
        let handler = self.slot(vector)?.take();
        handler.map(drop).ok_or(Error::NotConnected)
    }

    /// How often a vector's handler was called.
    #[must_use]
    pub fn count(&self, vector: u8) -> u64 {
        self.vector(vector).raised.load(Ordering::Relaxed)
    }

    /// How many of a vector's events were lost, as told by gaps.
    #[must_use]
    pub fn lost(&self, vector: u8) -> u64 {
        self.vector(vector).lost.load(Ordering::Relaxed)
    }

    /// How many events came for which there was no vector or no handler.
    #[must_use]
    pub fn unhandled(&self) -> u64 {
        self.table.unhandled.load(Ordering::Relaxed)
    }

    /// Serves the events of `subscription`, each source raising its vector, until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub fn serve(
        &self,
        subscription: Subscription,
        wiring: impl IntoIterator<Item = (u32, u8)>,
    ) -> io::Result<Serving> {
        let wiring: HashMap<u32, u8> = wiring.into_iter().collect();
        let controller = self.clone();
        let (stop, stopped) = bounded::<()>(0);
        let thread = thread::Builder::new()
            .name("app-shim".to_owned())
            .spawn(move || {
                loop {
                    select! {
                        recv(subscription) -> delivery => match delivery {
                            Ok(delivery) => controller.deliver(&wiring, &delivery),
                            Err(_) => return,
                        },
                        recv(stopped) -> _ => return,
                    }
                }
            })?;
        Ok(Serving {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    fn deliver(&self, wiring: &HashMap<u32, u8>, delivery: &Delivery) {
        let vector = wiring.get(&delivery.source()).map(|&v| self.vector(v));
        match (vector, delivery) {
            (Some(vector), Delivery::Event(event)) => {
                let mut slot = lock(&vector.handler);
                if let Some(handler) = &mut *slot {
                    vector.raised.fetch_add(1, Ordering::Relaxed);
                    IN_ISR.set(true);
                    handler(event);
                    IN_ISR.set(false);
                    return;
                }
            }
            (Some(vector), Delivery::Gap(gap)) => {
                vector.lost.fetch_add(gap.count.into(), Ordering::Relaxed);
                return;
            }
            // No interrupt; the vector stays quiet from now on.
            (_, Delivery::Gone(_)) => return,
            (None, _) => {}
        }
        self.table.unhandled.fetch_add(1, Ordering::Relaxed);
    }

    fn vector(&self, vector: u8) -> &Vector {
        &self.table.vectors[usize::from(vector)]
    }

    /// The handler's place, waiting for the handler to return, unless it is the caller.
    fn slot(&self, vector: u8) -> Result<MutexGuard<'_, Option<Handler>>, Error> {
        let mutex = &self.vector(vector).handler;
        if !in_isr() {
            return Ok(lock(mutex));
        }
        match mutex.try_lock() {
            Ok(slot) => Ok(slot),
            Err(TryLockError::Poisoned(slot)) => Ok(slot.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Error::InHandler),
        }
    }
}

fn lock(mutex: &Mutex<Option<Handler>>) -> MutexGuard<'_, Option<Handler>> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Events are served as long as this lives; dropping it waits for the handler that runs.
#[derive(Debug)]
#[must_use = "serving ends as soon as this is dropped"]
pub struct Serving {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // A handler's panic has been reported already.
            thread.join().ok();
        }
    }
}
