// SPDX-License-Identifier: MIT OR Apache-2.0

//! Fetching payloads by handle.

use nix::errno::Errno;
use sigrt::abi;

use crate::harness::Backend;
use crate::ledger::payload;
use crate::rig::{Rig, request};

fn rig(backend: &Backend, mode: u32, flags: u32) -> Rig {
    let mut asked = request(mode);
    asked.flags = flags;
    Rig::new(backend, asked)
}

/// The handle of the event that the next doorbell announces.
fn handle(rig: &Rig) -> u64 {
    let taken = rig.ring();
    assert!(rig.has_handle(&taken), "{taken:?}");
    taken.value
}

fn queued(rig: &Rig) -> u64 {
    rig.stats().queued
}

/// Copies that do not go from start to end leave the event where it is.
pub fn pread_by_parts_keeps_the_event(backend: &Backend) {
    let mut rig = rig(backend, abi::MODE_PER_EVENT, 0);
    let data = payload(0, 1000);
    rig.post(&data);
    let handle = handle(&rig);
    let mut buffer = [0; 2000];
    let mut at = |from: u64, len: usize| {
        let got = rig
            .subscriber
            .pread(&mut buffer[..len], handle + from)
            .unwrap();
        buffer[..got].to_vec()
    };
    assert_eq!(at(0, 999), data[..999]);
    assert_eq!(at(0, 0), []);
    assert_eq!(at(1, 2000), data[1..]);
    assert_eq!(at(500, 10), data[500..510]);
    assert_eq!(at(999, 10), data[999..]);
    assert_eq!(at(1000, 10), [], "at the end");
    assert_eq!(at(1 << 20, 10), [], "beyond the end");
    assert_eq!(queued(&rig), 1);
    rig.settle();
    assert_eq!(rig.ledger.events, 1);
}

/// In per-event mode a complete copy consumes; a second one is stale.
pub fn complete_pread_consumes_per_event(backend: &Backend) {
    let rig = rig(backend, abi::MODE_PER_EVENT, 0);
    for (len, room) in [(1000, 1000), (1000, 4096), (8, 8), (0, 16)] {
        let data = payload(9, len);
        rig.post(&data);
        let handle = handle(&rig);
        let mut buffer = vec![0; room];
        assert_eq!(rig.subscriber.pread(&mut buffer, handle), Ok(len));
        assert_eq!(buffer[..len], data);
        assert_eq!(queued(&rig), 0, "{len} bytes into {room}");
        let again = rig.subscriber.pread(&mut buffer, handle);
        assert_eq!(again, Err(Errno::ESTALE));
    }
    let stats = rig.stats();
    assert_eq!((stats.consumed, stats.stale), (4, 4));
}

/// In window mode it does not.
pub fn pread_keeps_in_window_mode(backend: &Backend) {
    let mut rig = rig(backend, abi::MODE_WINDOW, 0);
    rig.post(&payload(0, 100));
    let handle = handle(&rig);
    let mut buffer = [0; 100];
    for _ in 0..3 {
        assert_eq!(rig.subscriber.pread(&mut buffer, handle), Ok(100));
    }
    assert_eq!(queued(&rig), 1);
    rig.settle();
    assert_eq!(
        rig.subscriber.pread(&mut buffer, handle),
        Err(Errno::ESTALE)
    );
}

/// Flags of the registration decide otherwise.
pub fn flags_choose_consumption(backend: &Backend) {
    for (mode, flags, left) in [
        (abi::MODE_PER_EVENT, abi::REG_PREAD_KEEP, 1),
        (abi::MODE_PER_EVENT, abi::REG_PREAD_CONSUME, 0),
        (abi::MODE_WINDOW, abi::REG_PREAD_KEEP, 1),
        (abi::MODE_WINDOW, abi::REG_PREAD_CONSUME, 0),
    ] {
        let rig = rig(backend, mode, flags);
        rig.post(&payload(0, 100));
        let handle = handle(&rig);
        assert_eq!(rig.subscriber.pread(&mut [0; 100], handle), Ok(100));
        assert_eq!(queued(&rig), left, "mode {mode}, flags {flags}");
    }
}

/// With the flag, the record comes first and offsets count from its start.
pub fn pread_with_record(backend: &Backend) {
    let mut rig = Rig::per_event(backend);
    let data = payload(0, 100);
    rig.post(&data);
    let handle = handle(&rig);
    let mut buffer = [0; 200];
    assert_eq!(rig.subscriber.pread(&mut buffer[..64], handle), Ok(64));
    let record = abi::Record::from_bytes(buffer.first_chunk().unwrap());
    assert_eq!((record.payload_len, record.handle), (100, handle));
    assert_eq!(rig.subscriber.pread(&mut buffer, handle + 60), Ok(104));
    assert_eq!(buffer[..4], record.to_bytes()[60..]);
    assert_eq!(buffer[4..104], data);
    assert_eq!(queued(&rig), 1, "not from the start");
    assert_eq!(rig.subscriber.pread(&mut buffer[..163], handle), Ok(163));
    assert_eq!(queued(&rig), 1, "not to the end");
    assert_eq!(rig.subscriber.pread(&mut buffer, handle), Ok(164));
    assert_eq!(rig.ledger.book_all(&buffer[..164])[0].payload, data);
    rig.settle();
}

