// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where a dispatcher puts deliveries: a bounded channel, or a function of the program.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Select, Sender, TrySendError};
use rtnotify_core::abi::Record;

use crate::client::Client;
use crate::delivery::Delivery;
use crate::lazy::{LazyPayload, Outstanding};
#[cfg(feature = "stream")]
use crate::wake::WakerSlot;

/// What became of the deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// All are delivered.
    Empty,
    /// Some wait for room.
    Full,
    /// Nobody listens any more.
    Closed,
    /// The function has panicked.
    Panicked,
}

/// Where deliveries go.
pub(crate) trait Sink: Send {
    /// Takes a record and what followed it.
    fn push(&mut self, record: &Record, behind: &[u8]);
    /// Takes an event whose payload stays in the device; false: not here.
    fn push_by_handle(&mut self, record: &Record, client: &Arc<Client>) -> bool;
    /// What `push_by_handle` has given out.
    fn outstanding(&self) -> Option<Arc<Outstanding>> {
        None
    }
    /// Delivers as much as there is room for.
    fn flush(&mut self) -> Flow;
    /// How many more there is room for.
    fn room(&self) -> usize;
    /// Waits for room together with others.
    fn select<'a>(&'a self, select: &mut Select<'a>);
    /// Leaves what waits for room to the subscription, which is being shut down.
    fn leave_rest(&mut self);
}

/// How a payload comes.
pub(crate) trait FromRecord: Sized + Send + 'static {
    fn from_bytes(record: &Record, behind: &[u8]) -> Self;
    /// `None`: not by handle.
    fn by_handle(_: &Record, _: &Arc<Client>, _: &Arc<Outstanding>) -> Option<Self> {
        None
    }
}

impl FromRecord for bytes::Bytes {
    fn from_bytes(record: &Record, behind: &[u8]) -> Self {
        crate::delivery::owned_payload(record, behind)
    }
}

impl FromRecord for LazyPayload {
    fn from_bytes(record: &Record, behind: &[u8]) -> Self {
        Self::here(crate::delivery::owned_payload(record, behind))
    }

    fn by_handle(
        record: &Record,
        client: &Arc<Client>,
        outstanding: &Arc<Outstanding>,
    ) -> Option<Self> {
        Some(Self::in_device(record, client, outstanding))
    }
}

/// What the receiving side shares with the sink.
#[derive(Debug)]
pub(crate) struct Ends<P> {
    /// What had no room in the channel when the subscription was shut down.
    rest: Mutex<VecDeque<Delivery<P>>>,
    #[cfg(feature = "stream")]
    pub(crate) waker: WakerSlot,
}

impl<P> Ends<P> {
    pub(crate) fn new() -> Self {
        Self {
            rest: Mutex::new(VecDeque::new()),
            #[cfg(feature = "stream")]
            waker: WakerSlot::default(),
        }
    }

    pub(crate) fn take_rest(&self) -> VecDeque<Delivery<P>> {
        std::mem::take(&mut *self.rest.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A bounded channel, and what does not fit for the moment.
pub(crate) struct Channel<P> {
    /// Taken when dropped: before whoever polls is woken.
    sender: Option<Sender<Delivery<P>>>,
    backlog: VecDeque<Delivery<P>>,
    outstanding: Option<Arc<Outstanding>>,
    ends: Arc<Ends<P>>,
}

impl<P: FromRecord> Channel<P> {
    pub(crate) fn new(sender: Sender<Delivery<P>>, by_handle: bool, ends: Arc<Ends<P>>) -> Self {
        Self {
            sender: Some(sender),
            backlog: VecDeque::new(),
            outstanding: by_handle.then(Arc::default),
            ends,
        }
    }
}

impl<P: FromRecord> Sink for Channel<P> {
    fn push(&mut self, record: &Record, behind: &[u8]) {
        let delivery = Delivery::new(record, || P::from_bytes(record, behind));
        self.backlog.push_back(delivery);
    }

    fn push_by_handle(&mut self, record: &Record, client: &Arc<Client>) -> bool {
        let payload = self
            .outstanding
            .as_ref()
            .and_then(|outstanding| P::by_handle(record, client, outstanding));
        let Some(payload) = payload else { return false };
        self.backlog.push_back(Delivery::new(record, || payload));
        true
    }

    fn outstanding(&self) -> Option<Arc<Outstanding>> {
        self.outstanding.clone()
    }

    fn flush(&mut self) -> Flow {
        let Some(sender) = &self.sender else {
            return Flow::Closed;
        };
        let mut sent = false;
        let flow = loop {
            let Some(delivery) = self.backlog.pop_front() else {
                break Flow::Empty;
            };
            match sender.try_send(delivery) {
                Ok(()) => sent = true,
                Err(TrySendError::Full(delivery)) => {
                    self.backlog.push_front(delivery);
                    break Flow::Full;
                }
                Err(TrySendError::Disconnected(_)) => break Flow::Closed,
            }
        };
        #[cfg(feature = "stream")]
        if sent {
            self.ends.waker.wake();
        }
        let _ = sent;
        flow
    }

    fn room(&self) -> usize {
        let capacity = self.sender.as_ref().and_then(Sender::capacity);
        let len = self.sender.as_ref().map_or(0, Sender::len);
        capacity.unwrap_or(0).saturating_sub(len)
    }

    fn select<'a>(&'a self, select: &mut Select<'a>) {
        if let Some(sender) = &self.sender {
            select.send(sender);
        }
    }

    fn leave_rest(&mut self) {
        let mut rest = self
            .ends
            .rest
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        rest.append(&mut self.backlog);
    }
}

impl<P> Drop for Channel<P> {
    fn drop(&mut self) {
        self.sender = None;
        #[cfg(feature = "stream")]
        self.ends.waker.wake();
    }
}

/// A function of the program, called on the dispatcher's thread.
pub(crate) struct Callback<F> {
    function: Option<F>,
    backlog: VecDeque<Delivery>,
    ends: Arc<Ends<bytes::Bytes>>,
}

impl<F> Callback<F> {
    pub(crate) fn new(function: F, ends: Arc<Ends<bytes::Bytes>>) -> Self {
        Self {
            function: Some(function),
            backlog: VecDeque::new(),
            ends,
        }
    }
}

impl<F: FnMut(Delivery) + Send> Sink for Callback<F> {
    fn push(&mut self, record: &Record, behind: &[u8]) {
        self.backlog
            .push_back(Delivery::from_record(record, behind));
    }

    fn push_by_handle(&mut self, _: &Record, _: &Arc<Client>) -> bool {
        false
    }

    fn flush(&mut self) -> Flow {
        while let Some(delivery) = self.backlog.pop_front() {
            let Some(function) = &mut self.function else {
                return Flow::Panicked;
            };
            // Whatever it left half done is its own, and it is not called again.
            if catch_unwind(AssertUnwindSafe(|| function(delivery))).is_err() {
                let function = self.function.take();
                catch_unwind(AssertUnwindSafe(|| drop(function))).ok();
                return Flow::Panicked;
            }
        }
        Flow::Empty
    }

    fn room(&self) -> usize {
        usize::MAX
    }

    fn select<'a>(&'a self, _: &mut Select<'a>) {}

    fn leave_rest(&mut self) {
        let mut rest = self
            .ends
            .rest
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        rest.append(&mut self.backlog);
    }
}
