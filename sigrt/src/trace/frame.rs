// SPDX-License-Identifier: MIT OR Apache-2.0

//! The bytes of a trace: its head, the heads of frames, and the bodies of each type.
//!
//! Pure functions over slices. What is read is not trusted: every length is checked, unknown flags are refused.

use std::time::Duration;

use bytes::Bytes;
use rtnotify_core::abi::{self, Record};

use super::{Entry, Source, Totals, VERSION};
use crate::delivery::{Delivery, Event, Gap, Gone};
use crate::device::SourceType;

/// The first bytes: a byte that is not ASCII, a name, and line ends that careless copying would change.
pub(super) const MAGIC: [u8; 8] = *b"\x89RTN\r\n\x1a\n";
/// Bytes of the head of a trace.
pub(super) const HEAD: usize = 16;
/// Bytes of the head of a frame.
pub(super) const FRAME_HEAD: usize = 12;
/// Bytes of the checksum after the body of a frame.
pub(super) const CHECK: usize = 4;
/// Longest body: the longest payload with what describes it.
pub(super) const MAX_BODY: usize = abi::MAX_PAYLOAD + 4096;

/// Types of frames. One that a reader does not know can be stepped over if its [`OPTIONAL`] bit is set.
pub(super) const META: u16 = 1;
pub(super) const SOURCE: u16 = 2;
pub(super) const DELIVERY: u16 = 3;
pub(super) const END: u16 = 4;
pub(super) const OPTIONAL: u16 = 0x8000;

/// The event has a value.
const WITH_VALUE: u16 = 1;

/// The head of a trace.
pub(super) fn head() -> [u8; HEAD] {
    let mut out = [0; HEAD];
    out[..8].copy_from_slice(&MAGIC);
    out[8..10].copy_from_slice(&VERSION.to_le_bytes());
    let check = crc32fast::hash(&out[..12]);
    out[12..].copy_from_slice(&check.to_le_bytes());
    out
}

/// The head of a frame.
pub(super) fn frame_head(frame_type: u16, len: usize) -> [u8; FRAME_HEAD] {
    let mut out = [0; FRAME_HEAD];
    out[..2].copy_from_slice(&frame_type.to_le_bytes());
    // A body is never longer than `MAX_BODY`.
    out[4..8].copy_from_slice(&(len as u32).to_le_bytes());
    let check = crc32fast::hash(&out[..8]);
    out[8..].copy_from_slice(&check.to_le_bytes());
    out
}

/// Takes numbers off the front of a slice; `None` when it is too short.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn rest(self) -> &'a [u8] {
        self.0
    }

    fn text(self) -> Option<String> {
        str::from_utf8(self.rest()).ok().map(str::to_owned)
    }
}

/// The body of a note about the recording; `None` if the key is too long.
pub(super) fn meta(key: &str, value: &str) -> Option<Vec<u8>> {
    let mut out = u16::try_from(key.len()).ok()?.to_le_bytes().to_vec();
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(value.as_bytes());
    (out.len() <= MAX_BODY).then_some(out)
}

fn parse_meta(body: &[u8]) -> Option<Entry> {
    let mut fields = Fields(body);
    let len = usize::from(fields.u16()?);
    let (key, value) = fields.rest().split_at_checked(len)?;
    Some(Entry::Meta {
        key: Fields(key).text()?,
        value: Fields(value).text()?,
    })
}

/// The body that describes a source; `None` if its name is too long.
pub(super) fn source(source: &Source) -> Option<Vec<u8>> {
    let kind = match source.source_type {
        SourceType::User => abi::SOURCE_USER,
        SourceType::Timer => abi::SOURCE_TIMER,
        SourceType::Driver => abi::SOURCE_DRIVER,
        SourceType::Unknown(other) => other,
    };
    let period = source
        .period
        .map_or(0, |p| u64::try_from(p.as_nanos()).unwrap_or(u64::MAX));
    let mut out = source.number.to_le_bytes().to_vec();
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&(source.max_payload as u64).to_le_bytes());
    out.extend_from_slice(&period.to_le_bytes());
    out.extend_from_slice(source.name.as_bytes());
    (out.len() <= MAX_BODY).then_some(out)
}

fn parse_source(body: &[u8]) -> Option<Entry> {
    let mut fields = Fields(body);
    Some(Entry::Source(Source {
        number: fields.u32()?,
        source_type: match fields.u32()? {
            abi::SOURCE_USER => SourceType::User,
            abi::SOURCE_TIMER => SourceType::Timer,
            abi::SOURCE_DRIVER => SourceType::Driver,
            other => SourceType::Unknown(other),
        },
        max_payload: usize::try_from(fields.u64()?).ok()?,
        period: match fields.u64()? {
            0 => None,
            ns => Some(Duration::from_nanos(ns)),
        },
        name: fields.text()?,
    }))
}