/// A payload that travels in the record is a payload all the same.
pub fn inline_payload_by_handle(backend: &Backend) {
    let rig = rig(backend, abi::MODE_PER_EVENT, 0);
    rig.post(b"inline");
    let one = handle(&rig);
    let mut buffer = [0; 16];
    assert_eq!(rig.subscriber.pread(&mut buffer[..3], one + 3), Ok(3));
    assert_eq!(&buffer[..3], b"ine");
    assert_eq!(rig.subscriber.pread(&mut buffer, one), Ok(6));
    assert_eq!(&buffer[..6], b"inline");

    // With a value the same bytes lie elsewhere, which nobody sees.
    let post = |payload: &[u8]| {
        rig.producer.post(rig.source, 0, Some(1), payload).unwrap();
    };
    post(b"inline");
    assert_eq!(rig.subscriber.pread(&mut buffer, handle(&rig)), Ok(6));
    assert_eq!(&buffer[..6], b"inline");
    post(b"");
    assert_eq!(rig.subscriber.pread(&mut buffer, handle(&rig)), Ok(0));
    assert_eq!(queued(&rig), 0);
}

/// A gap is a record without a payload: ENODATA, unless records are asked for.
pub fn gap_has_no_payload(backend: &Backend) {
    for flags in [0, abi::REG_PREAD_RECORD] {
        let mut asked = request(abi::MODE_PER_EVENT);
        (asked.queue_len, asked.flags) = (1, flags);
        let mut rig = Rig::new(backend, asked);
        rig.post_many(3);
        // The event is consumed by its handle; the gap takes its place and rings.
        let mut buffer = [0; 128];
        let got = rig.subscriber.pread(&mut buffer, handle(&rig)).unwrap();
        assert_eq!(got, if flags == 0 { 0 } else { 64 });
        let gap = handle(&rig);
        let result = rig.subscriber.pread(&mut buffer, gap);
        if flags == 0 {
            assert_eq!(result, Err(Errno::ENODATA));
            assert_eq!(rig.subscriber.read(&mut buffer), Ok(64));
        } else {
            assert_eq!(result, Ok(64));
        }
        let record = abi::Record::from_bytes(buffer.first_chunk().unwrap());
        assert!(record.is_gap());
        assert_eq!((record.source_seq, record.value), (2, 3));
        assert_eq!(rig.drain(), 0);
        let stats = rig.stats();
        assert_eq!((stats.consumed, stats.lost_queue_full), (1, 2));
    }
}

/// A thousand handles of consumed events: ESTALE, and never another event's bytes.
pub fn stale_handles_name_nothing(backend: &Backend) {
    let mut asked = request(abi::MODE_PER_EVENT);
    asked.queue_len = 8;
    let mut rig = Rig::new(backend, asked);
    let mut old = Vec::new();
    for n in 0..1000 {
        rig.post(&payload(n, 40));
        let handle = handle(&rig);
        assert_eq!(rig.subscriber.pread(&mut [0; 40], handle), Ok(40));
        old.push(handle);
    }
    rig.post(&payload(1000, 40));
    let valid = handle(&rig);
    for &handle in &old {
        assert_ne!(handle, valid);
        let result = rig.subscriber.pread(&mut [0; 40], handle);
        assert_eq!(result, Err(Errno::ESTALE), "{handle:#x}");
    }
    old.sort_unstable();
    old.dedup();
    assert_eq!(old.len(), 1000, "no handle was used twice");
    let stats = rig.stats();
    assert_eq!((stats.stale, stats.queued), (1000, 1));
    let mut buffer = [0; 40];
    assert_eq!(rig.subscriber.pread(&mut buffer, valid), Ok(40));
    assert_eq!(buffer[..], payload(1000, 40));
    assert_eq!(rig.drain(), 0);
}

/// A thousand handles that were never issued: EINVAL or ESTALE.
pub fn forged_handles_name_nothing(backend: &Backend) {
    let mut rig = rig(backend, abi::MODE_PER_EVENT, 0);
    rig.post(&payload(0, 40));
    let valid = handle(&rig);
    let mut buffer = [0; 64];
    for impossible in [0, 1, (1 << 21) - 1, 1 << 63, u64::MAX, i64::MAX as u64] {
        let result = rig.subscriber.pread(&mut buffer, impossible);
        assert_eq!(result, Err(Errno::EINVAL), "{impossible:#x}");
    }
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for n in 0..1000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Half of them close to the one that is valid.
        let forged = if n % 2 == 0 {
            random >> 1
        } else {
            (valid ^ 1 << (21 + n / 2 % 42)) & (u64::MAX >> 1)
        };
        if forged >> 21 == valid >> 21 {
            continue;
        }
        let result = rig.subscriber.pread(&mut buffer, forged);
        assert!(
            matches!(result, Err(Errno::ESTALE | Errno::EINVAL)),
            "{forged:#x}: {result:?}"
        );
    }
    assert_eq!(buffer, [0; 64], "nothing was copied");
    rig.settle();
    assert_eq!(rig.ledger.events, 1);
}

/// Another client's handles mean nothing.
pub fn foreign_handles_name_nothing(backend: &Backend) {
    let mut mine = rig(backend, abi::MODE_PER_EVENT, 0);
    let mut asked = request(abi::MODE_PER_EVENT);
    asked.signo += 1;
    let mut theirs = Rig::new(backend, asked);
    // None is consumed, so the window bounds how many are announced.
    for n in 0..u64::from(abi::DEFAULT_WINDOW) {
        mine.post(&payload(n, 40));
        theirs.post(&payload(n, 50));
        let (a, b) = (handle(&mine), handle(&theirs));
        let foreign = [
            mine.subscriber.pread(&mut [0; 64], b),
            theirs.subscriber.pread(&mut [0; 64], a),
        ];
        assert_eq!(foreign, [Err(Errno::ESTALE); 2]);
    }
    mine.settle();
    theirs.settle();
}
