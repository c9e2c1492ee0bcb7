// SPDX-License-Identifier: MIT OR Apache-2.0

//! A subscriber at the level of the device's own interface, with the calling thread as the target.

use std::time::Duration;

use nix::errno::Errno;
use sigrt::abi;
use sigrt::client::{self, Access, Client, source_name};
use sigrt::sys::{self, MaskGuard, SIGURG, SignalSet, Taken};

use crate::harness::{Backend, PATIENCE, unique};
use crate::ledger::Ledger;

/// Makes a good request wrong.
pub type Spoil<T> = fn(&mut T);

/// A registration request for the calling thread, with the given mode.
#[must_use]
pub fn request(mode: u32) -> abi::Register {
    abi::Register {
        size: abi::Register::BYTES as u32,
        signo: sys::sigrtmin() as u32 + 1,
        mode,
        policy: abi::POLICY_REJECT_NEWEST,
        clock: abi::CLOCK_MONOTONIC,
        ..abi::Register::zeroed()
    }
}

/// A request for a user source with a name of its own.
#[must_use]
pub fn user_source(max_payload: usize) -> abi::CreateSource {
    abi::CreateSource {
        size: abi::CreateSource::BYTES as u32,
        source_type: abi::SOURCE_USER,
        max_payload: max_payload as u32,
        name: source_name(&unique("test")).unwrap(),
        ..abi::CreateSource::zeroed()
    }
}

/// Creates a user source of `client`.
#[must_use]
pub fn create_source(client: &Client, max_payload: usize) -> u32 {
    let mut source = user_source(max_payload);
    client.create_source(&mut source).unwrap();
    source.number
}

/// One producer with one source, one subscriber with the calling thread as its target.
///
/// Neither client blocks. The thread blocks the signal and the loopback's fallback as long as this lives.
#[derive(Debug)]
pub struct Rig {
    /// Opened for writing only; has the source.
    pub producer: Client,
    /// Opened for reading only; registered.
    pub subscriber: Client,
    /// Number of the source.
    pub source: u32,
    /// What was registered, as written back.
    pub registered: abi::Register,
    /// What was received.
    pub ledger: Ledger,
    signals: SignalSet,
    /// Last: signals are taken before it unblocks them.
    mask: Option<MaskGuard>,
}

impl Rig {
    /// Registers and subscribes as asked.
    #[must_use]
    pub fn new(backend: &Backend, mut request: abi::Register) -> Self {
        let signals = SignalSet::of(&[request.signo as i32, SIGURG]);
        let mask = sys::block(&signals);
        let producer = backend.open(Access::Write, false);
        let subscriber = backend.open(Access::Read, false);
        let source = create_source(&producer, abi::MAX_PAYLOAD);
        subscriber.register(&mut request).unwrap();
        subscriber.subscribe(source, None).unwrap();
        Self {
            producer,
            subscriber,
            source,
            registered: request,
            ledger: Ledger::default(),
            signals,
            mask: Some(mask),
        }
    }

    /// Per-event mode, records with `pread`.
    #[must_use]
    pub fn per_event(backend: &Backend) -> Self {
        let mut request = request(abi::MODE_PER_EVENT);
        request.flags = abi::REG_PREAD_RECORD;
        Self::new(backend, request)
    }

    /// Window mode.
    #[must_use]
    pub fn window(backend: &Backend) -> Self {
        Self::new(backend, request(abi::MODE_WINDOW))
    }

    /// Posts an event with that payload and no value.
    pub fn post(&self, payload: &[u8]) {
        self.producer.post(self.source, 0, None, payload).unwrap();
    }

    /// Posts events with these payloads in one `write`.
    ///
    /// # Panics
    ///
    /// If that is refused.
    pub fn post_at_once(&self, payloads: impl Iterator<Item = Vec<u8>>) {
        let mut frames = Vec::new();
        for payload in payloads {
            let head = client::post_head(self.source, 0, None, payload.len());
            frames.extend(head.to_bytes());
            frames.extend(&payload);
            frames.resize(abi::frame_align(frames.len()), 0);
        }
        assert_eq!(self.producer.write(&frames), Ok(frames.len()));
    }

    /// Posts `count` events without payload.
    pub fn post_many(&self, count: usize) {
        for _ in 0..count {
            self.post(&[]);
        }
    }

    /// Takes the next doorbell.
    ///
    /// # Panics
    ///
    /// If none comes.
    #[track_caller]
    #[must_use]
    pub fn ring(&self) -> Taken {
        loop {
            match sys::take_signal(&self.signals, Some(PATIENCE)) {
                Ok(taken) => return taken,
                Err(Errno::EINTR) => {}
                Err(errno) => panic!("no doorbell: {errno}; {:?}", self.subscriber.stats()),
            }
        }
    }

    /// Takes a doorbell that is pending already.
    #[must_use]
    pub fn pending(&self) -> Option<Taken> {
        sys::take_signal(&self.signals, Some(Duration::ZERO)).ok()
    }

    /// Takes every doorbell that is pending; returns how many.
    #[must_use]
    pub fn take_pending(&self) -> usize {
        std::iter::from_fn(|| self.pending()).count()
    }

    /// Whether a doorbell carries a handle.
    #[must_use]
    pub fn has_handle(&self, taken: &Taken) -> bool {
        taken.signo == self.registered.signo as i32 && taken.code == libc::SI_QUEUE
    }

    /// Reads and books what is queued; returns how many records that were.
    ///
    /// # Panics
    ///
    /// If something is wrong with it.
    #[track_caller]
    pub fn drain(&mut self) -> u64 {
        let before = self.ledger.events + self.ledger.gaps;
        let mut buffer = vec![0; abi::Record::BYTES + abi::MAX_PAYLOAD + abi::FRAME_ALIGN];
        loop {
            match self.subscriber.read(&mut buffer) {
                Ok(got) => drop(self.ledger.book_all(&buffer[..got])),
                Err(Errno::EAGAIN) => return self.ledger.events + self.ledger.gaps - before,
                Err(Errno::EINTR) => {}
                Err(errno) => panic!("read: {errno}"),
            }
        }
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> abi::Stats {
        self.subscriber.stats().unwrap()
    }

    /// Drains, and compares the account with the counters.
    ///
    /// # Panics
    ///
    /// If they disagree.
    #[track_caller]
    pub fn settle(&mut self) {
        self.drain();
        self.ledger.compare(&self.stats());
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // A test may have ended the registration itself.
        self.subscriber.unregister().ok();
        let _ = self.take_pending();
        drop(self.mask.take());
    }
}
