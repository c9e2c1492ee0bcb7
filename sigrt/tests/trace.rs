// SPDX-License-Identifier: MIT OR Apache-2.0

//! Traces: what was written is read, and what is damaged is found out.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use sigrt::trace::{Entry, Reader, Source, Totals, TraceError, Writer};
use sigrt::{Delivery, Event, Gone, SourceType, parse_frames};

/// A gap, which only a device makes: from the bytes of a record.
fn gap(seq: u64, source: u32, first: u64, count: u32, reason: u16) -> Delivery {
    let record = sigrt::abi::Record {
        seq,
        source,
        source_seq: first,
        kind: sigrt::abi::KIND_GAP,
        reason,
        value: first + u64::from(count),
        payload_len: count,
        ..sigrt::abi::Record::zeroed()
    };
    parse_frames(&record.to_bytes()).next().unwrap()
}

fn event() -> impl Strategy<Value = Delivery> {
    (
        any::<(u64, u32, u64, u64, u64)>(),
        0..0xfff0_u16,
        any::<Option<u64>>(),
        proptest::collection::vec(any::<u8>(), 0..300),
    )
        .prop_map(
            |((seq, source, source_seq, time, cookie), kind, value, payload)| {
                Delivery::Event(Event {
                    seq,
                    source,
                    source_seq,
                    kind,
                    time: Duration::from_nanos(time),
                    value,
                    cookie,
                    payload: Bytes::from(payload),
                })
            },
        )
}

fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        (".{0,20}", ".{0,60}").prop_map(|(key, value)| Entry::Meta { key, value }),
        (any::<(u32, u32, u32)>(), ".{0,40}").prop_map(|((number, max, period), name)| {
            Entry::Source(Source {
                number,
                name,
                source_type: SourceType::Driver,
                max_payload: max as usize,
                period: (period != 0).then(|| Duration::from_nanos(period.into())),
            })
        }),
        event().prop_map(Entry::Delivery),
        event().prop_map(Entry::Delivery),
        (any::<(u64, u32)>(), 0..1_u64 << 40, 1..1000_u32, 0..32_u16).prop_map(
            |((seq, source), first, count, reason)| {
                Entry::Delivery(gap(seq, source, first, count, reason))
            }
        ),
        any::<(u64, u32, u64, u64, u64)>().prop_map(|(seq, source, last, time, cookie)| {
            Entry::Delivery(Delivery::Gone(Gone {
                seq,
                source,
                last,
                time: Duration::from_nanos(time),
                cookie,
            }))
        }),
    ]
}

/// The bytes of a trace, and where each frame of it ends.
fn write(entries: &[Entry]) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Vec::new();
    let mut ends = Vec::new();
    // Written anew for each length, because the writer keeps what it writes to.
    for n in 0..=entries.len() {
        let mut writer = Writer::new(Vec::new()).unwrap();
        for entry in &entries[..n] {
            match entry {
                Entry::Meta { key, value } => writer.meta(key, value).unwrap(),
                Entry::Source(source) => writer.source(source).unwrap(),
                Entry::Delivery(delivery) => writer.delivery(delivery).unwrap(),
                _ => unreachable!("not made here"),
            }
        }
        bytes = writer.finish().unwrap();
        ends.push(bytes.len() - END);
    }
    (bytes, ends)
}

/// Bytes of the last frame.
const END: usize = 12 + 32 + 4;

fn read(bytes: &[u8]) -> Vec<Result<Entry, TraceError>> {
    match Reader::new(bytes) {
        Ok(reader) => reader.collect(),
        Err(error) => vec![Err(error)],
    }
}

