// SPDX-License-Identifier: MIT OR Apache-2.0

//! What arrives: events, gaps that say exactly what did not, and the ends of sources.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use rtnotify_core::abi::{self, Record};

/// One item of the stream: an event, the statement that some were lost, or that no more will come.
///
/// # Examples
///
/// ```
/// # use sigrt::{Delivery, Device, SourceOptions};
/// # let device = Device::loopback();
/// # let source = device.create_source(SourceOptions::new("adc"))?;
/// # let subscription = device.subscription().subscribe("adc").start()?;
/// source.post(Some(42), b"")?;
/// match subscription.recv()? {
///     Delivery::Event(event) => assert_eq!(event.value, Some(42)),
///     Delivery::Gap(gap) => panic!("{} events lost", gap.count),
///     Delivery::Gone(gone) => panic!("source {} is gone", gone.source),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// `P` is what the payload comes as: [`Bytes`] of its own, a [`LazyPayload`](crate::LazyPayload) that stays in the
/// device, or `&[u8]` where it lies in a [mapped ring](crate::MappedSubscription).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery<P = Bytes> {
    /// Something happened.
    Event(Event<P>),
    /// Something happened and was lost.
    Gap(Gap),
    /// The source has ended; nothing of it follows.
    Gone(Gone),
}

impl<P> Delivery<P> {
    /// The event, if it is one.
    #[must_use]
    pub fn event(self) -> Option<Event<P>> {
        match self {
            Self::Event(event) => Some(event),
            Self::Gap(_) | Self::Gone(_) => None,
        }
    }

    /// Number of the source.
    #[must_use]
    pub fn source(&self) -> u32 {
        match self {
            Self::Event(event) => event.source,
            Self::Gap(gap) => gap.source,
            Self::Gone(gone) => gone.source,
        }
    }

    /// Number within the subscription, from 1.
    #[must_use]
    pub fn seq(&self) -> u64 {
        match self {
            Self::Event(event) => event.seq,
            Self::Gap(gap) => gap.seq,
            Self::Gone(gone) => gone.seq,
        }
    }

    /// What a record means; an event has the payload that `payload` gives.
    pub(crate) fn new(record: &Record, payload: impl FnOnce() -> P) -> Self {
        let time = Duration::from_nanos(record.time_ns);
        if record.is_gap() {
            return Self::Gap(Gap {
                seq: record.seq,
                source: record.source,
                first: record.source_seq,
                last: record.value,
                count: record.payload_len,
                reason: LossReason(record.reason),
                time,
                cookie: record.cookie,
            });
        }
        if record.kind == abi::KIND_GONE {
            return Self::Gone(Gone {
                seq: record.seq,
                source: record.source,
                last: record.source_seq,
                time,
                cookie: record.cookie,
            });
        }
        Self::Event(Event {
            seq: record.seq,
            source: record.source,
            source_seq: record.source_seq,
            kind: record.kind,
            time,
            value: (record.flags & abi::RECORD_VALUE != 0).then_some(record.value),
            cookie: record.cookie,
            payload: payload(),
        })
    }
}

/// The payload of a record, which may be in it; `behind` is what followed the record.
pub(crate) fn owned_payload(record: &Record, behind: &[u8]) -> Bytes {
    if record.flags & abi::RECORD_INLINE == 0 {
        return Bytes::copy_from_slice(behind);
    }
    let bytes = record.value.to_ne_bytes();
    let len = bytes.len().min(record.payload_len as usize);
    Bytes::copy_from_slice(&bytes[..len])
}

impl Delivery {
    /// What a record and its payload mean; `payload` is what followed the record.
    pub(crate) fn from_record(record: &Record, payload: &[u8]) -> Self {
        Self::new(record, || owned_payload(record, payload))
    }
}

/// Something that happened, as it was when it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<P = Bytes> {
    /// Number within the subscription, from 1; gaps and ends of sources are numbered with it.
    pub seq: u64,
    /// Number of the source.
    pub source: u32,
    /// Number within the source, from 1.
    pub source_seq: u64,
    /// What the producer calls it.
    pub kind: u16,
    /// When it happened, on `CLOCK_MONOTONIC`.
    pub time: Duration,
    /// Level or count at that moment, if the producer gave one.
    pub value: Option<u64>,
    /// The subscriber's own mark.
    pub cookie: u64,
    /// The data.
    pub payload: P,
}

/// Consecutive events of one source that were lost to this subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Number within the subscription, like [`Event::seq`].
    pub seq: u64,
    /// Number of the source.
    pub source: u32,
    /// First lost number within the source.
    pub first: u64,
    /// Last lost number within the source.
    pub last: u64,
    /// How many were lost, saturating.
    pub count: u32,
    /// Why.
    pub reason: LossReason,
    /// When the first of them happened, on `CLOCK_MONOTONIC`.
    pub time: Duration,
    /// The subscriber's own mark.
    pub cookie: u64,
}