/// The fields that every delivery has.
struct Common {
    seq: u64,
    source_seq: u64,
    time: Duration,
    value: u64,
    cookie: u64,
    source: u32,
    count: u32,
    kind: u16,
    flags: u16,
    reason: u16,
}

/// Appends the body of a delivery.
pub(super) fn delivery(delivery: &Delivery, out: &mut Vec<u8>) {
    let (common, payload) = match delivery {
        Delivery::Event(event) => (
            Common {
                seq: event.seq,
                source_seq: event.source_seq,
                time: event.time,
                value: event.value.unwrap_or(0),
                cookie: event.cookie,
                source: event.source,
                count: 0,
                kind: event.kind,
                flags: event.value.map_or(0, |_| WITH_VALUE),
                reason: 0,
            },
            &event.payload[..],
        ),
        Delivery::Gap(gap) => (
            Common {
                seq: gap.seq,
                source_seq: gap.first,
                time: gap.time,
                value: gap.last,
                cookie: gap.cookie,
                source: gap.source,
                count: gap.count,
                kind: abi::KIND_GAP,
                flags: 0,
                reason: gap.reason.bits(),
            },
            &[][..],
        ),
        Delivery::Gone(gone) => (
            Common {
                seq: gone.seq,
                source_seq: gone.last,
                time: gone.time,
                value: 0,
                cookie: gone.cookie,
                source: gone.source,
                count: 0,
                kind: abi::KIND_GONE,
                flags: 0,
                reason: 0,
            },
            &[][..],
        ),
    };
    let time = u64::try_from(common.time.as_nanos()).unwrap_or(u64::MAX);
    for word in [
        common.seq,
        common.source_seq,
        time,
        common.value,
        common.cookie,
    ] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for word in [common.source, common.count] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for word in [common.kind, common.flags, common.reason, 0] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(payload);
}

fn parse_delivery(body: &[u8]) -> Option<Entry> {
    let mut fields = Fields(body);
    let common = Common {
        seq: fields.u64()?,
        source_seq: fields.u64()?,
        time: Duration::from_nanos(fields.u64()?),
        value: fields.u64()?,
        cookie: fields.u64()?,
        source: fields.u32()?,
        count: fields.u32()?,
        kind: fields.u16()?,
        flags: fields.u16()?,
        reason: fields.u16()?,
    };
    let reserved = fields.u16()?;
    let payload = fields.rest();
    if reserved != 0 || common.flags & !WITH_VALUE != 0 {
        return None;
    }
    Some(Entry::Delivery(match common.kind {
        abi::KIND_GAP if payload.is_empty() => Delivery::Gap(gap(&common)?),
        abi::KIND_GONE if payload.is_empty() => Delivery::Gone(Gone {
            seq: common.seq,
            source: common.source,
            last: common.source_seq,
            time: common.time,
            cookie: common.cookie,
        }),
        kind if kind < abi::FIRST_RESERVED_KIND => Delivery::Event(Event {
            seq: common.seq,
            source: common.source,
            source_seq: common.source_seq,
            kind,
            time: common.time,
            value: (common.flags & WITH_VALUE != 0).then_some(common.value),
            cookie: common.cookie,
            payload: Bytes::copy_from_slice(payload),
        }),
        _ => return None,
    }))
}

/// A gap is made of a record, as the device's are.
fn gap(common: &Common) -> Option<Gap> {
    let record = Record {
        seq: common.seq,
        source: common.source,
        source_seq: common.source_seq,
        kind: abi::KIND_GAP,
        reason: common.reason,
        time_ns: u64::try_from(common.time.as_nanos()).ok()?,
        value: common.value,
        payload_len: common.count,
        cookie: common.cookie,
        ..Record::zeroed()
    };
    match Delivery::from_record(&record, &[]) {
        Delivery::Gap(gap) => Some(gap),
        _ => None,
    }
}

/// The body of the last frame.
pub(super) fn end(totals: &Totals) -> Vec<u8> {
    [totals.events, totals.gaps, totals.lost, totals.gone]
        .iter()
        .flat_map(|count| count.to_le_bytes())
        .collect()
}

fn parse_end(body: &[u8]) -> Option<Entry> {
    let mut fields = Fields(body);
    let totals = Totals {
        events: fields.u64()?,
        gaps: fields.u64()?,
        lost: fields.u64()?,
        gone: fields.u64()?,
    };
    fields.rest().is_empty().then_some(Entry::End(totals))
}

/// What a body means; `None` if it means nothing.
pub(super) fn parse(frame_type: u16, body: &[u8]) -> Option<Entry> {
    match frame_type {
        META => parse_meta(body),
        SOURCE => parse_source(body),
        DELIVERY => parse_delivery(body),
        END => parse_end(body),
        _ => None,
    }
}