fn totals(entries: &[Entry]) -> Totals {
    let mut totals = Totals::default();
    for entry in entries {
        if let Entry::Delivery(delivery) = entry {
            totals.count(delivery);
        }
    }
    totals
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(entries in proptest::collection::vec(entry(), 0..20)) {
        let (bytes, _) = write(&entries);
        let mut found: Vec<Entry> = read(&bytes).into_iter().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(found.pop(), Some(Entry::End(totals(&entries))));
        prop_assert_eq!(found, entries);
    }

    /// Cut at every byte: all frames that are whole are there, and then the error says where it ends.
    #[test]
    fn what_is_cut_is_kept_up_to_the_cut(entries in proptest::collection::vec(entry(), 0..5)) {
        let (bytes, ends) = write(&entries);
        for len in 0..bytes.len() {
            let mut found = read(&bytes[..len]);
            let Some(Err(error)) = found.pop() else {
                panic!("{len} of {} bytes pass", bytes.len())
            };
            let whole = ends.iter().rposition(|&end| end <= len);
            let right = match (&error, whole) {
                (TraceError::NotATrace, None) => len == 0,
                (TraceError::Truncated { offset: 0 }, None) => len > 0,
                (TraceError::Truncated { offset }, Some(n)) => *offset == ends[n] as u64,
                _ => false,
            };
            prop_assert!(right, "{} bytes: {}", len, error);
            let found: Vec<Entry> = found.into_iter().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(&found[..], &entries[..whole.unwrap_or(0)]);
        }
    }

    /// One byte changed: it is found out, and every frame but one is kept, or those before it.
    #[test]
    fn what_is_damaged_is_found_out(
        entries in proptest::collection::vec(entry(), 1..6),
        place in any::<prop::sample::Index>(),
        change in 1..=255_u8,
    ) {
        let (mut bytes, ends) = write(&entries);
        let at = place.index(bytes.len());
        bytes[at] ^= change;
        let found = read(&bytes);
        prop_assert!(found.iter().any(Result::is_err), "byte {} goes unnoticed", at);
        if at < 16 {
            prop_assert_eq!(found.len(), 1);
            return Ok(());
        }
        // The frame that holds the byte.
        let hit = ends.iter().rposition(|&end| end <= at).unwrap();
        let start = ends[hit] as u64;
        let kept: Vec<&Entry> = found.iter().filter_map(|f| f.as_ref().ok()).collect();
        let in_head = at - ends[hit] < 12;
        let wanted: Vec<&Entry> = entries
            .iter()
            .enumerate()
            .filter(|&(n, _)| n < hit || (n > hit && !in_head))
            .map(|(_, entry)| entry)
            .collect();
        prop_assert_eq!(&kept[..wanted.len()], &wanted[..]);
        let complains = found.iter().any(|f| {
            matches!(f, Err(TraceError::Corrupt { offset, .. }) if *offset == start)
        });
        prop_assert!(complains, "{:?}", found.last());
    }

    /// Whatever is read, nothing panics and the reader comes to an end.
    #[test]
    fn nonsense_is_refused(rest in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = write(&[]).0[..16].to_vec();
        bytes.extend_from_slice(&rest);
        prop_assert!(read(&bytes).last().unwrap().is_err());
        prop_assert!(read(&rest).last().unwrap().is_err());
    }
}

#[test]
fn a_frame_that_is_missing_is_missed() {
    let events: Vec<Entry> = (1..=3)
        .map(|seq| Entry::Delivery(gap(seq, 1, seq * 10, 2, 1)))
        .collect();
    let (bytes, ends) = write(&events);
    let without = [&bytes[..ends[1]], &bytes[ends[2]..]].concat();
    let found = read(&without);
    assert!(matches!(
        found.last(),
        Some(Err(TraceError::Missing {
            found: 2,
            expected: 3
        }))
    ));
    let doubled = [&bytes[..], &bytes[..]].concat();
    let found = read(&doubled);
    assert!(matches!(
        found.last(),
        Some(Err(TraceError::Corrupt { offset, .. })) if *offset == bytes.len() as u64
    ));
}

/// The very bytes: a trace written today must be read by every later version.
#[test]
fn the_format_is_what_is_documented() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    writer.meta("k", "v").unwrap();
    let bytes = writer.finish().unwrap();
    assert_eq!(bytes[..12], *b"\x89RTN\r\n\x1a\n\x01\0\0\0");
    assert_eq!(bytes[12..16], crc32fast::hash(&bytes[..12]).to_le_bytes());
    assert_eq!(bytes[16..24], [1, 0, 0, 0, 4, 0, 0, 0]);
    assert_eq!(bytes[24..28], crc32fast::hash(&bytes[16..24]).to_le_bytes());
    assert_eq!(bytes[28..32], *b"\x01\0kv");
    assert_eq!(bytes[32..36], crc32fast::hash(b"\x01\0kv").to_le_bytes());
    assert_eq!(bytes[36..44], [4, 0, 0, 0, 32, 0, 0, 0]);
    assert_eq!(bytes.len(), 36 + END);

    // A frame of tomorrow that may be stepped over, and one that may not.
    for (frame_type, passes) in [(0x8001_u16, true), (0x0099, false)] {
        let mut head = frame_type.to_le_bytes().to_vec();
        head.extend([0, 0, 1, 0, 0, 0]);
        head.extend(crc32fast::hash(&head).to_le_bytes());
        head.push(b'x');
        head.extend(crc32fast::hash(b"x").to_le_bytes());
        let longer = [&bytes[..36], &head, &bytes[36..]].concat();
        let found = read(&longer);
        assert_eq!(found.iter().all(Result::is_ok), passes);
        assert!(matches!(found.last(), Some(Ok(Entry::End(_)))));
    }
    let newer = {
        let mut head = bytes[..16].to_vec();
        head[8] = 2;
        let check = crc32fast::hash(&head[..12]).to_le_bytes();
        head[12..].copy_from_slice(&check);
        head
    };
    assert!(matches!(
        Reader::new(&newer[..]),
        Err(TraceError::Version { found: 2 })
    ));
}