/// The end of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Number within the subscription, like [`Event::seq`].
    pub seq: u64,
    /// Number of the source.
    pub source: u32,
    /// Number of the last event that it posted, 0 if there was none.
    pub last: u64,
    /// When it ended, on `CLOCK_MONOTONIC`.
    pub time: Duration,
    /// The subscriber's own mark.
    pub cookie: u64,
}

/// Why events were lost: one or several reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossReason(u16);

impl LossReason {
    /// The queue was full: the subscriber is too slow, or the queue too short.
    #[must_use]
    pub fn queue_full(self) -> bool {
        self.0 & abi::LOST_QUEUE_FULL != 0
    }

    /// The payload quota was used up.
    #[must_use]
    pub fn quota(self) -> bool {
        self.0 & abi::LOST_QUOTA != 0
    }

    /// A payload was larger than the quota could ever hold.
    #[must_use]
    pub fn too_large(self) -> bool {
        self.0 & abi::LOST_TOO_LARGE != 0
    }

    /// They made place for newer ones.
    #[must_use]
    pub fn oldest(self) -> bool {
        self.0 & abi::LOST_OLDEST != 0
    }

    /// Later events of the same source replaced them.
    #[must_use]
    pub fn superseded(self) -> bool {
        self.0 & abi::LOST_SUPERSEDED != 0
    }

    /// The bits of the ABI, `LOST_*`.
    #[must_use]
    pub fn bits(self) -> u16 {
        self.0
    }
}

impl fmt::Display for LossReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (set, name) in [
            (self.queue_full(), "queue full"),
            (self.quota(), "quota used up"),
            (self.too_large(), "larger than the quota"),
            (self.oldest(), "made place for newer events"),
            (self.superseded(), "superseded"),
        ] {
            if set {
                write!(f, "{separator}{name}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "source {}: {} events lost, {} to {} ({})",
            self.source, self.count, self.first, self.last, self.reason
        )
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "source {} has ended after {} events",
            self.source, self.last
        )
    }
}

/// The frames in a buffer that `read` filled: each record with what follows it.
pub(crate) struct Frames<'a>(pub(crate) &'a [u8]);

impl<'a> Frames<'a> {
    fn take_frame(&mut self) -> Option<(&'a [u8; Record::BYTES], &'a [u8])> {
        let (head, rest) = self.0.split_first_chunk()?;
        let payload = rest.get(..Record::from_bytes(head).trailing_len())?;
        self.0 = rest
            .get(abi::frame_align(payload.len())..)
            .unwrap_or_default();
        Some((head, payload))
    }

    /// With records as the bytes that they are.
    pub(crate) fn with_heads(
        mut self,
    ) -> impl Iterator<Item = (&'a [u8; Record::BYTES], &'a [u8])> {
        std::iter::from_fn(move || self.take_frame())
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = (Record, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, payload) = self.take_frame()?;
        Some((Record::from_bytes(head), payload))
    }
}

/// Deliveries from the bytes that [`crate::client::Client::read`] returned.
///
/// # Examples
///
/// ```
/// assert_eq!(sigrt::parse_frames(&[]).count(), 0);
/// ```
pub fn parse_frames(bytes: &[u8]) -> impl Iterator<Item = Delivery> + '_ {
    Frames(bytes).map(|(record, payload)| Delivery::from_record(&record, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_apart() {
        let mut inline = Record::zeroed();
        inline.flags = abi::RECORD_INLINE;
        inline.payload_len = 3;
        inline.value = u64::from_ne_bytes(*b"abc\0\0\0\0\0");
        let mut large = Record::zeroed();
        large.flags = abi::RECORD_VALUE;
        large.value = 7;
        large.payload_len = 9;
        let mut gap = Record::zeroed();
        gap.kind = abi::KIND_GAP;
        gap.source_seq = 5;
        gap.value = 8;
        gap.payload_len = 4;
        gap.reason = abi::LOST_QUEUE_FULL | abi::LOST_QUOTA;
        let mut bytes = inline.to_bytes().to_vec();
        bytes.extend(large.to_bytes());
        bytes.extend(b"123456789\0\0\0\0\0\0\0");
        bytes.extend(gap.to_bytes());

        let all: Vec<_> = parse_frames(&bytes).collect();
        let event = |d: &Delivery| d.clone().event().unwrap();
        assert_eq!(event(&all[0]).payload, "abc");
        assert_eq!(event(&all[0]).value, None);
        assert_eq!(event(&all[1]).payload, "123456789");
        assert_eq!(event(&all[1]).value, Some(7));
        let Delivery::Gap(gap) = &all[2] else {
            panic!("not a gap")
        };
        assert_eq!((gap.first, gap.last, gap.count), (5, 8, 4));
        assert_eq!(
            gap.to_string(),
            "source 0: 4 events lost, 5 to 8 (queue full, quota used up)"
        );
        assert_eq!(all.len(), 3);
    }
}
