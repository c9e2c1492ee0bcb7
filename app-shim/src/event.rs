// SPDX-License-Identifier: MIT OR Apache-2.0

//! Events: as they wait in a vector's queue, as they are served, and as service routines see them.

use crate::handler::routine::Routine;

/// Bytes of payload that an event carries without memory of its own.
pub(crate) const INLINE: usize = 64;

/// What a service routine is called for; everything was latched when the event happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The vector.
    pub vector: u32,
    /// Priority that it is served with, 1 to 63.
    pub priority: u32,
    /// Number of the source in the device or the loopback; 0: raised by the program.
    pub source: u32,
    /// Kind, as the source says.
    pub kind: u32,
    /// The pin, where it was raised for one.
    pub pin: Option<u32>,
    /// The data.
    pub payload: &'a [u8],
    /// When it happened, in nanoseconds of `CLOCK_MONOTONIC`.
    pub time: u64,
    /// Level, count, or what the source says.
    pub value: Option<u64>,
    /// How many events of this vector were lost just before this one.
    pub missed: u64,
    /// Number of the event, from 1, counting all vectors.
    pub sequence: u64,
}

/// An event to be raised: see [`Controller::raise`](crate::Controller::raise).
///
/// # Examples
///
/// ```
/// let event = app_shim::Raise::new(7).value(1).payload(b"abc");
/// # let _ = event;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Raise<'a> {
    pub(crate) vector: u32,
    pub(crate) kind: u32,
    pub(crate) source: u32,
    pub(crate) pin: Option<u32>,
    pub(crate) payload: &'a [u8],
    pub(crate) time: Option<u64>,
    pub(crate) value: Option<u64>,
    pub(crate) missed: u64,
}

impl<'a> Raise<'a> {
    /// An event for a vector, happening now.
    #[must_use]
    pub fn new(vector: u32) -> Self {
        Self {
            vector,
            ..Self::default()
        }
    }

    /// With a value.
    #[must_use]
    pub fn value(mut self, value: u64) -> Self {
        self.value = Some(value);
        self
    }

    /// With data, which is copied; inside a service routine at most 64 bytes.
    #[must_use]
    pub fn payload(mut self, payload: &'a [u8]) -> Self {
        self.payload = payload;
        self
    }

    /// Happening at `time`, in nanoseconds of `CLOCK_MONOTONIC`.
    #[must_use]
    pub fn at(mut self, time: u64) -> Self {
        self.time = Some(time);
        self
    }

    /// Of this kind.
    #[must_use]
    pub fn kind(mut self, kind: u32) -> Self {
        self.kind = kind;
        self
    }

    /// From the source of this number.
    #[must_use]
    pub fn source(mut self, source: u32) -> Self {
        self.source = source;
        self
    }
}

/// Where an event's payload is.
#[derive(Debug)]
pub(crate) enum Payload {
    Inline(u8, [u8; INLINE]),
    /// Made and freed outside of service routines.
    Boxed(Box<[u8]>),
}

impl Payload {
    /// A copy of `bytes`; allocates where they are more than [`INLINE`].
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut inline = [0; INLINE];
        match inline.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                Self::Inline(bytes.len() as u8, inline)
            }
            None => Self::Boxed(bytes.into()),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Inline(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Boxed(bytes) => bytes,
        }
    }
}

/// An event in its queue.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) source: u32,
    pub(crate) kind: u32,
    pub(crate) pin: Option<u32>,
    pub(crate) payload: Payload,
    pub(crate) time: u64,
    pub(crate) value: Option<u64>,
    pub(crate) missed: u64,
    pub(crate) sequence: u64,
}

/// An event being served.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) vector: usize,
    pub(crate) priority: u32,
    pub(crate) routine: Routine,
    pub(crate) record: Record,
    /// Watchdogs have a vector in common; the one that this is for.
    pub(crate) started: u64,
}

impl Frame {
    pub(crate) fn event(&self) -> Event<'_> {
        Event {
            vector: self.vector as u32,
            priority: self.priority,
            source: self.record.source,
            kind: self.record.kind,
            pin: self.record.pin,
            payload: self.record.payload.bytes(),
            time: self.record.time,
            value: self.record.value,
            missed: self.record.missed,
            sequence: self.record.sequence,
        }
    }
}
